// SPDX-License-Identifier: BSD-2-Clause
/* returns_token.c - Twenty octets as thirty-two letters and digits, and back. */
#include "returns_token.h"

#include "secret.h"

#include <stdio.h>
#include <string.h>

enum { ID_AT = 1, NUMBER_AT = 9, MAC_AT = 11, MAC_BYTES = 9, BYTES = 20, LETTERS = 32 };

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

void returns_token_address(const struct unsubscribe_keys *keys,
                           const struct returns_subject *subject, const char *domain,
                           char address_r[ADDRESS_MAX + 1])
{
    unsigned char bytes[BYTES];
    unsigned char mac[16];
    char text[LETTERS + 1];
    CHECK(keys->count > 0 && subject->number <= RETURNS_TOKEN_NUMBER_MAX);
    bytes[0] = keys->keys[0].id;
    for (int i = 0; i < 8; i++)
        bytes[ID_AT + i] = (unsigned char)((uint64_t)subject->message >> (56 - 8 * i));
    bytes[NUMBER_AT] = (unsigned char)(subject->number >> 8);
    bytes[NUMBER_AT + 1] = (unsigned char)subject->number;
    make_mac(&keys->keys[0], bytes, span_of(domain), mac);
    memcpy(bytes + MAC_AT, mac, MAC_BYTES);
    encode(bytes, text);
    snprintf(address_r, ADDRESS_MAX + 1, "b-%s@%s", text, domain);
}

static bool is_ours(const struct unsubscribe_keys *keys, const unsigned char bytes[BYTES],
                    struct span domain)
{
    bool ours = false;
    for (size_t i = 0; i < keys->count && !ours; i++) {
        unsigned char mac[16];
        if (keys->keys[i].id != bytes[0])
            continue;
        make_mac(&keys->keys[i], bytes, domain, mac);
        ours = secret_same(mac, bytes + MAC_AT, MAC_BYTES);
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
    uint64_t id = 0;
    *subject_r = (struct returns_subject){0};
    if (!read_form(address, bytes, &domain) || !is_ours(keys, bytes, domain))
        return false;
    for (int i = 0; i < 8; i++)
        id = id << 8 | bytes[ID_AT + i];
    subject_r->message = (int64_t)id;
    subject_r->number = (unsigned)bytes[NUMBER_AT] << 8 | bytes[NUMBER_AT + 1];
    return true;
}
