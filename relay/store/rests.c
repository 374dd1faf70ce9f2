// SPDX-License-Identifier: BSD-2-Clause
/* rests.c - Destinations and hosts that an operator has put to rest: a row until the rest is over,
 * or ended. A host's has a word before it that no destination begins with. */
#include "rests.h"

#include "db.h"

#include <string.h>

static const char host_mark[] = "host ";

enum { NAME_MAX_LEN = 12000 }; /* of thirty hosts, with what their route demands */

static bool print_name(const char *name, bool is_host, struct buf *text_r, struct err *err)
{
    buf_init(text_r, NAME_MAX_LEN);
    buf_addf(text_r, "%s%s", is_host ? host_mark : "", name);
    return !text_r->overflow || err_set(err, ERR_LIMIT, "the name of a destination is too long");
}

bool database_rest(struct database *db, const struct database_rest *rest, int64_t now_ms,
                   struct err *err)
{
    struct rows *s = ROWS(db, SQL_REST_SWEEP, INT(now_ms));
    if (!rows_run(db, s, err))
        return false;
    struct buf name;
    bool ok = print_name(rest->name, rest->is_host, &name, err);
    if (ok) {
        s = ROWS(db, SQL_REST_SET, TEXT(buf_text(&name)), INT(rest->until_ms), TEXT(rest->why));
        ok = rows_run(db, s, err);
    }
    buf_fini(&name);
    return ok;
}

bool database_end_rest(struct database *db, const char *given, bool is_host, struct err *err)
{
    struct buf name;
    bool ok = print_name(given, is_host, &name, err) &&
              rows_run(db, ROWS(db, SQL_REST_END, TEXT(buf_text(&name))), err);
    buf_fini(&name);
    return ok;
}

bool database_rests(struct database *db, int64_t now_ms, database_on_rest *on_rest, void *context,
                    struct err *err)
{
    struct rows *s = ROWS(db, SQL_RESTS, INT(now_ms));
    while (rows_next(db, s, err)) {
        const char *name = rows_get_text(s, 0);
        bool is_host = strncmp(name, host_mark, strlen(host_mark)) == 0;
        const struct database_rest rest = {.name = name + (is_host ? strlen(host_mark) : 0),
                                           .is_host = is_host,
                                           .until_ms = rows_get_int(s, 1),
                                           .why = rows_get_text(s, 2)};
        on_rest(context, &rest);
    }
    return err->kind == ERR_NONE;
}
