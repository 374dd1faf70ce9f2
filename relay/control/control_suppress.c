// SPDX-License-Identifier: BSD-2-Clause
/* control_suppress.c - Verbs about the suppression list: pages of it, adding many entries, removing
 * some. */
#include "control_parts.h"

#include "clock.h"
#include "suppressions.h"

#include <stdio.h>
#include <string.h>

enum { PAGE_MAX = 1000, BATCH_MAX = 1000, IMPORT_MAX = 200 * 1000, OF_ADDRESS_MAX = 1000 };

static bool read_address(const char *text, char form_r[ADDRESS_CANONICAL_MAX + 1], struct err *err)
{
    return (text && address_same_form(text, form_r)) ||
           err_set(err, ERR_USAGE, "\"%.80s\" is not an address", text ? text : "");
}

static bool read_reason(const char *text, int *reason_r, struct err *err)
{
    enum suppress_reason reason = SUPPRESS_MANUAL;
    if (!suppress_reason_parse(span_of(text), &reason))
        return err_set(err, ERR_USAGE,
                       "\"%.40s\" is not a reason: unsubscribe, bounce, complaint, manual or flood",
                       text);
    *reason_r = (int)reason;
    return true;
}

static bool read_filter(const struct control *c, struct suppressions_filter *f,
                        char form[ADDRESS_CANONICAL_MAX + 1], struct err *err)
{
    *f = (struct suppressions_filter){
        .tenant = control_text(c, "tenant"), .stream = control_text(c, "stream"), .reason = -1};
    if (control_text(c, "reason") && !read_reason(control_text(c, "reason"), &f->reason, err))
        return false;
    if (!control_text(c, "address"))
        return true;
    f->address = form;
    return read_address(control_text(c, "address"), form, err);
}

static json_t *entry_row(const struct suppress_entry *e)
{
    json_t *row =
        ROW(FIELD("address", e->address), FIELD("tenant", e->tenant), FIELD("stream", e->stream),
            FIELD("reason", suppress_reason_name(e->reason)), FIELD("source", e->source),
            FIELD("created", e->created_ms), FIELD("expires", e->expires_ms),
            FIELD("spellings", e->every_spelling ? "every" : ""));
    return row;
}

static void add_entry(void *context, const struct suppress_entry *e)
{
    control_add_row(context, entry_row(e));
}

bool control_suppress_list(struct database *db, struct control *c, struct err *err)
{
    struct suppressions_filter f;
    char form[ADDRESS_CANONICAL_MAX + 1];
    json_t *after = json_object_get(c->request, "after");
    int64_t limit = control_number(c, "limit", PAGE_MAX);
    if (!read_filter(c, &f, form, err))
        return false;
    if (json_array_size(after) == 4) {
        const char *part[4];
        int reason = 0;
        for (size_t i = 0; i < 4; i++)
            part[i] = json_string_value(json_array_get(after, i));
        if (!part[0] || !part[1] || !part[2] || !part[3] || !read_reason(part[3], &reason, err))
            return err_set(err, ERR_USAGE, "request has a malformed \"after\"");
        snprintf(f.after.address, sizeof(f.after.address), "%s", part[0]);
        snprintf(f.after.tenant, sizeof(f.after.tenant), "%s", part[1]);
        snprintf(f.after.stream, sizeof(f.after.stream), "%s", part[2]);
        f.after.reason = (enum suppress_reason)reason;
    }
    limit = limit > 0 && limit < PAGE_MAX ? limit : PAGE_MAX;
    json_t *rows = control_rows(c);
    if (!database_suppressions(db, &f, limit, add_entry, c, err))
        return false;
    if ((int64_t)json_array_size(rows) == limit)
        PUT(c->answer,
            FIELD("after", json_pack("[ssss]", f.after.address, f.after.tenant, f.after.stream,
                                     suppress_reason_name(f.after.reason))));
    return true;
}

static bool copy_member(json_t *row, const char *key, const char *otherwise, char *to, size_t size,
                        struct err *err)
{
    const char *text = json_string_value(json_object_get(row, key));
    return span_copy(span_of(text ? text : otherwise), to, size) ||
           err_set(err, ERR_USAGE, "\"%s\" is too long: %.40s…", key, text ? text : "");
}

/* What the rows of a request have in common. */
struct adding {
    struct control *c;
    json_t *tenants; /* that there are */
    int64_t now_ms;
};

static bool read_entry(const struct adding *a, json_t *row, struct suppress_entry *e,
                       struct err *err)
{
    int reason = SUPPRESS_MANUAL;
    const char *named = json_string_value(json_object_get(row, "reason"));
    const char *tenant = json_string_value(json_object_get(row, "tenant"));
    json_t *created = json_object_get(row, "created");
    *e = (struct suppress_entry){.created_ms = a->now_ms};
    if (!read_address(json_string_value(json_object_get(row, "address")), e->address, err) ||
        (named && named[0] && !read_reason(named, &reason, err)) ||
        !control_means_tenant(a->c, a->tenants, tenant, &tenant, err) ||
        !copy_member(row, "tenant", tenant, e->tenant, sizeof(e->tenant), err) ||
        !copy_member(row, "stream", "", e->stream, sizeof(e->stream), err) ||
        !copy_member(row, "source", "command", e->source, sizeof(e->source), err))
        return false;
    const char *spellings = json_string_value(json_object_get(row, "spellings"));
    e->every_spelling = spellings && strcmp(spellings, "every") == 0;
    if (spellings && spellings[0] && !e->every_spelling)
        return err_set(err, ERR_USAGE, "\"%.40s\": spellings is \"every\" or empty", spellings);
    e->reason = (enum suppress_reason)reason;
    if (json_integer_value(created) > 0)
        e->created_ms = json_integer_value(created);
    e->expires_ms = json_row_int(row, "expires");
    return true;
}

typedef bool put_entry(struct database *db, const struct suppress_entry *e, int64_t now_ms,
                       bool *changed_r, struct err *err);

/* All rows in the one transaction, or none. `i_r`: which one is wrong. */
static bool put_rows(struct database *db, struct control *c, put_entry *put, size_t *i_r,
                     struct err *err)
{
    struct adding a = {.c = c, .now_ms = clock_now_ms()};
    json_t *rows = json_object_get(c->request, "rows");
    json_int_t added = 0;
    bool ok = control_tenants(db, &a.tenants, err);
    for (*i_r = 0; ok && *i_r < json_array_size(rows); *i_r += ok) {
        struct suppress_entry e;
        bool changed = false;
        ok = read_entry(&a, json_array_get(rows, *i_r), &e, err) &&
             put(db, &e, a.now_ms, &changed, err);
        added += changed;
    }
    json_decref(a.tenants);
    PUT(c->answer, FIELD("added", added));
    return ok;
}

bool control_suppress_add(struct database *db, struct control *c, struct err *err)
{
    size_t count = json_array_size(json_object_get(c->request, "rows"));
    size_t ignored = 0;
    if (count == 0 || count > BATCH_MAX)
        return err_set(err, ERR_USAGE, "request has no rows, or over %d", BATCH_MAX);
    return put_rows(db, c, database_suppress, &ignored, err);
}

static bool import_entry(struct database *db, const struct suppress_entry *e, int64_t now_ms,
                         bool *changed_r, struct err *err)
{
    (void)now_ms;
    return database_suppress_import(db, e, changed_r, err);
}

/* A row that is wrong is named by its line. */
bool control_suppress_import(struct database *db, struct control *c, struct err *err)
{
    json_t *rows = json_object_get(c->request, "rows");
    size_t i = 0, count = json_array_size(rows);
    if (count == 0 || count > IMPORT_MAX)
        return err_set(err, ERR_USAGE, "%zu entries: an import takes 1 to %d", count, IMPORT_MAX);
    if (!put_rows(db, c, import_entry, &i, err)) {
        json_int_t line = json_row_int(json_array_get(rows, i), "line");
        return line > 0 ? err_wrap(err, "line %lld, nothing was imported", (long long)line)
                        : err_wrap(err, "entry %zu, nothing was imported", i + 1);
    }
    return database_note_import(db, (int64_t)count, json_row_int(c->answer, "added"),
                                clock_now_ms(), err);
}

/* ---- removing ---- */

static void note_tenant(void *context, const struct suppress_entry *e)
{
    json_object_set_new(context, e->tenant, json_true());
}

/* Nothing of one tenant's goes with another's by chance. */
static bool keep_to_one(struct database *db, struct suppressions_filter *removed, char tenant_r[64],
                        struct err *err)
{
    struct suppressions_filter f = *removed;
    json_t *tenants = json_object();
    struct buf text;
    const char *name;
    json_t *ignored;
    bool ok = database_suppressions(db, &f, OF_ADDRESS_MAX, note_tenant, tenants, err);
    buf_init(&text, 300);
    json_object_foreach(tenants, name, ignored)
        buf_addf(&text, "%s%s", text.len > 0 ? ", " : "", name[0] ? name : "\"\" (all)");
    if (ok && !removed->tenant && json_object_size(tenants) > 1)
        ok = err_set(err, ERR_USAGE, "it is on the lists of the tenants %s: say --tenant",
                     buf_text(&text));
    if (ok && !removed->tenant && json_object_size(tenants) == 1) { /* others' answers stay */
        snprintf(tenant_r, 64, "%s", json_object_iter_key(json_object_iter(tenants)));
        removed->tenant = tenant_r;
    }
    buf_fini(&text);
    json_decref(tenants);
    return ok;
}

bool control_suppress_remove(struct database *db, struct control *c, struct err *err)
{
    struct suppressions_filter f;
    char form[ADDRESS_CANONICAL_MAX + 1];
    char tenant[64];
    int64_t removed = 0;
    if (!control_needs(c, "address", err) || !read_filter(c, &f, form, err) ||
        !keep_to_one(db, &f, tenant, err) ||
        !database_unsuppress(db, &f, "command", clock_now_ms(), &removed, err))
        return false;
    PUT(c->answer, FIELD("removed", removed));
    return removed > 0 || err_set(err, ERR_NOT_FOUND, "%s is not on the list", form);
}
