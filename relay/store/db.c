// SPDX-License-Identifier: BSD-2-Clause
/* db.c - What a transaction notes for those who keep it in memory (who is due, what is released,
 * how much each tenant has) goes with it when it is undone. All other files of the store stand
 * above this one and rows.c.
 */
#include "db.h"

#include "outbox.h"
#include "shares.h"
#include "suppress_brake.h"

#include <string.h>

/* What was counted is counted anew, when it is run once more: all of it is forgotten. */
static void undo_brake(struct database *db, size_t answers)
{
    if (db->brake_answers > answers) {
        suppress_brake_free(db->brake);
        db->brake = NULL;
    }
    db->brake_answers = answers;
}

/* Who only reads looks at those of the relay's one connection that writes. */
static struct leases *own_leases(const struct database *db)
{
    return db->writes ? db->leases : NULL;
}

void rows_rollback(struct database *db)
{
    rows_try(db, SQL_ROLLBACK);
    db->level = 0;
    db->unindexed = UNINDEXED_UNKNOWN;
    shares_undo(&db->shares, 0);
    leases_undo(own_leases(db), 0);
    undo_brake(db, 0);
    memset(db->newcomers, 0, sizeof(db->newcomers));
    outbox_undone(db);
    rows_forget(db);
}

/* A name for each level: undoing the outer one ends the inner one, too. */
static const struct {
    enum sql begin, release, undo;
} savepoints[] = {{SQL_SAVEPOINT, SQL_RELEASE, SQL_UNDO},
                  {SQL_SAVEPOINT_INNER, SQL_RELEASE_INNER, SQL_UNDO_INNER}};

bool rows_savepoint(struct database *db, struct rows_mark *mark_r, struct err *err)
{
    CHECK(db->level < COUNT_OF(savepoints));
    *mark_r = (struct rows_mark){
        db->due.count, db->released.count, db->changes.count, db->shares.change_count,
        db->unindexed, db->level++,        db->brake_answers, leases_changes(own_leases(db))};
    return rows_simple(db, savepoints[mark_r->level].begin, err);
}

bool rows_release(struct database *db, const struct rows_mark *mark, struct err *err)
{
    db->level = mark->level;
    return rows_simple(db, savepoints[mark->level].release, err);
}

bool rows_undo(struct database *db, const struct rows_mark *mark, struct err *err)
{
    db->level = mark->level;
    db->unindexed = mark->unindexed;
    db->due.count = mark->due;
    db->released.count = mark->released;
    changes_cut(&db->changes, mark->changes);
    shares_undo(&db->shares, mark->shares);
    leases_undo(own_leases(db), mark->leases);
    undo_brake(db, mark->brake_answers);
    memset(db->newcomers, 0, sizeof(db->newcomers));
    outbox_undone(db);
    return rows_simple(db, savepoints[mark->level].undo, err) &&
           rows_simple(db, savepoints[mark->level].release, err);
}

void rows_note_due(struct database *db, const struct database_due *due)
{
    struct due_list *list = &db->due;
    if (list->count == list->size) {
        list->size = list->size ? list->size * 2 : 64;
        list->items = xgrow(list->items, list->size, sizeof(*list->items));
    }
    list->items[list->count++] = *due;
}

void rows_forget(struct database *db)
{
    db->due.count = 0;
    db->released.count = 0;
    changes_cut(&db->changes, 0);
    db->revised = false;
    db->brake_answers = 0;
    db->outbox_news = db->endpoints_changed = false;
    db->outbox_turn++;
    shares_keep(&db->shares);
    leases_keep(own_leases(db));
}

void rows_note_released(struct database *db, const struct mail_place *place)
{
    struct place_list *list = &db->released;
    if (list->count == list->size) {
        list->size = list->size ? list->size * 2 : 64;
        list->items = xgrow(list->items, list->size, sizeof(*list->items));
    }
    list->items[list->count++] = *place;
}
