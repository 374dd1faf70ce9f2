// SPDX-License-Identifier: BSD-2-Clause
/* new_recipients.c - How many recipients a tenant writes to for the first time. A form that anybody
 * can fill in sends mail to strangers; an application in normal use mostly writes to those it
 * knows.
 *
 * `sent` has a row for each tenant and recipient (sent.c); `newcomers` counts the new ones of each
 * tenant and day, for a week, and keeps a tenant's first day for ever.
 */
#include "new_recipients.h"

#include "db.h"
#include "events.h"
#include "log.h"
#include "sent.h"

#include <stdio.h>
#include <string.h>

enum { REFRESH_DAYS = 30, WEEK_DAYS = 7 };

static const int64_t day_ms = INT64_C(24) * 3600 * 1000;

static bool is_known(struct database *db, const struct sent_name *name, int64_t *day_r,
                     struct err *err)
{
    struct sent_row row;
    bool ok = sent_find(db, name, SQL_OLDER_KNOWN, &row, err);
    *day_r = row.value;
    return ok && row.value != 0;
}

static bool set_known(struct database *db, const struct sent_name *name, int64_t day,
                      struct err *err)
{
    const struct sent_row row = {sent_moved((day + SENT_KNOWN_DAYS) * day_ms, -db->steps_ms), day};
    return sent_set(db, name, &row, err);
}

static uint32_t count_of(struct rows *s, int column)
{
    int64_t count = rows_get_int(s, column);
    return count < 0 || count > UINT32_MAX ? UINT32_MAX : (uint32_t)count;
}

bool database_new_recipients(struct database *db, const char *tenant, int64_t now_ms,
                             struct throttle_new_recipients *n_r, struct err *err)
{
    struct rows *s = ROWS(db, SQL_NEWCOMERS, TEXT(tenant), INT(throttle_day(now_ms)));
    *n_r = (struct throttle_new_recipients){0};
    while (rows_next(db, s, err))
        *n_r = (struct throttle_new_recipients){rows_get_int(s, 0), count_of(s, 1), count_of(s, 2)};
    return err->kind == ERR_NONE;
}

/* Read once a day, and counted on. NULL: it cannot be read. */
static struct throttle_new_recipients *look(struct database *db, const char *tenant, int64_t now_ms,
                                            struct err *err)
{
    size_t place = 0;
    int64_t day = throttle_day(now_ms);
    for (const char *c = tenant; *c; c++)
        place = place * 31 + (unsigned char)*c;
    struct newcomers_kept *kept = &db->newcomers[place % NEWCOMERS_KEPT];
    if (kept->day == day && strcmp(kept->tenant, tenant) == 0)
        return &kept->all;
    kept->day = 0;
    if (!database_new_recipients(db, tenant, now_ms, &kept->all, err))
        return NULL;
    snprintf(kept->tenant, sizeof(kept->tenant), "%s", tenant);
    kept->day = day;
    return &kept->all;
}

bool new_recipients_find(struct database *db, const struct throttle_settings *settings,
                         const char *tenant, const char *recipient, int64_t now_ms,
                         struct new_recipient *n, struct err *err)
{
    char what[SENT_WHAT_MAX];
    int64_t day = 0;
    *n = (struct new_recipient){0};
    if (settings->first_time.per_day == 0)
        return true;
    snprintf(what, sizeof(what), "known\n%s", tenant);
    sent_name_count(db, recipient, what, &n->name);
    n->is_new = !is_known(db, &n->name, &day, err);
    if (err->kind != ERR_NONE)
        return false;
    n->is_stale = !n->is_new && day + REFRESH_DAYS <= throttle_day(now_ms);
    if (!n->is_new)
        return true;
    const struct throttle_new_recipients *all = look(db, tenant, now_ms, err);
    if (!all)
        return false;
    n->today = all->today;
    n->limit = throttle_new_recipients_limit(settings, all, now_ms);
    n->wait_ms = throttle_new_recipients_wait_ms(settings, all, now_ms);
    return true;
}

bool new_recipients_note(struct database *db, const struct mail *mail,
                         const struct new_recipient *n, int64_t now_ms, struct err *err)
{
    static const struct verdict taken = {.code = 250, .enhanced = "2.0.0"};
    char text[120];
    if (!n->is_new)
        return !n->is_stale || set_known(db, &n->name, throttle_day(now_ms), err);
    struct throttle_new_recipients *all = look(db, mail->tenant, now_ms, err);
    if (!all || !set_known(db, &n->name, throttle_day(now_ms), err))
        return false;
    all->today++; /* on the disk its event says so (events.c) */
    if (all->since_day == 0)
        all->since_day = throttle_day(now_ms);
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
    struct rows *s = ROWS(db, SQL_FORGET_NEWCOMERS, INT(throttle_day(now_ms) - WEEK_DAYS));
    bool ok = rows_run(db, s, &err);
    log_fault("housekeeping_failed", &err);
    return ok && rows_changes(db) > 0;
}
