// SPDX-License-Identifier: BSD-2-Clause
/* sts_parts.h - What the files of MTA-STS share. From below: policies as they
 * count, the table of domains, what is written, turns to fetch (sts_turns.h), one discovery, what
 * is due, the service. */
#ifndef STS_PARTS_H
#define STS_PARTS_H

#include "fetcher.h"
#include "resolver.h"
#include "sts.h"
#include "sts_turns.h"

#include <uthash.h>

struct sts_discovery;

/* A domain. The service's thread changes it, what has `lock` beside it with the table locked. */
struct sts_entry {
    UT_hash_handle hh;
    struct sts_entry *next, *prev; /* of those its party pays for, the one used longest ago first */
    struct sts_party *party;       /* that pays: of its users the one that has most room */
    struct sts_use *uses;          /* list; lock */
    size_t use_count;
    struct sts_table *table;
    struct mta_sts_kept kept;          /* lock: what is in the store, too */
    struct sts_terms *terms;           /* lock: that count, while `kept` is not too old */
    enum tls_result result;            /* lock: why there are none, as of `fresh_until_ms` */
    char reason[64];                   /* lock */
    struct sts_try last;               /* lock */
    int64_t fresh_until_ms;            /* lock: DNS need not be asked before; by the steady clock */
    int64_t found_ms;                  /* lock: when all of this was last found out; the same */
    bool asked_for;                    /* lock: somebody has the service look at it */
    struct sts_discovery *discoveries; /* list of those under way, for tenants; lock */
    int64_t checked_ms;                /* past all caches; the steady clock's */
    int64_t written_ms;                /* `kept.used_ms` in the store */
    bool written_shared;               /* the store knows that it is of several */
    int64_t refresh_ms;                /* when that is due, as upkeep has last seen it */
    struct sts_ask *asks;              /* who waits */
    unsigned weight;
    unsigned without; /* the same, where there is no policy; else 0 */
    char domain[];
};

/* ---- sts_terms.c ---- */

/* NULL of NULL. */
struct sts_terms *sts_terms_hold(struct sts_terms *terms);
struct sts_terms *sts_terms_new(const struct mta_sts_policy *policy, const char *id);
void sts_terms_drop(struct sts_terms *terms); /* NULL does nothing */
/* What is kept counts. */
void sts_entry_load(struct sts_entry *e);

/* ---- sts_table.c ---- */

struct sts_party {
    UT_hash_handle hh;
    struct sts_entry *entries; /* list */
    size_t weight;
    size_t without;     /* of that: what has no policy */
    size_t uses;        /* entries that it uses */
    unsigned refreshes; /* under way, as upkeep has counted them */
    uint64_t served;    /* the last of these: a number that grows with each of all */
    char tenant[64];
};

/* That a tenant has mail for a domain. */
struct sts_use {
    UT_hash_handle hh;
    struct sts_use_key {
        const struct sts_entry *entry;
        struct sts_party *party;
    } key;
    struct sts_use *next;    /* of the entry's */
    int64_t silent_until_ms; /* DNS, which has failed, is not asked again for it; steady clock */
    int64_t in_vain_ms[2];   /* by urgency: when it was last asked for it and not found out; same */
};

/* The tenant of what several use, in the store. */
#define STS_SEVERAL "*"

/* All domains. Of the tenants whose mail goes to one the one that has most room pays for it. When
 * there are too many, the tenant that pays most loses one: but nothing for which another one has
 * room. First goes what has no policy, then what has none that counts, then large policies; of
 * these the one used longest ago. But an eighth of what it pays for is left to what has no policy:
 * that none could be had just now is what its mail leaves by, and no host is asked again by. */
struct sts_table {
    pthread_mutex_t mutex;
    struct sts_entry *entries; /* hash */
    struct sts_party *parties; /* hash */
    struct sts_use *uses;      /* hash */
    size_t weight, most;
    uint64_t services; /* refreshes that were begun */
    bool (*may_go)(const struct sts_entry *e);
    void (*going)(void *context, struct sts_entry *e); /* before it is freed */
    void *context;
};

void sts_table_init(struct sts_table *t, size_t most);
void sts_table_fini(struct sts_table *t);
/* The table is locked by the caller, in all of these. */
struct sts_entry *sts_table_find(struct sts_table *t, const char *domain);
struct sts_entry *sts_table_need(struct sts_table *t, const char *domain, const char *tenant);
/* By mail of this tenant. */
void sts_table_used(struct sts_entry *e, const char *tenant);
/* Until when DNS is not asked again for this tenant, as it has failed; by the steady clock. */
int64_t sts_table_silent_ms(const struct sts_entry *e, const char *tenant);
void sts_table_silence(struct sts_entry *e, const char *tenant, int64_t until_ms);
/* When it was last looked into for this tenant's mail and not found out; by the steady clock. What
 * was waited for in vain by less urgent mail was by urgent mail, too. */
int64_t sts_table_in_vain_ms(const struct sts_entry *e, const char *tenant, bool urgent);
void sts_table_in_vain(struct sts_entry *e, const char *tenant, bool urgent, int64_t now_ms);
/* What it keeps has changed. */
void sts_table_weigh(struct sts_entry *e);
void sts_table_drop(struct sts_entry *e);
/* Others go until there is room. */
void sts_table_make_room(struct sts_table *t, int64_t now_ms);
/* Whose it is, as the store has it. */
const char *sts_table_tenant(const struct sts_entry *e);

/* ---- the service ---- */

struct sts {
    uv_loop_t *loop;
    struct inbox inbox;
    struct settings *settings; /* held */
    struct store *store;
    struct resolver *resolver;
    struct sts_turns turns; /* of fetches */
    struct sts_table table;
    struct sts_discovery *discoveries; /* list */
    uv_timer_t tick;
    const struct fetcher *fetcher;
    uint64_t ticks;
    bool closing;
    /* A discovery has ended; `gap`: without having found out anything, and why; else NULL. */
    void (*found)(struct sts *s, struct sts_entry *e, const char *gap);
};

/* ---- sts_write.c ---- */

/* Read what the store has. */
MUST_CHECK bool sts_load(struct sts *s, struct err *err);
/* Have these written, and `done` called on the service's thread (NULL: nobody waits). */
struct sts_write {
    struct inbox_item item;
    struct sts *sts;
    struct store_job *job;
    enum sts_write_what { STS_WRITE_ALL, STS_WRITE_FAILURE, STS_WRITE_USE, STS_WRITE_DROP } what;
    char domain[ADDRESS_DOMAIN_MAX + 1], tenant[64];
    struct mta_sts_kept kept;
    struct buf raw;
    void (*done)(struct sts_write *w);
    void *context;
};
/* `raw`: borrowed. */
struct sts_write *sts_write_new(struct sts *s, const struct sts_entry *e, enum sts_write_what what,
                                struct span raw);
void sts_write_put(struct sts_write *w);
/* What the machine changes in what is kept of the domain, into the log. */
void sts_tell_change(const struct mta_sts *m, const char *domain);

/* ---- sts_discovery.c ---- */

struct sts_reason {
    const char *tenant; /* NULL: whoever pays for the domain */
    bool urgent, fresh; /* fresh: past all caches */
    uint64_t merit;     /* party_turns.h */
    enum mta_sts_aim aim;
};

/* Find out which policy it has, in this tenant's turns; then `found` is called, never from inside.
 * What one finds out holds for all; what one could not because too much else is done holds for
 * nobody else. */
struct sts_discovery *sts_discover(struct sts *s, struct sts_entry *e,
                                   const struct sts_reason *reason);
/* Of those under way the one that this tenant's mail waits for; `fresh`: mail that doubts what is
 * known, which only one past all caches answers. NULL: none. */
const struct sts_discovery *sts_discovery_for(const struct sts_entry *e, const char *tenant,
                                              bool urgent, bool fresh);
/* Since when it is waited for, by the steady clock. */
int64_t sts_discovery_since_ms(const struct sts_discovery *d);
/* Those whose fetch could not be begun are begun when it is time. */
void sts_discoveries_tick(struct sts *s);
/* Nothing is found any more. The caller has locked the table, or nobody else has it any more. */
void sts_discovery_abandon(struct sts_entry *e);
/* Those that only refresh, counted for whose domains they are, and in all. The table is locked. */
unsigned sts_discoveries_refreshing(struct sts *s);
/* When the store has ended: those that it was to answer. */
void sts_discoveries_free(struct sts *s);

/* ---- sts_upkeep.c ---- */

/* What is due is done: policies fetched again, or dropped; uses written down. */
void sts_upkeep(struct sts *s);
/* Of the tenant that has fewest under way, and has waited longest, what was due first: it is begun,
 * as one of `under_way`. NULL: nothing is due for which there is room. */
struct sts_entry *sts_upkeep_take(struct sts_table *t, unsigned under_way, int64_t now_ms);

#endif
