// SPDX-License-Identifier: BSD-2-Clause
/* dns_wire.c - Parses record data from the wire (RFC 1035 section 3.2). Every length is checked; a
 * record that does not fit is left out. */
#include "dns.h"

#include <stdio.h>

/* A name in wire form (RFC 1035 section 3.1) as lower-case text without the last dot. False when it
 * could not be told apart from another one in text. */
static bool read_name(struct span wire, char *name_r)
{
    size_t used = 0;
    size_t i = 0;
    while (i < wire.len && wire.ptr[i] != 0) {
        size_t label = (unsigned char)wire.ptr[i++];
        if (label > 63 || i + label >= wire.len || used + label + 1 > DNS_NAME_MAX)
            return false;
        if (used > 0)
            name_r[used++] = '.';
        for (size_t k = 0; k < label; k++, i++) {
            if (wire.ptr[i] == '.' || wire.ptr[i] == '\0')
                return false;
            name_r[used++] = wire.ptr[i];
        }
    }
    name_r[used] = '\0';
    dns_name_lower(name_r);
    return i < wire.len;
}

static bool add_name(struct dns_answer *a, unsigned preference, struct span wire)
{
    char name[DNS_NAME_MAX + 1];
    if (!read_name(wire, name))
        return false;
    dns_answer_add(a, preference, span_of(name));
    return true;
}

static unsigned number(struct span wire, size_t at)
{
    return (unsigned)((unsigned char)wire.ptr[at] << 8 | (unsigned char)wire.ptr[at + 1]);
}

/* RFC 2782: priority, weight, port, target. */
static void add_service(struct dns_answer *a, struct span wire)
{
    char target[DNS_NAME_MAX + 1];
    char text[DNS_NAME_MAX + 32];
    if (wire.len < 7 || !read_name(span_from(wire, 6), target))
        return;
    snprintf(text, sizeof(text), "%u %u %u %s", number(wire, 0), number(wire, 2), number(wire, 4),
             target);
    dns_answer_add(a, 0, span_of(text));
}

/* RFC 6698: usage, selector, matching type, bytes in hexadecimal. */
static void add_tlsa(struct dns_answer *a, struct span wire)
{
    struct buf text;
    if (wire.len < 4)
        return;
    buf_init(&text, 2 * wire.len + 16);
    buf_addf(&text, "%u %u %u ", (unsigned char)wire.ptr[0], (unsigned char)wire.ptr[1],
             (unsigned char)wire.ptr[2]);
    for (size_t i = 3; i < wire.len; i++)
        buf_addf(&text, "%02x", (unsigned char)wire.ptr[i]);
    dns_answer_add_wire(a, buf_span(&text), wire);
    buf_fini(&text);
}

/* RFC 1035 section 3.3.14: one string at least, each after its length. */
static bool is_text(struct span wire)
{
    size_t at = 0;
    while (at < wire.len)
        at += 1 + (size_t)(unsigned char)wire.ptr[at];
    return wire.len > 0 && at == wire.len;
}

static bool is_tag(struct span tag)
{
    for (size_t i = 0; i < tag.len; i++) {
        char c = tag.ptr[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')))
            return false;
    }
    return tag.len > 0;
}

/* A string of a zone file ends where it says (RFC 1035 section 5.1). */
static void add_quoted(struct span text, struct buf *out)
{
    buf_add_char(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        bool plain = c >= ' ' && c <= '~';
        buf_addf(out, !plain ? "\\%03u" : c == '"' || c == '\\' ? "\\%c" : "%c", c);
    }
    buf_add_char(out, '"');
}

/* RFC 8659 section 4.1: flags, tag, value. */
static void add_caa(struct dns_answer *a, struct span wire)
{
    struct buf text;
    size_t len = wire.len < 2 ? 0 : (unsigned char)wire.ptr[1];
    struct span tag = span_first(span_from(wire, 2), len);
    if (tag.len < len || !is_tag(tag))
        return;
    buf_init(&text, 4 * wire.len + 16);
    buf_addf(&text, "%u %.*s ", (unsigned char)wire.ptr[0], SPAN_ARG(tag));
    add_quoted(span_from(wire, 2 + len), &text);
    dns_answer_add(a, 0, buf_span(&text));
    buf_fini(&text);
}

void dns_wire_add(struct dns_answer *a, enum dns_type type, struct span wire)
{
    switch (type) {
    case DNS_A:
    case DNS_AAAA:
        if (wire.len == (type == DNS_A ? 4 : 16))
            dns_answer_add(a, 0, wire);
        break;
    case DNS_MX:
        if (wire.len <= 2 || !add_name(a, number(wire, 0), span_from(wire, 2)))
            a->unreadable++;
        break;
    case DNS_PTR:
    case DNS_NS:
    case DNS_CNAME:
    case DNS_SOA:
        add_name(a, 0, wire);
        break;
    case DNS_TXT:
        if (is_text(wire))
            dns_answer_add_text(a, wire);
        break;
    case DNS_SRV:
        add_service(a, wire);
        break;
    case DNS_TLSA:
        add_tlsa(a, wire);
        break;
    case DNS_CAA:
        add_caa(a, wire);
        break;
    case DNS_DNSKEY:
        dns_answer_add(a, 0, wire);
        break;
    }
}
