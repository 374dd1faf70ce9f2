// SPDX-License-Identifier: BSD-2-Clause
/* tlsrpt_wishes.c - A table of domains under a lock. It has so much room; of that a tenant may take
 * as much as is still free, so that whoever comes next has room, whatever another one writes to.
 */
#include "tlsrpt_wishes.h"

#include "check.h"
#include "clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

enum { DOMAINS_MAX = 20000, UNANSWERED_MS = 5 * 60 * 1000 };

struct tenant {
    char name[64];
    size_t count;
    UT_hash_handle hh;
};

struct wish {
    char domain[DNS_NAME_MAX + 1];
    struct tenant *tenant;
    enum tlsrpt_wish wish;
    int64_t until_ms; /* by the steady clock */
    UT_hash_handle hh;
};

struct tlsrpt_wishes {
    pthread_mutex_t mutex;
    struct inbox *inbox;
    void (*asked)(struct inbox_item *item);
    void *context;
    struct wish *all;
    struct tenant *tenants;
};

struct tlsrpt_wishes *tlsrpt_wishes_new(struct inbox *inbox, void (*asked)(struct inbox_item *item),
                                        void *context)
{
    struct tlsrpt_wishes *w = xcalloc(1, sizeof(*w));
    pthread_mutex_init(&w->mutex, NULL);
    w->inbox = inbox;
    w->asked = asked;
    w->context = context;
    return w;
}

static void forget(struct tlsrpt_wishes *w, struct wish *one)
{
    struct tenant *t = one->tenant;
    /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): it is in the table */
    HASH_DEL(w->all, one);
    free(one);
    if (--t->count > 0)
        return;
    /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): so is it */
    HASH_DEL(w->tenants, t);
    free(t);
}

void tlsrpt_wishes_free(struct tlsrpt_wishes *w)
{
    struct wish *one;
    struct wish *next;
    if (!w)
        return;
    HASH_ITER (hh, w->all, one, next)
        forget(w, one);
    pthread_mutex_destroy(&w->mutex);
    free(w);
}

/* ---- asking ---- */

/* NULL: there is no room for it. */
static struct wish *add(struct tlsrpt_wishes *w, const char *domain, const char *name)
{
    struct tenant *t = NULL;
    HASH_FIND_STR(w->tenants, name, t);
    if ((t ? t->count : 0) >= DOMAINS_MAX - HASH_COUNT(w->all))
        return NULL;
    if (!t) {
        t = xcalloc(1, sizeof(*t));
        snprintf(t->name, sizeof(t->name), "%s", name);
        HASH_ADD_STR(w->tenants, name, t);
    }
    struct wish *one = xcalloc(1, sizeof(*one));
    snprintf(one->domain, sizeof(one->domain), "%s", domain);
    one->tenant = t;
    t->count++;
    HASH_ADD_STR(w->all, domain, one);
    return one;
}

static void post(struct tlsrpt_wishes *w, const char *domain, const char *tenant)
{
    struct tlsrpt_question *q = xcalloc(1, sizeof(*q));
    q->item = (struct inbox_item){.run = w->asked, .drop = inbox_free};
    q->context = w->context;
    snprintf(q->domain, sizeof(q->domain), "%s", domain);
    snprintf(q->tenant, sizeof(q->tenant), "%s", tenant);
    inbox_post(w->inbox, &q->item);
}

enum tlsrpt_wish tlsrpt_wishes_ask(struct tlsrpt_wishes *w, const char *domain, const char *tenant)
{
    int64_t now_ms = clock_steady_ms();
    struct wish *one = NULL;
    enum tlsrpt_wish wish = TLSRPT_WISH_NONE;
    bool ask = false;
    pthread_mutex_lock(&w->mutex);
    HASH_FIND_STR(w->all, domain, one);
    if (!one)
        one = add(w, domain, tenant);
    if (one) {
        ask = one->until_ms <= now_ms;
        wish = one->wish; /* until it is known better */
        if (ask)
            one->until_ms = now_ms + UNANSWERED_MS;
    }
    pthread_mutex_unlock(&w->mutex);
    if (ask)
        post(w, domain, tenant);
    return wish;
}

void tlsrpt_wishes_tell(struct tlsrpt_wishes *w, const char *domain, enum tlsrpt_wish wish,
                        int64_t for_ms)
{
    struct wish *one = NULL;
    pthread_mutex_lock(&w->mutex);
    HASH_FIND_STR(w->all, domain, one);
    if (one) {
        one->wish = wish;
        one->until_ms = clock_steady_ms() + for_ms;
    }
    pthread_mutex_unlock(&w->mutex);
}

void tlsrpt_wishes_sweep(struct tlsrpt_wishes *w)
{
    int64_t now_ms = clock_steady_ms();
    struct wish *one;
    struct wish *next;
    pthread_mutex_lock(&w->mutex);
    HASH_ITER (hh, w->all, one, next)
        if (one->until_ms <= now_ms)
            forget(w, one);
    pthread_mutex_unlock(&w->mutex);
}
