// SPDX-License-Identifier: BSD-2-Clause
/* fetcher.h - The process that speaks HTTP for the relay (fetch_order.h), and one fetch by it. */
#ifndef FETCHER_H
#define FETCHER_H

#include "buf.h"
#include "err.h"
#include "fetch_order.h"

#include <uv.h>

/* Where the program is: beside this one as it is built, or as it is installed. False: it is not
 * there. `path_r` holds at least `size` bytes. */
MUST_CHECK bool fetcher_find(char *path_r, size_t size, struct err *err);

/* Start it: while there is one thread only, after privileges are given up and before the relay is
 * shut in. Of the environment it has what says where authorities are. It ends when `fd_r` is
 * closed. */
MUST_CHECK bool fetcher_start(int *fd_r, struct err *err);

struct fetch;

struct fetch_result {
    enum fetch_outcome outcome;
    int status; /* of HTTP; 0 none */
    const char *content_type;
    struct span answer;
    const char *why; /* a line for a person, NULL: the status is 2xx */
};

/* `result` and what it leads to are borrowed. The fetch is freed afterwards. */
typedef void fetch_on_done(void *context, const struct fetch_result *result);

/* On the thread of `loop`. The memory of `body` moves along. `done` is called once, and never from
 * inside. */
struct fetch *fetch_start(uv_loop_t *loop, int fetcher, const struct fetch_order *order,
                          struct buf *body, fetch_on_done *done, void *context);
/* End it early; `done` is still called. */
void fetch_kill(struct fetch *f);

#endif
