// SPDX-License-Identifier: BSD-2-Clause
/* control_tenants.c - For which tenant is a change? What is ordered for one whom nobody is would
 * never happen, and without a word nobody would know.
 *
 * One that is named may come later, as an import of its suppressions may come before its
 * credentials: there is a warning. Where none is named it is "default", if that is somebody, or
 * there is nobody yet.
 */
#include "control_parts.h"

#include "accounts.h"
#include "buf.h"

#include <string.h>

enum { NAMED_MAX = 10 };
static const char otherwise[] = "default";

static void note(void *context, const char *name)
{
    json_array_append_new(context, json_string(name));
}

static bool has(const json_t *names, const char *name)
{
    size_t i;
    const json_t *one;
    json_array_foreach(names, i, one)
    {
        if (strcmp(json_string_value(one), name) == 0)
            return true;
    }
    return false;
}

static void list(const json_t *names, struct buf *text)
{
    size_t count = json_array_size(names);
    for (size_t i = 0; i < count && i < NAMED_MAX; i++)
        buf_addf(text, "%s%s", i > 0 ? ", " : "", json_string_value(json_array_get(names, i)));
    if (count > NAMED_MAX)
        buf_addf(text, " and %zu more", count - NAMED_MAX);
}

bool control_tenants(struct database *db, json_t **names_r, struct err *err)
{
    *names_r = json_array();
    return database_tenants(db, note, *names_r, err);
}

void control_warn(struct control *c, const char *text)
{
    json_t *warnings = json_object_get(c->answer, "warnings");
    if (!warnings) {
        warnings = json_array();
        PUT(c->answer, FIELD("warnings", json_incref(warnings)));
        json_decref(warnings);
    }
    if (!has(warnings, text) && json_array_size(warnings) < NAMED_MAX)
        json_array_append_new(warnings, json_row_text(text));
}

static void warn(struct control *c, const json_t *names, const char *name)
{
    struct buf text;
    buf_init(&text, 2000);
    buf_addf(&text, "no credential and no domain has the tenant \"%s\"; there %s: ", name,
             json_array_size(names) == 1 ? "is" : "are");
    list(names, &text);
    control_warn(c, buf_text(&text));
    buf_fini(&text);
}

static bool refuse(const json_t *names, struct err *err)
{
    struct buf text;
    buf_init(&text, 300);
    list(names, &text);
    (void)!err_set(
        err, ERR_USAGE,
        "no credential and no domain has the tenant \"%s\": say --tenant; there %s: %.300s",
        otherwise, json_array_size(names) == 1 ? "is" : "are", buf_text(&text));
    buf_fini(&text);
    return false;
}

bool control_means_tenant(struct control *c, const json_t *names, const char *said_or_null,
                          const char **name_r, struct err *err)
{
    *name_r = said_or_null ? said_or_null : otherwise;
    if (**name_r == '\0' || json_array_size(names) == 0 || has(names, *name_r))
        return true;
    if (!said_or_null)
        return refuse(names, err);
    warn(c, names, *name_r);
    return true;
}
