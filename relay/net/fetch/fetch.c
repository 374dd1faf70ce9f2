// SPDX-License-Identifier: BSD-2-Clause
/* fetch.c - One fetch: an order with a stream, what is posted into it, and the answer out of it
 * (exchange.h).
 *
 * Failure modes: the file of the authorities cannot be read (then nobody is asked); the fetcher
 * is gone, or says less than it announced (FETCH_GONE); it says nothing in the order's time (ended
 * by a timer: FETCH_TIMED_OUT).
 */
#include "exchange.h"
#include "fetcher.h"
#include "passing.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SPARE_MS = 15 * 1000 };

struct fetch {
    struct exchange *exchange;
    char fault[160]; /* "" the order was given */
    fetch_on_done *done;
    void *context;
};

/* Has all come that was announced? */
static bool is_whole(const struct buf *came, struct fetch_head *head_r)
{
    if (came->overflow || came->len < sizeof(*head_r))
        return false;
    memcpy(head_r, came->ptr, sizeof(*head_r));
    head_r->why[sizeof(head_r->why) - 1] = '\0';
    head_r->content_type[sizeof(head_r->content_type) - 1] = '\0';
    return head_r->outcome < FETCH_OUTCOMES && came->len - sizeof(*head_r) == head_r->len;
}

static void on_done(void *context, struct buf *came, bool late)
{
    struct fetch *f = context;
    struct fetch_head head = {0};
    char status[64];
    struct fetch_result result = {.outcome = FETCH_GONE, .content_type = ""};
    if (f->fault[0]) {
        result.why = f->fault;
    } else if (late) {
        result.outcome = FETCH_TIMED_OUT;
        result.why = "no answer in time";
    } else if (!is_whole(came, &head)) {
        result.why = "the fetcher ended before it had answered";
    } else {
        result =
            (struct fetch_result){.outcome = (enum fetch_outcome)head.outcome,
                                  .status = head.status,
                                  .retry_after_s = head.retry_after_s > 0 ? head.retry_after_s : 0,
                                  .content_type = head.content_type,
                                  .answer = {came->ptr + sizeof(head), head.len},
                                  .why = head.why[0] ? head.why : NULL};
        snprintf(status, sizeof(status), "the server answered with status %d", head.status);
        if (!result.why && (head.status < 200 || head.status > 299))
            result.why = status;
    }
    result.begun = !f->fault[0] && result.outcome != FETCH_BUSY;
    f->done(f->context, &result);
    free(f);
}

void fetch_kill(struct fetch *f)
{
    exchange_kill(f->exchange);
}

/* False, and why. `files`: the stream's other end, and the authorities or -1. */
static bool send_order(const struct fetcher *fetcher, const struct fetch_order *order,
                       const int files[PASSING_MAX], struct fetch *f)
{
    const struct iovec part = {(void *)(uintptr_t)order, sizeof(*order)};
    int socket = fetcher_socket(fetcher);
    if (socket < 0) {
        snprintf(f->fault, sizeof(f->fault), "the fetcher has ended, and is started again");
        return false;
    }
    if (pass_files(socket, &part, 1, files, files[1] >= 0 ? 2 : 1))
        return true;
    snprintf(f->fault, sizeof(f->fault), "asking the fetcher: %s", strerror(errno));
    return false;
}

/* The stream's end, or -1 and why. */
static int give_order(const struct fetcher *fetcher, const struct fetch_order *order,
                      struct fetch *f)
{
    int ends[2] = {-1, -1};
    int authorities = order->authorities[0] ? open(order->authorities, O_RDONLY | O_CLOEXEC) : -1;
    if (order->authorities[0] && authorities < 0) {
        snprintf(f->fault, sizeof(f->fault), "ca_file %.100s: %s", order->authorities,
                 strerror(errno));
        return -1;
    }
    bool made = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0;
    if (!made)
        snprintf(f->fault, sizeof(f->fault), "making a socket for a fetch: %s", strerror(errno));
    const int files[PASSING_MAX] = {ends[1], authorities};
    bool ok = made && send_order(fetcher, order, files, f);
    if (authorities >= 0)
        close(authorities);
    if (made)
        close(ends[1]);
    if (made && !ok)
        close(ends[0]);
    return ok ? ends[0] : -1;
}

struct fetch *fetch_start(uv_loop_t *loop, const struct fetcher *fetcher,
                          const struct fetch_order *order, struct buf *body, fetch_on_done *done,
                          void *context)
{
    struct fetch *f = xcalloc(1, sizeof(*f));
    *f = (struct fetch){.done = done, .context = context};
    const struct exchange_terms terms = {.stream = give_order(fetcher, order, f),
                                         .said = body,
                                         .most = sizeof(struct fetch_head) + FETCH_ANSWER_MAX,
                                         .timeout_ms =
                                             (uint64_t)order->timeout_s * 1000 + SPARE_MS};
    f->exchange = exchange_start(loop, &terms, on_done, f);
    return f;
}
