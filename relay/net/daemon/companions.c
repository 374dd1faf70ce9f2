// SPDX-License-Identifier: BSD-2-Clause
/* companions.c - In this order: the opener, who keeps what root may read; then privileges are given
 * up; then the helper, who has none; then files and calls are limited; then the fetcher, whom the
 * helper starts, now and whenever it has ended.
 *
 * Failure mode: one ends, as somebody kills it. Helper and opener cannot be made again, as the
 * relay has given up what they have: the operator is told.
 */
#include "companions.h"

#include "helper.h"
#include "log.h"
#include "readable.h"
#include "sandbox.h"

#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

static bool start_helper(struct companions *p, const struct config *c, struct err *err)
{
    char path[PATH_MAX];
    const char **tokens = xcalloc(c->route_count + 1, sizeof(*tokens));
    struct helper_programs programs = {
        .command = c->alert_command, .fetcher = path, .tokens = tokens};
    for (size_t i = 0; i < c->route_count; i++)
        if (c->routes[i].token_command[0])
            tokens[programs.token_count++] = c->routes[i].token_command;
    bool ok = fetcher_find(path, sizeof(path), err) && helper_start(&programs, &p->helper, err);
    free(tokens);
    return ok;
}

bool companions_run_token(void *context, const struct token_source *source, int *stream_r,
                          struct err *err)
{
    const struct companions *p = context;
    return helper_run_token(p->helper, source->command, source->user, stream_r, err);
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

/* ---- their ends ---- */

enum { WATCH_MS = 2000 };

static void on_away(void *context, const char *what)
{
    const struct companions *p = context;
    incidents_add(p->incidents, ALERT_PROCESS, "fetcher", what);
}

static bool has_ended(int socket)
{
    struct pollfd one = {.fd = socket}; /* of -1 nothing is said */
    return poll(&one, 1, 0) == 1 && (one.revents & POLLHUP) != 0;
}

static void tell(struct companions *p, const char *name, const char *event, const char *what)
{
    log_event(LOG_ERROR, event, "what", what);
    incidents_add(p->incidents, ALERT_PROCESS, name, what);
}

static void on_watch(uv_timer_t *timer)
{
    struct companions *p = timer->data;
    if (!p->helper_ended && has_ended(p->helper)) {
        p->helper_ended = true;
        tell(p, "helper", "helper_ended",
             "what runs the command of alerts and nsupdate, and starts the fetcher, has ended: "
             "restart the relay");
    }
    if (!p->opener_ended && has_ended(opener_socket(p->opener))) {
        p->opener_ended = true;
        tell(p, "opener", "opener_ended",
             "what reads certificates, keys and passwords has ended: restart the relay before they "
             "are renewed");
    }
}

void companions_watch(struct companions *p, uv_loop_t *loop, struct incidents *incidents)
{
    p->incidents = incidents;
    p->watch = xcalloc(1, sizeof(*p->watch));
    p->watch->data = p;
    uv_timer_init(loop, p->watch);
    uv_timer_start(p->watch, on_watch, WATCH_MS, WATCH_MS);
    fetcher_tell(p->fetcher, on_away);
}

void companions_close(struct companions *p)
{
    if (p->watch)
        uv_close((uv_handle_t *)p->watch, (uv_close_cb)free);
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
