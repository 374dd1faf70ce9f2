// SPDX-License-Identifier: BSD-2-Clause
/* sent.c - What each recipient has had lately, in one table: how much (the buckets of limits), from
 * which tenants (new_recipients.c), which messages, and what they said (duplicates.c).
 *
 * A name begins with a MAC of whom the row is about, in the canonical form, so that no way of
 * spelling an address begins a new count. So all rows of a recipient lie on one page, and a message
 * writes that page, not one for each row. Of counts the rest is a MAC of few words, which is made
 * once; of messages, whose rows must never be mistaken, it is a longer one. The tables tell nothing
 * about anybody.
 *
 * What a store of an earlier release has in tables of their own is read there until it is too old.
 */
#include "sent.h"

#include "log.h"
#include "macs.h"
#include "secret.h"
#include "sweep.h"

#include <stdio.h>
#include <string.h>

/* All rows of a recipient begin with the same, and those of its domain: each is made once. Those of
 * nobody lie together, too. */
static void add_whom(struct database *db, const char *whom, struct sent_name *name)
{
    struct sent_whom *last = &db->whoms[strchr(whom, '@') != NULL];
    unsigned char mac[SENT_MAC];
    size_t len = strlen(whom);
    if (len == 0)
        return;
    if (last->len != len || memcmp(last->text, whom, len) != 0) {
        secret_keyed_mac(db->keyed, span_of(whom), mac);
        last->len = len < sizeof(last->text) ? len : 0;
        memcpy(last->text, whom, last->len);
        memcpy(last->mac, mac, SENT_WHOM);
    }
    memcpy(name->name, last->mac, SENT_WHOM);
}

static void add_what(struct database *db, const char *what, struct sent_name *name)
{
    unsigned char mac[SENT_MAC];
    size_t place = 0;
    size_t len = strlen(what);
    for (size_t i = 0; i < len; i++)
        place = place * 31 + (unsigned char)what[i];
    struct sent_what *known = &db->whats[place % SENT_WHATS];
    if (strcmp(known->text, what) != 0) {
        secret_keyed_mac(db->keyed, span_of(what), mac);
        memcpy(known->mac, mac, SENT_WHAT);
        snprintf(known->text, sizeof(known->text), "%s", what);
    }
    memcpy(name->name + SENT_WHOM, known->mac, SENT_WHAT);
}

void sent_name_count(struct database *db, const char *whom, const char *what,
                     struct sent_name *name_r)
{
    struct buf text;
    CHECK(what[0] && strlen(what) < SENT_WHAT_MAX);
    *name_r = (struct sent_name){.len = SENT_WHOM + SENT_WHAT};
    add_whom(db, whom, name_r);
    add_what(db, what, name_r);
    if (!db->has_older)
        return;
    buf_init(&text, 4096);
    buf_addf(&text, "%s\n%s", what, whom);
    macs_make(db, &text, name_r->older);
}

void sent_name_message(struct database *db, const char *whom, struct buf *text,
                       struct sent_name *name_r)
{
    *name_r = (struct sent_name){.len = SENT_WHOM + SENT_MESSAGE};
    add_whom(db, whom, name_r);
    macs_make(db, text, name_r->older);
    memcpy(name_r->name + SENT_WHOM, name_r->older, SENT_MESSAGE);
}

struct span sent_span(const struct sent_name *name)
{
    return (struct span){(const char *)name->name, name->len};
}

struct span sent_older(const struct sent_name *name)
{
    return (struct span){(const char *)name->older, sizeof(name->older)};
}

/* ---- counts ---- */

static bool read_row(struct database *db, struct rows *s, struct sent_row *row_r, bool *found_r,
                     struct err *err)
{
    *found_r = false;
    *row_r = (struct sent_row){0};
    while (rows_next(db, s, err)) {
        *row_r = (struct sent_row){rows_get_int(s, 0), rows_get_int(s, 1)};
        *found_r = true;
    }
    return err->kind == ERR_NONE;
}

bool sent_find(struct database *db, const struct sent_name *name, enum sql older,
               struct sent_row *row_r, struct err *err)
{
    bool found = false;
    if (!read_row(db, ROWS(db, SQL_SENT, BLOB(sent_span(name))), row_r, &found, err))
        return false;
    return found || !db->has_older ||
           read_row(db, ROWS(db, older, BLOB(sent_older(name))), row_r, &found, err);
}

bool sent_set(struct database *db, const struct sent_name *name, const struct sent_row *row,
              struct err *err)
{
    struct rows *s =
        ROWS(db, SQL_SET_SENT, BLOB(sent_span(name)), INT(row->until), INT(row->value));
    return rows_run(db, s, err);
}

bool sent_drop(struct database *db, const struct sent_name *name, struct err *err)
{
    return rows_run(db, ROWS(db, SQL_DROP_SENT, BLOB(sent_span(name))), err) &&
           (!db->has_older ||
            rows_run(db, ROWS(db, SQL_DROP_OLDER_RATE, BLOB(sent_older(name))), err));
}

int64_t sent_moved(int64_t time_ms, int64_t step_ms)
{
    return time_ms == 0 ? 0 : time_ms + step_ms;
}

/* ---- what is too old ---- */

static bool sweep_older(struct database *db, int64_t now_ms)
{
    int64_t day = throttle_day(now_ms) - SENT_KNOWN_DAYS;
    struct rows *s = ROWS(db, SQL_FORGET_OLDER_ONCE, INT(now_ms - SENT_ONCE_MS));
    bool more = sweep_rows(db, s);
    more = sweep_keys(db, SQL_OLDER_RATE_AFTER, SQL_FORGET_OLDER_RATES, &db->older_rates_swept,
                      now_ms - db->steps_ms) ||
           more;
    return sweep_keys(db, SQL_OLDER_KNOWN_AFTER, SQL_FORGET_OLDER_KNOWN, &db->older_known_swept,
                      day) ||
           more;
}

bool sent_sweep(struct database *db, int64_t now_ms)
{
    struct err err = {0};
    bool ok = macs_prepare(db, &err);
    log_fault("housekeeping_failed", &err);
    if (!ok)
        return false;
    bool more = db->has_older && sweep_older(db, now_ms);
    return sweep_keys(db, SQL_SENT_AFTER, SQL_FORGET_SENT, &db->sent_swept,
                      now_ms - db->steps_ms) ||
           more;
}
