// SPDX-License-Identifier: BSD-2-Clause
/* control_waiting.c - What waits, by destination, and why: rests, and what the servers said. A
 * hop that is no destination's just now stands for itself.
 */
#include "clock.h"
#include "control_parts.h"
#include "destinations.h"
#include "queued.h"
#include "where.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    RECIPIENTS_MAX = 100, /* of a message, that are looked at */
    TENANTS_MAX = 100,    /* shown */
    REPLIES_MAX = 3,      /* the same */
    REPLY_MAX = 900
};

/* ---- of all destinations ---- */

struct grouping {
    struct where *where;
    json_t *groups; /* by name */
};

static void name_of(struct where *w, const char *hop, const char *remote, char name_r[WHERE_NAME])
{
    if (!where_find(w, hop, remote, name_r, WHERE_NAME))
        snprintf(name_r, WHERE_NAME, "%s", hop[0] ? hop : "(reports only)");
}

static void add_number(json_t *group, const char *key, int64_t number)
{
    json_int_t before = json_row_int(group, key);
    PUT(group, FIELD(key, before + number));
}

static void earliest(json_t *group, const char *key, int64_t at_ms)
{
    const json_t *before = json_object_get(group, key);
    if (at_ms > 0 && (!before || json_integer_value(before) > at_ms))
        PUT(group, FIELD(key, at_ms));
}

static void add_domain(void *context, const struct database_queue_domain *row)
{
    const struct grouping *g = context;
    char hop[HOP_TEXT];
    char name[WHERE_NAME];
    hop_print(row->domain, row->tls_need, row->source, hop);
    name_of(g->where, hop, row->remote, name);
    json_t *group = json_object_get(g->groups, name);
    if (!group) {
        group = ROW(FIELD("destination", name));
        json_object_set_new(g->groups, name, group);
    }
    add_number(group, "domains", 1);
    add_number(group, "waiting", row->due);
    add_number(group, "deferred", row->deferred);
    add_number(group, "held", row->held);
    earliest(group, "oldest", row->oldest_ms);
    earliest(group, "next_try", row->next_ms);
}

static void print_reply(const struct database_reply *row, char text_r[REPLY_MAX])
{
    snprintf(text_r, REPLY_MAX, "%03d %s%s%s", row->code, row->enhanced,
             row->enhanced[0] ? " " : "", row->reply);
}

static void add_reply(void *context, const struct database_reply *row)
{
    const struct grouping *g = context;
    char hop[HOP_TEXT];
    char name[WHERE_NAME];
    char text[REPLY_MAX];
    hop_print(row->domain, row->tls_need, row->source, hop);
    name_of(g->where, hop, row->remote, name);
    json_t *group = json_object_get(g->groups, name);
    json_t *replies = json_object_get(group, "replies");
    if (group && !replies) {
        replies = json_object();
        json_object_set_new(group, "replies", replies);
    }
    print_reply(row, text);
    if (replies)
        add_number(replies, text, row->count);
}

/* "replies" become the commonest one. */
static void choose_reply(json_t *group)
{
    const char *text;
    json_t *count;
    json_int_t most = 0;
    json_object_foreach(json_object_get(group, "replies"), text, count)
    {
        if (json_integer_value(count) <= most)
            continue;
        most = json_integer_value(count);
        PUT(group, FIELD("last_reply", text));
    }
    json_object_del(group, "replies");
}

/* Nothing is tried before a rest ends. */
static void add_rest_to(json_t *group, const json_t *rest)
{
    static const char *const keys[] = {"rests_s", "by_operator", "why", "tenant"};
    for (size_t i = 0; i < COUNT_OF(keys); i++)
        if (json_object_get(rest, keys[i]))
            json_object_set(group, keys[i], json_object_get(rest, keys[i]));
    if (!json_object_get(rest, "tenant") &&
        json_row_int(group, "next_try") < json_row_int(rest, "next_try"))
        json_object_set(group, "next_try", json_object_get(rest, "next_try"));
}

/* When no relay runs, those that an operator has put to rest are shown also where nothing is known
 * to wait: what has never been tried is not known to go there. */
static void add_rests(const struct control *c, const struct where *w, json_t *groups)
{
    const char *name;
    json_t *rest;
    json_object_foreach((json_t *)where_rests(w), name, rest)
    {
        json_t *group = json_object_get(groups, name);
        if (!group && !c->relay) {
            group = ROW(FIELD("destination", name), FIELD("domains", 0), FIELD("waiting", 0),
                        FIELD("deferred", 0), FIELD("held", 0));
            json_object_set_new(groups, name, group);
        }
        if (group)
            add_rest_to(group, rest);
    }
}

json_t *control_group_waiting(struct database *db, const struct control *c, struct err *err)
{
    const char *name;
    json_t *group;
    int64_t now_ms = clock_now_ms();
    struct grouping g = {.where = where_new(db, c, err), .groups = json_object()};
    char *sources = where_sources(c);
    const struct database_hops all = {.sources = sources};
    bool ok = g.where && database_queue_domains(db, sources, now_ms, add_domain, &g, err) &&
              database_queue_replies(db, all, now_ms, add_reply, &g, err);
    free(sources);
    json_object_foreach(g.groups, name, group)
    {
        choose_reply(group);
    }
    if (ok)
        add_rests(c, g.where, g.groups);
    else
        json_decref(g.groups);
    where_free(g.where);
    return ok ? g.groups : NULL;
}

/* ---- of one ---- */

struct deferred {
    json_t *classes, *tenants, *replies;
};

static void add_deferred(void *context, const char *tenant, enum stream_class class, int64_t count)
{
    const struct deferred *d = context;
    add_number(d->classes, stream_class_name(class), count);
    add_number(d->tenants, tenant, count);
}

static void count_reply(void *context, const struct database_reply *row)
{
    const struct deferred *d = context;
    char text[REPLY_MAX];
    print_reply(row, text);
    add_number(d->replies, text, row->count);
}

/* The most first: [{`key`: …, `count`: …}, …]. Takes `counts`. */
static json_t *sorted(json_t *counts, const char *key, const char *count, size_t most)
{
    json_t *rows = json_array();
    while (json_object_size(counts) > 0 && json_array_size(rows) < most) {
        const char *name;
        const char *first = NULL;
        json_t *value;
        json_int_t highest = 0;
        json_object_foreach(counts, name, value)
        {
            if (first && json_integer_value(value) <= highest)
                continue;
            first = name;
            highest = json_integer_value(value);
        }
        json_array_append_new(rows, ROW(FIELD(key, first), FIELD(count, highest)));
        json_object_del(counts, first);
    }
    json_decref(counts);
    return rows;
}

bool control_describe_deferred(struct database *db, const struct control *c, const json_t *hops,
                               json_t *row, struct err *err)
{
    int64_t now_ms = clock_now_ms();
    char *names = where_hops_print(hops);
    char *sources = where_sources(c);
    const struct database_hops which = {.hops = names, .sources = sources};
    struct deferred d = {json_object(), json_object(), json_object()};
    bool ok = database_queue_deferred(db, which, now_ms, add_deferred, &d, err) &&
              database_queue_replies(db, which, now_ms, count_reply, &d, err);
    PUT(row, FIELD("deferred_by_class", d.classes),
        FIELD("deferred_by_tenant", sorted(d.tenants, "tenant", "deferred", TENANTS_MAX)),
        FIELD("last_replies", sorted(d.replies, "reply", "count", REPLIES_MAX)));
    free(names);
    free(sources);
    return ok;
}

/* ---- of one message ---- */

static bool is_told(const json_t *rests, const char *destination)
{
    for (size_t i = 0; i < json_array_size(rests); i++)
        if (strcmp(json_row_get(json_array_get(rests, i), "destination"), destination) == 0)
            return true;
    return false;
}

void control_add_rest(json_t *rests, struct where *w, const struct database_queued *q)
{
    char hop[HOP_TEXT];
    const json_t *rest = where_hop_of(q, hop) ? where_rest(w, hop, q->remote, q->tenant) : NULL;
    if (!rest || is_told(rests, json_row_get(rest, "destination")))
        return;
    json_t *made = json_copy((json_t *)rest);
    PUT(made, FIELD("recipient", q->recipient));
    json_array_append_new(rests, made);
}

struct waited {
    json_t *rests;
    struct where *where;
};

static void add_rest(void *context, const struct database_queued *q)
{
    const struct waited *w = context;
    control_add_rest(w->rests, w->where, q);
}

bool control_add_rests(struct database *db, struct control *c, int64_t id, struct err *err)
{
    char *sources = where_sources(c);
    struct database_filter waiting = {
        .id = id, .sources = sources, .state = MAIL_WAITING, .after.number = -1};
    struct waited w = {.rests = json_array(), .where = where_new(db, c, err)};
    json_object_set_new(c->answer, "rests", w.rests);
    bool ok = w.where && database_queue(db, &waiting, RECIPIENTS_MAX, add_rest, &w, err);
    where_free(w.where);
    free(sources);
    return ok;
}
