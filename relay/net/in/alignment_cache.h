// SPDX-License-Identifier: BSD-2-Clause
/* alignment_cache.h - A shard's cache of alignment verdicts, one for each pair of MAIL FROM domain
 * and From domain. It needs no locks and no DNS, as every message looks one up. */
#ifndef ALIGNMENT_CACHE_H
#define ALIGNMENT_CACHE_H

#include "alignment.h"

struct alignment_cache;

struct alignment_cache *alignment_cache_new(void);
void alignment_cache_free(struct alignment_cache *v);

enum alignment_cache_use {
    ALIGNMENT_CACHE_USE,      /* as it is */
    ALIGNMENT_CACHE_REFRESH,  /* as it is, but ask for a newer one; said once until it comes */
    ALIGNMENT_CACHE_ASK_FIRST /* there is none, or one that refuses has run out: wait for one */
};

/* Whose mail it is about. `origin`: the tenant, where tenants leave from addresses of their own;
 * else "". */
struct alignment_pair {
    const char *author, *return_domain, *origin;
};

/* `epoch`: verdicts of another epoch (other keys, other settings) are not used. `alignment_r` is
 * borrowed until the next alignment_cache_put(). */
enum alignment_cache_use alignment_cache_find(struct alignment_cache *v,
                                              const struct alignment_pair *pair, int64_t now_ms,
                                              unsigned epoch, const struct alignment **alignment_r);

void alignment_cache_put(struct alignment_cache *v, const struct alignment_pair *pair,
                         int64_t now_ms, unsigned epoch, const struct alignment *alignment);

#endif
