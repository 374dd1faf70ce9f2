// SPDX-License-Identifier: BSD-2-Clause
/* control_events.c - Verbs about events: all of them, and those of one message. */
#include "control_parts.h"

#include "message.h"

#include <stdio.h>
#include <string.h>

/* What is left out where there is nothing to say. */
static const char *said(const char *text)
{
    return text && text[0] ? text : NULL;
}

static void add_event(void *context, const struct database_event *e)
{
    char id[MAIL_ID_TEXT];
    mail_id_print(e->message, id);
    control_add_row(context,
                    ROW(FIELD("event", e->id), FIELD("at", e->at_ms), FIELD("kind", e->kind),
                        FIELD("id", id), FIELD("recipient", e->recipient), FIELD("code", e->code),
                        FIELD("enhanced", e->enhanced), FIELD("reply", e->reply),
                        FIELD("remote", e->remote), FIELD("user", e->credential),
                        FIELD("message_id", e->message_id), FIELD("sender", e->sender),
                        FIELD("tls_policy", said(e->tls_policy)),
                        FIELD("tls_result", said(e->tls_result)), FIELD("tlsa", said(e->tlsa)),
                        FIELD("category", said(e->category)), FIELD("rule", said(e->rule)),
                        FIELD("source", said(e->source))));
}

/* As it stands in the message: what is told and kept elsewhere is often what is between them. */
static const char *with_brackets(const char *id, char text_r[MESSAGE_ID_MAX + 3])
{
    if (!id || strchr(id, '<'))
        return id;
    snprintf(text_r, MESSAGE_ID_MAX + 3, "<%.*s>", MESSAGE_ID_MAX, id);
    return text_r;
}

/* `id` holds MESSAGE_ID_MAX + 3 bytes for as long as the search. */
static void read_search(const struct control *c, struct database_search *q, char *id)
{
    *q = (struct database_search){.kind = control_text(c, "kind"),
                                  .recipient = control_text(c, "recipient"),
                                  .sender = control_text(c, "sender"),
                                  .message_id = with_brackets(control_text(c, "message_id"), id),
                                  .credential = control_text(c, "user"),
                                  .since_ms = control_number(c, "since", 0),
                                  .until_ms = control_number(c, "until", INT64_MAX),
                                  .after = control_number(c, "after", 0),
                                  .before = control_number(c, "before", 0),
                                  .limit = control_page(c),
                                  .forward = json_row_is(c->request, "forward")};
}

/* The oldest first, however it is searched. What has been looked at is said, too: "before" is where
 * a search back goes on, if it is not through, and "after" where one that waits for more does. */
bool control_events(struct database *db, struct control *c, struct err *err)
{
    struct database_search q;
    int64_t last = 0;
    char message_id[MESSAGE_ID_MAX + 3];
    json_t *rows = control_rows(c);
    read_search(c, &q, message_id);
    if (!database_last_event(db, &last, err) || !database_search_events(db, &q, add_event, c, err))
        return false;
    PUT(c->answer, FIELD("after", q.forward ? q.after : last));
    if (q.forward)
        return true;
    json_t *turned = json_array();
    for (size_t i = json_array_size(rows); i > 0; i--)
        json_array_append(turned, json_array_get(rows, i - 1));
    json_object_set_new(c->answer, "rows", turned);
    if (q.before > 0)
        PUT(c->answer, FIELD("before", q.before));
    return true;
}

bool control_trace(struct database *db, struct control *c, struct err *err)
{
    int64_t id = 0;
    if (!control_needs(c, "id", err))
        return false;
    if (!control_mail_id(c, &id, err))
        return false;
    /* The events of number 0 belong to no message. */
    if (id != 0 &&
        (!database_trace(db, id, add_event, c, err) || !control_add_rests(db, c, id, err)))
        return false;
    return json_array_size(control_rows(c)) > 0 ||
           err_set(err, ERR_NOT_FOUND, "%s: no message of that id in the last 7 days",
                   control_text(c, "id"));
}
