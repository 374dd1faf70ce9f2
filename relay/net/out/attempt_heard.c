// SPDX-License-Identifier: BSD-2-Clause
/* attempt_heard.c - What servers have said to a message, for the queue: what each reply means, and
 * whose other mail waits because of it. Which that is, a table says (policy/reply/actions.txt). */
#include "attempt_heard.h"

#include "queue_pause.h"
#include "queue_view.h"

#include <stdio.h>
#include <string.h>

/* Of an attempt's answers so many are judged; what is about mailboxes is each one's own. */
enum { JUDGED_FOR_SPEED = 4, JUDGED_FOR_PAUSES = 20 };

/* As co.uk and or.at: many have their names below it. */
static bool is_for_many(const char *parent)
{
    const char *dot = strchr(parent, '.');
    return dot - parent <= 3 && strlen(dot + 1) == 2;
}

static void look_up_site(struct deliveries_site *s)
{
    s->provider = queue_provider_of(s->host, s->site, sizeof(s->site));
    if (s->provider)
        return;
    const char *parent = strchr(s->host, '.');
    bool named = parent && strchr(parent + 1, '.') && !is_for_many(parent + 1);
    span_put(span_of(named ? parent + 1 : s->host), s->site, sizeof(s->site));
}

/* `remote`: "mx1.club.example[192.0.2.10]". The table is gone through for another host than the
 * last one. */
static bool find_site(struct deliveries *home, const char *remote, char site_r[64])
{
    struct deliveries_site *last = &home->last_site;
    char host[sizeof(last->host)];
    snprintf(host, sizeof(host), "%.*s", (int)span_find(span_of(remote), '['), remote);
    if (!last->site[0] || strcmp(host, last->host) != 0) {
        memcpy(last->host, host, sizeof(host));
        look_up_site(last);
    }
    memcpy(site_r, last->site, sizeof(last->site));
    return last->provider;
}

bool attempt_site(const struct attempt *p, size_t i, char site_r[64])
{
    return find_site(p->home, attempt_host_of(p, i)->remote, site_r);
}

bool attempt_judge(const struct attempt *p, size_t i, struct reply_judgement *judgement_r,
                   struct reply_action *action_r)
{
    char site[64];
    struct reply_input in = {.answer = &p->answers[i], .stage = p->at[i]};
    if (!in.answer->heard || in.answer->code < 400 || p->mail->rows[i].over)
        return false;
    if (attempt_site(p, i, site))
        in.provider = span_of(site);
    *judgement_r = reply_judge(&in);
    *action_r = reply_action(&in, judgement_r);
    return true;
}

/* Too much from here: what is said to MAIL is judged by the queue itself. */
static bool is_too_fast(const struct attempt *p, size_t i)
{
    struct reply_judgement judgement;
    struct reply_action action;
    return p->at[i] > REPLY_AT_MAIL && attempt_judge(p, i, &judgement, &action) &&
           action.what == REPLY_DO_SLOW;
}

enum queue_spoken attempt_spoken(const struct attempt *p, const struct verdict **reply_r)
{
    enum queue_spoken spoken = QUEUE_SPOKEN;
    *reply_r = NULL;
    unsigned judged = 0;
    for (size_t i = 0; i < p->mail->envelope.count && judged < JUDGED_FOR_SPEED; i++) {
        const struct verdict *answer = &p->answers[i];
        if (!answer->heard || p->recorded[i] || p->mail->rows[i].over)
            continue;
        if (answer->code < 400)
            spoken = QUEUE_TAKEN;
        else if (judged++, is_too_fast(p, i)) {
            *reply_r = answer;
            return QUEUE_TOO_FAST;
        }
    }
    return spoken;
}

/* ---- who else waits ---- */

static const struct {
    enum queue_pause_kind kind;
    bool waits; /* others' mail does */
    bool narrow;
} pauses[REPLY_DOS] = {
    [REPLY_DO_PAUSE] = {QUEUE_PAUSE_SOURCE, true, true},
    [REPLY_DO_PAUSE_SOURCE] = {QUEUE_PAUSE_SOURCE, true, false},
    [REPLY_DO_PAUSE_DOMAIN] = {QUEUE_PAUSE_SENDER, true, false},
    [REPLY_DO_SLOW_RECIPIENT] = {QUEUE_PAUSE_MAILBOX, false, true},
    [REPLY_DO_ALARM] = {QUEUE_PAUSE_ALARM, false, false},
};

static bool tells_of_others(enum reply_do what)
{
    return pauses[what].waits || pauses[what].kind != QUEUE_PAUSE_SOURCE;
}

/* Whom it is about, besides us. */
static const char *about_of(const struct attempt *p, size_t i, enum queue_pause_kind kind)
{
    switch (kind) {
    case QUEUE_PAUSE_SENDER:
        return p->mail->from_domain;
    case QUEUE_PAUSE_MAILBOX:
        return p->mail->envelope.rcpts[i].address;
    case QUEUE_PAUSE_SOURCE:
    case QUEUE_PAUSE_ALARM:
    case QUEUE_PAUSE_KINDS:
        break;
    }
    return "";
}

static void tell(const struct attempt *p, size_t i, const struct reply_action *action,
                 enum reply_stage stage, const struct verdict *v)
{
    enum queue_pause_kind kind = pauses[action->what].kind;
    char why[QUEUE_WHY_MAX];
    if (!tells_of_others(action->what))
        return;
    snprintf(why, sizeof(why), "%03d %s%s%.180s", v->code, v->enhanced, v->enhanced[0] ? " " : "",
             v->text);
    const struct queue_refusal_said said = {.kind = kind,
                                            .about = about_of(p, i, kind),
                                            .row = action->row,
                                            .why = why,
                                            .early = stage == REPLY_AT_MAIL,
                                            .narrow = pauses[action->what].narrow,
                                            .times = action->times,
                                            .within_ms = action->within_ms,
                                            .for_ms = action->for_ms};
    dispatch_was_refused(p->work->dispatch, p->work->attempt, &said);
}

void attempt_tells_refusals(const struct attempt *p)
{
    struct reply_judgement judgement;
    struct reply_action action;
    enum reply_do last = REPLY_DO_NOTHING; /* one message counts once */
    unsigned judged = 0;
    for (size_t i = 0; i < p->mail->envelope.count && judged < JUDGED_FOR_PAUSES; i++) {
        if (p->recorded[i] || !attempt_judge(p, i, &judgement, &action))
            continue;
        judged++;
        if (action.what == last && action.what != REPLY_DO_SLOW_RECIPIENT)
            continue;
        last = action.what;
        tell(p, i, &action, p->at[i], &p->answers[i]);
    }
}

void attempt_tells_failure(const struct attempt *p, const struct verdict *v, const char *host,
                           bool at_mail)
{
    char site[64];
    struct reply_input in = {.answer = v, .stage = at_mail ? REPLY_AT_MAIL : REPLY_AT_RCPT};
    attempt_tells_refusals(p);
    if (!v->heard || v->code < 400 || attempt_all_answered(p)) /* then that was told just now */
        return;
    if (find_site(p->home, host, site))
        in.provider = span_of(site);
    const struct reply_judgement judgement = reply_judge(&in);
    const struct reply_action action = reply_action(&in, &judgement);
    tell(p, 0, &action, in.stage, v);
}

bool attempt_lost_as_too_fast(const struct attempt *p, const struct verdict *v)
{
    char site[64];
    struct reply_input in = {.answer = v, .stage = REPLY_AT_RCPT};
    if (!v->heard || v->code < 400)
        return false;
    if (attempt_site(p, 0, site))
        in.provider = span_of(site);
    const struct reply_judgement judgement = reply_judge(&in);
    return reply_action(&in, &judgement).what == REPLY_DO_SLOW;
}

bool attempt_is_refused_for_others(const struct attempt *p)
{
    struct reply_judgement judgement;
    struct reply_action action;
    unsigned judged = 0;
    for (size_t i = 0; i < p->mail->envelope.count && judged < JUDGED_FOR_SPEED; i++)
        if (!p->recorded[i] && attempt_judge(p, i, &judgement, &action)) {
            judged++;
            if (pauses[action.what].waits)
                return true;
        }
    return false;
}

/* ---- what is known before ---- */

static int64_t waits_ms(const struct attempt *p)
{
    struct dispatch *d = p->work->dispatch;
    const struct queue_attempt *a = p->work->attempt;
    int64_t ms = dispatch_pause_waits(d, a, QUEUE_PAUSE_SENDER, p->mail->from_domain);
    bool all_wait = p->mail->envelope.count > 0;
    int64_t mailboxes_ms = 0;
    for (size_t i = 0; ms == 0 && all_wait && i < p->mail->envelope.count; i++) {
        int64_t one_ms =
            dispatch_pause_waits(d, a, QUEUE_PAUSE_MAILBOX, p->mail->envelope.rcpts[i].address);
        all_wait = one_ms > 0;
        if (mailboxes_ms == 0 || one_ms < mailboxes_ms)
            mailboxes_ms = one_ms;
    }
    return ms > 0 ? ms : all_wait ? mailboxes_ms : 0;
}

int64_t attempt_waits_ms(struct attempt *p)
{
    int64_t left_ms = attempt_left_ms(p);
    int64_t ms = waits_ms(p);
    return left_ms > 0 && left_ms < ms ? left_ms : ms; /* its sender is told in time */
}
