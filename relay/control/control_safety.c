// SPDX-License-Identifier: BSD-2-Clause
/* control_safety.c - Verbs about login limits and the audit trail. */
#include "audit.h"
#include "control_parts.h"
#include "login_limits.h"

#include <stdio.h>
#include <stdlib.h>

enum { ROWS_MAX = 5000 }; /* in one answer */

/* ---- guessing ---- */

static bool needs_watch(const struct control *c, struct err *err)
{
    return c->relay || err_set(err, ERR_UNREACHABLE,
                               "no relay is running: what was guessed is known to it alone");
}

static void add_guess(void *context, const struct login_limit_row *g)
{
    control_add_row(context,
                    ROW(FIELD("what", g->text), FIELD("kind", login_limit_kind_name(g->kind)),
                        FIELD("failures", g->failures), FIELD("locked_s", g->locked_ms / 1000)));
}

bool control_auth_list(struct database *db, struct control *c, struct err *err)
{
    (void)db;
    if (!needs_watch(c, err))
        return false;
    control_rows(c);
    login_limits_list(c->relay->watch, add_guess, c);
    return true;
}

bool control_auth_unlock(struct database *db, struct control *c, struct err *err)
{
    (void)db;
    return control_needs(c, "name", err) && needs_watch(c, err) &&
           (login_limits_unlock(c->relay->watch, control_text(c, "name")) ||
            err_set(err, ERR_NOT_FOUND, "%.80s has no failed logins: see 'auth list'",
                    control_text(c, "name")));
}

/* ---- the trail ---- */

static void add_audit(void *context, const struct audit_row *a)
{
    control_add_row(context,
                    ROW(FIELD("seq", a->seq), FIELD("at", a->at_ms), FIELD("who", a->who),
                        FIELD("what", a->what), FIELD("about", a->about), FIELD("hash", a->hash)));
}

bool control_audit_rows(struct database *db, struct control *c, struct err *err)
{
    int64_t last = control_number(c, "last", 0);
    int64_t end = 0;
    control_rows(c);
    if (last > 0 && !database_audit_last(db, &end, err))
        return false;
    int64_t begin = last > 0 && end > last ? end - last : 0;
    return database_audit_rows(db, control_number(c, "after", begin), ROWS_MAX, add_audit, c, err);
}

bool control_audit_verify(struct database *db, struct control *c, struct err *err)
{
    struct audit_verdict v;
    const char *expected = control_text(c, "expect");
    if (!database_audit_verify(db, expected, &v, err))
        return false;
    if (v.broken > 0)
        return err_set(err, ERR_STORE,
                       "the audit trail is broken at row %lld of %lld: it, or one before it, was "
                       "changed, added or taken out",
                       (long long)v.broken, (long long)v.rows);
    if (expected && !v.found)
        return err_set(err, ERR_STORE,
                       "the audit trail has %lld rows, and none with that hash: rows were taken "
                       "from its end, or all was made anew",
                       (long long)v.rows);
    PUT(c->answer, FIELD("rows", v.rows), FIELD("head", v.head));
    return true;
}
