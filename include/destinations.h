// SPDX-License-Identifier: BSD-2-Clause
/* destinations.h - Destinations as operators see and change them: copies of what the running queue
 * knows (queue_view.h). */
#ifndef DESTINATIONS_H
#define DESTINATIONS_H

#include "address.h"
#include "buf.h"
#include "progress.h"
#include "queue_pause.h"
#include "queue_shape.h"
#include "queue_view.h"

struct dispatch;

/* See struct queue_destination_view. */
struct destinations_row {
    const char *name, *provider, *why, *hosts; /* of the list's `texts`; provider: "" for none */
    size_t text;                               /* where they begin there */
    unsigned limit, opening, busy, idle, closing, failures;
    double window;
    int64_t no_growth_ms, rest_ms;
    bool rests_by_operator;
    size_t waiting, waiting_by_class[STREAM_CLASSES];
    unsigned stuck, kept, tenant_ceiling, paused;
    int64_t tenant_rest_ms, tenant_ceiling_ms;
    double a_minute, refused_a_minute; /* as in queue_view.h, as all of these */
    int64_t next_ms, try_more_ms;
    const char *tenant, *tenant_why, *capped_tenant,
        *slowed_tenant; /* of the list's `texts`; "" for none */
};

struct destinations_list {
    struct destinations_row *rows;
    size_t count, size;
    struct buf texts;
};
/* Free what it holds. */
void destinations_list_fini(struct destinations_list *list);

struct destinations_tenant {
    char *name;
    size_t waiting;
};

/* A host that is not tried for a while, as its address rests. */
struct destinations_avoided {
    char host[256], ip[64];
    struct queue_address_view rest;
};

enum { DESTINATIONS_DOMAINS = 10, DESTINATIONS_AVOIDED = 20 };

/* One, who waits there, the tenant with the most first, and which domains' mail goes there. */
struct destinations_detail {
    struct destinations_list one; /* its row */
    size_t domains;
    char some_domains[DESTINATIONS_DOMAINS][ADDRESS_DOMAIN_MAX + 1];
    size_t shards;
    unsigned by_shard[QUEUE_VIEW_SHARDS];
    struct destinations_tenant *tenants;
    size_t tenant_count, tenant_size;
    struct destinations_avoided avoided[DESTINATIONS_AVOIDED]; /* of hosts of these domains */
    size_t avoided_count;
};
void destinations_detail_fini(struct destinations_detail *detail);

/* What holds for a domain's mail: the row of its destination, if that is known, and the hosts of
 * this domain that are avoided. */
struct destinations_shape {
    struct queue_shape shape;
    struct destinations_detail detail;
};
void destinations_shape_fini(struct destinations_shape *shape);

/* Mail that waits as some was refused (queue_pause.h); times are wall-clock times. */
struct destinations_pauses {
    struct queue_pause *rows; /* their texts are `texts` */
    char **texts;
    size_t count, size;
};
void destinations_pauses_fini(struct destinations_pauses *pauses);

/* What a running relay answers: dispatch_destinations, of the network. */
struct destinations_calls {
    /* All that queue_each_destination() has: those with the most mail that is due first, then those
     * that rest. */
    void (*read)(struct dispatch *d, struct destinations_list *list_r);
    /* All that the queue knows, in no order: also those where nothing is due and nothing rests. */
    void (*read_known)(struct dispatch *d, struct destinations_list *list_r);
    /* Of all destinations, 10,000 at most. */
    void (*read_pauses)(struct dispatch *d, struct destinations_pauses *pauses_r);
    /* False: there is none of that name. */
    bool (*find)(struct dispatch *d, const char *name, struct destinations_detail *detail_r);
    /* Where mail for a hop goes (hop.h): one row, or none when that is not known now. */
    void (*find_hop)(struct dispatch *d, const char *hop, struct destinations_list *list_r);
    /* See queue_each_limited(); sorted by name. */
    void (*read_limited)(struct dispatch *d, const char *tenant_or_null,
                         struct destinations_list *list_r);
    /* See queue_find_shape(). */
    void (*find_shape)(struct dispatch *d, const struct queue_shape_question *question,
                       struct destinations_shape *shape_r);
    /* As config_source_rules(); free() it. */
    char *(*sources)(struct dispatch *d);
    /* What is being tried. Waits for the shards, two seconds at most: neither on a loop nor on the
     * store's thread. */
    void (*read_progress)(struct dispatch *d, struct progress *progress_r);
    /* See queue_rest() and queue_resume(). False: there is none of that name. */
    bool (*rest)(struct dispatch *d, const char *name, int64_t for_ms, const char *why);
    bool (*resume)(struct dispatch *d, const char *name);
    /* See queue_resume_host_of(). */
    bool (*resume_host_of)(struct dispatch *d, const char *name);
    /* The same for one that no mail has led to yet. */
    void (*rest_ahead)(struct dispatch *d, const char *name, int64_t for_ms, const char *why);
    /* See queue_rest_host(). True: the host rested already. */
    bool (*rest_host)(struct dispatch *d, const char *host, int64_t for_ms, const char *why);
};

#endif
