// SPDX-License-Identifier: BSD-2-Clause
/* queue_state.h - What is under way in the core of the queue, and all of it together. */
#ifndef QUEUE_STATE_H
#define QUEUE_STATE_H

#include "queue_destination.h"

struct attempt {
    struct queue_attempt public; /* first */
    struct attempt *next, *prev;
    struct line *line;
    struct connection *connection;
    struct lane *lane; /* whose turn it took, and which is there until it is over; NULL: none's */
    bool settling;     /* handed out without a connection */
    uint32_t behind;   /* of its recipients, while they stood */
};

/* What a server has said to a message's MAIL, as far as the core was told: a message that is done
 * without more was taken; a refusal is the message's own, or may be a limit. */
enum at_mail { MAIL_SAID, MAIL_TAKEN, MAIL_REFUSED, MAIL_TURNED_AWAY };

struct connection {
    /* queue.opening, slow_opening, busy, stuck, idle: the oldest first */
    struct connection *next, *prev;
    struct connection *next_of, *prev_of;     /* destination->connections */
    struct connection *next_idle, *prev_idle; /* destination->idle */
    uint64_t id;
    unsigned shard;
    struct lane *lane;
    struct attempt *attempt;
    struct tenant *holder; /* whose attempt it carries: counted in queue.connect[] */
    enum connection_state state;
    enum queue_reason closing;
    bool urgent;          /* what it carries, or carried last, is of class security */
    bool carries;         /* counted in `plain` unless urgent */
    bool slow;            /* opens for more than a second */
    bool stuck;           /* busy with the same for long */
    bool hurried;         /* stuck, and asked to end */
    enum at_mail at_mail; /* what it carries */
    uint32_t sender;      /* what stands for the sender of that; 0: not known */
    uint64_t carried;     /* since when, as queue.serial counts */
    bool answering;       /* began where it had been answered, and is not stuck */
    int64_t began_ms;     /* carries its attempt */
    int64_t since_ms, opened_ms, hurried_ms;
    unsigned messages, run; /* run: since its lane was last passed over */
    struct tenant *trier;   /* for whom it was opened, until a message has gone through */
    size_t copied; /* bytes of the answer that the shell has copied for that, which he pays */
    struct tenant *payer;   /* whose its addresses are: who had it last */
    struct users users;     /* whose it was last */
    struct kept_item kept;  /* queue.kept_idle */
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
    int64_t now_ms;       /* at the last event */
    int64_t urgent_ms;    /* when mail of class security last stood anywhere */
    int64_t last_message; /* the highest number that has come */
    int64_t last_behind;  /* as which the last one stands that was put behind all */
    uint64_t serial;
    uint32_t lanes_made;
    struct pointer_table entries, tenants, domains, lines, lanes, destinations, providers, parties;
    struct entry **chunks, *free_entries;
    size_t chunk_count;
    struct names names;
    struct heap waiting, deadlines, wakes, lane_wakes;
    struct turn_table turn_parties;
    size_t ready, under_way, held_count[STREAM_CLASSES];
    struct fair held[2]; /* tenants, of whom entries are held; [1]: class security's */
    struct wide_look held_look[2];
    uint32_t held_serial;
    struct domain *lookups;              /* under way, and new: the oldest first */
    struct heap late_lookups;            /* tenant.lookups[], of which some take long */
    struct domain *answers;              /* in use or being looked up: the oldest first */
    struct heap unused_holders;          /* tenants with others: who has most */
    uint64_t answer_bytes, unused_bytes; /* of those, and of the others */
    size_t unused_count;
    int64_t answers_look_ms; /* when to look for some that make room */
    size_t resolving[2], slow_lookups, lookup_count;
    struct fair lookup[2];      /* who has waited longest; [1]: class security's */
    struct fair lookup_best[2]; /* the same, of one tenant's: who is answered, or came last */
    struct fair lookup_last[2]; /* who was not answered the last time */
    struct wide_look lookup_look[2];
    struct heap shun_wakes; /* struct shun: what has to be looked at first */
    struct host_rest *host_rests;
    struct heap limit_wakes;  /* struct rate_limit: what has to be looked at first */
    struct heap pause_wakes;  /* struct pause: the same */
    struct pause_list pauses; /* of everybody's mail */
    bool pauses_changed;
    struct destination *dirty;
    struct kept unused_destinations;
    struct fair connect[POOLS], beyond[POOLS][BEYOND_KINDS];
    struct wide_look connect_look[POOLS], beyond_look[POOLS][BEYOND_KINDS];
    struct slot *slots;
    size_t slot_count, in_use, plain, slow, leaving, count[CONNECTION_STATES];
    uint32_t *free_slots;
    size_t free_slot_count;
    struct connection *opening, *slow_opening, *busy, *stuck, *idle;
    struct kept kept_idle; /* the idle ones */
    size_t stuck_count, hurried;
    size_t hurried_before; /* of those: long enough ago to be in vain */
    int64_t hurried_ms;    /* since when the others are counted */
    int64_t hang_look_ms;  /* no destination is looked at before then */
    int64_t hurry_look_ms; /* nobody has to hurry before then; */
    int64_t hurry_ms;      /* nor, before then, for the sake of addresses */
    unsigned *by_shard, shard_room;
    struct address_book addresses;
    struct fair settle;
    size_t settling;
    struct attempt *attempts; /* all */
    size_t attempt_count;
    struct queue_decision *decisions; /* a ring */
    size_t decision_first, decision_count, decision_size;
    struct queue_decision taken; /* the last one: its text is there until the next one */
    int64_t wake_ms;
    bool speeds_changed; /* of some destination */
    size_t speeds_at;    /* the slot of destinations where the next walk begins */
    size_t unchecked;    /* events since all of it was checked */
};

#endif
