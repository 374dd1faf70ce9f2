// SPDX-License-Identifier: BSD-2-Clause
/* tlsrpt_text.c - A policy as TLS reports have it, shared by all sessions that were judged by it:
 * it is written and hashed once, not by each connection nor where they are counted. */
#include "tlsrpt_gather.h"

#include "secret.h"

#include <stdlib.h>
#include <string.h>

struct tlsrpt_text *tlsrpt_text_new(const char *text)
{
    const struct span all = span_of(text);
    struct tlsrpt_text *t = xcalloc(1, sizeof(*t) + all.len + 1);
    atomic_init(&t->holders, 1);
    memcpy(t->text, all.ptr, all.len);
    secret_digest(all, t->digest);
    return t;
}

struct tlsrpt_text *tlsrpt_text_hold(struct tlsrpt_text *t)
{
    atomic_fetch_add(&t->holders, 1);
    return t;
}

void tlsrpt_text_drop(struct tlsrpt_text *t)
{
    if (t && atomic_fetch_sub(&t->holders, 1) == 1)
        free(t);
}
