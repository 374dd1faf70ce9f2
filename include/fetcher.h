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

/* Become it: in a process of its own that has given up privileges. `program` is the file, open, so
 * that after an upgrade it is still the one that was built with the relay; `socket` is all that it
 * has besides, and of the environment what says where authorities are. */
_Noreturn void fetcher_become(int program, const char *path, int socket);

/* The relay's end. What it does is on the thread of its loop. */
struct fetcher;

/* Have a process begin that becomes it, and ends when `socket_r` is closed. */
typedef bool fetcher_on_start(void *context, int *socket_r, struct err *err);

/* That, for a command: a child of this process. No context. */
bool fetcher_spawn(void *context, int *socket_r, struct err *err);

/* Started now, and whenever it has ended: at once, and with longer and longer waits while it goes
 * on ending (up to five minutes); both are in the log. False: it cannot be started now. Free with
 * fetcher_close(), and fetcher_free() after the loop has ended. */
MUST_CHECK bool fetcher_new(uv_loop_t *loop, fetcher_on_start *start, void *context,
                            struct fetcher **fetcher_r, struct err *err);
/* Have `away` called with the same context when it is not started again at once: it ends each time,
 * or cannot be started. `what`: a line for a person. */
typedef void fetcher_on_away(void *context, const char *what);
void fetcher_tell(struct fetcher *f, fetcher_on_away *away);
void fetcher_close(struct fetcher *f);
void fetcher_free(struct fetcher *f); /* NULL is allowed */
/* For its orders; -1: it is not there just now. */
int fetcher_socket(const struct fetcher *f);

struct fetch;

struct fetch_result {
    enum fetch_outcome outcome;
    bool begun;            /* the fetcher was given the order, and had room for it */
    int status;            /* of HTTP; 0 none */
    int32_t retry_after_s; /* 0 not said */
    const char *content_type;
    struct span answer;
    const char *why; /* a line for a person, NULL: the status is 2xx */
};

/* `result` and what it leads to are borrowed. The fetch is freed afterwards. */
typedef void fetch_on_done(void *context, const struct fetch_result *result);

/* On the thread of `loop`. The memory of `body` moves along. `done` is called once, and never from
 * inside. */
struct fetch *fetch_start(uv_loop_t *loop, const struct fetcher *fetcher,
                          const struct fetch_order *order, struct buf *body, fetch_on_done *done,
                          void *context);
/* End it early; `done` is still called. */
void fetch_kill(struct fetch *f);

#endif
