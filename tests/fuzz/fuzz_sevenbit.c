// SPDX-License-Identifier: BSD-2-Clause
/* fuzz_sevenbit.c - Conversion: what comes out is 7-bit, or it is refused. */
#include "message.h"
#include "sevenbit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span bytes = {(const char *)data, size};
    struct buf header;
    struct buf body;
    size_t header_len = 0;
    message_header_length(bytes, &header_len);
    buf_init(&header, 1024 * 1024);
    buf_init(&body, 4 * 1024 * 1024);
    if (sevenbit_convert(span_first(bytes, header_len), span_from(bytes, header_len + 2), &header, &body))
        CHECK(span_is_ascii(buf_span(&header)) && span_is_ascii(buf_span(&body)));
    buf_fini(&header);
    buf_fini(&body);
    return 0;
}
