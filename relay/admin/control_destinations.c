// SPDX-License-Identifier: BSD-2-Clause
/* control_destinations.c - The verbs about where mail goes, of which only a running relay knows.
 *
 * Names are long and made by the relay: who has one wrong is told which ones are near, or where
 * the mail of the domain goes that was given instead.
 */
#include "clock.h"
#include "control_parts.h"
#include "destinations.h"
#include "rests.h"
#include "similar.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ROWS_DEFAULT = 1000,
    ROWS_MAX = 100 * 1000,
    TENANTS_MAX = 100, /* shown */
    HINTS_MAX = 3,
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
        json_object_set_new(made, stream_class_name((enum stream_class)i),
                            json_integer((json_int_t)row->waiting_by_class[i]));
    return made;
}

static json_t *describe(const struct destinations_row *row)
{
    json_t *made = json_object();
    json_object_set_new(made, "destination", control_any_text(row->name));
    json_object_set_new(made, "provider", json_string(row->provider));
    json_object_set_new(made, "waiting", json_integer((json_int_t)row->waiting));
    json_object_set_new(made, "waiting_by_class", by_class(row));
    json_object_set_new(made, "opening", json_integer(row->opening));
    json_object_set_new(made, "busy", json_integer(row->busy));
    json_object_set_new(made, "idle", json_integer(row->idle));
    json_object_set_new(made, "closing", json_integer(row->closing));
    json_object_set_new(made, "limit", json_integer(row->limit));
    json_object_set_new(made, "window", json_integer((json_int_t)row->window));
    json_object_set_new(made, "no_growth_s", json_integer((row->no_growth_ms + 999) / 1000));
    json_object_set_new(made, "failures", json_integer(row->failures));
    json_object_set_new(made, "rests_s", json_integer((row->rest_ms + 999) / 1000));
    json_object_set_new(made, "by_operator", json_boolean(row->rests_by_operator));
    if (row->rest_ms > 0)
        json_object_set_new(made, "next_try", json_integer(clock_now_ms() + row->rest_ms));
    json_object_set_new(made, "why", control_any_text(row->why));
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
    destinations_read(c->relay->dispatch, &list);
    json_t *rows = control_rows(c);
    for (size_t i = 0; i < list.count && i < (size_t)limit; i++)
        json_array_append_new(rows, describe(&list.rows[i]));
    json_object_set_new(c->answer, "total", json_integer((json_int_t)list.count));
    destinations_list_fini(&list);
    return true;
}

/* ---- one of them ---- */

static void add_hint(char *text, size_t size, const char *name, size_t nth)
{
    size_t len = strlen(text);
    snprintf(text + len, size - len, "%s\"%.60s\"", nth == 0 ? "; did you mean " : ", ", name);
}

/* Those that hold what was given; else the nearest one. */
static void find_near(struct dispatch *d, const char *name, char *text_r, size_t size)
{
    struct destinations_list list;
    struct similar near;
    size_t hints = 0;
    text_r[0] = '\0';
    destinations_read(d, &list);
    similar_init(&near, name);
    for (size_t i = 0; i < list.count; i++) {
        const char *candidate = list.rows[i].name;
        if (*name && strcasestr(candidate, name) && hints < HINTS_MAX)
            add_hint(text_r, size, candidate, hints++);
        similar_try(&near, span_of(candidate));
    }
    if (hints == 0 && near.best[0])
        add_hint(text_r, size, near.best, hints++);
    if (hints > 0)
        snprintf(text_r + strlen(text_r), size - strlen(text_r), "?");
    destinations_list_fini(&list);
}

static bool not_found(struct control *c, const char *name, struct err *err)
{
    struct destinations_list of_domain;
    char hint[220];
    char domain[ADDRESS_DOMAIN_MAX + 1];
    if (!address_domain_ascii(span_of(name), domain))
        domain[0] = '\0';
    find_near(c->relay->dispatch, name, hint, sizeof(hint));
    destinations_find_domain(c->relay->dispatch, domain, &of_domain);
    if (of_domain.count > 0)
        snprintf(hint, sizeof(hint), ": its mail goes to \"%.120s\"", of_domain.rows[0].name);
    destinations_list_fini(&of_domain);
    return err_set(err, ERR_NOT_FOUND, "no destination \"%.60s\"%s", name,
                   hint[0] ? hint : " has mail, a connection or a rest: see 'destination list'");
}

static bool needs_name(const struct control *c, struct err *err)
{
    return needs_relay(c, err) && control_needs(c, "name", err);
}

static json_t *describe_tenants(const struct destinations_detail *detail)
{
    json_t *rows = json_array();
    for (size_t i = 0; i < detail->tenant_count && i < TENANTS_MAX; i++) {
        json_t *row = json_object();
        json_object_set_new(row, "tenant", control_any_text(detail->tenants[i].name));
        json_object_set_new(row, "waiting", json_integer((json_int_t)detail->tenants[i].waiting));
        json_array_append_new(rows, row);
    }
    return rows;
}

bool control_destination_show(struct database *db, struct control *c, struct err *err)
{
    struct destinations_detail detail;
    (void)db;
    if (!needs_name(c, err))
        return false;
    if (!destinations_find(c->relay->dispatch, control_text(c, "name"), &detail))
        return not_found(c, control_text(c, "name"), err);
    json_t *made = describe(&detail.one.rows[0]);
    json_t *shards = json_array();
    for (size_t i = 0; i < detail.shards; i++)
        json_array_append_new(shards, json_integer(detail.by_shard[i]));
    json_object_set_new(made, "connections_by_shard", shards);
    json_t *domains = json_array();
    for (size_t i = 0; i < detail.domains && i < DESTINATIONS_DOMAINS; i++)
        json_array_append_new(domains, json_string(detail.some_domains[i]));
    json_object_set_new(made, "domains", json_integer((json_int_t)detail.domains));
    json_object_set_new(made, "some_domains", domains);
    json_object_set_new(made, "waiting_by_tenant", describe_tenants(&detail));
    json_object_set_new(made, "tenants", json_integer((json_int_t)detail.tenant_count));
    json_object_set_new(c->answer, "destination", made);
    destinations_detail_fini(&detail);
    return true;
}

/* ---- rest ---- */

static bool add_event(struct database *db, const struct control *c, const char *kind,
                      const char *text, struct err *err)
{
    const struct database_event event = {.at_ms = clock_now_ms(),
                                         .kind = kind,
                                         .recipient = control_text(c, "name"),
                                         .enhanced = "",
                                         .reply = text,
                                         .remote = ""};
    return database_add_event(db, &event, err);
}

bool control_destination_rest(struct database *db, struct control *c, struct err *err)
{
    char text[400];
    int64_t for_ms = control_number(c, "for_ms", rest_default_ms);
    const char *why = control_text(c, "why") ? control_text(c, "why") : "";
    if (!needs_name(c, err))
        return false;
    if (for_ms < 1000 || for_ms > rest_most_ms)
        return err_set(err, ERR_USAGE, "a destination rests for 1 s to 30 days");
    if (strlen(why) > WHY_MAX)
        return err_set(err, ERR_USAGE, "the reason is longer than %d bytes", WHY_MAX);
    if (!destinations_rest(c->relay->dispatch, control_text(c, "name"), for_ms, why))
        return not_found(c, control_text(c, "name"), err);
    const struct database_rest rest = {control_text(c, "name"), why, clock_now_ms() + for_ms};
    snprintf(text, sizeof(text), "for %lld s, by %s%s%s", (long long)for_ms / 1000, c->who,
             *why ? ": " : "", why);
    json_object_set_new(c->answer, "next_try", json_integer(rest.until_ms));
    return database_rest(db, &rest, clock_now_ms(), err) &&
           add_event(db, c, "destination_rests", text, err);
}

bool control_destination_resume(struct database *db, struct control *c, struct err *err)
{
    char text[200];
    if (!needs_name(c, err))
        return false;
    if (!destinations_resume(c->relay->dispatch, control_text(c, "name")))
        return not_found(c, control_text(c, "name"), err);
    snprintf(text, sizeof(text), "by %s", c->who);
    return database_end_rest(db, control_text(c, "name"), err) &&
           add_event(db, c, "destination_resumed", text, err);
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

static void add_rest(void *context, const struct database_queued *q)
{
    struct control *c = context;
    struct address recipient;
    struct destinations_list list;
    char domain[ADDRESS_DOMAIN_MAX + 1];
    json_t *rests = json_object_get(c->answer, "rests");
    if (!address_parse(span_of(q->recipient), &recipient) ||
        !address_domain_ascii(recipient.domain, domain))
        return;
    destinations_find_domain(c->relay->dispatch, domain, &list);
    if (list.count > 0 && list.rows[0].rest_ms > 0 && !is_told(rests, list.rows[0].name)) {
        json_t *made = describe(&list.rows[0]);
        json_object_set_new(made, "recipient", control_any_text(q->recipient));
        json_array_append_new(rests, made);
    }
    destinations_list_fini(&list);
}

bool control_add_rests(struct database *db, struct control *c, int64_t id, struct err *err)
{
    struct database_filter waiting = {.id = id, .state = MAIL_WAITING, .after.number = -1};
    if (!c->relay)
        return true;
    json_object_set_new(c->answer, "rests", json_array());
    return database_queue(db, &waiting, RECIPIENTS_MAX, add_rest, c, err);
}
