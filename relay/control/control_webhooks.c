// SPDX-License-Identifier: BSD-2-Clause
/* control_webhooks.c - Verbs about endpoints that are told of a tenant's mail. A secret is made
 * here and shown in one answer. */
#include "control_webhooks.h"

#include "clock.h"
#include "identity.h"
#include "secret.h"
#include "url_shown.h"
#include "webhook_body.h"
#include "webhook_type.h"
#include "webhook_url.h"
#include "webhooks.h"

#include <stdio.h>
#include <string.h>

static const int64_t old_secret_ms = INT64_C(24) * 3600 * 1000;
static const int64_t old_secret_most_ms = INT64_C(30) * 24 * 3600 * 1000;

static bool read_id(const struct control *c, int64_t *id_r, struct err *err)
{
    uint64_t id = 0;
    const char *text = control_text(c, "id");
    if (!text || !span_number(span_of(text), &id) || id > INT64_MAX)
        return err_set(err, ERR_USAGE, "\"%.40s\" is not the number of a webhook",
                       text ? text : "");
    *id_r = (int64_t)id;
    return true;
}

/* ---- list ---- */

static json_t *describe_types(unsigned types)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < WEBHOOK_PING; i++)
        if (types & 1U << i)
            json_array_append_new(list, json_string(webhook_type_name((enum webhook_type)i)));
    return list;
}

static json_t *describe_streams(const char *streams)
{
    json_t *list = json_array();
    for (struct span rest = span_of(streams); rest.len > 0;) {
        struct span name = span_take(&rest, ',');
        if (name.len > 0)
            json_array_append_new(list, json_stringn(name.ptr, name.len));
    }
    return list;
}

static const char *state_of(const struct webhook *w)
{
    return w->disabled[0] ? "disabled" : w->failing_ms != 0 ? "failing" : "on";
}

static void add_webhook(void *context, const struct webhook *w)
{
    const struct control *c = context;
    char shown[URL_SHOWN];
    const char *why = w->disabled[0] ? w->disabled : w->reply;
    url_shown(w->url, shown);
    control_add_row(
        context, ROW(FIELD("id", w->id), FIELD("tenant", (const char *)w->tenant),
                     FIELD("url", c->reader ? (const char *)shown : (const char *)w->url),
                     FIELD("types", describe_types(w->types)),
                     FIELD("streams", describe_streams(w->streams)),
                     FIELD("addresses", w->hashed ? "hashed" : "full"), FIELD("state", state_of(w)),
                     FIELD("since", w->failing_ms), FIELD("why", why), FIELD("lost", w->lost),
                     FIELD("created", w->created_ms), FIELD("old_secret_until", w->old_until_ms)));
}

bool control_webhook_list(struct database *db, struct control *c, struct err *err)
{
    size_t i;
    json_t *row;
    json_t *rows = control_rows(c);
    bool ok = database_webhooks(db, add_webhook, c, err);
    json_array_foreach(rows, i, row)
    {
        int64_t waiting = 0;
        ok = ok && database_webhook_waiting(db, json_row_int(row, "id"), &waiting, err);
        PUT(row, FIELD("waiting", waiting));
    }
    return ok;
}

/* ---- add ---- */

/* Clear text and private addresses are for who asks to judge, by the settings. */
static bool read_url(const struct control *c, struct webhook *w, struct err *err)
{
    struct span url = span_of(control_text(c, "url"));
    return webhook_url_check(url, true, err) &&
           (span_copy(url, w->url, sizeof(w->url)) ||
            err_set(err, ERR_USAGE, "the address is too long"));
}

static bool is_no_type(const char *name, struct err *err)
{
    struct buf all;
    buf_init(&all, 400);
    for (int i = 0; i < WEBHOOK_TYPES; i++)
        if (WEBHOOK_ALL & (1U << i))
            buf_addf(&all, "%s%s", all.len > 0 ? ", " : "",
                     webhook_type_name((enum webhook_type)i));
    (void)!err_set(err, ERR_USAGE, "\"%.40s\" is no type: %s", name, buf_text(&all));
    buf_fini(&all);
    return false;
}

/* All, if nothing is said. */
static bool read_types(const struct control *c, struct webhook *w, struct err *err)
{
    const json_t *list = json_object_get(c->request, "types");
    size_t i;
    const json_t *one;
    json_array_foreach(list, i, one)
    {
        enum webhook_type type = WEBHOOK_PING;
        const char *name = json_string_value(one) ? json_string_value(one) : "";
        if (!webhook_type_parse(span_of(name), &type))
            return is_no_type(name, err);
        w->types |= 1U << type;
    }
    w->types = w->types != 0 ? w->types : WEBHOOK_ALL;
    return true;
}

static bool read_streams(const struct control *c, struct webhook *w, struct err *err)
{
    const json_t *list = json_object_get(c->request, "streams");
    struct buf text;
    size_t i;
    const json_t *one;
    bool ok = true;
    buf_init(&text, sizeof(w->streams) - 1);
    json_array_foreach(list, i, one)
    {
        const char *name = json_string_value(one) ? json_string_value(one) : "";
        if (ok && !identity_is_name(span_of(name)))
            ok = err_set(err, ERR_USAGE, "\"%.64s\" is no name of a stream", name);
        buf_addf(&text, "%s%s", text.len > 0 ? "" : ",", name);
        buf_add_char(&text, ',');
    }
    if (ok && !span_copy(buf_span(&text), w->streams, sizeof(w->streams)))
        ok = err_set(err, ERR_USAGE, "there are too many streams");
    if (ok && text.overflow)
        ok = err_set(err, ERR_USAGE, "there are too many streams");
    buf_fini(&text);
    return ok;
}

static bool means_tenant(struct database *db, struct control *c, const char **name_r,
                         struct err *err)
{
    json_t *names = NULL;
    bool ok = control_tenants(db, &names, err) &&
              control_means_tenant(c, names, control_text(c, "tenant"), name_r, err);
    json_decref(names);
    return ok;
}

bool control_webhook_add(struct database *db, struct control *c, struct err *err)
{
    struct webhook w = {.created_ms = clock_now_ms()};
    int64_t id = 0;
    const char *tenant = NULL;
    if (!control_needs(c, "url", err) || !control_needs_name(c, "tenant", "default", err) ||
        !means_tenant(db, c, &tenant, err) || !read_url(c, &w, err) || !read_types(c, &w, err) ||
        !read_streams(c, &w, err))
        return false;
    if (!span_copy(span_of(tenant), w.tenant, sizeof(w.tenant)))
        return err_set(err, ERR_USAGE, "the tenant's name is too long");
    w.hashed = json_is_true(json_object_get(c->request, "hashed"));
    webhook_secret_generate(w.secret);
    if (!database_webhook_add(db, &w, &id, err))
        return false;
    PUT(c->answer, FIELD("id", id), FIELD("secret", (const char *)w.secret));
    return true;
}

/* ---- one ---- */

bool control_webhook_remove(struct database *db, struct control *c, struct err *err)
{
    int64_t id = 0;
    return read_id(c, &id, err) && database_webhook_remove(db, id, err);
}

bool control_webhook_enable(struct database *db, struct control *c, struct err *err)
{
    int64_t id = 0;
    return read_id(c, &id, err) && database_webhook_enable(db, id, clock_now_ms(), err);
}

bool control_webhook_disable(struct database *db, struct control *c, struct err *err)
{
    int64_t id = 0;
    return read_id(c, &id, err) && database_webhook_disable(db, id, "by command", err);
}

/* Two sign at a time. One more, where nobody has said for how long the last one is to be kept,
 * would end the one that receivers may still go by. */
static bool may_rotate(struct database *db, int64_t id, struct err *err)
{
    struct webhook w;
    bool found = database_webhook(db, id, &w, err);
    int64_t left_ms = found ? w.old_until_ms - clock_now_ms() : 0;
    secret_clear(&w, sizeof(w));
    return found &&
           (left_ms <= 0 ||
            err_set(
                err, ERR_USAGE,
                "the secret before this one signs for %lld minutes more: with --keep it ends now, "
                "and the present one is kept",
                (long long)left_ms / 60000 + 1));
}

bool control_webhook_rotate(struct database *db, struct control *c, struct err *err)
{
    int64_t id = 0;
    char secret[WEBHOOK_SECRET_TEXT];
    int64_t for_ms = control_number(c, "for_ms", old_secret_ms);
    if (!read_id(c, &id, err))
        return false;
    if (for_ms < 1000 || for_ms > old_secret_most_ms)
        return err_set(err, ERR_USAGE, "the old secret signs for 1 s to 30 days");
    if (!control_number(c, "for_ms", 0) && !may_rotate(db, id, err))
        return false;
    webhook_secret_generate(secret);
    if (!database_webhook_rotate(db, id, secret, clock_now_ms() + for_ms, err))
        return false;
    PUT(c->answer, FIELD("id", id), FIELD("secret", (const char *)secret),
        FIELD("old_secret_until", clock_now_ms() + for_ms));
    return true;
}

bool control_webhook_ping(struct database *db, struct control *c, struct err *err)
{
    int64_t id = 0;
    char event[WEBHOOK_ID_TEXT];
    if (!read_id(c, &id, err) || !database_webhook_ping(db, id, clock_now_ms(), event, err))
        return false;
    PUT(c->answer, FIELD("event", (const char *)event));
    return true;
}

bool control_webhook_replay(struct database *db, struct control *c, struct err *err)
{
    struct webhook_replay r = {.id = control_text(c, "event"),
                               .since_ms = control_number(c, "since", 0),
                               .after = control_number(c, "after", 0),
                               .now_ms = clock_now_ms()};
    if (!read_id(c, &r.webhook, err) || !database_webhook_replay(db, &r, err))
        return false;
    PUT(c->answer, FIELD("count", r.count), FIELD("after", r.after), FLAG("more", r.more));
    return true;
}
