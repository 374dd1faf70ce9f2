// SPDX-License-Identifier: BSD-2-Clause
/* json_row.c - Builds JSON objects from members of a struct. */
#include "json_row.h"

#include "check.h"

#include <stdlib.h>

/* What is not UTF-8 is shown with what is odd replaced. */
json_t *json_row_text(const char *value)
{
    json_t *made = value ? json_string(value) : NULL;
    if (made || !value)
        return made;
    char *plain = xstrdup(value);
    for (char *p = plain; *p; p++)
        if ((unsigned char)*p >= 0x80)
            *p = '?';
    made = json_string(plain);
    free(plain);
    return made;
}

json_t *json_row_number(json_int_t value)
{
    return json_integer(value);
}

json_t *json_row_count(size_t value)
{
    return json_integer((json_int_t)value);
}

json_t *json_row_flag(bool value)
{
    return json_boolean(value);
}

json_t *json_row_json(json_t *value)
{
    return value;
}

json_t *json_row_put(json_t *object, const struct json_field *fields, size_t count)
{
    for (size_t i = 0; i < count; i++)
        json_object_set_new(object, fields[i].name, fields[i].value);
    return object;
}

json_t *json_row_lines(struct span text)
{
    json_t *all = json_array();
    while (text.len > 0) {
        struct span one = span_take(&text, '\n');
        json_array_append_new(all, json_stringn_nocheck(one.ptr, one.len));
    }
    return all;
}

const char *json_row_get(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : "";
}

json_int_t json_row_int(const json_t *object, const char *name)
{
    return json_integer_value(json_object_get(object, name));
}

bool json_row_is(const json_t *object, const char *name)
{
    return json_is_true(json_object_get(object, name));
}
