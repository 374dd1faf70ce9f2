// SPDX-License-Identifier: BSD-2-Clause
/* alignment_cache.c - A hash table by both domains, and by where mail leaves from.
 *
 * A verdict is valid for as long as its DNS answers are. After that an accepting verdict is used
 * for another hour while a new one is fetched, so that nobody waits. A refusing verdict is not, as
 * a refusal must be certain.
 */
#include "alignment_cache.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

enum { STALE_MS = 3600 * 1000, ENTRIES_MAX = 10000 };

enum { ORIGIN_MAX = 63, KEY = 2 * ADDRESS_DOMAIN_MAX + ORIGIN_MAX + 4 };

struct entry {
    char key[KEY];
    struct alignment alignment;
    unsigned epoch;
    int64_t expires_ms, refresh_ms;
    UT_hash_handle hh;
};

struct alignment_cache {
    struct entry *entries;
};

struct alignment_cache *alignment_cache_new(void)
{
    return xcalloc(1, sizeof(struct alignment_cache));
}

static void clear(struct alignment_cache *v)
{
    struct entry *e;
    struct entry *next;
    HASH_ITER (hh, v->entries, e, next) {
        HASH_DEL(v->entries, e);
        free(e);
    }
}

void alignment_cache_free(struct alignment_cache *v)
{
    if (!v)
        return;
    clear(v);
    free(v);
}

/* "From domain/MAIL FROM domain/tenant"; its length. */
static size_t make_key(const struct alignment_pair *pair, char *key_r)
{
    int len = snprintf(key_r, KEY, "%s/%s/%s", pair->author, pair->return_domain, pair->origin);
    CHECK(len > 0 && len < KEY);
    return (size_t)len;
}

enum alignment_cache_use alignment_cache_find(struct alignment_cache *v,
                                              const struct alignment_pair *pair, int64_t now_ms,
                                              unsigned epoch, const struct alignment **alignment_r)
{
    char key[KEY];
    struct entry *e = NULL;
    size_t len = make_key(pair, key);
    HASH_FIND(hh, v->entries, key, len, e);
    if (!e || e->epoch != epoch || now_ms >= e->expires_ms + STALE_MS ||
        (now_ms >= e->expires_ms && e->alignment.state == ALIGNMENT_FAIL))
        return ALIGNMENT_CACHE_ASK_FIRST;
    *alignment_r = &e->alignment;
    if (now_ms < e->refresh_ms)
        return ALIGNMENT_CACHE_USE;
    e->refresh_ms = now_ms + 10 * 1000; /* asked for: again only when nothing has come of it */
    return ALIGNMENT_CACHE_REFRESH;
}

void alignment_cache_put(struct alignment_cache *v, const struct alignment_pair *pair,
                         int64_t now_ms, unsigned epoch, const struct alignment *alignment)
{
    char key[KEY];
    struct entry *e = NULL;
    size_t len = make_key(pair, key);
    HASH_FIND(hh, v->entries, key, len, e);
    if (!e) {
        if (HASH_COUNT(v->entries) >= ENTRIES_MAX) /* they come back when they are needed */
            clear(v);
        e = xcalloc(1, sizeof(*e));
        memcpy(e->key, key, len + 1);
        HASH_ADD(hh, v->entries, key, len, e);
    }
    int64_t life_ms = (int64_t)(alignment->ttl_s > 0 ? alignment->ttl_s : 1) * 1000;
    e->alignment = *alignment;
    e->epoch = epoch;
    e->expires_ms = now_ms + life_ms;
    e->refresh_ms = now_ms + life_ms / 4 * 3;
}
