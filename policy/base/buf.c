// SPDX-License-Identifier: BSD-2-Clause
/* buf.c - A growing buffer with a limit. Dropping bytes at the front is cheap: memory is moved only
 * when room is needed. */
#include "buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIZE_FIRST = 64 };

void buf_init(struct buf *b, size_t limit)
{
    *b = (struct buf){.limit = limit};
}

void buf_init_peer(struct buf *b, size_t limit)
{
    *b = (struct buf){.limit = limit, .peer = true};
}

void buf_fini(struct buf *b)
{
    free(b->memory);
    *b = (struct buf){.limit = b->limit, .peer = b->peer};
}

void buf_fini_part(struct buf *b, struct buf *whole)
{
    whole->overflow = whole->overflow || b->overflow || b->starved;
    whole->starved = whole->starved || b->starved;
    buf_fini(b);
}

void buf_move(struct buf *to, struct buf *from)
{
    *to = *from;
    *from = (struct buf){.limit = to->limit, .peer = to->peer};
}

void buf_clear(struct buf *b)
{
    b->ptr = b->memory;
    b->len = 0;
    b->overflow = false;
}

/* `need` bytes, which are within the limit. */
static bool grow(struct buf *b, size_t need)
{
    size_t size = b->size ? b->size : SIZE_FIRST;
    size_t offset = b->memory ? (size_t)(b->ptr - b->memory) : 0;
    while (size < need)
        size *= 2;
    if (size > SIZE_FIRST && size > b->limit)
        size = b->limit;
    char *memory = b->peer ? realloc(b->memory, size) : xgrow(b->memory, size, 1);
    if (!memory)
        return false;
    b->memory = memory;
    b->ptr = b->memory + offset;
    b->size = size;
    return true;
}

char *buf_reserve(struct buf *b, size_t len)
{
    if (len > b->limit || b->len > b->limit - len) {
        b->overflow = true;
        return NULL;
    }
    size_t front = b->memory ? (size_t)(b->ptr - b->memory) : 0;
    if (front > 0 && front + b->len + len > b->size) {
        memmove(b->memory, b->ptr, b->len);
        b->ptr = b->memory;
        front = 0;
    }
    bool small = front + b->len + len > b->size || !b->memory;
    if (small && !grow(b, front + b->len + len)) {
        b->overflow = b->starved = true;
        return NULL;
    }
    return b->ptr + b->len;
}

void buf_commit(struct buf *b, size_t len)
{
    CHECK(b->len + len <= b->limit);
    b->len += len;
}

bool buf_add(struct buf *b, struct span bytes)
{
    char *to = buf_reserve(b, bytes.len);
    if (!to)
        return false;
    if (bytes.len > 0)
        memcpy(to, bytes.ptr, bytes.len);
    b->len += bytes.len;
    return true;
}

bool buf_add_all(struct buf *b, const struct span *parts, size_t count)
{
    size_t len = 0;
    for (size_t i = 0; i < count; i++)
        len += parts[i].len;
    char *to = buf_reserve(b, len);
    if (!to)
        return false;
    for (size_t i = 0; i < count; to += parts[i++].len)
        if (parts[i].len > 0)
            memcpy(to, parts[i].ptr, parts[i].len);
    b->len += len;
    return true;
}

bool buf_add_char(struct buf *b, char c)
{
    return buf_add(b, (struct span){&c, 1});
}

bool buf_addf(struct buf *b, const char *format, ...)
{
    char small[512];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(small, sizeof(small), format, args);
    va_end(args);
    CHECK(len >= 0);
    if ((size_t)len < sizeof(small))
        return buf_add(b, (struct span){small, (size_t)len});
    char *to = buf_reserve(b, (size_t)len + 1);
    if (!to)
        return false;
    va_start(args, format);
    vsnprintf(to, (size_t)len + 1, format, args);
    va_end(args);
    b->len += (size_t)len;
    return true;
}

void buf_drop(struct buf *b, size_t len)
{
    CHECK(len <= b->len);
    b->len -= len;
    b->ptr = b->len == 0 ? b->memory : b->ptr + len;
}

struct span buf_span(const struct buf *b)
{
    return b->len > 0 ? (struct span){b->ptr, b->len} : SPAN_NONE;
}

const char *buf_text(struct buf *b)
{
    char *end = buf_reserve(b, 1);
    if (!end)
        return "";
    *end = '\0';
    return b->ptr;
}
