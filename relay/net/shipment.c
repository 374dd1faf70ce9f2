// SPDX-License-Identifier: BSD-2-Clause
/* shipment.c - What our side does for one message: addresses as the hop takes them, the signed
 * copy, its bytes.
 *
 * Failure modes: no key, or a failed signature (everyone waits, 4.7.5) - a damaged record (held) -
 * not for this hop (never).
 */
#include "shipment.h"

#include "candidates.h"

#include "links.h"

#include <stdlib.h>
#include <string.h>

enum { FEED_MAX = 256 * 1024, WRITE_AT = 32 * 1024 };

void shipment_end(struct shipment *s)
{
    if (!s->sending)
        return;
    s->sending = false;
    compose_fini(&s->copy);
    spool_close(&s->spool);
    for (size_t i = 0; s->texts && s->texts[i]; i++)
        free(s->texts[i]);
    free(s->texts);
    free(s->slice);
    free(s->mail.rcpts);
    s->texts = NULL;
    s->slice = NULL;
    s->mail = (struct delivery_mail){0};
}

/* The record, where its row says that it is. It may have been moved since the row was read. */
static bool open_record(struct shipment *s, struct err *err)
{
    struct parcel *p = s->parcel;
    const char *state_dir = p->settings->config->state_dir;
    struct mail *fresh = NULL;
    struct err unread = {0};
    if (spool_open(state_dir, p->mail->id, &p->mail->place, &s->spool, err))
        return true;
    if (err->kind != ERR_DAMAGED)
        return false;
    if (!database_mail(p->shard->reader, p->mail->id, &fresh, &unread)) {
        if (unread.kind != ERR_NOT_FOUND) /* where the record is, is not known */
            *err = unread;
        return false;
    }
    bool moved = fresh->place.segment != p->mail->place.segment;
    p->mail->place = fresh->place;
    mail_free(fresh);
    return moved && spool_open(state_dir, p->mail->id, &p->mail->place, &s->spool, err);
}

static enum compose_result make_copy(struct shipment *s, size_t recipients, struct err *err)
{
    const struct mail *m = s->parcel->mail;
    struct keyring *keyring = s->parcel->shard->common->keyring;
    struct keyring_loan loan;
    struct buf url;
    struct buf feedback_id;
    char id[MAIL_ID_TEXT];
    if (!open_record(s, err) ||
        !keyring_find(keyring, s->parcel->shard->reader, m->from_domain, &loan, err))
        return COMPOSE_FAULT;
    mail_id_print(m->id, id);
    buf_init(&url, 2048);
    buf_init(&feedback_id, 512);
    if (recipients == 1)
        links_make(s->parcel->settings, m, m->envelope.rcpts[s->slice[0]].address, &url,
                   &feedback_id);
    struct compose_input in = {.header = spool_header(&s->spool),
                               .read_body = spool_next,
                               .context = &s->spool,
                               .header_has_utf8 = m->header_utf8,
                               .body_has_8bit = m->body_8bit,
                               .hostname = s->parcel->settings->config->hostname,
                               .id = id,
                               .helo = span_of(m->helo),
                               .peer = span_of(m->peer),
                               .trace_client = s->parcel->settings->config->trace_client,
                               .protocol = span_of(m->protocol),
                               .only_recipient =
                                   recipients == 1 ? s->mail.rcpts[0].address : SPAN_NONE,
                               .created_ms = m->created_ms,
                               .unsubscribe_url = buf_span(&url),
                               .feedback_id = buf_span(&feedback_id),
                               .hop_8bitmime = s->delivery->offers.eightbitmime,
                               .hop_smtputf8 = s->delivery->offers.smtputf8,
                               .domain = m->from_domain,
                               .keys = loan.keys,
                               .key_count = loan.count};
    compose_fini(&s->copy);
    enum compose_result result = compose(&in, &s->copy);
    keyring_return(keyring, &loan);
    buf_fini(&url);
    buf_fini(&feedback_id);
    if (result == COMPOSE_FAULT)
        *err = s->copy.err;
    return result;
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

/* The recipients without an answer, as many as the server takes at once; false when none is left.
 */
static bool take_slice(struct shipment *s)
{
    struct parcel *p = s->parcel;
    const struct envelope *e = &p->mail->envelope;
    const struct delivery_offers *o = &s->delivery->offers;
    bool alone = links_needed(p->settings, p->mail); /* a copy for each */
    size_t most = alone ? 1 : o->rcpt_max > 0 ? o->rcpt_max : SIZE_MAX;
    size_t count = 0;
    s->sending = true;
    s->spool.fd = -1;
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
            s->mail.rcpts[count] = (struct delivery_rcpt){.address = span_of(s->texts[count]),
                                                          .original = span_of(e->rcpts[i].original),
                                                          .notify = e->rcpts[i].notify};
            count++;
        } else {
            p->answers[i] = cannot_say(said, "recipient", "5.1.3");
        }
        buf_fini(&text);
    }
    s->mail.count = count;
    return count > 0;
}

static bool write_sender(struct shipment *s)
{
    struct span sender = span_of(s->parcel->mail->envelope.sender);
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
    parcel_answer_all(s->parcel, &v);
    return false;
}

static uint64_t copy_size(const struct shipment *s)
{
    uint64_t body = s->copy.converted ? s->copy.body.len : s->spool.length - s->spool.header_len;
    return s->copy.head.len + body;
}

static void fill_mail(struct shipment *s)
{
    const struct mail *m = s->parcel->mail;
    bool utf8 = m->header_utf8 || !span_is_ascii(s->mail.sender);
    for (size_t i = 0; i < s->mail.count; i++)
        utf8 = utf8 || !span_is_ascii(s->mail.rcpts[i].address);
    s->mail.envelope_id = span_of(m->envelope.id);
    s->mail.report = m->envelope.report;
    s->mail.smtputf8 = utf8;
    s->mail.body_8bit = !s->copy.converted && (m->body_8bit || m->header_utf8);
    s->mail.size = copy_size(s);
}

bool shipment_begin(struct shipment *s, struct parcel *p, struct delivery *d,
                    const struct trust *proven)
{
    struct err err = {0};
    struct trust demanded = p->route->trust;
    struct verdict v;
    demanded.settings = p->settings->generation;
    CHECK(trust_covers(proven, &demanded));
    s->parcel = p;
    s->delivery = d;
    if (parcel_expired(p) || !take_slice(s))
        return false;
    if (!write_sender(s))
        return false;
    switch (make_copy(s, s->mail.count, &err)) {
    case COMPOSE_FAULT:
        parcel_own_fault(s->parcel, &err);
        return false;
    case COMPOSE_NEVER:
        parcel_answer_all(p, &s->copy.verdict);
        return false;
    case COMPOSE_OK:
        break;
    }
    fill_mail(s);
    if (s->delivery->offers.size_max > 0 && s->mail.size > s->delivery->offers.size_max) {
        v = verdict_make(
            552, "5.3.4", "Message of %llu bytes is over the receiving server's limit of %llu",
            (unsigned long long)s->mail.size, (unsigned long long)s->delivery->offers.size_max);
        parcel_answer_all(p, &v);
        return false;
    }
    spool_rewind(&s->spool);
    s->head_fed = false;
    delivery_send(s->delivery, &s->mail);
    return true;
}

void shipment_feed(struct shipment *s, struct connection *connection)
{
    struct err err = {0};
    struct span chunk = SPAN_NONE;
    while (s->delivery->want == DELIVERY_BODY && connection_unsent(connection) < FEED_MAX) {
        if (!s->head_fed) {
            s->head_fed = true;
            delivery_body(s->delivery, buf_span(&s->copy.head), false);
        } else if (s->copy.converted) {
            delivery_body(s->delivery, buf_span(&s->copy.body), true);
        } else if (!spool_next(&s->spool, &chunk, &err)) {
            parcel_own_fault(s->parcel, &err);
            delivery_lost(s->delivery, err.text);
        } else {
            delivery_body(s->delivery, chunk, chunk.len == 0);
        }
        if (s->delivery->out.len >= WRITE_AT)
            connection_write(connection, &s->delivery->out);
    }
    connection_write(connection, &s->delivery->out);
}

/* Did the server take others, so that those who were too many go in the next slice? */
static bool has_progress(const struct shipment *s)
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

bool shipment_host_trouble(const struct shipment *s, struct verdict *v_r)
{
    bool found = false;
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

static void take_answers(struct shipment *s, bool troubles_too)
{
    struct parcel *p = s->parcel;
    bool progress = has_progress(s);
    for (size_t i = 0; i < s->mail.count; i++) {
        const struct delivery_rcpt *rcpt = &s->mail.rcpts[i];
        if ((rcpt->too_many && progress) || p->answers[s->slice[i]].code != 0 ||
            (!troubles_too && is_host_trouble(rcpt)))
            continue;
        p->answers[s->slice[i]] = rcpt->answer;
        p->own[s->slice[i]] = rcpt->own;
    }
    shipment_end(s);
}

void shipment_take_answers(struct shipment *s)
{
    take_answers(s, true);
}

void shipment_take_other_answers(struct shipment *s)
{
    take_answers(s, false);
}
