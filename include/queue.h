// SPDX-License-Identifier: BSD-2-Clause
/* queue.h - Who waits, where to, and what is done next: the core of the queue.
 *
 * Events go in, decisions come out. It does no I/O, reads no clock, has no threads and no log: the
 * shell holds one mutex around every call, passes the steady time as the last argument `now_ms`
 * (never smaller than before), and after each event takes decisions until there are none:
 *
 *   queue_add() ─▶ waiting ─(due)─▶ ready ─▶ RESOLVE ─▶ queue_resolved()
 *                                    ▲  │                    │
 *       untried, or queue_settled() ─┘  └─▶ OPEN or SEND ◀───┘ ─▶ queue_message_done() ─▶ settled
 *                                       └─▶ SETTLE (no connection: nobody to ask, or too late)
 *
 * A *domain* is a next hop: text that the shell chooses, the recipient's domain or a route's name
 * ("route:relay.example:587"). A *destination* is where domains lead: a provider or a sorted set of
 * hosts, with port and route; its connections are shared by domains with the same order of
 * preference. Texts given to a call are copied; texts and attempts in a decision are borrowed:
 * texts until the next call, an attempt until it is given back. Connections and their addresses are
 * in queue_connection.h, questions and what an operator may do in queue_view.h.
 *
 * Invariants: a recipient is under way at most once; no more connections than capacity, than a
 * destination, its provider and each address may have; a connection carries only attempts with the
 * trust and the hosts it was opened for; every attempt comes back by exactly one of
 * queue_settled(), queue_gave_back(), queue_connection_failed() and queue_connection_closed().
 */
#ifndef QUEUE_H
#define QUEUE_H

#include "stream.h"

struct queue;

enum { QUEUE_RECIPIENTS_MAX = 100, QUEUE_HOSTS_MAX = 30, QUEUE_WHY_MAX = 200 };

/* 0 stands for the default. */
struct queue_settings {
    unsigned connections;     /* of all destinations together: 400 */
    unsigned per_destination; /* where neither a route nor its provider says otherwise: 20 */
    unsigned idle_max;        /* connections kept for reuse: 100 */
    unsigned lookups;         /* RESOLVE at once: 100 */
    unsigned settling;        /* SETTLE at once: 64 */
    unsigned shards;          /* that connections are spread over: 1 */
    unsigned standing;        /* domains that wait for a lookup or a connection: 1024, and two for
                                 each connection; who is due at others is held aside */
    size_t answers;           /* bytes for what DNS has said: 16 MB */
    int64_t idle_ms;          /* how long one is kept: 5 s */
    int64_t give_up_ms;       /* an opening that others wait for: 5 s */
    /* An answer that was taken is forgotten; it must not call the queue. NULL: nobody is told. */
    void (*forgotten)(void *context, const char *domain);
    void *context;
};

/* Nothing waits yet. Times are of a clock that is never set, in milliseconds. queue_free(NULL) is
 * allowed. */
struct queue *queue_new(const struct queue_settings *settings, int64_t now_ms);
void queue_free(struct queue *q);
/* New settings hold from now on; what is under way goes on. */
void queue_configure(struct queue *q, const struct queue_settings *settings, int64_t now_ms);

/* ---- what waits ---- */

struct queue_entry {
    int64_t message;
    unsigned number; /* of the recipient in the message */
    enum stream_class class;
    const char *tenant, *domain;
    int64_t due_ms, expires_ms; /* steady clock, as now_ms */
};

/* One that waits already takes the new times, class and domain ("retry" is an add with due_ms now);
 * one that is under way takes them when it is back, and is then looked at again. */
void queue_add(struct queue *q, const struct queue_entry *entries, size_t count, int64_t now_ms);
/* Forget one; if it is under way it is not put back. */
void queue_drop(struct queue *q, int64_t message, unsigned number, int64_t now_ms);
/* Hand out nothing new (the store cannot commit), or go on. */
void queue_pause(struct queue *q, bool paused, int64_t now_ms);
/* Hand out nothing more; idle connections are closed. What is under way still comes back. */
void queue_drain(struct queue *q, int64_t now_ms);

/* ---- decisions ---- */

/* Recipients of one message at one domain, handed out together. */
struct queue_attempt {
    int64_t message;
    enum stream_class class;
    const char *domain, *tenant;
    uint64_t trust;      /* as in queue_resolved(); 0 with SETTLE */
    uint64_t connection; /* that carries it; 0: none (any more) */
    size_t count;        /* at least 1 */
    unsigned *numbers;   /* ascending */
};

enum queue_decision_kind {
    QUEUE_RESOLVE, /* `domain`, for `tenant`: queue_resolved() or queue_unresolvable() answers it */
    QUEUE_OPEN,    /* a new `connection` on `shard` for `attempt`: see "connections" */
    QUEUE_SEND,    /* the idle `connection` takes `attempt` */
    QUEUE_CLOSE,   /* let go `connection`, for `reason`: queue_connection_closed() when it has gone.
                      One that is opening gives its attempt back by that. */
    QUEUE_HURRY,   /* others wait for the place of `connection`, which is busy for long: until the
                      final dot its server has little time for each answer of this message */
    QUEUE_SETTLE,  /* answer `attempt` without a connection, for `reason`: queue_settled() */
    QUEUE_EVENT /* `destination` rests (rest_ms > 0), or by its `text` one tenant's mail there, or
                      it is tried again; or QUEUE_SHARE_USED; for log and alert */
};

enum queue_reason {
    QUEUE_REASON_NONE,
    QUEUE_UNRESOLVABLE, /* SETTLE: `result` and `text` as given to queue_unresolvable() */
    QUEUE_EXPIRED,      /* SETTLE: its time is over; `text` says what it waited for */
    QUEUE_IDLE_OVER,    /* CLOSE: not used for idle_ms, too many idle, or of no more use */
    QUEUE_ROOM,         /* CLOSE, also the next two: others wait for its place */
    QUEUE_GIVEN_UP,     /* does not open, and others wait for its place */
    QUEUE_DRAINING,
    QUEUE_REST_OVER,    /* EVENT: the time is over that an operator has set */
    QUEUE_LIMIT_LASTS,  /* EVENT: `destination` has taken none of the mail that `text` names for
                           `rest_ms`, and says so at MAIL */
    QUEUE_LIMIT_OVER,   /* EVENT: that, or what was told of all mail, is over */
    QUEUE_HANGS,        /* EVENT: `destination` answers nothing, and `count` connections wait */
    QUEUE_PAUSE_BEGINS, /* EVENT: queue_pause.h; `count`: so often in a row */
    QUEUE_PAUSE_ENDS,
    QUEUE_ALARM,     /* EVENT */
    QUEUE_SHARE_USED /* EVENT: `tenant` has no connection for other mail: `count` are busy with one
                        message each for long, most at `destination` */
};

struct queue_decision {
    enum queue_decision_kind kind;
    enum queue_reason reason;
    uint64_t connection;
    unsigned shard;
    const struct queue_attempt *attempt;
    const char *domain, *destination, *text, *tenant;
    bool urgent;    /* RESOLVE: class security waits for it */
    bool anew;      /* RESOLVE: past all caches: queue_ask_anew() */
    uint64_t merit; /* RESOLVE: the more, the sooner its questions are asked: party_turns.h */
    unsigned count;
    int result;
    int64_t rest_ms;
    uint32_t turn; /* OPEN: counts the connections to these hosts, so that those that are equal may
                      take turns */
};

/* The next decision; false: none until the next event, or queue_wake_ms(). Its texts are there
 * until the next call of anything here. */
bool queue_decide(struct queue *q, struct queue_decision *decision_r, int64_t now_ms);
/* When to ask again though nothing has happened; INT64_MAX: never. */
int64_t queue_wake_ms(const struct queue *q);

/* ---- names ---- */

struct queue_address;

struct queue_answer {
    const char *const *hosts;    /* 1 to QUEUE_HOSTS_MAX names, in any order, any case */
    const unsigned *preferences; /* beside the hosts; NULL: all are equal */
    size_t host_count;
    /* NULL, or the name whose hosts are more than these: it shares nothing with other names. */
    const char *alone;
    unsigned port;
    const char *route;    /* "", or what keeps destinations on the same hosts apart: TLS, user */
    const char *source;   /* our address that connections leave from, as `route` says, too; "" or
                             NULL: any */
    uint64_t trust;       /* what a connection must have been opened for: anything else that trust
                          depends on, such as the settings' generation. Not 0. */
    unsigned connections; /* as configured for this route; 0: the provider's, or the default */
    int64_t valid_ms;     /* for so long, at least 1 s */
    const struct queue_address *addresses; /* of all hosts: connections to others end soon */
    size_t address_count;                  /* 0: not known */
    size_t bytes;                          /* that the shell keeps until it is forgotten */
    bool anew;                             /* as it was decided */
};

/* The answer to RESOLVE, copied. False: nobody asked for that name, and it is passed over. Where it
 * is true for a name for which it was already, the new answer takes the place of the old one. */
bool queue_resolved(struct queue *q, const char *name, const struct queue_answer *answer,
                    int64_t now_ms);
/* The same without one: everybody who is due, or comes due within `retry_ms`, is handed out with
 * SETTLE. */
struct queue_no_answer {
    int result;       /* as SETTLE says it */
    const char *text; /* the same */
    int64_t retry_ms;
    bool anew; /* as it was decided */
};
void queue_unresolvable(struct queue *q, const char *name, const struct queue_no_answer *answer,
                        int64_t now_ms);
/* Of all domains (new settings), or of one (retry): it is asked for anew when it is next needed. */
void queue_forget_answers(struct queue *q, const char *domain_or_null, int64_t now_ms);

/* ---- attempts come back ---- */

/* The outcome is recorded, or there was nothing to do. `due_ms` stands beside attempt->numbers:
 * when each is due again, 0: never. NULL: none is. Takes the attempt. A connection that still had
 * it goes on: it closes, or asks for the next one by queue_message_done(). */
void queue_settled(struct queue *q, const struct queue_attempt *attempt, const int64_t *due_ms,
                   int64_t now_ms);
/* Nothing has happened (its rows could not be read): all of it again in so many ms. Takes it. */
void queue_gave_back(struct queue *q, const struct queue_attempt *attempt, int64_t again_in_ms,
                     int64_t now_ms);

#endif
