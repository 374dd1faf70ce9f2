// SPDX-License-Identifier: BSD-2-Clause
/* route_label.c - What destinations of a route are called, beside their hosts. */
#include "route_label.h"

#include <stdio.h>
#include <string.h>

static bool shows_as(const struct config_route *route, enum tls_need need, const char *label)
{
    char own[TRUST_LABEL];
    const struct trust demanded = trust_for(&route->trust, need);
    trust_label(&demanded, own);
    return strcmp(own, label) == 0;
}

/* What a route demands, as people read it. Nothing shown may tell of a password, so of logins that
 * show alike, the same user name with other passwords, those of later routes have a number. */
void route_label(const struct config *config, const struct config_route *route, enum tls_need need,
                 char label_r[TRUST_LABEL])
{
    unsigned before = 0;
    const struct trust demanded = trust_for(&route->trust, need);
    trust_label(&demanded, label_r);
    for (size_t i = 0; i < config->route_count; i++) {
        const struct config_route *other = &config->routes[i];
        if (memcmp(other->trust.login, route->trust.login, sizeof(other->trust.login)) == 0)
            break;
        before += shows_as(other, need, label_r);
    }
    size_t len = strlen(label_r);
    if (before > 0)
        snprintf(label_r + len, TRUST_LABEL - len, "-%u", before + 1);
}
