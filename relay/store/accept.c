// SPDX-License-Identifier: BSD-2-Clause
/* accept.c - New mail becomes rows: its message, and each recipient with what was decided about it.
 * Inside the store's transaction: all of it is durable, or nothing. */
#include "accept.h"

#include "capture.h"
#include "db.h"
#include "duplicates.h"
#include "events.h"
#include "queue_rows.h"
#include "shares.h"

#include <stdio.h>
#include <string.h>

static const struct verdict taken = {.code = 250, .enhanced = "2.0.0"};
static const struct verdict flood = {.code = 550, .enhanced = "5.7.28", .text = THROTTLE_REFUSED};
static const struct verdict none;

static struct database_due due_of(const struct mail *m, size_t i)
{
    struct database_due due = {.message = m->id,
                               .due_ms = m->created_ms,
                               .expires_ms = m->expires_ms,
                               .number = (unsigned)i,
                               .class = m->class,
                               .tls_need = m->tls_need};
    span_put(span_of(m->tenant), due.tenant, sizeof(due.tenant));
    span_put(span_of(m->stream), due.stream, sizeof(due.stream));
    span_put(span_of(m->envelope.rcpts[i].domain), due.domain, sizeof(due.domain));
    return due;
}

static bool add_message(struct database *db, const struct mail *m, struct err *err)
{
    struct rows *s = rows_prepare(db, SQL_ADD_MESSAGE);
    int n = 0;
    rows_int(s, ++n, m->id);
    rows_int(s, ++n, m->created_ms);
    rows_int(s, ++n, m->expires_ms);
    rows_text(s, ++n, m->tenant);
    rows_text(s, ++n, m->credential);
    rows_text(s, ++n, m->stream);
    rows_int(s, ++n, m->class);
    rows_text(s, ++n, m->envelope.sender);
    rows_text(s, ++n, m->envelope.id ? m->envelope.id : "");
    rows_int(s, ++n, m->envelope.report);
    rows_int(s, ++n, m->envelope.smtputf8);
    rows_text(s, ++n, m->from_domain);
    rows_text(s, ++n, m->helo);
    rows_text(s, ++n, m->peer);
    rows_text(s, ++n, m->protocol);
    rows_int(s, ++n, m->header_utf8);
    rows_int(s, ++n, m->body_8bit);
    rows_int(s, ++n, m->dialogue);
    rows_int(s, ++n, m->place.segment);
    rows_int(s, ++n, m->place.offset);
    rows_int(s, ++n, m->place.length);
    rows_int(s, ++n, m->tls_need);
    shares_add(&db->shares, DATABASE_STORAGE, m->tenant, m->place.length);
    return rows_run(db, s, err);
}

/* How long it is kept back. */
static int64_t slot_ms(const struct throttle_decision *d)
{
    return d && (d->what == THROTTLE_PACE || d->what == THROTTLE_REPLACES) ? d->wait_ms : 0;
}

static bool add_recipient(struct database *db, const struct store_accept *a, size_t i, bool held,
                          const struct verdict *refusal, struct err *err)
{
    const struct mail *m = a->mail;
    const struct throttle_decision *d = a->decisions ? &a->decisions[i] : NULL;
    const struct envelope_rcpt *r = &m->envelope.rcpts[i];
    bool refused = d && throttle_refuses(d);
    if (!refused)
        refusal = &none;
    struct rows *s =
        ROWS(db, SQL_ADD_RECIPIENT, INT(m->id), INT((int64_t)i), TEXT(r->address), TEXT(r->domain),
             TEXT(r->original), INT(r->notify), INT(m->created_ms + slot_ms(d)), INT(refusal->code),
             TEXT(refusal->enhanced), TEXT(refusal->text), INT(held ? MAIL_HELD : MAIL_WAITING));
    shares_add(&db->shares, DATABASE_WAITING, m->tenant,
               shares_waiting(1, (int64_t)strlen(r->domain)));
    return rows_run(db, s, err);
}

/* What the throttle did to one recipient, as an event of its message. */
static bool note_decision(struct database *db, const struct mail *m, size_t i,
                          const struct throttle_decision *d, struct err *err)
{
    char text[200];
    char other[MAIL_ID_TEXT];
    const char *name = d->what < THROTTLE_REPEATED ? throttle_key_name(d->key) : "";
    const char *class = stream_class_name(m->class);
    long long wait_s = d->wait_ms / 1000;
    switch (d->what) {
    case THROTTLE_PASS:
        return true;
    case THROTTLE_PACE:
        snprintf(text, sizeof(text), "limit \"%s\" for class \"%s\": its slot is in %lld s", name,
                 class, wait_s);
        return rows_waits_for(db, m, i, text, err) &&
               rows_mail_event(db, m, i, "paced", &taken, text, err);
    case THROTTLE_REPLACES:
        mail_id_print(d->other, other);
        snprintf(text, sizeof(text), "in the place of %s: its slot is in %lld s", other, wait_s);
        return duplicates_replace(db, m, d, err) && rows_waits_for(db, m, i, text, err) &&
               rows_mail_event(db, m, i, "paced", &taken, text, err);
    case THROTTLE_DEFER:
    case THROTTLE_REJECT:
        snprintf(text, sizeof(text), "limit \"%s\" for class \"%s\": one would conform in %lld s",
                 name, class, wait_s);
        return rows_mail_event(db, m, i, "throttled", &flood, text, err);
    case THROTTLE_SUPPRESSED: /* said when it is settled */
        return true;
    case THROTTLE_REPEATED:
    case THROTTLE_COLLAPSED:
        break;
    }
    UNREACHABLE();
}

static bool accept_recipient(struct database *db, struct store_accept *a, size_t i, struct err *err)
{
    const struct mail *m = a->mail;
    const struct throttle_decision *d = a->decisions ? &a->decisions[i] : NULL;
    bool suppressed = d && d->what == THROTTLE_SUPPRESSED;
    bool held = a->capture != DOMAIN_SENDS && !(d && throttle_refuses(d)) && capture_holds(a, i);
    struct database_due due = due_of(m, i);
    if (d && throttle_repeats(d))
        return duplicates_event(db, a, i, d, err);
    if (!add_recipient(db, a, i, held, suppressed ? &a->refusals[i] : &flood, err) ||
        !rows_accepted_event(db, m, i, d && d->first_time, err) ||
        (d && !note_decision(db, m, i, d, err)))
        return false;
    if (held)
        a->result = STORE_CAPTURED;
    if (held)
        return capture_note(db, a, i, err);
    due.due_ms += slot_ms(d);
    if (d && throttle_refuses(d)) /* its answer is known: only the report is missing */
        due.domain[0] = '\0';
    rows_note_due(db, &due);
    return true;
}

bool rows_accept(struct database *db, struct store_accept *a, struct err *err)
{
    bool ok = capture_look(db, a, err) && add_message(db, a->mail, err);
    a->result = STORE_ACCEPTED;
    for (size_t i = 0; ok && i < a->mail->envelope.count; i++)
        ok = accept_recipient(db, a, i, err);
    return ok;
}
