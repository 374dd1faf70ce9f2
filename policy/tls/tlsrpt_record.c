// SPDX-License-Identifier: BSD-2-Clause
/* tlsrpt_record.c - The places in a record: mailto and https; commas, semicolons and exclamation
 * marks in them are written by percent. */
#include "tlsrpt_record.h"

#include "ip.h"

#include "versioned.h"

#include <string.h>

/* What may stand in a URI (RFC 3986), but for '!', which RFC 8460 wants as %21. */
static bool is_uri(struct span s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (c <= ' ' || c > '~' || strchr("!\"<>\\^`{|}", c))
            return false;
        if (c == '%' && (i + 2 >= s.len || span_hex_value(s.ptr[i + 1]) < 0 ||
                         span_hex_value(s.ptr[i + 2]) < 0))
            return false;
    }
    return s.len > 0 && s.len <= TLSRPT_URI_MAX;
}

/* Without its %; false when it is no address. */
static bool read_address(struct span text, char *address_r)
{
    struct buf plain;
    char domain[ADDRESS_DOMAIN_MAX + 1];
    buf_init(&plain, ADDRESS_MAX);
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '%') {
            int octet = span_hex_value(text.ptr[i + 1]) << 4 | span_hex_value(text.ptr[i + 2]);
            buf_add_char(&plain, (char)octet);
            i += 2;
        } else {
            buf_add_char(&plain, text.ptr[i]);
        }
    }
    struct span whole = buf_span(&plain);
    struct span rest = whole;
    struct span local = span_take(&rest, '@');
    bool ok = !plain.overflow && local.len > 0 && local.len <= ADDRESS_LOCAL_MAX &&
              address_domain_ascii(rest, domain) && span_is_utf8(whole) &&
              span_copy(whole, address_r, ADDRESS_MAX + 1);
    for (size_t i = 0; i < local.len; i++)
        ok = ok && (unsigned char)local.ptr[i] > ' ' && local.ptr[i] != '\x7f';
    buf_fini(&plain);
    return ok;
}

/* "https://HOST", and what else there may be. */
static bool is_https(struct span uri)
{
    struct span rest = span_from(uri, strlen("https://"));
    size_t len = 0;
    char text[IP_TEXT];
    struct ip ip;
    while (len < rest.len && !strchr("/?#:", rest.ptr[len]))
        len++;
    struct span host = span_first(rest, len);
    return span_starts_nocase(uri, SPAN("https://")) &&
           (address_is_host(host) || (span_copy(host, text, sizeof(text)) && ip_parse(text, &ip)));
}

static bool read_uri(struct span uri, struct tlsrpt_rua *rua_r)
{
    rua_r->uri = uri;
    rua_r->address[0] = '\0';
    if (!is_uri(uri))
        return false;
    if (!span_starts_nocase(uri, SPAN("mailto:")))
        return is_https(uri);
    struct span to = span_from(uri, strlen("mailto:"));
    return read_address(span_first(to, span_find(to, '?')), rua_r->address);
}

static void read_uris(struct span list, struct tlsrpt_record *record_r)
{
    while (list.len > 0 && record_r->count < TLSRPT_RUA_MAX)
        if (read_uri(span_trim(span_take(&list, ',')), &record_r->rua[record_r->count]))
            record_r->count++;
}

enum tlsrpt_wants tlsrpt_record_read(const struct dns_answer *answer,
                                     struct tlsrpt_record *record_r)
{
    struct span fields = SPAN_NONE;
    struct span field;
    bool told = false;
    record_r->count = 0;
    switch (versioned_find(answer, SPAN("v=TLSRPTv1"), &fields)) {
    case VERSIONED_NONE:
        return TLSRPT_NO_RECORD;
    case VERSIONED_SEVERAL:
        return TLSRPT_SEVERAL_RECORDS;
    case VERSIONED_FOUND:
        break;
    }
    while (versioned_next(&fields, &field)) {
        struct span value = field;
        if (!span_equal(span_take(&value, '='), SPAN("rua")))
            continue;
        told = true;
        read_uris(value, record_r);
    }
    if (record_r->count > 0)
        return TLSRPT_WANTS_REPORTS;
    return told ? TLSRPT_NO_USABLE_RUA : TLSRPT_NO_RUA;
}

bool tlsrpt_rua_mailbox(const struct tlsrpt_rua *rua, char *mailbox_r)
{
    struct address parsed;
    struct buf quoted;
    struct span whole = span_of(rua->address);
    struct span local = span_first(whole, span_find(whole, '@'));
    if (address_parse(whole, &parsed))
        return span_copy(whole, mailbox_r, ADDRESS_MAX + 1);
    buf_init(&quoted, (size_t)2 * ADDRESS_MAX);
    buf_add_char(&quoted, '"');
    for (size_t i = 0; i < local.len; i++) {
        if (local.ptr[i] == '"' || local.ptr[i] == '\\')
            buf_add_char(&quoted, '\\');
        buf_add_char(&quoted, local.ptr[i]);
    }
    buf_add_char(&quoted, '"');
    buf_add(&quoted, span_from(whole, local.len));
    bool ok = !quoted.overflow && address_parse(buf_span(&quoted), &parsed) &&
              span_copy(buf_span(&quoted), mailbox_r, (size_t)2 * ADDRESS_MAX + 1);
    buf_fini(&quoted);
    return ok;
}

const char *tlsrpt_wants_name(enum tlsrpt_wants wants)
{
    static const char *const names[] = {"wants-reports", "no-record", "multiple", "no-rua",
                                        "no-usable-rua"};
    CHECK((size_t)wants < COUNT_OF(names));
    return names[wants];
}
