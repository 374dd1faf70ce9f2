// SPDX-License-Identifier: BSD-2-Clause
/* db.h - Inside the store: the database as its own files see it: prepared statements, typed
 * binding, and what the open transaction has changed. */
#ifndef DB_H
#define DB_H

#include "database.h"
#include "shares.h"
#include "sql.h"

#include <sqlite3.h>

struct due_list {
    struct database_due *items;
    size_t count, size;
};

struct place_list {
    struct mail_place *items;
    size_t count, size;
};

/* How much of what an open transaction notes had been noted at some moment. */
struct rows_mark {
    size_t due, released, changes;
};

struct database {
    sqlite3 *handle;
    sqlite3_stmt *statements[SQL_COUNT];
    /* What the open transaction will have changed, for those who keep it in memory; cleared by
     * rows_forget(). */
    struct due_list due;
    struct place_list released;
    bool writes;           /* the one connection that does */
    bool accounts_changed; /* by the open transaction: a credential or a domain */
    bool revised;          /* by the open transaction: mail that waits, or who is to get it */
    struct shares shares;
    struct rows_mark mark; /* where the open savepoint began */
    bool instance_known;   /* what follows has been read, and nobody has changed it since */
    unsigned char rate_key[32];
    struct secret_keyed *keyed; /* with that */
    int64_t steps_ms;           /* how far the clock has been set */
    int64_t report_due_ms;      /* nothing before that, as far as is known */
    /* so far housekeeping has come */
    unsigned char rate_swept[16], known_swept[16];
};

/* A statement, reset and without bindings. */
sqlite3_stmt *rows_prepare(struct database *db, enum sql sql);
void rows_int(sqlite3_stmt *s, int column, int64_t value);
/* `text` is borrowed until the statement has run; NULL binds NULL. */
void rows_text(sqlite3_stmt *s, int column, const char *text);
void rows_blob(sqlite3_stmt *s, int column, struct span bytes); /* borrowed in the same way */
/* The same with its values, from the first on: ROWS(db, SQL_SET_CAPTURED, TEXT(name), INT(1)). */
struct rows_value {
    void (*bind)(sqlite3_stmt *s, int column, const struct rows_value *value);
    union {
        int64_t number;
        const char *text;
        struct span bytes;
    };
};
void rows_bind_int(sqlite3_stmt *s, int column, const struct rows_value *value);
void rows_bind_text(sqlite3_stmt *s, int column, const struct rows_value *value);
void rows_bind_blob(sqlite3_stmt *s, int column, const struct rows_value *value);
sqlite3_stmt *rows_prepare_with(struct database *db, enum sql sql, const struct rows_value *values,
                                size_t count);
/* clang-format off */
#define INT(value)  {.bind = rows_bind_int, .number = (value)}
#define TEXT(value) {.bind = rows_bind_text, .text = (value)}
#define BLOB(...)   {.bind = rows_bind_blob, .bytes = (__VA_ARGS__)}
#define ROWS(db, sql, ...)                                             \
    rows_prepare_with(db, sql, (struct rows_value[]){__VA_ARGS__},     \
                      COUNT_OF(((struct rows_value[]){__VA_ARGS__})))
/* clang-format on */

const char *rows_get_text(sqlite3_stmt *s,
                          int column); /* never NULL; borrowed until the next step */
void rows_copy_text(sqlite3_stmt *s, int column, char *text_r, size_t size);

/* True while there is a row. At the end, or on a fault, the statement is reset; `err->kind` tells
 * which. */
bool rows_next(struct database *db, sqlite3_stmt *s, struct err *err);
/* Run to the end. */
MUST_CHECK bool rows_run(struct database *db, sqlite3_stmt *s, struct err *err);
/* How many rows it returned, run to the end: ERR_NOT_FOUND for none. */
MUST_CHECK bool rows_run_one(struct database *db, sqlite3_stmt *s, struct err *err);
/* The number in the last row, run to the end; as it was when there is none. */
MUST_CHECK bool rows_run_int(struct database *db, sqlite3_stmt *s, int64_t *number_r,
                             struct err *err);
MUST_CHECK bool rows_simple(struct database *db, enum sql sql, struct err *err);
/* A statement with one number: a message, or how far the clock has been set. */
MUST_CHECK bool rows_run_about(struct database *db, enum sql sql, int64_t number, struct err *err);

/* What SQLite says of its last call, after what we were `doing`. Returns false. */
bool rows_fault(struct database *db, struct err *err, const char *doing);
/* Did the last statement fail for what it was to write, and not because of the disk? */
bool rows_is_refused(const struct database *db);

/* Undo the open transaction, if SQLite has not done so by itself. */
void rows_rollback(struct database *db);

/* Within it: what is undone alone is undone in what is kept in memory, too. Either ends the
 * savepoint; there is one at a time. */
MUST_CHECK bool rows_savepoint(struct database *db, struct err *err);
MUST_CHECK bool rows_release(struct database *db, struct err *err);
MUST_CHECK bool rows_undo(struct database *db, struct err *err);

/* For those who keep it in memory: it waits; or nothing of it lies there any more. */
void rows_note_due(struct database *db, const struct database_due *due);
void rows_note_released(struct database *db, const struct mail_place *place);
/* They know. */
void rows_forget(struct database *db);

#endif
