// SPDX-License-Identifier: BSD-2-Clause
/* alignment_client.c - Connects a shard with the alignment service: remembers the verdicts, and
 * resumes the sessions that wait for them. */
#include "alignment_client.h"

#include "alignment_cache.h"
#include "alignment_service.h"
#include "clock.h"

#include <stdio.h>
#include <stdlib.h>

struct alignment_call {
    struct alignment_service_question question;
    struct sessions *home;
    uint64_t session;
    alignment_client_on_judged *done; /* NULL: nobody waits */
};

static void on_answered(struct inbox_item *item)
{
    struct alignment_call *e = (struct alignment_call *)item;
    struct sessions *home = e->home;
    struct alignment_service_question *q = &e->question;
    const struct alignment_pair pair = {q->author, q->return_domain, q->origin};
    alignment_cache_put(home->verdicts, &pair, clock_steady_ms(), q->epoch, &q->alignment);
    if (e->done)
        e->done(home, e->session, &q->alignment);
    free(e);
    worker_end(home->worker);
}

void alignment_client_ask(struct sessions *home, uint64_t session, const char *tenant,
                          const struct alignment_pair *pair, alignment_client_on_judged *done)
{
    struct alignment_call *e = xcalloc(1, sizeof(*e));
    e->home = home;
    e->session = session;
    e->done = done;
    e->question.home = &home->worker->inbox;
    e->question.answered = on_answered;
    snprintf(e->question.author, sizeof(e->question.author), "%s", pair->author);
    snprintf(e->question.return_domain, sizeof(e->question.return_domain), "%s",
             pair->return_domain);
    snprintf(e->question.tenant, sizeof(e->question.tenant), "%s", tenant);
    snprintf(e->question.origin, sizeof(e->question.origin), "%s", pair->origin);
    worker_begin(home->worker);
    alignment_service_ask(home->shared->alignment_service, &e->question);
}
