// SPDX-License-Identifier: BSD-2-Clause
/* db.h - Inside the store: an open database, and what its open transaction will have changed for
 * those who keep it in memory. */
#ifndef DB_H
#define DB_H

#include "changes.h"
#include "database.h"
#include "leases.h"
#include "rows.h"
#include "shares.h"

struct due_list {
    struct database_due *items;
    size_t count, size;
};

struct place_list {
    struct mail_place *items;
    size_t count, size;
};

/* Where a savepoint began: how much of what the transaction notes had been noted. */
struct rows_mark {
    size_t due, released, changes, shares;
    int64_t unindexed;
    unsigned level;
    size_t brake_answers;
    size_t leases;
};

/* What names of `sent` are made of, as last time (sent.c). */
enum { SENT_WHOM = 8, SENT_WHAT = 6, SENT_MESSAGE = 12, SENT_WHAT_MAX = 160, SENT_WHATS = 64 };

struct sent_whom {
    size_t len;
    char text[ADDRESS_CANONICAL_MAX + 1];
    unsigned char mac[SENT_WHOM];
};

struct sent_what {
    char text[SENT_WHAT_MAX];
    unsigned char mac[SENT_WHAT];
};

/* Whom a tenant has written to for the first time, as the open transaction has it. */
enum { NEWCOMERS_KEPT = 64 };

struct newcomers_kept {
    char tenant[64];
    int64_t day;
    struct throttle_new_recipients all;
};

/* Of events: so many that they are counted anew. */
enum { UNINDEXED_UNKNOWN = 1000 * 1000 };

/* How far housekeeping has come in a table of keys. */
struct sweep_cursor {
    size_t len;
    unsigned char key[SENT_WHOM + SENT_MESSAGE];
};

struct database {
    /* the engine's own: rows.c and database.c */
    struct sqlite3 *handle;
    struct rows *statements[SQL_COUNT]; /* NULL: not said yet */

    /* What the open transaction will have changed, for those who keep it in memory; cleared by
     * rows_forget(). */
    struct due_list due;
    struct place_list released;
    struct changes changes;
    bool writes;        /* the one connection that does */
    unsigned log_pages; /* what the log had after the last commit */
    bool log_in_parts;  /* some of it has been brought home, and not been synced there */
    bool log_kept;      /* that may be lost: nothing more is brought home (database.c) */
    bool revised;       /* by the open transaction: mail that waits, or who is to get it */
    struct shares shares;
    struct leases *leases;        /* the relay's; NULL: rows say how it is */
    struct suppress_brake *brake; /* NULL until something was answered */
    size_t brake_answers;         /* that the open transaction has counted there */
    unsigned level;               /* savepoints that are open, one in the other */
    bool instance_known;          /* what follows has been read, and nobody has changed it since */
    unsigned char rate_key[32];
    struct secret_keyed *keyed; /* with that */
    int64_t steps_ms;           /* how far the clock has been set */
    int64_t report_due_ms;      /* nothing before that, as far as is known */
    int64_t unindexed;          /* events that are not in the index by message yet, or more */
    bool has_older;             /* counts in the tables from before there was `sent` */
    struct sent_whom whoms[2];  /* domains, mailboxes */
    struct sent_what whats[SENT_WHATS];
    struct newcomers_kept newcomers[NEWCOMERS_KEPT]; /* forgotten when anything is undone */
    struct outbox_endpoint *endpoints; /* of webhooks (outbox.h), once they are known */
    uint64_t outbox_turn;              /* the number of the open transaction, or of the next */
    bool endpoints_known;
    bool endpoints_changed; /* by the open transaction */
    bool outbox_news;       /* the open transaction has something for who sends it */
    int64_t return_paths_swept;
    struct sweep_cursor sent_swept, older_rates_swept, older_known_swept;
};

/* Before it is opened, and under the lock of the state directory: copy a database of another page
 * size than new ones have, if it is not very large. Otherwise, and when that fails, it stays as it
 * is, and each message writes more. Fails when the copy has its place, but perhaps not after a
 * crash: what is written to it then could be lost. */
MUST_CHECK bool database_use_small_pages(const char *state_dir, struct err *err);
/* Bring what the log has into the database, as far as no reader stands in the way; with `wait_ms`,
 * wait so long for those who do. False: it cannot be written. */
MUST_CHECK bool database_checkpoint(struct database *db, int wait_ms, struct err *err);
/* Gives back what its cache has beyond the limit, when that has become smaller. */
void database_trim_cache(struct database *db);

/* Undo the open transaction, if SQLite has not done so by itself. */
void rows_rollback(struct database *db);

/* Within it: what is undone alone is undone in what is kept in memory, too. Either ends the
 * savepoint, and those within it; there are two at most, one in the other. */
MUST_CHECK bool rows_savepoint(struct database *db, struct rows_mark *mark_r, struct err *err);
MUST_CHECK bool rows_release(struct database *db, const struct rows_mark *mark, struct err *err);
MUST_CHECK bool rows_undo(struct database *db, const struct rows_mark *mark, struct err *err);

/* For those who keep it in memory: it waits; or nothing of it lies there any more. */
void rows_note_due(struct database *db, const struct database_due *due);
void rows_note_released(struct database *db, const struct mail_place *place);
/* They know. */
void rows_forget(struct database *db);

#endif
