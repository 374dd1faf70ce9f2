// SPDX-License-Identifier: BSD-2-Clause
/* session_parts.h - A client's session, for those files that are parts of it. */
#ifndef SESSION_PARTS_H
#define SESSION_PARTS_H

#include "admit.h"
#include "connection.h"
#include "sessions.h"
#include "submission.h"

#include <uthash.h>

struct session {
    uint64_t id;
    struct sessions *home;
    struct settings *settings; /* held */
    struct connection *connection;
    struct submission submission;
    struct admission admission;
    struct rcpt_glance *glances; /* see rcpt_check.c */
    struct body_writer *writer;
    unsigned body_writer_mail; /* which of the session's messages it belongs to */
    char *once; /* of the message that is being decided on; see struct store_accept */
    char peer[64];
    bool implicit_tls, started, asking;
    bool traced; /* all that is said goes into the log */
    /* Among the connections, see places.c. */
    enum { PLACE_NONE, PLACE_STRANGER, PLACE_SETTLED } place;
    bool known; /* somebody has logged in from its address before */
    uint64_t came_ms;
    struct session *before, *after; /* of its thread's strangers, or of those settled */
    uint64_t useful_ms;             /* when it authenticated, or began its last message */
    unsigned useful_mails;          /* messages that were begun until then */
    struct credential *credential;  /* that has logged in, held; see access.c */
    bool hurried;
    /* How it gets on, see sessions_end_slow(). */
    uint64_t bytes, then_bytes, then_ms;
    unsigned then_lines;
    bool then_data;
    UT_hash_handle hh;
};

/* Answer what the machine wants, send what it says: at the end of every callback. */
void session_pump(struct session *s);

/* ---- session_state.c ---- */

/* NULL when it has ended meanwhile. */
struct session *session_find(struct sessions *home, uint64_t id);
/* Those of its kind of listener. */
const struct submission_settings *session_settings(const struct session *s);
/* Go on with the worker's newest settings, unless something is under way that borrows from the old
 * ones; then at the next call. True: they have changed. */
bool session_follow_settings(struct session *s);

/* ---- places.c ---- */

/* False: there is none for it. */
bool session_take_place(struct session *s);
/* It has authenticated. */
void session_settle(struct session *s);
/* It has begun another message. */
void session_note_use(struct session *s);
void session_leave_place(struct session *s);
/* The first stranger that came from that place; NULL: none. */
struct session *session_at_place(struct sessions *home, const struct connection_place *place);
/* Nothing is under way: no message, no question. */
bool session_is_idle(const struct session *s);
/* The one of that tenant, at that place, that goes first; NULL: none. */
struct session *session_of_tenant(struct sessions *home, const struct connection_place *place);

/* ---- enqueue.c ---- */

/* Answer SUBMISSION_ENQUEUE and SUBMISSION_SPILL. */
void session_enqueue(struct session *s);
void session_spill(struct session *s);
/* What was stored away of a message that has been refused meanwhile is no part of the next one. */
void session_forget_body(struct session *s);

/* ---- rcpt_check.c ---- */

/* Answer SUBMISSION_LIMIT. */
void rcpt_check_judge(struct session *s);
void rcpt_check_forget(struct session *s);
/* Somebody was refused mail of that user: from now on, for a while, recipients are looked at. It is
 * written into the audit trail. */
void rcpt_check_flooded(struct sessions *home, const char *recipient, const char *user);

/* ---- room_check.c ---- */

/* Answer SUBMISSION_ROOM. */
void room_check_ask(struct session *s);

/* ---- access.c ---- */

/* When its credential is over, the session ends. */
void session_check_access(struct session *s);
/* In the middle of a message it has a second to come to its end, and the message is refused. */
void session_end_soon(struct session *s, const char *reason);
struct auth_answer;
/* What its credential is now that it has logged in. */
void session_note_access(struct session *s, const struct auth_answer *answer);

#endif
