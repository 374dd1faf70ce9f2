// SPDX-License-Identifier: BSD-2-Clause
/* fuzz_sevenbit.c - Conversion: what comes out is 7-bit, or it is refused. Fingerprints: the same twice. */
#include "fingerprint.h"
#include "message.h"
#include "sevenbit.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span bytes = {(const char *)data, size};
    struct buf header;
    struct buf body;
    unsigned char prints[2][FINGERPRINT_BYTES];
    size_t header_len = 0;
    message_header_length(bytes, &header_len);
    buf_init(&header, 1024 * 1024);
    buf_init(&body, 4 * 1024 * 1024);
    if (sevenbit_convert(span_first(bytes, header_len), span_from(bytes, header_len + 2), &header, &body))
        CHECK(span_is_ascii(buf_span(&header)) && span_is_ascii(buf_span(&body)));
    buf_fini(&header);
    buf_fini(&body);
    for (size_t i = 0; i < 2; i++)
        fingerprint_make(span_first(bytes, header_len), span_from(bytes, header_len + 2),
                         size % 2 ? STREAM_SECURITY : STREAM_NOTIFICATION, prints[i]);
    CHECK(memcmp(prints[0], prints[1], FINGERPRINT_BYTES) == 0);
    return 0;
}
