// SPDX-License-Identifier: BSD-2-Clause
/* fuzz_sevenbit.c - Conversion: what comes out is 7-bit, or it is refused, and cuts do not matter. Fingerprints: the same twice. */
#include "downgrade.h"
#include "fingerprint.h"
#include "message.h"
#include "sevenbit.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Write the body in such pieces. */
static void write_body(struct sevenbit *c, struct span body, size_t piece, struct buf *out)
{
    struct buf header;
    buf_init(&header, 1024 * 1024);
    sevenbit_write_header(c, &header);
    for (size_t at = 0; at < body.len; at += piece)
        sevenbit_write(c, span_first(span_from(body, at), piece), out);
    sevenbit_write_end(c, out);
    CHECK(span_is_ascii(buf_span(&header)));
    buf_fini(&header);
}

static void convert(struct span header, struct span body, size_t piece)
{
    struct buf ascii;
    struct buf whole;
    struct buf pieces;
    struct field f;
    buf_init(&ascii, 1024 * 1024);
    buf_init(&whole, 4 * 1024 * 1024);
    buf_init(&pieces, 4 * 1024 * 1024);
    while (message_next_field(&header, &f))
        if (!downgrade_field(&f, &ascii))
            downgrade_quoted_field(&f, &ascii);
    struct sevenbit *c = sevenbit_new(buf_span(&ascii), piece % 2);
    sevenbit_read(c, body);
    sevenbit_read_end(c);
    if (!sevenbit_obstacle(c)) {
        write_body(c, body, SIZE_MAX / 2, &whole);
        write_body(c, body, piece, &pieces);
        CHECK(span_is_ascii(buf_span(&whole)) && span_equal(buf_span(&whole), buf_span(&pieces)));
    }
    sevenbit_free(c);
    buf_fini(&ascii);
    buf_fini(&whole);
    buf_fini(&pieces);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span bytes = {(const char *)data, size};
    unsigned char prints[2][FINGERPRINT_BYTES];
    size_t header_len = 0;
    message_header_length(bytes, &header_len);
    convert(span_first(bytes, header_len), span_from(bytes, header_len + 2), 1 + size % 37);
    for (size_t i = 0; i < 2; i++)
        fingerprint_make(span_first(bytes, header_len), span_from(bytes, header_len + 2),
                         size % 2 ? STREAM_SECURITY : STREAM_NOTIFICATION, prints[i]);
    CHECK(memcmp(prints[0], prints[1], FINGERPRINT_BYTES) == 0);
    return 0;
}
