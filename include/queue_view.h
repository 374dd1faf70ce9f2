// SPDX-License-Identifier: BSD-2-Clause
/* queue_view.h - What one may ask the queue about itself, and what an operator may tell it. */
#ifndef QUEUE_VIEW_H
#define QUEUE_VIEW_H

#include "queue.h"

struct queue_counts {
    size_t waiting;   /* not yet due */
    size_t ready;     /* due, not under way */
    size_t under_way; /* recipients in attempts */
    size_t attempts, settling;
    size_t connections, opening, busy, idle, closing;
    size_t tenants, domains, destinations, resting, resolving, addresses;
    size_t ready_by_class[STREAM_CLASSES];
};

/* How many of everything there are now. It looks at each destination, and each line that waits. */
void queue_count(const struct queue *q, struct queue_counts *counts_r, int64_t now_ms);

enum { QUEUE_VIEW_SHARDS = 64 };

struct queue_destination_view {
    const char *name;     /* "google", or "mx1.club.example,mx2.club.example"; then ":25", and the
                             route unless it is empty: "google:25 verify" */
    const char *provider; /* NULL: none */
    unsigned limit;       /* connections it may have at most */
    double window;        /* what it bears just now, as far as is known */
    int64_t no_growth_ms; /* it has refused more than that: not tried again for so long */
    unsigned opening, busy, idle, closing;
    int64_t rest_ms; /* so long it still rests; 0: it does not */
    bool rests_by_operator;
    const char *why;    /* the last failure; "" */
    const char *hosts;  /* where the name does not say all of them: "a.test,b.test", some of those
                          that are tried just now; else "" */
    int64_t longest_ms; /* one does not open, or is busy with the same, for so long; or 0 */
    unsigned failures;  /* in a row */
    size_t waiting_by_class[STREAM_CLASSES]; /* recipients that are due */
    unsigned by_shard[QUEUE_VIEW_SHARDS];    /* connections */
    unsigned paused;                         /* pauses of some of its mail: queue_each_pause() */
    unsigned stuck;                          /* of those that are busy */
    unsigned kept;                           /* of the limit, for class security */
    double a_minute; /* messages that it takes, as it shows; 0: it has refused none as too many */
    double refused_a_minute;   /* so many it has refused; 0: not known, or tried again just now */
    const char *slowed_tenant; /* it is so for this one's mail; "": for that of all */
    int64_t next_ms;           /* the next one but class security goes in so long */
    int64_t try_more_ms;       /* more are not tried for so long */
    const char *tenant, *tenant_why; /* whose mail alone rests there, at some hosts of a provider's
                                        at least; "" */
    int64_t tenant_rest_ms;
    const char *capped_tenant; /* that may have no more than `tenant_ceiling` for so long; "". Of
                                  queue_find_destination() only. */
    unsigned tenant_ceiling;
    int64_t tenant_ceiling_ms;
};

/* Those that have connections, mail that is due, or a rest; in no order. Texts are borrowed for the
 * call; the callback must not call the queue. */
typedef void queue_on_destination(void *context, const struct queue_destination_view *view);
void queue_each_destination(const struct queue *q, queue_on_destination *on_destination,
                            void *context, int64_t now_ms);
/* All that are known, also those. */
void queue_each_known_destination(const struct queue *q, queue_on_destination *on_destination,
                                  void *context, int64_t now_ms);
/* Is this what a person means: its name; or one of its hosts, with or without port, or its
 * provider; each may be followed by beginnings of the words behind it, and the longest of those may
 * stand alone. */
bool queue_destination_is_meant(const char *name, const char *given);
/* False: there is none of that name. */
MUST_CHECK bool queue_find_destination(const struct queue *q, const char *name,
                                       struct queue_destination_view *view_r, int64_t now_ms);

/* So long an address rests; 0: it does not, or is not known. */
struct queue_address;
struct queue_address_view {
    int64_t rest_ms;
    unsigned failures; /* in a row */
    bool stalled;      /* it spoke, and then did not answer in time; else there was no connection */
};
void queue_find_address(const struct queue *q, const struct queue_address *address,
                        struct queue_address_view *view_r, int64_t now_ms);

/* Due recipients of each tenant at a destination. */
typedef void queue_on_tenant(void *context, const char *tenant, size_t waiting);
void queue_each_tenant(const struct queue *q, const char *name, queue_on_tenant *on_tenant,
                       void *context);

/* Where a domain stands, for `trace` and the like. */
enum queue_domain_state {
    QUEUE_DOMAIN_UNKNOWN, /* nothing waits there, and no answer is kept */
    QUEUE_DOMAIN_UNRESOLVED,
    QUEUE_DOMAIN_RESOLVING,
    QUEUE_DOMAIN_LEADS,
    QUEUE_DOMAIN_UNRESOLVABLE
};
struct queue_domain_view {
    enum queue_domain_state state;
    const char *destination;         /* QUEUE_DOMAIN_LEADS; else NULL */
    const char *why;                 /* QUEUE_DOMAIN_UNRESOLVABLE; else "" */
    size_t ready;                    /* recipients that are due */
    int64_t rest_until_ms;           /* its hosts' own rest, where a provider has others */
    const char *tenant, *tenant_why; /* whose mail alone rests there until then; or NULL */
    int64_t tenant_until_ms;
};
void queue_find_domain(const struct queue *q, const char *name, struct queue_domain_view *view_r,
                       int64_t now_ms);

/* Nothing is sent there for so long, whatever happens; what is under way goes on. False: there is
 * none of that name. */
MUST_CHECK bool queue_rest(struct queue *q, const char *name, int64_t for_ms, const char *why,
                           int64_t now_ms);
/* The same before any mail has led there (when the relay begins, or ahead): it is known from now
 * on. */
void queue_rest_again(struct queue *q, const char *name, int64_t for_ms, const char *why,
                      int64_t now_ms);
/* The same for all destinations with this host, but for providers, also those that are made from
 * now on; 0 ms ends it. Of several rests of one destination, by its name or by hosts, the longest
 * counts. */
void queue_rest_host(struct queue *q, const char *host, int64_t for_ms, const char *why,
                     int64_t now_ms);
/* Whose host it is, that of a large provider, which no such order holds back; false: nobody's. */
MUST_CHECK bool queue_provider_of(const char *host, char *name_r, size_t size);
bool queue_host_rests(const struct queue *q, const char *host, int64_t now_ms);
/* An address rests, and is avoided while another is left: for so long; 0: it does not.
 * `failures_r`: in a row. */
struct queue_address;
int64_t queue_address_rest_ms(const struct queue *q, const struct queue_address *a,
                              unsigned *failures_r, int64_t now_ms);

/* The rest of one destination ends, or that of all and of all addresses (a reload); those that an
 * operator has put to rest only by their name. False: there is none of that name. */
bool queue_resume(struct queue *q, const char *name_or_null, int64_t now_ms);
/* The same of one destination, but for the rests of its hosts. */
bool queue_resume_host_of(struct queue *q, const char *name, int64_t now_ms);
/* The rest of where this domain leads, if it is known. */
void queue_resume_domain(struct queue *q, const char *name, int64_t now_ms);
/* The rest of these addresses: the shell knows whose they are. */
void queue_resume_addresses(struct queue *q, const struct queue_address *addresses, size_t count);

#endif
