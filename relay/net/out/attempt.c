// SPDX-License-Identifier: BSD-2-Clause
/* attempt.c - The answers to the recipients of an attempt, and its deadline. */
#include "attempt.h"

#include "clock.h"
#include "log.h"
#include "retry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* JUST_OVER_MS: a loop's timer counts from when the loop last looked at the clock. */
enum { JUST_OVER_MS = 20, EARLY_MS = 60 * 1000 };

void attempt_answer_all(struct attempt *p, const struct verdict *v)
{
    for (size_t i = 0; i < p->mail->envelope.count; i++)
        if (p->answers[i].code == 0)
            p->answers[i] = *v;
}

void attempt_own_fault(struct attempt *p, const struct err *err)
{
    struct verdict v = verdict_make(451, "4.7.5", "Not signed: %s", err->text);
    if (err->kind == ERR_DAMAGED || err->kind == ERR_SYSTEM || err->kind == ERR_STORE)
        v = verdict_make(451, "4.3.0", "%s", err->text);
    const struct mail_row *row = &p->mail->rows[0];
    p->damaged = err->kind == ERR_DAMAGED;
    p->not_attempted = true;
    if (row->code != v.code || strcmp(row->enhanced, v.enhanced) != 0) /* not again and again */
        log_end(log_text(log_text(log_id(log_begin(LOG_ERROR, "not_sent"), p->mail->id), "domain",
                                  p->mail->from_domain),
                         "reply", err->text));
    attempt_answer_all(p, &v);
}

/* The clock may have been set while the attempt was under way. */
void attempt_follow_clock(struct attempt *p)
{
    int64_t moved_ms = clock_offset_ms() - p->clock_offset_ms;
    p->clock_offset_ms += moved_ms;
    p->mail->created_ms += moved_ms;
    p->mail->expires_ms += moved_ms;
    p->due_ms += moved_ms;
}

/* One that came early, as clocks drift apart, counts as due for that long. */
bool attempt_was_due(struct attempt *p, int64_t at_ms)
{
    attempt_follow_clock(p);
    int64_t since_ms = clock_now_ms() - p->due_ms;
    return at_ms > 0 && clock_steady_ms() - at_ms <= (since_ms < 0 ? EARLY_MS : since_ms);
}

int64_t attempt_left_ms(struct attempt *p)
{
    attempt_follow_clock(p);
    return p->mail->expires_ms - clock_now_ms();
}

uint64_t attempt_timeout_ms(struct attempt *p, uint64_t usual_ms)
{
    int64_t left_ms = attempt_left_ms(p);
    uint64_t wait_ms = (left_ms > 0 ? (uint64_t)left_ms : 0) + JUST_OVER_MS;
    return wait_ms < usual_ms ? wait_ms : usual_ms;
}

/* What was last heard of it; or what it has waited for. */
static struct verdict last_word(const struct attempt *p, struct mail_row *row)
{
    const struct dispatch_work *work = p->work;
    struct verdict last = verdict_make(row->code, row->enhanced, "%s", row->reply);
    row->over = row->code >= 400;
    last.heard = strchr(row->remote, '[') != NULL; /* as rows have it */
    if (!row->over && work->reason == QUEUE_EXPIRED && work->text[0])
        last = verdict_make(451, "4.4.7", "Expired before it could be sent: it %s", work->text);
    return retry_expired(&last);
}

bool attempt_expired(struct attempt *p)
{
    if (attempt_left_ms(p) > 0)
        return false;
    p->not_attempted = true;
    for (size_t i = 0; i < p->mail->envelope.count; i++)
        if (p->answers[i].code == 0)
            p->answers[i] = last_word(p, &p->mail->rows[i]);
    return true;
}

size_t attempt_count_answers(const struct attempt *p)
{
    size_t count = 0;
    for (size_t i = 0; i < p->mail->envelope.count; i++)
        count += p->answers[i].code != 0;
    return count;
}

bool attempt_has_answer(const struct attempt *p)
{
    return attempt_count_answers(p) > p->answered;
}

bool attempt_all_answered(const struct attempt *p)
{
    for (size_t i = 0; i < p->mail->envelope.count; i++)
        if (p->answers[i].code == 0)
            return false;
    return true;
}

const char *attempt_hostname(const struct attempt *p)
{
    return p->source ? p->source->helo : p->settings->config->hostname;
}

void attempt_meets(struct attempt *p, const char *name, const char *address)
{
    char remote[sizeof(p->host.remote)];
    snprintf(remote, sizeof(remote), "%.200s[%.60s]", name, address);
    if (strcmp(remote, p->host.remote) == 0)
        return;
    memcpy(p->host.remote, remote, sizeof(remote));
    p->host.tls[0] = '\0';
    p->host.verified = false;
}

static bool is_same_host(const struct attempt_host *a, const struct attempt_host *b)
{
    return strcmp(a->remote, b->remote) == 0 && strcmp(a->tls, b->tls) == 0 &&
           a->verified == b->verified && a->tls_policy == b->tls_policy &&
           a->tls_result == b->tls_result && strcmp(a->tlsa, b->tlsa) == 0;
}

void attempt_answered_by(struct attempt *p)
{
    bool listed = p->host_count > 0 && is_same_host(&p->hosts[p->host_count - 1], &p->host);
    for (size_t i = 0; i < p->mail->envelope.count; i++) {
        if (p->answers[i].code == 0 || p->by[i] > 0)
            continue;
        if (!listed) {
            p->hosts = xgrow(p->hosts, p->host_count + 1, sizeof(*p->hosts));
            p->hosts[p->host_count++] = p->host;
            listed = true;
        }
        p->by[i] = (unsigned)p->host_count;
    }
}

const struct attempt_host *attempt_host_of(const struct attempt *p, size_t i)
{
    return p->by[i] > 0 ? &p->hosts[p->by[i] - 1] : &p->host;
}

/* They have no row here any more, so that nothing is recorded of them. */
void attempt_leave_rest(struct attempt *p)
{
    const struct queue_attempt *attempt = p->work->attempt;
    struct mail *m = p->mail;
    size_t kept = 0;
    p->left = xcalloc(attempt->count, sizeof(*p->left));
    for (size_t i = 0; i < m->envelope.count; i++) {
        bool answered = p->answers[i].code != 0;
        for (size_t k = 0; !answered && k < attempt->count; k++)
            p->left[k] = p->left[k] || attempt->numbers[k] == m->rows[i].number;
        if (!answered) {
            envelope_free_rcpt(&m->envelope.rcpts[i]);
            continue;
        }
        m->envelope.rcpts[kept] = m->envelope.rcpts[i];
        m->rows[kept] = m->rows[i];
        p->answers[kept] = p->answers[i];
        p->at[kept] = p->at[i];
        p->recorded[kept] = p->recorded[i];
        p->by[kept] = p->by[i];
        p->suppressed[kept++] = p->suppressed[i];
    }
    m->envelope.count = kept;
}
