// SPDX-License-Identifier: BSD-2-Clause
/* macs.c - Rows about people are named by a MAC of whom they are about, so that the tables tell
 * nothing of them. The key is made with the state directory and never changes.
 */
#include "macs.h"

#include "db.h"
#include "secret.h"

#include <string.h>

/* It never changes. */
static bool read_key(struct database *db, struct err *err)
{
    sqlite3_stmt *s = rows_prepare(db, SQL_RATE_KEY);
    while (rows_next(db, s, err))
        if (sqlite3_column_bytes(s, 0) == (int)sizeof(db->rate_key))
            memcpy(db->rate_key, sqlite3_column_blob(s, 0), sizeof(db->rate_key));
    if (err->kind != ERR_NONE)
        return false;
    db->keyed = secret_keyed_new((struct span){(const char *)db->rate_key, sizeof(db->rate_key)});
    return true;
}

/* On the store's thread once, and after the clock was set; by readers each time. */
bool macs_prepare(struct database *db, struct err *err)
{
    if (db->writes && db->instance_known)
        return true;
    if (!db->keyed && !read_key(db, err))
        return false;
    sqlite3_stmt *s = rows_prepare(db, SQL_STEPS);
    while (rows_next(db, s, err))
        db->steps_ms = sqlite3_column_int64(s, 0);
    db->instance_known = err->kind == ERR_NONE;
    return db->instance_known;
}

void macs_make(const struct database *db, struct buf *text, unsigned char name_r[16])
{
    secret_keyed_mac(db->keyed, buf_span(text), name_r);
    buf_fini(text);
}
