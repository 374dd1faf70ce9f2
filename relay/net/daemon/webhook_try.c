// SPDX-License-Identifier: BSD-2-Clause
/* webhook_try.c - One post as the relay makes it, on a loop of its own. */
#include "webhook_try.h"

#include "clock.h"
#include "webhook_body.h"
#include "webhook_post.h"

#include <stdio.h>

struct
try {
    uv_loop_t loop;
    struct fetcher *fetcher;
    struct webhook_tried *tried;
};

static void on_posted(void *context, const struct fetch_result *result)
{
    struct try *t = context;
    const struct webhook_answer a = webhook_post_answer(result);
    t->tried->status = a.how == WEBHOOK_ANSWERED ? a.status : 0;
    t->tried->taken = webhook_course_next(0, &a, 0).end == WEBHOOK_TAKEN;
    snprintf(t->tried->why, sizeof(t->tried->why), "%s", result->why ? result->why : "");
    fetcher_close(t->fetcher);
}

static bool run(struct try *t, const struct fetch_order *order, struct buf *body, struct err *err)
{
    bool ok = fetcher_new(&t->loop, fetcher_spawn, NULL, &t->fetcher, err);
    if (ok)
        fetch_start(&t->loop, t->fetcher, order, body, on_posted, t);
    else
        fetcher_close(t->fetcher);
    uv_run(&t->loop, UV_RUN_DEFAULT);
    return ok;
}

bool webhook_try(const struct config *config, const struct webhook *w,
                 struct webhook_tried *tried_r, struct err *err)
{
    struct try t = {.tried = tried_r};
    struct buf body;
    struct fetch_order order;
    int64_t now_ms = clock_now_ms();
    const struct webhook_event e = {.type = WEBHOOK_PING, .at_ms = now_ms};
    *tried_r = (struct webhook_tried){.for_ms = 0};
    webhook_body_id(now_ms, 0, tried_r->id);
    buf_init(&body, WEBHOOK_BODY_MAX);
    webhook_body_write(&e, &body);
    if (!webhook_post_order(config, w, tried_r->id, buf_span(&body), now_ms, &order)) {
        buf_fini(&body);
        return err_set(err, ERR_USAGE, "the secret cannot be read");
    }
    uv_loop_init(&t.loop);
    bool ok = run(&t, &order, &body, err);
    tried_r->for_ms = clock_now_ms() - now_ms;
    CHECK(uv_loop_close(&t.loop) == 0);
    fetcher_free(t.fetcher);
    buf_fini(&body);
    return ok;
}
