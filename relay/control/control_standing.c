// SPDX-License-Identifier: BSD-2-Clause
/* control_standing.c - The verbs about the relay itself: how it stands, and the settings in force.
 */
#include "control_parts.h"
#include "queued.h"
#include "standing.h"

bool control_status(struct database *db, struct control *c, struct err *err)
{
    struct standing_copy now;
    struct database_filter all = {.state = -1, .after.number = -1};
    int64_t queued = 0;
    if (!c->relay)
        return err_set(err, ERR_UNREACHABLE, "no relay is running");
    if (!database_queue_count(db, &all, &queued, err))
        return false;
    standing_read(c->relay->standing, &now);
    PUT(c->answer, FIELD("version", SEALPOST_VERSION), FIELD("started", now.started_ms),
        FIELD("queued", queued), FIELD("file", now.file), FIELD("loaded", now.loaded_ms));
    if (now.refused_ms > 0) {
        PUT(c->answer, FIELD("refused_at", now.refused_ms), FIELD("refused", now.refused));
    }
    standing_copy_fini(&now);
    return true;
}

bool control_config(struct database *db, struct control *c, struct err *err)
{
    struct standing_copy now;
    (void)db;
    if (!c->relay)
        return err_set(err, ERR_UNREACHABLE, "no relay is running");
    standing_read(c->relay->standing, &now);
    PUT(c->answer, FIELD("config", now.text), FIELD("file", now.file));
    if (now.refused_ms > 0)
        PUT(c->answer, FIELD("refused", now.refused));
    standing_copy_fini(&now);
    return true;
}
