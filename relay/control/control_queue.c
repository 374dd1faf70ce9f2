// SPDX-License-Identifier: BSD-2-Clause
/* control_queue.c - The verbs about what waits: listed, by destination, and changed. Of where it
 * goes and what is being tried a running relay knows more than the rows do. */
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

/* "domains" of the request, as the database takes them; freed with free(). */
static char *read_domains(const struct control *c)
{
    const json_t *domains = json_object_get(c->request, "domains");
    return json_is_array(domains) ? json_dumps(domains, JSON_COMPACT) : NULL;
}

/* `domains` is borrowed. */
static bool read_filter(const struct control *c, const char *domains, struct database_filter *f,
                        struct err *err)
{
    enum mail_state state;
    *f = (struct database_filter){.recipient = control_text(c, "recipient"),
                                  .domain = control_text(c, "domain"),
                                  .sender = control_text(c, "sender"),
                                  .credential = control_text(c, "user"),
                                  .domains = domains,
                                  .state = -1,
                                  .after.number = control_number(c, "after_number", -1)};
    if (control_text(c, "after_id") &&
        !mail_id_parse(span_of(control_text(c, "after_id")), &f->after.id))
        return err_set(err, ERR_USAGE, "after_id is not a message id");
    if (control_text(c, "id") && !mail_id_parse(span_of(control_text(c, "id")), &f->id))
        return err_set(err, ERR_USAGE, "\"%.40s\" is not a message id: 13 letters and digits",
                       control_text(c, "id"));
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

/* Where it goes, and what is done about it just now. */
static void add_way(const struct listing *l, const struct database_queued *q, json_t *row)
{
    char name[WHERE_NAME];
    char domain[ADDRESS_DOMAIN_MAX + 1];
    const struct progress_row *trying = find_progress(&l->progress, q->id, q->number);
    if (where_domain_of(q->recipient, domain) &&
        where_find(l->where, domain, q->remote, name, sizeof(name)))
        PUT(row, FIELD("destination", name));
    if (trying)
        json_object_set_new(row, "trying", control_describe_trying(trying));
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
            FIELD("due", q->due_ms),
            FIELD("last_reply", q->code ? json_row_text(reply) : json_string("")),
            FIELD("remote", q->remote), FIELD("sender", q->sender), FIELD("user", q->credential),
            FIELD("class", stream_class_name(q->class)), FIELD("accepted", q->created_ms),
            FIELD("expires", q->expires_ms), FIELD("size", q->length));
    add_way(l, q, row);
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
    struct listing l = {.control = c, .where = where_new(c)};
    int64_t total = 0;
    char *domains = read_domains(c);
    bool ok = read_filter(c, domains, &filter, err);
    if (c->relay)
        c->relay->calls->read_progress(c->relay->dispatch, &l.progress);
    if (ok && filter.after.id == 0)
        ok = database_queue_count(db, &filter, &total, err);
    ok = ok && database_queue(db, &filter, control_page(c), add_queued, &l, err);
    say_next(c, &filter, (int64_t)json_array_size(control_rows(c)));
    PUT(c->answer, FIELD("total", total));
    progress_fini(&l.progress);
    where_free(l.where);
    free(domains);
    return ok;
}

/* ---- by destination ---- */

struct grouping {
    struct where *where;
    json_t *groups; /* by name */
};

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
    char name[WHERE_NAME];
    if (!where_find(g->where, row->domain, row->remote, name, sizeof(name)))
        snprintf(name, sizeof(name), "%s", row->domain[0] ? row->domain : "(reports only)");
    json_t *group = json_object_get(g->groups, name);
    if (!group) {
        group = json_object();
        PUT(group, FIELD("destination", name));
        json_object_set_new(g->groups, name, group);
    }
    add_number(group, "domains", 1);
    add_number(group, "waiting", row->due);
    add_number(group, "deferred", row->deferred);
    add_number(group, "held", row->held);
    earliest(group, "oldest", row->oldest_ms);
    earliest(group, "next_try", row->next_ms);
}

/* Nothing is tried before a rest ends. */
static void add_rests(const struct control *c, const json_t *groups)
{
    struct destinations_list list;
    if (!c->relay)
        return;
    c->relay->calls->read(c->relay->dispatch, &list);
    for (size_t i = 0; i < list.count; i++) {
        const struct destinations_row *row = &list.rows[i];
        json_t *group = json_object_get(groups, row->name);
        if (!group || row->rest_ms == 0)
            continue;
        int64_t ends_ms = clock_now_ms() + row->rest_ms;
        if (json_row_int(group, "next_try") < ends_ms)
            PUT(group, FIELD("next_try", ends_ms));
        PUT(group, FIELD("rests_s", (row->rest_ms + 999) / 1000), FIELD("why", row->why));
    }
    destinations_list_fini(&list);
}

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
    struct grouping g = {.where = where_new(c), .groups = json_object()};
    bool ok = database_queue_domains(db, clock_now_ms(), add_domain, &g, err);
    add_rests(c, g.groups);
    add_sorted(c, g.groups, limit < 1 || limit > GROUPS_MAX ? GROUPS_MAX : (size_t)limit);
    json_decref(g.groups);
    where_free(g.where);
    return ok;
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
    char *domains = read_domains(c);
    bool ok = read_filter(c, domains, &filter, err) &&
              database_queue_change(db, &filter, control_page(c), change, why, &changed, err);
    say_next(c, &filter, changed);
    PUT(c->answer, FIELD("changed", changed));
    free(domains);
    return ok;
}

/* Where a retry changes nothing, as an operator has said so. */
static void add_resting(struct control *c)
{
    struct destinations_list list;
    json_t *resting = json_array();
    json_object_set_new(c->answer, "resting", resting);
    if (!c->relay)
        return;
    c->relay->calls->read(c->relay->dispatch, &list);
    for (size_t i = 0; i < list.count && json_array_size(resting) < RESTING_MAX; i++)
        if (list.rows[i].rests_by_operator)
            json_array_append_new(resting, json_row_text(list.rows[i].name));
    destinations_list_fini(&list);
}

bool control_queue_retry(struct database *db, struct control *c, struct err *err)
{
    add_resting(c);
    return change_queue(db, c, DATABASE_RETRY, err);
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
