// SPDX-License-Identifier: BSD-2-Clause
/* queue_destination.h - Lanes, destinations and providers, and what is counted at them. */
#ifndef QUEUE_DESTINATION_H
#define QUEUE_DESTINATION_H

#include "queue_parts.h"
#include "slow_domains.h"
#include "spacing.h"

enum { LIMIT_UNKNOWN = 1000 }; /* until DNS has said where mail goes */
enum { LANES_TO_SHOW = 3 };    /* that have worked: a whole provider does not any more */

/* Connections in a lane may carry each other's messages. */
struct lane {
    uint64_t id; /* no other one has had it, or will */
    struct destination *destination;
    uint64_t trust;
    size_t users;           /* domains, connections, attempts */
    struct domain *domains; /* that lead there: the first one pays for what it takes */
    uint32_t opened;        /* connections so far; it does not begin at 0 */
    struct class_turns turns;
    struct wide_look look[2]; /* [1]: of a connection at the end of a message */
    struct window rest;       /* only its rest */
    int64_t blocked_until_ms, wake_ms;
    unsigned limits;      /* of destination->limits: those that are its own */
    bool resting, proven; /* proven: its last connection was greeted */
    bool worked;          /* a message has gone through */
    unsigned broken;      /* connections, each over another message, and no message between them */
    uint64_t broken_by;   /* the id of the tenant whose messages they were; 0: of several */
    unsigned broken_good; /* of them: over mail that is spared */
    size_t good;          /* domains for which it has answered last: partial_rests.c */
    unsigned shuns;       /* of destination->shuns: those that are its own */
    struct lane_answer {
        uint64_t tenant;  /* its id; 0: nobody */
        uint64_t carried; /* since when the message was under way, as queue.serial counts */
    } answers[2];         /* the last, and the last of another tenant */
    struct line *held;    /* not in the destination's turns meanwhile */
    uint32_t wake_place;  /* queue.lane_wakes */
    struct lane_address *addresses; /* that DNS has given lately: lane_addresses.c */
    uint16_t address_count;
    int64_t rotates_ms; /* when it last gave one again that it had left out */
    const char *hosts;  /* what all of them in their order are called: see print_names() */
};

/* A host that an operator has put to rest; queue.host_rests. */
struct host_rest {
    struct host_rest *next, *prev;
    int64_t until_ms;
    char *why;
    const char *host; /* in the same block */
};

struct provider {
    const char *key;  /* in the table: its name, and the source */
    const char *name; /* the row's */
    unsigned limit, messages, in_use, plain;
    int64_t urgent_ms; /* as the destination's */
    struct destination *destinations;
};

enum pool { POOL_URGENT, POOL_PLAIN, POOLS };

/* What a destination is like, as the last message shows that it was given. */
enum manner {
    MANNER_UNKNOWN, /* it was given none */
    MANNER_ANSWERS,
    MANNER_TRIED, /* what it was given beyond a share is not answered yet */
    MANNER_SILENT /* not for long */
};

/* Who may have a connection beyond the tenant's share. */
enum beyond { BEYOND_UNKNOWN, BEYOND_ANSWERS, BEYOND_KINDS };

/* Whose mail connections carry: few tenants, each once. */
struct places {
    struct place {
        const struct tenant *tenant;
        unsigned held;
    } * of;
    unsigned tenants, room;
    unsigned held; /* by all of them */
};

/* A destination wants a connection for mail of one pool. */
struct want {
    struct destination *destination;
    enum stream_class class;
    struct fair_item turn;        /* queue.connect[] */
    struct fair_item turn_beyond; /* queue.beyond[][] */
};

/* What a destination's turns are searched for. */
enum look {
    LOOK_OPEN, /* what may have another connection */
    LOOK_IDLE, /* what an idle connection may carry */
    LOOK_NEXT, /* the same at the end of a message */
    LOOK_HURRY,
    LOOKS
};

enum connection_state {
    CONNECTION_OPENING,
    CONNECTION_BUSY,
    CONNECTION_IDLE,
    CONNECTION_CLOSING,
    CONNECTION_STATES
};

struct destination {
    struct destination *next, *prev;             /* of the provider */
    struct destination *next_dirty, *prev_dirty; /* queue.dirty */
    struct kept_item unused;                     /* queue.unused_destinations: it has no lane */
    struct provider *provider;                   /* NULL: none */
    struct window window;
    struct spacing spacing;       /* of what was said to recipients and content */
    uint64_t fast_tenant;         /* whose mail was refused last as too much */
    char *fast_name;              /* his name; NULL: nobody's was */
    int64_t fast_shared_until_ms; /* two tenants have met that */
    unsigned fast_others;     /* messages of others that were taken since then, and none of his */
    struct slow_domains slow; /* for which recipients it was said */
    bool fast_beside;         /* and mail for others went meanwhile */
    char *fast_why;           /* with which reply; NULL: not known */
    char *fast_said;          /* by one that is about to be counted; NULL: not known */
    int64_t fast_since_ms;    /* since then it is slowed, while it is */
    bool speed_changed;       /* since it was taken to be kept */
    struct window own; /* only its ceiling: of the mail of one tenant, which alone was refused */
    uint64_t own_tenant, own_since; /* since then, as queue.serial counts */
    struct pointer_table limits;    /* struct rate_limit, by tenant */
    unsigned limited;               /* of them: those that hold up mail */
    struct pointer_table pauses;    /* struct pause */
    unsigned paused;                /* of them: those that bar lines */
    struct lane_answer took[3];     /* the last messages that it took, each of another tenant */
    unsigned count[CONNECTION_STATES], in_use, plain;
    size_t lanes, ready[STREAM_CLASSES];
    unsigned passed[STREAM_CLASSES]; /* while it stood: messages of classes before it, in a row */
    unsigned codes;                  /* the same: of class security, while any other stood */
    uint64_t failed_lane, failed_tenant; /* the ids of the last; 0: none */
    unsigned failed_lanes;               /* since one worked */
    struct class_turns turns;
    struct wide_look look[LOOKS];
    struct fair trying;    /* connections that have done nothing yet, by tenant */
    unsigned trying_count; /* all of those */
    struct places places;  /* connections that carry mail, by its tenant */
    unsigned stuck;        /* connections that are */
    enum manner manner;
    struct users users;      /* who was last given a place */
    int64_t shared_until_ms; /* several tenants use it */
    struct want want[POOLS];
    unsigned want_in_use;
    uint64_t since; /* wants a connection */
    bool dirty, proven;
    uint32_t wake_place;
    int64_t wake_ms;           /* queue.wakes */
    int64_t blocked_until_ms;  /* no address just now */
    bool blocked_urgent;       /* not even for class security */
    int64_t operator_until_ms; /* rests by order: the longest of its own and its hosts' */
    int64_t ordered_until_ms;  /* its own */
    char *ordered_why;
    bool hangs;          /* as the operator has been told */
    int64_t answered_ms; /* when a message there was last answered */
    int64_t worked_ms;   /* when one last worked */
    int64_t hurry_ms;    /* before then nobody who is busy there has to hurry */
    int64_t moved_ms;    /* when a connection of it last began with something */
    int64_t urgent_ms;   /* when mail of class security last stood there */
    struct address_waiter address_waiter;
    struct connection *connections, *idle;
    struct pointer_table shuns; /* struct shun, by tenant and lane */
    unsigned shunned;           /* of them: those that bar mail */
    char *why;
    int64_t why_ms;  /* since then */
    uint64_t why_of; /* it is about this tenant's mail; 0: all */
    char *hosts;     /* some of those that are tried now, where its name does not say them; NULL */
    uint64_t *marks; /* what stands for each of them */
    size_t mark_count;
    const char *name;
};

#endif
