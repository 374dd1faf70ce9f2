// SPDX-License-Identifier: BSD-2-Clause
/* settings.c - Settings with a count of holders; the last one frees them. */
#include "settings.h"

#include <stdlib.h>

struct settings *settings_hold(struct settings *s)
{
    unsigned before = atomic_fetch_add(&s->holders, 1);
    CHECK(before > 0);
    return s;
}

void settings_drop(struct settings *s)
{
    if (!s || atomic_fetch_sub(&s->holders, 1) > 1)
        return;
    config_free(s->config);
    tls_context_free(s->server);
    tls_context_free(s->client);
    unsubscribe_keys_clear(&s->unsubscribe);
    free(s);
}
