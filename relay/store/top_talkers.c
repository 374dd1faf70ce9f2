// SPDX-License-Identifier: BSD-2-Clause
/* top_talkers.c - Who sends and gets most: events say what was taken, `refused` counts what was
 * not, by the minute, as a flood has one event only.
 *
 * Recipients are grouped by the form they are counted as, so that a flood of one mailbox in many
 * spellings is one line.
 */
#include "top_talkers.h"

#include "db.h"
#include "sweep.h"

static struct span domain_of(struct span address)
{
    for (size_t i = address.len; i > 0; i--)
        if (address.ptr[i - 1] == '@')
            return span_from(address, i);
    return address;
}

/* counted_as(address, how): 0 its form that counts, 1 the domain of that, 2 the form of exactly
 * this mailbox */
static void counted_as(sqlite3_context *context, int count, sqlite3_value **values)
{
    const char *text = (const char *)sqlite3_value_text(values[0]);
    char form[ADDRESS_CANONICAL_MAX + 1];
    CHECK(count == 2);
    int how = sqlite3_value_int(values[1]);
    if (how == 2)
        address_same_form(text ? text : "", form);
    else
        address_counted_as(text ? text : "", form);
    struct span s = span_of(form);
    if (how == 1)
        s = domain_of(s);
    sqlite3_result_text(context, s.ptr, (int)s.len, SQLITE_TRANSIENT);
}

bool top_talkers_functions(struct database *db, struct err *err)
{
    int flags = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_DIRECTONLY;
    return sqlite3_create_function(db->handle, "counted_as", 2, flags, NULL, counted_as, NULL,
                                   NULL) == SQLITE_OK ||
           err_set(err, ERR_STORE, "the database cannot add a function");
}

bool top_talkers_note_refused(struct database *db, const char *credential, const char *recipient,
                              int64_t now_ms, struct err *err)
{
    return rows_run(
        db, ROWS(db, SQL_REFUSED, INT(now_ms / 60000), TEXT(credential), TEXT(recipient)), err);
}

bool top_talkers_sweep(struct database *db, int64_t before_ms)
{
    sqlite3_stmt *s = ROWS(db, SQL_FORGET_REFUSED, INT(before_ms / 60000));
    return sweep_rows(db, s);
}

bool database_top(struct database *db, enum database_top_by by, int64_t since_ms, int64_t limit,
                  database_on_top *on_top, void *context, struct err *err)
{
    sqlite3_stmt *s = ROWS(db, SQL_TOP, INT(by), INT(since_ms), INT(limit));
    while (rows_next(db, s, err)) {
        struct database_top row = {.who = rows_get_text(s, 0),
                                   .accepted = sqlite3_column_int64(s, 1),
                                   .paced = sqlite3_column_int64(s, 2),
                                   .collapsed = sqlite3_column_int64(s, 3),
                                   .refused = sqlite3_column_int64(s, 4)};
        on_top(context, &row);
    }
    return err->kind == ERR_NONE;
}
