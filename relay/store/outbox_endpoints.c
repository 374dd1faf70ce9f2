// SPDX-License-Identifier: BSD-2-Clause
/* outbox_endpoints.c - Endpoints in memory as transactions come to their end: what is not known any
 * more. Below what writes rows for them, as an undone transaction comes from below. */
#include "db.h"
#include "outbox.h"

#include <stdlib.h>
#include <utlist.h>

void outbox_unmeasure(struct database *db, struct outbox_endpoint *p)
{
    shares_load(&db->shares, DATABASE_OUTBOX, p->tenant, p->measured ? p->begin - p->end : 0);
    p->measured = false;
}

void outbox_forget(struct database *db, struct outbox_endpoint *p)
{
    outbox_unmeasure(db, p);
    free(p);
}

void outbox_fini(struct database *db)
{
    struct outbox_endpoint *p;
    struct outbox_endpoint *next;
    LL_FOREACH_SAFE(db->endpoints, p, next)
    outbox_forget(db, p);
    db->endpoints = NULL;
    db->endpoints_known = false;
}

void outbox_changed(struct database *db)
{
    db->endpoints_known = false;
    db->outbox_news = db->endpoints_changed = true;
}

void outbox_undone(struct database *db)
{
    struct outbox_endpoint *p;
    if (db->endpoints_changed)
        outbox_fini(db);
    LL_FOREACH(db->endpoints, p)
    if (p->written_in == db->outbox_turn)
        outbox_unmeasure(db, p);
}
