// SPDX-License-Identifier: BSD-2-Clause
/* rows.h - Inside the store: prepared statements, typed binding, and the moves that only the
 * store's thread makes. */
#ifndef ROWS_H
#define ROWS_H

#include "database.h"
#include "sql.h"
#include "store.h"

#include <sqlite3.h>

struct due_list {
    struct database_due *items;
    size_t count, size;
};

struct place_list {
    struct mail_place *items;
    size_t count, size;
};

/* How many bytes of mail each tenant has in the queue, see shares.h. */
struct shares {
    struct share *first;
    int64_t bytes;          /* of all together */
    size_t tenants;         /* that have a credential */
    bool tenants_known;     /* else they are to be read */
    bool tenants_changed;   /* by the open transaction */
    struct change *changes; /* of the open transaction, in order */
    size_t change_count, change_size;
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
const char *rows_get_text(sqlite3_stmt *s,
                          int column); /* never NULL; borrowed until the next step */
void rows_copy_text(sqlite3_stmt *s, int column, char *text_r, size_t size);

/* True while there is a row. At the end, or on a fault, the statement is reset; `err->kind` tells
 * which. */
bool rows_next(struct database *db, sqlite3_stmt *s, struct err *err);
/* Run to the end. */
MUST_CHECK bool rows_run(struct database *db, sqlite3_stmt *s, struct err *err);
/* Run what forgets old rows: true when some are gone. A fault is in the log. */
bool rows_sweep(struct database *db, sqlite3_stmt *s);
/* How many rows it returned, run to the end: ERR_NOT_FOUND for none. */
MUST_CHECK bool rows_run_one(struct database *db, sqlite3_stmt *s, struct err *err);
MUST_CHECK bool rows_simple(struct database *db, enum sql sql, struct err *err);

/* Did the last statement fail for what it was to write, and not because of the disk? */
bool rows_is_refused(const struct database *db);

/* Undo the open transaction, if SQLite has not done so by itself. */
void rows_rollback(struct database *db);

/* Within it: what is undone alone is undone in what is kept in memory, too. Either ends the
 * savepoint; there is one at a time. */
MUST_CHECK bool rows_savepoint(struct database *db, struct err *err);
MUST_CHECK bool rows_release(struct database *db, struct err *err);
MUST_CHECK bool rows_undo(struct database *db, struct err *err);

void rows_note_due(struct database *db, const struct database_due *due);
void rows_forget(struct database *db);

/* ---- the moves ---- */

/* job->mail, by job->decisions if there are any. Those that are refused are accepted with their
 * refusal as last reply: what is missing is only their report. */
MUST_CHECK bool rows_accept(struct database *db, struct store_job *job, struct err *err);
MUST_CHECK bool rows_settle(struct database *db, struct store_outcome *outcome, int64_t now_ms,
                            struct err *err);
/* Drop the message when no recipient waits or is held any more. */
MUST_CHECK bool rows_end(struct database *db, int64_t message, struct err *err);
/* A transaction of its own: everything in the queue was created, is due and expires so much later.
 */
MUST_CHECK bool rows_move(struct database *db, int64_t step_ms, struct err *err);
MUST_CHECK bool rows_event(struct database *db, const struct database_event *event,
                           struct err *err);
/* An event of recipient `i` of a message that is being accepted; of `v` only code and enhanced. */
MUST_CHECK bool rows_mail_event(struct database *db, const struct mail *mail, size_t i,
                                const char *kind, const struct verdict *v, const char *reply,
                                struct err *err);

#endif
