// SPDX-License-Identifier: BSD-2-Clause
/* control_shape.c - Verbs about what limits mail: which destinations have more limits than the
 * settings say, and what holds for one domain's mail. Where its mail would lead that the relay
 * knows nothing of, who asks has to say. */
#include "clock.h"
#include "control_parts.h"
#include "destinations.h"
#include "where.h"

#include <stdio.h>
#include <string.h>

/* ---- those that are limited ---- */

/* "paused, slowed" */
static void print_limits(const struct destinations_row *row, char *text_r, size_t size)
{
    const struct {
        bool is_so;
        const char *word;
    } words[] = {{row->rests_by_operator, "paused"},
                 {row->rest_ms > 0 && !row->rests_by_operator, "rests"},
                 {row->tenant_rest_ms > 0, "rests for a tenant"},
                 {row->paused > 0, "pauses of some mail"},
                 {row->a_minute > 0, "slowed"},
                 {row->no_growth_ms > 0, "window"},
                 {row->tenant_ceiling_ms > 0, "window of a tenant"}};
    size_t used = 0;
    text_r[0] = '\0';
    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (words[i].is_so && used < size)
            used += (size_t)snprintf(text_r + used, size - used, "%s%s", used > 0 ? ", " : "",
                                     words[i].word);
}

bool control_shape_list(struct database *db, struct control *c, struct err *err)
{
    struct destinations_list list;
    char limits[120];
    (void)db;
    if (!control_needs_relay(c, err))
        return false;
    c->relay->calls->read_limited(c->relay->dispatch, control_text(c, "tenant"), &list);
    for (size_t i = 0; i < list.count; i++) {
        json_t *row = control_describe_destination(&list.rows[i]);
        print_limits(&list.rows[i], limits, sizeof(limits));
        PUT(row, FIELD("limited", (const char *)limits));
        control_add_row(c, row);
    }
    destinations_list_fini(&list);
    return true;
}

/* ---- one domain ---- */

static const char *const states[] = {[QUEUE_DOMAIN_UNKNOWN] = "unknown",
                                     [QUEUE_DOMAIN_UNRESOLVED] = "unresolved",
                                     [QUEUE_DOMAIN_RESOLVING] = "resolving",
                                     [QUEUE_DOMAIN_LEADS] = "leads",
                                     [QUEUE_DOMAIN_UNRESOLVABLE] = "unresolvable"};

static const char *const rules[] = {[QUEUE_LIMIT_OF_ALL] = "setting",
                                    [QUEUE_LIMIT_OF_PROVIDER] = "provider",
                                    [QUEUE_LIMIT_OF_ROUTE] = "route"};

static void print_window(const struct destinations_row *row, char *text_r, size_t size)
{
    if (row->no_growth_ms > 0)
        snprintf(text_r, size, "the server has refused more; they are not tried for %lld s",
                 (long long)(row->no_growth_ms + 999) / 1000);
    else if (row->limit == 0 || row->window < row->limit)
        snprintf(text_r, size, "it begins with 2, and grows while they are used and mail is taken");
    else
        snprintf(text_r, size, "it has grown to the limit");
}

/* One limit: how much is in use, and the rule that it is of; a limit of 0 is none. */
static void add_limit(json_t *limits, const char *name, unsigned value, const char *rule,
                      const unsigned *in_use)
{
    if (value == 0)
        return;
    json_t *row = ROW(FIELD("limit", name), FIELD("value", value), FIELD("rule", rule));
    if (in_use)
        PUT(row, FIELD("in_use", *in_use));
    json_array_append_new(limits, row);
}

static json_t *describe_limits(const struct queue_shape *shape, const struct destinations_row *row)
{
    char window[120] = "";
    json_t *limits = json_array();
    if (row) {
        if (row->limit > 0)
            add_limit(limits, "connections", row->limit, rules[shape->rule], &shape->in_use);
        add_limit(limits, "messages_a_connection", shape->messages, "provider", NULL);
        if (shape->provider > 0)
            add_limit(limits, "provider_connections", shape->provider, "provider",
                      &shape->provider_used);
        add_limit(limits, "window", (unsigned)row->window, "window", NULL);
        print_window(row, window, sizeof(window));
        PUT(json_array_get(limits, json_array_size(limits) - 1),
            FIELD("why", (const char *)window));
        add_limit(limits, "address_connections", shape->address, "address", NULL);
        add_limit(limits, "tenant_connections", shape->most, "share", &shape->used);
        add_limit(limits, "kept_for_security", row->kept, "reserve", NULL);
    }
    add_limit(limits, "relay_connections", shape->all, "descriptors", &shape->all_used);
    add_limit(limits, "relay_kept_for_security", shape->all_kept, "reserve", NULL);
    return limits;
}

static json_t *describe_rests(const struct queue_shape *shape)
{
    json_t *rests = json_array();
    for (size_t i = 0; i < shape->rest_count; i++) {
        const struct queue_shape_rest *one = &shape->rests[i];
        json_t *row = ROW(
            FIELD("by", queue_rest_word(one->kind)), FIELD("rests_s", (one->for_ms + 999) / 1000),
            FIELD("until", clock_now_ms() + one->for_ms), FIELD("why", (const char *)one->why));
        if (one->tenant[0])
            PUT(row, FIELD("tenant", (const char *)one->tenant));
        if (one->kind == QUEUE_REST_CEILING)
            PUT(row, FIELD("connections", one->connections));
        json_array_append_new(rests, row);
    }
    return rests;
}

static json_t *describe_classes(const struct queue_shape *shape)
{
    json_t *classes = json_array();
    for (size_t i = 0; i < STREAM_CLASSES; i++) {
        const struct queue_shape_class *one = &shape->classes[i];
        json_t *row = ROW(FIELD("class", stream_class_name((enum stream_class)i)),
                          FLAG("may_go", one->waits == QUEUE_WAIT_NOTHING),
                          FIELD("waits_for", queue_wait_word(one->waits)),
                          FIELD("text", queue_wait_text(one->waits)));
        if (one->for_ms > 0)
            PUT(row, FIELD("for_s", (one->for_ms + 999) / 1000));
        json_array_append_new(classes, row);
    }
    return classes;
}

/* What is known of how fast it takes mail besides what its row says. */
static void add_speed(json_t *destination, const struct queue_shape *shape)
{
    json_t *speed = json_object_get(destination, "speed");
    if (speed)
        PUT(speed, FIELD("since", clock_now_ms() - shape->slowed_for_ms),
            FIELD("reply", (const char *)shape->slowed_why), FLAG("closed", shape->closed));
}

static json_t *describe_shape(const struct destinations_shape *found)
{
    const struct queue_shape *shape = &found->shape;
    const struct destinations_row *row = shape->known ? &found->detail.one.rows[0] : NULL;
    json_t *made = ROW(FLAG("known", shape->known), FIELD("state", states[shape->state]),
                       FIELD("why", (const char *)shape->why));
    if (row) {
        json_t *destination = control_describe_destination(row);
        add_speed(destination, shape);
        PUT(made, FIELD("destination", destination),
            FIELD("avoided", control_describe_avoided(&found->detail)));
    }
    PUT(made, FIELD("limits", describe_limits(shape, row)), FIELD("rests", describe_rests(shape)),
        FIELD("rests_total", shape->rests_all), FIELD("classes", describe_classes(shape)));
    return made;
}

/* Of its mail with several needs of TLS that which is known, the plain one first. */
static void find_shape(const struct control *c, const json_t *hops,
                       struct destinations_shape *found_r, const char **hop_r)
{
    struct queue_shape_question question = {.tenant_or_null = control_text(c, "tenant"),
                                            .destination_or_null = control_text(c, "destination")};
    for (size_t i = 0; i <= json_array_size(hops); i++) {
        size_t at = i < json_array_size(hops) ? i : 0;
        *hop_r = question.domain = json_string_value(json_array_get(hops, at));
        c->relay->calls->find_shape(c->relay->dispatch, &question, found_r);
        if (found_r->shape.known || i == json_array_size(hops))
            return;
        destinations_shape_fini(found_r);
    }
}

bool control_shape_explain(struct database *db, struct control *c, struct err *err)
{
    struct destinations_shape found;
    const char *hop = NULL;
    json_t *hops = json_array();
    (void)db;
    bool ok = control_needs(c, "domain", err) &&
              (where_hops_of(c, control_text(c, "domain"), hops) ||
               err_set(err, ERR_USAGE, "\"%.60s\" is not a domain", control_text(c, "domain")));
    PUT(c->answer, FLAG("running", c->relay != NULL));
    if (ok && c->relay) {
        find_shape(c, hops, &found, &hop);
        json_t *made = describe_shape(&found);
        PUT(made, FIELD("hop", hop));
        PUT(c->answer, FIELD("shape", made));
        destinations_shape_fini(&found);
    }
    json_decref(hops);
    return ok;
}
