// SPDX-License-Identifier: BSD-2-Clause
/* queue_parts.h - What the core of the queue is made of, for its own files.
 *
 *   entry ──▶ line (domain, tenant, class) ──▶ domain ──▶ lane (trust, hosts) ──▶ destination
 *                                                                          ╰──▶ provider
 *
 * entries.c owns entries, domains.c tenants, domains and lines, destinations.c lanes, destinations
 * and providers, connections.c connections and attempts.
 */
#ifndef QUEUE_PARTS_H
#define QUEUE_PARTS_H

#include "address_book.h"
#include "fair.h"
#include "heap.h"
#include "pointer_table.h"
#include "queue.h"
#include "queue_connection.h"
#include "queue_view.h"
#include "window.h"

/* The thing of which `item` is the member. */
#define OWNER_OF(item, type, member) ((type *)((uintptr_t)(item)-offsetof(type, member)))

enum entry_state { ENTRY_WAITING, ENTRY_READY, ENTRY_UNDER_WAY };

/* 40 bytes: there may be millions. */
struct entry {
    int64_t message, expires_ms;
    union {
        int64_t due_ms;          /* waiting; or under way and added again */
        uint32_t deadline_place; /* ready: in queue.deadlines */
    };
    struct line *line;
    uint32_t place; /* waiting: in queue.waiting; ready: in line->ready */
    unsigned number : 28, state : 2;
    bool again : 1;   /* under way, and added once more */
    bool dropped : 1; /* under way, and not wanted back */
};

struct tenant {
    size_t users;     /* lines, lookups */
    const char *name; /* in the same block, as all names here */
};

/* Recipients of one tenant and class at one domain. */
struct line {
    struct line *next, *prev; /* of the domain */
    struct domain *domain;
    struct tenant *tenant;
    enum stream_class class;
    bool late; /* of those whose time is over */
    size_t entries;
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
    int64_t until_ms; /* the answer is good */
    int64_t asked_ms; /* of a lookup: when it began */
    struct lane *lane;
    struct fair_item lookup; /* queue.lookup[] */
    uint64_t since;          /* waits for a lookup */
    struct tenant *asked_by; /* counted while it is looked up */
    struct line *lines;
    size_t ready, attempts;
    int result;
    char *why;
    const char *name;
};

/* Connections in a lane may carry each other's messages. */
struct lane {
    struct destination *destination;
    uint64_t trust;
    size_t users; /* domains, connections */
    struct fair turns[STREAM_CLASSES];
    const char *hosts;
};

struct provider {
    const char *name;
    unsigned limit, messages, in_use, plain;
    struct destination *destinations;
};

enum pool { POOL_URGENT, POOL_PROVEN, POOL_UNPROVEN, POOLS };

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
    struct fair turns[STREAM_CLASSES];
    struct fair_item want; /* queue.connect[] */
    enum pool pool;
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
    struct address_waiter address_waiter;
    struct connection *connections, *idle;
    char *why;
    const char *name;
};

struct attempt {
    struct queue_attempt public; /* first */
    struct attempt *next, *prev;
    struct line *line;
    struct connection *connection;
    bool settling; /* handed out without a connection */
};

struct connection {
    struct connection *next, *prev;       /* queue.opening, slow_opening, idle: the oldest first */
    struct connection *next_of, *prev_of; /* destination->connections */
    struct connection *next_idle, *prev_idle; /* destination->idle */
    uint64_t id;
    unsigned shard;
    struct lane *lane;
    struct attempt *attempt;
    struct tenant *holder; /* whose attempt it carries: counted in queue.connect[] */
    enum connection_state state;
    enum queue_reason closing;
    bool urgent;  /* what it carries, or carried last, is of class security */
    bool carries; /* counted in `plain` unless urgent */
    bool slow;    /* opens for more than a second */
    int64_t since_ms;
    unsigned messages, run; /* run: since its lane was last passed over */
    int64_t address_again_ms;
    struct address_hold holds[ADDRESS_HOLDS_MAX];
};

struct slot {
    struct connection *connection;
    uint32_t generation;
};

struct queue {
    struct queue_settings settings;
    bool paused, draining;
    uint64_t serial;
    struct pointer_table entries, tenants, domains, lines, lanes, destinations, providers, parties;
    struct entry **chunks, *free_entries;
    size_t chunk_count;
    struct heap waiting, deadlines, wakes;
    size_t ready, under_way;
    struct domain *lookups; /* under way and counted, the oldest first */
    struct domain *unused;  /* answered, nothing waits: the longest first */
    size_t unused_count, resolving[2], slow_lookups, lookup_count;
    struct fair lookup[2]; /* [1]: class security's */
    struct destination *dirty, *unused_destinations;
    size_t unused_destination_count;
    struct fair connect[POOLS];
    struct slot *slots;
    size_t slot_count, in_use, plain, slow, leaving, count[CONNECTION_STATES];
    uint32_t *free_slots;
    size_t free_slot_count;
    struct connection *opening, *slow_opening, *idle;
    unsigned *by_shard, shard_room;
    struct address_book addresses;
    struct fair settle;
    size_t settling;
    struct attempt *attempts; /* all */
    size_t attempt_count;
    struct queue_decision *decisions; /* a ring */
    size_t decision_first, decision_count, decision_size;
    int64_t wake_ms;
};

#endif
