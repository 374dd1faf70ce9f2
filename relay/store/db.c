// SPDX-License-Identifier: BSD-2-Clause
/* db.c - Saying the statements of sql.h with typed values, and undoing them: what a transaction
 * notes for those who keep it in memory goes when it is undone. All other files of the store stand
 * above this one.
 */
#include "db.h"

#include "shares.h"

#include <stdio.h>

static const char *const texts[SQL_COUNT] = {
#define SQL_TEXT(name, text) [SQL_##name] = text,
    SQL_STATEMENTS(SQL_TEXT)
#undef SQL_TEXT
};

bool rows_fault(struct database *db, struct err *err, const char *doing)
{
    int code = db->handle ? sqlite3_errcode(db->handle) : SQLITE_NOMEM;
    const char *why = db->handle ? sqlite3_errmsg(db->handle) : "no memory";
    return err_set(err, code == SQLITE_FULL ? ERR_FULL : ERR_STORE, "%s: %s", doing, why);
}

sqlite3_stmt *rows_prepare(struct database *db, enum sql sql)
{
    sqlite3_stmt **s = &db->statements[sql];
    if (!*s) /* a statement that cannot be prepared is NULL, and every call with it fails */
        sqlite3_prepare_v3(db->handle, texts[sql], -1, SQLITE_PREPARE_PERSISTENT, s, NULL);
    if (*s) {
        sqlite3_reset(*s);
        sqlite3_clear_bindings(*s);
    }
    return *s;
}

void rows_int(sqlite3_stmt *s, int column, int64_t value)
{
    sqlite3_bind_int64(s, column, value);
}

void rows_text(sqlite3_stmt *s, int column, const char *text)
{
    if (text)
        sqlite3_bind_text(s, column, text, -1, SQLITE_STATIC);
}

void rows_blob(sqlite3_stmt *s, int column, struct span bytes)
{
    sqlite3_bind_blob(s, column, bytes.ptr, (int)bytes.len, SQLITE_STATIC);
}

void rows_bind_int(sqlite3_stmt *s, int column, const struct rows_value *value)
{
    rows_int(s, column, value->number);
}

void rows_bind_text(sqlite3_stmt *s, int column, const struct rows_value *value)
{
    rows_text(s, column, value->text);
}

void rows_bind_blob(sqlite3_stmt *s, int column, const struct rows_value *value)
{
    rows_blob(s, column, value->bytes);
}

sqlite3_stmt *rows_prepare_with(struct database *db, enum sql sql, const struct rows_value *values,
                                size_t count)
{
    sqlite3_stmt *s = rows_prepare(db, sql);
    for (size_t i = 0; i < count; i++)
        values[i].bind(s, (int)i + 1, &values[i]);
    return s;
}

const char *rows_get_text(sqlite3_stmt *s, int column)
{
    const char *text = (const char *)sqlite3_column_text(s, column);
    return text ? text : "";
}

void rows_copy_text(sqlite3_stmt *s, int column, char *text_r, size_t size)
{
    snprintf(text_r, size, "%s", rows_get_text(s, column));
}

bool rows_next(struct database *db, sqlite3_stmt *s, struct err *err)
{
    int result = s ? sqlite3_step(s) : SQLITE_ERROR;
    if (result == SQLITE_ROW)
        return true;
    err->kind = ERR_NONE;
    if (result != SQLITE_DONE)
        rows_fault(db, err, "database");
    sqlite3_reset(s);
    return false;
}

bool rows_run(struct database *db, sqlite3_stmt *s, struct err *err)
{
    while (rows_next(db, s, err))
        ;
    return err->kind == ERR_NONE;
}

bool rows_run_one(struct database *db, sqlite3_stmt *s, struct err *err)
{
    size_t count = 0;
    while (rows_next(db, s, err))
        count++;
    if (err->kind != ERR_NONE)
        return false;
    return count > 0 || err_set(err, ERR_NOT_FOUND, "not found");
}

bool rows_run_int(struct database *db, sqlite3_stmt *s, int64_t *number_r, struct err *err)
{
    while (rows_next(db, s, err))
        *number_r = sqlite3_column_int64(s, 0);
    return err->kind == ERR_NONE;
}

bool rows_simple(struct database *db, enum sql sql, struct err *err)
{
    return rows_run(db, rows_prepare(db, sql), err);
}

bool rows_is_refused(const struct database *db)
{
    switch (sqlite3_errcode(db->handle) & 0xff) {
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
    case SQLITE_TOOBIG:
        return true;
    }
    return false;
}

void rows_rollback(struct database *db)
{
    sqlite3_step(rows_prepare(db, SQL_ROLLBACK));
    sqlite3_reset(db->statements[SQL_ROLLBACK]);
    shares_undo(&db->shares, 0);
    rows_forget(db);
}

bool rows_savepoint(struct database *db, struct err *err)
{
    db->mark = (struct rows_mark){db->due.count, db->released.count, db->shares.change_count};
    return rows_simple(db, SQL_SAVEPOINT, err);
}

bool rows_release(struct database *db, struct err *err)
{
    return rows_simple(db, SQL_RELEASE, err);
}

bool rows_undo(struct database *db, struct err *err)
{
    db->due.count = db->mark.due;
    db->released.count = db->mark.released;
    shares_undo(&db->shares, db->mark.changes);
    return rows_simple(db, SQL_UNDO, err) && rows_simple(db, SQL_RELEASE, err);
}

void rows_note_due(struct database *db, const struct database_due *due)
{
    struct due_list *list = &db->due;
    if (list->count == list->size) {
        list->size = list->size ? list->size * 2 : 64;
        list->items = xgrow(list->items, list->size, sizeof(*list->items));
    }
    list->items[list->count++] = *due;
}

void rows_forget(struct database *db)
{
    db->due.count = 0;
    db->released.count = 0;
    db->accounts_changed = false;
    db->revised = false;
    shares_keep(&db->shares);
}

void rows_note_released(struct database *db, const struct mail_place *place)
{
    struct place_list *list = &db->released;
    if (list->count == list->size) {
        list->size = list->size ? list->size * 2 : 64;
        list->items = xgrow(list->items, list->size, sizeof(*list->items));
    }
    list->items[list->count++] = *place;
}

bool rows_run_about(struct database *db, enum sql sql, int64_t number, struct err *err)
{
    return rows_run(db, ROWS(db, sql, INT(number)), err);
}
