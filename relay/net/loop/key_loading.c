// SPDX-License-Identifier: BSD-2-Clause
/* key_loading.c - Files are read and keys parsed on libuv's pool: for each domain once at a time,
 * so that one whose keys cannot be read, and are tried again for each message, has one place there
 * and not all. Who asks meanwhile is told with the others. */
#include "key_loading.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

struct asker {
    struct asker *next;
    key_loading_on_done *done;
    void *context;
    uint64_t about;
};

struct key_loading {
    struct key_loading *next; /* worker->key_loadings */
    uv_work_t work;
    struct worker *worker;
    struct keyring *keyring;
    char domain[ADDRESS_DOMAIN_MAX + 1];
    struct asker *askers;
};

static void load(uv_work_t *work)
{
    struct key_loading *l = work->data;
    keyring_load(l->keyring, l->domain);
}

static void on_loaded(uv_work_t *work, int status)
{
    struct key_loading *l = work->data;
    struct worker *w = l->worker;
    struct asker *one;
    struct asker *next;
    CHECK(status == 0); /* nobody cancels */
    LL_DELETE(w->key_loadings, l);
    LL_FOREACH_SAFE(l->askers, one, next)
    {
        one->done(one->context, one->about);
        free(one);
    }
    free(l);
    worker_end(w);
}

static struct key_loading *find(const struct worker *w, const char *domain)
{
    struct key_loading *l = w->key_loadings;
    while (l && strcmp(l->domain, domain) != 0)
        l = l->next;
    return l;
}

static struct key_loading *begin(struct worker *w, struct keyring *k, const char *domain)
{
    struct key_loading *l = xcalloc(1, sizeof(*l));
    l->worker = w;
    l->keyring = k;
    snprintf(l->domain, sizeof(l->domain), "%s", domain);
    l->work.data = l;
    LL_PREPEND(w->key_loadings, l);
    worker_begin(w);
    CHECK(uv_queue_work(&w->loop, &l->work, load, on_loaded) == 0);
    return l;
}

void key_loading_start(struct worker *w, struct keyring *k, const char *domain,
                       key_loading_on_done *done, void *context, uint64_t about)
{
    struct asker *one = xcalloc(1, sizeof(*one));
    *one = (struct asker){.done = done, .context = context, .about = about};
    struct key_loading *l = find(w, domain);
    if (!l)
        l = begin(w, k, domain);
    LL_APPEND(l->askers, one);
}
