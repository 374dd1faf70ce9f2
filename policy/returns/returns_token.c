// SPDX-License-Identifier: BSD-2-Clause
/* returns_token.c - Twenty octets as thirty-two letters and digits, and back. */
#include "returns_token.h"

#include "secret.h"

#include <stdio.h>
#include <string.h>

enum {
    KIND = 0x11,      /* version 1, of a recipient below 256 */
    KIND_HIGH = 0x80, /* of another, with the upper bits of its number, which are not zero */
    KEY_AT = 1,
    ID_AT = 2,
    NUMBER_AT = 9,
    MAC_AT = 10,
    MAC_BYTES = 10,
    BYTES = 20,
    LETTERS = 32
};

/* An id is a time in ms with 16 bits behind it; of this one on they fit. */
static const int64_t first_id = INT64_C(1577836800000) << 16;
static const int64_t id_end = INT64_C(1) << 8 * (NUMBER_AT - ID_AT);

static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz234567"; /* RFC 4648 section 6 */

static void encode(const unsigned char bytes[BYTES], char text_r[LETTERS + 1])
{
    for (size_t i = 0; i < LETTERS; i++) {
        size_t bit = 5 * i;
        unsigned two =
            (unsigned)bytes[bit / 8] << 8 | (bit / 8 + 1 < BYTES ? bytes[bit / 8 + 1] : 0);
        text_r[i] = alphabet[two >> (11 - bit % 8) & 31];
    }
    text_r[LETTERS] = '\0';
}

static bool decode(struct span text, unsigned char bytes_r[BYTES])
{
    memset(bytes_r, 0, BYTES);
    for (size_t i = 0; i < LETTERS; i++) {
        char c = text.ptr[i];
        c = (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
        const char *at = c ? strchr(alphabet, c) : NULL;
        if (!at)
            return false;
        for (size_t k = 0; k < 5; k++)
            if ((at - alphabet) >> (4 - k) & 1)
                bytes_r[(5 * i + k) / 8] |= (unsigned char)(128 >> (5 * i + k) % 8);
    }
    return true;
}

/* Over what stands before it, and the domain in lower case. */
static void make_mac(const struct unsubscribe_key *key, const unsigned char bytes[BYTES],
                     struct span domain, unsigned char mac_r[16])
{
    struct buf text;
    buf_init(&text, BYTES + ADDRESS_DOMAIN_MAX);
    buf_add(&text, (struct span){(const char *)bytes, MAC_AT});
    for (size_t i = 0; i < domain.len; i++) {
        char c = domain.ptr[i];
        buf_add_char(&text, (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c));
    }
    secret_mac((struct span){(const char *)key->returns, sizeof(key->returns)}, buf_span(&text),
               mac_r);
    buf_fini(&text);
}

bool returns_token_fits(const struct returns_subject *subject)
{
    return subject->message >= first_id && subject->message - first_id < id_end &&
           subject->number <= RETURNS_TOKEN_NUMBER_MAX;
}

void returns_token_address(const struct unsubscribe_keys *keys,
                           const struct returns_subject *subject, const char *domain,
                           char address_r[ADDRESS_MAX + 1])
{
    unsigned high = subject->number >> 8;
    unsigned char bytes[BYTES] = {(unsigned char)(high > 0 ? KIND_HIGH | high : KIND),
                                  keys->keys[0].id};
    unsigned char mac[16];
    char text[LETTERS + 1];
    CHECK(keys->count > 0 && returns_token_fits(subject));
    uint64_t id = (uint64_t)(subject->message - first_id);
    for (size_t i = ID_AT; i < NUMBER_AT; i++)
        bytes[i] = (unsigned char)(id >> 8 * (NUMBER_AT - 1 - i));
    bytes[NUMBER_AT] = (unsigned char)(subject->number & 255);
    make_mac(&keys->keys[0], bytes, span_of(domain), mac);
    memcpy(bytes + MAC_AT, mac, MAC_BYTES);
    encode(bytes, text);
    snprintf(address_r, ADDRESS_MAX + 1, "b-%s@%s", text, domain);
}

/* The upper bits of the number; false: it is of no kind that there is. */
static bool read_kind(unsigned char kind, unsigned *high_r)
{
    *high_r = kind == KIND ? 0 : kind ^ KIND_HIGH;
    return kind == KIND || (*high_r > 0 && *high_r <= RETURNS_TOKEN_NUMBER_MAX >> 8);
}

/* One MAC for each key, whichever it names. */
static bool is_ours(const struct unsubscribe_keys *keys, const unsigned char bytes[BYTES],
                    struct span domain)
{
    unsigned ours = 0;
    for (size_t i = 0; i < keys->count; i++) {
        unsigned char mac[16];
        make_mac(&keys->keys[i], bytes, domain, mac);
        ours |= (unsigned)secret_same(mac, bytes + MAC_AT, MAC_BYTES) &
                (unsigned)(keys->keys[i].id == bytes[KEY_AT]);
    }
    return ours;
}

/* The octets of an address that has the form. */
static bool read_form(struct span address, unsigned char bytes_r[BYTES], struct span *domain_r)
{
    *domain_r = address;
    struct span local = span_take(domain_r, '@');
    return local.len == RETURNS_TOKEN_LOCAL && span_starts_nocase(local, SPAN("b-")) &&
           domain_r->len > 0 && domain_r->len <= ADDRESS_DOMAIN_MAX &&
           decode(span_from(local, 2), bytes_r);
}

bool returns_token_seems(struct span address)
{
    unsigned char bytes[BYTES];
    struct span domain;
    return read_form(address, bytes, &domain);
}

bool returns_token_open(const struct unsubscribe_keys *keys, struct span address,
                        struct returns_subject *subject_r)
{
    unsigned char bytes[BYTES];
    struct span domain;
    unsigned high = 0;
    *subject_r = (struct returns_subject){0};
    if (!read_form(address, bytes, &domain) || !is_ours(keys, bytes, domain) ||
        !read_kind(bytes[0], &high))
        return false;
    uint64_t id = 0;
    for (size_t i = ID_AT; i < NUMBER_AT; i++)
        id = id << 8 | bytes[i];
    subject_r->message = (int64_t)id + first_id;
    subject_r->number = high << 8 | bytes[NUMBER_AT];
    return true;
}
