// SPDX-License-Identifier: BSD-2-Clause
/* control_fields.c - Reads members of requests and adds members to answers. */
#include "control_parts.h"
#include "identity.h"
#include "progress.h"
#include "url_shown.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Longer lists go by pages, so that nobody waits for one and none fills the memory. */
enum { PAGE_MAX = 5000 };

/* ---- of the request ---- */

const char *control_text(const struct control *c, const char *key)
{
    return json_string_value(json_object_get(c->request, key));
}

int64_t control_number(const struct control *c, const char *key, int64_t otherwise)
{
    const json_t *value = json_object_get(c->request, key);
    return json_is_integer(value) ? json_integer_value(value) : otherwise;
}

bool control_needs(const struct control *c, const char *key, struct err *err)
{
    return control_text(c, key) || err_set(err, ERR_USAGE, "request lacks \"%s\"", key);
}

bool control_needs_name(const struct control *c, const char *key, const char *otherwise,
                        struct err *err)
{
    const char *name = control_text(c, key) ? control_text(c, key) : otherwise;
    return identity_is_name(span_of(name)) ||
           err_set(err, ERR_USAGE,
                   "%s \"%.64s\" is not a valid name: letters, digits and .-_+@ are allowed", key,
                   name ? name : "");
}

bool control_mail_id(const struct control *c, int64_t *id_r, struct err *err)
{
    const char *text = control_text(c, "id") ? control_text(c, "id") : "";
    return mail_id_parse(span_of(text), id_r) ||
           err_set(err, ERR_USAGE, "\"%.40s\" is not a message id: 13 letters and digits%s", text,
                   strchr(text, '@') ? "; a Message-ID is looked for by 'sealpost events "
                                       "--message-id ID'"
                                     : "");
}

int64_t control_page(const struct control *c)
{
    int64_t limit = control_number(c, "limit", PAGE_MAX);
    return limit > 0 && limit < PAGE_MAX ? limit : PAGE_MAX;
}

/* Secrets and contents stay out of it; nothing is so long that it leaves no room for the rest. */
enum { ROWS_SHOWN = 10 };

void control_describe(const struct control *c, char *text_r, size_t size)
{
    static const char *const left_out[] = {"do",       "hash",         "scram", "message",
                                           "after_id", "after_number", "limit"};
    const char *key;
    json_t *value;
    struct buf text;
    size_t index;
    char shown[URL_SHOWN];
    buf_init(&text, size - 1);
    json_object_foreach(c->request, key, value)
    {
        if (span_among(span_of(key), left_out, COUNT_OF(left_out), &index))
            continue;
        if (json_array_size(value) > ROWS_SHOWN)
            buf_addf(&text, "%s%zu %.40s", text.len ? " " : "", json_array_size(value), key);
        else if (json_is_string(value) && strcmp(key, "url") == 0) {
            url_shown(json_string_value(value), shown);
            buf_addf(&text, "%surl=%s", text.len ? " " : "", shown);
        } else if (json_is_string(value))
            buf_addf(&text, "%s%.40s=%.320s", text.len ? " " : "", key, json_string_value(value));
        else {
            char *dumped = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
            buf_addf(&text, "%s%.40s=%.320s", text.len ? " " : "", key, dumped ? dumped : "");
            free(dumped);
        }
    }
    snprintf(text_r, size, "%s", buf_text(&text));
    buf_fini(&text);
}

/* ---- of the answer ---- */

json_t *control_rows(struct control *c)
{
    json_t *list = json_object_get(c->answer, "rows");
    if (!list) {
        list = json_array();
        json_object_set_new(c->answer, "rows", list);
    }
    return list;
}

void control_add_row(struct control *c, json_t *row)
{
    json_array_append_new(control_rows(c), row);
}

json_t *control_describe_trying(const struct progress_row *trying)
{
    return ROW(FIELD("host", trying->host), FIELD("ip", trying->ip), FIELD("stage", trying->stage),
               FIELD("for_s", trying->for_ms / 1000));
}
