// SPDX-License-Identifier: BSD-2-Clause
/* dispatch_notes.c - Log lines and events about destinations that begin or end to rest, and about
 * tenants whose connections are stuck. */
#include "dispatch_parts.h"

#include "log.h"

#include <stdio.h>

enum { ALERT_FAILURES = 3 }; /* before, it may be over in seconds */

static void log_rest(const char *destination, const char *why, int64_t rest_ms)
{
    bool rests = rest_ms > 0;
    struct log_line *line = log_text(
        log_begin(rests ? LOG_WARN : LOG_INFO, rests ? "destination_rests" : "destination_resumed"),
        "destination", destination);
    if (rests)
        line = log_number(log_text(line, "reply", why), "rest_ms", rest_ms);
    log_end(line);
}

static void tell_resumed(struct dispatch *d, const char *destination, const char *why,
                         enum queue_reason reason)
{
    const char *usual = reason == QUEUE_REST_OVER    ? "the operator's rest is over"
                        : reason == QUEUE_LIMIT_OVER ? "no mail is held up any more"
                                                     : "a connection works again";
    char text[QUEUE_WHY_MAX + 100];
    snprintf(text, sizeof(text), "%s%s%s", usual, *why ? "; it was: " : "", why);
    incidents_add_event(d->incidents, "destination_resumed", destination, text);
}

static void tell_rests(struct dispatch *d, const struct queue_decision *decision, const char *why,
                       unsigned failures)
{
    const char *destination = decision->destination;
    int64_t rest_ms = decision->rest_ms;
    char text[QUEUE_WHY_MAX + 200];
    char whose[100] = "";
    char row[40] = "";
    if (failures > 0)
        snprintf(row, sizeof(row), ", failure %u in a row", failures);
    if (failures == ALERT_FAILURES && decision->tenant && *decision->tenant)
        alert_print_whose(decision->tenant, whose, sizeof(whose));
    snprintf(text, sizeof(text), "for %lld s%s%s%s%s", (long long)(rest_ms + 999) / 1000, row,
             *why ? ": " : "", why, whose);
    if (failures != ALERT_FAILURES ||
        !incidents_add(d->incidents, ALERT_DESTINATION, destination, text))
        incidents_add_event(d->incidents, alert_name(ALERT_DESTINATION), destination, text);
}

static void log_held_up(struct dispatch *d, const struct queue_decision *decision)
{
    (void)d;
    log_end(log_number(
        log_text(log_text(log_begin(LOG_WARN, "tenant_held_up"), "tenant", decision->tenant),
                 "destination", decision->destination),
        "count", decision->count));
}

static void tell_hangs(struct dispatch *d, const struct queue_decision *decision)
{
    struct log_line *line = log_begin(LOG_WARN, "destination_hangs");
    line = log_text(log_text(line, "destination", decision->destination), "what", decision->text);
    log_end(log_number(line, "count", decision->count));
    incidents_add(d->incidents, ALERT_DESTINATION, decision->destination, decision->text);
}

static void tell_limit_lasts(struct dispatch *d, const struct queue_decision *decision)
{
    char text[QUEUE_WHY_MAX + 100];
    long long for_s = (long long)decision->rest_ms / 1000;
    struct log_line *line = log_begin(LOG_WARN, "limit_lasts");
    line = log_text(log_text(line, "destination", decision->destination), "reply", decision->text);
    log_end(log_number(line, "for_s", for_s));
    snprintf(text, sizeof(text), "no mail is taken for %lld s: %s", for_s, decision->text);
    if (!incidents_add(d->incidents, ALERT_DESTINATION, decision->destination, text))
        incidents_add_event(d->incidents, alert_name(ALERT_DESTINATION), decision->destination,
                            text);
}

/* ---- what waits as some was refused ---- */

static void log_pause(const struct queue_decision *decision, const char *word)
{
    bool begins = decision->rest_ms > 0;
    struct log_line *line = log_text(log_begin(begins ? LOG_WARN : LOG_INFO, word), "destination",
                                     decision->destination);
    if (*decision->tenant)
        line = log_text(line, "tenant", decision->tenant);
    line = log_text(line, "what", decision->text);
    if (begins)
        line = log_number(line, "rest_ms", decision->rest_ms);
    log_end(line);
}

/* One alert for each that begins, and its end; what is only asked in vain is an event. */
static void tell_pause(struct dispatch *d, const struct queue_decision *decision)
{
    char about[QUEUE_WHY_MAX + 200];
    char text[QUEUE_WHY_MAX + 700];
    const char *what = decision->text;
    log_pause(decision, "mail_paused");
    snprintf(text, sizeof(text), "for %lld s: %s", (long long)(decision->rest_ms + 999) / 1000,
             what);
    snprintf(about, sizeof(about), "%s, %.*s", decision->destination,
             (int)span_search(span_of(what), SPAN(", by ")), what);
    if (decision->count > 1 || !incidents_add(d->incidents, ALERT_PAUSE, about, text))
        incidents_add_event(d->incidents, "mail_paused", decision->destination, text);
}

static void tell_pause_over(struct dispatch *d, const struct queue_decision *decision)
{
    log_pause(decision, "mail_resumed");
    incidents_add_event(d->incidents, "mail_resumed", decision->destination, decision->text);
}

static void tell_alarm(struct dispatch *d, const struct queue_decision *decision)
{
    char text[QUEUE_WHY_MAX + 700];
    log_pause(decision, "reply_alarm");
    snprintf(text, sizeof(text), "nothing waits for it: %s", decision->text);
    incidents_add(d->incidents, ALERT_PAUSE, decision->destination, text);
}

/* What is about no rest of the destination itself. */
static bool tell_by_reason(struct dispatch *d, const struct queue_decision *decision)
{
    static const struct {
        enum queue_reason reason;
        void (*tell)(struct dispatch *d, const struct queue_decision *decision);
    } rows[] = {{QUEUE_SHARE_USED, log_held_up},       {QUEUE_HANGS, tell_hangs},
                {QUEUE_LIMIT_LASTS, tell_limit_lasts}, {QUEUE_PAUSE_BEGINS, tell_pause},
                {QUEUE_PAUSE_ENDS, tell_pause_over},   {QUEUE_ALARM, tell_alarm}};
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (rows[i].reason == decision->reason) {
            rows[i].tell(d, decision);
            return true;
        }
    return false;
}

void dispatch_tell(struct dispatch *d, const struct queue_decision *decision, int64_t now_ms)
{
    struct queue_destination_view view;
    if (tell_by_reason(d, decision))
        return;
    const char *why = decision->text ? decision->text : "";
    if (!queue_find_destination(d->queue, decision->destination, &view, now_ms) ||
        (decision->rest_ms <= 0 && view.rest_ms > 0))
        return; /* an operator's rest goes on */
    log_rest(decision->destination, why, decision->rest_ms);
    if (d->commanded)
        return;
    if (decision->rest_ms > 0)
        tell_rests(d, decision, why, view.failures);
    else
        tell_resumed(d, decision->destination, why, decision->reason);
}
