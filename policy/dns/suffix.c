// SPDX-License-Identifier: BSD-2-Clause
/* suffix.c - Public suffixes and organizational domains; the only user of libpsl. */
#include "suffix.h"

#include <libpsl.h>
#include <stdio.h>
#include <stdlib.h>

struct suffixes {
    psl_ctx_t *list;
};

struct suffixes *suffixes_new(void)
{
    struct suffixes *s = xcalloc(1, sizeof(*s));
    s->list = psl_latest(NULL);
    CHECK(s->list != NULL); /* the built-in list is always there */
    return s;
}

void suffixes_free(struct suffixes *s)
{
    if (!s)
        return;
    psl_free(s->list);
    free(s);
}

bool suffixes_find(const struct suffixes *s, const char *domain, char *name_r)
{
    const char *found = *domain && *domain != '.' ? psl_registrable_domain(s->list, domain) : NULL;
    if (found)
        snprintf(name_r, ADDRESS_DOMAIN_MAX + 1, "%s", found);
    return found != NULL;
}
