// SPDX-License-Identifier: BSD-2-Clause
/* verdicts.h - What a shard remembers of alignment: one verdict for each pair of MAIL FROM domain
 * and From domain. No locks, no DNS: looking one up is what every message pays.
 */
#ifndef VERDICTS_H
#define VERDICTS_H

#include "alignment.h"

struct verdicts;

struct verdicts *verdicts_new(void);
void verdicts_free(struct verdicts *v);

enum verdicts_use {
    VERDICTS_USE,      /* as it is */
    VERDICTS_REFRESH,  /* as it is, but ask for a newer one; said once until it comes */
    VERDICTS_ASK_FIRST /* there is none, or one that refuses and has run out: wait for a new one */
};

/* `epoch`: verdicts of another epoch (other keys, other settings) are not used. `alignment_r` is
 * borrowed until the next verdicts_put(). */
enum verdicts_use verdicts_find(struct verdicts *v, const char *author, const char *return_domain,
                                int64_t now_ms, unsigned epoch,
                                const struct alignment **alignment_r);

void verdicts_put(struct verdicts *v, const char *author, const char *return_domain, int64_t now_ms,
                  unsigned epoch, const struct alignment *alignment);

#endif
