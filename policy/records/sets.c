// SPDX-License-Identifier: BSD-2-Clause
/* sets.c - Selects the publishable records of a plan, and writes names and strings as DNS tools
 * expect them. */
#include "records_format.h"

#include <stdio.h>
#include <string.h>

bool records_publishable(const struct records_plan *plan, const struct records_item *item)
{
    bool now = item->need != RECORDS_LATER || (plan->with_later && item->role != RECORDS_DMARC);
    return now && !item->blocked && !item->aliased && !item->by_provider && item->record.value[0];
}

struct span records_host(const char *name, const char *zone)
{
    size_t len = strlen(name);
    size_t tail = strlen(zone);
    if (!dns_name_within(name, zone))
        return (struct span){name, len};
    return len == tail ? SPAN("@") : (struct span){name, len - tail - 1};
}

static void add_octet(struct buf *out, unsigned char c, enum records_octets form)
{
    if (c == '"' || c == '\\')
        buf_addf(out, "\\%c", c);
    else if (c >= ' ' && c <= '~')
        buf_add_char(out, (char)c);
    else
        buf_addf(out,
                 form == RECORDS_DECIMAL ? "\\%03u"
                 : form == RECORDS_OCTAL ? "\\%03o"
                 : form == RECORDS_HEX   ? "\\x%02x"
                                         : "\\u%04x",
                 c);
}

void records_octets(struct span text, enum records_octets form, struct buf *out)
{
    for (size_t i = 0; i < text.len; i++)
        add_octet(out, (unsigned char)text.ptr[i], form);
}

static void add_string(struct span piece, struct buf *out)
{
    buf_add_char(out, '"');
    records_octets(piece, RECORDS_DECIMAL, out);
    buf_add_char(out, '"');
}

void records_quote(struct span text, struct buf *out)
{
    bool first = true;
    do {
        struct span piece = span_first(text, RECORDS_STRING_MAX);
        text = span_from(text, piece.len);
        if (!first)
            buf_add_char(out, ' ');
        first = false;
        add_string(piece, out);
    } while (text.len > 0);
}

/* As it stands in DNS: for those who compare octets. */
static void quote_as_it_stands(const struct record *r, struct buf *out)
{
    struct span rest = span_of(r->value);
    for (size_t i = 0; i < r->cut_count; i++) {
        struct span piece = span_first(rest, r->cuts[i]);
        rest = span_from(rest, piece.len);
        if (i > 0)
            buf_add_char(out, ' ');
        add_string(piece, out);
    }
}

void records_rdata(const struct record *r, struct buf *out)
{
    if (r->type == DNS_TXT && r->cut_count > 0)
        quote_as_it_stands(r, out);
    else if (r->type == DNS_TXT)
        records_quote(span_of(r->value), out);
    else
        buf_add(out, span_of(r->value));
    if (r->type == DNS_MX || r->type == DNS_SRV || r->type == DNS_CNAME || r->type == DNS_PTR ||
        r->type == DNS_NS)
        buf_add_char(out, '.');
}

struct span records_word(const char *value, size_t nth, size_t count)
{
    struct span rest = span_of(value);
    struct span word = rest;
    for (size_t i = 0; i <= nth; i++)
        word = i + 1 == count ? rest : span_take(&rest, ' ');
    return word;
}

struct span records_unquoted(struct span s)
{
    return s.len >= 2 && s.ptr[0] == '"' ? span_first(span_from(s, 1), s.len - 2) : s;
}
