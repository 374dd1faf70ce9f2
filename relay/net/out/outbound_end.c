// SPDX-License-Identifier: BSD-2-Clause
/* outbound_end.c - The end of an outbound connection: releases its host's address, its attempt and
 * its place in the queue. */
#include "outbound_parts.h"

#include "attempt_heard.h"
#include "clock.h"
#include "retry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

static void on_end(uv_handle_t *handle)
{
    struct outbound *c = handle->data;
    struct deliveries *home = c->home;
    DL_DELETE(home->outbounds, c);
    HASH_DEL(home->outbounds_by_number, c);
    settings_drop(c->settings);
    free(c);
    worker_something_ended(home->worker);
}

void outbound_end_delivery(struct outbound *c)
{
    if (c->delivery_live)
        delivery_fini(&c->delivery);
    c->delivery_live = false;
}

void outbound_has_spoken(struct outbound *c, const struct attempt *p)
{
    c->spoken = true;
    const struct verdict *reply = NULL;
    c->said = attempt_spoken(p, &reply);
    if (!c->refusal_told)
        attempt_tells_refusals(p);
    c->refusal_told = false;
    if (reply)
        dispatch_names_reply(c->home->shared->dispatch, c->number, reply);
}

/* The attempt is done with. Says what is next. */
enum queue_next outbound_tell_spoken(struct outbound *c, bool reusable,
                                     struct dispatch_work **next_r)
{
    enum queue_spoken spoken = c->answered && c->said != QUEUE_NOT_SPOKEN ? c->said
                               : c->answered                              ? QUEUE_SPOKEN
                                                                          : QUEUE_NOT_SPOKEN;
    c->spoken = c->answered = false;
    c->said = QUEUE_NOT_SPOKEN;
    return dispatch_message_done(c->home->shared->dispatch, c->number, spoken, reusable, next_r);
}

void outbound_end(struct outbound *c)
{
    struct dispatch_work *none = NULL;
    CHECK(!c->attempt && !c->ending);
    c->ending = true;
    transaction_end(&c->transaction);
    outbound_end_delivery(c);
    outbound_token_end(c);
    host_trust_end(c);
    if (c->spoken) /* the attempt is settled: the queue must not have it again */
        CHECK(outbound_tell_spoken(c, false, &none) == QUEUE_NEXT_CLOSE);
    if (!c->told)
        dispatch_closed(c->home->shared->dispatch, c->number);
    uv_close((uv_handle_t *)&c->end_timer, on_end);
}

void outbound_leave_host(struct outbound *c)
{
    struct dispatch *d = c->home->shared->dispatch;
    candidates_host_left(&c->candidates, clock_steady_ms());
    if (c->reached && c->stalled && c->candidates.count > 1)
        dial_log_avoided(c->host_name, &c->at, "no answer in time",
                         dispatch_address_stalled(d, c->number, &c->at));
    else if (c->reached)
        dispatch_address_left(d, c->number, &c->at);
    c->reached = false;
}

/* For the queue and the operator, who may know more than the senders. */
static void print_why(const struct outbound *c, const struct verdict *v, char why_r[QUEUE_WHY_MAX])
{
    if (c->own_why[0] && strcmp(v->enhanced, RETRY_OUR_SETTINGS) == 0)
        snprintf(why_r, QUEUE_WHY_MAX, "%s", c->own_why);
    else
        snprintf(why_r, QUEUE_WHY_MAX, "%03d %s%s%.180s", v->code, v->enhanced,
                 v->enhanced[0] ? " " : "", v->text);
}

bool outbound_turned_away(struct outbound *c, const struct verdict *v, bool first)
{
    struct attempt *p = c->attempt;
    char why[QUEUE_WHY_MAX];
    bool for_now = v->heard && candidates_take_no_more(v) && !attempt_has_answer(p);
    if (v->code == 0 || (!first && !for_now))
        return false;
    enum queue_refusal what = !for_now ? QUEUE_REFUSES_MESSAGE
                              : first  ? QUEUE_REFUSES_FIRST
                                       : QUEUE_REFUSES_LATER;
    print_why(c, v, why);
    if (for_now && !c->refusal_told)
        attempt_tells_failure(p, v, c->host_name, true);
    c->refusal_told = for_now;
    if (!dispatch_turned_away(c->home->shared->dispatch, c->number, p->mail->envelope.sender, what,
                              why))
        return false;
    transaction_end(&c->transaction);
    c->attempt = NULL;
    c->trouble = (struct verdict){0};
    c->refusal_told = false;
    attempt_drop(p);
    return true;
}

void outbound_fail(struct outbound *c, enum queue_failure how, const struct verdict *v)
{
    struct attempt *p = c->attempt;
    char why[QUEUE_WHY_MAX];
    if (c->stalled)
        outbound_leave_host(c);
    print_why(c, v, why);
    if (c->opened && c->delivery_live && !c->refusal_told)
        attempt_tells_failure(p, v, c->host_name, delivery_refuses_mail(&c->delivery));
    if (how == QUEUE_FAIL_BROKE && attempt_lost_as_too_fast(p, v))
        dispatch_sent_too_fast(c->home->shared->dispatch, c->number, v);
    bool untried = dispatch_failed(
        c->home->shared->dispatch, c->number,
        attempt_has_answer(p) && how != QUEUE_FAIL_BROKE ? QUEUE_FAIL_LOST : how, why);
    c->told = true;
    c->attempt = NULL;
    transaction_end(&c->transaction);
    if (untried) {
        attempt_drop(p);
    } else {
        attempt_answer_all(p, v);
        attempt_settle(p);
    }
    outbound_end(c);
}

void outbound_put_back(struct outbound *c)
{
    const struct verdict v = verdict_make(451, "4.4.3", "What its hosts must show is asked for");
    c->attempt->not_attempted = true;
    outbound_fail(c, QUEUE_FAIL_STALE, &v);
}

void outbound_drop(struct outbound *c, const char *why)
{
    const struct verdict v = verdict_make(451, "4.3.2", "%s", why);
    struct attempt *p = c->attempt;
    if (attempt_has_answer(p) || c->trouble.code != 0) { /* somebody was asked */
        outbound_fail(c, QUEUE_FAIL_LOST, c->trouble.code != 0 ? &c->trouble : &v);
        return;
    }
    c->attempt = NULL;
    transaction_end(&c->transaction);
    attempt_drop(p);
    outbound_end(c);
}
