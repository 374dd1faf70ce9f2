// SPDX-License-Identifier: BSD-2-Clause
/* room_check.c - Is there room for what a client declares at MAIL (RFC 1870)? The store counts what
 * each tenant has, and is asked before the message is sent; small ones it judges when they are
 * there. What it says now holds for nobody: the message is judged again with the others.
 */
#include "session_parts.h"

#include <stdio.h>
#include <stdlib.h>

struct room_question {
    uint64_t session, bytes;
    char tenant[64];
    struct database_room room;
    struct verdict refusal; /* code 0: there is room */
};

static bool look(struct database *db, void *context, struct err *err)
{
    struct room_question *q = context;
    return database_fits(db, &q->room, q->tenant, q->bytes, &q->refusal, err);
}

/* When the store could not look, it says so when the message is there. */
static void on_looked(void *context, struct store_job *job)
{
    struct sessions *home = context;
    struct room_question *q = job->context;
    struct session *s = session_find(home, q->session);
    if (s) {
        s->asking = false;
        submission_room_decided(&s->submission,
                                job->ok && q->refusal.code != 0 ? &q->refusal : NULL);
        home->go_on(s);
    }
    free(q);
    store_job_free(job);
}

void room_check_ask(struct session *s)
{
    const struct config *config = s->settings->config;
    struct store_job *job = store_job_new(NULL, NULL);
    struct room_question *q = xcalloc(1, sizeof(*q));
    *q =
        (struct room_question){.session = s->id,
                               .bytes = s->submission.declared,
                               .room = {config->storage_mb << 20, config->tenant_storage_mb << 20}};
    snprintf(q->tenant, sizeof(q->tenant), "%s", s->submission.identity.tenant);
    job->run = look;
    job->context = q;
    job->reads = true;
    s->asking = true;
    worker_ask_store_by(s->home->worker, s->settings, job, on_looked, s->home);
}
