// SPDX-License-Identifier: BSD-2-Clause
/* der.h - DER by hand: what OpenSSL would not write. */
#ifndef DER_H
#define DER_H

#include "buf.h"
#include "check.h"

#include <string.h>

enum { DER_INTEGER = 0x02, DER_BITS = 0x03, DER_OCTETS = 0x04, DER_NULL = 0x05, DER_OBJECT = 0x06, DER_SEQUENCE = 0x30 };

#define DER_EC SPAN("\x2a\x86\x48\xce\x3d\x02\x01")
#define DER_P256 SPAN("\x2a\x86\x48\xce\x3d\x03\x01\x07")
#define DER_SM2 SPAN("\x2a\x81\x1c\xcf\x55\x01\x82\x2d")

/* What an element holds: built in one of these, up to 64 KB. */
struct der {
    char bytes[65536];
    size_t len;
};

static inline struct span der_span(const struct der *d)
{
    return (struct span){d->bytes, d->len};
}

static inline void der_add(struct der *d, struct span bytes)
{
    CHECK(d->len + bytes.len <= sizeof(d->bytes));
    memmove(d->bytes + d->len, bytes.ptr, bytes.len);
    d->len += bytes.len;
}

/* An element; its length in as few octets as can be. */
static inline void der_put(struct der *d, unsigned char tag, struct span content)
{
    unsigned char head[5] = {tag};
    size_t n = 1, len = content.len;
    if (len < 0x80)
        head[n++] = (unsigned char)len;
    else {
        size_t octets = len < 0x100 ? 1 : len < 0x10000 ? 2 : 3;
        head[n++] = (unsigned char)(0x80 | octets);
        while (octets-- > 0)
            head[n++] = (unsigned char)(len >> 8 * octets);
    }
    der_add(d, (struct span){(char *)head, n});
    der_add(d, content);
}

/* What has been built becomes the content of one element. */
static inline void der_wrap(struct der *d, unsigned char tag)
{
    static struct der inner;
    inner = *d;
    d->len = 0;
    der_put(d, tag, der_span(&inner));
}

/* A SubjectPublicKeyInfo. `kind`: an object identifier; `parameters`: an element, or nothing. */
static inline void der_key(struct der *d, struct span kind, struct span parameters, struct span bits)
{
    static struct der algorithm, held;
    algorithm.len = held.len = 0;
    der_put(&algorithm, DER_OBJECT, kind);
    der_add(&algorithm, parameters);
    der_put(d, DER_SEQUENCE, der_span(&algorithm));
    der_add(&held, SPAN("\0"));
    der_add(&held, bits);
    der_put(d, DER_BITS, der_span(&held));
    der_wrap(d, DER_SEQUENCE);
}

/* A number of 81 octets: 141 * 2^640 and this, or only this. */
static inline struct span der_large(char to[82], unsigned char high, unsigned low)
{
    memset(to, 0, 82);
    to[1] = (char)high;
    to[80] = (char)(low >> 8);
    to[81] = (char)low;
    return (struct span){to, 82};
}

/* Parameters of a curve over the prime p = 141 * 2^640 + 1, and of it a compressed point, whose other coordinate takes OpenSSL a quarter
 * of a second: y^2 = x^3 - 3x + 5. */
static inline void der_dear_key(struct der *d, struct span kind)
{
    static struct der parameters, part;
    char number[82], a[82], point[82];
    memset(a, 0xff, sizeof(a));
    a[1] = (char)0x8c;
    a[81] = (char)0xfe;
    part.len = parameters.len = 0;
    der_put(&part, DER_OBJECT, SPAN("\x2a\x86\x48\xce\x3d\x01\x01")); /* a prime field */
    der_put(&part, DER_INTEGER, der_large(number, 0x8d, 1));
    der_wrap(&part, DER_SEQUENCE);
    der_put(&parameters, DER_INTEGER, SPAN("\x01"));
    der_add(&parameters, der_span(&part));
    part.len = 0;
    der_put(&part, DER_OCTETS, (struct span){a + 1, 81});
    der_put(&part, DER_OCTETS, span_from(der_large(number, 0, 5), 1));
    der_wrap(&part, DER_SEQUENCE);
    der_add(&parameters, der_span(&part));
    der_large(point, 0, 0x13);
    point[0] = 2;
    der_put(&parameters, DER_OCTETS, (struct span){point, 82});
    der_put(&parameters, DER_INTEGER, SPAN("\0\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x0a\xbc\xde\xf1"));
    der_wrap(&parameters, DER_SEQUENCE);
    der_large(point, 0, 0x3e9);
    point[0] = 2;
    der_key(d, kind, der_span(&parameters), (struct span){point, 82});
}

/* A certificate around a key, and what stands behind it, signed by nobody. */
static inline void der_certificate_with(struct der *d, struct span key, struct span behind)
{
    static const char algorithm[] = "\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02";
    struct span signature = {algorithm, sizeof(algorithm) - 1};
    der_add(d, SPAN("\xa0\x03\x02\x01\x02\x02\x01\x01"));
    der_add(d, signature);
    der_add(d, SPAN("\x30\x00\x30\x1e\x17\x0d" "260101000000Z" "\x17\x0d" "490101000000Z" "\x30\x00"));
    der_add(d, key);
    der_add(d, behind);
    der_wrap(d, DER_SEQUENCE);
    der_add(d, signature);
    der_add(d, SPAN("\x03\x09\x00\x30\x06\x02\x01\x01\x02\x01\x01"));
    der_wrap(d, DER_SEQUENCE);
}

static inline void der_certificate(struct der *d, struct span key)
{
    der_certificate_with(d, key, SPAN(""));
}

#endif
