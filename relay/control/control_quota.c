// SPDX-License-Identifier: BSD-2-Clause
/* control_quota.c - Verbs about the throttle's buckets of one mailbox, for each tenant and class.
 * Their meaning depends on the settings, which the asking command has. */
#include "control_parts.h"

#include "accounts.h"
#include "clock.h"

#include <stdlib.h>
#include <string.h>

enum { TENANTS_MAX = 1000, DECISIONS_MAX = 20, EVENTS_LOOKED_AT = 20000 };

struct tenants {
    char names[TENANTS_MAX][64];
    size_t count;
};

static void note_tenant(void *context, const struct database_user *u)
{
    struct tenants *t = context;
    for (size_t i = 0; i < t->count; i++)
        if (strcmp(t->names[i], u->identity.tenant) == 0)
            return;
    if (t->count < TENANTS_MAX)
        memcpy(t->names[t->count++], u->identity.tenant, sizeof(t->names[0]));
}

/* `stream`: one that is counted apart, or NULL for its class. */
typedef bool on_pair(struct database *db, struct control *c, const char *tenant,
                     const struct address *address, enum stream_class class, const char *stream,
                     struct err *err);

/* Each tenant and class. */
static bool for_each(struct database *db, struct control *c, on_pair *pair, struct err *err)
{
    struct address address;
    if (!control_needs(c, "address", err))
        return false;
    if (!address_parse(span_of(control_text(c, "address")), &address))
        return err_set(err, ERR_USAGE, "\"%.80s\" is not an address", control_text(c, "address"));
    struct tenants *t = xcalloc(1, sizeof(*t));
    json_t *streams = json_object_get(c->request, "streams");
    bool ok = database_users(db, note_tenant, t, err);
    for (size_t i = 0; ok && i < t->count; i++) {
        for (unsigned class = 0; ok && class < STREAM_CLASSES; class ++)
            ok = pair(db, c, t->names[i], &address, (enum stream_class) class, NULL, err);
        for (size_t k = 0; ok && k < json_array_size(streams); k++) {
            const char *name = json_string_value(json_array_get(streams, k));
            ok = !name || pair(db, c, t->names[i], &address, STREAM_SECURITY, name, err);
        }
    }
    free(t);
    return ok;
}

static void add_bucket(struct control *c, const char *tenant, const char *key, const char *class,
                       const struct throttle_bucket *bucket)
{
    json_array_append_new(control_rows(c),
                          ROW(FIELD("tenant", tenant), FIELD("key", key), FIELD("class", class),
                              FIELD("tat", bucket->tat_ms), FIELD("day", bucket->day_ms)));
}

static bool show(struct database *db, struct control *c, const char *tenant,
                 const struct address *address, enum stream_class class, const char *stream,
                 struct err *err)
{
    struct throttle_bucket buckets[THROTTLE_BUCKETS];
    if (!database_buckets(db, tenant, address, class, stream, buckets, err))
        return false;
    for (unsigned k = 0; k < THROTTLE_BUCKETS; k++) {
        bool by_class = k == THROTTLE_CLASS;
        if (!by_class && (class != 0 || stream)) /* once for each tenant */
            continue;
        const char *kind = stream ? stream : stream_class_name(class);
        add_bucket(c, tenant, stream ? "stream" : throttle_key_name((enum throttle_key)k),
                   by_class ? kind : "", &buckets[k]);
    }
    return true;
}

/* ---- what was decided lately ---- */

struct search {
    char wanted[ADDRESS_CANONICAL_MAX + 1]; /* a mailbox's canonical form, or a credential */
    bool credential;
    json_t *found;
};

static bool is_wanted(const struct search *s, const struct database_event *e)
{
    char form[ADDRESS_CANONICAL_MAX + 1];
    if (s->credential)
        return strcmp(e->credential, s->wanted) == 0;
    return address_counted_as(e->recipient, form) && strcmp(form, s->wanted) == 0;
}

static void note_event(void *context, const struct database_event *e)
{
    struct search *s = context;
    static const char *const kinds[] = {"accepted",  "paced",    "throttled",
                                        "collapsed", "observed", "suppressed"};
    char id[MAIL_ID_TEXT];
    size_t i = 0;
    if (!span_among(span_of(e->kind), kinds, COUNT_OF(kinds), &i) || !is_wanted(s, e))
        return;
    mail_id_print(e->message, id);
    json_array_append_new(s->found, ROW(FIELD("at", e->at_ms), FIELD("kind", e->kind),
                                        FIELD("id", id), FIELD("recipient", e->recipient),
                                        FIELD("code", e->code), FIELD("reply", e->reply)));
    if (json_array_size(s->found) > DECISIONS_MAX)
        json_array_remove(s->found, 0);
}

static bool find_decisions(struct database *db, struct control *c, struct search *s,
                           struct err *err)
{
    int64_t last = 0;
    s->found = json_array();
    PUT(c->answer, FIELD("decisions", s->found), FIELD("canonical", s->wanted));
    return database_last_event(db, &last, err) &&
           database_events(db, last > EVENTS_LOOKED_AT ? last - EVENTS_LOOKED_AT : 0,
                           EVENTS_LOOKED_AT, note_event, s, err);
}

bool control_quota_show(struct database *db, struct control *c, struct err *err)
{
    struct search s = {0};
    control_rows(c);
    if (!for_each(db, c, show, err))
        return false;
    if (!address_counted_as(control_text(c, "address"), s.wanted))
        return err_set(err, ERR_USAGE, "that address has no canonical form");
    return find_decisions(db, c, &s, err);
}

/* ---- what all tenants share ---- */

static void add_use(void *context, const char *tenant,
                    const struct database_use use[DATABASE_COUNTED])
{
    struct control *c = context;
    for (unsigned k = 0; k < DATABASE_COUNTED; k++)
        json_array_append_new(json_object_get(c->answer, "shares"),
                              ROW(FIELD("tenant", tenant),
                                  FIELD("share", database_share_name((enum database_share)k)),
                                  FIELD("bytes", use[k].bytes), FIELD("limit", use[k].limit),
                                  FIELD("of", use[k].of)));
}

static bool list_uses(struct database *db, struct control *c, struct err *err)
{
    const struct database_room room = {.all = (uint64_t)control_number(c, "storage", 0),
                                       .tenant = (uint64_t)control_number(c, "tenant_storage", 0),
                                       .waiting = (uint64_t)control_number(c, "waiting", 0),
                                       .events = (uint64_t)control_number(c, "events", 0),
                                       .outbox = (uint64_t)control_number(c, "outbox", 0)};
    PUT(c->answer, FIELD("shares", json_array()));
    return database_uses(db, control_text(c, "tenant"), &room, add_use, c, err);
}

bool control_quota_shares(struct database *db, struct control *c, struct err *err)
{
    control_rows(c);
    return list_uses(db, c, err);
}

/* A credential: what its tenant has left, and what was decided about its own mail. */
bool control_quota_user(struct database *db, struct control *c, struct err *err)
{
    struct search s = {.credential = true};
    struct throttle_bucket bucket;
    struct throttle_new_recipients n;
    const char *tenant = control_text(c, "tenant");
    if (!control_needs(c, "tenant", err) || !control_needs(c, "user", err) ||
        !list_uses(db, c, err) || !database_rate(db, tenant, &bucket, err) ||
        !database_new_recipients(db, tenant, clock_now_ms(), &n, err))
        return false;
    add_bucket(c, tenant, throttle_key_name(THROTTLE_RATE), "", &bucket);
    json_array_append_new(control_rows(c), ROW(FIELD("tenant", tenant),
                                               FIELD("key", throttle_key_name(THROTTLE_FIRST_TIME)),
                                               FIELD("class", ""), FIELD("since_day", n.since_day),
                                               FIELD("today", n.today), FIELD("most", n.most)));
    if (!span_copy(span_of(control_text(c, "user")), s.wanted, sizeof(s.wanted)))
        return err_set(err, ERR_USAGE, "that is not a credential's name");
    return find_decisions(db, c, &s, err);
}

/* ---- who has most ---- */

static void add_top(void *context, const struct database_top *t)
{
    control_add_row(context, ROW(FIELD("who", t->who), FIELD("accepted", t->accepted),
                                 FIELD("paced", t->paced), FIELD("collapsed", t->collapsed),
                                 FIELD("refused", t->refused)));
}

bool control_quota_top(struct database *db, struct control *c, struct err *err)
{
    static const char *const ways[] = {[DATABASE_TOP_RECIPIENT] = "recipient",
                                       [DATABASE_TOP_USER] = "user",
                                       [DATABASE_TOP_DOMAIN] = "domain",
                                       [DATABASE_TOP_TENANT] = "tenant"};
    size_t by = 0;
    if (!control_needs(c, "by", err))
        return false;
    if (!span_among(span_of(control_text(c, "by")), ways, COUNT_OF(ways), &by))
        return err_set(err, ERR_USAGE, "--by is recipient, user, tenant or domain");
    control_rows(c);
    return database_top(db, (enum database_top_by)by, control_number(c, "since", 0),
                        control_number(c, "limit", 20), add_top, c, err);
}

static bool reset(struct database *db, struct control *c, const char *tenant,
                  const struct address *address, enum stream_class class, const char *stream,
                  struct err *err)
{
    (void)c;
    return database_reset_buckets(db, tenant, address, class, stream, err);
}

bool control_quota_reset(struct database *db, struct control *c, struct err *err)
{
    const char *tenant = control_text(c, "tenant");
    return tenant ? database_reset_tenant(db, tenant, clock_now_ms(), err)
                  : for_each(db, c, reset, err);
}
