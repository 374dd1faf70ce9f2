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
    struct rows *s = rows_prepare(db, SQL_RATE_KEY);
    while (rows_next(db, s, err)) {
        struct span key = rows_get_blob(s, 0);
        if (key.len == sizeof(db->rate_key))
            memcpy(db->rate_key, key.ptr, sizeof(db->rate_key));
    }
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
    int64_t older = 0;
    if (!rows_run_int(db, rows_prepare(db, SQL_HAS_OLDER), &older, err))
        return false;
    db->has_older = older != 0;
    struct rows *s = rows_prepare(db, SQL_STEPS);
    while (rows_next(db, s, err))
        db->steps_ms = rows_get_int(s, 0);
    db->instance_known = err->kind == ERR_NONE;
    return db->instance_known;
}

void macs_make(const struct database *db, struct buf *text, unsigned char name_r[16])
{
    secret_keyed_mac(db->keyed, buf_span(text), name_r);
    buf_fini(text);
}
