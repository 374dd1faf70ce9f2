// SPDX-License-Identifier: BSD-2-Clause
/* control_users.c - Verbs about credentials. In lists of rules and streams the items are separated
 * by blanks. */
#include "accounts.h"
#include "clock.h"
#include "control_parts.h"
#include "login_limits.h"
#include "secret.h"

#include <string.h>

static void add_user(void *context, const struct database_user *u)
{
    json_t *row = ROW(FIELD("name", u->identity.name), FIELD("tenant", u->identity.tenant),
                      FIELD("stream", u->identity.stream), FIELD("streams", u->identity.streams),
                      FIELD("allowed", u->identity.allowed), FLAG("disabled", u->disabled),
                      FIELD("created", u->created_ms), FLAG("scram", u->scram[0] != '\0'));
    if (u->login_ms > 0)
        PUT(row, FIELD("login", u->login_ms), FIELD("network", u->network));
    control_add_row(context, row);
}

/* Beside the credentials: what has been guessed at their names. */
static void add_failures(void *context, const struct login_limit_row *g)
{
    size_t i;
    json_t *row;
    if (g->kind != LOGIN_LIMIT_NAME)
        return;
    json_array_foreach(control_rows(context), i, row)
    {
        if (strncmp(json_string_value(json_object_get(row, "name")), g->text,
                    LOGIN_LIMIT_TEXT - 1) != 0)
            continue;
        PUT(row, FIELD("failures", g->failures), FIELD("locked_s", g->locked_ms / 1000));
    }
}

bool control_user_list(struct database *db, struct control *c, struct err *err)
{
    control_rows(c);
    if (!database_users(db, add_user, c, err))
        return false;
    if (c->relay)
        login_limits_list(c->relay->watch, add_failures, c);
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
                copy(c, "streams", "", i->streams, sizeof(i->streams)) &&
                copy(c, "allowed", "", i->allowed, sizeof(i->allowed)) &&
                copy(c, "hash", "", u.hash, sizeof(u.hash)) &&
                copy(c, "scram", "", u.scram, sizeof(u.scram));
    return (fits ||
            err_set(err, ERR_USAGE, "name, tenant, stream or a list is empty or too long")) &&
           database_add_user(db, &u, err);
}

/* ---- changing one ---- */

static bool holds(struct span list, struct span item)
{
    while (list.len > 0)
        if (span_equal_nocase(span_take(&list, ' '), item))
            return true;
    return false;
}

/* `base` without what is in `less`, and what is in `more` behind it, each once. */
static bool make_list(struct span base, struct span less, struct span more, char *list_r,
                      size_t size)
{
    struct buf list;
    buf_init(&list, size - 1);
    for (int part = 0; part < 2; part++) {
        struct span rest = part == 0 ? base : more;
        while (rest.len > 0) {
            struct span item = span_take(&rest, ' ');
            if (item.len == 0 || holds(buf_span(&list), item) || (part == 0 && holds(less, item)))
                continue;
            buf_addf(&list, "%s%.*s", list.len > 0 ? " " : "", SPAN_ARG(item));
        }
    }
    bool ok = !list.overflow && span_copy(buf_span(&list), list_r, size);
    buf_fini(&list);
    return ok;
}

static struct span list_of(const struct control *c, const char *key, const char *otherwise)
{
    const char *text = control_text(c, key);
    return span_of(text ? text : otherwise);
}

static bool change_rules(const struct control *c, struct identity *i, struct err *err)
{
    char before[sizeof(i->allowed)];
    struct span less = list_of(c, "remove", "");
    memcpy(before, i->allowed, sizeof(before));
    for (struct span rest = less; rest.len > 0;) {
        struct span rule = span_take(&rest, ' ');
        if (!holds(span_of(before), rule))
            return err_set(err, ERR_NOT_FOUND, "%.100s may not send as %.*s: see 'user list'",
                           i->name, SPAN_ARG(span_first(rule, 100)));
    }
    if (!make_list(list_of(c, "allowed", before), less, list_of(c, "add", ""), i->allowed,
                   sizeof(i->allowed)))
        return err_set(err, ERR_USAGE, "the list of domains is too long");
    return i->allowed[0] ||
           err_set(err, ERR_USAGE, "that would leave %.100s nothing to send as: see 'user disable'",
                   i->name);
}

bool control_user_change(struct database *db, struct control *c, struct err *err)
{
    struct database_user u;
    struct identity *i = &u.identity;
    char before[sizeof(i->streams)];
    if (!control_needs(c, "name", err))
        return false;
    if (!database_user(db, span_of(control_text(c, "name")), &u, err))
        return err->kind == ERR_NOT_FOUND
                   ? err_set(err, ERR_NOT_FOUND, "%.100s: no such credential: see 'user list'",
                             control_text(c, "name"))
                   : false;
    secret_clear(u.hash, sizeof(u.hash)); /* not asked for here */
    secret_clear(u.scram, sizeof(u.scram));
    memcpy(before, i->streams, sizeof(before));
    struct span streams = list_of(c, "streams", before);
    if (span_equal(streams, SPAN("*")))
        streams = SPAN_NONE;
    return change_rules(c, i, err) &&
           ((make_list(streams, SPAN_NONE, SPAN_NONE, i->streams, sizeof(i->streams)) &&
             copy(c, "stream", i->stream, i->stream, sizeof(i->stream))) ||
            err_set(err, ERR_USAGE, "the list of streams is too long")) &&
           database_change_user(db, i, err);
}

bool control_user_enable(struct database *db, struct control *c, struct err *err)
{
    return control_needs(c, "name", err) &&
           database_set_disabled(db, control_text(c, "name"), false, err);
}

bool control_user_disable(struct database *db, struct control *c, struct err *err)
{
    return control_needs(c, "name", err) &&
           database_set_disabled(db, control_text(c, "name"), true, err);
}

bool control_user_rotate(struct database *db, struct control *c, struct err *err)
{
    struct database_user u;
    const char *scram = control_text(c, "scram");
    if (!control_needs(c, "name", err) || !control_needs(c, "hash", err) ||
        !database_set_secret(db, control_text(c, "name"), control_text(c, "hash"),
                             scram ? scram : "", err) ||
        !database_user(db, span_of(control_text(c, "name")), &u, err))
        return false;
    PUT(c->answer, FLAG("disabled", u.disabled));
    return true;
}

bool control_user_delete(struct database *db, struct control *c, struct err *err)
{
    return control_needs(c, "name", err) && database_delete_user(db, control_text(c, "name"), err);
}
