// SPDX-License-Identifier: BSD-2-Clause
/* aligned.c - A shard's way to the aligner and back: what it says is remembered, and whoever waits
 * for it goes on. */
#include "aligner.h"
#include "clock.h"
#include "session.h"
#include "verdicts.h"

#include <stdio.h>
#include <stdlib.h>

struct errand {
    struct aligner_question question;
    struct shard *shard;
    uint64_t session; /* 0: nobody waits */
};

static void on_answered(struct inbox_item *item)
{
    struct errand *e = (struct errand *)item;
    struct shard *s = e->shard;
    struct aligner_question *q = &e->question;
    verdicts_put(s->verdicts, q->author, q->return_domain, clock_steady_ms(), q->epoch,
                 &q->alignment);
    if (e->session)
        session_aligned(s, e->session, &q->alignment);
    free(e);
    s->errands--;
    shard_something_ended(s);
}

void aligned_ask(struct shard *s, uint64_t session, const char *author, const char *return_domain)
{
    struct errand *e = xcalloc(1, sizeof(*e));
    e->shard = s;
    e->session = session;
    e->question.home = &s->inbox;
    e->question.answered = on_answered;
    snprintf(e->question.author, sizeof(e->question.author), "%s", author);
    snprintf(e->question.return_domain, sizeof(e->question.return_domain), "%s", return_domain);
    s->errands++;
    aligner_ask(s->common->aligner, &e->question);
}
