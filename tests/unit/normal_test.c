// SPDX-License-Identifier: BSD-2-Clause
/* normal_test.c - No spelling of an address becomes another address once it is normalised: every code point whose
 * compatibility form or case folding holds ASCII, in every place of a mailbox, alone and in what an attacker would write.
 */
#include "table.h"

#include "address.h"
#include "compose.h"

#include <unicase.h>
#include <uninorm.h>
#include <unistr.h>

enum { CODE_POINTS = 0x110000 };

static bool holds_ascii(const uint8_t *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (text[i] < 0x80)
            return true;
    return false;
}

/* Does any normal form of this code point hold ASCII, or does it vanish? */
static bool becomes_ascii(const uint8_t *utf8, size_t len)
{
    uint8_t room[256];
    size_t used = sizeof(room);
    uint8_t *text = u8_normalize(UNINORM_NFKC, utf8, len, room, &used);
    bool found = text && holds_ascii(text, used);
    used = sizeof(room);
    text = u8_casefold(utf8, len, NULL, UNINORM_NFKC, room, &used);
    return found || (text && (used == 0 || holds_ascii(text, used)));
}

/* What may be said of any text at all that is taken for a mailbox. */
static void check_mailbox(const char *text)
{
    struct address a;
    struct address again;
    char ascii[ADDRESS_DOMAIN_MAX + 1];
    char twice[ADDRESS_DOMAIN_MAX + 1];
    if (!address_parse(span_of(text), &a))
        return;
    EXPECT(address_domain_ascii(a.domain, ascii), text);
    EXPECT(strspn(ascii, "abcdefghijklmnopqrstuvwxyz0123456789-_.") == strlen(ascii), text);
    EXPECT(address_domain_ascii(span_of(ascii), twice) && strcmp(ascii, twice) == 0, text);
    for (int smtputf8 = 0; smtputf8 < 2; smtputf8++) {
        struct buf said;
        buf_init(&said, 2 * ADDRESS_MAX);
        if (compose_address(span_of(text), smtputf8, &said) == COMPOSE_SAID) {
            EXPECT(address_parse(buf_span(&said), &again), text);
            EXPECT(span_equal(again.local, a.local), text);
            EXPECT(address_domain_ascii(again.domain, twice) && strcmp(ascii, twice) == 0, text);
        }
        buf_fini(&said);
    }
}

/* The local part as a reader who folds it sees it is still one local part. */
static void check_folded(const char *text)
{
    uint8_t room[2048];
    size_t used = sizeof(room);
    struct address a;
    struct address again;
    char folded[2100];
    if (!address_parse(span_of(text), &a))
        return;
    uint8_t *normal = u8_normalize(UNINORM_NFKC, (const uint8_t *)a.local.ptr, a.local.len, room, &used);
    assert_non_null(normal);
    snprintf(folded, sizeof(folded), "%.*s@dest.test", (int)used, (const char *)normal);
    if (used <= ADDRESS_LOCAL_MAX)
        EXPECT(address_parse(span_of(folded), &again) && again.local.len == used, text);
}

static const char *const places[] = {
    "bob@%sdest.test",
    "bob@de%sst.test",
    "bob@dest%s.test",
    "bob@dest.%stest",
    "bob@dest.test%s",
    "bob@dest.test%s%s",
    "bob@%s",
    "bob@xn--%s.test",
    "bob@xn%s--bcher-kva.test",
    "bob@dest.test%s orcpt=rfc822;a7.evil.test",
    "bob@victim.test%s\xe3\x80\x80orcpt\xef\xbc\x9drfc822;a7.evil.test",
    "bob@victim.test\xef\xbc\x9e%sSIZE\xef\xbc\x9d"
    "1.test",
    "bob@b\xc3\xbc%s"
    "cher.test",
    "%sbob@dest.test",
    "b%sob@dest.test",
    "bob%s@dest.test",
    "%s@dest.test",
    "bob.%s@dest.test",
    "bob%s.smith@dest.test",
    "\"b%sob\"@dest.test",
    "\"%s@dest.test",
    "bob%svictim.test@dest.test",
    "b\xc3\xbc%s@dest.test",
};

static void every_code_point_that_becomes_ascii(void **state)
{
    size_t count = 0;
    (void)state;
    for (ucs4_t c = 0x80; c < CODE_POINTS; c++) {
        uint8_t utf8[8] = {0};
        int len = u8_uctomb(utf8, c, sizeof(utf8) - 1);
        if (len <= 0 || !becomes_ascii(utf8, (size_t)len))
            continue;
        count++;
        for (size_t i = 0; i < COUNT_OF(places); i++) {
            char text[256];
            const char *at = strstr(places[i], "%s");
            snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - places[i]), places[i], (const char *)utf8, at + 2);
            char *second = strstr(text, "%s");
            if (second) {
                memmove(second + len, second + 2, strlen(second + 2) + 1);
                memcpy(second, utf8, (size_t)len);
            }
            check_mailbox(text);
            check_folded(text);
        }
    }
    print_message("%zu code points that become ASCII or vanish\n", count);
    assert_true(count > 1500);
}

static void named_examples(void **state)
{
    static const struct {
        const char *label, *text;
        bool want;
    } rows[] = {
        {"U+FF1E at the end of the domain", "bob@victim.test\xef\xbc\x9e", false},
        {"U+FF1E, U+3000, U+FF1D: another recipient's parameters",
         "bob@victim.test\xef\xbc\x9e\xe3\x80\x80orcpt\xef\xbc\x9drfc822\xef\xbc\x9b" "a7.evil.test", false},
        {"U+3000 in the domain", "bob@vic\xe3\x80\x80tim.test", false},
        {"U+00A0 in the domain", "bob@vic\xc2\xa0tim.test", false},
        {"U+FF20 in the domain", "bob@victim.test\xef\xbc\xa0" "evil.test", false},
        {"U+2100, which is a/c", "bob@victim.test\xe2\x84\x80.test", false},
        {"U+FF05 in the domain", "bob@a\xef\xbc\x85.test", false},
        {"U+2488, which is 1.", "bob@a\xe2\x92\x88" "b.test", false},
        {"U+2026 in the domain", "bob@a\xe2\x80\xa6" "b.test", false},
        {"full-width letters and dot", "bob@\xef\xbd\x84" "est\xef\xbc\x8etest", true},
        {"ideographic full stop", "bob@dest\xe3\x80\x82test", true},
        {"ideographic full stop at the end", "bob@dest.test\xe3\x80\x82", false},
        {"U+00AD vanishes between labels", "bob@a.\xc2\xad.test", false},
        {"U+FF20 in the local part", "bob\xef\xbc\xa0victim.test@dest.test", false},
        {"U+FF1E in the local part", "bob\xef\xbc\x9e@dest.test", false},
        {"U+3000 in the local part", "bob\xe3\x80\x80smith@dest.test", false},
        {"U+3000 in a quoted local part", "\"bob\xe3\x80\x80smith\"@dest.test", true},
        {"U+FF02 in a quoted local part", "\"bob\xef\xbc\x82\"@dest.test", false},
        {"U+FF3C before the closing quote", "\"bob\xef\xbc\xbc\"@dest.test", false},
        {"U+2025 in the local part", "a\xe2\x80\xa5" "b@dest.test", false},
        {"full-width letters in the local part", "\xef\xbd\x82\xef\xbd\x8f\xef\xbd\x82@dest.test", true},
        {"NEL in the local part", "bob\xc2\x85@dest.test", false},
        {"CSI in the local part", "bob\xc2\x9b[2J@dest.test", false},
        {"line separator in the local part", "bob\xe2\x80\xa8@dest.test", false},
        {"right-to-left override in the local part", "b\xe2\x80\xae" "ob@dest.test", false},
        {"zero width space in the local part", "b\xe2\x80\x8b" "ob@dest.test", false},
        {"soft hyphen in the local part", "b\xc2\xad" "ob@dest.test", false},
        {"byte order mark in the local part", "\xef\xbb\xbf" "bob@dest.test", false},
        {"a noncharacter in the local part", "b\xef\xbf\xbf" "ob@dest.test", false},
        {"Hindi", "\xe0\xa4\xb8\xe0\xa4\xae\xe0\xa5\x8d\xe0\xa4\xaa\xe0\xa4\xb0\xe0\xa5\x8d\xe0\xa4\x95@dest.test", true},
        {"Arabic", "\xd9\x85\xd8\xab\xd8\xa7\xd9\x84@dest.test", true},
        {"Chinese", "\xe7\x94\xa8\xe6\x88\xb7@\xe4\xbe\x8b\xe5\xad\x90.test", true},
    };
    struct address a;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        EXPECT(address_parse(span_of(rows[i].text), &a) == rows[i].want, rows[i].label);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_code_point_that_becomes_ascii),
                                       cmocka_unit_test(named_examples)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
