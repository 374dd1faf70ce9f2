// SPDX-License-Identifier: BSD-2-Clause
/* entries.c - The recipients that wait: in chunks, found by message and number, and in the heap
 * that their state says.
 *
 *   WAITING ──(entry_ready)─▶ READY ─(attempt_make)─▶ UNDER_WAY ─(attempt_over, _back)─▶ …
 *      └────(held.c)────▶ HELD ─▲
 *
 * One that waits has the names of its domain and tenant; they become a line when it is due. Chunks
 * are kept until the end: what waited once may wait again.
 */
#include "queue_moves.h"

#include <assert.h>
#include <stdlib.h>

enum { CHUNK = 4096, LAST_CHANCE_MS = 5000 };

static uint64_t hash_entry(const void *item)
{
    const struct entry *e = item;
    return pointer_table_mix((uint64_t)e->message * 0x9e3779b97f4a7c15 + e->number);
}

static bool same_entry(const void *a, const void *b)
{
    const struct entry *e = a;
    const struct entry *f = b;
    return e->message == f->message && e->number == f->number;
}

static bool by_due(const void *a, const void *b)
{
    const struct entry *e = a;
    const struct entry *f = b;
    if (e->due_ms != f->due_ms)
        return e->due_ms < f->due_ms;
    return e->message != f->message ? e->message < f->message : e->number < f->number;
}

static bool by_deadline(const void *a, const void *b)
{
    return ((const struct entry *)a)->expires_ms < ((const struct entry *)b)->expires_ms;
}

void entries_init(struct queue *q)
{
    static_assert(sizeof(struct entry) <= 40, "there may be millions");
    pointer_table_init(&q->entries, hash_entry, same_entry);
    heap_init(&q->waiting, by_due, offsetof(struct entry, place));
    heap_init(&q->deadlines, by_deadline, offsetof(struct entry, deadline_place));
}

void entries_fini(struct queue *q)
{
    for (size_t i = 0; i < q->chunk_count; i++)
        free(q->chunks[i]);
    free(q->chunks);
    pointer_table_fini(&q->entries);
    heap_fini(&q->waiting);
    heap_fini(&q->deadlines);
    names_fini(&q->names);
}

struct entry *entry_find(const struct queue *q, int64_t message, unsigned number)
{
    struct entry key = {.message = message, .number = number & 0x7ffffff};
    return pointer_table_find(&q->entries, &key);
}

static void give_chunk(struct queue *q)
{
    struct entry *chunk = xcalloc(CHUNK, sizeof(*chunk));
    q->chunks = xgrow(q->chunks, q->chunk_count + 1, sizeof(struct entry *));
    q->chunks[q->chunk_count++] = chunk;
    for (size_t i = CHUNK; i > 0; i--) {
        chunk[i - 1].next_free = q->free_entries;
        q->free_entries = &chunk[i - 1];
    }
}

struct entry *entry_new(struct queue *q, int64_t message, unsigned number)
{
    CHECK(number <= 0x7ffffff);
    if (!q->free_entries)
        give_chunk(q);
    struct entry *e = q->free_entries;
    q->free_entries = e->next_free;
    *e = (struct entry){.message = message, .number = number & 0x7ffffff, .state = ENTRY_WAITING};
    pointer_table_add(&q->entries, e);
    return e;
}

static bool has_names(const struct entry *e)
{
    return e->state == ENTRY_WAITING || e->state == ENTRY_HELD;
}

struct line *entry_line(const struct entry *e)
{
    return has_names(e) ? NULL : e->line;
}

struct line *entry_line_need(struct queue *q, const struct entry *e, bool late)
{
    const struct line *line = entry_line(e);
    if (line)
        return line_need(q, line->domain, line->tenant, line->class, late);
    struct tenant *tenant = tenant_need(q, names_text(&q->names, e->label.tenant));
    struct domain *domain = domain_need(q, names_text(&q->names, e->label.domain));
    return line_need(q, domain, tenant, (enum stream_class)e->label.class, late);
}

/* Out of its line, or without its names. */
static void leave(struct queue *q, struct entry *e)
{
    if (!has_names(e)) {
        e->line->entries--;
    } else if (e->label.domain != 0) {
        names_drop(&q->names, e->label.domain);
        names_drop(&q->names, e->label.tenant);
    }
}

void entry_free(struct queue *q, struct entry *e)
{
    pointer_table_drop(&q->entries, e);
    leave(q, e);
    e->next_free = q->free_entries;
    q->free_entries = e;
}

void entry_assign(struct queue *q, struct entry *e, struct line *line)
{
    leave(q, e);
    bool had_names = has_names(e);
    line->entries++;
    e->line = line;
    if (had_names)
        e->state = ENTRY_READY; /* as soon as it stands there */
}

void entry_label(struct queue *q, struct entry *e, const char *domain, const char *tenant,
                 enum stream_class class)
{
    struct label label = {.domain = names_hold(&q->names, domain), .class = class};
    uint32_t name = names_hold(&q->names, tenant);
    CHECK(name < 1U << 29);
    label.tenant = name & 0x1fffffff;
    leave(q, e);
    e->state = ENTRY_WAITING;
    e->label = label;
}

void entry_wait(struct queue *q, struct entry *e, int64_t due_ms)
{
    const struct line *line = entry_line(e);
    if (line)
        entry_label(q, e, line->domain->name, line->tenant->name, line->class);
    e->due_ms = due_ms;
    heap_push(&q->waiting, e);
}

/* So that it goes after that message: in ms, as ids are times (relay/store/message_ids.c). */
static uint32_t ms_before(const struct entry *e, int64_t message)
{
    int64_t ms = (message - e->message + 0xffff) >> 16;
    if (ms <= 0)
        return 0;
    return ms < UINT32_MAX ? (uint32_t)ms : UINT32_MAX;
}

/* One whose time is over when it comes due has a moment for its last try. */
static void last_chance(struct entry *e, int64_t due_ms)
{
    if (e->expires_ms <= due_ms)
        e->expires_ms = due_ms + LAST_CHANCE_MS;
}

static void stand(struct queue *q, struct entry *e, uint32_t behind)
{
    e->state = ENTRY_READY;
    e->deadline_place = 0;
    e->behind = behind;
    heap_push(&e->line->ready, e);
    if (!e->line->late)
        heap_push(&q->deadlines, e);
    e->line->domain->ready++;
    q->ready++;
}

void entry_ready(struct queue *q, struct entry *e, int64_t due_ms)
{
    last_chance(e, due_ms);
    stand(q, e, e->suspect ? ms_before(e, q->last_message) : 0);
}

void entry_ready_again(struct queue *q, struct entry *e, uint32_t behind)
{
    stand(q, e, behind);
}

void entry_ready_behind(struct queue *q, struct entry *e)
{
    stand(q, e, ms_before(e, q->last_behind));
}

void entry_out(struct queue *q, struct entry *e)
{
    if (e->state == ENTRY_HELD) {
        held_take(q, e);
    } else if (e->state == ENTRY_WAITING) {
        heap_take(&q->waiting, e);
    } else if (e->state == ENTRY_READY) {
        heap_take(&e->line->ready, e);
        if (e->deadline_place != 0)
            heap_take(&q->deadlines, e);
        e->line->domain->ready--;
        q->ready--;
    }
}

void entry_stands(struct queue *q, struct entry *e, int64_t due_ms, int64_t now_ms)
{
    entry_assign(q, e, entry_line_need(q, e, false));
    entry_ready(q, e, due_ms);
    line_changed(q, e->line, now_ms);
    rate_limit_hastens(q, e->line, now_ms);
}

void entry_is_due(struct queue *q, struct entry *e, int64_t due_ms, int64_t now_ms)
{
    if (held_lets_stand(q, e, now_ms)) {
        entry_stands(q, e, due_ms, now_ms);
    } else {
        last_chance(e, due_ms);
        held_put(q, e);
    }
}
