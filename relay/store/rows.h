// SPDX-License-Identifier: BSD-2-Clause
/* rows.h - Saying the statements of sql.h: typed values go in, typed columns come out.
 *
 * Nothing else of the store, but for opening the database (database.c), knows which engine answers;
 * rows.c is SQLite's way. A second engine has its own file behind this header.
 */
#ifndef ROWS_H
#define ROWS_H

#include "check.h"
#include "err.h"
#include "span.h"
#include "sql.h"

#include <stddef.h>
#include <stdint.h>

struct database;

/* A statement with its values; while rows_next() is true, the row it has come to. */
struct rows;

/* ---- values, numbered from 1 ---- */

/* A statement, reset and without values. Never fails: with a statement that the engine does not
 * understand every call below fails, or does nothing. Owned by `db`; one use at a time. */
struct rows *rows_prepare(struct database *db, enum sql sql);
void rows_int(struct rows *s, int column, int64_t value);
/* `text` is borrowed until the statement has run; NULL binds NULL. */
void rows_text(struct rows *s, int column, const char *text);
void rows_blob(struct rows *s, int column, struct span bytes); /* borrowed in the same way */

/* The same with its values, from the first on: ROWS(db, SQL_SET_CAPTURED, TEXT(name), INT(1)). */
struct rows_value {
    void (*bind)(struct rows *s, int column, const struct rows_value *value);
    union {
        int64_t number;
        const char *text;
        struct span bytes;
    };
};
void rows_bind_int(struct rows *s, int column, const struct rows_value *value);
void rows_bind_text(struct rows *s, int column, const struct rows_value *value);
void rows_bind_blob(struct rows *s, int column, const struct rows_value *value);
struct rows *rows_prepare_with(struct database *db, enum sql sql, const struct rows_value *values,
                               size_t count);
/* clang-format off */
#define INT(value)  {.bind = rows_bind_int, .number = (value)}
#define TEXT(value) {.bind = rows_bind_text, .text = (value)}
#define BLOB(...)   {.bind = rows_bind_blob, .bytes = (__VA_ARGS__)}
#define ROWS(db, sql, ...)                                             \
    rows_prepare_with(db, sql, (struct rows_value[]){__VA_ARGS__},     \
                      COUNT_OF(((struct rows_value[]){__VA_ARGS__})))
/* clang-format on */

/* ---- columns, numbered from 0; what is borrowed is so until the next step ---- */

int64_t rows_get_int(struct rows *s, int column);
const char *rows_get_text(struct rows *s, int column); /* never NULL; borrowed */
void rows_copy_text(struct rows *s, int column, char *text_r, size_t size);
struct span rows_get_blob(struct rows *s, int column); /* borrowed */
bool rows_is_null(struct rows *s, int column);

/* ---- running ---- */

/* True while there is a row. At the end, or on a fault, the statement is reset; `err->kind` tells
 * which. */
bool rows_next(struct database *db, struct rows *s, struct err *err);
/* Enough of its rows were seen. */
void rows_reset(struct rows *s);
/* Run to the end. */
MUST_CHECK bool rows_run(struct database *db, struct rows *s, struct err *err);
/* How many rows it returned, run to the end: ERR_NOT_FOUND for none. */
MUST_CHECK bool rows_run_one(struct database *db, struct rows *s, struct err *err);
/* The number in the last row, run to the end; as it was when there is none. */
MUST_CHECK bool rows_run_int(struct database *db, struct rows *s, int64_t *number_r,
                             struct err *err);
MUST_CHECK bool rows_simple(struct database *db, enum sql sql, struct err *err);
/* The same, whatever comes of it. */
void rows_try(struct database *db, enum sql sql);
/* A statement with one number: a message, or how far the clock has been set. */
MUST_CHECK bool rows_run_about(struct database *db, enum sql sql, int64_t number, struct err *err);
/* How many rows the last statement has changed. */
int64_t rows_changes(const struct database *db);
/* The id of the row that was added last. */
int64_t rows_last_id(const struct database *db);

/* What the engine says of its last call, after what we were `doing`. Returns false. */
bool rows_fault(struct database *db, struct err *err, const char *doing);
/* Did the last statement fail for what it was to write, and not because of the disk? */
bool rows_is_refused(const struct database *db);

/* Free all statements; before the database is closed. */
void rows_fini(struct database *db);

#endif
