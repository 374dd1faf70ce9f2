// SPDX-License-Identifier: BSD-2-Clause
/* mx_providers.c - The table is read anew each time: it has fifty rows, and a domain is resolved
 * rarely. */
#include "mx_providers.h"

#include "check.h"

#include <limits.h>

/* The next word, with the blanks around it. */
static struct span take_word(struct span *line)
{
    *line = span_trim(*line);
    return span_take(line, ' ');
}

static unsigned take_number(struct span *line)
{
    uint64_t number = 0;
    CHECK(span_number(take_word(line), &number) && number > 0 && number < INT_MAX);
    return (unsigned)number;
}

bool mx_provider_next(struct span *lines, struct mx_provider *row_r)
{
    while (lines->len > 0) {
        struct span line = span_trim(span_take(lines, '\n'));
        if (line.len == 0 || line.ptr[0] == '#')
            continue;
        row_r->name = take_word(&line);
        row_r->connections = take_number(&line);
        row_r->messages = take_number(&line);
        row_r->example = take_word(&line);
        row_r->suffixes = span_trim(line);
        CHECK(row_r->example.len > 0 && row_r->suffixes.len > 0);
        return true;
    }
    return false;
}

/* At a label's border: "x.google.com" ends in "google.com", "xgoogle.com" does not. */
static bool is_under(struct span host, struct span suffix)
{
    if (!span_ends_nocase(host, suffix))
        return false;
    return host.len == suffix.len || host.ptr[host.len - suffix.len - 1] == '.';
}

static bool matches(const struct mx_provider *row, const char *name)
{
    struct span host = span_of(name);
    struct span suffixes = row->suffixes;
    if (host.len > 0 && host.ptr[host.len - 1] == '.')
        host.len--;
    while (suffixes.len > 0)
        if (is_under(host, take_word(&suffixes)))
            return true;
    return false;
}

static bool matches_all(const struct mx_provider *row, const char *const *hosts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!matches(row, hosts[i]))
            return false;
    return count > 0;
}

bool mx_provider_find(const char *const *hosts, size_t count, struct mx_provider *row_r)
{
    struct span lines = {(const char *)mx_providers_text, mx_providers_len};
    while (mx_provider_next(&lines, row_r))
        if (matches_all(row_r, hosts, count))
            return true;
    return false;
}
