// SPDX-License-Identifier: BSD-2-Clause
/* dispatch_view.c - What people see of the queue and tell it, and what it tells them by itself.
 *
 * Rows are copied with the lock held, into memory that is there already, and sorted after it: there
 * may be ten thousand.
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
                                     .rests_by_operator = v->rests_by_operator};
    memcpy(row->waiting_by_class, v->waiting_by_class, sizeof(row->waiting_by_class));
    for (size_t i = 0; i < STREAM_CLASSES; i++)
        row->waiting += v->waiting_by_class[i];
    add_text(&list->texts, v->name);
    add_text(&list->texts, v->provider ? v->provider : "");
    add_text(&list->texts, v->why);
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
    room->bytes += strlen(v->name) + (v->provider ? strlen(v->provider) : 0) + strlen(v->why) + 3;
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
static void add_domains(struct dispatch *d, const char *name, struct destinations_detail *detail)
{
    struct place *p;
    struct place *next;
    HASH_ITER (hh, d->places, p, next) {
        struct queue_domain_view where;
        queue_find_domain(d->queue, p->domain, &where);
        if (where.state != QUEUE_DOMAIN_LEADS || strcmp(where.destination, name) != 0)
            continue;
        if (detail->domains++ < DESTINATIONS_DOMAINS)
            snprintf(detail->some_domains[detail->domains - 1], sizeof(detail->some_domains[0]),
                     "%s", p->domain);
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
        add_domains(d, name, detail_r);
    }
    detail_r->shards = d->shard_count < QUEUE_VIEW_SHARDS ? d->shard_count : QUEUE_VIEW_SHARDS;
    pthread_mutex_unlock(&d->mutex);
    end_list(&detail_r->one);
    if (detail_r->tenant_count > 0)
        qsort(detail_r->tenants, detail_r->tenant_count, sizeof(*detail_r->tenants), by_tenant);
    return found;
}

static void find_domain(struct dispatch *d, const char *domain, struct destinations_list *list_r)
{
    struct queue_domain_view where;
    struct queue_destination_view view;
    begin_list(list_r);
    int64_t now_ms = dispatch_begin(d);
    queue_find_domain(d->queue, domain, &where);
    if (where.state == QUEUE_DOMAIN_LEADS &&
        queue_find_destination(d->queue, where.destination, &view, now_ms))
        add_row(list_r, &view);
    pthread_mutex_unlock(&d->mutex);
    end_list(list_r);
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

static void rest_again(void *context, const struct database_rest *rest)
{
    rest_ahead(context, rest->destination, rest->until_ms - clock_now_ms(), rest->why);
}

bool dispatch_rest_again(struct dispatch *d, const char *state_dir, struct err *err)
{
    struct database *db = NULL;
    bool ok = database_open(state_dir, DATABASE_READ, &db, err) &&
              database_rests(db, clock_now_ms(), rest_again, d, err);
    database_close(db);
    return ok;
}

/* Of all domains that lead there. */
static void resume_addresses(struct dispatch *d, const char *name)
{
    struct place *p;
    struct place *next;
    HASH_ITER (hh, d->places, p, next) {
        struct queue_domain_view where;
        queue_find_domain(d->queue, p->domain, &where);
        if (where.state == QUEUE_DOMAIN_LEADS && strcmp(where.destination, name) == 0)
            dispatch_resume_place(d, p);
    }
}

static bool resume(struct dispatch *d, const char *name)
{
    int64_t now_ms = dispatch_begin(d);
    d->commanded = true;
    bool found = queue_resume(d->queue, name, now_ms);
    if (found)
        resume_addresses(d, name);
    dispatch_end(d, now_ms);
    return found;
}

const struct destinations_calls dispatch_destinations = {.read = read_all,
                                                         .read_known = read_known,
                                                         .find = find,
                                                         .find_domain = find_domain,
                                                         .read_progress = progress_read,
                                                         .rest = rest,
                                                         .resume = resume,
                                                         .rest_ahead = rest_ahead};
