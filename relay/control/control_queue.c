// SPDX-License-Identifier: BSD-2-Clause
/* control_queue.c - Verbs about the queue: list, by destination, change. A running relay adds
 * destinations and current attempts, which are not in the rows. */
#include "clock.h"
#include "control_parts.h"
#include "destinations.h"
#include "progress.h"
#include "queued.h"
#include "where.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Longer lists go by pages, so that nobody waits for one and none fills the memory. */
enum { GROUPS_DEFAULT = 1000, GROUPS_MAX = 100 * 1000, WHY_MAX = 120, RESTING_MAX = 20 };

/* All that a request about waiting mail may say. What is not understood, as it is misspelt or of
 * another release, would otherwise choose more than is meant. */
static const struct {
    const char *key;
    json_type type;
} words[] = {{"do", JSON_STRING},
             {"id", JSON_STRING},
             {"recipient", JSON_STRING},
             {"domain", JSON_STRING},
             {"sender", JSON_STRING},
             {"user", JSON_STRING},
             {"tenant", JSON_STRING},
             {"state", JSON_STRING},
             {"destination", JSON_STRING},
             {"hops", JSON_ARRAY},
             {"why", JSON_STRING},
             {"after_id", JSON_STRING},
             {"after_number", JSON_INTEGER},
             {"limit", JSON_INTEGER}};

static bool is_hop(const json_t *value)
{
    char text[HOP_TEXT];
    struct hop hop;
    const char *given = json_string_value(value);
    if (!given || strlen(given) >= sizeof(text))
        return false;
    hop_read(given, &hop);
    hop_print(hop.domain, hop.need, hop.source, text);
    return strcmp(given, text) == 0;
}

static bool is_understood(const struct control *c, struct err *err)
{
    const char *key;
    json_t *value;
    const json_t *hops = json_object_get(c->request, "hops");
    json_object_foreach(c->request, key, value)
    {
        size_t i = 0;
        while (i < COUNT_OF(words) && strcmp(words[i].key, key) != 0)
            i++;
        if (i == COUNT_OF(words) || json_typeof(value) != words[i].type)
            return err_set(err, ERR_USAGE,
                           "\"%.40s\" is not understood by the relay that runs, which may be of "
                           "another release: restart it",
                           key);
    }
    for (size_t i = 0; i < json_array_size(hops); i++)
        if (!is_hop(json_array_get(hops, i)))
            return err_set(err, ERR_USAGE, "hops: a domain, or one and what its mail demands");
    return true;
}

/* "hops" of the request, and what they are found by, as the database takes them. */
struct ways {
    char *hops, *sources;
};

static struct ways read_ways(const struct control *c)
{
    const json_t *hops = json_object_get(c->request, "hops");
    return (struct ways){.hops = json_is_array(hops) ? where_hops_print(hops) : NULL,
                         .sources = where_sources(c)};
}

static void free_ways(struct ways *w)
{
    free(w->hops);
    free(w->sources);
}

/* `ways` is borrowed. */
static bool read_filter(const struct control *c, const struct ways *ways, struct database_filter *f,
                        struct err *err)
{
    enum mail_state state;
    *f = (struct database_filter){.recipient = control_text(c, "recipient"),
                                  .domain = control_text(c, "domain"),
                                  .sender = control_text(c, "sender"),
                                  .credential = control_text(c, "user"),
                                  .tenant = control_text(c, "tenant"),
                                  .hops = ways->hops,
                                  .sources = ways->sources,
                                  .state = -1,
                                  .after.number = control_number(c, "after_number", -1)};
    if (!is_understood(c, err))
        return false;
    if (control_text(c, "destination") && !ways->hops)
        return err_set(err, ERR_USAGE,
                       "a destination comes with its hops, as destination.domains lists them");
    if (control_text(c, "after_id") &&
        !mail_id_parse(span_of(control_text(c, "after_id")), &f->after.id))
        return err_set(err, ERR_USAGE, "after_id is not a message id");
    if (control_text(c, "id") && !control_mail_id(c, &f->id, err))
        return false;
    if (!control_text(c, "state"))
        return true;
    if (!mail_state_parse(span_of(control_text(c, "state")), &state))
        return err_set(err, ERR_USAGE, "\"%.40s\" is not a state: waiting or held",
                       control_text(c, "state"));
    f->state = (int)state;
    return true;
}

/* ---- lists ---- */

struct listing {
    struct control *control;
    struct where *where;
    struct progress progress;
};

static const struct progress_row *find_progress(const struct progress *all, int64_t message,
                                                unsigned number)
{
    for (size_t i = 0; i < all->count; i++) {
        const struct progress_row *row = &all->rows[i];
        for (size_t k = 0; row->message == message && k < row->count; k++)
            if (row->numbers[k] == number)
                return row;
    }
    return NULL;
}

/* Why it waits though it is due. */
static void add_pace(const struct listing *l, const struct database_queued *q, const char *name,
                     json_t *row)
{
    char why[120];
    int64_t a_minute = where_pace(l->where, name, q->tenant);
    if (a_minute <= 0 || q->class == STREAM_SECURITY)
        return;
    snprintf(why, sizeof(why), "messages go apart there, %lld a minute: see 'shape explain'",
             (long long)a_minute);
    PUT(row, FIELD("why", (const char *)why));
}

/* Where it goes, whether that rests, and what is done about it just now. */
static void add_way(const struct listing *l, const struct database_queued *q, json_t *row)
{
    char name[WHERE_NAME];
    char hop[HOP_TEXT];
    const struct progress_row *trying = find_progress(&l->progress, q->id, q->number);
    const json_t *rest = NULL;
    if (where_hop_of(q, hop)) {
        if (where_find(l->where, hop, q->remote, name, sizeof(name))) {
            PUT(row, FIELD("destination", name));
            if (q->state == MAIL_WAITING && !trying && q->due_ms <= clock_now_ms())
                add_pace(l, q, name, row);
        }
        if (q->state == MAIL_WAITING && !trying)
            rest = where_rest(l->where, hop, q->remote, q->tenant);
    }
    if (trying)
        json_object_set_new(row, "trying", control_describe_trying(trying));
    if (!rest)
        return;
    int64_t ends_ms = json_row_int(rest, "next_try");
    if (ends_ms > q->due_ms)
        PUT(row, FIELD("due", ends_ms), FIELD("next_try", ends_ms));
    PUT(row, FIELD("rests_s", json_row_int(rest, "rests_s")),
        FLAG("by_operator", json_row_is(rest, "by_operator")),
        FIELD("why", json_row_get(rest, "why")));
}

/* A limit or a capture, where that lasts longer than a rest of its destination. */
static void add_own_reason(const struct database_queued *q, json_t *row)
{
    bool waits = q->state == MAIL_HELD || q->due_ms > clock_now_ms();
    if (!waits || q->code || !*q->reply || json_row_int(row, "next_try") > q->due_ms)
        return;
    json_object_del(row, "rests_s");
    json_object_del(row, "by_operator");
    PUT(row, FIELD("why", q->reply));
}

static void add_queued(void *context, const struct database_queued *q)
{
    const struct listing *l = context;
    char id[MAIL_ID_TEXT];
    char reply[900];
    mail_id_print(q->id, id);
    snprintf(reply, sizeof(reply), "%03d %s%s%s", q->code, q->enhanced, q->enhanced[0] ? " " : "",
             q->reply);
    json_t *row =
        ROW(FIELD("id", id), FIELD("recipient", q->recipient),
            FIELD("state", mail_state_name(q->state)), FIELD("tries", q->tries),
            FIELD("due", q->due_ms), FIELD("next_try", q->due_ms),
            FIELD("last_reply", q->code ? json_row_text(reply) : json_string("")),
            FIELD("remote", q->remote), FIELD("sender", q->sender), FIELD("user", q->credential),
            FIELD("tenant", q->tenant), FIELD("class", stream_class_name(q->class)),
            FIELD("stream", q->stream), FIELD("tls_need", tls_need_name(q->tls_need)),
            FIELD("accepted", q->created_ms), FIELD("expires", q->expires_ms),
            FIELD("size", q->length));
    if (q->source[0])
        PUT(row, FIELD("source", q->source));
    add_way(l, q, row);
    add_own_reason(q, row);
    json_array_append_new(control_rows(l->control), row);
}

/* A full page says where the next one begins. */
static void say_next(struct control *c, const struct database_filter *f, int64_t count)
{
    char id[MAIL_ID_TEXT];
    if (count < control_page(c))
        return;
    mail_id_print(f->after.id, id);
    PUT(c->answer, FIELD("after_id", id), FIELD("after_number", f->after.number));
}

/* The first page also says how many there are in all. */
bool control_queue_list(struct database *db, struct control *c, struct err *err)
{
    struct database_filter filter;
    struct listing l = {.control = c, .where = where_new(db, c, err)};
    int64_t total = 0;
    struct ways ways = read_ways(c);
    bool ok = l.where && read_filter(c, &ways, &filter, err);
    if (c->relay)
        c->relay->calls->read_progress(c->relay->dispatch, &l.progress);
    if (ok && filter.after.id == 0)
        ok = database_queue_count(db, &filter, &total, err);
    ok = ok && database_queue(db, &filter, control_page(c), add_queued, &l, err);
    if (ok)
        say_next(c, &filter, (int64_t)json_array_size(control_rows(c)));
    PUT(c->answer, FIELD("total", total));
    progress_fini(&l.progress);
    where_free(l.where);
    free_ways(&ways);
    return ok;
}

/* ---- by destination ---- */

static int64_t in_all(const json_t *group)
{
    return json_row_int(group, "waiting") + json_row_int(group, "deferred") +
           json_row_int(group, "held");
}

static int by_count(const void *a, const void *b)
{
    const json_t *x = *(json_t *const *)a;
    const json_t *y = *(json_t *const *)b;
    int64_t more = in_all(y) - in_all(x);
    if (more != 0)
        return more > 0 ? 1 : -1;
    return strcmp(json_string_value(json_object_get(x, "destination")),
                  json_string_value(json_object_get(y, "destination")));
}

static void add_sorted(struct control *c, json_t *groups, size_t limit)
{
    const char *name;
    json_t *group;
    size_t count = 0;
    int64_t total = 0;
    json_t **sorted = xcalloc(json_object_size(groups) + 1, sizeof(json_t *));
    json_object_foreach(groups, name, group)
    {
        sorted[count++] = group;
        total += in_all(group);
    }
    qsort(sorted, count, sizeof(json_t *), by_count);
    json_t *rows = control_rows(c);
    for (size_t i = 0; i < count && i < limit; i++)
        json_array_append(rows, sorted[i]);
    free(sorted);
    PUT(c->answer, FIELD("total", count), FIELD("recipients", total));
}

bool control_queue_by_destination(struct database *db, struct control *c, struct err *err)
{
    int64_t limit = control_number(c, "limit", GROUPS_DEFAULT);
    json_t *groups = control_group_waiting(db, c, err);
    if (!groups)
        return false;
    add_sorted(c, groups, limit < 1 || limit > GROUPS_MAX ? GROUPS_MAX : (size_t)limit);
    json_decref(groups);
    return true;
}

/* ---- changes ---- */

static bool change_queue(struct database *db, struct control *c, enum database_change change,
                         struct err *err)
{
    struct database_filter filter;
    int64_t changed = 0;
    const char *why = control_text(c, "why") ? control_text(c, "why") : "";
    if (strlen(why) > WHY_MAX || !span_is_ascii(span_of(why)))
        return err_set(err, ERR_USAGE, "the reason is at most %d bytes of ASCII", WHY_MAX);
    struct ways ways = read_ways(c);
    bool ok = read_filter(c, &ways, &filter, err) &&
              database_queue_change(db, &filter, control_page(c), change, why, &changed, err);
    say_next(c, &filter, changed);
    PUT(c->answer, FIELD("changed", changed));
    free_ways(&ways);
    return ok;
}

struct retried {
    struct where *where;
    json_t *rests;
};

static void add_resting(void *context, const struct database_queued *q)
{
    const struct retried *r = context;
    if (json_array_size(r->rests) < RESTING_MAX)
        control_add_rest(r->rests, r->where, q);
}

static bool rests_any_by_order(const struct where *w)
{
    const char *name;
    json_t *rest;
    json_object_foreach((json_t *)where_rests(w), name, rest)
    {
        if (json_row_is(rest, "by_operator"))
            return true;
    }
    return false;
}

/* Where a retry changes nothing, as an operator has said so: of what this page will change. */
static bool find_resting(struct database *db, struct control *c, struct err *err)
{
    struct database_filter filter;
    struct ways ways = read_ways(c);
    struct retried r = {.where = where_new(db, c, err), .rests = json_array()};
    json_t *names = json_array();
    bool ok = r.where && read_filter(c, &ways, &filter, err);
    filter.state = MAIL_WAITING;
    if (ok && rests_any_by_order(r.where))
        ok = database_queue(db, &filter, control_page(c), add_resting, &r, err);
    for (size_t i = 0; i < json_array_size(r.rests); i++)
        if (json_row_is(json_array_get(r.rests, i), "by_operator"))
            json_array_append(names, json_object_get(json_array_get(r.rests, i), "destination"));
    json_object_set_new(c->answer, "resting", names);
    json_decref(r.rests);
    where_free(r.where);
    free_ways(&ways);
    return ok;
}

bool control_queue_retry(struct database *db, struct control *c, struct err *err)
{
    return find_resting(db, c, err) && change_queue(db, c, DATABASE_RETRY, err);
}

bool control_queue_hold(struct database *db, struct control *c, struct err *err)
{
    return change_queue(db, c, DATABASE_HOLD, err);
}

bool control_queue_release(struct database *db, struct control *c, struct err *err)
{
    return change_queue(db, c, DATABASE_RELEASE, err);
}

bool control_queue_delete(struct database *db, struct control *c, struct err *err)
{
    return change_queue(db, c, DATABASE_DELETE, err);
}

bool control_queue_bounce(struct database *db, struct control *c, struct err *err)
{
    return change_queue(db, c, DATABASE_RETURN, err);
}
