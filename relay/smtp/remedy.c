// SPDX-License-Identifier: BSD-2-Clause
/* remedy.c - Chooses what to try after a connection was lost: the smallest change that may help,
 * each at most once.
 *
 * Nothing is tried again after the whole message has been sent, because the server may have
 * accepted it.
 */
#include "answer.h"
#include "delivery_parts.h"
#include "rcpts.h"

enum { SUBMISSIONS_PORT = 465, GREETING_S = 300, NO_SMTP_S = 30, NO_TLS_S = 10 };

/* Does TLS begin at once where we wait for a greeting in clear text? */
static bool is_tls_port(const struct delivery *d)
{
    return d->settings->port == SUBMISSIONS_PORT && !d->tls;
}

unsigned remedy_greeting_s(const struct delivery *d)
{
    return is_tls_port(d) ? NO_TLS_S : d->answer->skipped > 0 ? NO_SMTP_S : GREETING_S;
}

bool remedy_may_say_helo(const struct delivery *d)
{
    const struct delivery_settings *s = d->settings;
    return !s->helo && !s->username && (d->tls || s->tls < DELIVERY_TLS_REQUIRE);
}

bool remedy_in_burst(const struct delivery *d)
{
    return d->offers.pipelining && (d->stage == RCPT || d->stage == DATA);
}

static bool may_go_in_clear(const struct delivery *d)
{
    bool in_tls = d->tls || d->stage == STARTTLS || d->tls_refused;
    return in_tls && d->settings->tls == DELIVERY_TLS_MAY && !d->settings->username;
}

/* It may have been withdrawn before its time. */
enum delivery_remedy remedy_for_refusal(const struct delivery *d)
{
    bool by_token = d->login == DELIVERY_LOGIN_REFUSED && d->settings->token;
    return by_token && !d->settings->token_renewed ? DELIVERY_NEW_TOKEN : DELIVERY_NEXT_HOST;
}

static enum delivery_remedy before_mail(const struct delivery *d, enum delivery_loss loss)
{
    if (d->resuming)
        return DELIVERY_WHOLE_HANDSHAKE;
    if (may_go_in_clear(d))
        return DELIVERY_IN_CLEAR;
    if (d->want != DELIVERY_DEMAND && d->stage == EHLO && loss == LOSS_CLOSED && !d->tls &&
        remedy_may_say_helo(d))
        return DELIVERY_WITH_HELO; /* RFC 1869 section 4.7: some old servers hang up */
    return remedy_for_refusal(d);
}

static bool ends_in_envelope(const struct delivery *d, enum delivery_loss loss)
{
    return loss == LOSS_CLOSED && (d->stage == RCPT || d->stage == DATA) &&
           rcpts_refused(d->mail) == 0;
}

enum delivery_remedy remedy_for(const struct delivery *d, enum delivery_loss loss)
{
    if (loss == LOSS_OURS)
        return DELIVERY_ENOUGH;
    if (d->stage < READY)
        return before_mail(d, loss);
    bool first = d->mails <= 1 && d->stage <= MAIL;
    if (first && d->tls_refused && loss == LOSS_CLOSED && may_go_in_clear(d))
        return DELIVERY_IN_CLEAR; /* some hang up after their refusal */
    if (d->mails > 1 && (d->stage == MAIL || ends_in_envelope(d, loss)))
        return DELIVERY_RECONNECT; /* it has died while idle, or takes no more */
    if (remedy_in_burst(d) && loss != LOSS_CLOSED)
        return DELIVERY_ONE_BY_ONE;
    bool whole = d->stage == BODY && !d->saying_body;
    return d->mail && d->stage >= MAIL && d->stage <= BODY && !whole ? DELIVERY_NEXT_HOST
                                                                     : DELIVERY_ENOUGH;
}

enum delivery_apart remedy_apart(const struct delivery *d, enum delivery_loss loss)
{
    bool at_rcpt = d->stage == RCPT && d->asked < d->mail->count;
    bool at_envelope = d->stage == RCPT || d->stage == DATA || (d->stage == MAIL && d->ahead > 0);
    bool burst = d->offers.pipelining && at_envelope;
    if (d->mail->count < 2 || d->mail_refused.code != 0 || !at_envelope ||
        (loss != LOSS_CLOSED && (loss != LOSS_TIMED_OUT || burst)))
        return DELIVERY_TOGETHER;
    if (rcpts_refused(d->mail) > 0 && loss == LOSS_CLOSED)
        return DELIVERY_WITHOUT_REFUSED;
    if (burst && !d->trouble.heard) /* what it may have said before is lost, too */
        return DELIVERY_ASKED_SINGLY;
    return at_rcpt ? DELIVERY_WITHOUT_ONE : DELIVERY_TOGETHER;
}

const char *remedy_hint(const struct delivery *d, enum delivery_loss loss)
{
    if (d->stage != GREETING || loss != LOSS_TIMED_OUT)
        return "";
    if (d->answer->skipped > 0)
        return ": the server sends text, but no SMTP greeting";
    return is_tls_port(d) ? ": this port expects TLS at once, set tls = \"implicit\" in the route"
                          : "";
}

const char *delivery_remedy_name(enum delivery_remedy remedy)
{
    static const char *const names[DELIVERY_REMEDIES] = {
        [DELIVERY_ENOUGH] = "enough",
        [DELIVERY_NEXT_HOST] = "next host",
        [DELIVERY_RECONNECT] = "new connection",
        [DELIVERY_IN_CLEAR] = "clear text",
        [DELIVERY_WITH_HELO] = "HELO",
        [DELIVERY_WHOLE_HANDSHAKE] = "no resumed TLS session",
        [DELIVERY_ONE_BY_ONE] = "no pipelining",
        [DELIVERY_NEW_TOKEN] = "a new token",
    };
    CHECK((unsigned)remedy < DELIVERY_REMEDIES);
    return names[remedy];
}
