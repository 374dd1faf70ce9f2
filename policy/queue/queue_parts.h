// SPDX-License-Identifier: BSD-2-Clause
/* queue_parts.h - What the core of the queue is made of, for its own files.
 *
 *   entry ──▶ line (domain, tenant, class) ──▶ domain ──▶ lane (trust, hosts) ──▶ destination
 *                                                                          ╰──▶ provider
 *
 * Until it is due an entry knows names only, so that a domain for which nothing is due is nothing
 * but its name.
 *
 * entries.c owns entries, domains.c tenants, domains and lines, destinations.c lanes, destinations
 * and providers, connections.c connections, attempts.c attempts.
 */
#ifndef QUEUE_PARTS_H
#define QUEUE_PARTS_H

#include "address_book.h"
#include "fair.h"
#include "heap.h"
#include "names.h"
#include "pointer_table.h"
#include "queue.h"
#include "queue_connection.h"
#include "queue_view.h"
#include "window.h"

enum entry_state { ENTRY_WAITING, ENTRY_HELD, ENTRY_READY, ENTRY_UNDER_WAY };

/* Whose line it will be in when it is due: queue.names. */
struct label {
    uint32_t domain; /* 0: none */
    uint32_t tenant : 29, class : 3;
};

/* 40 bytes: there may be millions. */
struct entry {
    int64_t message, expires_ms;
    union {
        int64_t due_ms;          /* waiting; or under way and added again */
        uint32_t deadline_place; /* held, ready: in queue.deadlines */
    };
    union {
        struct label label;      /* waiting, held */
        struct line *line;       /* ready, under way */
        struct entry *next_free; /* of no use just now */
    };
    uint32_t place; /* waiting: in queue.waiting; held: in tenant->held; ready: in line->ready */
    unsigned number : 27, state : 2;
    bool suspect : 1; /* a connection broke over it: it goes after others of its line */
    bool again : 1;   /* under way, and added once more */
    bool dropped : 1; /* under way, and not wanted back */
};

struct tenant {
    size_t users;        /* lines, lookups, entries that are held */
    struct heap held[2]; /* entries that are due, but not yet in a line; [1]: class security's */
    struct fair_item held_item[2]; /* queue.held[] */
    const char *name;              /* in the same block, as all names here */
};

/* Recipients of one tenant and class at one domain. */
struct line {
    struct line *next, *prev; /* of the domain */
    struct domain *domain;
    struct tenant *tenant;
    enum stream_class class;
    bool late; /* of those whose time is over */
    bool held; /* in lane->held: its hosts rest */
    struct line *next_held, *prev_held;
    size_t entries; /* ready, or under way */
    unsigned attempts;
    struct heap ready;    /* entries, by arrival */
    int64_t head_message; /* the first of them, as the fairs know it */
    unsigned head_number;
    struct fair_item turn;      /* destination->turns, or queue.settle */
    struct fair_item lane_turn; /* lane->turns */
    uint32_t counted;           /* of `ready`, in destination->ready */
};

enum domain_state { DOMAIN_UNRESOLVED, DOMAIN_RESOLVING, DOMAIN_LEADS, DOMAIN_UNRESOLVABLE };
struct domain {
    struct domain *next, *prev; /* queue.lookups, or queue.unused */
    enum domain_state state;
    bool refreshing;  /* it leads somewhere, and is looked up again meanwhile */
    bool listed;      /* in queue.unused */
    bool urgent;      /* its lookup counts as class security's */
    bool slow;        /* its lookup counts no more */
    bool asked_twice; /* for another tenant, too */
    bool failed_once; /* one of the two questions had no answer */
    int64_t until_ms; /* the answer is good */
    int64_t asked_ms; /* of a lookup: when it began */
    struct lane *lane;
    struct fair_item lookup; /* queue.lookup[] */
    uint64_t since;          /* waits for a lookup */
    struct tenant *asked_by; /* counted while it is looked up */
    const void *asked_for;   /* the same, also when it is slow; only compared */
    struct line *lines;
    size_t ready, attempts;
    int result;
    char *why;
    const char *name;
};

enum { LANES_TO_SHOW = 3 }; /* that have worked: a whole provider does not any more */

/* Connections in a lane may carry each other's messages. */
struct lane {
    struct destination *destination;
    uint64_t trust;
    size_t users;    /* domains, connections */
    uint32_t opened; /* connections so far; it does not begin at 0 */
    struct fair turns[STREAM_CLASSES];
    struct window rest; /* only its rest */
    int64_t blocked_until_ms, wake_ms;
    bool resting, proven; /* proven: its last connection was greeted */
    bool worked;          /* a message has gone through */
    struct line *held;    /* not in the destination's turns meanwhile */
    uint32_t wake_place;  /* queue.lane_wakes */
    const char *hosts;
};

struct provider {
    const char *name;
    unsigned limit, messages, in_use, plain;
    int64_t urgent_ms; /* as the destination's */
    struct destination *destinations;
};

enum pool { POOL_URGENT, POOL_PLAIN, POOLS };

enum connection_state {
    CONNECTION_OPENING,
    CONNECTION_BUSY,
    CONNECTION_IDLE,
    CONNECTION_CLOSING,
    CONNECTION_STATES
};

struct destination {
    struct destination *next, *prev;             /* of the provider */
    struct destination *next_dirty, *prev_dirty; /* queue.dirty, or queue.idle_destinations */
    struct provider *provider;                   /* NULL: none */
    struct window window;
    unsigned count[CONNECTION_STATES], in_use, plain;
    size_t lanes, ready[STREAM_CLASSES];
    unsigned passed[STREAM_CLASSES]; /* while it stood: messages of classes before it, in a row */
    unsigned codes;                  /* the same: of class security, while any other stood */
    unsigned broken; /* connections, each over another message, and no message between them */
    const void *failed_lane, *failed_tenant; /* the last; only compared */
    unsigned failed_lanes;                   /* since one worked */
    struct fair turns[STREAM_CLASSES];
    struct fair trying;    /* connections that have done nothing yet, by tenant */
    unsigned trying_count; /* all of those */
    struct fair_item want; /* queue.connect[] */
    enum stream_class want_class;
    unsigned want_in_use;
    uint64_t since; /* wants a connection */
    bool dirty, unused, proven;
    uint32_t wake_place;
    int64_t wake_ms;          /* queue.wakes */
    int64_t blocked_until_ms; /* no address just now */
    bool blocked_urgent;      /* not even for class security */
    int64_t operator_until_ms;
    int64_t worked_ms; /* when one last worked */
    int64_t hurry_ms;  /* before then nobody who is busy there has to hurry */
    int64_t urgent_ms; /* when mail of class security last stood there */
    struct address_waiter address_waiter;
    struct connection *connections, *idle;
    char *why;
    const char *name;
};

#endif
