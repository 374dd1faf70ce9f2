// SPDX-License-Identifier: BSD-2-Clause
/* attempt_notes.c - Records of an attempt in progress: events of its message, and the dialogue with
 * the server for messages that request it. */
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

void attempt_note_remedy(struct attempt *p, const char *host, const struct delivery *d)
{
    bool in_clear = d->remedy == DELIVERY_IN_CLEAR;
    struct log_line *line =
        log_begin(in_clear ? LOG_WARN : LOG_INFO, in_clear ? "tls_failed" : "trying_again");
    line = log_text(log_id(line, p->mail->id), "mx", host);
    line = log_text(line, "what", delivery_remedy_name(d->remedy));
    log_end(log_text(log_number(line, "code", d->trouble.code), "reply", d->trouble.text));
    if (in_clear)
        store_tell(p->home->worker->store, &(struct database_event){.kind = "tls_failed",
                                                                    .message = p->mail->id,
                                                                    .code = d->trouble.code,
                                                                    .enhanced = d->trouble.enhanced,
                                                                    .reply = d->trouble.text,
                                                                    .remote = host});
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

const char *attempt_login_word(const struct delivery *d)
{
    return login_notes[d->login].what;
}

void attempt_note_login(const struct attempt *p, const char *host, const struct delivery *d)
{
    const struct config_route *r = p->route;
    bool alert = login_notes[d->login].alert;
    char about[400];
    char text[400];
    char what[160];
    bool given = d->login == DELIVERY_LOGIN_WANTED && r->username[0];
    bool token = d->login == DELIVERY_LOGIN_REFUSED && r->token_command[0];
    snprintf(what, sizeof(what), "%s%s",
             given   ? "have the host of this route allow this user to relay"
             : token ? "see what token_command of this route says for this user"
                     : login_notes[d->login].todo,
             !alert  ? ""
             : token ? ", then run \"sealpost queue retry --all\"" /* nothing of it is a setting */
                     : ", reload, then run \"sealpost queue retry --all\"");
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

void attempt_note_token(const struct attempt *p, const char *why)
{
    const struct config_route *r = p->route;
    char about[400];
    char text[400];
    static const char todo[] =
        "run token_command of this route as the relay's user, with this user "
        "as its argument, and see";
    snprintf(about, sizeof(about), "route \"%.120s\", user %.120s", r->domain, r->username);
    snprintf(text, sizeof(text), "no token to log in by: %.160s: %s", why, todo);
    incidents_add(p->home->shared->incidents, ALERT_ROUTE, about, text);
    struct log_line *line = log_text(
        log_text(log_begin(LOG_ERROR, "token_failed"), "route", r->domain), "user", r->username);
    log_end(log_text(log_text(line, "reply", why), "what", todo));
}
