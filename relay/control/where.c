// SPDX-License-Identifier: BSD-2-Clause
/* where.c - Finds the destination of a hop, and the destination that an operator means.
 *
 * The queue forgets a hop's destination soon after nothing is due there. Then the host that
 * answered last identifies it, if that host belongs to one destination only. When no relay runs,
 * only the destinations and hosts that an operator has put to rest are known.
 */
#include "where.h"

#include "clock.h"
#include "destinations.h"
#include "queued.h"
#include "rests.h"
#include "trust.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HINTS_MAX = 3 };

struct where {
    const struct control_relay *relay; /* NULL: none runs */
    json_t *by_host; /* the destination of mail that a host took; null: it belongs to several */
    json_t *rests;   /* of destinations, by name */
    json_t *paces;   /* the same: where messages go apart, whose ("": all), and how many a minute */
    json_t *by_hop;  /* "destination", and its "rest"; null: where it leads is not known */
};

static struct span hosts_of(const char *name)
{
    struct span words = span_of(name);
    struct span head = span_take(&words, ' ');
    return span_first(head, span_find(head, ':'));
}

static void add_host(json_t *by_host, const char *host, const char *name, unsigned needs)
{
    char source[HOP_SOURCE];
    char key[HOP_TEXT];
    hop_source(name, source);
    for (int need = TLS_NEED_NONE; need < TLS_NEEDS; need++) {
        if ((needs & 1U << need) == 0)
            continue;
        hop_print(host, (enum tls_need)need, source, key);
        bool known = json_object_get(by_host, key) != NULL;
        json_object_set_new(by_host, key, known ? json_null() : json_row_text(name));
    }
}

/* "a.test,b.test:25 verify": each of its hosts leads there, for mail with some needs. */
static void add_hosts(json_t *by_host, const char *name)
{
    char host[ADDRESS_DOMAIN_MAX + 1];
    struct span label = span_of(name);
    span_take(&label, ' ');
    struct span hosts = hosts_of(name);
    while (hosts.len > 0)
        if (span_copy(span_take(&hosts, ','), host, sizeof(host)))
            add_host(by_host, host, name, trust_label_needs(label));
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
        if (list.rows[i].a_minute > 0)
            json_object_set_new(w->paces, list.rows[i].name,
                                ROW(FIELD("tenant", list.rows[i].slowed_tenant),
                                    FIELD("a_minute", (json_int_t)(list.rows[i].a_minute + 0.5))));
    }
    destinations_list_fini(&list);
}

struct stored {
    struct where *where;
    bool hosts; /* else destinations */
};

/* For mail of which no destination is known. */
static bool stands_for_some(json_t *by_host, const char *host)
{
    unsigned needs = 0;
    char key[HOP_TEXT];
    for (int need = TLS_NEED_NONE; need < TLS_NEEDS; need++) {
        hop_print(host, (enum tls_need)need, "", key);
        needs |= json_object_get(by_host, key) ? 0 : 1U << need;
    }
    add_host(by_host, host, host, needs);
    return needs != 0;
}

/* A host leads to a destination that rests as long, or stands for those that are not known. */
static void add_stored(void *context, const struct database_rest *rest)
{
    const struct stored *s = context;
    struct where *w = s->where;
    int64_t rest_ms = rest->until_ms - clock_now_ms();
    if (rest->is_host != s->hosts)
        return;
    if (s->hosts && !stands_for_some(w->by_host, rest->name))
        return;
    if (!s->hosts)
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
    w->paces = json_object();
    w->by_hop = json_object();
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
    json_decref(w->paces);
    json_decref(w->by_hop);
    free(w);
}

/* ---- where it goes ---- */

static json_t *ask(const struct control_relay *relay, const char *hop)
{
    struct destinations_list list;
    json_t *place = NULL;
    relay->calls->find_hop(relay->dispatch, hop, &list);
    if (list.count > 0)
        place = ROW(FIELD("destination", list.rows[0].name), FIELD("rest", rest_of(&list.rows[0])));
    destinations_list_fini(&list);
    return place ? place : json_null();
}

/* Each hop is asked for once. */
static const json_t *place_of(struct where *w, const char *hop)
{
    json_t *place = json_object_get(w->by_hop, hop);
    if (!place && w->relay) {
        place = ask(w->relay, hop);
        json_object_set_new(w->by_hop, hop, place);
    }
    return json_is_object(place) ? place : NULL;
}

/* The destination of who answered: "host[address]"; NULL: that is not known. */
static const char *answered_for(const struct where *w, const char *hop, const char *remote)
{
    char host[ADDRESS_DOMAIN_MAX + 1];
    char key[HOP_TEXT];
    struct hop way;
    struct span answered = span_of(remote);
    if (!span_copy(span_first(answered, span_find(answered, '[')), host, sizeof(host)))
        return NULL;
    hop_read(hop, &way);
    hop_print(host, way.need, way.source, key);
    return json_string_value(json_object_get(w->by_host, key));
}

bool where_find(struct where *w, const char *hop, const char *remote, char *name_r, size_t size)
{
    const json_t *place = place_of(w, hop);
    const char *name = place ? json_row_get(place, "destination") : answered_for(w, hop, remote);
    if (name)
        snprintf(name_r, size, "%s", name);
    return name != NULL;
}

const json_t *where_rest(struct where *w, const char *hop, const char *remote, const char *tenant)
{
    const json_t *place = place_of(w, hop);
    const char *name = place ? NULL : answered_for(w, hop, remote);
    const json_t *rest = json_object_get(place, "rest");
    if (name)
        rest = json_object_get(w->rests, name);
    const char *only = json_row_get(rest, "tenant");
    return *only && strcmp(only, tenant) != 0 ? NULL : rest;
}

int64_t where_pace(const struct where *w, const char *name, const char *tenant)
{
    const json_t *pace = json_object_get(w->paces, name);
    const char *only = json_row_get(pace, "tenant");
    return *only && strcmp(only, tenant) != 0 ? 0 : json_row_int(pace, "a_minute");
}

const json_t *where_rests(const struct where *w)
{
    return w->rests;
}

bool where_hop_of(const struct database_queued *q, char *hop_r)
{
    struct address parsed;
    char domain[ADDRESS_DOMAIN_MAX + 1];
    if (!address_parse(span_of(q->recipient), &parsed) ||
        !address_domain_ascii(parsed.domain, domain))
        return false;
    hop_print(domain, q->tls_need, q->source, hop_r);
    return true;
}

char *where_sources(const struct control *c)
{
    return c->relay ? c->relay->calls->sources(c->relay->dispatch) : NULL;
}

/* Each once, and "" for mail that has none. */
static json_t *list_sources(const struct control *c)
{
    char *rules = where_sources(c);
    json_t *all = json_pack("{s:n}", "");
    json_t *rows = rules ? json_loads(rules, 0, NULL) : NULL;
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const char *name = json_string_value(json_array_get(json_array_get(rows, i), 2));
        json_object_set_new(all, name ? name : "", json_null());
    }
    json_decref(rows);
    free(rules);
    return all;
}

static bool is_meant(const struct hop *given, struct span words, enum tls_need need,
                     const char *source)
{
    bool any_need = words.len == 0 || span_starts_nocase(words, SPAN(HOP_SOURCE_WORD));
    bool any_source = !given->source[0];
    return (any_need || given->need == need) && (any_source || strcmp(given->source, source) == 0);
}

bool where_hops_of(const struct control *c, const char *given, json_t *hops)
{
    struct hop meant;
    char domain[ADDRESS_DOMAIN_MAX + 1];
    char hop[HOP_TEXT];
    struct span words = span_of(given);
    struct span name = span_take(&words, ' ');
    bool found = false;
    const char *source;
    json_t *none;
    hop_read(given, &meant);
    hop_print(meant.domain, meant.need, meant.source, hop);
    if (strcmp(hop, given) != 0 || !address_domain_ascii(name, domain))
        return false;
    json_t *all = list_sources(c);
    json_object_foreach(all, source, none)
    {
        for (int need = TLS_NEED_NONE; need < TLS_NEEDS; need++) {
            if (!is_meant(&meant, words, (enum tls_need)need, source))
                continue;
            hop_print(domain, (enum tls_need)need, source, hop);
            json_array_append_new(hops, json_row_text(hop));
            found = true;
        }
    }
    json_decref(all);
    return found;
}

char *where_hops_print(const json_t *hops)
{
    struct hop hop;
    json_t *rows = json_array();
    for (size_t i = 0; i < json_array_size(hops); i++) {
        const char *text = json_string_value(json_array_get(hops, i));
        hop_read(text ? text : "", &hop);
        json_array_append_new(rows, json_pack("[s, i, s]", hop.domain, (int)hop.need, hop.source));
    }
    char *text = json_dumps(rows, JSON_COMPACT);
    json_decref(rows);
    return text;
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
                   hints > 0 ? hint
                             : " is known just now: see 'sealpost destination list'; mail in the "
                               "queue is found by its recipients' domain, --domain",
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

/* Of a domain that has mail with several needs, that of its plain mail. */
static bool leads(const struct control *c, const char *given, char *name_r, size_t size)
{
    bool found = false;
    json_t *hops = json_array();
    bool named = where_hops_of(c, given, hops);
    for (size_t i = 0; named && !found && i < json_array_size(hops); i++) {
        json_t *place = ask(c->relay, json_string_value(json_array_get(hops, i)));
        found = json_is_object(place);
        if (found)
            snprintf(name_r, size, "%s", json_row_get(place, "destination"));
        json_decref(place);
    }
    json_decref(hops);
    return found;
}

bool where_meant(const struct control *c, const char *given, char *name_r, size_t size,
                 struct err *err)
{
    struct destinations_list known;
    c->relay->calls->read_known(c->relay->dispatch, &known);
    bool found = find_meant(&known, given, name_r, size, err);
    if (!found && err->kind == ERR_NONE)
        found = leads(c, given, name_r, size);
    if (!found && err->kind == ERR_NONE)
        found = not_found(&known, given, err);
    destinations_list_fini(&known);
    return found;
}
