// SPDX-License-Identifier: BSD-2-Clause
/* vectors.h - For tests whose cases are JSON outside of the repository. Where it is missing a test in CI fails, and skips elsewhere. */
#ifndef VECTORS_H
#define VECTORS_H

#include "table.h"

#include <jansson.h>
#include <stdlib.h>

static inline json_t *vectors_load(const char *name)
{
    char path[400];
    json_error_t why;
    snprintf(path, sizeof(path), "%s/%s", VECTORS, name);
    json_t *all = json_load_file(path, JSON_ALLOW_NUL, &why);
    if (!all && getenv("CI"))
        fail_msg("%s: %s", path, why.text);
    if (!all)
        skip();
    return all;
}

static inline const char *vectors_text(json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : "";
}

#endif
