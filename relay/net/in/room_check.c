// SPDX-License-Identifier: BSD-2-Clause
/* room_check.c - Checks at MAIL whether there is room for a message of the declared size (RFC
 * 1870). The store, which counts each tenant's mail, is asked before a large message is sent; small
 * ones are checked when they are there. The answer reserves nothing: the message is checked again
 * with the others. */
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
    q->refusal.code = 0;
    return database_fits(db, &q->room, q->tenant, q->bytes, &q->refusal, err);
}

/* When the store could not look, it says so when the message is there. */
static void on_looked(void *context, struct store_job *job)
{
    struct sessions *home = context;
    const struct store_change *change = OWNER_OF(job, struct store_change, job);
    const struct room_question *q = change->context;
    struct session *s = session_find(home, q->session);
    if (s) {
        s->asking = false;
        bool looked = change->result == STORE_CHANGED;
        submission_room_decided(&s->submission,
                                looked && q->refusal.code != 0 ? &q->refusal : NULL);
        home->go_on(s);
    }
    store_job_free(job);
}

void room_check_ask(struct session *s)
{
    struct room_question *q = xcalloc(1, sizeof(*q));
    *q = (struct room_question){.session = s->id,
                                .bytes = s->submission.declared,
                                .room = config_room(s->settings->config)};
    snprintf(q->tenant, sizeof(q->tenant), "%s", s->submission.identity.tenant);
    struct store_change *change = store_change_new(look, q);
    change->forget = free;
    change->reads = true;
    change->repeatable = true;
    s->asking = true;
    worker_ask_store_by(s->home->worker, s->settings, &change->job, on_looked, s->home);
}
