// SPDX-License-Identifier: BSD-2-Clause
/* queue_parts.h - What the core of the queue is made of, for its own files.
 *
 *   entry ──▶ line (domain, tenant, class) ──▶ domain ──▶ lane (trust, hosts) ──▶ destination
 *                                                                          ╰──▶ provider
 *
 * Until it is due an entry knows names only, so that a domain for which nothing is due is nothing
 * but its name.
 *
 * tenants.c owns tenants, entries.c entries, held.c those that are due and do not stand yet,
 * domains.c domains and lines, answers.c who pays for what DNS says of them, destinations.c lanes,
 * destinations and providers, connections.c connections, attempts.c attempts.
 */
#ifndef QUEUE_PARTS_H
#define QUEUE_PARTS_H

#include "address_book.h"
#include "class_turns.h"
#include "fair.h"
#include "heap.h"
#include "kept.h"
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
        int64_t due_ms; /* waiting; or under way and added again */
        struct {
            uint32_t deadline_place; /* held, ready: in queue.deadlines */
            union {
                uint32_t held_since; /* held: as queue.held_serial counts */
                uint32_t behind;     /* ready: in ms, see line_arrival() */
            };
        };
    };
    union {
        struct label label;      /* waiting, held */
        struct line *line;       /* ready, under way */
        struct entry *next_free; /* of no use just now */
    };
    uint32_t place; /* waiting: in queue.waiting; held: in tenant->held; ready: in line->ready */
    unsigned number : 27, state : 2;
    bool suspect : 1; /* a connection broke over it: it goes after those that are there already */
    bool again : 1;   /* under way, and added once more */
    bool dropped : 1; /* under way, and not wanted back */
};

/* A tenant's lookups of one urgency: lookups.c. */
enum { LOOKUP_TURNS = 4 };
struct lookup_turns {
    unsigned turn;       /* whose the next one is */
    size_t last;         /* counted: of domains that were not answered the last time */
    size_t slow;         /* take long, and are not counted */
    struct domain *late; /* take long, and are still counted: the oldest first */
    int64_t next_ms;     /* none of them is uncounted before then */
    uint32_t place;      /* queue.late_lookups, while there are any */
};

/* pauses.c */
struct pause_list {
    struct pause *first;
    unsigned count;
};

struct tenant {
    uint64_t id;                      /* of its name; not 0 */
    size_t users;                     /* lines, lookups, answers, held entries, limits, pauses */
    struct heap held[STREAM_CLASSES]; /* entries that are due, but not yet in a line */
    unsigned passed[STREAM_CLASSES];  /* held meanwhile: of classes before it that went, in a row */
    struct fair_item held_item[2];    /* queue.held[] */
    unsigned passing[2];       /* that stood before those held, less those that stood since */
    int64_t passed_ms[2];      /* when one did last, of a domain that is not known */
    unsigned stuck;            /* connections that carry its mail, and are stuck */
    unsigned answering;        /* the same: where it had been answered, and not stuck */
    struct rate_limit *limits; /* that hold up none of its mail: met longest ago first */
    unsigned limit_count;
    struct pause_list pauses;       /* of its mail */
    struct ask_turns {              /* of limits whose rest is over: ask_turns.c */
        struct rate_limit *waiting; /* the longest first */
        struct heap best;           /* the same, by whom to ask first */
        int64_t next_ms;            /* none asks before then */
        bool by_time;               /* the next is the one that waits longest */
    } asks;
    struct lookup_turns lookups[2]; /* [1]: class security's */
    int64_t told_ms;                /* when the operator was told last that they use up its share */
    int64_t doubts_ms;              /* since when its doubts are counted: doubts.c */
    unsigned doubts;
    uint64_t answer_bytes, unused_bytes; /* what answers take that it pays for: see answers.c */
    struct domain *unused;               /* of those: the longest first */
    uint32_t unused_place;               /* queue.unused_holders, while there are any */
    bool is_short;                       /* has domains that are not looked up for what it takes */
    const char *name;                    /* in the same block, as all names here */
};

/* Recipients of one tenant and class at one domain. */
struct line {
    struct line *next, *prev; /* of the domain */
    struct domain *domain;
    struct tenant *tenant;
    enum stream_class class;
    bool late; /* of those whose time is over */
    bool held; /* in lane->held: its hosts rest, or its tenant's mail does there */
    struct line *next_held, *prev_held;
    size_t entries; /* ready, or under way */
    unsigned attempts;
    struct heap ready;    /* entries, by arrival */
    int64_t head_arrival; /* of the first of them, as the fairs know it */
    unsigned head_number;
    int64_t had_at;             /* last_message when it last had a turn; 0: it had none */
    uint64_t had;               /* the same, as queue.serial counts */
    int64_t behind;             /* it goes after what comes by then; 0: it keeps up */
    int64_t turn_at;            /* where it goes among its tenant's: domain_turns.c */
    struct fair_item settle;    /* queue.settle */
    struct turn_item turn;      /* destination->turns */
    struct turn_item lane_turn; /* lane->turns */
    uint32_t counted;           /* of `ready`, in destination->ready */
};

/* Of a lookup. LATE: it takes long, and still counts; STAYS: the same, to its end. */
enum lookup_progress { LOOKUP_NEW, LOOKUP_LATE, LOOKUP_STAYS, LOOKUP_SLOW };
/* Of the last one: in time; late, or never asked; late and without an answer. */
enum answers { ANSWERS_IN_TIME = -1, ANSWERS_UNKNOWN, ANSWERS_NOT };
enum domain_state { DOMAIN_UNRESOLVED, DOMAIN_RESOLVING, DOMAIN_LEADS, DOMAIN_UNRESOLVABLE };
struct domain {
    struct domain *next, *prev;               /* queue.lookups, or tenant.lookups[].late */
    struct domain *next_answer, *prev_answer; /* queue.answers, or tenant.unused: while one pays */
    struct tenant *payer; /* of what its answer takes; NULL: there is none, nor is it looked up */
    size_t bytes;         /* that */
    size_t lane_bytes;    /* of them: for its lane, of whose domains it is the first */
    enum domain_state state;
    enum lookup_progress progress; /* SLOW: its lookup counts no more */
    enum answers manner;
    bool refreshing;             /* it leads somewhere, and is looked up again meanwhile */
    bool unused;                 /* answered, and nothing waits or is under way */
    bool urgent;                 /* its lookup counts as class security's */
    bool asked_others[2];        /* for another tenant, too; by urgency */
    bool anew;                   /* it is asked for past all caches, the next time */
    bool asks_anew;              /* its lookup is such a one */
    uint8_t questions, failures; /* that its lookup asks, and those that had no answer */
    int64_t until_ms;            /* the answer is good */
    int64_t asked_ms;            /* of a lookup: when it began */
    int64_t doubted_ms;          /* when it was last to be asked for past all caches; 0: never */
    struct lane *lane;
    struct domain *next_of_lane, *prev_of_lane; /* lane->domains */
    uint64_t good_lane; /* the id of the lane where the last message was answered; 0: it broke */
    struct fair_item lookup;     /* queue.lookup[] */
    struct fair_item lookup_too; /* queue.lookup_best[], or lookup_last[] */
    uint64_t since;              /* waits for a lookup */
    int64_t arrival;             /* of the first mail for whose sake */
    struct tenant *asked_by;     /* while it waits for a lookup or is looked up */
    uint64_t asked_for[2];       /* the id of that tenant, also when the lookup is slow; by urgency,
                                0: it is not so asked for */
    struct line *lines;
    size_t ready, attempts;
    int result;
    uint32_t why; /* of queue.names, as many fail in the same way; 0: none */
    const char *name;
};

#endif
