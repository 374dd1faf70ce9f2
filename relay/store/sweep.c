// SPDX-License-Identifier: BSD-2-Clause
/* sweep.c - Deletes old rows, some at a time. Nobody waits for it: a fault is logged, and the next
 * round tries again.
 */
#include "sweep.h"

#include "db.h"
#include "log.h"

#include <string.h>

bool sweep_rows(struct database *db, struct rows *s)
{
    struct err err = {0};
    bool ok = rows_run(db, s, &err);
    log_fault("housekeeping_failed", &err);
    return ok && rows_changes(db) > 0;
}

static struct span span_of_cursor(const struct sweep_cursor *cursor)
{
    return (struct span){(const char *)cursor->key, cursor->len};
}

bool sweep_keys(struct database *db, enum sql after, enum sql forget, struct sweep_cursor *cursor,
                int64_t before)
{
    struct err err = {0};
    struct sweep_cursor last = {0};
    struct rows *s = ROWS(db, after, BLOB(span_of_cursor(cursor)));
    while (rows_next(db, s, &err)) {
        struct span key = rows_get_blob(s, 0);
        last.len = key.len <= sizeof(last.key) ? key.len : 0;
        if (last.len > 0) /* without a row there is a NULL */
            memcpy(last.key, key.ptr, last.len);
    }
    if (last.len == 0 || err.kind != ERR_NONE) {
        log_fault("housekeeping_failed", &err);
        *cursor = (struct sweep_cursor){0};
        return false;
    }
    s = ROWS(db, forget, BLOB(span_of_cursor(cursor)), BLOB(span_of_cursor(&last)), INT(before));
    bool ok = rows_run(db, s, &err);
    log_fault("housekeeping_failed", &err);
    *cursor = last;
    return ok;
}
