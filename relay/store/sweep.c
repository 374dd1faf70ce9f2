// SPDX-License-Identifier: BSD-2-Clause
/* sweep.c - Forgetting old rows, some at a time. Nobody waits for it: a fault is in the log, and
 * the next round tries again.
 */
#include "sweep.h"

#include "db.h"
#include "log.h"

#include <string.h>

bool sweep_rows(struct database *db, sqlite3_stmt *s)
{
    struct err err = {0};
    bool ok = rows_run(db, s, &err);
    log_fault("housekeeping_failed", &err);
    return ok && sqlite3_changes(db->handle) > 0;
}

bool sweep_keys(struct database *db, enum sql after, enum sql forget, unsigned char cursor[16],
                int64_t before)
{
    struct err err = {0};
    unsigned char last[16];
    bool more = false;
    sqlite3_stmt *s = ROWS(db, after, BLOB((struct span){(const char *)cursor, sizeof(last)}));
    while (rows_next(db, s, &err)) {
        more = sqlite3_column_bytes(s, 0) == (int)sizeof(last);
        if (more)
            memcpy(last, sqlite3_column_blob(s, 0), sizeof(last));
    }
    if (!more || err.kind != ERR_NONE) {
        log_fault("housekeeping_failed", &err);
        memset(cursor, 0, sizeof(last));
        return false;
    }
    s = ROWS(db, forget, BLOB((struct span){(const char *)cursor, sizeof(last)}),
             BLOB((struct span){(const char *)last, sizeof(last)}), INT(before));
    bool ok = rows_run(db, s, &err);
    log_fault("housekeeping_failed", &err);
    memcpy(cursor, last, sizeof(last));
    return ok;
}
