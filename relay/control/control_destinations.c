// SPDX-License-Identifier: BSD-2-Clause
/* control_destinations.c - Verbs about destinations, which only a running relay knows.
 *
 * Names are long and made by the relay. For an unknown name the answer lists similar ones, or where
 * the mail of the domain goes that was given instead. */
#include "clock.h"
#include "control_parts.h"
#include "destinations.h"
#include "progress.h"
#include "queued.h"
#include "where.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ROWS_DEFAULT = 1000,
    ROWS_MAX = 100 * 1000,
    TENANTS_MAX = 100, /* shown */
    TRYING_MAX = 100,  /* the same */
    PAUSES_MAX = 300   /* of one destination: the same */
};

bool control_needs_relay(const struct control *c, struct err *err)
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

/* How fast it takes mail, where it has said that it was sent too much. */
static json_t *speed(const struct destinations_row *row)
{
    return ROW(FIELD("tenant", row->slowed_tenant),
               FIELD("messages_a_minute", (json_int_t)(row->a_minute + 0.5)),
               FIELD("refused_a_minute", (json_int_t)(row->refused_a_minute + 0.5)),
               FIELD("next_s", (row->next_ms + 999) / 1000),
               FIELD("more_in_s", (row->try_more_ms + 999) / 1000));
}

json_t *control_describe_destination(const struct destinations_row *row)
{
    json_t *made = ROW(
        FIELD("destination", row->name), FIELD("provider", row->provider),
        FIELD("waiting", row->waiting), FIELD("waiting_by_class", by_class(row)),
        FIELD("opening", row->opening), FIELD("busy", row->busy), FIELD("idle", row->idle),
        FIELD("closing", row->closing), FIELD("limit", row->limit),
        FIELD("window", (json_int_t)row->window),
        FIELD("no_growth_s", (row->no_growth_ms + 999) / 1000), FIELD("failures", row->failures),
        FIELD("rests_s", (row->rest_ms + 999) / 1000), FLAG("by_operator", row->rests_by_operator));
    char source[HOP_SOURCE];
    hop_source(row->name, source);
    if (source[0])
        PUT(made, FIELD("source", source));
    if (row->rest_ms > 0)
        PUT(made, FIELD("next_try", clock_now_ms() + row->rest_ms));
    PUT(made, FIELD("why", row->why), FIELD("stuck", row->stuck),
        FIELD("kept_for_security", row->kept));
    if (row->tenant_rest_ms > 0)
        PUT(made, FIELD("tenant_rest", ROW(FIELD("tenant", row->tenant),
                                           FIELD("rests_s", (row->tenant_rest_ms + 999) / 1000),
                                           FIELD("next_try", clock_now_ms() + row->tenant_rest_ms),
                                           FIELD("why", row->tenant_why))));
    if (row->a_minute > 0)
        PUT(made, FIELD("speed", speed(row)));
    if (row->tenant_ceiling_ms > 0)
        PUT(made,
            FIELD("tenant_ceiling", ROW(FIELD("tenant", row->capped_tenant),
                                        FIELD("connections", row->tenant_ceiling),
                                        FIELD("for_s", (row->tenant_ceiling_ms + 999) / 1000))));
    return made;
}

/* What waits there as some was refused. */
static void add_pauses(json_t *made, const struct destinations_pauses *pauses, const char *name)
{
    json_t *rows = json_array();
    for (size_t i = 0; i < pauses->count && json_array_size(rows) < PAUSES_MAX; i++) {
        const struct queue_pause *p = &pauses->rows[i];
        if (strcmp(p->destination, name) != 0)
            continue;
        json_t *row = ROW(FIELD("kind", queue_pause_kind_name(p->kind)), FIELD("tenant", p->tenant),
                          FIELD("domain", p->domain), FIELD("about", p->about),
                          FIELD("state", queue_pause_state_name(p->state)), FIELD("why", p->why),
                          FIELD("row", p->row), FIELD("since", p->since_ms),
                          FIELD("until", p->until_ms), FIELD("for_s", p->for_ms / 1000));
        if (p->state == QUEUE_PAUSE_GROWS)
            PUT(row, FIELD("connections", p->allowed));
        json_array_append_new(rows, row);
    }
    if (json_array_size(rows) > 0)
        PUT(made, FIELD("pauses", rows));
    else
        json_decref(rows);
}

static void add_its_pauses(const struct control *c, json_t *made, const char *name)
{
    struct destinations_pauses pauses;
    c->relay->calls->read_pauses(c->relay->dispatch, &pauses);
    add_pauses(made, &pauses, name);
    destinations_pauses_fini(&pauses);
}

/* Not before a rest is over. */
static void add_next_try(json_t *row, int64_t next_ms)
{
    if (next_ms > clock_now_ms() && next_ms > json_row_int(row, "next_try"))
        PUT(row, FIELD("next_try", next_ms));
}

/* What waits there besides what is due. */
static void add_waiting(json_t *row, const json_t *group)
{
    PUT(row, FIELD("deferred", json_row_int(group, "deferred")),
        FIELD("held", json_row_int(group, "held")));
    add_next_try(row, json_row_int(group, "next_try"));
    if (json_object_get(group, "last_reply"))
        json_object_set(row, "last_reply", json_object_get(group, "last_reply"));
}

static int by_deferred(const void *a, const void *b)
{
    const json_t *x = *(json_t *const *)a;
    const json_t *y = *(json_t *const *)b;
    int64_t more = json_row_int(y, "deferred") - json_row_int(x, "deferred");
    if (more != 0)
        return more > 0 ? 1 : -1;
    return strcmp(json_row_get(x, "destination"), json_row_get(y, "destination"));
}

/* Those of which nothing is due, no connection is open, and which do not rest; `groups` has no
 * others any more. The most deferred first. */
static void add_deferred_only(struct control *c, json_t *groups, json_t *all)
{
    struct destinations_list known;
    size_t count = 0;
    c->relay->calls->read_known(c->relay->dispatch, &known);
    json_t **rows = xcalloc(known.count + 1, sizeof(json_t *));
    for (size_t i = 0; i < known.count; i++) {
        const json_t *group = json_object_get(groups, known.rows[i].name);
        if (!group || json_row_int(group, "deferred") == 0)
            continue;
        rows[count] = control_describe_destination(&known.rows[i]);
        add_waiting(rows[count++], group);
    }
    qsort(rows, count, sizeof(json_t *), by_deferred);
    for (size_t i = 0; i < count; i++)
        json_array_append_new(all, rows[i]);
    free(rows);
    destinations_list_fini(&known);
}

static json_t *list_all(struct control *c, json_t *groups)
{
    struct destinations_list list;
    struct destinations_pauses pauses;
    json_t *all = json_array();
    c->relay->calls->read_pauses(c->relay->dispatch, &pauses);
    c->relay->calls->read(c->relay->dispatch, &list);
    for (size_t i = 0; i < list.count; i++) {
        json_t *row = control_describe_destination(&list.rows[i]);
        add_waiting(row, json_object_get(groups, list.rows[i].name));
        add_pauses(row, &pauses, list.rows[i].name);
        json_object_del(groups, list.rows[i].name);
        json_array_append_new(all, row);
    }
    destinations_list_fini(&list);
    destinations_pauses_fini(&pauses);
    add_deferred_only(c, groups, all);
    return all;
}

bool control_destination_list(struct database *db, struct control *c, struct err *err)
{
    int64_t limit = control_number(c, "limit", ROWS_DEFAULT);
    json_t *groups = control_needs_relay(c, err) ? control_group_waiting(db, c, err) : NULL;
    if (!groups)
        return false;
    if (limit < 1 || limit > ROWS_MAX)
        limit = ROWS_MAX;
    json_t *all = list_all(c, groups);
    json_t *rows = control_rows(c);
    for (size_t i = 0; i < json_array_size(all) && i < (size_t)limit; i++)
        json_array_append(rows, json_array_get(all, i));
    PUT(c->answer, FIELD("total", json_array_size(all)));
    json_decref(all);
    json_decref(groups);
    return true;
}

/* ---- one of them ---- */

/* The one that "name" means. */
bool control_needs_destination(const struct control *c, char *name_r, struct err *err)
{
    return control_needs_relay(c, err) && control_needs(c, "name", err) &&
           where_meant(c, control_text(c, "name"), name_r, WHERE_NAME, err);
}

bool control_destination_is_gone(const char *name, struct err *err)
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
        if (!where_find(w, row->hop, "", leads_to, sizeof(leads_to)) || strcmp(leads_to, name) != 0)
            continue;
        json_t *made = control_describe_trying(row);
        mail_id_print(row->message, id);
        PUT(made, FIELD("id", id));
        json_array_append_new(rows, made);
    }
    progress_fini(&progress);
    return rows;
}

/* The hops of the queue that lead to one destination, or did when they were last tried. */
struct led {
    struct where *where;
    const char *name;
    json_t *hops;
    int64_t deferred, held, next_ms; /* next_ms: 0: nothing waits */
};

static void add_led(void *context, const struct database_queue_domain *row)
{
    struct led *led = context;
    char name[WHERE_NAME];
    char hop[HOP_TEXT];
    hop_print(row->domain, row->tls_need, row->source, hop);
    if (!where_find(led->where, hop, row->remote, name, sizeof(name)) ||
        strcmp(name, led->name) != 0)
        return;
    led->deferred += row->deferred;
    led->held += row->held;
    if (row->next_ms > 0 && (led->next_ms == 0 || row->next_ms < led->next_ms))
        led->next_ms = row->next_ms;
    json_array_append_new(led->hops, json_row_text(hop));
}

/* The hosts that are not tried for a while. */
json_t *control_describe_avoided(const struct destinations_detail *detail)
{
    json_t *rows = json_array();
    for (size_t i = 0; i < detail->avoided_count; i++) {
        const struct destinations_avoided *one = &detail->avoided[i];
        json_array_append_new(
            rows, ROW(FIELD("host", one->host), FIELD("ip", one->ip),
                      FIELD("for_s", (one->rest.rest_ms + 999) / 1000),
                      FIELD("next_try", clock_now_ms() + one->rest.rest_ms),
                      FIELD("failures", one->rest.failures),
                      FIELD("why", one->rest.stalled ? "no answer in time" : "no connection")));
    }
    return rows;
}

static json_t *describe_detail(const struct destinations_detail *detail)
{
    json_t *made = control_describe_destination(&detail->one.rows[0]);
    json_t *shards = json_array();
    for (size_t i = 0; i < detail->shards; i++)
        json_array_append_new(shards, json_integer(detail->by_shard[i]));
    json_object_set_new(made, "connections_by_shard", shards);
    json_t *domains = json_array();
    for (size_t i = 0; i < detail->domains && i < DESTINATIONS_DOMAINS; i++)
        json_array_append_new(domains, json_string(detail->some_domains[i]));
    PUT(made, FIELD("domains", detail->domains), FIELD("some_domains", domains),
        FIELD("waiting_by_tenant", describe_tenants(detail)),
        FIELD("tenants", detail->tenant_count), FIELD("avoided", control_describe_avoided(detail)));
    return made;
}

bool control_destination_show(struct database *db, struct control *c, struct err *err)
{
    struct destinations_detail detail;
    char name[WHERE_NAME];
    if (!control_needs_destination(c, name, err))
        return false;
    if (!c->relay->calls->find(c->relay->dispatch, name, &detail))
        return control_destination_is_gone(name, err);
    struct led led = {.where = where_new(db, c, err), .name = name, .hops = json_array()};
    char *sources = where_sources(c);
    json_t *made = describe_detail(&detail);
    bool ok = led.where &&
              database_queue_domains(db, sources, clock_now_ms(), add_led, &led, err) &&
              control_describe_deferred(db, c, led.hops, made, err);
    free(sources);
    add_next_try(made, led.next_ms);
    add_its_pauses(c, made, name);
    PUT(made, FIELD("deferred", led.deferred), FIELD("held", led.held));
    if (ok)
        PUT(made, FIELD("trying", describe_progress(c, led.where, name)));
    json_object_set_new(c->answer, "destination", made);
    json_decref(led.hops);
    where_free(led.where);
    destinations_detail_fini(&detail);
    return ok;
}

struct stood {
    const json_t *hops;
    bool found;
};

static void note_stood(void *context, const struct database_queue_domain *row)
{
    struct stood *stood = context;
    char hop[HOP_TEXT];
    size_t i;
    const json_t *one;
    hop_print(row->domain, row->tls_need, row->source, hop);
    json_array_foreach(stood->hops, i, one)
    {
        stood->found = stood->found || strcmp(json_string_value(one), hop) == 0;
    }
}

/* Does any mail wait for these hops? */
static bool is_waited_for(struct database *db, const struct control *c, const json_t *hops,
                          struct err *err)
{
    struct stood stood = {.hops = hops};
    char *sources = where_sources(c);
    bool ok = database_queue_domains(db, sources, clock_now_ms(), note_stood, &stood, err);
    free(sources);
    return ok && stood.found;
}

/* A hop that is no destination's just now stands for itself: what waits there may not be due
 * yet. */
static bool find_led(struct database *db, struct control *c, struct led *led, struct err *err)
{
    const char *given = control_text(c, "name");
    struct err unknown = {0};
    char name[WHERE_NAME];
    if (!where_meant(c, given, name, sizeof(name), &unknown)) {
        bool stands = unknown.kind == ERR_NOT_FOUND && where_hops_of(c, given, led->hops) &&
                      is_waited_for(db, c, led->hops, err);
        if (!stands && err->kind == ERR_NONE)
            *err = unknown;
        if (!stands)
            return false;
        snprintf(name, sizeof(name), "%s", json_string_value(json_array_get(led->hops, 0)));
    }
    PUT(c->answer, FIELD("destination", name));
    led->name = name;
    char *sources = where_sources(c);
    bool ok = database_queue_domains(db, sources, clock_now_ms(), add_led, led, err);
    free(sources);
    led->name = NULL;
    return ok;
}

bool control_destination_domains(struct database *db, struct control *c, struct err *err)
{
    if (!control_needs_relay(c, err) || !control_needs(c, "name", err))
        return false;
    struct led led = {.where = where_new(db, c, err), .hops = json_array()};
    int64_t until_ms = control_number(c, "until", 0);
    int64_t expire = 0;
    bool ok = led.where && find_led(db, c, &led, err);
    if (ok && until_ms > 0) {
        char *hops = where_hops_print(led.hops);
        char *sources = where_sources(c);
        const struct database_hops which = {.hops = hops, .sources = sources};
        ok = database_queue_expiring(db, which, until_ms, &expire, err);
        free(hops);
        free(sources);
        PUT(c->answer, FIELD("expire", expire));
    }
    json_object_set_new(c->answer, "hops", led.hops);
    where_free(led.where);
    return ok;
}
