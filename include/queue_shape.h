// SPDX-License-Identifier: BSD-2-Clause
/* queue_shape.h - What holds for a domain's mail just now, for one tenant, by which rule: limits of
 * its destination, what rests, and what mail of each class waits for. Questions of operators:
 * nothing changes, and none looks at more than one destination, but for queue_each_limited().
 */
#ifndef QUEUE_SHAPE_H
#define QUEUE_SHAPE_H

#include "buf.h"
#include "queue_view.h"

/* What a message waits for that would come now: a word for programs, and one for people. In the
 * order in which it is asked for. */
#define QUEUE_WAITS(X)                                                                           \
    X(NOTHING, "nothing", "may go now")                                                          \
    X(STORE, "store", "the store: outcomes cannot be recorded just now, or the relay stops")     \
    X(LOOKUP, "lookup", "DNS: where its mail goes is looked up first")                           \
    X(HOSTS, "hosts", "hosts that take it: DNS names none that is used")                         \
    X(OPERATOR, "operator", "the end of a pause by an operator")                                 \
    X(REST, "rest", "the end of a rest: no connection worked")                                   \
    X(HOSTS_REST, "hosts_rest", "the end of a rest of this domain's hosts")                      \
    X(REFUSED, "refused", "the end of a limit that the server told at MAIL")                     \
    X(SPEED, "speed", "its turn, as messages go apart here")                                     \
    X(PAUSED, "paused", "the end of a pause: the server has refused such mail for what it is")   \
    X(BROKEN, "broken", "the end of a rest: the server ended connections over such mail")        \
    X(ADDRESS, "address", "an address that may be called")                                       \
    X(TENANT_CEILING, "tenant_ceiling",                                                          \
      "one of the tenant's connections: the server bears no more")                               \
    X(PROVIDER, "provider", "one of the provider's connections, all of which are in use")        \
    X(WINDOW, "window", "a connection here: as many are open as the window allows")              \
    X(RESERVE, "reserve", "a connection here: those left are kept for class security")           \
    X(TENANT_SHARE, "tenant_share", "a connection here: the tenant has its share of them")       \
    X(FIRST, "first", "the first connection: it is opened just now, and shows whether it works") \
    X(ALL, "all", "one of the relay's connections, all of which are in use")                     \
    X(ALL_SHARE, "all_share", "one of the relay's connections: the tenant has its share of them")

enum queue_wait {
#define X(name, word, text) QUEUE_WAIT_##name,
    QUEUE_WAITS(X)
#undef X
};
/* "speed": a word of JSON that scripts may rely on. Static. */
const char *queue_wait_word(enum queue_wait wait);
/* What follows "waits for", for people. Static. */
const char *queue_wait_text(enum queue_wait wait);

/* Where the number of a destination's connections comes from. */
enum queue_limit_rule { QUEUE_LIMIT_OF_ALL, QUEUE_LIMIT_OF_PROVIDER, QUEUE_LIMIT_OF_ROUTE };

enum queue_rest_kind {
    QUEUE_REST_ORDER,   /* an operator's */
    QUEUE_REST_FAILURE, /* no connection worked */
    QUEUE_REST_HOSTS,   /* the same, at this domain's hosts */
    QUEUE_REST_REFUSED, /* a tenant's mail, at MAIL */
    QUEUE_REST_BROKEN,  /* the same: connections ended over it */
    QUEUE_REST_PAUSED,  /* such mail was refused for what it is (queue_pause.h) */
    QUEUE_REST_CEILING  /* not a rest: the tenant may have `connections` and no more */
};
/* "operator", "failure", "hosts", "refused", "broken", "paused", "ceiling" */
const char *queue_rest_word(enum queue_rest_kind kind);

enum { QUEUE_SHAPE_RESTS = 50, QUEUE_SHAPE_NAME = 64 };

struct queue_shape_rest {
    enum queue_rest_kind kind;
    int64_t for_ms;       /* 0: it is just being tried whether it is over */
    unsigned connections; /* of a ceiling */
    char tenant[QUEUE_SHAPE_NAME], why[QUEUE_WHY_MAX]; /* tenant: "" all */
};

/* A copy: it borrows nothing. */
struct queue_shape {
    enum queue_domain_state state;
    char why[QUEUE_WHY_MAX]; /* QUEUE_DOMAIN_UNRESOLVABLE; else "" */
    bool known;              /* the destination is; else what follows is 0, but for `all` */
    enum queue_limit_rule rule;
    unsigned messages;                /* on one connection; 0: as many as there are */
    unsigned provider, provider_used; /* connections of all its destinations; 0: no provider */
    unsigned address;                 /* connections at one address, of all destinations together */
    unsigned in_use, used,
        most; /* here: of all; the tenant's; what it may have if others want some */
    unsigned all, all_used, all_kept, tenant_all; /* of the relay; kept for class security; the
                                                     tenant's */
    char slowed_why[QUEUE_WHY_MAX];               /* the reply; "": it is not known */
    int64_t slowed_for_ms;                        /* so long already */
    bool closed;                                  /* nothing was taken lately: one message asks */
    struct queue_shape_rest rests[QUEUE_SHAPE_RESTS];
    size_t rest_count, rests_all; /* rests_all: also those for which there was no room */
    struct queue_shape_class {
        enum queue_wait waits;
        int64_t for_ms; /* at most so long, as far as is known; 0: not known */
    } classes[STREAM_CLASSES];
};

struct queue_shape_question {
    const char *domain;              /* a hop, as in queue_entry */
    const char *destination_or_null; /* where the domain is not known: one that it would lead to */
    const char *tenant_or_null;      /* NULL: one that has no mail here; `rests` are of all */
};

/* `view_r` as of queue_find_destination(), when it is known; borrowed until the next event. */
void queue_find_shape(const struct queue *q, const struct queue_shape_question *question,
                      struct queue_shape *shape_r, struct queue_destination_view *view_r,
                      int64_t now_ms);

/* Destinations where more holds than the settings say: what rests, is slowed, or has refused
 * connections; of one tenant, or NULL: of any. As queue_each_destination(). */
void queue_each_limited(const struct queue *q, const char *tenant_or_null,
                        queue_on_destination *on_destination, void *context, int64_t now_ms);

/* What a destination is called to which such an answer would lead, and what would hold there. */
struct queue_prospect {
    char provider[64];              /* "": none */
    unsigned connections, messages; /* of the provider's row; 0: none */
};
void queue_prospect(const struct queue_answer *answer, struct buf *name,
                    struct queue_prospect *prospect_r);

#endif
