// SPDX-License-Identifier: BSD-2-Clause
/* control_safety.c - The verbs about credentials, guessing and the audit trail. */
#include "accounts.h"
#include "audit.h"
#include "clock.h"
#include "control_parts.h"
#include "watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS_MAX = 5000 }; /* in one answer */

/* ---- credentials ---- */

static void add_user(void *context, const struct database_user *u)
{
    json_t *row = json_object();
    json_object_set_new(row, "name", control_any_text(u->identity.name));
    json_object_set_new(row, "tenant", control_any_text(u->identity.tenant));
    json_object_set_new(row, "stream", control_any_text(u->identity.stream));
    json_object_set_new(row, "allowed", control_any_text(u->identity.allowed));
    json_object_set_new(row, "disabled", json_boolean(u->disabled));
    json_object_set_new(row, "created", json_integer(u->created_ms));
    json_object_set_new(row, "scram", json_boolean(u->scram[0] != '\0'));
    if (u->login_ms > 0) {
        json_object_set_new(row, "login", json_integer(u->login_ms));
        json_object_set_new(row, "network", control_any_text(u->network));
    }
    json_array_append_new(control_rows(context), row);
}

/* Beside the credentials: what has been guessed at their names. */
static void add_failures(void *context, const struct guard_row *g)
{
    size_t i;
    json_t *row;
    if (g->kind != GUARD_NAME)
        return;
    json_array_foreach(control_rows(context), i, row)
    {
        if (strncmp(json_string_value(json_object_get(row, "name")), g->text, GUARD_TEXT - 1) != 0)
            continue;
        json_object_set_new(row, "failures", json_integer(g->failures));
        json_object_set_new(row, "locked_s", json_integer(g->locked_ms / 1000));
    }
}

bool control_user_list(struct database *db, struct control *c, struct err *err)
{
    control_rows(c);
    if (!database_users(db, add_user, c, err))
        return false;
    if (c->watch)
        watch_list(c->watch, add_failures, c);
    return true;
}

static bool copy(const struct control *c, const char *key, const char *otherwise, char *text_r,
                 size_t size)
{
    const char *value = control_text(c, key);
    return span_copy(span_of(value ? value : otherwise), text_r, size);
}

bool control_user_add(struct database *db, struct control *c, struct err *err)
{
    struct database_user u = {.created_ms = clock_now_ms()};
    struct identity *i = &u.identity;
    if (!control_needs(c, "name", err) || !control_needs(c, "hash", err) ||
        !control_needs(c, "allowed", err) || !control_needs_name(c, "name", "", err) ||
        !control_needs_name(c, "tenant", "default", err))
        return false;
    bool fits = copy(c, "name", "", i->name, sizeof(i->name)) && i->name[0] &&
                copy(c, "tenant", "default", i->tenant, sizeof(i->tenant)) &&
                copy(c, "stream", "", i->stream, sizeof(i->stream)) &&
                copy(c, "allowed", "", i->allowed, sizeof(i->allowed)) &&
                copy(c, "hash", "", u.hash, sizeof(u.hash)) &&
                copy(c, "scram", "", u.scram, sizeof(u.scram));
    return (fits || err_set(err, ERR_USAGE,
                            "name, tenant, stream or the list of domains is empty or too long")) &&
           database_add_user(db, &u, err);
}

bool control_user_disable(struct database *db, struct control *c, struct err *err)
{
    return control_needs(c, "name", err) &&
           database_set_user(db, control_text(c, "name"), NULL, NULL, true, err);
}

bool control_user_rotate(struct database *db, struct control *c, struct err *err)
{
    const char *scram = control_text(c, "scram");
    return control_needs(c, "name", err) && control_needs(c, "hash", err) &&
           database_set_user(db, control_text(c, "name"), control_text(c, "hash"),
                             scram ? scram : "", false, err);
}

bool control_user_delete(struct database *db, struct control *c, struct err *err)
{
    return control_needs(c, "name", err) && database_delete_user(db, control_text(c, "name"), err);
}

/* ---- guessing ---- */

static bool needs_watch(const struct control *c, struct err *err)
{
    return c->watch || err_set(err, ERR_UNREACHABLE,
                               "no relay is running: what was guessed is known to it alone");
}

static void add_guess(void *context, const struct guard_row *g)
{
    json_t *row = json_object();
    json_object_set_new(row, "what", control_any_text(g->text));
    json_object_set_new(row, "kind", json_string(guard_kind_name(g->kind)));
    json_object_set_new(row, "failures", json_integer(g->failures));
    json_object_set_new(row, "locked_s", json_integer(g->locked_ms / 1000));
    json_array_append_new(control_rows(context), row);
}

bool control_auth_list(struct database *db, struct control *c, struct err *err)
{
    (void)db;
    if (!needs_watch(c, err))
        return false;
    control_rows(c);
    watch_list(c->watch, add_guess, c);
    return true;
}

bool control_auth_unlock(struct database *db, struct control *c, struct err *err)
{
    (void)db;
    return control_needs(c, "name", err) && needs_watch(c, err) &&
           (watch_unlock(c->watch, control_text(c, "name")) ||
            err_set(err, ERR_NOT_FOUND, "%.80s has no failed logins: see 'auth list'",
                    control_text(c, "name")));
}

/* ---- the trail ---- */

static void add_audit(void *context, const struct audit_row *a)
{
    json_t *row = json_object();
    json_object_set_new(row, "seq", json_integer(a->seq));
    json_object_set_new(row, "at", json_integer(a->at_ms));
    json_object_set_new(row, "who", control_any_text(a->who));
    json_object_set_new(row, "what", control_any_text(a->what));
    json_object_set_new(row, "about", control_any_text(a->about));
    json_object_set_new(row, "hash", json_string(a->hash));
    json_array_append_new(control_rows(context), row);
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
    json_object_set_new(c->answer, "rows", json_integer(v.rows));
    json_object_set_new(c->answer, "head", json_string(v.head));
    return true;
}

/* Secrets and contents stay out of it; nothing is so long that it leaves no room for the rest. */
void control_describe(const struct control *c, char *text_r, size_t size)
{
    static const char *const left_out[] = {"do",       "hash",         "scram", "message",
                                           "after_id", "after_number", "limit"};
    const char *key;
    json_t *value;
    struct buf text;
    size_t index;
    buf_init(&text, size - 1);
    json_object_foreach(c->request, key, value)
    {
        if (span_among(span_of(key), left_out, COUNT_OF(left_out), &index))
            continue;
        if (json_is_string(value))
            buf_addf(&text, "%s%.40s=%.320s", text.len ? " " : "", key, json_string_value(value));
        else {
            char *dumped = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
            buf_addf(&text, "%s%.40s=%.320s", text.len ? " " : "", key, dumped ? dumped : "");
            free(dumped);
        }
    }
    snprintf(text_r, size, "%s", buf_text(&text));
    buf_fini(&text);
}
