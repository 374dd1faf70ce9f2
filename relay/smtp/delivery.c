// SPDX-License-Identifier: BSD-2-Clause
/* delivery.c - The SMTP client: a table of stages, each with what is sent and the function that
 * handles the answer.
 *
 * If the server offers PIPELINING, MAIL, all RCPT and DATA are sent together, and `ahead` counts
 * the stages that have been sent already: entering one of them only waits for its answer (RFC
 * 2920).
 */
#include "delivery.h"

#include "answer.h"
#include "delivery_parts.h"
#include "dots.h"
#include "meaning.h"
#include "offers.h"
#include "rcpts.h"
#include "secret.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { IN_MAX = 128 * 1024, OUT_MAX = 1024 * 1024 };

/* Time limits: for a piece of the message, for the rest of the answers to a burst, and for a whole
 * message: so much, and more for each recipient and by the size, at a rate in bytes a second. */
enum { PIECE_S = 180, HURRY_PIECE_S = 30, BURST_S = 60 };
enum { MESSAGE_S = 1320, OTHER_MESSAGE_S = 300, HURRY_MESSAGE_S = 40, RCPT_S = 5 };
enum { RATE = 16 * 1024, HURRY_RATE = 64 * 1024 };

static const char no_memory[] = "not enough memory for what is to be said or heard";

static enum delivery_stage quit_answered(struct delivery *d, const struct verdict *v)
{
    (void)v;
    d->want = DELIVERY_CLOSE;
    return QUIT;
}

/* ---- the table ---- */

static const struct {
    unsigned timeout_s; /* RFC 5321 section 4.5.3.2 */
    unsigned hurry_s;   /* when somebody waits for this message, and another host is left */
    void (*say)(struct delivery *d);
    enum delivery_stage (*answered)(struct delivery *d, const struct verdict *v);
} stages[] = {
    [GREETING] = {300, 20, NULL, hello_greeted},
    [EHLO] = {300, 20, hello_say_ehlo, hello_ehlo_answered},
    [HELO] = {300, 20, hello_say_helo, hello_helo_answered},
    [STARTTLS] = {120, 20, hello_say_starttls, hello_starttls_answered},
    [AUTH] = {120, 20, login_say_auth, login_answered},
    [AUTH_RESPONSE] = {120, 20, login_say_response, login_answered},
    [READY] = {300, 300, NULL, NULL},
    [MAIL] = {300, 30, transaction_say_mail, transaction_mail_answered},
    [RCPT] = {300, 30, transaction_say_rcpt, transaction_rcpt_answered},
    [DATA] = {120, 30, transaction_say_data, transaction_data_answered},
    [BODY] = {600, 600, NULL, transaction_body_answered}, /* less would send it twice */
    [RSET] = {300, 30, transaction_say_rset, transaction_rset_answered},
    [QUIT] = {10, 10, delivery_say_quit, quit_answered},
};

/* ---- machinery ---- */

/* What has come before the question is no answer to it, but may be the server's goodbye. */
static void say(struct delivery *d)
{
    struct span early = span_first(buf_span(&d->in), 3);
    if (early.len == 0)
        stages[d->stage].say(d);
    else if (!span_starts_nocase(SPAN("421"), early))
        delivery_is_confused(d, "protocol error: the server answered before it was asked");
}

static enum delivery_stage enter(struct delivery *d, enum delivery_stage stage)
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
    if (d->out.overflow && d->want == DELIVERY_INPUT) { /* what was said is not whole */
        buf_clear(&d->out);
        delivery_loses(d, no_memory, LOSS_OURS);
    }
    return stage;
}

/* Is it one that asks for more, where there is nothing more to say? */
static bool asks_in_vain(enum delivery_stage stage, int code)
{
    bool at_auth = is_login(stage);
    return code / 100 == 3 && !(stage == DATA && code == 354) && !(at_auth && code == 334);
}

/* RFC 3207 section 4: who wants TLS is asked again, with TLS. */
static bool lacks_tls(const struct delivery *d, const struct verdict *v)
{
    bool by_exception = !d->tls && (d->fell_back || d->settings->tls_has_failed);
    return by_exception && d->stage >= MAIL && d->stage <= BODY &&
           meaning_wants_tls(v, d->stage < BODY);
}

/* At a smart host; but not if a fresh connection may tell otherwise. */
static bool wants_login(const struct delivery *d, const struct verdict *v)
{
    bool fresh = d->stage != MAIL || d->mails == 1;
    return d->settings->smart_host && d->stage >= MAIL && d->stage <= DATA && fresh &&
           (meaning_wants_login(v) || meaning_denies_relay(v));
}

/* RFC 5321 section 4.3.2: 220 greets, or begins TLS; 221 answers QUIT. During a message it is what
 * somebody says who has heard nothing of it, a proxy that has begun again, or who leaves. */
static bool is_of_another_session(const struct delivery *d, int code)
{
    bool greets = code == 220 && d->stage != RSET; /* which sees to that itself */
    bool leaves = code == 221 && (d->doubted.code == 0 || d->saying_body); /* else it was asked */
    return d->stage >= MAIL && d->stage <= RSET && (greets || leaves);
}

/* Nobody is known to have been served; whoever leaves does not make earlier refusals doubtful. */
static void loses_session(struct delivery *d, const struct verdict *v)
{
    char why[sizeof(v->text)];
    snprintf(why, sizeof(why), "protocol error: answered with %d %.300s", v->code, v->text);
    if (v->code == 221)
        delivery_loses(d, why, LOSS_CLOSED);
    else
        delivery_is_confused(d, why);
}

/* Of a message that somebody is to get. */
static bool is_answer_to_message(const struct delivery *d)
{
    return d->stage == BODY && d->mail_refused.code == 0 && rcpts_accepted(d->mail) > 0;
}

static void take_answer(struct delivery *d)
{
    struct verdict v = answer_verdict(d->answer);
    enum delivery_stage stage = (enum delivery_stage)d->stage;
    if (lacks_tls(d, &v))
        v = meaning_without_tls(&v);
    if (is_answer_to_message(d) && !is_of_another_session(d, v.code)) {
        enter(d, doubt_answered(d, &v));
        return;
    }
    if (v.code == 421 && stage != QUIT) {
        if (stage < READY) {
            delivery_host_refuses(d, v);
            return;
        }
        d->trouble = v;
        delivery_loses(d, NULL, LOSS_CLOSED);
        return;
    }
    if (wants_login(d, &v)) {
        d->login = DELIVERY_LOGIN_WANTED;
        delivery_host_refuses(d, v);
        return;
    }
    if (asks_in_vain(stage, v.code))
        delivery_is_confused(d, "protocol error: the server's answer asks for more");
    else if (is_of_another_session(d, v.code))
        loses_session(d, &v);
    else
        enter(d, stages[stage].answered(d, &v));
}

/* Also while the message is being said: who refuses it then need not get the rest. */
static void drain(struct delivery *d)
{
    while ((d->want == DELIVERY_INPUT || d->want == DELIVERY_BODY) && d->in.len > 0) {
        if (d->stage == READY) {
            delivery_is_confused(d, "protocol error: the server spoke out of turn");
            return;
        }
        bool is_clean = d->answer->skipped == 0;
        enum answer_state state = answer_take(d->answer, &d->in);
        d->steps += is_clean && d->answer->skipped > 0; /* the time limit may be another one now */
        if (state == ANSWER_MORE)
            return;
        if (state == ANSWER_BROKEN)
            delivery_is_confused(d, "protocol error: the server's answer is not an SMTP reply");
        else
            take_answer(d);
    }
}

/* What is true of a message under way. */
static void check_mail(const struct delivery *d)
{
    const struct delivery_mail *m = d->mail;
    bool secured = d->tls || (d->settings->tls < DELIVERY_TLS_REQUIRE && !d->settings->username);
    CHECK(m && m->count > 0 && d->mails > 0);
    CHECK(d->asked <= m->count && d->ahead <= m->count + 1);
    CHECK(d->ahead == 0 || d->offers.pipelining);
    CHECK(!d->saying_body || (d->stage == BODY && rcpts_accepted(m) > 0));
    CHECK(secured && !d->settings->tls_unsaid);
    CHECK(!m->requiretls || (d->tls && d->offers.requiretls));
}

/* What is true of a connection between two events, whatever the server says. */
static void check(const struct delivery *d)
{
    bool in_mail = d->stage >= MAIL && d->stage <= RSET;
    if (!CHECKS_MACHINES)
        return;
    if (in_mail && (d->want == DELIVERY_INPUT || d->want == DELIVERY_BODY))
        check_mail(d);
    CHECK((d->want == DELIVERY_BODY) == (d->saying_body && d->want != DELIVERY_CLOSE));
    CHECK(d->want != DELIVERY_READY || (d->stage == READY && !d->mail && d->trouble.code == 0));
    CHECK((d->want != DELIVERY_TLS && d->want != DELIVERY_DEMAND) || !d->tls);
    CHECK(d->want != DELIVERY_CLOSE || d->trouble.code != 0 || d->stage == QUIT);
    CHECK(d->stage > READY || !d->mail || d->want != DELIVERY_INPUT);
    CHECK(d->stage < AUTH || d->stage > AUTH_RESPONSE || d->tls);
    CHECK(d->want == DELIVERY_CLOSE || !d->out.overflow);
}

void delivery_init(struct delivery *d, const struct delivery_settings *settings)
{
    *d = (struct delivery){.settings = settings, .stage = GREETING};
    d->want = settings->tls == DELIVERY_TLS_IMPLICIT ? DELIVERY_TLS : DELIVERY_INPUT;
    buf_init_peer(&d->out, OUT_MAX);
    buf_init_peer(&d->in, IN_MAX);
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
    check(d);
    if (d->want == DELIVERY_CLOSE)
        return;
    bool fits = bytes.len <= d->in.limit - d->in.len;
    if (!buf_add(&d->in, bytes)) {
        delivery_is_confused(d, fits ? no_memory
                                     : "protocol error: the server sends more than was asked for");
        return;
    }
    drain(d);
}

void delivery_demand(struct delivery *d)
{
    check(d);
    CHECK(d->want == DELIVERY_DEMAND && !d->settings->tls_unsaid);
    d->want = DELIVERY_INPUT;
    enter(d, hello_demanded(d));
    drain(d);
}

void delivery_distrust(struct delivery *d, const struct verdict *why)
{
    check(d);
    CHECK(d->want == DELIVERY_DEMAND || d->want == DELIVERY_TLS);
    d->resuming = false;
    enter(d, delivery_host_refuses(d, *why));
    d->said_later = false; /* the host has said nothing */
}

void delivery_tls_started(struct delivery *d)
{
    check(d);
    CHECK(d->want == DELIVERY_TLS);
    d->tls = true;
    d->resuming = false;
    d->want = DELIVERY_INPUT;
    /* What was offered before is forgotten (RFC 3207 section 4.2). */
    enter(d, d->stage == GREETING ? GREETING : d->settings->helo ? HELO : EHLO);
}

void delivery_send(struct delivery *d, struct delivery_mail *mail)
{
    check(d);
    CHECK(d->want == DELIVERY_READY && mail->count > 0);
    d->mail = mail;
    d->mails++;
    d->asked = 0;
    d->ahead = 0;
    d->saying_body = d->answered_early = d->taken_in_vain = false;
    d->mail_refused = d->doubted = d->second = (struct verdict){0};
    d->want = offers_can_say(mail) ? DELIVERY_INPUT : DELIVERY_DONE;
    if (d->want == DELIVERY_DONE)
        return;
    enter(d, MAIL);
    drain(d);
}

void delivery_body(struct delivery *d, struct span piece, bool last)
{
    check(d);
    CHECK(d->want == DELIVERY_BODY);
    d->steps++;
    bool ok = dots_put(d->dots, piece, &d->out) && (!last || dots_end(d->dots, &d->out));
    if (!ok) {
        bool full = d->out.overflow;
        buf_clear(&d->out);
        delivery_loses(d, full ? no_memory : "message holds a bare CR or LF and was not sent",
                       LOSS_OURS);
        return;
    }
    if (!last)
        return;
    d->saying_body = false;
    d->want = DELIVERY_INPUT;
    doubt_message_said(d);
    drain(d);
}

void delivery_answered_early(struct delivery *d)
{
    check(d);
    CHECK(delivery_is_said(d));
    d->answered_early = true;
}

void delivery_next(struct delivery *d)
{
    check(d);
    CHECK(d->want == DELIVERY_DONE);
    d->mail = NULL;
    if (d->trouble.code == 0 && d->in.len > 0 && !d->left)
        delivery_loses(d, "protocol error: the server spoke out of turn", LOSS_CONFUSED);
    d->want = d->trouble.code != 0 ? DELIVERY_CLOSE : DELIVERY_READY;
}

void delivery_quit(struct delivery *d)
{
    check(d);
    CHECK(d->want == DELIVERY_READY);
    if (d->left) { /* it has been said, or would be taken for a part of the message */
        d->stage = QUIT;
        d->want = DELIVERY_CLOSE;
        return;
    }
    d->want = DELIVERY_INPUT;
    enter(d, QUIT);
    drain(d);
}

void delivery_lost(struct delivery *d, const char *why)
{
    check(d);
    delivery_loses(d, why, LOSS_CLOSED);
}

void delivery_timed_out(struct delivery *d)
{
    check(d);
    delivery_loses(d, "timed out", LOSS_TIMED_OUT);
}

static unsigned at_most(unsigned number, unsigned limit)
{
    return number < limit ? number : limit;
}

unsigned delivery_piece_s(const struct delivery *d)
{
    return d->settings->hurry ? HURRY_PIECE_S : PIECE_S;
}

unsigned delivery_timeout_s(const struct delivery *d)
{
    bool hurry = d->settings->hurry;
    unsigned s = hurry ? stages[d->stage].hurry_s : stages[d->stage].timeout_s;
    if (d->saying_body)
        return delivery_piece_s(d);
    if (d->second.code != 0)
        return stages[QUIT].timeout_s;
    if (d->settings->most_s > 0 && d->stage != BODY)
        s = at_most(s, d->settings->most_s);
    if (remedy_in_burst(d))
        return at_most(s, BURST_S);
    return d->stage == GREETING ? at_most(s, remedy_greeting_s(d)) : s;
}

unsigned delivery_limit_s(const struct delivery *d)
{
    const struct delivery_mail *m = d->mail;
    uint64_t rate = d->settings->hurry ? HURRY_RATE : RATE;
    uint64_t base = d->settings->hurry        ? HURRY_MESSAGE_S
                    : d->settings->most_s > 0 ? OTHER_MESSAGE_S
                                              : MESSAGE_S;
    CHECK(m != NULL);
    return (unsigned)(base + m->count * RCPT_S + m->size / rate);
}

bool delivery_has_taken_mail(const struct delivery *d)
{
    return d->mail && d->stage > MAIL && d->stage <= BODY && d->mail_refused.code == 0;
}

bool delivery_refuses_mail(const struct delivery *d)
{
    bool closes = d->stage == MAIL && d->trouble.code != 0; /* 421 */
    return d->mail && (closes || d->mail_refused.code != 0);
}

bool delivery_was_answered(const struct delivery *d)
{
    return d->mail && (d->asked > 0 || d->mail_refused.code != 0);
}

bool delivery_is_said(const struct delivery *d)
{
    return d->stage == BODY && !d->saying_body;
}

bool delivery_is_used_up(const struct delivery *d)
{
    return d->left || (d->offers.mail_max > 0 && d->mails >= d->offers.mail_max);
}
