// SPDX-License-Identifier: BSD-2-Clause
/* waiting.c - Messages go to standard error even if it is not a terminal, so that they appear in a
 * script's log. */
#include "waiting.h"

#include <stdio.h>

enum { FIRST_MS = 1500, AGAIN_MS = 5000, TIMES = 4 };

static void on_timer(uv_timer_t *timer)
{
    struct waiting *w = timer->data;
    const struct config *c = w->config;
    w->over = ++w->said >= TIMES;
    if (w->over)
        fprintf(stderr,
                "sealpost: DNS does not answer all that it is asked: the rest is not known\n");
    else if (w->said > 1)
        fprintf(stderr, "sealpost: still waiting for DNS\n");
    else if (c->dns_forward_count > 0)
        fprintf(stderr, "sealpost: waiting for DNS: asking %s%s\n", c->dns_forward[0],
                c->dns_forward_count > 1 ? " and others" : "");
    else
        fprintf(stderr, "sealpost: waiting for DNS: asking from the root\n");
}

void waiting_start(struct waiting *w, const struct config *config)
{
    *w = (struct waiting){.config = config, .changed = true};
    CHECK(uv_loop_init(&w->loop) == 0);
    uv_timer_init(&w->loop, &w->timer);
    w->timer.data = w;
    uv_timer_start(&w->timer, on_timer, FIRST_MS, AGAIN_MS);
}

void waiting_changed(void *waiting)
{
    ((struct waiting *)waiting)->changed = true;
}

bool waiting_turn(struct waiting *w)
{
    bool changed = w->changed || w->over;
    w->changed = false;
    if (!changed)
        uv_run(&w->loop, UV_RUN_ONCE);
    return changed;
}

void waiting_stop(struct waiting *w)
{
    uv_close((uv_handle_t *)&w->timer, NULL);
    uv_run(&w->loop, UV_RUN_DEFAULT);
    CHECK(uv_loop_close(&w->loop) == 0);
}
