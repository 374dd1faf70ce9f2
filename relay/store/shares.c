// SPDX-License-Identifier: BSD-2-Clause
/* shares.c - Counted once, then kept along in memory; whatever is rolled back makes it be counted
 * again. */
#include "shares.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

struct share {
    char tenant[64];
    int64_t bytes;
    UT_hash_handle hh;
};

static struct share *find(const struct database *db, const char *tenant)
{
    struct share *s = NULL;
    HASH_FIND_STR(db->shares, tenant, s);
    return s;
}

void shares_add(struct database *db, const char *tenant, int64_t bytes)
{
    if (!db->shares_known)
        return;
    struct share *s = find(db, tenant);
    if (!s) {
        s = xcalloc(1, sizeof(*s));
        snprintf(s->tenant, sizeof(s->tenant), "%s", tenant);
        HASH_ADD_STR(db->shares, tenant, s);
    }
    s->bytes += bytes;
    if (s->bytes <= 0) {
        HASH_DEL(db->shares, s);
        free(s);
    }
}

void shares_forget(struct database *db)
{
    struct share *s;
    struct share *next;
    HASH_ITER (hh, db->shares, s, next) {
        HASH_DEL(db->shares, s);
        free(s);
    }
    db->shares_known = false;
}

static bool count(struct database *db, struct err *err)
{
    sqlite3_stmt *s = rows_prepare(db, SQL_STORED_ALL);
    db->shares_known = true;
    while (rows_next(db, s, err))
        shares_add(db, rows_get_text(s, 0), sqlite3_column_int64(s, 1));
    if (err->kind != ERR_NONE)
        shares_forget(db);
    return err->kind == ERR_NONE;
}

bool shares_allow(struct database *db, struct store_job *job, struct err *err)
{
    const struct mail *m = job->mail;
    if (job->storage_max == 0)
        return true;
    if (!db->shares_known && !count(db, err))
        return false;
    const struct share *s = find(db, m->tenant);
    uint64_t bytes = s ? (uint64_t)s->bytes : 0;
    if (bytes + (uint64_t)m->place.length <= job->storage_max)
        return true;
    if ((uint64_t)m->place.length > job->storage_max) {
        job->refusal = verdict_make(
            552, "5.3.4",
            "Message of %llu KB is over what tenant \"%.63s\" may have in the queue: %llu KB",
            (unsigned long long)m->place.length / 1024, m->tenant,
            (unsigned long long)job->storage_max / 1024);
        return true;
    }
    job->refusal = verdict_make(
        452, "4.3.1",
        "Tenant \"%.63s\" has %llu KB of mail in the queue and may have %llu KB: try "
        "again when some of it is delivered",
        m->tenant, (unsigned long long)bytes / 1024, (unsigned long long)job->storage_max / 1024);
    return true;
}

bool database_stored(struct database *db, const char *tenant, int64_t *bytes_r, struct err *err)
{
    sqlite3_stmt *s = rows_prepare(db, SQL_STORED);
    *bytes_r = 0;
    rows_text(s, 1, tenant);
    while (rows_next(db, s, err))
        *bytes_r = sqlite3_column_int64(s, 0);
    return err->kind == ERR_NONE;
}
