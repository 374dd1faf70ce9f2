// SPDX-License-Identifier: BSD-2-Clause
/* control.h - What the command line asks of the store, as one line of JSON each way: by the
 * daemon's control socket, or by itself when no daemon runs. The same code answers in both cases.
 */
#ifndef CONTROL_H
#define CONTROL_H

#include "buf.h"
#include "database.h"
#include "err.h"

struct control;

enum control_kind {
    CONTROL_READ,   /* any database will do */
    CONTROL_WRITE,  /* the store's transaction */
    CONTROL_SUBMIT, /* a message to be accepted */
    CONTROL_RELOAD  /* of the settings, by control_relay.reload */
};

/* ERR_USAGE when it is no request. Free with control_free(). */
MUST_CHECK bool control_parse(struct span line, struct control **control_r, struct err *err);
void control_free(struct control *c);
enum control_kind control_kind(const struct control *c);

/* What only a running relay knows. */
struct login_limits;
struct dispatch;
struct destinations_calls;
struct standing;
struct sts;
struct sts_calls;
struct control_relay {
    struct login_limits *watch;
    struct dispatch *dispatch;
    const struct destinations_calls *calls; /* about it */
    struct standing *standing;
    struct store *store;
    struct sts *sts;
    const struct sts_calls *sts_calls;              /* about it */
    bool (*reload)(void *context, struct err *err); /* on the main loop */
    void *context;
};

/* Who asks, for the audit trail; and the relay that runs, borrowed, or NULL. Both before
 * control_run(). */
void control_from(struct control *c, const char *who, const struct control_relay *relay);

/* Who asks may read, and change nothing: what lets him in elsewhere is not shown to him. */
void control_from_reader(struct control *c);

/* Mail that is under way may have been ended by it. */
bool control_ends_mail(const struct control *c);

/* Do it, and add it to the audit trail if it changes anything. `context` is a struct control, so
 * that the store can run it. */
bool control_run(struct database *db, void *context, struct err *err);

/* The message of a CONTROL_SUBMIT: a mail without id and place, to be owned by the caller, and its
 * bytes. */
MUST_CHECK bool control_mail(struct control *c, struct mail **mail_r, struct buf *body,
                             struct err *err);
/* It has been accepted under this id. */
void control_accepted(struct control *c, int64_t id);

/* Append the answer, one line. `failed`: NULL when it was done. `c`: NULL when it was refused
 * unread. */
void control_answer(struct control *c, const struct err *failed, struct buf *out);

/* Where the daemon listens; `path_r` holds at least 4096 bytes. */
void control_path(const char *state_dir, char *path_r);

#endif
