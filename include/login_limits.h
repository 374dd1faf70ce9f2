// SPDX-License-Identifier: BSD-2-Clause
/* login_limits.h - The login limit against guessing, as all threads share it: behind one lock, for
 * as long as a lookup in its table takes. Lock-outs are written to the log, the events and the
 * audit trail; who has logged in from where is kept by the store. */
#ifndef LOGIN_LIMITS_H
#define LOGIN_LIMITS_H

#include "login_limit.h"
#include "store.h"

struct login_limits;

struct incidents;

/* Reads what the store has kept. `store` and `incidents` are borrowed. Free with
 * login_limits_free(). */
MUST_CHECK bool login_limits_new(struct store *store, struct incidents *incidents,
                                 const char *state_dir, struct login_limits **login_limits_r,
                                 struct err *err);
void login_limits_free(struct login_limits *w);

/* See login_limit.h. From any thread. */
struct login_limit_judgement login_limits_judge(struct login_limits *w, struct span name,
                                                const char *address);
bool login_limits_knows(struct login_limits *w, const char *address);
/* Returns the milliseconds to wait before the answer. */
int64_t login_limits_failed(struct login_limits *w, struct span name, const char *address);
void login_limits_succeeded(struct login_limits *w, struct span name, const char *address);
bool login_limits_unlock(struct login_limits *w, const char *what);
void login_limits_list(struct login_limits *w, login_limit_on_row *on_row, void *context);

#endif
