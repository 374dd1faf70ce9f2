// SPDX-License-Identifier: BSD-2-Clause
/* tlsrpt_read.c - From a file to a document: the part of a message, unpacked, as UTF-8, parsed.
 *
 * What it is, its first bytes say; what it is called only makes a warning. Each step has a limit of
 * its own, because a few bytes can stand for many: unpacked bytes, depth, and the number of values,
 * each of which takes memory.
 */
#include "tlsrpt_read.h"

#include "gzip.h"
#include "message.h"
#include "mime.h"
#include "normal.h"
#include "tlsrpt_parts.h"

#include <jansson.h>

#define MARK SPAN("\xef\xbb\xbf")
#define REPLACEMENT SPAN("\xef\xbf\xbd")

/* ---- JSON ---- */

static enum tlsrpt_fault parse(struct tlsrpt_reading *r, struct span text)
{
    json_error_t why;
    struct tlsrpt_size size = tlsrpt_size_of(text);
    if (size.depth > TLSRPT_DEPTH_MAX)
        return TLSRPT_FAULT_TOO_DEEP;
    if (size.values > TLSRPT_VALUES_MAX)
        return TLSRPT_FAULT_TOO_LARGE;
    r->document =
        json_loadb(text.ptr, text.len,
                   JSON_DECODE_INT_AS_REAL | JSON_DISABLE_EOF_CHECK | JSON_ALLOW_NUL, &why);
    if (!r->document)
        return TLSRPT_FAULT_NOT_JSON;
    if (span_trim(span_from(text, (size_t)why.position)).len > 0)
        tlsrpt_warn(r, TLSRPT_WARNING_TRAILING_DATA);
    if (!json_is_object(r->document))
        return TLSRPT_FAULT_NOT_AN_OBJECT;
    tlsrpt_members_read(r);
    return r->fault;
}

/* Append what is UTF-8, and U+FFFD for each octet that is not. */
static void repair(struct span text, struct buf *out)
{
    while (text.len > 0) {
        uint32_t c;
        size_t good = 0;
        while (good < text.len) {
            size_t len = normal_character(span_from(text, good), &c);
            if (len == 0)
                break;
            good += len;
        }
        buf_add(out, span_first(text, good));
        text = span_from(text, good);
        if (text.len > 0)
            buf_add(out, REPLACEMENT);
        text = span_from(text, 1);
    }
}

static enum tlsrpt_fault read_text(struct tlsrpt_reading *r, struct span text)
{
    struct buf repaired;
    enum tlsrpt_fault fault = TLSRPT_FAULT_TOO_LARGE;
    if (span_equal(span_first(text, 3), MARK)) {
        tlsrpt_warn(r, TLSRPT_WARNING_BOM);
        text = span_from(text, 3);
    }
    if (span_is_utf8(text))
        return parse(r, text);
    tlsrpt_warn(r, TLSRPT_WARNING_NOT_UTF8);
    buf_init_peer(&repaired, (size_t)TLSRPT_FILE_MAX);
    repair(text, &repaired);
    if (!repaired.overflow)
        fault = parse(r, buf_span(&repaired));
    buf_fini(&repaired);
    return fault;
}

/* ---- files ---- */

static enum tlsrpt_fault unpack(struct tlsrpt_reading *r, struct span bytes, unsigned times)
{
    struct buf out;
    enum tlsrpt_fault fault = TLSRPT_FAULT_TOO_LARGE;
    buf_init_peer(&out, TLSRPT_FILE_MAX);
    switch (gzip_unpack(bytes, &out)) {
    case GZIP_OK:
        fault = gzip_is(buf_span(&out)) && times == 1 ? unpack(r, buf_span(&out), 2)
                                                      : read_text(r, buf_span(&out));
        break;
    case GZIP_BAD:
        fault = TLSRPT_FAULT_BAD_GZIP;
        break;
    case GZIP_TOO_LARGE:
        break;
    }
    if (times == 2)
        tlsrpt_warn(r, TLSRPT_WARNING_COMPRESSED_TWICE);
    buf_fini(&out);
    return fault;
}

static enum tlsrpt_fault read_file(struct tlsrpt_reading *r, struct span bytes,
                                   enum tlsrpt_label label)
{
    bool compressed = gzip_is(bytes);
    if (compressed && label == TLSRPT_LABEL_JSON)
        tlsrpt_warn(r, TLSRPT_WARNING_COMPRESSED);
    if (!compressed && label == TLSRPT_LABEL_GZIP)
        tlsrpt_warn(r, TLSRPT_WARNING_NOT_COMPRESSED);
    if (compressed)
        return unpack(r, bytes, 1);
    if (span_equal(span_first(bytes, 4), SPAN("PK\x03\x04")))
        return TLSRPT_FAULT_ZIP;
    return read_text(r, bytes);
}

/* ---- messages ---- */

/* Does it begin with a header field, behind the line that a mailbox file puts before it? */
static bool is_message(struct span bytes, struct span *message_r)
{
    struct span rest = bytes;
    if (span_equal(span_first(bytes, 5), SPAN("From ")))
        span_take(&rest, '\n');
    *message_r = rest;
    struct span line = span_take(&rest, '\n');
    size_t colon = span_find(line, ':');
    for (size_t i = 0; i < colon && i < line.len; i++)
        if (line.ptr[i] <= ' ' || line.ptr[i] > '~')
            return false;
    return colon > 0 && colon < line.len && line.ptr[0] != '{' && line.ptr[0] != '"';
}

/* The part that is the report. */
struct part {
    bool found;
    enum tlsrpt_label label;
    struct mime_entity entity;
};

static void on_leaf(void *context, const struct mime_entity *leaf)
{
    struct part *p = context;
    bool compressed = span_equal_nocase(leaf->type, SPAN("application/tlsrpt+gzip"));
    if (p->found || !(compressed || span_equal_nocase(leaf->type, SPAN("application/tlsrpt+json"))))
        return;
    p->found = true;
    p->label = compressed ? TLSRPT_LABEL_GZIP : TLSRPT_LABEL_JSON;
    p->entity = *leaf;
}

/* The domain that the message says it is about (section 5.3). */
static void read_domain(struct tlsrpt_reading *r, struct span header)
{
    struct field f;
    if (!message_find(header, SPAN("TLS-Report-Domain"), 0, &f) ||
        !span_copy(span_trim(f.value), r->domain, sizeof(r->domain)) ||
        !span_is_ascii(span_of(r->domain)))
        r->domain[0] = '\0';
}

static enum tlsrpt_fault read_lines(struct tlsrpt_reading *r, struct span message)
{
    struct part part = {0};
    struct buf bytes;
    size_t length = 0;
    bool ended = message_header_length(message, &length);
    struct span header = span_first(message, length);
    mime_leaves(header, ended ? span_from(message, length + 2) : SPAN_NONE, on_leaf, &part);
    if (!part.found)
        return TLSRPT_FAULT_NO_REPORT_PART;
    read_domain(r, header);
    buf_init_peer(&bytes, TLSRPT_FILE_MAX);
    mime_decode(part.entity.encoding, part.entity.body, &bytes);
    enum tlsrpt_fault fault =
        bytes.overflow ? TLSRPT_FAULT_TOO_LARGE : read_file(r, buf_span(&bytes), part.label);
    buf_fini(&bytes);
    return fault;
}

/* Files have other line ends than mail on its way. */
static enum tlsrpt_fault read_message(struct tlsrpt_reading *r, struct span message)
{
    struct buf lines;
    struct span rest = message;
    enum tlsrpt_fault fault = TLSRPT_FAULT_TOO_LARGE;
    if (span_ends_nocase(span_first(message, span_find(message, '\n')), SPAN("\r")))
        return read_lines(r, message);
    buf_init_peer(&lines, TLSRPT_FILE_MAX);
    while (rest.len > 0) {
        buf_add(&lines, span_take(&rest, '\n'));
        buf_add(&lines, SPAN("\r\n"));
    }
    if (!lines.overflow)
        fault = read_lines(r, buf_span(&lines));
    buf_fini(&lines);
    return fault;
}

void tlsrpt_read(struct span bytes, enum tlsrpt_label label, struct tlsrpt_reading *r_r)
{
    struct span message;
    *r_r = (struct tlsrpt_reading){.fault = TLSRPT_FAULT_READABLE};
    if (bytes.len > TLSRPT_FILE_MAX)
        r_r->fault = TLSRPT_FAULT_TOO_LARGE;
    else if (is_message(bytes, &message))
        r_r->fault = read_message(r_r, message);
    else
        r_r->fault = read_file(r_r, bytes, label);
}

void tlsrpt_reading_fini(struct tlsrpt_reading *r)
{
    tlsrpt_members_fini(&r->report);
    json_decref(r->document);
    *r = (struct tlsrpt_reading){.fault = TLSRPT_FAULT_NOT_JSON};
}
