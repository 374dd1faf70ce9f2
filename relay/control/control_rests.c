// SPDX-License-Identifier: BSD-2-Clause
/* control_rests.c - Verbs that put destinations to rest and resume them: one by its name, or all
 * that have a host. What is ordered is in the relay's memory, and in the database for its next
 * start. */
#include "clock.h"
#include "control_parts.h"
#include "destinations.h"
#include "rests.h"
#include "where.h"

#include <stdio.h>
#include <string.h>

enum { SHARED_MAX = 10 /* shown */, AHEAD_MAX = 512, WHY_MAX = 150, PROVIDER_MAX = 64 };
static const int64_t rest_default_ms = INT64_C(3600) * 1000;
static const int64_t rest_most_ms = INT64_C(30) * 24 * 3600 * 1000;

static bool add_event(struct database *db, const char *name, const char *kind, const char *text,
                      struct err *err)
{
    const struct database_event event = {.at_ms = clock_now_ms(),
                                         .kind = kind,
                                         .recipient = name,
                                         .enhanced = "",
                                         .reply = text,
                                         .remote = ""};
    return database_add_event(db, &event, err);
}

/* How it was until now. */
struct before {
    bool rested, by_order;
    bool partly, slowed; /* some tenant's mail rested, or was held to a number; mail went apart */
};

static struct before describe_before(struct control *c, const char *name)
{
    struct destinations_detail before;
    if (!c->relay->calls->find(c->relay->dispatch, name, &before))
        return (struct before){0};
    const struct destinations_row *row = &before.one.rows[0];
    const struct before was = {.rested = row->rest_ms > 0,
                               .by_order = row->rests_by_operator,
                               .partly = row->tenant_rest_ms > 0 || row->tenant_ceiling_ms > 0,
                               .slowed = row->a_minute > 0};
    PUT(c->answer, FIELD("destination", name));
    if (was.rested)
        json_object_set_new(c->answer, "before", control_describe_destination(row));
    destinations_detail_fini(&before);
    return was;
}

/* Does it use one of these hosts? */
static bool uses(const struct destinations_row *row, const char *hosts)
{
    return where_share(row->name, hosts) || where_share(row->hosts, hosts);
}

/* Others that have a host of it: those go on. */
static void describe_shared(struct control *c, const char *name)
{
    struct destinations_list known;
    const char *hosts = "";
    json_t *shared = json_array();
    c->relay->calls->read_known(c->relay->dispatch, &known);
    for (size_t i = 0; i < known.count; i++)
        if (strcmp(known.rows[i].name, name) == 0)
            hosts = known.rows[i].hosts;
    for (size_t i = 0; i < known.count && json_array_size(shared) < SHARED_MAX; i++)
        if (strcmp(known.rows[i].name, name) != 0 &&
            (uses(&known.rows[i], name) || uses(&known.rows[i], hosts)))
            json_array_append_new(shared, json_row_text(known.rows[i].name));
    json_object_set_new(c->answer, "shared", shared);
    destinations_list_fini(&known);
}

/* Like the names that the queue makes: hosts, a port, and words. */
static bool is_full_name(const char *name)
{
    struct span words = span_of(name);
    struct span head = span_take(&words, ' ');
    size_t colon = head.len;
    uint64_t port = 0;
    while (colon > 0 && head.ptr[colon - 1] != ':')
        colon--;
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    size_t plain = strspn(name, letters);
    while (name[plain] && strchr(".-_,:[] ", name[plain]))
        plain += 1 + strspn(name + plain + 1, letters);
    return name[plain] == '\0' && colon > 1 && span_number(span_from(head, colon), &port) &&
           port > 0 && port < 65536;
}

/* One that is known; or one that mail may lead to later, by its full name. */
static bool needs_destination_to_rest(struct control *c, char name_r[WHERE_NAME], bool *known_r,
                                      struct err *err)
{
    struct err unknown = {0};
    *known_r = control_needs_destination(c, name_r, &unknown);
    if (*known_r)
        return true;
    *err = unknown;
    if (unknown.kind != ERR_NOT_FOUND)
        return false;
    const char *given = control_text(c, "name");
    if (strstr(unknown.text, "did you mean"))
        return false;
    if (!is_full_name(given) || strlen(given) > AHEAD_MAX)
        return err_set(err, ERR_NOT_FOUND,
                       "no destination \"%.60s\" is known just now: before mail leads there its "
                       "full name is needed, as \"mx.example:25\"",
                       given);
    snprintf(name_r, WHERE_NAME, "%s", given);
    for (char *p = name_r; *p; p++)
        *p = *p >= 'A' && *p <= 'Z' ? (char)(*p + 'a' - 'A') : *p;
    err->kind = ERR_NONE;
    return true;
}

struct order {
    int64_t for_ms, until_ms;
    const char *why;
};

static bool read_order(const struct control *c, struct order *o_r, struct err *err)
{
    o_r->for_ms = control_number(c, "for_ms", rest_default_ms);
    o_r->why = control_text(c, "why") ? control_text(c, "why") : "";
    o_r->until_ms = clock_now_ms() + o_r->for_ms;
    if (o_r->for_ms < 1000 || o_r->for_ms > rest_most_ms)
        return err_set(err, ERR_USAGE, "a destination rests for 1 s to 30 days");
    if (strlen(o_r->why) > WHY_MAX)
        return err_set(err, ERR_USAGE, "the reason is longer than %d bytes", WHY_MAX);
    return true;
}

static bool add_rest_event(struct database *db, const struct control *c, const struct order *o,
                           const char *name, struct err *err)
{
    char text[400];
    snprintf(text, sizeof(text), "for %lld s, by %s%s%s", (long long)o->for_ms / 1000, c->who,
             *o->why ? ": " : "", o->why);
    return add_event(db, name, "destination_rests", text, err);
}

/* In memory, in the database for the next start, and as an event. */
static bool rest_one(struct database *db, struct control *c, const struct order *o,
                     const char *name, bool known, struct err *err)
{
    const struct database_rest rest = {.name = name, .why = o->why, .until_ms = o->until_ms};
    if (!known)
        c->relay->calls->rest_ahead(c->relay->dispatch, name, o->for_ms, o->why);
    else if (!c->relay->calls->rest(c->relay->dispatch, name, o->for_ms, o->why))
        return control_destination_is_gone(name, err);
    return database_rest(db, &rest, clock_now_ms(), err) && add_rest_event(db, c, o, name, err);
}

/* It rests by the order about a host: as long as it now does, it is known after a restart. One
 * whose hosts are others each time rests for as long as it has this one. */
static bool keep_rest(struct database *db, struct control *c, const struct order *o,
                      const struct destinations_row *row, struct err *err)
{
    const char *name = row->name;
    struct destinations_detail d;
    if (!c->relay->calls->find(c->relay->dispatch, name, &d))
        return control_destination_is_gone(name, err);
    int64_t until_ms = clock_now_ms() + d.one.rows[0].rest_ms;
    const struct database_rest rest = {
        .name = name, .why = d.one.rows[0].why, .until_ms = until_ms};
    bool ok = (row->hosts[0] || database_rest(db, &rest, clock_now_ms(), err)) &&
              add_rest_event(db, c, o, name, err);
    destinations_detail_fini(&d);
    return ok;
}

/* `of_host`: for the sake of a host, while others of it may rest. `by_order`: that ends an
 * operator's rest; what rests because it failed is told to be back when a connection works. */
static bool resume_one(struct database *db, struct control *c, const char *name, bool of_host,
                       bool by_order, struct err *err)
{
    char text[200];
    const struct destinations_calls *calls = c->relay->calls;
    if (!(of_host ? calls->resume_host_of : calls->resume)(c->relay->dispatch, name))
        return control_destination_is_gone(name, err);
    snprintf(text, sizeof(text), "by %s", c->who);
    return database_end_rest(db, name, false, err) &&
           (!by_order || add_event(db, name, "destination_resumed", text, err));
}

static bool order_all(struct database *db, struct control *c, const struct order *o,
                      const char *host, bool *rested_r, struct err *err)
{
    *rested_r =
        c->relay->calls->rest_host(c->relay->dispatch, host, o ? o->for_ms : 0, o ? o->why : "");
    if (!o)
        return database_end_rest(db, host, true, err);
    const struct database_rest rest = {
        .name = host, .is_host = true, .why = o->why, .until_ms = o->until_ms};
    return database_rest(db, &rest, clock_now_ms(), err);
}

static json_t *describe_with_host(const struct destinations_list *known, const char *host)
{
    json_t *rows = json_array();
    for (size_t i = 0; i < known->count; i++)
        if (uses(&known->rows[i], host))
            json_array_append_new(rows, ROW(FIELD("destination", known->rows[i].name),
                                            FLAG("rested", known->rows[i].rest_ms > 0)));
    return rows;
}

/* Its destinations go on: mail for all its customers would rest with them. */
static json_t *describe_provider(const struct destinations_list *known, const char *provider)
{
    json_t *rows = json_array();
    for (size_t i = 0; i < known->count && json_array_size(rows) < SHARED_MAX; i++)
        if (strcmp(known->rows[i].provider, provider) == 0)
            json_array_append_new(rows, json_row_text(known->rows[i].name));
    return rows;
}

/* Nothing is put to rest, or resumed, by this host's name. */
static bool none_has_it(const char *host, const char *provider, const json_t *go_on,
                        struct err *err)
{
    const char *one = json_string_value(json_array_get(go_on, 0));
    if (!*provider)
        return err_set(err, ERR_NOT_FOUND, "no destination with host \"%.60s\" is known just now",
                       host);
    return err_set(err, ERR_NOT_FOUND,
                   "host \"%.60s\" belongs to %s, which rests as a whole: name it instead, as "
                   "\"%.60s%s\"",
                   host, provider, one ? one : provider, one ? "" : ":25");
}

static bool order_known(struct database *db, struct control *c, const struct order *o,
                        const struct destinations_row *row, struct err *err)
{
    return o ? keep_rest(db, c, o, row, err)
             : resume_one(db, c, row->name, true, row->rests_by_operator, err);
}

/* All that have the host, now or later: put to rest by the order; without one they are resumed. */
static bool order_host(struct database *db, struct control *c, const struct order *o,
                       const char *host, struct err *err)
{
    struct destinations_list known;
    char name[ADDRESS_DOMAIN_MAX + 1];
    char provider[PROVIDER_MAX];
    if (!control_needs_relay(c, err))
        return false;
    if (!address_domain_ascii(span_of(host), name))
        return err_set(err, ERR_USAGE, "\"%.60s\" is not a host name", host);
    if (!queue_provider_of(name, provider, sizeof(provider)))
        provider[0] = '\0';
    bool rested = false;
    c->relay->calls->read_known(c->relay->dispatch, &known);
    json_t *done = describe_with_host(&known, name);
    json_t *go_on = describe_provider(&known, provider[0] ? provider : "-");
    bool ok = (o && json_array_size(done) == 0) || order_all(db, c, o, name, &rested, err);
    for (size_t i = 0; ok && i < known.count; i++)
        if (uses(&known.rows[i], name))
            ok = order_known(db, c, o, &known.rows[i], err);
    destinations_list_fini(&known);
    if (ok && json_array_size(done) == 0 && !rested)
        ok = none_has_it(name, provider, go_on, err);
    PUT(c->answer, FIELD("host", name), FIELD("destinations", done), FIELD("provider", provider),
        FIELD("go_on", go_on));
    return ok;
}

bool control_destination_rest(struct database *db, struct control *c, struct err *err)
{
    bool known = false;
    char name[WHERE_NAME];
    struct order o;
    if (!read_order(c, &o, err))
        return false;
    PUT(c->answer, FIELD("next_try", o.until_ms));
    if (control_text(c, "host"))
        return order_host(db, c, &o, control_text(c, "host"), err);
    if (!needs_destination_to_rest(c, name, &known, err))
        return false;
    describe_before(c, name);
    describe_shared(c, name);
    PUT(c->answer, FIELD("destination", name), FLAG("known", known));
    return rest_one(db, c, &o, name, known, err);
}

/* How much of its mail waits as some was refused. */
static size_t count_pauses(const struct control *c, const char *name)
{
    struct destinations_pauses pauses;
    size_t count = 0;
    c->relay->calls->read_pauses(c->relay->dispatch, &pauses);
    for (size_t i = 0; i < pauses.count; i++)
        count += strcmp(pauses.rows[i].destination, name) == 0;
    destinations_pauses_fini(&pauses);
    return count;
}

/* An order by the name ends them, too. */
static bool add_pauses_event(struct database *db, const struct control *c, const char *name,
                             size_t count, struct err *err)
{
    char text[300];
    snprintf(text, sizeof(text), "%zu pauses of its mail, by %s", count, c->who);
    return count == 0 || add_event(db, name, "mail_resumed", text, err);
}

bool control_destination_resume(struct database *db, struct control *c, struct err *err)
{
    char name[WHERE_NAME];
    if (control_text(c, "host"))
        return order_host(db, c, NULL, control_text(c, "host"), err);
    if (!control_needs_destination(c, name, err))
        return false;
    const struct before was = describe_before(c, name);
    size_t pauses = count_pauses(c, name);
    PUT(c->answer, FLAG("rested", was.rested), FLAG("partly_rested", was.partly),
        FLAG("slowed", was.slowed), FIELD("pauses", pauses));
    return resume_one(db, c, name, false, was.by_order, err) &&
           add_pauses_event(db, c, name, pauses, err);
}
