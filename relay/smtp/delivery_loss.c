// SPDX-License-Identifier: BSD-2-Clause
/* delivery_loss.c - What happens to the message under way when the host refuses it or the
 * connection is lost. */
#include "delivery_parts.h"
#include "rcpts.h"

/* As logs, bounces and the dialogue call them. */
static const char *const names[] = {
    [GREETING] = "greeting",
    [EHLO] = "EHLO",
    [HELO] = "HELO",
    [STARTTLS] = "STARTTLS",
    [AUTH] = "AUTH",
    [AUTH_RESPONSE] = "AUTH",
    [READY] = "between messages",
    [MAIL] = "MAIL",
    [RCPT] = "RCPT",
    [DATA] = "DATA",
    [BODY] = "end of data",
    [RSET] = "RSET",
    [QUIT] = "QUIT",
};

const char *delivery_stage_name(const struct delivery *d)
{
    return d->saying_body ? "message body" : names[d->stage];
}

/* Whatever ends it while we log in. */
static void note_login_stage(struct delivery *d)
{
    if (is_login((enum delivery_stage)d->stage) && d->login == DELIVERY_LOGIN_FINE)
        d->login = DELIVERY_LOGIN_LATER;
}

enum delivery_stage delivery_host_refuses(struct delivery *d, struct verdict v)
{
    note_login_stage(d);
    if (v.code < 400) /* no refusal at all: what is wrong with it is our word */
        v = verdict_make(451, "4.5.0", "protocol error: %s was answered with %d %s",
                         delivery_stage_name(d), v.code, v.text);
    v.what = VERDICT_DEFER;
    d->trouble = v;
    d->host_refused = true;
    d->said_later = v.code == 421 || (d->stage == GREETING && v.code / 100 == 4);
    d->remedy = remedy_for_refusal(d);
    d->want = DELIVERY_CLOSE;
    return QUIT;
}

enum delivery_stage delivery_settles(struct delivery *d, const struct verdict *v)
{
    struct verdict answer = *v;
    d->doubted = d->second = (struct verdict){0};
    d->saying_body = false;
    d->left = true;
    rcpts_answer_all(d->mail, &answer);
    d->want = DELIVERY_DONE;
    return READY;
}

/* The connection ends with a doubt (doubt.c). True: the answer that was doubted stands, and the
 * message is done with; else it is lost, for `*why` if that is changed. */
static bool is_settled_by_doubt(struct delivery *d, const char **why)
{
    if (d->doubted.code == 0)
        return false;
    if (d->doubted.what == VERDICT_ACCEPT)
        *why = "protocol error: the server took the message before it had all of it";
    else if (d->doubted.code == 421)
        d->trouble = d->doubted;
    else
        d->stage = delivery_settles(d, &d->doubted);
    d->doubted = d->second = (struct verdict){0};
    return d->want == DELIVERY_DONE;
}

void delivery_loses(struct delivery *d, const char *why, enum delivery_loss loss)
{
    if (d->left || is_settled_by_doubt(d, &why))
        return;
    if (d->trouble.code == 0)
        d->trouble = verdict_make(451, "4.4.2", "%s (while at %s)%s", why ? why : "connection lost",
                                  delivery_stage_name(d), remedy_hint(d, loss));
    note_login_stage(d);
    d->host_refused = d->host_refused || d->stage < READY;
    if (d->want == DELIVERY_DONE) /* the answers are in: what happens now does not change them */
        return;
    d->remedy = remedy_for(d, loss);
    d->want = DELIVERY_CLOSE;
    if (!d->mail)
        return;
    d->apart = remedy_apart(d, loss);
    if (d->remedy == DELIVERY_RECONNECT || d->remedy == DELIVERY_ONE_BY_ONE)
        rcpts_forget(d->mail);
    else if (d->apart != DELIVERY_TOGETHER)
        rcpts_part(d->mail, d->apart == DELIVERY_WITHOUT_ONE ? d->asked : SIZE_MAX, &d->trouble);
    else
        rcpts_answer_all(d->mail, d->mail_refused.code ? &d->mail_refused : &d->trouble);
}

/* Up to 354 nobody can say any more which answer was whose: then nobody has been refused. */
void delivery_is_confused(struct delivery *d, const char *why)
{
    bool unsure = d->mail && d->want != DELIVERY_DONE && d->stage >= MAIL && d->stage != BODY;
    if (unsure) {
        rcpts_forget(d->mail);
        d->mail_refused = (struct verdict){0};
    }
    delivery_loses(d, why, LOSS_CONFUSED);
}

enum delivery_stage delivery_breaks(struct delivery *d, const char *why)
{
    delivery_is_confused(d, why);
    return QUIT;
}

void delivery_say_quit(struct delivery *d)
{
    buf_add(&d->out, SPAN("QUIT\r\n"));
}
