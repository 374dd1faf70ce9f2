// SPDX-License-Identifier: BSD-2-Clause
/* attempt_start.c - An attempt up to the outbound connection.
 *
 * Failure modes: the rows cannot be read (tried again in 5 seconds) - nobody is due any more
 * (dropped) - its time is over (never: nothing late is sent) - no key (later, the operator is told)
 * - the queue has found no host (answered here) - the settings have changed since the queue looked,
 * or the domain's policy has ended (it looks again).
 */
#include "attempt.h"

#include "attempt_heard.h"
#include "clock.h"
#include "log.h"
#include "retry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { AGAIN_MS = 5000, EARLY_MS = 60 * 1000, CLOCK_MOVES_MS = 100 };

/* Whom the resolver has asked, and where that is set. `text_r` holds 120 bytes. */
static void dns_asked(const struct config *config, char *text_r)
{
    if (config->dns_forward_count > 0)
        snprintf(text_r, 120, "asked %s%s, as dns { forward } says", config->dns_forward[0],
                 config->dns_forward_count > 1 ? " and others" : "");
    else
        snprintf(text_r, 120,
                 "asked from the root servers; dns { forward } can name a resolver to ask");
}

/* What DNS has said of where the mail should go, as an answer. */
static struct verdict unresolvable(struct attempt *p)
{
    const char *domain = p->work->domain;
    char asked[120];
    dns_asked(p->settings->config, asked);
    switch (p->work->result) {
    case MX_PENDING:
    case MX_FOUND:
        UNREACHABLE();
    case MX_NULL:
        return verdict_make(556, "5.1.10", "Domain %s does not accept mail (null MX)", domain);
    case MX_NO_DOMAIN:
        if (p->route->host[0])
            return verdict_make(451, "4.4.3", "Smart host %.80s not found in DNS (%s)",
                                p->route->host, asked);
        return verdict_make(550, "5.1.2", "Domain %s does not exist or has no mail server", domain);
    case MX_LOOP:
        return verdict_make(554, "5.4.6", "Mail for %s loops back to this host: %s", domain,
                            p->work->text[0] ? p->work->text : "its MX is ourselves");
    case MX_BARRED:
        return verdict_make(550, "5.4.4", "Domain %s has no host that can be reached: %s", domain,
                            p->work->text);
    case MX_UNTRIED:
        return verdict_make(451, "4.4.4", "Domain %s: %s; others are tried later", domain,
                            p->work->text);
    case MX_FAILED:
        return verdict_make(451, "4.4.3", "DNS has no usable answer for %.80s%s%s (%s)", domain,
                            p->work->text[0] ? ": " : "", p->work->text, asked);
    case MX_SOURCE:
        return verdict_make(451, "4.4.4", "Domain %.120s: %s", domain, p->work->text);
    case MX_DOWN:
        p->not_attempted = true;
        return verdict_make(451, "4.4.3", "DNS gives no answer at all: is the network down? (%s)",
                            asked);
    case MX_BOGUS:
        p->not_attempted = true;
        return verdict_make(451, "4.4.3",
                            "No answer of DNS can be validated (DNSSEC: dnssec-bogus): dns { "
                            "trust_anchor } %.200s does not fit the root, or the clock is wrong "
                            "(%s)",
                            p->settings->config->trust_anchor, asked);
    }
    UNREACHABLE();
}

/* Nobody is asked. */
static void settle_without(struct attempt *p)
{
    struct verdict v = p->work->reason == QUEUE_UNRESOLVABLE
                           ? unresolvable(p)
                           : verdict_make(451, "4.4.1", "%s", p->work->text);
    attempt_answer_all(p, &v);
    attempt_settle(p);
}

/* Keep the recipients of this attempt that are still due; the others are somebody else's, or
 * settled, or due later because they have been tried meanwhile. A minute counts as due: the
 * queue's clock and the rows' drift apart by what NTP corrects. `suppressed`, which stands beside
 * them, or NULL, is narrowed with them. */
static void narrow(struct attempt *p, struct verdict *suppressed, int64_t now_ms)
{
    const struct queue_attempt *work = p->work->attempt;
    struct mail *m = p->mail;
    struct envelope all = m->envelope;
    size_t kept = 0;
    for (size_t i = 0; i < all.count; i++) {
        bool wanted = false;
        for (size_t k = 0; k < work->count; k++)
            wanted = wanted || work->numbers[k] == m->rows[i].number;
        wanted = wanted && m->rows[i].state == MAIL_WAITING;
        int64_t early_ms = m->rows[i].due_ms - now_ms;
        if (wanted && early_ms > EARLY_MS && (p->again_in_ms == 0 || early_ms < p->again_in_ms))
            p->again_in_ms = early_ms; /* then all of it: nobody else would think of them */
        if (wanted) {
            struct envelope_rcpt other = m->envelope.rcpts[kept];
            m->envelope.rcpts[kept] = m->envelope.rcpts[i];
            m->envelope.rcpts[i] = other;
            if (suppressed)
                suppressed[kept] = suppressed[i];
            m->rows[kept++] = m->rows[i];
        }
    }
    for (size_t i = kept; i < all.count; i++)
        envelope_free_rcpt(&all.rcpts[i]);
    m->envelope.count = kept;
}

/* Whoever waits with a final answer was refused when the message came: only the report is missing.
 */
static void answer_refused(struct attempt *p)
{
    for (size_t i = 0; i < p->mail->envelope.count; i++) {
        const struct mail_row *row = &p->mail->rows[i];
        if (row->tries > 0 || row->code < 500)
            continue;
        p->answers[i] = verdict_make(row->code, row->enhanced, "%s", row->reply);
        p->suppressed[i] = strcmp(row->enhanced, "5.7.1") == 0;
    }
}

/* Whoever has been suppressed while the message waited gets it no more. */
static void answer_suppressed(struct attempt *p, const struct verdict *suppressed)
{
    for (size_t i = 0; i < p->mail->envelope.count; i++) {
        if (p->answers[i].code != 0 || suppressed[i].code == 0)
            continue;
        p->answers[i] = suppressed[i];
        p->suppressed[i] = true;
    }
}

/* Nobody is connected to for mail that cannot be signed. */
static bool may_be_signed(struct attempt *p)
{
    struct keyring_loan loan;
    struct err err = {0};
    struct keyring *keyring = p->home->shared->keyring;
    bool ok = keyring_find(keyring, p->mail->from_domain, &loan, &err);
    if (ok) {
        keyring_return(keyring, &loan);
        return true;
    }
    attempt_note_unsigned(p, err.text);
    attempt_own_fault(p, &err);
    return false;
}

/* Who of its recipients is to get it now. */
static void begin_answers(struct attempt *p, struct verdict *suppressed)
{
    narrow(p, suppressed, clock_now_ms());
    p->answers = xcalloc(p->mail->envelope.count + 1, sizeof(*p->answers));
    p->at = xcalloc(p->mail->envelope.count + 1, sizeof(*p->at));
    p->suppressed = xcalloc(p->mail->envelope.count + 1, sizeof(*p->suppressed));
    p->recorded = xcalloc(p->mail->envelope.count + 1, sizeof(*p->recorded));
    p->by = xcalloc(p->mail->envelope.count + 1, sizeof(*p->by));
}

/* The message as it was read. */
static bool take_rows(struct attempt *p, struct err *err)
{
    struct store_question *q = p->reading.answer;
    if (!q) { /* from memory: nobody of it is refused or suppressed */
        begin_answers(p, NULL);
        return true;
    }
    p->mail = q->mail;
    q->mail = NULL;
    *err = q->err;
    if (!q->ok)
        return false;
    begin_answers(p, q->suppressed);
    answer_refused(p);
    answer_suppressed(p, q->suppressed);
    return true;
}

/* Its rows, if they are to be had; false: it ends. */
static bool find_rows(struct attempt *p)
{
    struct err err = {0};
    bool found = !p->home->worker->draining && take_rows(p, &err);
    store_question_free(p->reading.answer);
    p->reading.answer = NULL;
    if (!found && err.kind != ERR_NOT_FOUND) {
        p->again_in_ms = AGAIN_MS;
        if (!p->home->worker->draining)
            log_event(LOG_ERROR, "queue_unreadable", "reply", err.text);
    }
    if (found && !clock_holds(p->reading.epoch)) { /* rows and clock are of different times */
        p->again_in_ms = CLOCK_MOVES_MS;
        return false;
    }
    return found && p->mail->envelope.count > 0 && p->again_in_ms == 0;
}

/* By the settings, and by what is known of the domain's policy; else it is tried again. */
static bool may_go(struct attempt *p)
{
    const struct dispatch_work *work = p->work;
    if (dispatch_trust(p->settings, p->route, work->need, work->source) != work->attempt->trust) {
        p->outdated = true;
        return false;
    }
    switch (domain_policy_take(p)) {
    case DOMAIN_POLICY_TAKEN:
        p->again_in_ms = attempt_waits_ms(p);
        return p->again_in_ms == 0;
    case DOMAIN_POLICY_AWAITED:
        p->again_in_ms = retry_look_ms(clock_now_ms() - p->due_ms, work->urgent);
        return false;
    case DOMAIN_POLICY_OUTDATED:
        p->outdated = true;
        return false;
    }
    UNREACHABLE();
}

/* Where nobody is to be asked, or its time is over, that is not looked at. */
static bool is_moved(struct attempt *p)
{
    const struct dispatch_work *work = p->work;
    if (work->domain[0] == '\0' || (work->connection == 0 && work->reason != QUEUE_UNRESOLVABLE))
        return false;
    p->moved = strcmp(p->source ? p->source->name : "", work->source) != 0;
    return p->moved;
}

struct attempt *attempt_start(struct dispatch_work *work)
{
    struct attempt *p = work->begun;
    attempt_leave_reading(p);
    if (!find_rows(p)) {
        attempt_end(p);
        return NULL;
    }
    p->route = config_route(p->settings->config, work->domain);
    p->source = config_source_for(p->settings->config, p->mail->tenant, p->mail->stream);
    p->due_ms = p->mail->rows[0].due_ms;
    if (attempt_all_answered(p) || attempt_expired(p) || !may_be_signed(p)) {
        attempt_settle(p);
    } else if (is_moved(p)) {
        attempt_end(p);
    } else if (work->connection == 0) {
        settle_without(p);
    } else if (may_go(p)) {
        p->answered = attempt_count_answers(p);
        return p;
    } else {
        attempt_end(p);
    }
    return NULL;
}
