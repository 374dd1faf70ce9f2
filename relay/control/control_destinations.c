// SPDX-License-Identifier: BSD-2-Clause
/* control_destinations.c - The verbs about where mail goes, of which only a running relay knows.
 *
 * Names are long and made by the relay: who has one wrong is told which ones are near, or where
 * the mail of the domain goes that was given instead.
 */
#include "clock.h"
#include "control_parts.h"
#include "destinations.h"
#include "progress.h"
#include "queued.h"
#include "rests.h"
#include "where.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ROWS_DEFAULT = 1000,
    ROWS_MAX = 100 * 1000,
    TENANTS_MAX = 100, /* shown */
    TRYING_MAX = 100,  /* the same */
    SHARED_MAX = 10,   /* the same */
    AHEAD_MAX = 512,
    RECIPIENTS_MAX = 100, /* of a message, that are looked at */
    WHY_MAX = 150
};
static const int64_t rest_default_ms = INT64_C(3600) * 1000;
static const int64_t rest_most_ms = INT64_C(30) * 24 * 3600 * 1000;

static bool needs_relay(const struct control *c, struct err *err)
{
    return c->relay ||
           err_set(err, ERR_UNREACHABLE, "no relay is running: destinations are known to it alone");
}

/* ---- rows ---- */

static json_t *by_class(const struct destinations_row *row)
{
    json_t *made = json_object();
    for (unsigned i = 0; i < STREAM_CLASSES; i++)
        PUT(made, FIELD(stream_class_name((enum stream_class)i), row->waiting_by_class[i]));
    return made;
}

static json_t *describe(const struct destinations_row *row)
{
    json_t *made = ROW(
        FIELD("destination", row->name), FIELD("provider", row->provider),
        FIELD("waiting", row->waiting), FIELD("waiting_by_class", by_class(row)),
        FIELD("opening", row->opening), FIELD("busy", row->busy), FIELD("idle", row->idle),
        FIELD("closing", row->closing), FIELD("limit", row->limit),
        FIELD("window", (json_int_t)row->window),
        FIELD("no_growth_s", (row->no_growth_ms + 999) / 1000), FIELD("failures", row->failures),
        FIELD("rests_s", (row->rest_ms + 999) / 1000), FLAG("by_operator", row->rests_by_operator));
    if (row->rest_ms > 0)
        PUT(made, FIELD("next_try", clock_now_ms() + row->rest_ms));
    PUT(made, FIELD("why", row->why));
    return made;
}

bool control_destination_list(struct database *db, struct control *c, struct err *err)
{
    struct destinations_list list;
    int64_t limit = control_number(c, "limit", ROWS_DEFAULT);
    (void)db;
    if (!needs_relay(c, err))
        return false;
    if (limit < 1 || limit > ROWS_MAX)
        limit = ROWS_MAX;
    c->relay->calls->read(c->relay->dispatch, &list);
    json_t *rows = control_rows(c);
    for (size_t i = 0; i < list.count && i < (size_t)limit; i++)
        json_array_append_new(rows, describe(&list.rows[i]));
    PUT(c->answer, FIELD("total", list.count));
    destinations_list_fini(&list);
    return true;
}

/* ---- one of them ---- */

/* The one that "name" means. */
static bool needs_destination(const struct control *c, char name_r[WHERE_NAME], struct err *err)
{
    return needs_relay(c, err) && control_needs(c, "name", err) &&
           where_meant(c, control_text(c, "name"), name_r, WHERE_NAME, err);
}

static bool gone(const char *name, struct err *err)
{
    return err_set(err, ERR_NOT_FOUND, "destination \"%.150s\" was just forgotten", name);
}

static json_t *describe_tenants(const struct destinations_detail *detail)
{
    json_t *rows = json_array();
    for (size_t i = 0; i < detail->tenant_count && i < TENANTS_MAX; i++) {
        json_array_append_new(rows, ROW(FIELD("tenant", detail->tenants[i].name),
                                        FIELD("waiting", detail->tenants[i].waiting)));
    }
    return rows;
}

/* What is being tried there just now. */
static json_t *describe_progress(const struct control *c, struct where *w, const char *name)
{
    struct progress progress;
    char leads_to[WHERE_NAME];
    char id[MAIL_ID_TEXT];
    json_t *rows = json_array();
    c->relay->calls->read_progress(c->relay->dispatch, &progress);
    for (size_t i = 0; i < progress.count && json_array_size(rows) < TRYING_MAX; i++) {
        const struct progress_row *row = &progress.rows[i];
        if (!where_find(w, row->domain, "", leads_to, sizeof(leads_to)) ||
            strcmp(leads_to, name) != 0)
            continue;
        json_t *made = control_describe_trying(row);
        mail_id_print(row->message, id);
        PUT(made, FIELD("id", id));
        json_array_append_new(rows, made);
    }
    progress_fini(&progress);
    return rows;
}

/* The domains of the queue that lead to one destination, or did when they were last tried. */
struct led {
    struct where *where;
    const char *name;
    json_t *domains;
    int64_t deferred, held;
};

static void add_led(void *context, const struct database_queue_domain *row)
{
    struct led *led = context;
    char name[WHERE_NAME];
    if (!where_find(led->where, row->domain, row->remote, name, sizeof(name)) ||
        strcmp(name, led->name) != 0)
        return;
    led->deferred += row->deferred;
    led->held += row->held;
    json_array_append_new(led->domains, json_row_text(row->domain));
}

static json_t *describe_detail(const struct destinations_detail *detail)
{
    json_t *made = describe(&detail->one.rows[0]);
    json_t *shards = json_array();
    for (size_t i = 0; i < detail->shards; i++)
        json_array_append_new(shards, json_integer(detail->by_shard[i]));
    json_object_set_new(made, "connections_by_shard", shards);
    json_t *domains = json_array();
    for (size_t i = 0; i < detail->domains && i < DESTINATIONS_DOMAINS; i++)
        json_array_append_new(domains, json_string(detail->some_domains[i]));
    PUT(made, FIELD("domains", detail->domains), FIELD("some_domains", domains),
        FIELD("waiting_by_tenant", describe_tenants(detail)),
        FIELD("tenants", detail->tenant_count));
    return made;
}

bool control_destination_show(struct database *db, struct control *c, struct err *err)
{
    struct destinations_detail detail;
    char name[WHERE_NAME];
    if (!needs_destination(c, name, err))
        return false;
    if (!c->relay->calls->find(c->relay->dispatch, name, &detail))
        return gone(name, err);
    struct led led = {.where = where_new(c), .name = name, .domains = json_array()};
    bool ok = database_queue_domains(db, clock_now_ms(), add_led, &led, err);
    json_t *made = describe_detail(&detail);
    PUT(made, FIELD("deferred", led.deferred), FIELD("held", led.held),
        FIELD("trying", describe_progress(c, led.where, name)));
    json_object_set_new(c->answer, "destination", made);
    json_decref(led.domains);
    where_free(led.where);
    destinations_detail_fini(&detail);
    return ok;
}

/* A domain that is no destination's just now stands for itself: what waits there may not be due
 * yet. */
static bool find_led(struct database *db, struct control *c, struct led *led, struct err *err)
{
    const char *given = control_text(c, "name");
    char domain[ADDRESS_DOMAIN_MAX + 1];
    struct err unknown = {0};
    char name[WHERE_NAME];
    if (!where_meant(c, given, name, sizeof(name), &unknown)) {
        *err = unknown;
        if (unknown.kind != ERR_NOT_FOUND || !address_domain_ascii(span_of(given), domain))
            return false;
        err->kind = ERR_NONE;
        snprintf(name, sizeof(name), "%s", domain);
        json_array_append_new(led->domains, json_string(domain));
    }
    PUT(c->answer, FIELD("destination", name));
    led->name = name;
    bool ok = database_queue_domains(db, clock_now_ms(), add_led, led, err);
    led->name = NULL;
    return ok;
}

bool control_destination_domains(struct database *db, struct control *c, struct err *err)
{
    if (!needs_relay(c, err) || !control_needs(c, "name", err))
        return false;
    struct led led = {.where = where_new(c), .domains = json_array()};
    int64_t until_ms = control_number(c, "until", 0);
    int64_t expire = 0;
    bool ok = find_led(db, c, &led, err);
    if (ok && until_ms > 0) {
        char *domains = json_dumps(led.domains, JSON_COMPACT);
        ok = database_queue_expiring(db, domains, until_ms, &expire, err);
        free(domains);
        PUT(c->answer, FIELD("expire", expire));
    }
    json_object_set_new(c->answer, "domains", led.domains);
    where_free(led.where);
    return ok;
}

/* ---- rest ---- */

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
static bool describe_before(struct control *c, const char *name)
{
    struct destinations_detail before;
    if (!c->relay->calls->find(c->relay->dispatch, name, &before))
        return false;
    const struct destinations_row *row = &before.one.rows[0];
    bool rested = row->rest_ms > 0;
    PUT(c->answer, FIELD("destination", name));
    if (rested)
        json_object_set_new(c->answer, "before", describe(row));
    destinations_detail_fini(&before);
    return rested;
}

/* Others that have a host of it: those go on. */
static void describe_shared(struct control *c, const char *name)
{
    struct destinations_list known;
    json_t *shared = json_array();
    c->relay->calls->read_known(c->relay->dispatch, &known);
    for (size_t i = 0; i < known.count && json_array_size(shared) < SHARED_MAX; i++)
        if (strcmp(known.rows[i].name, name) != 0 && where_share(known.rows[i].name, name))
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
    *known_r = needs_destination(c, name_r, &unknown);
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

/* In memory, in the database for the next start, and as an event. */
static bool rest_one(struct database *db, struct control *c, const struct order *o,
                     const char *name, bool known, struct err *err)
{
    char text[400];
    const struct database_rest rest = {name, o->why, o->until_ms};
    if (!known)
        c->relay->calls->rest_ahead(c->relay->dispatch, name, o->for_ms, o->why);
    else if (!c->relay->calls->rest(c->relay->dispatch, name, o->for_ms, o->why))
        return gone(name, err);
    snprintf(text, sizeof(text), "for %lld s, by %s%s%s", (long long)o->for_ms / 1000, c->who,
             *o->why ? ": " : "", o->why);
    return database_rest(db, &rest, clock_now_ms(), err) &&
           add_event(db, name, "destination_rests", text, err);
}

static bool resume_one(struct database *db, struct control *c, const char *name, bool rested,
                       struct err *err)
{
    char text[200];
    if (!c->relay->calls->resume(c->relay->dispatch, name))
        return gone(name, err);
    snprintf(text, sizeof(text), "by %s", c->who);
    return database_end_rest(db, name, err) &&
           (!rested || add_event(db, name, "destination_resumed", text, err));
}

/* All that have the host: put to rest by the order, or resumed when there is none. */
static bool order_host(struct database *db, struct control *c, const struct order *o,
                       const char *host, struct err *err)
{
    struct destinations_list known;
    char name[ADDRESS_DOMAIN_MAX + 1];
    if (!needs_relay(c, err))
        return false;
    if (!address_domain_ascii(span_of(host), name))
        return err_set(err, ERR_USAGE, "\"%.60s\" is not a host name", host);
    json_t *done = json_array();
    bool ok = true;
    c->relay->calls->read_known(c->relay->dispatch, &known);
    for (size_t i = 0; ok && i < known.count; i++) {
        const struct destinations_row *row = &known.rows[i];
        if (!where_share(row->name, name))
            continue;
        ok = o ? rest_one(db, c, o, row->name, true, err)
               : resume_one(db, c, row->name, row->rest_ms > 0, err);
        json_array_append_new(
            done, ROW(FIELD("destination", row->name), FLAG("rested", row->rest_ms > 0)));
    }
    destinations_list_fini(&known);
    if (ok && json_array_size(done) == 0)
        ok = err_set(err, ERR_NOT_FOUND, "no destination with host \"%.60s\" is known just now",
                     name);
    PUT(c->answer, FIELD("host", name), FIELD("destinations", done));
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

bool control_destination_resume(struct database *db, struct control *c, struct err *err)
{
    char name[WHERE_NAME];
    if (control_text(c, "host"))
        return order_host(db, c, NULL, control_text(c, "host"), err);
    if (!needs_destination(c, name, err))
        return false;
    bool rested = describe_before(c, name);
    PUT(c->answer, FLAG("rested", rested));
    return resume_one(db, c, name, rested, err);
}

/* ---- what a message waits for ---- */

static bool is_told(const json_t *rests, const char *destination)
{
    for (size_t i = 0; i < json_array_size(rests); i++) {
        const json_t *told = json_object_get(json_array_get(rests, i), "destination");
        if (strcmp(json_string_value(told), destination) == 0)
            return true;
    }
    return false;
}

struct waited {
    struct control *control;
    struct where *where;
};

static void add_rest(void *context, const struct database_queued *q)
{
    const struct waited *w = context;
    struct destinations_detail detail;
    char domain[ADDRESS_DOMAIN_MAX + 1];
    char name[WHERE_NAME];
    json_t *rests = json_object_get(w->control->answer, "rests");
    if (!where_domain_of(q->recipient, domain) ||
        !where_find(w->where, domain, q->remote, name, sizeof(name)) || is_told(rests, name) ||
        !w->control->relay->calls->find(w->control->relay->dispatch, name, &detail))
        return;
    if (detail.one.rows[0].rest_ms > 0) {
        json_t *made = describe(&detail.one.rows[0]);
        PUT(made, FIELD("recipient", q->recipient));
        json_array_append_new(rests, made);
    }
    destinations_detail_fini(&detail);
}

bool control_add_rests(struct database *db, struct control *c, int64_t id, struct err *err)
{
    struct database_filter waiting = {.id = id, .state = MAIL_WAITING, .after.number = -1};
    struct waited w = {.control = c, .where = where_new(c)};
    if (!c->relay)
        return true;
    json_object_set_new(c->answer, "rests", json_array());
    bool ok = database_queue(db, &waiting, RECIPIENTS_MAX, add_rest, &w, err);
    where_free(w.where);
    return ok;
}
