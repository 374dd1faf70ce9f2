// SPDX-License-Identifier: BSD-2-Clause
/* versioned.c - Finds a record by its version and takes its fields apart. */
#include "versioned.h"

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static struct span skip_blanks(struct span s)
{
    while (s.len > 0 && is_blank(s.ptr[0]))
        s = span_from(s, 1);
    return s;
}

/* How many records there are whose version is followed by a semicolon, or by blanks and one. */
static size_t count(const struct dns_answer *answer, struct span version, bool blanks,
                    struct span *fields_r)
{
    size_t found = 0;
    for (size_t i = 0; i < answer->count; i++) {
        struct span record = answer->rrs[i].data;
        struct span rest = span_from(record, version.len);
        struct span end = skip_blanks(rest);
        if (!span_equal(span_first(record, version.len), version) || end.len == 0 ||
            end.ptr[0] != ';' || (end.len < rest.len) != blanks)
            continue;
        *fields_r = end;
        found++;
    }
    return found;
}

enum versioned versioned_find(const struct dns_answer *answer, struct span version,
                              struct span *fields_r)
{
    size_t found = count(answer, version, false, fields_r);
    if (found == 0)
        found = count(answer, version, true, fields_r);
    return found == 0 ? VERSIONED_NONE : found == 1 ? VERSIONED_FOUND : VERSIONED_SEVERAL;
}

bool versioned_next(struct span *fields, struct span *field_r)
{
    struct span rest = skip_blanks(span_from(*fields, 1));
    if (rest.len == 0)
        return false;
    *field_r = span_first(rest, span_find(rest, ';'));
    *fields = span_from(rest, field_r->len);
    while (fields->len > 0 && field_r->len > 0 && is_blank(field_r->ptr[field_r->len - 1]))
        field_r->len--;
    return true;
}
