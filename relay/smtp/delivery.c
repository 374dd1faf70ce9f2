// SPDX-License-Identifier: BSD-2-Clause
/* delivery.c - The client: each stage is one row, with what we say and where the answer leads.
 *
 * We choose the order. Where the server offers PIPELINING, MAIL, all RCPT and DATA leave in one
 * burst and `ahead` counts the stages already said: entering one of them then only waits for its
 * answer (RFC 2920).
 */
#include "delivery.h"

#include "answer.h"
#include "dots.h"
#include "offers.h"
#include "rcpts.h"
#include "secret.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum stage {
    GREETING,
    EHLO,
    HELO,
    STARTTLS,
    AUTH,
    LOGIN_NAME,
    LOGIN_SECRET,
    READY,
    MAIL,
    RCPT,
    DATA,
    BODY,
    RSET,
    QUIT
};
enum { IN_MAX = 128 * 1024, OUT_MAX = 1024 * 1024 };

/* ---- what the answers lead to ---- */

static enum stage host_refuses(struct delivery *d, struct verdict v)
{
    /* A refusal before any message is about us, not about the recipient: never permanent for the
     * mail (S9). */
    v.what = VERDICT_DEFER;
    d->trouble = v;
    d->host_refused = true;
    d->want = DELIVERY_CLOSE;
    return QUIT;
}

/* Up to 354 nobody can say any more which answer was whose: then nobody has been refused. */
static void confused(struct delivery *d, const char *why)
{
    bool unsure = d->mail && d->want != DELIVERY_DONE && d->stage >= MAIL && d->stage != BODY;
    if (unsure) {
        rcpts_forget(d->mail);
        d->mail_refused = (struct verdict){0};
    }
    delivery_lost(d, why);
}

static enum stage breaks(struct delivery *d, const char *why)
{
    confused(d, why);
    return QUIT;
}

static enum stage greeted(struct delivery *d, const struct verdict *v)
{
    if (v->code == 220)
        return EHLO;
    return v->code >= 400 ? host_refuses(d, *v) : breaks(d, "protocol error: greeting is not 220");
}

static void say_ehlo(struct delivery *d)
{
    d->offers = (struct delivery_offers){0};
    buf_addf(&d->out, "EHLO %s\r\n", d->settings->hostname);
}

static enum stage after_hello(struct delivery *d)
{
    bool must = d->settings->tls >= DELIVERY_TLS_REQUIRE;
    if (!d->tls && d->offers.starttls && d->settings->tls != DELIVERY_TLS_NEVER)
        return STARTTLS;
    if (!d->tls && must)
        return host_refuses(
            d,
            verdict_make(451, "4.7.10", "Server does not offer STARTTLS, which is required here"));
    if (!d->settings->username)
        return READY;
    if (!d->tls)
        return host_refuses(
            d,
            verdict_make(451, "4.7.0", "Server does not offer STARTTLS: the password stays here"));
    if (!d->offers.auth_plain && !d->offers.auth_login)
        return host_refuses(
            d, verdict_make(451, "4.7.0", "Server offers neither AUTH PLAIN nor AUTH LOGIN"));
    return AUTH;
}

static enum stage ehlo_answered(struct delivery *d, const struct verdict *v)
{
    if (v->code == 500 || v->code == 502 || v->code == 504) /* S9: an old server */
        return HELO;
    if (v->what != VERDICT_ACCEPT)
        return host_refuses(d, *v);
    struct span lines = buf_span(&d->answer->text);
    span_take(&lines, '\n');
    while (lines.len > 0)
        offers_read(&d->offers, span_trim(span_take(&lines, '\n')));
    return after_hello(d);
}

static void say_helo(struct delivery *d)
{
    buf_addf(&d->out, "HELO %s\r\n", d->settings->hostname);
}

static enum stage helo_answered(struct delivery *d, const struct verdict *v)
{
    return v->what == VERDICT_ACCEPT ? after_hello(d) : host_refuses(d, *v);
}

static void say_starttls(struct delivery *d)
{
    buf_add(&d->out, SPAN("STARTTLS\r\n"));
}

static enum stage starttls_answered(struct delivery *d, const struct verdict *v)
{
    if (v->code != 220) { /* T7: opportunistic goes on in clear, the rest defers */
        d->offers.starttls = false;
        return after_hello(d);
    }
    if (d->in.len > 0) /* T5, T6: nothing may stand between 220 and the handshake */
        return breaks(d, "protocol error: bytes after the STARTTLS reply, before the handshake");
    d->want = DELIVERY_TLS;
    return STARTTLS;
}

static void say_auth(struct delivery *d)
{
    if (d->offers.auth_plain)
        offers_say_plain(d->settings->username, d->settings->password, &d->out);
    else
        buf_add(&d->out, SPAN("AUTH LOGIN\r\n"));
}

static enum stage auth_answered(struct delivery *d, const struct verdict *v)
{
    if (v->code == 235)
        return READY;
    return v->code == 334 && !d->offers.auth_plain ? LOGIN_NAME : host_refuses(d, *v);
}

static void say_login_name(struct delivery *d)
{
    offers_say_base64(span_of(d->settings->username), &d->out);
}

static enum stage login_name_answered(struct delivery *d, const struct verdict *v)
{
    return v->code == 334 ? LOGIN_SECRET : host_refuses(d, *v);
}

static void say_login_secret(struct delivery *d)
{
    offers_say_base64(span_of(d->settings->password), &d->out);
}

static enum stage login_secret_answered(struct delivery *d, const struct verdict *v)
{
    return v->code == 235 ? READY : host_refuses(d, *v);
}

static void say_mail(struct delivery *d)
{
    offers_say_mail(d->mail, &d->offers, &d->out);
    if (!d->offers.pipelining)
        return;
    for (size_t i = 0; i < d->mail->count; i++)
        offers_say_rcpt(&d->mail->rcpts[i], &d->offers, &d->out);
    buf_add(&d->out, SPAN("DATA\r\n"));
    d->ahead = (unsigned)d->mail->count + 1;
}

static enum stage mail_answered(struct delivery *d, const struct verdict *v)
{
    d->asked = 0;
    if (v->what == VERDICT_ACCEPT)
        return RCPT;
    d->mail_refused = *v;
    return d->ahead > 0
               ? RCPT
               : RSET; /* the burst is in flight: its answers must be collected all the same */
}

static void say_rcpt(struct delivery *d)
{
    offers_say_rcpt(&d->mail->rcpts[d->asked], &d->offers, &d->out);
}

static enum stage rcpt_answered(struct delivery *d, const struct verdict *v)
{
    struct delivery_rcpt *rcpt = &d->mail->rcpts[d->asked++];
    struct verdict *answer = &rcpt->answer;
    rcpt->own = d->mail_refused.code == 0 && v->what != VERDICT_ACCEPT;
    *answer = d->mail_refused.code != 0 ? d->mail_refused : *v; /* a refused MAIL speaks for all */
    if (answer->code == 552 && (v->enhanced[0] == '\0' || strncmp(v->enhanced, "5.5.", 4) == 0) &&
        d->mail_refused.code == 0)
        answer->what = VERDICT_DEFER; /* RFC 5321 section 4.5.3.1.10: an old way to say "too many
                                         recipients" */
    if (d->asked < d->mail->count)
        return RCPT;
    return d->ahead > 0 || rcpts_accepted(d->mail) > 0 ? DATA : RSET;
}

static void say_data(struct delivery *d)
{
    buf_add(&d->out, SPAN("DATA\r\n"));
}

static enum stage data_answered(struct delivery *d, const struct verdict *v)
{
    bool wanted = d->mail_refused.code == 0 && rcpts_accepted(d->mail) > 0;
    if (v->code == 354 && wanted) {
        *d->dots = (struct dots_out){0};
        d->saying_body = true;
        d->want = DELIVERY_BODY;
        return BODY;
    }
    if (v->code ==
        354) { /* RFC 2920 section 3.1: 354 although nobody was accepted: send an empty message */
        buf_add(&d->out, SPAN(".\r\n"));
        return BODY;
    }
    if (v->what == VERDICT_ACCEPT)
        return breaks(d, "protocol error: DATA answered with neither 354 nor a refusal");
    if (wanted)
        rcpts_answer_all(d->mail, v);
    return RSET;
}

static enum stage body_answered(struct delivery *d, const struct verdict *v)
{
    if (d->mail_refused.code != 0 || rcpts_accepted(d->mail) == 0)
        return RSET;
    if (d->answered_early && v->what == VERDICT_ACCEPT)
        return breaks(d, "protocol error: the server took the message before it had all of it");
    rcpts_answer_all(d->mail, v);
    d->want = DELIVERY_DONE;
    return READY;
}

static void say_rset(struct delivery *d)
{
    buf_add(&d->out, SPAN("RSET\r\n"));
}

static enum stage rset_answered(struct delivery *d, const struct verdict *v)
{
    if (d->mail_refused.code != 0)
        rcpts_answer_all(d->mail, &d->mail_refused);
    if (v->what != VERDICT_ACCEPT) /* of no more use; it says nothing about who was not asked yet */
        d->trouble = verdict_make(451, "4.5.0", "RSET was answered: %d %s", v->code, v->text);
    d->want = DELIVERY_DONE;
    return READY;
}

static void say_quit(struct delivery *d)
{
    buf_add(&d->out, SPAN("QUIT\r\n"));
}

static enum stage quit_answered(struct delivery *d, const struct verdict *v)
{
    (void)v;
    d->want = DELIVERY_CLOSE;
    return QUIT;
}

/* ---- the table ---- */

static const struct {
    const char *name;
    unsigned timeout_s; /* RFC 5321 section 4.5.3.2 */
    void (*say)(struct delivery *d);
    enum stage (*answered)(struct delivery *d, const struct verdict *v);
} stages[] = {
    [GREETING] = {"greeting", 300, NULL, greeted},
    [EHLO] = {"EHLO", 300, say_ehlo, ehlo_answered},
    [HELO] = {"HELO", 300, say_helo, helo_answered},
    [STARTTLS] = {"STARTTLS", 120, say_starttls, starttls_answered},
    [AUTH] = {"AUTH", 120, say_auth, auth_answered},
    [LOGIN_NAME] = {"AUTH", 120, say_login_name, login_name_answered},
    [LOGIN_SECRET] = {"AUTH", 120, say_login_secret, login_secret_answered},
    [READY] = {"between messages", 300, NULL, NULL},
    [MAIL] = {"MAIL", 300, say_mail, mail_answered},
    [RCPT] = {"RCPT", 300, say_rcpt, rcpt_answered},
    [DATA] = {"DATA", 120, say_data, data_answered},
    [BODY] = {"end of data", 600, NULL, body_answered},
    [RSET] = {"RSET", 300, say_rset, rset_answered},
    [QUIT] = {"QUIT", 10, say_quit, quit_answered},
};

/* ---- machinery ---- */

/* What has come before the question is no answer to it, but may be the server's goodbye. Offers and
 * refusals before AUTH decide about nobody's mail. */
static void say(struct delivery *d)
{
    struct span early = span_first(buf_span(&d->in), 3);
    if (early.len == 0 || d->stage < AUTH)
        stages[d->stage].say(d);
    else if (!span_starts_nocase(SPAN("421"), early))
        confused(d, "protocol error: the server answered before it was asked");
}

static enum stage enter(struct delivery *d, enum stage stage)
{
    d->stage = stage;
    d->steps++;
    if (d->want == DELIVERY_CLOSE)
        return stage;
    if (stage == READY && d->want == DELIVERY_INPUT)
        d->want = DELIVERY_READY;
    if (d->ahead > 0 && (stage == RCPT || stage == DATA))
        d->ahead--;
    else if (stages[stage].say && d->want == DELIVERY_INPUT)
        say(d);
    return stage;
}

/* Is it one that asks for more, where there is nothing more to say? */
static bool asks_in_vain(enum stage stage, int code)
{
    bool at_auth = stage == AUTH || stage == LOGIN_NAME || stage == LOGIN_SECRET;
    return code / 100 == 3 && !(stage == DATA && code == 354) && !(at_auth && code == 334);
}

static void take_answer(struct delivery *d)
{
    struct verdict v = answer_verdict(d->answer);
    enum stage stage = (enum stage)d->stage;
    if (v.code == 421 && stage != QUIT) {
        if (stage < READY) {
            host_refuses(d, v);
            return;
        }
        d->trouble = v;
        delivery_lost(d, NULL);
        return;
    }
    if (asks_in_vain(stage, v.code))
        confused(d, "protocol error: the server's answer asks for more");
    else
        enter(d, stages[stage].answered(d, &v));
}

static bool expects_answer(const struct delivery *d)
{
    return d->stage != READY && !d->saying_body;
}

static void drain(struct delivery *d)
{
    while (d->want == DELIVERY_INPUT && d->in.len > 0) {
        if (!expects_answer(d)) {
            confused(d, "protocol error: the server spoke out of turn");
            return;
        }
        enum answer_state state = answer_take(d->answer, &d->in);
        if (state == ANSWER_MORE)
            return;
        if (state == ANSWER_BROKEN)
            confused(d, "protocol error: the server's answer is no SMTP reply");
        else
            take_answer(d);
    }
}

void delivery_init(struct delivery *d, const struct delivery_settings *settings)
{
    *d = (struct delivery){.settings = settings, .want = DELIVERY_INPUT, .stage = GREETING};
    buf_init(&d->out, OUT_MAX);
    buf_init(&d->in, IN_MAX);
    d->answer = xcalloc(1, sizeof(*d->answer));
    d->dots = xcalloc(1, sizeof(*d->dots));
    answer_init(d->answer);
}

void delivery_fini(struct delivery *d)
{
    answer_fini(d->answer);
    free(d->answer);
    free(d->dots);
    if (d->out.memory)
        secret_clear(d->out.memory, d->out.size); /* it may have carried a password */
    buf_fini(&d->out);
    buf_fini(&d->in);
}

void delivery_input(struct delivery *d, struct span bytes)
{
    if (d->want == DELIVERY_CLOSE)
        return;
    if (!buf_add(&d->in, bytes)) {
        confused(d, "protocol error: the server sends more than was asked for");
        return;
    }
    drain(d);
}

void delivery_tls_started(struct delivery *d)
{
    CHECK(d->want == DELIVERY_TLS);
    d->tls = true;
    d->want = DELIVERY_INPUT;
    enter(d, EHLO); /* what was offered before is forgotten (RFC 3207 section 4.2) */
}

void delivery_send(struct delivery *d, struct delivery_mail *mail)
{
    CHECK(d->want == DELIVERY_READY && mail->count > 0);
    d->mail = mail;
    d->mails++;
    d->asked = 0;
    d->ahead = 0;
    d->saying_body = d->answered_early = false;
    d->mail_refused = (struct verdict){0};
    d->want = offers_can_say(mail) ? DELIVERY_INPUT : DELIVERY_DONE;
    if (d->want == DELIVERY_DONE)
        return;
    enter(d, MAIL);
    drain(d);
}

void delivery_body(struct delivery *d, struct span piece, bool last)
{
    CHECK(d->want == DELIVERY_BODY);
    d->steps++;
    bool ok = dots_put(d->dots, piece, &d->out) && (!last || dots_end(d->dots, &d->out));
    if (!ok) {
        buf_clear(&d->out);
        delivery_lost(d, "message holds a bare CR or LF and was not sent");
        return;
    }
    if (!last)
        return;
    d->answered_early = d->in.len > 0;
    d->saying_body = false;
    d->want = DELIVERY_INPUT;
    drain(d);
}

void delivery_next(struct delivery *d)
{
    CHECK(d->want == DELIVERY_DONE);
    d->mail = NULL;
    if (d->trouble.code == 0 && d->in.len > 0)
        delivery_lost(d, "protocol error: the server spoke out of turn");
    d->want = d->trouble.code != 0 ? DELIVERY_CLOSE : DELIVERY_READY;
}

void delivery_quit(struct delivery *d)
{
    CHECK(d->want == DELIVERY_READY);
    d->want = DELIVERY_INPUT;
    enter(d, QUIT);
    drain(d);
}

void delivery_lost(struct delivery *d, const char *why)
{
    bool settled =
        d->want == DELIVERY_DONE; /* the answers are in: what happens now does not change them */
    if (d->trouble.code == 0)
        d->trouble = verdict_make(451, "4.4.2", "%s (while at %s)", why ? why : "connection lost",
                                  delivery_stage_name(d));
    if (d->stage < READY)
        d->host_refused = true;
    if (settled)
        return;
    if (d->mail)
        rcpts_answer_all(d->mail, d->mail_refused.code ? &d->mail_refused : &d->trouble);
    d->want = DELIVERY_CLOSE;
}

const char *delivery_stage_name(const struct delivery *d)
{
    return stages[d->stage].name;
}

unsigned delivery_timeout_s(const struct delivery *d)
{
    return d->saying_body ? 180 : stages[d->stage].timeout_s;
}
