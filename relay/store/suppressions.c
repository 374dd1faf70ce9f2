// SPDX-License-Identifier: BSD-2-Clause
/* suppressions.c - Who does not want, or cannot get, which mail. Each change is an event: who is on
 * the list, since when, and why can be told for as long as events are kept. */
#include "suppressions.h"

#include "rows.h"

#include <stdio.h>

static void read_entry(sqlite3_stmt *s, struct suppress_entry *e)
{
    *e = (struct suppress_entry){
        .reason = (enum suppress_reason)((unsigned)sqlite3_column_int(s, 3) % SUPPRESS_REASONS),
        .created_ms = sqlite3_column_int64(s, 5),
        .expires_ms = sqlite3_column_int64(s, 6)};
    rows_copy_text(s, 0, e->address, sizeof(e->address));
    rows_copy_text(s, 1, e->tenant, sizeof(e->tenant));
    rows_copy_text(s, 2, e->stream, sizeof(e->stream));
    rows_copy_text(s, 4, e->source, sizeof(e->source));
}

bool database_suppressed(struct database *db, const struct mail *m, const char *recipient,
                         int64_t now_ms, struct suppress_entry *entry_r, struct err *err)
{
    sqlite3_stmt *s = rows_prepare(db, SQL_SUPPRESSED);
    bool found = false;
    rows_text(s, 1, recipient);
    while (rows_next(db, s, err)) { /* of everybody's: there are few */
        struct suppress_entry e;
        read_entry(s, &e);
        if (!found && suppress_applies(&e, m->tenant, m->stream, m->class, now_ms)) {
            *entry_r = e;
            found = true;
        }
    }
    return found && err->kind == ERR_NONE;
}

static bool note_change(struct database *db, const char *kind, const struct suppress_entry *e,
                        const char *source, int64_t now_ms, struct err *err)
{
    char text[320];
    snprintf(text, sizeof(text), "%s, tenant \"%s\", stream \"%s\", by %s",
             suppress_reason_name(e->reason), e->tenant, e->stream, source);
    struct database_event event = {.at_ms = now_ms,
                                   .kind = kind,
                                   .recipient = e->address,
                                   .enhanced = "",
                                   .reply = text,
                                   .remote = ""};
    return rows_event(db, &event, err);
}

bool database_suppress(struct database *db, const struct suppress_entry *e, int64_t now_ms,
                       bool *changed_r, struct err *err)
{
    sqlite3_stmt *s = rows_prepare(db, SQL_SUPPRESS_ADD);
    rows_text(s, 1, e->address);
    rows_text(s, 2, e->tenant);
    rows_text(s, 3, e->stream);
    rows_int(s, 4, e->reason);
    rows_text(s, 5, e->source);
    rows_int(s, 6, e->created_ms);
    rows_int(s, 7, e->expires_ms);
    *changed_r = false;
    while (rows_next(db, s, err))
        *changed_r = true;
    if (err->kind != ERR_NONE)
        return false;
    if (*changed_r)
        return note_change(db, "suppress_added", e, e->source, now_ms, err);
    s = rows_prepare(db, SQL_SUPPRESS_EXTEND);
    rows_text(s, 1, e->address);
    rows_text(s, 2, e->tenant);
    rows_text(s, 3, e->stream);
    rows_int(s, 4, e->reason);
    rows_int(s, 5, e->expires_ms);
    return rows_run(db, s, err);
}

enum { REMOVED_AT_ONCE = 100 };

bool database_unsuppress(struct database *db, const struct suppressions_filter *f,
                         const char *source, int64_t now_ms, int64_t *removed_r, struct err *err)
{
    struct suppress_entry gone[REMOVED_AT_ONCE];
    size_t count = 0;
    sqlite3_stmt *s = rows_prepare(db, SQL_SUPPRESS_REMOVE);
    rows_text(s, 1, f->address);
    rows_text(s, 2, f->tenant);
    rows_text(s, 3, f->stream);
    if (f->reason >= 0)
        rows_int(s, 4, f->reason);
    *removed_r = 0;
    while (rows_next(db, s, err)) {
        struct suppress_entry *e = &gone[count < REMOVED_AT_ONCE ? count : REMOVED_AT_ONCE - 1];
        *e = (struct suppress_entry){.reason = (enum suppress_reason)(
                                         (unsigned)sqlite3_column_int(s, 2) % SUPPRESS_REASONS)};
        snprintf(e->address, sizeof(e->address), "%s", f->address);
        rows_copy_text(s, 0, e->tenant, sizeof(e->tenant));
        rows_copy_text(s, 1, e->stream, sizeof(e->stream));
        count += count < REMOVED_AT_ONCE;
        (*removed_r)++;
    }
    bool ok = err->kind == ERR_NONE;
    for (size_t i = 0; ok && i < count; i++)
        ok = note_change(db, "suppress_removed", &gone[i], source, now_ms, err);
    return ok;
}

bool database_suppressions(struct database *db, struct suppressions_filter *f, int64_t limit,
                           database_on_suppression *on_entry, void *context, struct err *err)
{
    sqlite3_stmt *s = rows_prepare(db, SQL_SUPPRESS_LIST);
    const struct suppress_entry after = f->after;
    rows_text(s, 1, f->address);
    rows_text(s, 2, f->tenant);
    rows_text(s, 3, f->stream);
    if (f->reason >= 0)
        rows_int(s, 4, f->reason);
    rows_text(s, 5, after.address);
    rows_text(s, 6, after.tenant);
    rows_text(s, 7, after.stream);
    rows_int(s, 8, after.address[0] ? (int64_t)after.reason : -1);
    rows_int(s, 9, limit);
    while (rows_next(db, s, err)) {
        read_entry(s, &f->after);
        on_entry(context, &f->after);
    }
    return err->kind == ERR_NONE;
}
