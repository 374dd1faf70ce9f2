// SPDX-License-Identifier: BSD-2-Clause
/* dispatch.h - The queue's shell: one lock around the core (queue.h), and the way of its decisions
 * to the shards.
 *
 * Every function may be called from any thread unless it says otherwise. A shard that has finished
 * a message is told at once what its connection does next; all other decisions go through the
 * shards' inboxes, in order.
 */
#ifndef DISPATCH_H
#define DISPATCH_H

#include "candidates.h"
#include "config.h"
#include "connection.h"
#include "database.h"
#include "hosts.h"
#include "inbox.h"
#include "queue.h"
#include "queue_connection.h"
#include "queue_pause.h"
#include "queue_view.h"
#include "resolver.h"

#include <stdatomic.h>

struct attempt;
struct deliveries;
struct dispatch;
struct incidents;
struct settings;
struct store;

struct host_facts;

/* Where a domain's mail goes, as DNS has said. Counted; it never changes. */
struct dispatch_hosts {
    atomic_uint holders;
    struct hosts hosts;
    struct host_facts *facts; /* what their TLS must show (host_facts.h), held; or NULL */
};

/* One holder more; returns `hosts`. The last one to drop them frees them. */
struct dispatch_hosts *dispatch_hosts_hold(struct dispatch_hosts *hosts);
void dispatch_hosts_drop(struct dispatch_hosts *hosts); /* NULL does nothing */

/* One decision on its way to a shard. */
struct dispatch_work {
    struct inbox_item item;
    struct dispatch *dispatch;
    struct deliveries *home;
    enum queue_decision_kind kind; /* OPEN, SEND, CLOSE, RESOLVE or SETTLE */
    enum queue_reason reason;
    uint64_t connection;                 /* 0: none */
    const struct queue_attempt *attempt; /* OPEN, SEND, SETTLE: to be given back exactly once */
    struct attempt *begun;               /* its message is being read, or has been */
    bool used;                           /* OPEN: an outbound connection has the connection */
    struct dispatch_hosts *hosts;        /* OPEN, SEND: held */
    enum mx_result result;               /* SETTLE for QUEUE_UNRESOLVABLE */
    char domain[ADDRESS_DOMAIN_MAX + 1]; /* of the recipients; also with RESOLVE */
    enum tls_need need;                  /* of the message, the same */
    char source[HOP_SOURCE];             /* that it leaves from, the same; "": any */
    char tenant[64];                     /* whose mail it is; with RESOLVE who asks */
    bool urgent;                         /* it is of class security */
    uint64_t merit;                      /* of its domain: party_turns.h */
    bool anew;                           /* RESOLVE */
    struct host_facts *facts;            /* the same: what was found besides the hosts; held */
    char text[QUEUE_WHY_MAX];
};

/* With the hosts that it holds; its attempt is given back before. NULL does nothing. */
void dispatch_work_free(struct dispatch_work *work);

/* ---- on the main loop ---- */

/* `loop` is the main one. Free it when that loop has ended. */
struct dispatch *dispatch_new(uv_loop_t *loop);
void dispatch_free(struct dispatch *d);
/* How much of everything there may be; also after a reload, which makes it ask for all names anew
 * and try again what rests. `connections`: of all destinations together. */
void dispatch_configure(struct dispatch *d, struct settings *settings, unsigned connections);
/* Begin to hand out to `count` shards, while the store can record outcomes (C5). `homes`: theirs;
 * borrowed until dispatch_free(). */
void dispatch_run(struct dispatch *d, struct deliveries *const *homes, size_t count,
                  struct store *store, struct incidents *incidents);
/* Hand out nothing more; what is under way still comes back. */
void dispatch_drain(struct dispatch *d);
/* Nothing comes back any more; the loop may end. */
void dispatch_stop(struct dispatch *d);

/* ---- what waits ---- */

/* These wait now; all is copied. For one that is `retried` the rest of where its domain leads ends,
 * and DNS is asked anew. */
void dispatch_add(struct dispatch *d, const struct database_due *due, size_t count);

/* Those that were put to rest before a restart, and how fast destinations take mail; before
 * anything is handed out. */
MUST_CHECK bool dispatch_rest_again(struct dispatch *d, const char *state_dir, struct err *err);

/* What people see of it and tell it; from any thread. The queue is locked for as long as copying
 * takes; what is made of the rows is made after it. */
extern const struct destinations_calls dispatch_destinations;

/* ---- from shards ---- */

/* The answer to RESOLVE: where the mail that `work` is about goes by this route of these settings.
 * Takes the answer's hosts, and the work's facts. */
void dispatch_resolved(struct dispatch *d, const struct dispatch_work *work,
                       const struct settings *settings, const struct config_route *route,
                       struct mx_answer *answer);
/* What a connection must have been opened for: the attempt's `trust` says the same. */
uint64_t dispatch_trust(const struct settings *settings, const struct config_route *route,
                        enum tls_need need, const char *source);

/* See queue_names_reply(). */
void dispatch_names_reply(struct dispatch *d, uint64_t connection, const struct verdict *reply);
void dispatch_sent_too_fast(struct dispatch *d, uint64_t connection, const struct verdict *reply);

/* See queue_pause.h. */
void dispatch_was_refused(struct dispatch *d, const struct queue_attempt *attempt,
                          const struct queue_refusal_said *said);
MUST_CHECK int64_t dispatch_pause_waits(struct dispatch *d, const struct queue_attempt *attempt,
                                        enum queue_pause_kind kind, const char *about);

/* As in queue_connection.h, with those candidates that are left. */
MUST_CHECK bool dispatch_take_address(struct dispatch *d, uint64_t connection,
                                      const struct candidates *c, size_t *which_r, bool *probes_r);
/* Returns how long it rests, the first time; 0: it rested before, or works. */
int64_t dispatch_address_failed(struct dispatch *d, uint64_t connection, const struct endpoint *at);
void dispatch_address_refused(struct dispatch *d, uint64_t connection, const struct endpoint *at);
int64_t dispatch_address_stalled(struct dispatch *d, uint64_t connection,
                                 const struct endpoint *at);
void dispatch_address_left(struct dispatch *d, uint64_t connection, const struct endpoint *at);
void dispatch_address_spoke(struct dispatch *d, uint64_t connection, const struct endpoint *at);
MUST_CHECK bool dispatch_probes_on(struct dispatch *d, uint64_t connection,
                                   const struct endpoint *at);
void dispatch_probe_ended(struct dispatch *d, const struct endpoint *at, enum queue_probe what);

/* As in queue_connection.h. With SEND, `next_r` is the next work of this connection. */
MUST_CHECK bool dispatch_opened(struct dispatch *d, uint64_t connection,
                                const struct endpoint *peer);
MUST_CHECK enum queue_next dispatch_message_done(struct dispatch *d, uint64_t connection,
                                                 enum queue_spoken spoken, bool reusable,
                                                 struct dispatch_work **next_r);
MUST_CHECK bool dispatch_failed(struct dispatch *d, uint64_t connection, enum queue_failure how,
                                const char *why);
void dispatch_closed(struct dispatch *d, uint64_t connection);

/* As in queue_connection.h. */
void dispatch_mail_taken(struct dispatch *d, uint64_t connection, const char *sender);
MUST_CHECK bool dispatch_turned_away(struct dispatch *d, uint64_t connection, const char *sender,
                                     enum queue_refusal what, const char *why);
MUST_CHECK bool dispatch_rest_waits(struct dispatch *d, uint64_t connection);

/* All of it is recorded, but for those who go again at once: `left` beside attempt->numbers; NULL:
 * nobody. */
void dispatch_settled(struct dispatch *d, const struct queue_attempt *attempt, const bool *left);
/* Nothing is recorded: all of it again in so long. */
void dispatch_again(struct dispatch *d, const struct queue_attempt *attempt, int64_t again_in_ms);
/* What was found at `known_ms` (steady) of where it leads is doubted: see queue_ask_anew(). It
 * comes back otherwise. */
MUST_CHECK bool dispatch_ask_anew(struct dispatch *d, const struct queue_attempt *attempt,
                                  int64_t known_ms);
/* Its trust is no longer what the settings say: it goes again, to where they lead now. */
void dispatch_outdated(struct dispatch *d, const struct queue_attempt *attempt);
/* The settings say that it leaves from another source, or from any (""): it goes again, by that.
 * Its message expires in `left_ms`. */
void dispatch_moved(struct dispatch *d, const struct queue_attempt *attempt, const char *source,
                    int64_t left_ms);

#endif
