// SPDX-License-Identifier: BSD-2-Clause
/* base64.c - Base64 (RFC 4648 section 4), with padding. */
#include "base64.h"

#include <stdint.h>
#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

int base64_value(char c)
{
    const char *at = c ? strchr(alphabet, c) : NULL;
    return at ? (int)(at - alphabet) : -1;
}

bool base64_decode(struct span text, struct buf *out)
{
    size_t padding = 0;
    while (padding < 2 && padding < text.len && text.ptr[text.len - 1 - padding] == '=')
        padding++;
    if (text.len % 4 != 0)
        return false;
    uint32_t bits = 0;
    for (size_t i = 0; i < text.len; i++) {
        int value = i < text.len - padding ? base64_value(text.ptr[i]) : 0;
        if (value < 0)
            return false;
        bits = bits << 6 | (uint32_t)value;
        if (i % 4 != 3)
            continue;
        char bytes[3] = {(char)(bits >> 16), (char)(bits >> 8), (char)bits};
        size_t count = i + 1 == text.len ? 3 - padding : 3;
        if (!buf_add(out, (struct span){bytes, count}))
            return false;
        bits = 0;
    }
    return true;
}

bool base64_encode(struct span bytes, struct buf *out)
{
    size_t size = bytes.len / 3 * 4 + (bytes.len % 3 > 0 ? 4 : 0);
    char *to = bytes.len < SIZE_MAX / 2 ? buf_reserve(out, size) : NULL;
    if (!to)
        return false;
    for (size_t i = 0; i < bytes.len; i += 3) {
        uint32_t bits = 0;
        for (size_t k = 0; k < 3; k++)
            bits = bits << 8 | (i + k < bytes.len ? (unsigned char)bytes.ptr[i + k] : 0);
        for (size_t k = 0; k < 4; k++)
            *to++ = i + k > bytes.len ? '=' : alphabet[bits >> (18 - 6 * k) & 63];
    }
    buf_commit(out, size);
    return true;
}
