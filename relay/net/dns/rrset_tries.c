// SPDX-License-Identifier: BSD-2-Clause
/* rrset_tries.c - Failures are counted by signer, owner and type.
 *
 * A signature may name fewer labels than the owner has, and is for a wildcard's name then: one
 * RRset could be several. Those are one by their data, and are tried once.
 */
#include "rrset_tries.h"

enum {
    FIELDS = 18, /* of an RRSIG before the signer's name */
    INCEPTION_AT = 12,
    EXPIRATION_AT = 8,
    RR_FIELDS = 10, /* of an RR after its name: type, class, TTL, length */
    TRIES = 2,
    TRIES_WILD = 1,
    PAUSE_MS = 10,     /* verifications of one RRset follow each other without one */
    SKEW_MIN_S = 3600, /* libunbound's */
    SKEW_MAX_S = 24 * 3600
};

/* The octets of a name in wire format; 0: it has no end. */
static size_t name_len(struct span bytes)
{
    size_t at = 0;
    while (at < bytes.len && bytes.ptr[at] != 0)
        at += 1 + (size_t)(unsigned char)bytes.ptr[at];
    return at < bytes.len ? at + 1 : 0;
}

/* FNV-1a. */
static uint64_t digest(uint64_t sum, struct span bytes)
{
    for (size_t i = 0; i < bytes.len; i++)
        sum = (sum ^ (unsigned char)bytes.ptr[i]) * 0x100000001b3;
    return sum;
}

static uint32_t number(const char *p, size_t len)
{
    uint32_t n = 0;
    for (size_t i = 0; i < len; i++)
        n = n << 8 | (unsigned char)p[i];
    return n;
}

/* A name in wire format as text: in lower case, and what is in no host's name as it is. */
static void put_name(struct span wire, char text_r[RRSET_SIGNER])
{
    size_t to = 0;
    for (size_t at = 0; at < wire.len && wire.ptr[at] != 0;) {
        size_t end = at + 1 + (size_t)(unsigned char)wire.ptr[at];
        if (end > wire.len || to + (end - at) >= RRSET_SIGNER)
            break;
        if (to > 0)
            text_r[to++] = '.';
        while (++at < end)
            text_r[to++] = (char)(wire.ptr[at] >= 'A' && wire.ptr[at] <= 'Z' ? wire.ptr[at] | 0x20
                                                                             : wire.ptr[at]);
    }
    text_r[to] = '\0';
}

struct rrset_signed rrset_signed_parse(struct span bytes)
{
    struct rrset_signed what = {0};
    if (bytes.len < FIELDS)
        return what;
    struct span signer = span_from(bytes, FIELDS);
    struct span owner = span_from(signer, name_len(signer));
    size_t owner_len = name_len(owner);
    if (owner.ptr == signer.ptr || owner_len == 0 || owner.len < owner_len + RR_FIELDS)
        return what;
    const char *rr = owner.ptr + owner_len;
    struct span data = span_from(owner, owner_len + RR_FIELDS);
    size_t data_len = number(rr + RR_FIELDS - 2, 2);
    if (data.len < data_len || number(rr, 2) != number(bytes.ptr, 2))
        return what; /* the type that the signature covers is the RRset's */
    put_name((struct span){signer.ptr, (size_t)(owner.ptr - signer.ptr)}, what.signer);
    what.is_wild = owner_len > 2 && owner.ptr[0] == 1 && owner.ptr[1] == '*';
    what.inception = number(bytes.ptr + INCEPTION_AT, 4);
    what.expiration = number(bytes.ptr + EXPIRATION_AT, 4);
    uint64_t sum = digest(0xcbf29ce484222325, (struct span){bytes.ptr, 2});
    sum = digest(sum, (struct span){signer.ptr, (size_t)(owner.ptr - signer.ptr)});
    what.rrset = digest(sum, what.is_wild ? (struct span){data.ptr, data_len}
                                          : (struct span){owner.ptr, owner_len});
    return what;
}

/* As libunbound says it: a tenth of the time for which it is valid may be missing. RFC 4034 section
 * 3.1.5: serial numbers. */
static bool is_valid_at(const struct rrset_signed *what, uint32_t now_s)
{
    int32_t life_s = (int32_t)(what->expiration - what->inception);
    int32_t skew_s = life_s / 10;
    skew_s = skew_s < SKEW_MIN_S ? SKEW_MIN_S : skew_s > SKEW_MAX_S ? SKEW_MAX_S : skew_s;
    return life_s >= 0 && (int32_t)(now_s - what->expiration) <= skew_s &&
           (int32_t)(what->inception - now_s) <= skew_s;
}

bool rrset_tries_allow(struct rrset_tries *t, const struct rrset_signed *what, int64_t now_ms)
{
    size_t i = what->is_wild;
    if (t->last[i].rrset != what->rrset || now_ms - t->last[i].at_ms >= PAUSE_MS)
        t->last[i].failed = 0;
    return what->rrset == 0 || t->last[i].failed < (what->is_wild ? TRIES_WILD : TRIES);
}

void rrset_tries_note(struct rrset_tries *t, const struct rrset_signed *what, bool fits,
                      int64_t now_ms, uint32_t now_s)
{
    size_t i = what->is_wild;
    t->last[i].rrset = what->rrset;
    t->last[i].at_ms = now_ms;
    t->last[i].failed = fits && is_valid_at(what, now_s) ? 0 : t->last[i].failed + 1;
}
