// SPDX-License-Identifier: BSD-2-Clause
/* where.c - Finds the destination of a domain, and the destination that an operator means.
 *
 * The queue forgets a domain's destination soon after nothing is due there. Then the host that
 * answered last identifies it, if that host belongs to one destination only. When no relay runs,
 * only the destinations and hosts that an operator has put to rest are known.
 */
#include "where.h"

#include "clock.h"
#include "destinations.h"
#include "rests.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HINTS_MAX = 3 };

struct where {
    const struct control_relay *relay; /* NULL: none runs */
    json_t *by_host;                   /* its destination's name; null: it belongs to several */
    json_t *rests;                     /* of destinations, by name */
    json_t *by_domain; /* "destination", and its "rest"; null: where it leads is not known */
};

static struct span hosts_of(const char *name)
{
    struct span words = span_of(name);
    struct span head = span_take(&words, ' ');
    return span_first(head, span_find(head, ':'));
}

/* "a.test,b.test:25 verify": each of its hosts leads there. */
static void add_hosts(json_t *by_host, const char *name)
{
    char key[ADDRESS_DOMAIN_MAX + 1];
    struct span hosts = hosts_of(name);
    while (hosts.len > 0) {
        if (!span_copy(span_take(&hosts, ','), key, sizeof(key)))
            continue;
        bool known = json_object_get(by_host, key) != NULL;
        json_object_set_new(by_host, key, known ? json_null() : json_row_text(name));
    }
}

/* ---- rests ---- */

/* NULL: it has none. */
static json_t *rest_of(const struct destinations_row *row)
{
    if (row->rest_ms <= 0 && row->tenant_rest_ms <= 0)
        return NULL;
    if (row->rest_ms <= 0)
        return ROW(FIELD("destination", row->name),
                   FIELD("next_try", clock_now_ms() + row->tenant_rest_ms),
                   FIELD("rests_s", (row->tenant_rest_ms + 999) / 1000), FLAG("by_operator", false),
                   FIELD("why", row->tenant_why), FIELD("tenant", row->tenant));
    return ROW(FIELD("destination", row->name), FIELD("next_try", clock_now_ms() + row->rest_ms),
               FIELD("rests_s", (row->rest_ms + 999) / 1000),
               FLAG("by_operator", row->rests_by_operator), FIELD("why", row->why));
}

static void add_known(struct where *w)
{
    struct destinations_list list;
    w->relay->calls->read_known(w->relay->dispatch, &list);
    for (size_t i = 0; i < list.count; i++) {
        json_t *rest = rest_of(&list.rows[i]);
        add_hosts(w->by_host, list.rows[i].name);
        if (rest)
            json_object_set_new(w->rests, list.rows[i].name, rest);
    }
    destinations_list_fini(&list);
}

struct stored {
    struct where *where;
    bool hosts; /* else destinations */
};

/* A host leads to a destination that rests as long, or stands for those that are not known. */
static void add_stored(void *context, const struct database_rest *rest)
{
    const struct stored *s = context;
    struct where *w = s->where;
    int64_t rest_ms = rest->until_ms - clock_now_ms();
    if (rest->is_host != s->hosts || json_object_get(w->by_host, rest->name))
        return;
    add_hosts(w->by_host, rest->name);
    json_object_set_new(w->rests, rest->name,
                        ROW(FIELD("destination", rest->name), FIELD("next_try", rest->until_ms),
                            FIELD("rests_s", (rest_ms + 999) / 1000), FLAG("by_operator", true),
                            FIELD("why", rest->why)));
}

struct where *where_new(struct database *db, const struct control *c, struct err *err)
{
    struct where *w = xcalloc(1, sizeof(*w));
    struct stored names = {.where = w};
    struct stored hosts = {.where = w, .hosts = true};
    w->relay = c->relay;
    w->by_host = json_object();
    w->rests = json_object();
    w->by_domain = json_object();
    if (w->relay) {
        add_known(w);
    } else if (!database_rests(db, clock_now_ms(), add_stored, &names, err) ||
               !database_rests(db, clock_now_ms(), add_stored, &hosts, err)) {
        where_free(w);
        return NULL;
    }
    return w;
}

void where_free(struct where *w)
{
    if (!w)
        return;
    json_decref(w->by_host);
    json_decref(w->rests);
    json_decref(w->by_domain);
    free(w);
}

/* ---- where it goes ---- */

static json_t *ask(const struct control_relay *relay, const char *domain)
{
    struct destinations_list list;
    json_t *place = NULL;
    relay->calls->find_domain(relay->dispatch, domain, &list);
    if (list.count > 0)
        place = ROW(FIELD("destination", list.rows[0].name), FIELD("rest", rest_of(&list.rows[0])));
    destinations_list_fini(&list);
    return place ? place : json_null();
}

/* Each domain is asked for once. */
static const json_t *place_of(struct where *w, const char *domain)
{
    json_t *place = json_object_get(w->by_domain, domain);
    if (!place && w->relay) {
        place = ask(w->relay, domain);
        json_object_set_new(w->by_domain, domain, place);
    }
    return json_is_object(place) ? place : NULL;
}

/* The destination of who answered: "host[address]"; NULL: that is not known. */
static const char *answered_for(const struct where *w, const char *remote)
{
    char host[ADDRESS_DOMAIN_MAX + 1];
    struct span answered = span_of(remote);
    if (!span_copy(span_first(answered, span_find(answered, '[')), host, sizeof(host)))
        return NULL;
    return json_string_value(json_object_get(w->by_host, host));
}

bool where_find(struct where *w, const char *domain, const char *remote, char *name_r, size_t size)
{
    const json_t *place = place_of(w, domain);
    const char *name = place ? json_row_get(place, "destination") : answered_for(w, remote);
    if (name)
        snprintf(name_r, size, "%s", name);
    return name != NULL;
}

const json_t *where_rest(struct where *w, const char *domain, const char *remote,
                         const char *tenant)
{
    const json_t *place = place_of(w, domain);
    const char *name = place ? NULL : answered_for(w, remote);
    const json_t *rest = json_object_get(place, "rest");
    if (name)
        rest = json_object_get(w->rests, name);
    const char *only = json_row_get(rest, "tenant");
    return *only && strcmp(only, tenant) != 0 ? NULL : rest;
}

const json_t *where_rests(const struct where *w)
{
    return w->rests;
}

bool where_domain_of(const char *recipient, char domain_r[ADDRESS_DOMAIN_MAX + 1])
{
    struct address parsed;
    return address_parse(span_of(recipient), &parsed) &&
           address_domain_ascii(parsed.domain, domain_r);
}

bool where_share(const char *name, const char *other)
{
    struct span hosts = hosts_of(name);
    while (hosts.len > 0) {
        struct span host = span_take(&hosts, ',');
        struct span others = hosts_of(other);
        while (others.len > 0)
            if (span_equal(span_take(&others, ','), host))
                return true;
    }
    return false;
}

/* ---- what a person means ---- */

static void add_hint(char *text, size_t size, const char *begin, const char *name, size_t nth)
{
    size_t len = strlen(text);
    snprintf(text + len, size - len, "%s\"%.60s\"", nth == 0 ? begin : ", ", name);
}

static bool not_found(const struct destinations_list *known, const char *given, struct err *err)
{
    char hint[240] = "";
    size_t hints = 0;
    for (size_t i = 0; i < known->count && *given && hints < HINTS_MAX; i++)
        if (strcasestr(known->rows[i].name, given))
            add_hint(hint, sizeof(hint), "; did you mean ", known->rows[i].name, hints++);
    return err_set(err, ERR_NOT_FOUND, "no destination \"%.60s\"%s%s", given,
                   hints > 0 ? hint : " is known just now: see 'sealpost destination list'",
                   hints > 0 ? "?" : "");
}

/* Its name, or what means exactly one. */
static bool find_meant(const struct destinations_list *known, const char *given, char *name_r,
                       size_t size, struct err *err)
{
    char several[240] = "";
    size_t found = 0;
    for (size_t i = 0; i < known->count; i++) {
        const char *name = known->rows[i].name;
        if (strcmp(name, given) == 0) {
            snprintf(name_r, size, "%s", name);
            return true;
        }
        if (!queue_destination_is_meant(name, given))
            continue;
        if (found == 0)
            snprintf(name_r, size, "%s", name);
        if (found < HINTS_MAX)
            add_hint(several, sizeof(several), "", name, found);
        found++;
    }
    if (found > 1)
        return err_set(err, ERR_USAGE, "\"%.60s\" means more than one destination: %s", given,
                       several);
    return found == 1;
}

static bool leads(const struct control_relay *relay, const char *domain, char *name_r, size_t size)
{
    json_t *place = ask(relay, domain);
    bool found = json_is_object(place);
    if (found)
        snprintf(name_r, size, "%s", json_row_get(place, "destination"));
    json_decref(place);
    return found;
}

bool where_meant(const struct control *c, const char *given, char *name_r, size_t size,
                 struct err *err)
{
    struct destinations_list known;
    char domain[ADDRESS_DOMAIN_MAX + 1];
    c->relay->calls->read_known(c->relay->dispatch, &known);
    bool found = find_meant(&known, given, name_r, size, err);
    if (!found && err->kind == ERR_NONE)
        found =
            address_domain_ascii(span_of(given), domain) && leads(c->relay, domain, name_r, size);
    if (!found && err->kind == ERR_NONE)
        found = not_found(&known, given, err);
    destinations_list_fini(&known);
    return found;
}
