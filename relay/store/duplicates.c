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
#include "sweep.h"

#include <stdio.h>
#include <string.h>

static const int64_t once_ms = INT64_C(24) * 3600 * 1000;

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

static struct span content_of(const struct store_job *job)
{
    return (struct span){(const char *)job->content, sizeof(job->content)};
}

static void name_once(const struct database *db, const struct store_job *job, const char *same_form,
                      unsigned char name_r[16])
{
    struct buf text;
    buf_init(&text, 8192);
    buf_addf(&text, "%s\n%s\n%s\n%s\n", job->keyed ? "key" : "once", job->mail->tenant, same_form,
             job->once);
    if (!job->keyed)
        buf_add(&text, content_of(job));
    CHECK(!text.overflow); /* message_check() has seen to that */
    macs_make(db, &text, name_r);
}

/* The key was used for something else. */
static void refuse_key(struct store_job *job, int64_t first)
{
    char id[MAIL_ID_TEXT];
    mail_id_print(first, id);
    job->refusal = verdict_make(550, "5.6.0",
                                "Idempotency key \"%.64s\" was used within a day for message %s "
                                "with other content: give each message a key of its own",
                                job->once, id);
}

/* One that has failed does not count: whoever sends it again means it. */
static bool find_once(struct database *db, struct store_job *job, const char *same_form,
                      int64_t now_ms, struct throttle_decision *d, unsigned char name_r[16],
                      struct err *err)
{
    name_once(db, job, same_form, name_r);
    sqlite3_stmt *s =
        ROWS(db, SQL_ONCE, BLOB((struct span){(const char *)name_r, 16}), INT(now_ms - once_ms));
    while (rows_next(db, s, err)) {
        struct span content = {sqlite3_column_blob(s, 1), (size_t)sqlite3_column_bytes(s, 1)};
        d->what = THROTTLE_REPEATED;
        d->other = sqlite3_column_int64(s, 0);
        if (content.len > 0 && !span_equal(content, content_of(job))) /* empty: not known */
            refuse_key(job, d->other);
    }
    return err->kind == ERR_NONE;
}

bool duplicates_note(struct database *db, const struct store_job *job,
                     const struct throttle_decision *d, const unsigned char name[16],
                     int64_t now_ms, struct err *err)
{
    if (!job->once || throttle_refuses(d) || d->what == THROTTLE_REPEATED)
        return true;
    return rows_run(db,
                    ROWS(db, SQL_SET_ONCE, BLOB((struct span){(const char *)name, 16}),
                         INT(d->what == THROTTLE_COLLAPSED ? d->other : job->mail->id), INT(now_ms),
                         BLOB(content_of(job))),
                    err);
}

bool duplicates_sweep(struct database *db, int64_t now_ms)
{
    sqlite3_stmt *s = ROWS(db, SQL_FORGET_ONCE, INT(now_ms - once_ms));
    return sweep_rows(db, s);
}

/* ---- by what it says ---- */

static int64_t name_alike(const struct database *db, const struct store_job *job,
                          const char *recipient)
{
    struct buf text;
    unsigned char name[16];
    int64_t number = 0;
    buf_init(&text, 4096);
    buf_addf(&text, "alike\n%s\n%s\n", job->mail->tenant, recipient);
    buf_add(&text, (struct span){(const char *)job->fingerprint, sizeof(job->fingerprint)});
    macs_make(db, &text, name);
    memcpy(&number, name, sizeof(number));
    return number != 0 ? number : 1;
}

static bool find_alike(struct database *db, const struct store_job *job, int64_t now_ms,
                       struct throttle_decision *d, struct err *err)
{
    sqlite3_stmt *s =
        ROWS(db, SQL_ALIKE, INT(d->fingerprint), INT(now_ms - job->throttle->alike.every_ms));
    while (rows_next(db, s, err)) { /* one row: without any, of nothing */
        int64_t wait_ms = sqlite3_column_int64(s, 2) - now_ms;
        if (sqlite3_column_type(s, 0) == SQLITE_NULL)
            continue;
        if (job->mail->class == STREAM_SECURITY && wait_ms <= TAKE_BACK_MS)
            continue;
        d->what = job->mail->class == STREAM_SECURITY ? THROTTLE_REPLACES : THROTTLE_COLLAPSED;
        d->other = sqlite3_column_int64(s, 0);
        d->number = (unsigned)sqlite3_column_int(s, 1);
        d->wait_ms = wait_ms > 0 ? wait_ms : 0;
    }
    return err->kind == ERR_NONE;
}

/* Another recipient of this very message, the same mailbox in another spelling, has its place. */
static bool is_taken(const struct store_job *job, const struct throttle_decision *d)
{
    for (const struct throttle_decision *e = job->decisions; e < d; e++)
        if (e->what == THROTTLE_REPLACES && e->other == d->other && e->number == d->number)
            return true;
    return false;
}

bool duplicates_find(struct database *db, struct store_job *job, const struct address_forms *forms,
                     int64_t now_ms, struct throttle_decision *d, unsigned char name_r[16],
                     struct err *err)
{
    if (job->once && !find_once(db, job, forms->same, now_ms, d, name_r, err))
        return false;
    if (d->what != THROTTLE_PASS || !job->has_fingerprint || job->throttle->mode == THROTTLE_OFF ||
        job->throttle->alike.every_ms == 0)
        return true;
    d->fingerprint = name_alike(db, job, forms->counted);
    if (!find_alike(db, job, now_ms, d, err))
        return false;
    if (d->what == THROTTLE_REPLACES && is_taken(job, d)) {
        d->what = THROTTLE_COLLAPSED;
        d->other = job->mail->id;
    }
    return true;
}

bool duplicates_event(struct database *db, const struct mail *m, size_t i,
                      const struct throttle_decision *d, struct err *err)
{
    static const struct verdict taken = {.code = 250, .enhanced = "2.0.0"};
    char id[MAIL_ID_TEXT];
    char text[80];
    mail_id_print(d->other, id);
    snprintf(text, sizeof(text),
             d->what == THROTTLE_REPEATED ? "duplicate of %s, not sent again" : "collapsed into %s",
             id);
    return rows_mail_event(db, m, i, "collapsed", &taken, text, err);
}

bool duplicates_replace(struct database *db, const struct mail *m,
                        const struct throttle_decision *d, struct err *err)
{
    char id[MAIL_ID_TEXT];
    char text[80];
    char address[ADDRESS_MAX + 1] = "";
    db->revised = true;
    sqlite3_stmt *s = ROWS(db, SQL_REPLACE, INT(d->other), INT(d->number));
    while (rows_next(db, s, err))
        rows_copy_text(s, 0, address, sizeof(address));
    mail_id_print(m->id, id);
    snprintf(text, sizeof(text), "%s is newer, says the same and goes instead", id);
    struct database_event event = {.at_ms = m->created_ms,
                                   .kind = "collapsed",
                                   .message = d->other,
                                   .recipient = address,
                                   .enhanced = "",
                                   .reply = text,
                                   .remote = m->peer,
                                   .credential = m->credential};
    return err->kind == ERR_NONE && rows_event(db, &event, err) && rows_end(db, d->other, err);
}
