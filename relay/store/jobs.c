// SPDX-License-Identifier: BSD-2-Clause
/* jobs.c - What is handed to the store and comes back. Who asks has the typed part; around it lies
 * the store's own: the next in the list, and how far it is.
 */
#include "jobs.h"

#include "tlsrpt_reports.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- made and freed ---- */

static struct job *make(enum job_kind kind)
{
    struct job *job = xcalloc(1, sizeof(*job));
    job->kind = kind;
    return job;
}

struct job *job_of(struct store_job *any)
{
    return OWNER_OF(any, struct job, as);
}

struct store_accept *store_accept_new(void)
{
    struct store_accept *a = &make(JOB_ACCEPT)->as.accept;
    buf_init(&a->body, SIZE_MAX / 2);
    return a;
}

struct report *job_new_report(void)
{
    struct report *r = &make(JOB_REPORT)->as.report;
    buf_init(&r->accept.body, SIZE_MAX / 2);
    return r;
}

struct store_settle *store_settle_new(void)
{
    return &make(JOB_SETTLE)->as.settle;
}

struct store_outcome *store_settle_add(struct store_settle *s)
{
    s->outcomes = xgrow(s->outcomes, s->count + 1, sizeof(*s->outcomes));
    struct store_outcome *outcome = &s->outcomes[s->count++];
    *outcome = (struct store_outcome){0};
    return outcome;
}

struct store_change *store_change_new(store_on_change *run, void *context)
{
    struct store_change *c = &make(JOB_CHANGE)->as.change;
    c->run = run;
    c->context = context;
    return c;
}

struct store_tell *store_tell_new(const struct database_event *event)
{
    struct store_tell *t = &make(JOB_TELL)->as.tell;
    struct database_event *e = &t->event;
    *e = *event;
    const char **const texts[] = {&e->kind,   &e->recipient,  &e->enhanced,
                                  &e->reply,  &e->remote,     &e->credential,
                                  &e->sender, &e->message_id, &e->tenant};
    size_t len = 0;
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        len += (*texts[i] ? strlen(*texts[i]) : 0) + 1;
    char *to = t->texts = xcalloc(len, 1);
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        size_t size = (*texts[i] ? strlen(*texts[i]) : 0) + 1;
        if (*texts[i])
            memcpy(to, *texts[i], size);
        *texts[i] = to;
        to += size;
    }
    if (!event->tenant)
        e->tenant = NULL; /* in nobody's share; the other columns take "" for what is not said */
    return t;
}

static void free_accept(struct store_accept *a)
{
    mail_free(a->mail);
    credential_drop(a->credential);
    buf_fini(&a->body);
    free(a->decisions);
    free(a->refusals);
    free(a->once);
    free(a->tls_report);
}

static void free_settle(struct store_settle *s)
{
    for (size_t i = 0; i < s->session_count; i++)
        tlsrpt_text_drop(s->sessions[i].policy);
    free(s->sessions);
    free(s->outcomes);
}

static void free_parts(struct job *job)
{
    switch (job->kind) {
    case JOB_ACCEPT:
        free_accept(&job->as.accept);
        return;
    case JOB_SETTLE:
        free_settle(&job->as.settle);
        return;
    case JOB_CHANGE:
        if (job->as.change.forget)
            job->as.change.forget(job->as.change.context);
        return;
    case JOB_TELL:
        free(job->as.tell.texts);
        return;
    case JOB_REPORT:
        free_accept(&job->as.report.accept);
        free(job->as.report.numbers);
        return;
    }
    UNREACHABLE();
}

void store_job_free(struct store_job *job)
{
    if (!job)
        return;
    struct job *whole = job_of(job);
    free_parts(whole);
    free(whole);
}

/* ---- what became of it ---- */

bool store_has_accepted(const struct store_accept *a)
{
    return a->result == STORE_ACCEPTED || a->result == STORE_CAPTURED;
}

struct store_accept *job_new_mail(struct job *job)
{
    bool brings = job->kind == JOB_ACCEPT || job->kind == JOB_REPORT;
    return brings && job->as.accept.mail ? &job->as.accept : NULL;
}

bool job_has_accepted(const struct job *job)
{
    bool brings = job->kind == JOB_ACCEPT || job->kind == JOB_REPORT;
    return brings && job->state == JOB_DONE && store_has_accepted(&job->as.accept);
}

/* The database could not take it: it may be tried again. Else the change itself says that it cannot
 * be made. */
static enum store_change_result change_failed(enum job_state state, const struct err *why)
{
    bool by_database = why->kind == ERR_STORE || why->kind == ERR_FULL;
    return state == JOB_BAD && !by_database ? STORE_CHANGE_REFUSED : STORE_CHANGE_FAILED;
}

void job_fail(struct job *job, enum job_state state, const struct err *why)
{
    job->state = state;
    if (why != &job->as.any.err)
        job->as.any.err = *why;
    switch (job->kind) {
    case JOB_ACCEPT:
    case JOB_REPORT:
        job->as.accept.result = why->kind == ERR_FULL ? STORE_NO_ROOM : STORE_FAILED;
        return;
    case JOB_SETTLE:
        job->as.settle.result = STORE_UNRECORDED;
        return;
    case JOB_CHANGE:
        job->as.change.result = change_failed(state, why);
        return;
    case JOB_TELL:
        job->as.tell.result = STORE_NOT_TOLD;
        return;
    }
    UNREACHABLE();
}

static void forget_decisions(struct store_accept *a)
{
    free(a->decisions);
    free(a->refusals);
    a->decisions = NULL;
    a->refusals = NULL;
    a->observed = 0;
    a->refusal.code = 0;
    a->result = STORE_UNDECIDED; /* what it repeats may be in this very batch */
}

void job_forget(struct job *job)
{
    job->state = JOB_READY;
    if (job->kind == JOB_ACCEPT || job->kind == JOB_REPORT)
        forget_decisions(&job->as.accept);
    if (job->kind == JOB_REPORT)
        job->as.report.dropped = false;
}

/* ---- lists ---- */

size_t job_work(const struct job *job)
{
    return job->work < JOB_BATCH_WORK / 2 ? job->work : JOB_BATCH_WORK / 2;
}

struct job *jobs_cut(struct job *list, size_t max)
{
    size_t work = job_work(list);
    for (size_t i = 1; list->next && i < max; i++) {
        work += job_work(list->next);
        if (work > JOB_BATCH_WORK)
            break;
        list = list->next;
    }
    struct job *rest = list->next;
    list->next = NULL;
    return rest;
}

static void move_outcomes(struct store_settle *s, int64_t step_ms)
{
    for (size_t i = 0; i < s->count; i++)
        s->outcomes[i].due_ms += step_ms;
}

void jobs_move(struct job *list, int64_t step_ms)
{
    for (struct job *job = step_ms != 0 ? list : NULL; job; job = job->next) {
        struct store_accept *a = job_new_mail(job);
        if (a) {
            a->mail->created_ms += step_ms;
            a->mail->expires_ms += step_ms;
        }
        if (job->kind == JOB_SETTLE)
            move_outcomes(&job->as.settle, step_ms);
    }
}

int64_t job_offset_ms(const struct job *job)
{
    return job->kind == JOB_ACCEPT   ? job->as.accept.offset_ms
           : job->kind == JOB_SETTLE ? job->as.settle.offset_ms
                                     : 0;
}
