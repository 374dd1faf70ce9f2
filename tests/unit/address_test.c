// SPDX-License-Identifier: BSD-2-Clause
/* address_test.c - Mailboxes, domains, the From field, and who may use which. */
#include "table.h"

#include "address.h"
#include "identity.h"

static void mailboxes(void **state)
{
    static const struct {
        const char *label, *text;
        bool want;
    } rows[] = {
        {"plain", "a@b.test", true},
        {"plus and dots", "a.b+c@b.test", true},
        {"quoted local part", "\"a b\"@b.test", true},
        {"quoted at sign", "\"a@x\"@b.test", true},
        {"percent is only a character", "a%c.test@b.test", true},
        {"UTF-8", "\xc3\xbc@b.test", true},
        {"U-label", "a@b\xc3\xbc" "cher.test", true},
        {"no local part", "@b.test", false},
        {"no domain", "a@", false},
        {"two at signs", "a@b@c.test", false},
        {"dot at the end", "a.@b.test", false},
        {"two dots", "a..b@b.test", false},
        {"trailing dot", "a@b.test.", false},
        {"domain literal", "a@[192.0.2.1]", false},
        {"comment", "a(x)@b.test", false},
        {"blank", "a b@b.test", false},
        {"control byte", "a\x01@b.test", false},
        {"broken UTF-8", "\xc3@b.test", false},
        {"overlong UTF-8", "\xc0\xaf@b.test", false},
        {"label begins with a hyphen", "a@-b.test", false},
        {"broken punycode", "a@xn--zz.test", false},
        {"quote does not end", "\"a@b.test", false},
        {"line end inside", "a@b.test\r\n", false},
    };
    struct address a;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        EXPECT(address_parse(span_of(rows[i].text), &a) == rows[i].want, rows[i].label);
}

static void lengths(void **state)
{
    char text[400];
    struct address a;
    (void)state;
    memset(text, 'l', sizeof(text));
    memcpy(text + 64, "@b.test", 8);
    EXPECT(address_parse(span_of(text), &a), "a local part of 64");
    memset(text, 'l', sizeof(text));
    memcpy(text + 65, "@b.test", 8);
    EXPECT(!address_parse(span_of(text), &a), "a local part of 65");
    memset(text, 'l', sizeof(text));
    memcpy(text, "a@", 2);
    memcpy(text + 2 + 64, ".test", 6);
    EXPECT(!address_parse(span_of(text), &a), "a label of 64");
}

static void normal_form(void **state)
{
    static const struct {
        const char *label, *domain, *want; /* NULL: none */
    } rows[] = {
        {"case", "ExAmple.TEST", "example.test"},
        {"U-label", "B\xc3\xbc" "cher.test", "xn--bcher-kva.test"},
        {"A-label stays", "XN--BCHER-KVA.test", "xn--bcher-kva.test"},
        {"not NFC", "bu\xcc\x88" "cher.test", "xn--bcher-kva.test"},
        {"empty", "", NULL},
        {"empty label", "a..test", NULL},
        {"blank", "a b.test", NULL},
        {"no round trip", "xn--zz.test", NULL},
    };
    char ascii[ADDRESS_DOMAIN_MAX + 1];
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        bool ok = address_domain_ascii(span_of(rows[i].domain), ascii);
        EXPECT(ok == (rows[i].want != NULL), rows[i].label);
        if (ok)
            EXPECT(strcmp(ascii, rows[i].want) == 0, rows[i].label);
    }
}

static void from_field(void **state)
{
    static const struct {
        const char *label, *value, *want; /* NULL: refused */
    } rows[] = {
        {"bare", " a@b.test", "a@b.test"},
        {"angle", " <a@b.test>", "a@b.test"},
        {"phrase", " A B <a@b.test>", "a@b.test"},
        {"quoted phrase with an address in it", " \"x@evil.test\" <a@b.test>", "a@b.test"},
        {"encoded word", " =?utf-8?q?x?= <a@b.test>", "a@b.test"},
        {"comments around", " (c) <a@b.test> (d (e))", "a@b.test"},
        {"folded", "\r\n A\r\n <a@b.test>", "a@b.test"},
        {"two mailboxes", " a@b.test, c@d.test", NULL},
        {"two in angles", " <a@b.test> <c@d.test>", NULL},
        {"group", " g: a@b.test;", NULL},
        {"empty group", " undisclosed:;", NULL},
        {"route address", " <@x.test:a@b.test>", NULL},
        {"address after the angle", " <a@b.test>@evil.test", NULL},
        {"unquoted at sign in the phrase", " x@evil.test <a@b.test>", NULL},
        {"comment inside the address", " <a(x)@b.test>", NULL},
        {"comment does not end", " <a@b.test> (", NULL},
        {"no address", " Nobody", NULL},
        {"empty", " ", NULL},
        {"empty angle", " <>", NULL},
        {"angle in a quoted local part", " <\"a>b\"@b.test>", NULL},
        {"at sign in a quoted local part", " \"x@evil.test\"@b.test", NULL},
        {"comment that does not end", " a@b.test(\\)x@evil.test", NULL},
        {"blank in a quoted local part", " <\"a b\"@b.test>", "\"a b\"@b.test"},
        {"two words, no angle", " a b@b.test", NULL},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct address a;
        const char *why = NULL;
        bool ok = address_from_field(span_of(rows[i].value), &a, &why);
        EXPECT(ok == (rows[i].want != NULL), rows[i].label);
        EXPECT(ok || why != NULL, rows[i].label);
        if (ok)
            EXPECT(span_equal(a.text, span_of(rows[i].want)), rows[i].label);
    }
}

static void who_may(void **state)
{
    static const struct {
        const char *label, *allowed, *address;
        bool want;
    } rows[] = {
        {"its domain", "club.test", "a@club.test", true},
        {"its domain in another case", "club.test", "a@CLUB.test", true},
        {"a subdomain", "club.test", "a@x.club.test", false},
        {"a domain that ends alike", "club.test", "a@notclub.test", false},
        {"star: a subdomain", "*.club.test", "a@x.club.test", true},
        {"star: not the domain itself", "*.club.test", "a@club.test", false},
        {"star: ends alike", "*.club.test", "a@xclub.test", false},
        {"one address", "a@club.test", "a@club.test", true},
        {"another address", "a@club.test", "b@club.test", false},
        {"the second rule", "x.test club.test", "a@club.test", true},
        {"anything", "*", "a@b.test", true},
        {"nothing", "", "a@b.test", false},
        {"U-label in the rule", "b\xc3\xbc" "cher.test", "a@xn--bcher-kva.test", true},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct identity identity = {.name = "app"};
        struct address a;
        snprintf(identity.allowed, sizeof(identity.allowed), "%s", rows[i].allowed);
        assert_true(address_parse(span_of(rows[i].address), &a));
        EXPECT(identity_may(&identity, &a) == rows[i].want, rows[i].label);
    }
}

/* What programs take for an IPv4 address, whatever its form, is no name. */
static void hosts(void **state)
{
    static const struct {
        const char *host;
        bool want;
    } rows[] = {{"mx.d.test", true}, {"localhost", true}, {"1.d.test", true},  {"d.0xg", true},     {"d.1a", true},
                {"127.1", false},    {"192.0.2.1", false}, {"0x7f.1", false},  {"0X7F000001", false}, {"2130706433", false},
                {"017700000001", false}, {"d.0x", false},  {"mx.d.127", false}, {"", false},           {"d.", false}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        EXPECT(address_is_host(span_of(rows[i].host)) == rows[i].want, rows[i].host);
}

/* Postfix as it comes takes each of the first for bob@d.test. */
static void routed(void **state)
{
    static const struct {
        const char *address;
        bool want;
    } rows[] = {{"bob%d.test@d.test", true},       {"d.test!bob@d.test", true},     {"\"bob@d.test\"@d.test", true},
                {"\"bob\\@d.test\"@d.test", true}, {"\"bob%d.test\"@d.test", true}, {"x!bob%y@d.test", true},
                {"bob@d.test", false},             {"bob+a=d.test@d.test", false},  {"\"b ob\"@d.test", false},
                {"b#o/b'|{}&*?^`~$@d.test", false}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct address a;
        assert_true(address_parse(span_of(rows[i].address), &a));
        EXPECT(address_is_routed(&a) == rows[i].want, rows[i].address);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(hosts), cmocka_unit_test(routed), cmocka_unit_test(mailboxes), cmocka_unit_test(lengths),
                                       cmocka_unit_test(normal_form), cmocka_unit_test(from_field),
                                       cmocka_unit_test(who_may)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
