// SPDX-License-Identifier: BSD-2-Clause
/* proxy_header.c - A line of at most 107 bytes (version 1), or octets with a length (version 2). */
#include "proxy_header.h"

#include "buf.h"

#include <string.h>

enum { LINE_MAX = 107, FIXED = 16, BLOCK_MAX = 4096, V4_BLOCK = 12, V6_BLOCK = 36 };

static const struct span line_begin = {"PROXY ", 6};
static const struct span octets_begin = {"\r\n\r\n\0\r\nQUIT\n", 12};

/* ---- version 1 (2.1) ---- */

static bool read_port(struct span text, unsigned *port_r)
{
    *port_r = 0;
    if (text.len == 0 || text.len > 5 || (text.len > 1 && text.ptr[0] == '0'))
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
        *port_r = 10 * *port_r + (unsigned)(text.ptr[i] - '0');
    }
    return *port_r <= 65535;
}

static bool read_address(struct span text, bool v6, struct ip *ip_r)
{
    char address[IP_TEXT];
    if (text.len >= sizeof(address) || memchr(text.ptr, '\0', text.len) ||
        (span_find(text, ':') < text.len) != v6)
        return false;
    span_put(text, address, sizeof(address));
    return ip_parse(address, ip_r);
}

/* Its words stand one space apart. */
static enum proxy_header read_words(struct span line, struct endpoint *client_r)
{
    enum { FAMILY, FROM, TO, FROM_PORT, TO_PORT, WORDS };
    struct span words[WORDS];
    struct endpoint to;
    size_t count = 0;
    bool more = true;
    while (more && count < WORDS) {
        more = span_find(line, ' ') < line.len;
        words[count++] = span_take(&line, ' ');
    }
    if (more || count < WORDS)
        return PROXY_HEADER_REFUSED;
    bool v6 = span_equal(words[FAMILY], SPAN("TCP6"));
    bool ok = (v6 || span_equal(words[FAMILY], SPAN("TCP4"))) &&
              read_address(words[FROM], v6, &client_r->ip) && read_address(words[TO], v6, &to.ip) &&
              read_port(words[FROM_PORT], &client_r->port) && read_port(words[TO_PORT], &to.port);
    return ok ? PROXY_HEADER_CLIENT : PROXY_HEADER_REFUSED;
}

static enum proxy_header read_line(struct span bytes, struct endpoint *client_r, size_t *length_r)
{
    struct span line = span_first(bytes, LINE_MAX);
    size_t end = span_find(line, '\n');
    if (end == line.len)
        return line.len < LINE_MAX ? PROXY_HEADER_MORE : PROXY_HEADER_REFUSED;
    *length_r = end + 1;
    if (line.ptr[end - 1] != '\r')
        return PROXY_HEADER_REFUSED;
    return read_words(span_from(span_first(line, end - 1), line_begin.len), client_r);
}

/* ---- version 2 (2.2) ---- */

static unsigned two(const char *at)
{
    return (unsigned)(unsigned char)at[0] << 8 | (unsigned char)at[1];
}

/* A type, a length and so many octets, until the end (2.2). */
static bool are_whole(struct span values)
{
    while (values.len >= 3 && two(values.ptr + 1) <= values.len - 3)
        values = span_from(values, 3 + two(values.ptr + 1));
    return values.len == 0;
}

static enum proxy_header read_block(struct span block, bool v6, struct endpoint *client_r)
{
    char text[IP_TEXT];
    size_t size = v6 ? V6_BLOCK : V4_BLOCK;
    size_t address = v6 ? 16 : 4;
    if (block.len < size || !are_whole(span_from(block, size)))
        return PROXY_HEADER_REFUSED;
    client_r->ip.v6 = v6;
    memcpy(client_r->ip.bytes, block.ptr, address);
    client_r->port = two(block.ptr + 2 * address);
    ip_print(&client_r->ip, text); /* one that is mapped into IPv6 is what it is elsewhere here */
    return ip_parse(text, &client_r->ip) ? PROXY_HEADER_CLIENT : PROXY_HEADER_REFUSED;
}

static enum proxy_header read_octets(struct span bytes, struct endpoint *client_r, size_t *length_r)
{
    enum { COMMAND_AT = 12, FAMILY_AT, LENGTH_AT, LOCAL = 0x20, PROXY = 0x21 };
    enum { TCP4 = 0x11, TCP6 = 0x21, FAMILIES = 4, TRANSPORTS = 3 };
    unsigned char command = bytes.len > COMMAND_AT ? (unsigned char)bytes.ptr[COMMAND_AT] : LOCAL;
    unsigned char family = bytes.len > FAMILY_AT ? (unsigned char)bytes.ptr[FAMILY_AT] : 0;
    if ((command != LOCAL && command != PROXY) || family >> 4 >= FAMILIES ||
        (family & 15) >= TRANSPORTS)
        return PROXY_HEADER_REFUSED;
    if (bytes.len < FIXED)
        return PROXY_HEADER_MORE;
    size_t length = two(bytes.ptr + LENGTH_AT);
    if (length > BLOCK_MAX)
        return PROXY_HEADER_REFUSED;
    if (bytes.len < FIXED + length)
        return PROXY_HEADER_MORE;
    *length_r = FIXED + length;
    if (command == LOCAL)
        return PROXY_HEADER_LOCAL;
    if (family != TCP4 && family != TCP6)
        return PROXY_HEADER_REFUSED;
    return read_block(span_first(span_from(bytes, FIXED), length), family == TCP6, client_r);
}

/* ---- either ---- */

/* Does it begin so, as far as it goes? */
static bool may_be(struct span bytes, struct span begin)
{
    size_t len = bytes.len < begin.len ? bytes.len : begin.len;
    return span_equal(span_first(bytes, len), span_first(begin, len));
}

enum proxy_header proxy_header_read(struct span bytes, struct endpoint *client_r, size_t *length_r)
{
    *client_r = (struct endpoint){0};
    *length_r = 0;
    bool line = may_be(bytes, line_begin);
    bool octets = may_be(bytes, octets_begin);
    if (!line && !octets)
        return PROXY_HEADER_REFUSED;
    if (line && bytes.len >= line_begin.len)
        return read_line(bytes, client_r, length_r);
    if (octets && bytes.len >= octets_begin.len)
        return read_octets(bytes, client_r, length_r);
    return PROXY_HEADER_MORE;
}
