// SPDX-License-Identifier: BSD-2-Clause
/* dispatch_view.c - Requests of operators: what the queue contains, and changes to it.
 *
 * Rows are copied under the lock into memory that was allocated before, and sorted afterwards,
 * because there may be ten thousand.
 */
#include "dispatch_parts.h"

#include "clock.h"
#include "destinations.h"
#include "log.h"
#include "rests.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- copies ---- */

static void add_text(struct buf *texts, const char *text)
{
    buf_add(texts, (struct span){text, strlen(text) + 1});
}

static void add_row(void *context, const struct queue_destination_view *v)
{
    struct destinations_list *list = context;
    if (list->count == list->size) {
        list->size = list->size ? list->size * 2 : 1;
        list->rows = xgrow(list->rows, list->size, sizeof(*list->rows));
    }
    struct destinations_row *row = &list->rows[list->count++];
    *row = (struct destinations_row){.text = list->texts.len,
                                     .limit = v->limit,
                                     .opening = v->opening,
                                     .busy = v->busy,
                                     .idle = v->idle,
                                     .closing = v->closing,
                                     .failures = v->failures,
                                     .window = v->window,
                                     .no_growth_ms = v->no_growth_ms,
                                     .rest_ms = v->rest_ms,
                                     .rests_by_operator = v->rests_by_operator,
                                     .stuck = v->stuck,
                                     .kept = v->kept,
                                     .tenant_rest_ms = v->tenant_rest_ms,
                                     .tenant_ceiling = v->tenant_ceiling,
                                     .tenant_ceiling_ms = v->tenant_ceiling_ms,
                                     .paused = v->paused,
                                     .a_minute = v->a_minute,
                                     .refused_a_minute = v->refused_a_minute,
                                     .next_ms = v->next_ms,
                                     .try_more_ms = v->try_more_ms};
    memcpy(row->waiting_by_class, v->waiting_by_class, sizeof(row->waiting_by_class));
    for (size_t i = 0; i < STREAM_CLASSES; i++)
        row->waiting += v->waiting_by_class[i];
    add_text(&list->texts, v->name);
    add_text(&list->texts, v->provider ? v->provider : "");
    add_text(&list->texts, v->why);
    add_text(&list->texts, v->hosts);
    add_text(&list->texts, v->tenant);
    add_text(&list->texts, v->tenant_why);
    add_text(&list->texts, v->capped_tenant);
    add_text(&list->texts, v->slowed_tenant);
}

static void begin_list(struct destinations_list *list)
{
    *list = (struct destinations_list){0};
    buf_init(&list->texts, SIZE_MAX / 2);
}

/* The texts lie still from now on. */
static void end_list(struct destinations_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        struct destinations_row *row = &list->rows[i];
        row->name = list->texts.ptr + row->text;
        row->provider = row->name + strlen(row->name) + 1;
        row->why = row->provider + strlen(row->provider) + 1;
        row->hosts = row->why + strlen(row->why) + 1;
        row->tenant = row->hosts + strlen(row->hosts) + 1;
        row->tenant_why = row->tenant + strlen(row->tenant) + 1;
        row->capped_tenant = row->tenant_why + strlen(row->tenant_why) + 1;
        row->slowed_tenant = row->capped_tenant + strlen(row->capped_tenant) + 1;
    }
}

static int by_waiting(const void *a, const void *b)
{
    const struct destinations_row *x = a;
    const struct destinations_row *y = b;
    if (x->waiting != y->waiting)
        return x->waiting > y->waiting ? -1 : 1;
    if ((x->rest_ms > 0) != (y->rest_ms > 0))
        return x->rest_ms > 0 ? -1 : 1;
    return strcmp(x->name, y->name);
}

struct room {
    size_t rows, bytes;
};

static void count_row(void *context, const struct queue_destination_view *v)
{
    struct room *room = context;
    room->rows++;
    room->bytes += strlen(v->name) + (v->provider ? strlen(v->provider) : 0) + strlen(v->why) +
                   strlen(v->hosts) + strlen(v->tenant) + strlen(v->tenant_why) +
                   strlen(v->capped_tenant) + strlen(v->slowed_tenant) + 8;
}

/* Memory that has been written to costs nothing more when the lock is held. */
static void make_room(struct destinations_list *list, const struct room *room)
{
    size_t bytes = room->bytes + room->bytes / 8;
    list->size = room->rows + room->rows / 8 + 1;
    list->rows = xcalloc(list->size, sizeof(*list->rows));
    memset(list->rows, 0xff, list->size * sizeof(*list->rows));
    char *texts = buf_reserve(&list->texts, bytes);
    if (texts)
        memset(texts, 0xff, bytes);
}

static void read_all(struct dispatch *d, struct destinations_list *list_r)
{
    struct room room = {0};
    begin_list(list_r);
    queue_each_destination(d->queue, count_row, &room, dispatch_begin(d));
    pthread_mutex_unlock(&d->mutex);
    make_room(list_r, &room);
    queue_each_destination(d->queue, add_row, list_r, dispatch_begin(d));
    pthread_mutex_unlock(&d->mutex);
    end_list(list_r);
    qsort(list_r->rows, list_r->count, sizeof(*list_r->rows), by_waiting);
}

static void read_known(struct dispatch *d, struct destinations_list *list_r)
{
    begin_list(list_r);
    queue_each_known_destination(d->queue, add_row, list_r, dispatch_begin(d));
    pthread_mutex_unlock(&d->mutex);
    end_list(list_r);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct destinations_row *)a)->name,
                  ((const struct destinations_row *)b)->name);
}

static void read_limited(struct dispatch *d, const char *tenant_or_null,
                         struct destinations_list *list_r)
{
    struct room room = {0};
    begin_list(list_r);
    queue_each_limited(d->queue, tenant_or_null, count_row, &room, dispatch_begin(d));
    pthread_mutex_unlock(&d->mutex);
    make_room(list_r, &room);
    queue_each_limited(d->queue, tenant_or_null, add_row, list_r, dispatch_begin(d));
    pthread_mutex_unlock(&d->mutex);
    end_list(list_r);
    qsort(list_r->rows, list_r->count, sizeof(*list_r->rows), by_name);
}

static void read_pauses(struct dispatch *d, struct destinations_pauses *pauses_r)
{
    dispatch_copy_pauses(d, pauses_r, dispatch_begin(d));
    pthread_mutex_unlock(&d->mutex);
}

static void add_tenant(void *context, const char *tenant, size_t waiting)
{
    struct destinations_detail *detail = context;
    if (detail->tenant_count == detail->tenant_size) {
        detail->tenant_size = detail->tenant_size ? detail->tenant_size * 2 : 16;
        detail->tenants = xgrow(detail->tenants, detail->tenant_size, sizeof(*detail->tenants));
    }
    detail->tenants[detail->tenant_count++] =
        (struct destinations_tenant){xstrdup(tenant), waiting};
}

static int by_tenant(const void *a, const void *b)
{
    const struct destinations_tenant *x = a;
    const struct destinations_tenant *y = b;
    if (x->waiting != y->waiting)
        return x->waiting > y->waiting ? -1 : 1;
    return strcmp(x->name, y->name);
}

/* Of what DNS has said, with the lock held: the longest part of a look at one destination. */
static void add_domains(struct dispatch *d, const char *name, struct destinations_detail *detail,
                        int64_t now_ms)
{
    struct place *p;
    struct place *next;
    HASH_ITER (hh, d->places, p, next) {
        struct queue_domain_view where;
        queue_find_domain(d->queue, p->domain, &where, now_ms);
        if (where.state != QUEUE_DOMAIN_LEADS || strcmp(where.destination, name) != 0)
            continue;
        if (detail->domains++ >= DESTINATIONS_DOMAINS)
            continue;
        struct hop hop;
        hop_read(p->domain, &hop);
        memcpy(detail->some_domains[detail->domains - 1], hop.domain, sizeof(hop.domain));
        dispatch_add_avoided(d, p, detail, now_ms);
    }
}

static bool find(struct dispatch *d, const char *name, struct destinations_detail *detail_r)
{
    struct queue_destination_view view;
    *detail_r = (struct destinations_detail){0};
    begin_list(&detail_r->one);
    int64_t now_ms = dispatch_begin(d);
    bool found = queue_find_destination(d->queue, name, &view, now_ms);
    if (found) {
        add_row(&detail_r->one, &view);
        memcpy(detail_r->by_shard, view.by_shard, sizeof(detail_r->by_shard));
        queue_each_tenant(d->queue, name, add_tenant, detail_r);
        add_domains(d, name, detail_r, now_ms);
    }
    detail_r->shards = d->shard_count < QUEUE_VIEW_SHARDS ? d->shard_count : QUEUE_VIEW_SHARDS;
    pthread_mutex_unlock(&d->mutex);
    end_list(&detail_r->one);
    if (detail_r->tenant_count > 0)
        qsort(detail_r->tenants, detail_r->tenant_count, sizeof(*detail_r->tenants), by_tenant);
    return found;
}

/* A provider's other hosts may rest, or may not. */
static void look_at_hosts(const struct queue_domain_view *where,
                          struct queue_destination_view *view, int64_t now_ms)
{
    bool shuns = where->tenant_until_ms > now_ms;
    if (where->rest_until_ms - now_ms > view->rest_ms)
        view->rest_ms = where->rest_until_ms - now_ms;
    view->tenant = shuns ? where->tenant : "";
    view->tenant_why = shuns ? where->tenant_why : "";
    view->tenant_rest_ms = shuns ? where->tenant_until_ms - now_ms : 0;
}

static void find_hop(struct dispatch *d, const char *hop, struct destinations_list *list_r)
{
    struct queue_domain_view where;
    struct queue_destination_view view;
    begin_list(list_r);
    int64_t now_ms = dispatch_begin(d);
    queue_find_domain(d->queue, hop, &where, now_ms);
    if (where.state == QUEUE_DOMAIN_LEADS &&
        queue_find_destination(d->queue, where.destination, &view, now_ms)) {
        look_at_hosts(&where, &view, now_ms);
        add_row(list_r, &view);
    }
    pthread_mutex_unlock(&d->mutex);
    end_list(list_r);
}

static void find_shape(struct dispatch *d, const struct queue_shape_question *question,
                       struct destinations_shape *shape_r)
{
    struct queue_destination_view view;
    *shape_r = (struct destinations_shape){.detail.shards = 0};
    begin_list(&shape_r->detail.one);
    int64_t now_ms = dispatch_begin(d);
    const struct place *place = dispatch_find_place(d, question->domain);
    queue_find_shape(d->queue, question, &shape_r->shape, &view, now_ms);
    if (shape_r->shape.known)
        add_row(&shape_r->detail.one, &view);
    if (place && shape_r->shape.known)
        dispatch_add_avoided(d, place, &shape_r->detail, now_ms);
    pthread_mutex_unlock(&d->mutex);
    end_list(&shape_r->detail.one);
}

static char *sources(struct dispatch *d)
{
    dispatch_begin(d);
    char *rules = d->origin ? config_source_rules(d->origin->config) : NULL;
    pthread_mutex_unlock(&d->mutex);
    return rules;
}

/* ---- what it is told ---- */

static bool rest(struct dispatch *d, const char *name, int64_t for_ms, const char *why)
{
    int64_t now_ms = dispatch_begin(d);
    d->commanded = true;
    bool found = queue_rest(d->queue, name, for_ms, why, now_ms);
    dispatch_end(d, now_ms);
    return found;
}

static void rest_ahead(struct dispatch *d, const char *name, int64_t for_ms, const char *why)
{
    int64_t now_ms = dispatch_begin(d);
    queue_rest_again(d->queue, name, for_ms, why, now_ms);
    dispatch_end(d, now_ms);
}

static bool rest_host(struct dispatch *d, const char *host, int64_t for_ms, const char *why)
{
    int64_t now_ms = dispatch_begin(d);
    bool rested = queue_host_rests(d->queue, host, now_ms);
    d->commanded = true;
    queue_rest_host(d->queue, host, for_ms, why, now_ms);
    dispatch_end(d, now_ms);
    return rested;
}

static void rest_again(void *context, const struct database_rest *rest)
{
    int64_t for_ms = rest->until_ms - clock_now_ms();
    if (rest->is_host)
        rest_host(context, rest->name, for_ms, rest->why);
    else
        rest_ahead(context, rest->name, for_ms, rest->why);
}

static bool restore_speeds(struct dispatch *d, struct database *db, struct err *err)
{
    int64_t now_ms = dispatch_begin(d);
    bool ok =
        dispatch_restore_speeds(d, db, now_ms, err) && dispatch_restore_pauses(d, db, now_ms, err);
    dispatch_end(d, now_ms);
    return ok;
}

bool dispatch_rest_again(struct dispatch *d, const char *state_dir, struct err *err)
{
    struct database *db = NULL;
    bool ok = database_open(state_dir, DATABASE_READ, &db, err) &&
              database_rests(db, clock_now_ms(), rest_again, d, err) && restore_speeds(d, db, err);
    database_close(db);
    return ok;
}

/* Of all domains that lead there. */
static void resume_addresses(struct dispatch *d, const char *name, int64_t now_ms)
{
    struct place *p;
    struct place *next;
    HASH_ITER (hh, d->places, p, next) {
        struct queue_domain_view where;
        queue_find_domain(d->queue, p->domain, &where, now_ms);
        if (where.state == QUEUE_DOMAIN_LEADS && strcmp(where.destination, name) == 0)
            dispatch_resume_place(d, p);
    }
}

typedef bool resumer(struct queue *q, const char *name, int64_t now_ms);

static bool resume_by(struct dispatch *d, const char *name, resumer *by)
{
    int64_t now_ms = dispatch_begin(d);
    d->commanded = true;
    bool found = by(d->queue, name, now_ms);
    if (found)
        resume_addresses(d, name, now_ms);
    dispatch_end(d, now_ms);
    return found;
}

static bool resume(struct dispatch *d, const char *name)
{
    return resume_by(d, name, queue_resume);
}

static bool resume_host_of(struct dispatch *d, const char *name)
{
    return resume_by(d, name, queue_resume_host_of);
}

const struct destinations_calls dispatch_destinations = {.read = read_all,
                                                         .read_known = read_known,
                                                         .read_pauses = read_pauses,
                                                         .find = find,
                                                         .find_hop = find_hop,
                                                         .read_limited = read_limited,
                                                         .find_shape = find_shape,
                                                         .sources = sources,
                                                         .read_progress = progress_read,
                                                         .rest = rest,
                                                         .resume = resume,
                                                         .resume_host_of = resume_host_of,
                                                         .rest_ahead = rest_ahead,
                                                         .rest_host = rest_host};
