// SPDX-License-Identifier: BSD-2-Clause
/* trust_anchor.c - Whether libunbound can read a file of trust anchors. It does so at its first
 * question only, and what it says then it says to nobody: each question fails from then on. Asked
 * here for a name that it knows by itself, so that nothing is sent.
 */
#include "trust_anchor.h"

#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unbound.h>

/* The first line says most; before the words stands "[time] libunbound[process:thread] error: ". */
static void set_reason(const char *said, const char *path, struct err *err)
{
    const char *words = strstr(said, "error: ");
    words = words ? words + strlen("error: ") : "";
    err_set(err, ERR_CONFIG, "trust_anchor %.200s: no file of DS or DNSKEY records%s%.*s", path,
            *words ? ": " : "", (int)strcspn(words, "\n"), words);
}

bool trust_anchor_read(const char *path, struct err *err)
{
    char *said = NULL;
    size_t len = 0;
    FILE *log = open_memstream(&said, &len);
    struct ub_ctx *ctx = ub_ctx_create();
    struct ub_result *known = NULL;
    CHECK(log && ctx);
    ub_ctx_debugout(ctx, log);
    int bad = ub_ctx_add_ta_file(ctx, path);
    bad = bad ? bad : ub_resolve(ctx, "localhost", 1, 1, &known); /* A, IN: of a zone of its own */
    ub_resolve_free(known);
    ub_ctx_delete(ctx);
    fclose(log);
    if (bad)
        set_reason(said, path, err);
    free(said);
    return bad == 0;
}
