// SPDX-License-Identifier: BSD-2-Clause
/* dkim_record.c - Parses the tag list of a DKIM key record (RFC 6376 section 3.2) and compares it
 * with the public half of a key. */
#include "dkim_record.h"

#include "base64.h"
#include <stdio.h>
#include <string.h>

enum { KEY_BYTES_MAX = 4096, SPKI_HEADER = 24 };

static const struct {
    const char *name, *text;
    bool passes;
} states[] = {
    [DKIM_PENDING] = {"pending", "is still being asked for", false},
    [DKIM_OK] = {"ok", "is published and is ours", true},
    [DKIM_TESTING] = {"testing", "carries t=y: receivers treat the mail as unsigned", true},
    [DKIM_MISSING] = {"missing", "is missing", false},
    [DKIM_DUPLICATED] = {"duplicated", "is published more than once", false},
    [DKIM_REVOKED] = {"revoked", "is revoked: its p= is empty", false},
    [DKIM_TRUNCATED] = {"truncated", "is cut off: its p= ends early", false},
    [DKIM_OTHER_KEY] = {"other-key", "holds another key than the one that signs", false},
    [DKIM_UNFIT] = {"unfit", "is not for mail signed with this algorithm", false},
    [DKIM_MALFORMED] = {"malformed", "is malformed", false},
    [DKIM_UNANSWERED] = {"unanswered", "could not be looked up", false},
};

const char *dkim_state_name(enum dkim_state state)
{
    CHECK((unsigned)state < COUNT_OF(states));
    return states[state].name;
}

const char *dkim_state_text(enum dkim_state state)
{
    CHECK((unsigned)state < COUNT_OF(states));
    return states[state].text;
}

bool dkim_state_passes(enum dkim_state state)
{
    CHECK((unsigned)state < COUNT_OF(states));
    return states[state].passes;
}

/* ---- the tag list ---- */

struct tags {
    struct span v, k, p, h, s, t;
    unsigned seen; /* a bit for each, in this order */
};

static struct span *find_tag(struct tags *tags, struct span name, unsigned *bit_r)
{
    static const char names[] = "vkphst";
    struct span *const places[] = {&tags->v, &tags->k, &tags->p, &tags->h, &tags->s, &tags->t};
    const char *at = name.len == 1 && name.ptr[0] ? strchr(names, name.ptr[0]) : NULL;
    *bit_r = at ? 1U << (at - names) : 0;
    return at ? places[at - names] : NULL;
}

/* Unknown tags are ignored; the same tag twice makes the list malformed (section 3.2). */
static bool read_tags(struct span text, struct tags *tags_r)
{
    *tags_r =
        (struct tags){SPAN("DKIM1"), SPAN("rsa"), SPAN_NONE, SPAN_NONE, SPAN("*"), SPAN_NONE, 0};
    for (bool first = true; text.len > 0; first = false) {
        unsigned bit = 0;
        struct span whole = span_take(&text, ';');
        struct span value = whole;
        struct span name = span_trim(span_take(&value, '='));
        if (span_trim(whole).len == 0)
            continue;
        if (name.len == 0 || name.len == span_trim(whole).len)
            return false; /* no '=' */
        struct span *place = find_tag(tags_r, name, &bit);
        if ((tags_r->seen & bit) || (name.ptr[0] == 'v' && name.len == 1 && !first))
            return false;
        tags_r->seen |= bit;
        if (place)
            *place = span_trim(value);
    }
    return (tags_r->seen & 4U) != 0; /* p= is required */
}

/* Is the word among those separated by colons? */
static bool lists(struct span list, struct span word)
{
    while (list.len > 0)
        if (span_equal_nocase(span_trim(span_take(&list, ':')), word))
            return true;
    return false;
}

/* ---- the key ---- */

/* Base64 as far as it goes; blanks are skipped (section 3.2). False when it holds anything else.
 * `exact_r`: it ended as base64 must. */
static bool decode(struct span text, unsigned char *bytes_r, size_t *len_r, bool *exact_r)
{
    unsigned held = 0;
    unsigned bits = 0;
    size_t count = 0;
    size_t padding = 0;
    *len_r = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == ' ' || c == '\t' || c == '\r' || c == '\n')
            continue;
        padding += c == '=';
        if (c == '=' && padding <= 2)
            continue;
        int value = base64_value(c);
        if (value < 0 || padding > 0 || *len_r == KEY_BYTES_MAX)
            return false;
        held = held << 6 | (unsigned)value;
        bits += 6;
        count++;
        if (bits >= 8) {
            bits -= 8;
            bytes_r[(*len_r)++] = (unsigned char)(held >> bits);
            held &= (1U << bits) - 1;
        }
    }
    *exact_r = (count + padding) % 4 == 0 && held == 0;
    return true;
}

static enum dkim_state compare_keys(struct span published, struct span ours)
{
    unsigned char a[KEY_BYTES_MAX];
    unsigned char b[KEY_BYTES_MAX];
    size_t a_len = 0;
    size_t b_len = 0;
    bool exact = false;
    bool own_exact = false;
    if (!decode(published, a, &a_len, &exact))
        return DKIM_MALFORMED;
    CHECK(decode(ours, b, &b_len, &own_exact) && own_exact);
    if (a_len == b_len && memcmp(a, b, a_len) == 0)
        return exact ? DKIM_OK : DKIM_MALFORMED;
    /* RSA keys may also stand there without the SubjectPublicKeyInfo around them (RFC 8017 A.1.1),
     * which is the rest of ours after a header of fixed length. */
    if (b_len > SPKI_HEADER + 10 && a_len == b_len - SPKI_HEADER &&
        memcmp(a, b + SPKI_HEADER, a_len) == 0)
        return exact ? DKIM_OK : DKIM_MALFORMED;
    /* Every RSA-2048 key begins with the same header: only what follows it is a sign. */
    size_t common = b_len > SPKI_HEADER + 10 ? SPKI_HEADER + 10 : 4;
    if (a_len < b_len && a_len >= common && memcmp(a, b, a_len) == 0)
        return DKIM_TRUNCATED;
    return exact ? DKIM_OTHER_KEY : DKIM_MALFORMED;
}

enum dkim_state dkim_record_compare(struct span record, enum key_algorithm algorithm,
                                    struct span public_key)
{
    struct tags tags;
    if (!read_tags(record, &tags) || !span_equal(tags.v, SPAN("DKIM1")))
        return DKIM_MALFORMED;
    if (span_trim(tags.p).len == 0)
        return DKIM_REVOKED;
    if (!span_equal_nocase(tags.k, span_of(key_algorithm_name(algorithm))) ||
        (tags.h.len > 0 && !lists(tags.h, SPAN("sha256"))) ||
        (!lists(tags.s, SPAN("*")) && !lists(tags.s, SPAN("email"))))
        return DKIM_UNFIT;
    enum dkim_state state = compare_keys(tags.p, public_key);
    return state == DKIM_OK && lists(tags.t, SPAN("y")) ? DKIM_TESTING : state;
}

enum dkim_state dkim_record_check(const struct dns *dns, const char *domain, const char *selector,
                                  enum key_algorithm algorithm, struct span public_key)
{
    char name[2 * DNS_NAME_MAX];
    snprintf(name, sizeof(name), "%s._domainkey.%s", selector, domain);
    if (!dns_name_valid(span_of(name)))
        return DKIM_MISSING;
    dns_name_lower(name);
    const struct dns_answer *a = dns->ask(dns->context, name, DNS_TXT);
    if (a->status == DNS_PENDING)
        return DKIM_PENDING;
    if (a->status == DNS_FAILED)
        return DKIM_UNANSWERED;
    if (a->count == 0)
        return DKIM_MISSING;
    return a->count == 1 ? dkim_record_compare(a->rrs[0].data, algorithm, public_key)
                         : DKIM_DUPLICATED;
}
