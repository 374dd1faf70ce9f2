// SPDX-License-Identifier: BSD-2-Clause
/* transaction.c - One message on a connection: addresses in the form that the hop accepts, the
 * signed copy, and its bytes.
 *
 * Failure modes: no key, or signing failed (all recipients are deferred, 4.7.5) - a damaged record
 * (held) - the hop cannot take the message (bounced).
 */
#include "transaction.h"

#include "candidates.h"

#include "list_unsubscribe.h"
#include "return_path.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FEED_MAX = 256 * 1024, WRITE_AT = 32 * 1024 };

void transaction_end(struct transaction *s)
{
    if (!s->sending)
        return;
    s->sending = false;
    composition_free(s->composition);
    s->composition = NULL;
    for (size_t i = 0; s->texts && s->texts[i]; i++)
        free(s->texts[i]);
    free(s->texts);
    free(s->slice);
    free(s->mail.rcpts);
    s->texts = NULL;
    s->slice = NULL;
    s->mail = (struct delivery_mail){0};
}

static struct verdict cannot_say(enum compose_said said, const char *whose, const char *enhanced)
{
    if (said == COMPOSE_NEEDS_SMTPUTF8)
        return verdict_make(550, "5.6.7",
                            "Non-ASCII %s address, and the receiving server does not offer "
                            "SMTPUTF8",
                            whose);
    return verdict_make(553, enhanced,
                        "The %s address is not valid once it is normalised, and was not sent",
                        whose);
}

/* This host lacks what the mail needs, or has not been able to say that it has it. Another one may
 * have it. */
static void lacks(struct transaction *s, const struct verdict *v)
{
    bool known = !s->delivery->offers.unsure;
    char enhanced[sizeof(v->enhanced)];
    snprintf(enhanced, sizeof(enhanced), "4%s", span_from(span_of(v->enhanced), 1).ptr);
    s->lack = known ? *v : (struct verdict){0};
    s->unsure = verdict_make(
        451, enhanced, "%s%s",
        known ? "" : "Server failed at EHLO, so what it offers is not known: ", v->text);
}

/* RFC 8689 section 4.2.1: who gets it must promise to hand it on so. */
static bool is_passed_on(struct transaction *s)
{
    const struct verdict v =
        verdict_make(550, "5.7.30", "Server does not offer REQUIRETLS, which the message demands");
    bool demanded = s->attempt->mail->tls_need == TLS_NEED_PASSED_ON;
    if (!demanded || s->delivery->offers.requiretls)
        return true;
    lacks(s, &v);
    return false;
}

/* The recipients without an answer, as many as the server takes at once; false when none is left.
 */
static bool take_slice(struct transaction *s)
{
    struct attempt *p = s->attempt;
    const struct envelope *e = &p->mail->envelope;
    const struct delivery_offers *o = &s->delivery->offers;
    bool alone = list_unsubscribe_needed(p->settings, p->mail) || /* a copy for each, */
                 return_path_needed(p->settings, p->mail);        /* or a sender */
    size_t most = alone ? 1 : o->rcpt_max > 0 ? o->rcpt_max : SIZE_MAX;
    size_t count = 0;
    struct verdict left = {0};
    s->sending = true;
    s->texts = xcalloc(e->count + 2, sizeof(*s->texts));
    s->slice = xcalloc(e->count, sizeof(*s->slice));
    s->mail.rcpts = xcalloc(e->count, sizeof(*s->mail.rcpts));
    for (size_t i = 0; i < e->count && count < most; i++) {
        struct buf text;
        if (p->answers[i].code != 0)
            continue;
        buf_init(&text, 2 * ADDRESS_MAX);
        enum compose_said said = compose_address(span_of(e->rcpts[i].address), o->smtputf8, &text);
        if (said == COMPOSE_SAID) {
            s->texts[count] = envelope_text(buf_span(&text));
            s->slice[count] = i;
            s->mail.rcpts[count] =
                (struct delivery_rcpt){.address = span_of(s->texts[count]),
                                       .original = span_of(e->rcpts[i].original),
                                       .notify = return_path_notify(p->settings, p->mail, i)};
            count++;
        } else if (said == COMPOSE_NEEDS_SMTPUTF8) {
            left = cannot_say(said, "recipient", "");
        } else {
            p->answers[i] = cannot_say(said, "recipient", "5.1.3");
        }
        buf_fini(&text);
    }
    s->mail.count = count;
    if (count == 0 && left.code != 0)
        lacks(s, &left);
    return count > 0;
}

static bool write_sender(struct transaction *s)
{
    const struct attempt *p = s->attempt;
    char said_sender[ADDRESS_MAX + 1];
    return_path_make(p->settings, p->mail, s->slice[0], said_sender);
    struct span sender = span_of(said_sender);
    struct buf text;
    buf_init(&text, 2 * ADDRESS_MAX);
    enum compose_said said = COMPOSE_SAID; /* the null sender needs no words */
    if (sender.len > 0)
        said = compose_address(sender, s->delivery->offers.smtputf8, &text);
    s->texts[s->mail.count] = envelope_text(buf_span(&text));
    s->mail.sender = span_of(s->texts[s->mail.count]);
    buf_fini(&text);
    if (said == COMPOSE_SAID)
        return true;
    struct verdict v = cannot_say(said, "sender", "5.1.7");
    if (said == COMPOSE_NEEDS_SMTPUTF8)
        lacks(s, &v);
    else
        attempt_answer_all(s->attempt, &v);
    return false;
}

static bool make_copy(struct transaction *s, struct err *err)
{
    struct attempt *p = s->attempt;
    bool alone = s->mail.count == 1;
    if (!composition_open(p->home, p->settings, p->mail, &s->composition, err))
        return false;
    struct composition_links *links = composition_links(s->composition);
    if (alone)
        list_unsubscribe_make(p->settings, p->mail, p->mail->envelope.rcpts[s->slice[0]].address,
                              &links->url, &links->feedback_id);
    return composition_make(s->composition, &s->delivery->offers,
                            alone ? s->mail.rcpts[0].address : SPAN_NONE, s->composed, s->owner,
                            err);
}

static void fill_mail(struct transaction *s)
{
    const struct mail *m = s->attempt->mail;
    const struct compose_output *copy = composition_copy(s->composition);
    bool utf8 = (m->header_utf8 && !copy->header_converted) || !span_is_ascii(s->mail.sender);
    for (size_t i = 0; i < s->mail.count; i++)
        utf8 = utf8 || !span_is_ascii(s->mail.rcpts[i].address);
    s->mail.envelope_id = span_of(m->envelope.id);
    s->mail.report = return_path_report(s->attempt->settings, m, s->slice[0]);
    s->mail.smtputf8 = utf8;
    s->mail.requiretls = m->tls_need == TLS_NEED_PASSED_ON;
    s->mail.body_8bit = !copy->conversion && (m->body_8bit || m->header_utf8);
    s->mail.size = composition_size(s->composition);
}

/* The copy is made, or cannot be. */
static bool send_copy(struct transaction *s)
{
    const struct compose_output *copy = composition_copy(s->composition);
    struct verdict v;
    switch (composition_result(s->composition)) {
    case COMPOSE_FAULT:
        attempt_own_fault(s->attempt, &copy->err);
        return false;
    case COMPOSE_NEVER:
        lacks(s, &copy->verdict);
        return false;
    case COMPOSE_OK:
        break;
    }
    fill_mail(s);
    uint64_t most = s->delivery->offers.size_max;
    if (most > 0 && s->mail.size > most) {
        v = verdict_make(552, "5.3.4",
                         "Message of %llu bytes is over the receiving server's limit of %llu",
                         (unsigned long long)s->mail.size, (unsigned long long)most);
        lacks(s, &v);
        return false;
    }
    delivery_send(s->delivery, &s->mail);
    return true;
}

bool transaction_begin(struct transaction *s, struct attempt *p, struct delivery *d)
{
    struct err err = {0};
    if (!s->composition) {
        s->attempt = p;
        s->delivery = d;
        s->unsure = s->lack = (struct verdict){0};
        if (attempt_expired(p) || !is_passed_on(s) || !take_slice(s) || !write_sender(s))
            return false;
        if (!make_copy(s, &err)) {
            attempt_own_fault(p, &err);
            return false;
        }
    }
    if (composition_busy(s->composition))
        return true;
    return !attempt_expired(p) && send_copy(s);
}

bool transaction_composing(const struct transaction *s)
{
    return s->composition && composition_busy(s->composition);
}

/* However fast the server takes it, others are served in between. */
void transaction_feed(struct transaction *s, struct connection *connection)
{
    struct err err = {0};
    struct span piece = SPAN_NONE;
    size_t given = 0;
    while (s->delivery->want == DELIVERY_BODY && connection_unsent(connection) < FEED_MAX) {
        if (composition_next(s->composition, &piece, &err)) {
            if (piece.len > 0 && s->delivery->out.len >= WRITE_AT) /* the end goes with the last */
                connection_write(connection, &s->delivery->out);
            delivery_body(s->delivery, piece, piece.len == 0);
        } else {
            attempt_own_fault(s->attempt, &err);
            delivery_lost(s->delivery, err.text);
        }
        given += piece.len;
        if (given >= FEED_MAX && s->delivery->want == DELIVERY_BODY) {
            connection_write_and_yield(connection, &s->delivery->out);
            return;
        }
    }
    connection_write(connection, &s->delivery->out);
}

/* Did the server take others, so that those who were too many go in the next slice? */
static bool has_progress(const struct transaction *s)
{
    bool progress = false;
    for (size_t i = 0; i < s->mail.count; i++)
        progress = progress || s->mail.rcpts[i].answer.what == VERDICT_ACCEPT;
    return progress;
}

static bool is_host_trouble(const struct delivery_rcpt *rcpt)
{
    return !rcpt->too_many && candidates_host_trouble(&rcpt->answer);
}

bool transaction_host_trouble(const struct transaction *s, struct verdict *v_r)
{
    bool nobody_known = s->sending && s->delivery->apart == DELIVERY_ASKED_SINGLY;
    bool found = nobody_known || s->unsure.code != 0;
    *v_r = nobody_known ? s->delivery->trouble : s->unsure;
    for (size_t i = 0; s->sending && i < s->mail.count; i++) {
        const struct verdict *answer = &s->mail.rcpts[i].answer;
        if (answer->code != 0 && answer->what == VERDICT_ACCEPT)
            return false;
        if (!is_host_trouble(&s->mail.rcpts[i]))
            continue;
        found = true;
        *v_r = *answer;
    }
    return found;
}

static enum reply_stage stage_of(const struct transaction *s, const struct delivery_rcpt *rcpt)
{
    if (rcpt->own)
        return REPLY_AT_RCPT;
    return s->delivery->mail_refused.code != 0 ? REPLY_AT_MAIL : REPLY_AT_DATA;
}

static void take_answers(struct transaction *s, bool troubles_too)
{
    struct attempt *p = s->attempt;
    bool progress = has_progress(s);
    for (size_t i = 0; i < s->mail.count; i++) {
        const struct delivery_rcpt *rcpt = &s->mail.rcpts[i];
        if ((rcpt->too_many && progress) || p->answers[s->slice[i]].code != 0 ||
            (!troubles_too && is_host_trouble(rcpt)))
            continue;
        p->answers[s->slice[i]] = rcpt->answer;
        p->at[s->slice[i]] = stage_of(s, rcpt);
    }
    transaction_end(s);
}

void transaction_take_answers(struct transaction *s)
{
    take_answers(s, true);
}

void transaction_take_other_answers(struct transaction *s)
{
    take_answers(s, false);
}
