// SPDX-License-Identifier: BSD-2-Clause
/* waiting.c - On standard error, be it a terminal or not: a script's log shall show it, too. */
#include "waiting.h"

#include <stdio.h>

enum { FIRST_MS = 1500, AGAIN_MS = 5000 };

static void on_timer(uv_timer_t *timer)
{
    struct waiting *w = timer->data;
    const struct config *c = w->config;
    if (w->said++ > 0)
        fprintf(stderr, "sealpost: still waiting for DNS\n");
    else if (c->dns_forward_count > 0)
        fprintf(stderr, "sealpost: waiting for DNS: asking %s%s\n", c->dns_forward[0],
                c->dns_forward_count > 1 ? " and others" : "");
    else
        fprintf(stderr, "sealpost: waiting for DNS: asking from the root\n");
}

void waiting_start(struct waiting *w, uv_loop_t *loop, const struct config *config)
{
    *w = (struct waiting){.config = config};
    uv_timer_init(loop, &w->timer);
    w->timer.data = w;
    uv_timer_start(&w->timer, on_timer, FIRST_MS, AGAIN_MS);
}

void waiting_stop(struct waiting *w)
{
    uv_close((uv_handle_t *)&w->timer, NULL);
}
