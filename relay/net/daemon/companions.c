// SPDX-License-Identifier: BSD-2-Clause
/* companions.c - In this order: the opener, who keeps what root may read; then privileges are given
 * up; then the helper, who has none; then files and calls are limited; then the fetcher, whom the
 * helper starts, now and whenever it has ended. */
#include "companions.h"

#include "helper.h"
#include "readable.h"
#include "sandbox.h"

#include <limits.h>
#include <unistd.h>

static bool start_helper(struct companions *p, const struct config *c, struct err *err)
{
    char path[PATH_MAX];
    const struct helper_programs programs = {.command = c->alert_command, .fetcher = path};
    return fetcher_find(path, sizeof(path), err) && helper_start(&programs, &p->helper, err);
}

/* Now, and whenever it has ended. */
static bool on_start(void *context, int *socket_r, struct err *err)
{
    const struct companions *p = context;
    return helper_run_fetcher(p->helper, socket_r, err);
}

bool companions_start(struct companions *p, uv_loop_t *loop, const struct config *c,
                      struct err *err)
{
    struct readable readable;
    readable_init(&readable, c);
    bool ok =
        opener_start(c->state_dir, &readable.secret, &p->opener, err) &&
        sandbox_become_owner(c->state_dir, err) && start_helper(p, c, err) &&
        sandbox_files(c->state_dir, readable.places, readable.place_count, &p->landlock, err) &&
        sandbox_calls(SANDBOX_RELAY, err) && fetcher_new(loop, on_start, p, &p->fetcher, err);
    readable_fini(&readable);
    return ok;
}

void companions_close(struct companions *p)
{
    if (p->fetcher)
        fetcher_close(p->fetcher);
}

void companions_stop(struct companions *p)
{
    if (p->helper >= 0)
        close(p->helper);
    fetcher_free(p->fetcher);
    opener_close(p->opener);
}
