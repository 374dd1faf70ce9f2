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
    json_object_set_new(c->answer, "version", json_string(SEALPOST_VERSION));
    json_object_set_new(c->answer, "started", json_integer(now.started_ms));
    json_object_set_new(c->answer, "queued", json_integer(queued));
    json_object_set_new(c->answer, "file", control_any_text(now.file));
    json_object_set_new(c->answer, "loaded", json_integer(now.loaded_ms));
    if (now.refused_ms > 0) {
        json_object_set_new(c->answer, "refused_at", json_integer(now.refused_ms));
        json_object_set_new(c->answer, "refused", control_any_text(now.refused));
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
    json_object_set_new(c->answer, "config", control_any_text(now.text));
    json_object_set_new(c->answer, "file", control_any_text(now.file));
    if (now.refused_ms > 0)
        json_object_set_new(c->answer, "refused", control_any_text(now.refused));
    standing_copy_fini(&now);
    return true;
}
