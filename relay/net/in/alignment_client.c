// SPDX-License-Identifier: BSD-2-Clause
/* alignment_client.c - A shard's way to the alignment service and back: what it says is remembered,
 * and whoever waits for it goes on. */
#include "alignment_cache.h"
#include "alignment_service.h"
#include "clock.h"
#include "session.h"

#include <stdio.h>
#include <stdlib.h>

struct errand {
    struct alignment_service_question question;
    struct shard *shard;
    uint64_t session; /* 0: nobody waits */
};

static void on_answered(struct inbox_item *item)
{
    struct errand *e = (struct errand *)item;
    struct shard *s = e->shard;
    struct alignment_service_question *q = &e->question;
    alignment_cache_put(s->verdicts, q->author, q->return_domain, clock_steady_ms(), q->epoch,
                        &q->alignment);
    if (e->session)
        session_aligned(s, e->session, &q->alignment);
    free(e);
    s->errands--;
    shard_something_ended(s);
}

void alignment_client_ask(struct shard *s, uint64_t session, const char *author,
                          const char *return_domain)
{
    struct errand *e = xcalloc(1, sizeof(*e));
    e->shard = s;
    e->session = session;
    e->question.home = &s->inbox;
    e->question.answered = on_answered;
    snprintf(e->question.author, sizeof(e->question.author), "%s", author);
    snprintf(e->question.return_domain, sizeof(e->question.return_domain), "%s", return_domain);
    s->errands++;
    alignment_service_ask(s->common->alignment_service, &e->question);
}
