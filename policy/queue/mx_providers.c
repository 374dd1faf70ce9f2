// SPDX-License-Identifier: BSD-2-Clause
/* mx_providers.c - The table is read anew each time: it has fifty rows, and a domain is resolved
 * rarely. */
#include "mx_providers.h"

#include "check.h"
#include "queue_view.h"

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
        struct span text = span_take(lines, '\n');
        struct span line = span_trim(span_take(&text, '#')); /* the source stands behind it */
        if (line.len == 0)
            continue;
        row_r->name = take_word(&line);
        row_r->connections = take_number(&line);
        row_r->messages = take_number(&line);
        row_r->example = take_word(&line);
        row_r->hosts = span_trim(line);
        CHECK(row_r->example.len > 0 && row_r->hosts.len > 0);
        return true;
    }
    return false;
}

static bool same_letter(char a, char b)
{
    return span_equal_nocase((struct span){&a, 1}, (struct span){&b, 1});
}

/* `deep`: its first "*" may be several labels. */
static bool fits(struct span host, struct span pattern, bool deep)
{
    while (pattern.len > 0 && pattern.ptr[0] != '*') {
        if (host.len == 0 || !same_letter(host.ptr[0], pattern.ptr[0]))
            return false;
        host = span_from(host, 1);
        pattern = span_from(pattern, 1);
    }
    if (pattern.len == 0)
        return host.len == 0;
    pattern = span_from(pattern, 1);
    for (; !fits(host, pattern, false); host = span_from(host, 1))
        if (host.len == 0 || (host.ptr[0] == '.' && !deep))
            return false;
    return true;
}

static bool matches(const struct mx_provider *row, const char *name)
{
    struct span host = span_of(name);
    struct span hosts = row->hosts;
    if (host.len > 0 && host.ptr[host.len - 1] == '.')
        host.len--;
    while (hosts.len > 0) {
        struct span pattern = take_word(&hosts);
        bool deep = span_starts_nocase(pattern, SPAN("*."));
        if ((!deep || host.ptr[0] != '.') && fits(host, pattern, deep))
            return true;
    }
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
    struct span lines = mx_providers_text;
    while (mx_provider_next(&lines, row_r))
        if (matches_all(row_r, hosts, count))
            return true;
    return false;
}

bool queue_provider_of(const char *host, char *name_r, size_t size)
{
    struct mx_provider row;
    return mx_provider_find(&host, 1, &row) && span_copy(row.name, name_r, size);
}
