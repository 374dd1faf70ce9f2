// SPDX-License-Identifier: BSD-2-Clause
/* fuzz_spool.c - A segment file with anything in it: a message comes out whole and with the right checksum, or the record is
 * damaged.
 */
#include "place.h"
#include "spool.h"
#include "spool_record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[4096];
    struct err err = {0};
    struct spool_message m;
    struct span chunk = SPAN("x");
    int64_t behind = size >= SPOOL_RECORD_HEADER ? (int64_t)(size - SPOOL_RECORD_HEADER) : 0;
    struct mail_place where = {1, size % 5 == 4 ? 3 : 0, behind - (size % 7 == 6)};
    uint64_t length = 0;
    snprintf(path, sizeof(path), "%s/spool", place_path());
    (void)!mkdir(path, 0700);
    spool_path(place_path(), 1, path);
    place_write(path, data, size);
    if (!spool_open(place_path(), 7, &where, &m, &err)) {
        CHECK(err.kind == ERR_DAMAGED || err.kind == ERR_SYSTEM);
        return 0;
    }
    (void)spool_header(&m);
    spool_rewind(&m);
    while (chunk.len > 0 && spool_next(&m, &chunk, &err))
        length += chunk.len;
    CHECK(length <= size);
    spool_close(&m);
    return 0;
}
