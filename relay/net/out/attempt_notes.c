// SPDX-License-Identifier: BSD-2-Clause
/* attempt_notes.c - What is written down of an attempt on its way: events of its message, and the
 * dialogue where somebody asked for it. */
#include "attempt.h"
#include "clock.h"
#include "incidents.h"
#include "log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void attempt_note_dialogue(struct attempt *p, const struct delivery *d, const char *who,
                           struct span bytes)
{
    if (!p || !p->mail->dialogue)
        return;
    if (delivery_is_login(d))
        bytes = SPAN("(authentication)");
    while (bytes.len > 0) {
        struct span line = span_take(&bytes, '\n');
        buf_addf(&p->dialogue, "%s%.*s\n", who, SPAN_ARG(span_trim(line)));
    }
}

struct note {
    int64_t message;
    const char *kind; /* a literal */
    char host[ADDRESS_DOMAIN_MAX + 1];
    struct verdict v;
};

static bool write_note(struct database *db, void *context, struct err *err)
{
    const struct note *n = context;
    const struct database_event event = {.at_ms = clock_now_ms(),
                                         .kind = n->kind,
                                         .message = n->message,
                                         .recipient = "",
                                         .code = n->v.code,
                                         .enhanced = n->v.enhanced,
                                         .reply = n->v.text,
                                         .remote = n->host};
    return database_add_event(db, &event, err);
}

static void on_noted(void *context, struct store_job *job)
{
    (void)context;
    free(job->context);
    store_job_free(job);
}

static void note_event(struct attempt *p, const char *kind, const char *host,
                       const struct verdict *v)
{
    struct store_job *job = store_job_new(NULL, NULL);
    struct note *n = xcalloc(1, sizeof(*n));
    *n = (struct note){.message = p->mail->id, .kind = kind, .v = *v};
    snprintf(n->host, sizeof(n->host), "%s", host);
    job->run = write_note;
    job->context = n;
    worker_ask_store(p->home->worker, job, on_noted, NULL);
}

void attempt_note_remedy(struct attempt *p, const char *host, const struct delivery *d)
{
    bool in_clear = d->remedy == DELIVERY_IN_CLEAR;
    struct log_line *line = log_begin(LOG_WARN, in_clear ? "tls_failed" : "trying_again");
    line = log_text(log_text(line, "mx", host), "what", delivery_remedy_name(d->remedy));
    log_end(log_text(line, "reply", d->trouble.text));
    if (in_clear)
        note_event(p, "tls_failed", host, &d->trouble);
}

void attempt_note_unsigned(const struct attempt *p, const char *why)
{
    char about[400];
    char text[400];
    bool report = p->mail->envelope.sender[0] == '\0' && p->mail->protocol[0] == '\0';
    snprintf(about, sizeof(about), "%smail of %s", report ? "report on " : "",
             p->mail->from_domain);
    snprintf(text, sizeof(text), "cannot be signed and waits: %.300s", why);
    incidents_add(p->home->shared->incidents, ALERT_KEY, about, text);
}

/* What the operator hears of it. With an alert: it does not pass by itself. */
static const struct {
    bool alert;
    const char *what, *todo;
} login_notes[] = {
    [DELIVERY_LOGIN_LATER] = {false, "login failed for now", "it is tried again by itself"},
    [DELIVERY_LOGIN_IMPOSSIBLE] = {true, "login impossible",
                                   "correct host, port or tls of this route"},
    [DELIVERY_LOGIN_REFUSED] = {true, "login refused",
                                "correct username or password_file of this route"},
    [DELIVERY_LOGIN_WANTED] = {true, "login wanted",
                               "set username and password_file of this route, or have its host "
                               "allow this relay"},
};

void attempt_note_login(const struct attempt *p, const char *host, const struct delivery *d)
{
    const struct config_route *r = p->route;
    bool alert = login_notes[d->login].alert;
    char about[400];
    char text[400];
    char what[160];
    bool given = d->login == DELIVERY_LOGIN_WANTED && r->username[0];
    snprintf(what, sizeof(what), "%s%s",
             given ? "have the host of this route allow this user to relay"
                   : login_notes[d->login].todo,
             alert ? ", reload, then run \"sealpost queue retry --all\"" : "");
    snprintf(about, sizeof(about), "route \"%.120s\", user %.120s at %.120s", r->domain,
             r->username[0] ? r->username : "(none)", host);
    snprintf(text, sizeof(text), "%s: %d %.160s: %s", login_notes[d->login].what, d->trouble.code,
             d->trouble.text, what);
    if (alert)
        incidents_add(p->home->shared->incidents, ALERT_ROUTE, about, text);
    struct log_line *line =
        log_begin(alert ? LOG_ERROR : LOG_WARN,
                  d->login == DELIVERY_LOGIN_LATER ? "login_failed" : "login_refused");
    line = log_text(log_text(line, "route", r->domain), "mx", host);
    line = log_text(line, "user", r->username);
    line = log_text(log_number(line, "code", d->trouble.code), "reply", d->trouble.text);
    log_end(log_text(line, "what", what));
}
