// SPDX-License-Identifier: BSD-2-Clause
/* rows.c - The statements of sql.h as SQLite runs them. Each is prepared once, when it is first
 * said, and kept. A `struct rows` is SQLite's own statement under a name that tells nothing of it.
 */
#include "rows.h"

#include "db.h"

#include <errno.h>
#include <sqlite3.h>
#include <string.h>

static sqlite3_stmt *stmt(struct rows *s)
{
    return (sqlite3_stmt *)s;
}

/* As SQLite says of some of its files when they cannot grow. */
static bool is_out_of_room(struct database *db)
{
    return sqlite3_system_errno(db->handle) == ENOSPC;
}

bool rows_fault(struct database *db, struct err *err, const char *doing)
{
    int code = db->handle ? sqlite3_errcode(db->handle) : SQLITE_NOMEM;
    const char *why = db->handle ? sqlite3_errmsg(db->handle) : "no memory";
    bool full = code == SQLITE_FULL || (code == SQLITE_IOERR && is_out_of_room(db));
    return full ? err_set(err, ERR_FULL, "%s: the disk is full", doing)
                : err_set(err, ERR_STORE, "%s: %s", doing, why);
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

/* ---- values ---- */

struct rows *rows_prepare(struct database *db, enum sql sql)
{
    sqlite3_stmt *s = stmt(db->statements[sql]);
    if (!s) { /* one that cannot be prepared stays NULL, and every call with it fails */
        sqlite3_prepare_v3(db->handle, sql_texts[sql], -1, SQLITE_PREPARE_PERSISTENT, &s, NULL);
        db->statements[sql] = (struct rows *)s;
    }
    if (s) {
        sqlite3_reset(s);
        sqlite3_clear_bindings(s);
    }
    return (struct rows *)s;
}

void rows_int(struct rows *s, int column, int64_t value)
{
    sqlite3_bind_int64(stmt(s), column, value);
}

void rows_text(struct rows *s, int column, const char *text)
{
    if (text)
        sqlite3_bind_text(stmt(s), column, text, -1, SQLITE_STATIC);
}

void rows_blob(struct rows *s, int column, struct span bytes)
{
    sqlite3_bind_blob(stmt(s), column, bytes.ptr, (int)bytes.len, SQLITE_STATIC);
}

void rows_bind_int(struct rows *s, int column, const struct rows_value *value)
{
    rows_int(s, column, value->number);
}

void rows_bind_text(struct rows *s, int column, const struct rows_value *value)
{
    rows_text(s, column, value->text);
}

void rows_bind_blob(struct rows *s, int column, const struct rows_value *value)
{
    rows_blob(s, column, value->bytes);
}

struct rows *rows_prepare_with(struct database *db, enum sql sql, const struct rows_value *values,
                               size_t count)
{
    struct rows *s = rows_prepare(db, sql);
    for (size_t i = 0; i < count; i++)
        values[i].bind(s, (int)i + 1, &values[i]);
    return s;
}

/* ---- columns ---- */

int64_t rows_get_int(struct rows *s, int column)
{
    return sqlite3_column_int64(stmt(s), column);
}

const char *rows_get_text(struct rows *s, int column)
{
    const char *text = (const char *)sqlite3_column_text(stmt(s), column);
    return text ? text : "";
}

void rows_copy_text(struct rows *s, int column, char *text_r, size_t size)
{
    span_put(span_of(rows_get_text(s, column)), text_r, size);
}

struct span rows_get_blob(struct rows *s, int column)
{
    const char *bytes = sqlite3_column_blob(stmt(s), column);
    return (struct span){bytes, (size_t)sqlite3_column_bytes(stmt(s), column)};
}

bool rows_is_null(struct rows *s, int column)
{
    return sqlite3_column_type(stmt(s), column) == SQLITE_NULL;
}

/* ---- running ---- */

bool rows_next(struct database *db, struct rows *s, struct err *err)
{
    int result = s ? sqlite3_step(stmt(s)) : SQLITE_ERROR;
    if (result == SQLITE_ROW)
        return true;
    err->kind = ERR_NONE;
    if (result != SQLITE_DONE)
        rows_fault(db, err, "database");
    rows_reset(s);
    return false;
}

void rows_reset(struct rows *s)
{
    sqlite3_reset(stmt(s));
}

bool rows_run(struct database *db, struct rows *s, struct err *err)
{
    while (rows_next(db, s, err))
        ;
    return err->kind == ERR_NONE;
}

bool rows_run_one(struct database *db, struct rows *s, struct err *err)
{
    size_t count = 0;
    while (rows_next(db, s, err))
        count++;
    if (err->kind != ERR_NONE)
        return false;
    return count > 0 || err_set(err, ERR_NOT_FOUND, "not found");
}

bool rows_run_int(struct database *db, struct rows *s, int64_t *number_r, struct err *err)
{
    while (rows_next(db, s, err))
        *number_r = rows_get_int(s, 0);
    return err->kind == ERR_NONE;
}

bool rows_simple(struct database *db, enum sql sql, struct err *err)
{
    return rows_run(db, rows_prepare(db, sql), err);
}

void rows_try(struct database *db, enum sql sql)
{
    struct rows *s = rows_prepare(db, sql);
    sqlite3_step(stmt(s));
    rows_reset(s);
}

bool rows_run_about(struct database *db, enum sql sql, int64_t number, struct err *err)
{
    return rows_run(db, ROWS(db, sql, INT(number)), err);
}

int64_t rows_changes(const struct database *db)
{
    return sqlite3_changes(db->handle);
}

int64_t rows_last_id(const struct database *db)
{
    return sqlite3_last_insert_rowid(db->handle);
}

void rows_fini(struct database *db)
{
    for (size_t i = 0; i < SQL_COUNT; i++)
        sqlite3_finalize(stmt(db->statements[i]));
}
