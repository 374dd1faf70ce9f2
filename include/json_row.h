// SPDX-License-Identifier: BSD-2-Clause
/* json_row.h - JSON objects from the members of a struct: FIELD("code", e->code) knows by its type
 * what it becomes. */
#ifndef JSON_ROW_H
#define JSON_ROW_H

#include "span.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct json_field {
    const char *name;
    json_t *value; /* taken over; NULL: left out */
};

/* A string from whatever bytes a peer has sent; NULL for NULL. */
json_t *json_row_text(const char *value);
json_t *json_row_number(json_int_t value);
json_t *json_row_count(size_t value);
json_t *json_row_flag(bool value);
json_t *json_row_json(json_t *value);
/* An array of the text's lines, which are ASCII. */
json_t *json_row_lines(struct span text);

/* clang-format off */
#define FIELD(name, value) {name, JSON_ROW_OF(value)(value)}
#define FLAG(name, value)  {name, json_row_flag(value)}
#define JSON_ROW_OF(value)               \
    _Generic((value),                    \
        bool: json_row_flag,             \
        int: json_row_number,            \
        unsigned: json_row_number,       \
        long: json_row_number,           \
        long long: json_row_number,      \
        unsigned long: json_row_count,   \
        char *: json_row_text,           \
        const char *: json_row_text,     \
        json_t *: json_row_json)
/* clang-format on */

/* To an object, in this order; returns it. */
json_t *json_row_put(json_t *object, const struct json_field *fields, size_t count);

#define PUT(object, ...)                                     \
    json_row_put(object, (struct json_field[]){__VA_ARGS__}, \
                 sizeof((struct json_field[]){__VA_ARGS__}) / sizeof(struct json_field))
#define ROW(...) PUT(json_object(), __VA_ARGS__)

/* Its members: "", 0 and false for what is not there. */
const char *json_row_get(const json_t *object, const char *name);
json_int_t json_row_int(const json_t *object, const char *name);
bool json_row_is(const json_t *object, const char *name);

#endif
