// SPDX-License-Identifier: BSD-2-Clause
/* checkpoints.c - When the pages of the log are brought into the database, and the log begins anew.
 *
 * SQLite by itself does so within a commit, for which senders wait, when the log has some thousand
 * pages: their sync takes tens of milliseconds. Here it comes behind the answers, a few hundred
 * pages at a time, so that the next message waits little. Only while others wait all the time the
 * log grows to more, as pages that were changed often meanwhile are then written once.
 *
 * Readers stand in the way: what is newer than the oldest of them sees stays in the log, and it
 * cannot begin anew while one of them uses it. With several there may be one at every moment. So
 * when the log has become long, no commit is made until they have gone, or for a short while: for
 * one that stays it is waited again when the log has grown as much once more.
 */
#include "checkpoints.h"

#include "log.h"

enum {
    FEW = 500,    /* pages: this is soon done */
    MANY = 2000,  /* it is put off no longer for those who wait */
    LONG = 8000,  /* readers are waited for */
    WAIT_MS = 100 /* so long */
};

void checkpoints_step(struct checkpoints *c, struct database *db, bool busy)
{
    struct err err = {0};
    unsigned pages = db->log_pages;
    if (pages < c->tried) { /* the log has begun anew */
        c->tried = 0;
        c->waited = 0;
    }
    if (pages - c->tried < (busy ? MANY : FEW))
        return;
    bool waits = pages >= LONG && pages - c->waited >= MANY;
    c->tried = pages;
    if (waits)
        c->waited = pages;
    bool failed = !database_checkpoint(db, waits ? WAIT_MS : 0, &err);
    if (failed && !c->failing)
        log_fault("store_fault", &err);
    c->failing = failed;
}
