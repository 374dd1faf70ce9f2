// SPDX-License-Identifier: BSD-2-Clause
/* vectors.h - For tests whose cases are JSON outside of the repository. Where it is missing a test in CI fails, and skips elsewhere. */
#ifndef VECTORS_H
#define VECTORS_H

#include "table.h"

#include "dns.h"

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

/* `text`, so many times, at once: what is made of millions of pieces would take its time with the sanitizers. */
static inline void vectors_repeat(struct buf *out, struct span text, size_t times)
{
    char *to = text.len * times > 0 ? buf_reserve(out, text.len * times) : NULL;
    if (!to)
        return;
    for (size_t made = 0; made < text.len * times;) {
        size_t piece = made == 0 ? text.len : made < text.len * times - made ? made : text.len * times - made;
        memcpy(to + made, made == 0 ? text.ptr : to, piece);
        made += piece;
    }
    buf_commit(out, text.len * times);
}

static inline const char *vectors_text(json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : "";
}

/* [[string…]…] as DNS gives it. */
static inline struct dns_answer *vectors_answer(json_t *records)
{
    struct dns_answer *a = dns_answer_new(DNS_FOUND, 300);
    for (size_t i = 0; i < json_array_size(records); i++) {
        struct buf wire;
        buf_init(&wire, 4096);
        for (size_t p = 0; p < json_array_size(json_array_get(records, i)); p++) {
            json_t *part = json_array_get(json_array_get(records, i), p);
            assert_true(json_string_length(part) < 256);
            buf_add_char(&wire, (char)json_string_length(part));
            buf_add(&wire, (struct span){json_string_value(part), json_string_length(part)});
        }
        dns_answer_add_text(a, buf_span(&wire));
        buf_fini(&wire);
    }
    return a;
}

#endif
