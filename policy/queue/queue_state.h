// SPDX-License-Identifier: BSD-2-Clause
/* queue_state.h - What is under way in the core of the queue, and all of it together. */
#ifndef QUEUE_STATE_H
#define QUEUE_STATE_H

#include "queue_parts.h"

struct attempt {
    struct queue_attempt public; /* first */
    struct attempt *next, *prev;
    struct line *line;
    struct connection *connection;
    bool settling; /* handed out without a connection */
};

struct connection {
    struct connection *next, *prev; /* queue.opening, slow_opening, busy, idle: the oldest first */
    struct connection *next_of, *prev_of;     /* destination->connections */
    struct connection *next_idle, *prev_idle; /* destination->idle */
    uint64_t id;
    unsigned shard;
    struct lane *lane;
    struct attempt *attempt;
    struct tenant *holder; /* whose attempt it carries: counted in queue.connect[] */
    enum connection_state state;
    enum queue_reason closing;
    bool urgent;      /* what it carries, or carried last, is of class security */
    bool carries;     /* counted in `plain` unless urgent */
    bool slow;        /* opens for more than a second */
    bool hurried;     /* busy, and asked to end */
    int64_t began_ms; /* carries its attempt */
    int64_t since_ms;
    unsigned messages, run; /* run: since its lane was last passed over */
    struct tenant *trier;   /* for whom it was opened, until a message has gone through */
    struct tenant *payer;   /* whose its addresses are: who had it last */
    bool address_failed;    /* one at least that it tried */
    unsigned address_bears; /* others where one has refused it */
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
    int64_t now_ms;    /* at the last event */
    int64_t urgent_ms; /* when mail of class security last stood anywhere */
    uint64_t serial;
    uint32_t lanes_made;
    struct pointer_table entries, tenants, domains, lines, lanes, destinations, providers, parties;
    struct entry **chunks, *free_entries;
    size_t chunk_count;
    struct names names;
    struct heap waiting, deadlines, wakes, lane_wakes;
    size_t ready, under_way, held_count[STREAM_CLASSES];
    struct fair held[2];    /* tenants, of whom entries are held; [1]: class security's */
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
    struct connection *opening, *slow_opening, *busy, *idle;
    size_t hurried;
    int64_t hurry_ms; /* not before then for the sake of addresses */
    unsigned *by_shard, shard_room;
    struct address_book addresses;
    struct fair settle;
    size_t settling;
    struct attempt *attempts; /* all */
    size_t attempt_count;
    struct queue_decision *decisions; /* a ring */
    size_t decision_first, decision_count, decision_size;
    int64_t wake_ms;
    size_t unchecked; /* events since all of it was checked */
};

#endif
