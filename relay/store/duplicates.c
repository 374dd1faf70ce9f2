// SPDX-License-Identifier: BSD-2-Clause
/* duplicates.c - Two ways of sending the same again.
 *
 * A repetition has the same Message-ID and content, or the same idempotency key: the application
 * did not hear the answer. It is known for a day, by a row of its own, also when the first one has
 * long been delivered. Some programs give all their mail one Message-ID: other content is another
 * message. A key is a promise, so that one with other content is refused. All of it is about
 * exactly one mailbox: who only counts as the same has not got it.
 *
 * A message that says the same (`fingerprint`) as one that still waits for this recipient is
 * collapsed into it: somebody pressed the button again. Of security mail the newest goes, as the
 * older link or code is dead; it takes the older one's slot, so that pressing gains nothing. What
 * may be on its way at this moment cannot be taken back: then both go, by the limits.
 */
#include "duplicates.h"

#include "db.h"
#include "ends.h"
#include "events.h"
#include "macs.h"
#include "secret.h"
#include "shares.h"

#include <stdio.h>
#include <string.h>

enum { TAKE_BACK_MS = 2000 }; /* what is due later than this has not been begun when we commit */

/* ---- by Message-ID or idempotency key ---- */

bool duplicates_key(struct database *db, unsigned char key_r[CONTENT_KEY], struct err *err)
{
    struct span secret = {(const char *)db->rate_key, sizeof(db->rate_key)};
    if (!macs_prepare(db, err))
        return false;
    secret_derive(secret, "contents", key_r, CONTENT_KEY);
    return true;
}

static struct span content_of(const struct store_accept *a)
{
    return (struct span){(const char *)a->content, sizeof(a->content)};
}

static void name_once(struct database *db, const struct store_accept *a,
                      const struct address_forms *forms, struct sent_name *name_r)
{
    struct buf text;
    buf_init(&text, 8192);
    BUF_ADD(&text, a->keyed ? SPAN("key\n") : SPAN("once\n"), span_of(a->mail->tenant), SPAN("\n"),
            span_of(forms->same), SPAN("\n"), span_of(a->once), SPAN("\n"));
    if (!a->keyed)
        buf_add(&text, content_of(a));
    CHECK(!text.overflow); /* message_check() has seen to that */
    sent_name_message(db, forms->counted, &text, name_r);
}

/* The key was used for something else. */
static void refuse_key(struct store_accept *a, int64_t first)
{
    char id[MAIL_ID_TEXT];
    mail_id_print(first, id);
    a->refusal = verdict_make(550, "5.6.0",
                              "Idempotency key \"%.64s\" was used within a day for message %s "
                              "with other content: give each message a key of its own",
                              a->once, id);
    a->result = STORE_REFUSED;
}

static bool read_once(struct database *db, struct store_accept *a, struct rows *s,
                      struct throttle_decision *d, struct err *err)
{
    while (rows_next(db, s, err)) {
        struct span content = rows_get_blob(s, 1);
        d->what = THROTTLE_REPEATED;
        d->other = rows_get_int(s, 0);
        if (content.len > 0 && !span_equal(content, content_of(a))) /* empty: not known */
            refuse_key(a, d->other);
    }
    return err->kind == ERR_NONE;
}

/* One that has failed does not count: whoever sends it again means it. */
static bool find_once(struct database *db, struct store_accept *a, const struct sent_name *name,
                      int64_t now_ms, struct throttle_decision *d, struct err *err)
{
    int64_t now = sent_moved(now_ms, -db->steps_ms);
    if (!read_once(db, a, ROWS(db, SQL_ONCE, BLOB(sent_span(name)), INT(now)), d, err))
        return false;
    return d->what == THROTTLE_REPEATED || !db->has_older ||
           read_once(db, a,
                     ROWS(db, SQL_OLDER_ONCE, BLOB(sent_older(name)), INT(now_ms - SENT_ONCE_MS)),
                     d, err);
}

/* Until when a row of `message` counts. */
static bool note(struct database *db, const struct sent_name *name, int64_t message,
                 int64_t until_ms, int64_t value, struct span content, struct err *err)
{
    struct rows *s = ROWS(db, SQL_NOTE_SENT, BLOB(sent_span(name)), INT(message),
                          INT(sent_moved(until_ms, -db->steps_ms)), INT(value));
    if (content.len > 0)
        rows_blob(s, 5, content);
    return rows_run(db, s, err);
}

bool duplicates_note(struct database *db, const struct store_accept *a,
                     const struct throttle_decision *d, const struct duplicate_names *names,
                     int64_t now_ms, struct err *err)
{
    bool collapsed = d->what == THROTTLE_COLLAPSED;
    if (throttle_refuses(d) || d->what == THROTTLE_REPEATED)
        return true;
    if (names->has_once &&
        !note(db, &names->once, collapsed ? d->other : a->mail->id, now_ms + SENT_ONCE_MS, 0,
              a->keyed ? content_of(a) : SPAN_NONE, err))
        return false;
    return !names->has_alike || collapsed ||
           note(db, &names->alike, a->mail->id, now_ms + a->throttle->alike.every_ms,
                d - a->decisions, SPAN_NONE, err);
}

/* ---- by what it says ---- */

static void name_alike(struct database *db, const struct store_accept *a, const char *recipient,
                       struct sent_name *name_r)
{
    struct buf text;
    buf_init(&text, 4096);
    BUF_ADD(&text, SPAN("alike\n"), span_of(a->mail->tenant), SPAN("\n"), span_of(recipient),
            SPAN("\n"));
    buf_add(&text, (struct span){(const char *)a->fingerprint, sizeof(a->fingerprint)});
    sent_name_message(db, recipient, &text, name_r);
}

/* Of several, the one that is due last. `ended_r`: one does not wait any more. */
static bool read_alike(struct database *db, const struct store_accept *a, struct rows *s,
                       int64_t now_ms, struct throttle_decision *d, bool *ended_r, struct err *err)
{
    *ended_r = false;
    while (rows_next(db, s, err)) {
        int64_t wait_ms = rows_get_int(s, 2) - now_ms;
        *ended_r = *ended_r || rows_is_null(s, 0);
        if (rows_is_null(s, 0) || (d->what != THROTTLE_PASS && wait_ms < d->wait_ms))
            continue;
        if (a->mail->class == STREAM_SECURITY && wait_ms <= TAKE_BACK_MS)
            continue;
        d->what = a->mail->class == STREAM_SECURITY ? THROTTLE_REPLACES : THROTTLE_COLLAPSED;
        d->other = rows_get_int(s, 0);
        d->number = (unsigned)rows_get_int(s, 1);
        d->wait_ms = wait_ms > 0 ? wait_ms : 0;
    }
    return err->kind == ERR_NONE;
}

/* What was accepted before there was `sent` has its name in its own row. */
static bool find_older_alike(struct database *db, const struct store_accept *a,
                             const struct sent_name *name, int64_t now_ms,
                             struct throttle_decision *d, struct err *err)
{
    bool ended = false;
    int64_t older = 0;
    memcpy(&older, name->older, sizeof(older));
    struct rows *s =
        ROWS(db, SQL_OLDER_ALIKE, INT(older), INT(now_ms - a->throttle->alike.every_ms));
    return read_alike(db, a, s, now_ms, d, &ended, err);
}

static bool find_alike(struct database *db, const struct store_accept *a,
                       const struct sent_name *name, int64_t now_ms, struct throttle_decision *d,
                       struct err *err)
{
    bool ended = false;
    struct rows *s = ROWS(db, SQL_ALIKE, BLOB(sent_span(name)),
                          INT(sent_moved(now_ms, -db->steps_ms)), INT(a->mail->id));
    if (!read_alike(db, a, s, now_ms, d, &ended, err) ||
        (db->has_older && !find_older_alike(db, a, name, now_ms, d, err)))
        return false;
    s = ROWS(db, SQL_FORGET_ALIKE, BLOB(sent_span(name)), INT(a->mail->id));
    return !ended || rows_run(db, s, err); /* so that pressing a button again and again is cheap */
}

/* Another recipient of this very message, the same mailbox in another spelling, has its place. */
static bool is_taken(const struct store_accept *a, const struct throttle_decision *d)
{
    for (const struct throttle_decision *e = a->decisions; e < d; e++)
        if (e->what == THROTTLE_REPLACES && e->other == d->other && e->number == d->number)
            return true;
    return false;
}

bool duplicates_find(struct database *db, struct store_accept *a, const struct address_forms *forms,
                     int64_t now_ms, struct throttle_decision *d, struct duplicate_names *names_r,
                     struct err *err)
{
    *names_r = (struct duplicate_names){.has_once = a->once != NULL};
    if (a->once)
        name_once(db, a, forms, &names_r->once);
    if (a->once && !find_once(db, a, &names_r->once, now_ms, d, err))
        return false;
    if (d->what != THROTTLE_PASS || !a->has_fingerprint || a->throttle->mode == THROTTLE_OFF ||
        a->throttle->alike.every_ms == 0)
        return true;
    name_alike(db, a, forms->counted, &names_r->alike);
    names_r->has_alike = true;
    if (!find_alike(db, a, &names_r->alike, now_ms, d, err))
        return false;
    if (d->what == THROTTLE_REPLACES && is_taken(a, d)) {
        d->what = THROTTLE_COLLAPSED;
        d->other = a->mail->id;
    }
    return true;
}

bool duplicates_event(struct database *db, const struct store_accept *a, size_t i,
                      const struct throttle_decision *d, struct err *err)
{
    static const struct verdict taken = {.code = 250, .enhanced = "2.0.0"};
    char id[MAIL_ID_TEXT];
    char text[80];
    mail_id_print(d->other, id);
    snprintf(text, sizeof(text),
             d->what == THROTTLE_REPEATED ? "duplicate of %s, not sent again" : "collapsed into %s",
             id);
    if (a->result == STORE_DUPLICATE) /* nobody gets it: the whole message says nothing new */
        return rows_spared_event(db, a, i, "collapsed", &taken, text, err);
    return rows_mail_event(db, a->mail, i, "collapsed", &taken, text, err);
}

bool duplicates_replace(struct database *db, const struct mail *m,
                        const struct throttle_decision *d, struct err *err)
{
    char id[MAIL_ID_TEXT];
    char text[80];
    char address[ADDRESS_MAX + 1] = "";
    int64_t waited = 0;
    db->revised = true;
    struct rows *s = ROWS(db, SQL_REPLACE, INT(d->other), INT(d->number));
    while (rows_next(db, s, err)) {
        rows_copy_text(s, 0, address, sizeof(address));
        waited = shares_waiting(1, (int64_t)strlen(rows_get_text(s, 1)));
    }
    shares_add(&db->shares, DATABASE_WAITING, m->tenant, -waited);
    mail_id_print(m->id, id);
    snprintf(text, sizeof(text), "%s is newer, says the same and goes instead", id);
    struct database_event event = {.at_ms = m->created_ms,
                                   .kind = "collapsed",
                                   .message = d->other,
                                   .recipient = address,
                                   .enhanced = "",
                                   .reply = text,
                                   .remote = m->peer,
                                   .credential = m->credential,
                                   .tenant = m->tenant};
    return err->kind == ERR_NONE && rows_event(db, &event, err) && rows_end(db, d->other, err);
}
