// SPDX-License-Identifier: BSD-2-Clause
/* audit_reader.c - Asks for rows, and copies them while they are read on the reader's thread.
 *
 * One question is under way at most. While it is, its rows belong to the reader's thread; they come
 * back through an inbox.
 */
#include "audit_reader.h"

#include "inbox.h"

#include <stdlib.h>

struct row {
    struct audit_row public;
    char *who, *what, *about, *hash;
};

struct audit_reader {
    struct inbox inbox;
    struct inbox_item item;
    struct store *store;
    struct store_question *asked; /* NULL: nothing */
    int64_t after, limit;
    struct row *rows;
    size_t count;
    bool closing;
    database_on_audit *on_row;
    audit_reader_on_end *on_end;
    void *context;
};

/* ---- on the reader's thread ---- */

static void copy_row(void *context, const struct audit_row *row)
{
    struct audit_reader *r = context;
    r->rows = xgrow(r->rows, r->count + 1, sizeof(*r->rows));
    struct row *to = &r->rows[r->count++];
    *to = (struct row){.who = xstrdup(row->who),
                       .what = xstrdup(row->what),
                       .about = xstrdup(row->about),
                       .hash = xstrdup(row->hash)};
    to->public = (struct audit_row){.seq = row->seq,
                                    .at_ms = row->at_ms,
                                    .who = to->who,
                                    .what = to->what,
                                    .about = to->about,
                                    .hash = to->hash};
}

static bool read_rows(struct database *db, void *context, struct err *err)
{
    struct audit_reader *r = context;
    return database_audit_rows(db, r->after, r->limit, copy_row, r, err);
}

static void on_answered(struct store_question *q)
{
    struct audit_reader *r = q->owner;
    inbox_post(&r->inbox, &r->item);
}

/* ---- on the loop ---- */

static void on_read(struct inbox_item *item)
{
    struct audit_reader *r = OWNER_OF(item, struct audit_reader, item);
    struct store_question *q = r->asked;
    struct row *rows = r->rows;
    size_t count = r->count;
    r->asked = NULL;
    r->rows = NULL;
    r->count = 0;
    for (size_t i = 0; i < count; i++) {
        if (!r->closing)
            r->on_row(r->context, &rows[i].public);
        free(rows[i].who);
        free(rows[i].what);
        free(rows[i].about);
        free(rows[i].hash);
    }
    free(rows);
    if (r->closing)
        inbox_close(&r->inbox);
    else
        r->on_end(r->context, &q->err);
    store_question_free(q);
}

struct audit_reader *audit_reader_new(uv_loop_t *loop, struct store *store,
                                      database_on_audit *on_row, audit_reader_on_end *on_end,
                                      void *context)
{
    struct audit_reader *r = xcalloc(1, sizeof(*r));
    inbox_init(&r->inbox, loop);
    r->item.run = on_read;
    r->store = store;
    r->on_row = on_row;
    r->on_end = on_end;
    r->context = context;
    return r;
}

void audit_reader_ask(struct audit_reader *r, int64_t after, int64_t limit)
{
    CHECK(!r->asked && !r->closing);
    r->after = after;
    r->limit = limit;
    r->asked = store_read(read_rows, r);
    r->asked->answer = on_answered;
    r->asked->owner = r;
    store_ask(r->store, r->asked);
}

void audit_reader_close(struct audit_reader *r)
{
    r->closing = true;
    if (!r->asked)
        inbox_close(&r->inbox);
}

void audit_reader_free(struct audit_reader *r)
{
    free(r);
}
