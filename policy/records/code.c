// SPDX-License-Identifier: BSD-2-Clause
/* code.c - octoDNS (YAML) and DNSControl (JavaScript). Both cut the strings of TXT
 * themselves; octoDNS wants its semicolons escaped.
 */
#include "formats.h"

#include <stdio.h>
#include <string.h>

/* A string in double quotes as YAML 1.2 section 7.3.1 and JavaScript both read it. */
static void add_string(struct buf *out, struct span text)
{
    buf_add_char(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c == '"' || c == '\\')
            buf_addf(out, "\\%c", c);
        else if (c < ' ' || c > '~')
            buf_addf(out, "\\x%02x", c);
        else
            buf_add_char(out, (char)c);
    }
    buf_add_char(out, '"');
}

/* ---- octoDNS ---- */

static const struct words {
    enum dns_type type;
    size_t count;
    const char *names[4];
} octodns_words[] = {
    {DNS_MX, 2, {"preference", "exchange"}},
    {DNS_SRV, 4, {"priority", "weight", "port", "target"}},
    {DNS_CAA, 3, {"flags", "tag", "value"}},
    {DNS_TLSA,
     4,
     {"certificate_usage", "selector", "matching_type", "certificate_association_data"}},
};

static const struct words *find_words(enum dns_type type)
{
    for (size_t i = 0; i < COUNT_OF(octodns_words); i++)
        if (octodns_words[i].type == type)
            return &octodns_words[i];
    return NULL;
}

static bool ends_as_name(enum dns_type type)
{
    return type == DNS_MX || type == DNS_SRV || type == DNS_CNAME;
}

static void add_fields(struct buf *out, const struct words *w, const char *value)
{
    for (size_t i = 0; i < w->count; i++) {
        uint64_t number = 0;
        struct span word = records_word(value, i, w->count);
        buf_addf(out, "%s%s: ", i > 0 ? "      " : "    - ", w->names[i]);
        if (i + 1 < w->count && span_number(word, &number))
            buf_add(out, word);
        else if (ends_as_name(w->type))
            buf_addf(out, "%.*s.", SPAN_ARG(word));
        else
            add_string(out, records_unquoted(word));
        buf_add_char(out, '\n');
    }
}

static void add_octodns_value(struct buf *out, const struct records_set *set, const char *value)
{
    struct buf text;
    const struct words *words = find_words(set->type);
    if (words) {
        add_fields(out, words, value);
        return;
    }
    buf_init(&text, 4 * RECORD_VALUE_MAX);
    for (; *value; value++)
        buf_addf(&text, set->type == DNS_TXT && *value == ';' ? "\\%c" : "%c", *value);
    if (ends_as_name(set->type))
        buf_add_char(&text, '.');
    buf_add(out, SPAN("    - "));
    add_string(out, buf_span(&text));
    buf_add_char(out, '\n');
    buf_fini(&text);
}

static void add_octodns_set(struct buf *out, const struct records_set *set, unsigned ttl_s)
{
    buf_addf(out, "- type: %s\n  ttl: %u\n", dns_type_name(set->type), ttl_s);
    if (set->type == DNS_CNAME) {
        buf_addf(out, "  value: %s.\n", set->values[0]);
        return;
    }
    buf_add(out, SPAN("  values:\n"));
    for (size_t i = 0; i < set->count; i++)
        add_octodns_value(out, set, set->values[i]);
}

/* A name's sets stand together, and a name once: is this set the first of its name? */
static bool is_first_of_name(const struct records_plan *plan, const struct records_set *set)
{
    struct records_set other;
    for (size_t at = 0; records_next_set(plan, true, &at, &other);)
        if (strcmp(other.name, set->name) == 0)
            return other.type == set->type;
    return false;
}

/* One document for each zone: its file. */
void records_octodns(const struct records_plan *plan, unsigned ttl_s, struct buf *out)
{
    const char *zone = NULL;
    for (size_t n = 0; (zone = records_zone(plan, n)); n++) {
        struct records_set set;
        buf_addf(out, "---\n# %s.yaml\n", zone);
        for (size_t at = 0; records_next_set(plan, true, &at, &set);) {
            struct records_set same;
            if (strcmp(set.zone, zone) != 0 || !is_first_of_name(plan, &set))
                continue;
            struct span host = records_host(set.name, zone);
            add_string(out, span_equal(host, SPAN("@")) ? SPAN_NONE : host);
            buf_add(out, SPAN(":\n"));
            for (size_t again = 0; records_next_set(plan, true, &again, &same);)
                if (strcmp(same.name, set.name) == 0)
                    add_octodns_set(out, &same, ttl_s);
        }
    }
}

/* ---- DNSControl ---- */

static void add_call(struct buf *out, const struct records_set *set, const char *value,
                     unsigned ttl_s)
{
    const struct words *words = find_words(set->type);
    size_t count = words && set->type != DNS_CAA ? words->count : 1;
    buf_addf(out, "  %s(", dns_type_name(set->type));
    add_string(out, records_host(set->name, set->zone));
    if (set->type == DNS_CAA) { /* flags are given by names, and ours have none */
        buf_add(out, SPAN(", "));
        add_string(out, records_word(value, 1, 3));
        buf_add(out, SPAN(", "));
        add_string(out, records_unquoted(records_word(value, 2, 3)));
    }
    for (size_t i = 0; i < count && set->type != DNS_CAA; i++) {
        uint64_t number = 0;
        struct buf text;
        struct span word = records_word(value, i, count);
        buf_add(out, SPAN(", "));
        if (i + 1 < count && span_number(word, &number)) {
            buf_add(out, word);
            continue;
        }
        buf_init(&text, 4 * RECORD_VALUE_MAX);
        buf_add(&text, word);
        if (ends_as_name(set->type))
            buf_add_char(&text, '.');
        add_string(out, buf_span(&text));
        buf_fini(&text);
    }
    if (set->type == DNS_CAA && span_equal(records_word(value, 0, 3), SPAN("128")))
        buf_add(out, SPAN(", CAA_CRITICAL"));
    buf_addf(out, ", TTL(%u)),\n", ttl_s);
}

/* Added to zones that stand in dnsconfig.js already. */
void records_dnscontrol(const struct records_plan *plan, unsigned ttl_s, struct buf *out)
{
    const char *zone = NULL;
    for (size_t n = 0; (zone = records_zone(plan, n)); n++) {
        struct records_set set;
        buf_addf(out, "D_EXTEND(");
        add_string(out, span_of(zone));
        buf_add(out, SPAN(",\n"));
        for (size_t at = 0; records_next_set(plan, false, &at, &set);)
            for (size_t i = 0; strcmp(set.zone, zone) == 0 && i < set.count; i++)
                add_call(out, &set, set.values[i], ttl_s);
        buf_add(out, SPAN("END);\n"));
    }
}
