// SPDX-License-Identifier: BSD-2-Clause
/* vector.h - Sixteen bytes at a time, by the compiler's vectors: SSE2 on amd64, NEON on arm64,
 * plain words elsewhere. A comparison gives 0xff where it is true. */
#ifndef VECTOR_H
#define VECTOR_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef unsigned char vector __attribute__((vector_size(16)));

#define VECTOR_EIGHT(c) c, c, c, c, c, c, c, c
/* Sixteen times the same. */
#define VECTOR_OF(c) ((vector){VECTOR_EIGHT(c), VECTOR_EIGHT(c)})

static inline vector vector_at(const char *bytes)
{
    vector v;
    memcpy(&v, bytes, sizeof(v));
    return v;
}

/* The bytes of each half, the first one lowest. */
struct vector_halves {
    uint64_t first, second;
};

static inline struct vector_halves vector_halves(vector v)
{
    uint64_t words[2];
    memcpy(words, &v, sizeof(words));
    return (struct vector_halves){le64toh(words[0]), le64toh(words[1])};
}

static inline bool vector_any(vector v)
{
    struct vector_halves h = vector_halves(v);
    return (h.first | h.second) != 0;
}

/* Where the first byte that is not 0 stands; of a vector that has one. */
static inline size_t vector_first(vector v)
{
    struct vector_halves h = vector_halves(v);
    return h.first != 0 ? (size_t)__builtin_ctzll(h.first) / 8
                        : 8 + (size_t)__builtin_ctzll(h.second) / 8;
}

/* The last one. */
static inline size_t vector_last(vector v)
{
    struct vector_halves h = vector_halves(v);
    return h.second != 0 ? 15 - (size_t)__builtin_clzll(h.second) / 8
                         : 7 - (size_t)__builtin_clzll(h.first) / 8;
}

/* In how many bytes a comparison was true. */
static inline size_t vector_count(vector v)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    struct vector_halves h = vector_halves(v);
    return (size_t)(((h.first & ones) + (h.second & ones)) * ones >> 56);
}

#endif
