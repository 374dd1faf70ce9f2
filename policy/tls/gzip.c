// SPDX-License-Identifier: BSD-2-Clause
/* gzip.c - Runs zlib over bytes in memory, piece by piece, until its end or the limit. */
#include "gzip.h"

#include <stdlib.h>
#define ZLIB_CONST /* it only reads what it is given */
#include <zlib.h>

enum { GZIP_PIECE = 32 * 1024, GZIP_WRAPPED = 16 }; /* a window of 15 bits, in gzip's wrapping */

static void *take_memory(void *context, unsigned count, unsigned size)
{
    (void)context;
    return xcalloc(count, size);
}

static void give_memory(void *context, void *memory)
{
    (void)context;
    free(memory);
}

bool gzip_is(struct span bytes)
{
    return span_equal(span_first(bytes, 2), SPAN("\x1f\x8b"));
}

/* The next piece of `out` that may be written; nothing is left when it is full. */
static void make_room(z_stream *z, struct buf *out)
{
    size_t left = out->limit - out->len;
    size_t piece = left < GZIP_PIECE ? left : GZIP_PIECE;
    char *room = piece > 0 ? buf_reserve(out, piece) : NULL;
    z->next_out = (Bytef *)room;
    z->avail_out = room ? (uInt)piece : 0;
}

/* One member, or a part of it that fits into a piece: Z_OK to go on. */
static int unpack_piece(z_stream *z, struct buf *out)
{
    Bytef end; /* zlib finds the end of a member that fills `out` only when it may write on */
    make_room(z, out);
    uInt room = z->avail_out;
    if (room == 0) {
        z->next_out = &end;
        z->avail_out = 1;
    }
    int result = inflate(z, Z_NO_FLUSH);
    if (room > 0)
        buf_commit(out, room - z->avail_out);
    else if (z->avail_out == 0)
        out->overflow = true;
    return out->overflow ? Z_BUF_ERROR : result;
}

enum gzip_result gzip_unpack(struct span bytes, struct buf *out)
{
    z_stream z = {.zalloc = take_memory, .zfree = give_memory};
    z.next_in = (const Bytef *)bytes.ptr;
    z.avail_in = (uInt)bytes.len;
    CHECK(bytes.len <= UINT32_MAX);
    CHECK(inflateInit2(&z, MAX_WBITS + GZIP_WRAPPED) == Z_OK);
    int result = Z_OK;
    bool more = true;
    while (more) {
        result = unpack_piece(&z, out);
        struct span rest = {(const char *)z.next_in, z.avail_in};
        more = result == Z_OK || (result == Z_STREAM_END && gzip_is(rest));
        if (more && result == Z_STREAM_END)
            CHECK(inflateReset(&z) == Z_OK);
    }
    inflateEnd(&z);
    if (out->overflow)
        return GZIP_TOO_LARGE;
    return result == Z_STREAM_END ? GZIP_OK : GZIP_BAD;
}

bool gzip_pack(struct span bytes, struct buf *out)
{
    z_stream z = {.zalloc = take_memory, .zfree = give_memory};
    z.next_in = (const Bytef *)bytes.ptr;
    z.avail_in = (uInt)bytes.len;
    CHECK(bytes.len <= UINT32_MAX);
    CHECK(deflateInit2(&z, Z_BEST_COMPRESSION, Z_DEFLATED, MAX_WBITS + GZIP_WRAPPED, 8,
                       Z_DEFAULT_STRATEGY) == Z_OK);
    int result = Z_OK;
    while (result == Z_OK) {
        make_room(&z, out);
        uInt room = z.avail_out;
        if (room == 0)
            break;
        result = deflate(&z, Z_FINISH);
        buf_commit(out, room - z.avail_out);
    }
    deflateEnd(&z);
    if (result != Z_STREAM_END)
        out->overflow = true;
    return result == Z_STREAM_END;
}
