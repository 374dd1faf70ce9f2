// SPDX-License-Identifier: BSD-2-Clause
/* new_recipients.c - A form that anybody can fill in sends mail to strangers; an application in
 * normal use mostly writes to those it knows.
 *
 * `known` has a row for each tenant and recipient, named by a MAC; `newcomers` counts the new ones
 * of each tenant and day, for a week, and keeps a tenant's first day for ever.
 */
#include "new_recipients.h"

#include "db.h"
#include "events.h"
#include "log.h"
#include "macs.h"
#include "sweep.h"

#include <stdio.h>

enum { REFRESH_DAYS = 30, FORGET_DAYS = 400, WEEK_DAYS = 7 };

static bool is_known(struct database *db, const unsigned char name[16], int64_t *day_r,
                     struct err *err)
{
    sqlite3_stmt *s = ROWS(db, SQL_KNOWN, BLOB((struct span){(const char *)name, 16}));
    *day_r = 0;
    while (rows_next(db, s, err))
        *day_r = sqlite3_column_int64(s, 0);
    return *day_r != 0;
}

static bool set_known(struct database *db, const unsigned char name[16], int64_t day,
                      struct err *err)
{
    return rows_run(
        db, ROWS(db, SQL_SET_KNOWN, BLOB((struct span){(const char *)name, 16}), INT(day)), err);
}

static uint32_t count_of(sqlite3_stmt *s, int column)
{
    int64_t count = sqlite3_column_int64(s, column);
    return count < 0 || count > UINT32_MAX ? UINT32_MAX : (uint32_t)count;
}

bool database_new_recipients(struct database *db, const char *tenant, int64_t now_ms,
                             struct throttle_new_recipients *n_r, struct err *err)
{
    sqlite3_stmt *s = ROWS(db, SQL_NEWCOMERS, TEXT(tenant), INT(throttle_day(now_ms)));
    *n_r = (struct throttle_new_recipients){0};
    while (rows_next(db, s, err))
        *n_r = (struct throttle_new_recipients){sqlite3_column_int64(s, 0), count_of(s, 1),
                                                count_of(s, 2)};
    return err->kind == ERR_NONE;
}

bool new_recipients_find(struct database *db, const struct throttle_settings *settings,
                         const char *tenant, const char *recipient, int64_t now_ms,
                         struct new_recipient *n, struct err *err)
{
    struct buf text;
    struct throttle_new_recipients all;
    int64_t day = 0;
    *n = (struct new_recipient){0};
    if (settings->first_time.per_day == 0)
        return true;
    buf_init(&text, 4096);
    buf_addf(&text, "known\n%s\n%s", tenant, recipient);
    macs_make(db, &text, n->name);
    n->is_new = !is_known(db, n->name, &day, err);
    if (err->kind != ERR_NONE)
        return false;
    n->is_stale = !n->is_new && day + REFRESH_DAYS <= throttle_day(now_ms);
    if (!n->is_new)
        return true;
    if (!database_new_recipients(db, tenant, now_ms, &all, err))
        return false;
    n->today = all.today;
    n->limit = throttle_new_recipients_limit(settings, &all, now_ms);
    n->wait_ms = throttle_new_recipients_wait_ms(settings, &all, now_ms);
    return true;
}

bool new_recipients_note(struct database *db, const struct mail *mail,
                         const struct new_recipient *n, int64_t now_ms, struct err *err)
{
    static const struct verdict taken = {.code = 250, .enhanced = "2.0.0"};
    char text[120];
    if (!n->is_new)
        return !n->is_stale || set_known(db, n->name, throttle_day(now_ms), err);
    sqlite3_stmt *s = ROWS(db, SQL_ADD_NEWCOMER, TEXT(mail->tenant), INT(throttle_day(now_ms)));
    if (!rows_run(db, s, err) || !set_known(db, n->name, throttle_day(now_ms), err))
        return false;
    uint32_t used = n->today + 1;
    snprintf(text, sizeof(text),
             "tenant \"%.40s\" has written to %u first-time recipients today, of %u", mail->tenant,
             used, n->limit);
    bool told = used == n->limit || used == n->limit / 2;
    return n->limit == 0 || !told || rows_mail_event(db, mail, 0, "newcomers", &taken, text, err);
}

bool new_recipients_sweep(struct database *db, int64_t now_ms)
{
    struct err err = {0};
    sqlite3_stmt *s = ROWS(db, SQL_FORGET_NEWCOMERS, INT(throttle_day(now_ms) - WEEK_DAYS));
    bool ok = rows_run(db, s, &err);
    log_fault("housekeeping_failed", &err);
    return ok && sweep_keys(db, SQL_KNOWN_AFTER, SQL_FORGET_KNOWN, db->known_swept,
                            throttle_day(now_ms) - FORGET_DAYS);
}
