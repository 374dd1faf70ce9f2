// SPDX-License-Identifier: BSD-2-Clause
/* candidates.h - Decides which address of a domain's hosts an attempt tries next, and when.
 *
 * All addresses are tried, best preference first, the hosts of a preference in turn; of more than
 * CANDIDATES_MAX each preference has its part, so that the worse are tried where the best fail. The
 * next one is started 2 seconds after the last if that has no TCP connection yet, and 10 seconds
 * after it if its server has not spoken (in the spirit of RFC 8305); attempts that were started
 * continue. So a greeting is waited for in full only if nothing else can be tried.
 *
 * Pure: the owner opens and closes connections, and asks the queue which of the remaining addresses
 * may be used (queue_connection.h).
 */
#ifndef CANDIDATES_H
#define CANDIDATES_H

#include "err.h"
#include "hosts.h"

enum {
    CANDIDATES_MAX = 30,
    CANDIDATES_CONNECT_MS = 2 * 1000, /* without a connection the next begins */
    CANDIDATES_GREETING_MS = 10 * 1000,
    CANDIDATES_PROBE_MS = 100,              /* beside one that probably fails */
    CANDIDATES_AT_ONCE = 3,                 /* then the oldest is given up */
    CANDIDATES_TIME_MS = 5 * 60 * 1000,     /* without a host that speaks: then no other is begun */
    CANDIDATES_ATTEMPT_MS = 15 * 60 * 1000, /* the same, in all */
    CANDIDATES_TROUBLES_MAX = 5             /* hosts that fail after their greeting */
};

enum candidate_state {
    CANDIDATE_LEFT,
    CANDIDATE_CONNECTING,
    CANDIDATE_CONNECTED, /* nothing has been said yet */
    CANDIDATE_TRIED
};

struct candidate {
    size_t host;   /* of the hosts */
    uint32_t mark; /* of its name: hosts_name_mark() */
    struct endpoint at;
    enum candidate_state state;
    bool probe;
    bool lacks;       /* its host has said that it cannot do what the mail needs */
    int64_t since_ms; /* of the state */
};

struct candidates {
    struct candidate all[CANDIDATES_MAX];
    size_t count;
    int64_t begun_ms, last_ms; /* the attempt; when the last host that spoke was left */
};

/* The addresses of these hosts, in the order in which they are tried. `hosts` is not kept. */
void candidates_init(struct candidates *c, const struct hosts *hosts, unsigned port,
                     int64_t now_ms);
/* The i-th is in this state from now on. */
void candidates_set(struct candidates *c, size_t i, enum candidate_state state, int64_t now_ms);

/* The host that has spoken is left: those that are left have their time from now on. */
void candidates_host_left(struct candidates *c, int64_t now_ms);

enum candidates_what {
    CANDIDATES_BEGIN, /* one of those that are left */
    CANDIDATES_WAIT,  /* `wait_ms`, or for an event where that is 0 */
    CANDIDATES_NONE   /* nothing is under way, and nothing is left */
};

struct candidates_step {
    enum candidates_what what;
    int64_t wait_ms;
};

/* What to do now. Nothing is changed: whoever begins one says so by candidates_set(). */
struct candidates_step candidates_next(const struct candidates *c, int64_t now_ms);

/* Those that are left, in order, into `which_r` (CANDIDATES_MAX). */
size_t candidates_list_left(const struct candidates *c, size_t *which_r);
bool candidates_under_way(const struct candidates *c);
/* Is one more too many? Then `which_r` is to be given up. */
bool candidates_crowded(const struct candidates *c, size_t *which_r);
/* Another has a connection, or a greeting: has this one had its time, and so failed? */
bool candidates_too_slow(const struct candidates *c, size_t i, int64_t now_ms);
/* Is there another that has not been tried? */
bool candidates_left(const struct candidates *c, int64_t now_ms);

/* The host at this address cannot do what the mail needs: its other addresses are not tried. */
void candidates_note_lack(struct candidates *c, const struct endpoint *at, int64_t now_ms);
/* Is that known of every single host, none of which is without an address or drawn by lot? */
bool candidates_every_lacks(const struct candidates *c, const struct hosts *hosts);
/* Is that so of all hosts, or of as many as one attempt may ask? */
bool candidates_all_lack(const struct candidates *c);

/* Does a 4xx at MAIL say that the server takes no more of us for now? Greylisting is each message's
 * own. */
bool candidates_take_no_more(const struct verdict *at_mail);
/* Does an answer speak of the host that gave it, so that another host may do better? (RFC 3463:
 * X.3 is the mail system, X.4 its network, X.7.10 a lack of TLS with it; 421 closes, and a bare 451
 * or 452 is an error in processing or a lack of storage.) Not what is said of a mailbox, an address
 * or a policy. */
bool candidates_host_trouble(const struct verdict *v);

#endif
