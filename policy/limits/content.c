// SPDX-License-Identifier: BSD-2-Clause
/* content.c - Digests a message line by line, and recognizes header fields and boundaries.
 *
 * Boundaries are learned from the "boundary=" parameter of each Content-Type field, of the message
 * or of a part, and are replaced wherever they occur after that. A line longer than header lines
 * can be is digested as it is.
 */
#include "content.h"

#include "secret.h"

#include <stdlib.h>
#include <string.h>

/* What makes a message another one, beside its body. */
static const char *const fields[] = {
    "From",
    "Reply-To",
    "To",
    "Cc",
    "Subject",
    "In-Reply-To",
    "References",
    "Content-Type",
    "Importance",
    "X-Priority",
    "Content-Transfer-Encoding",
};

struct content *content_new(const unsigned char key[CONTENT_KEY])
{
    _Static_assert((int)CONTENT_KEY == (int)SECRET_GMAC_KEY, "one key");
    struct content *c = xcalloc(1, sizeof(*c));
    c->mac = secret_gmac_begin(key);
    return c;
}

void content_free(struct content *c)
{
    unsigned char ignored[CONTENT_BYTES];
    if (c)
        content_end(c, ignored);
}

static bool is_blank(char ch)
{
    return ch == ' ' || ch == '\t';
}

/* Where the value of "boundary=" begins in a line; its length when nowhere. */
static size_t find_boundary(struct span line)
{
    static const struct span name = {"boundary=", sizeof("boundary=") - 1};
    for (size_t i = 0; i + name.len <= line.len; i++)
        if (span_starts_nocase(span_from(line, i), name))
            return i + name.len;
    return line.len;
}

/* How much of a line counts: a Content-Type, of the message or of a part, up to its boundary. */
static size_t learn_boundary(struct content *c, struct span line)
{
    c->in_type =
        span_starts_nocase(line, SPAN("Content-Type:")) || (c->in_type && is_blank(line.ptr[0]));
    size_t at = c->in_type ? find_boundary(line) : line.len;
    struct span value = span_from(line, at);
    bool quoted = value.len > 0 && value.ptr[0] == '"';
    if (quoted)
        value = span_from(value, 1);
    size_t len = 0;
    while (len < value.len && value.ptr[len] != (quoted ? '"' : ';') && value.ptr[len] != '\r' &&
           (quoted || !is_blank(value.ptr[len])))
        len++;
    if (len == 0 || len > MIME_BOUNDARY_MAX || c->boundaries == CONTENT_BOUNDARIES)
        return line.len;
    char *to = c->boundary[c->boundaries++];
    memcpy(to, value.ptr, len);
    to[len] = '\0';
    return at;
}

/* The last one is "--boundary--". */
static bool is_boundary(const struct content *c, struct span line, bool *last_r)
{
    for (size_t i = 0; i < c->boundaries; i++)
        if (mime_is_delimiter(line, c->boundary[i], last_r))
            return true;
    return false;
}

static bool is_counted(struct span line)
{
    struct span rest = line;
    struct span name = span_trim(span_take(&rest, ':'));
    for (size_t i = 0; i < COUNT_OF(fields); i++)
        if (span_equal_nocase(name, span_of(fields[i])))
            return true;
    return false;
}

/* Of a header a field that does not count is left out, with the lines that go on with it. */
static void add_line(struct content *c, struct span line)
{
    if (!c->in_body && span_trim(line).len == 0)
        c->in_body = c->counts = true;
    else if (!c->in_body && !is_blank(line.ptr[0]))
        c->counts = is_counted(line);
    if (!c->counts)
        return;
    bool last = false;
    if (is_boundary(c, line, &last))
        line = last ? SPAN("----") : SPAN("--");
    else
        line = span_first(line, learn_boundary(c, line));
    secret_gmac_add(c->mac, line);
}

/* What is in `line` is whole, or as much as fits. */
static void flush(struct content *c, bool whole)
{
    struct span line = {c->line, c->len};
    if (!c->cut && line.len > 0)
        add_line(c, line);
    else if (c->counts)
        secret_gmac_add(c->mac, line);
    c->cut = !whole;
    c->len = 0;
}

/* Most lines of a body are neither a boundary nor name one. How many bytes, whole lines of that
 * kind, `bytes` begins with. */
static size_t plain_lines(struct span bytes)
{
    size_t len = 0;
    while (len < bytes.len && bytes.ptr[len] != '-' && (bytes.ptr[len] | 0x20) != 'c') {
        const char *end = memchr(bytes.ptr + len, '\n', bytes.len - len);
        if (!end)
            break;
        len = (size_t)(end - bytes.ptr) + 1;
    }
    return len;
}

void content_add(struct content *c, struct span bytes)
{
    while (bytes.len > 0) {
        if (c->in_body && c->len == 0 && !c->cut && !c->in_type) {
            size_t plain = plain_lines(bytes);
            secret_gmac_add(c->mac, span_first(bytes, plain));
            bytes = span_from(bytes, plain);
            if (bytes.len == 0)
                break;
        }
        const char *end = memchr(bytes.ptr, '\n', bytes.len);
        size_t len = end ? (size_t)(end - bytes.ptr) + 1 : bytes.len;
        size_t room = sizeof(c->line) - c->len;
        size_t taken = len < room ? len : room;
        memcpy(c->line + c->len, bytes.ptr, taken);
        c->len += taken;
        bytes = span_from(bytes, taken);
        if (end && taken == len)
            flush(c, true);
        else if (c->len == sizeof(c->line))
            flush(c, false);
    }
}

void content_end(struct content *c, unsigned char digest_r[CONTENT_BYTES])
{
    flush(c, true);
    secret_gmac_end(c->mac, digest_r);
    free(c);
}
