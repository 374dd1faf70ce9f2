// SPDX-License-Identifier: BSD-2-Clause
/* dns_wire_test.c - Records as servers send them: each length is a claim, and what is malformed is
 * left out; at every cut, too. */
#include "table.h"

#include "dns.h"

#include <stdlib.h>

struct row {
    const char *label;
    enum dns_type type;
    struct span wire;
    const char *text; /* NULL: it is left out */
};

#define WIRE(literal) {literal, sizeof(literal) - 1}
#define LABEL63 "\x3f" "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const struct row rows[] = {
    {"an address", DNS_A, WIRE("\xc0\x00\x02\x01"), "192.0.2.1"},
    {"an address too short", DNS_A, WIRE("\xc0\x00\x02"), NULL},
    {"an address too long", DNS_A, WIRE("\xc0\x00\x02\x01\x01"), NULL},
    {"six", DNS_AAAA, WIRE("\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"), "2001:db8::1"},
    {"six too short", DNS_AAAA, WIRE("\x20\x01\x0d\xb8"), NULL},
    {"a host", DNS_MX, WIRE("\x00\x0a\x02MX\x04test\x00"), "10 mx.test"},
    {"the null MX (RFC 7505)", DNS_MX, WIRE("\x00\x00\x00"), "0 "},
    {"a preference alone", DNS_MX, WIRE("\x00\x0a"), NULL},
    {"a name that does not end", DNS_MX, WIRE("\x00\x0a\x02mx"), NULL},
    {"a host's label that holds a dot", DNS_MX, WIRE("\x00\x0a\x03" "a.b\x04test\x00"), NULL},
    {"a host's label that holds a zero", DNS_MX, WIRE("\x00\x0a\x03" "a\0b\x04test\x00"), NULL},
    {"a label longer than the rest", DNS_CNAME, WIRE("\x05test\x00"), NULL},
    {"a pointer", DNS_CNAME, WIRE("\xc0\x0c"), NULL},
    {"a label that holds a dot", DNS_CNAME, WIRE("\x03" "a.b\x00"), NULL},
    {"a label that holds a zero", DNS_PTR, WIRE("\x03" "a\0b\x00"), NULL},
    {"the root", DNS_NS, WIRE("\x00"), ""},
    {"nothing at all", DNS_NS, WIRE(""), NULL},
    {"the longest name", DNS_PTR, WIRE(LABEL63 LABEL63 LABEL63 "\x3d" "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\x00"),
     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa."
     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa."
     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa."
     "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"},
    {"one octet more", DNS_PTR, WIRE(LABEL63 LABEL63 LABEL63 LABEL63 "\x00"), NULL},
    {"a text", DNS_TXT, WIRE("\x03" "abc"), "abc"},
    {"strings are joined", DNS_TXT, WIRE("\x03" "abc\x00\x02" "de"), "abcde"},
    {"an empty string", DNS_TXT, WIRE("\x00"), ""},
    {"a text without a string", DNS_TXT, WIRE(""), NULL},
    {"a string longer than the rest", DNS_TXT, WIRE("\x05" "abc"), NULL},
    {"the second of them", DNS_TXT, WIRE("\x03" "abc\x02" "d"), NULL},
    {"a service", DNS_SRV, WIRE("\x00\x01\x00\x02\x02\x4b\x04smtp\x04test\x00"), "1 2 587 smtp.test"},
    {"no service", DNS_SRV, WIRE("\x00\x00\x00\x00\x00\x00\x00"), "0 0 0 "},
    {"a service without a name", DNS_SRV, WIRE("\x00\x01\x00\x02\x02\x4b"), NULL},
    {"a certificate", DNS_TLSA, WIRE("\x03\x01\x01\xab\xcd"), "3 1 1 abcd"},
    {"a certificate of nothing", DNS_TLSA, WIRE("\x03\x01\x01"), NULL},
    {"an authority", DNS_CAA, WIRE("\x00\x05issueca.test"), "0 issue \"ca.test\""},
    {"none may", DNS_CAA, WIRE("\x80\x05issue"), "128 issue \"\""},
    {"a tag longer than the rest", DNS_CAA, WIRE("\x00\x09issue"), NULL},
    {"no tag", DNS_CAA, WIRE("\x00\x00issue"), NULL},
    {"a tag that is none (RFC 8659 4.1)", DNS_CAA, WIRE("\x00\x07is\" sueca.test"), NULL},
    {"a value that would end itself", DNS_CAA, WIRE("\x00\x05issue\" x\\y\n"), "0 issue \"\\\" x\\\\y\\010\""},
};

/* As dns_wire_add() sees it, in memory that ends where the record does. */
static struct dns_answer *read_wire(enum dns_type type, struct span wire)
{
    struct dns_answer *a = dns_answer_new(DNS_FOUND, 60);
    char *own = malloc(wire.len + 1);
    memcpy(own + 1, wire.ptr, wire.len);
    dns_wire_add(a, type, (struct span){own + 1, wire.len});
    free(own);
    return a;
}

static void each_type(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct dns_answer *a = read_wire(rows[i].type, rows[i].wire);
        struct buf text;
        buf_init(&text, 4096);
        EXPECT(a->count == (rows[i].text != NULL), rows[i].label);
        EXPECT(a->unreadable == (rows[i].type == DNS_MX && !rows[i].text), rows[i].label);
        if (a->count > 0)
            dns_rr_print(rows[i].type, &a->rrs[0], &text);
        if (rows[i].text && !span_equal(buf_span(&text), span_of(rows[i].text)))
            fail_msg("%s: %s", rows[i].label, buf_text(&text));
        dns_answer_free(a);
        buf_fini(&text);
    }
}

/* And with every octet changed. */
static void every_cut_is_read_or_left_out(void **state)
{
    static const enum dns_type types[] = {DNS_A, DNS_NS, DNS_SOA, DNS_MX, DNS_TXT, DNS_AAAA, DNS_SRV, DNS_TLSA, DNS_CAA};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        for (size_t t = 0; t < COUNT_OF(types); t++)
            for (size_t cut = 0; cut <= rows[i].wire.len; cut++) {
                char changed[300];
                dns_answer_free(read_wire(types[t], span_first(rows[i].wire, cut)));
                memcpy(changed, rows[i].wire.ptr, cut);
                if (cut > 0)
                    changed[cut / 2] = (char)0xff;
                struct dns_answer *a = read_wire(types[t], (struct span){changed, cut});
                assert_true(a->count <= 1);
                dns_answer_free(a);
            }
}

static void an_answer_has_an_end_and_an_order(void **state)
{
    struct dns_answer *a = dns_answer_new(DNS_FOUND, 60);
    (void)state;
    for (unsigned i = 0; i < 2 * DNS_RRS_MAX; i++) {
        char text[16];
        int len = snprintf(text + 1, sizeof(text) - 1, "%u", (i * 7919) % 5000);
        text[0] = (char)len;
        if (i % 2)
            dns_answer_add(a, i % 5, (struct span){text + 1, (size_t)len});
        else
            dns_answer_add_text(a, (struct span){text, (size_t)len + 1});
    }
    assert_int_equal(a->count, DNS_RRS_MAX);
    dns_answer_sort(a);
    for (size_t i = 1; i < a->count; i++) {
        const struct dns_rr *x = &a->rrs[i - 1];
        const struct dns_rr *y = &a->rrs[i];
        size_t len = x->data.len < y->data.len ? x->data.len : y->data.len;
        int order = memcmp(x->data.ptr, y->data.ptr, len);
        assert_true(x->preference < y->preference ||
                    (x->preference == y->preference && (order < 0 || (order == 0 && x->data.len <= y->data.len))));
    }
    dns_answer_free(a);
}

static void names_of_addresses(void **state)
{
    static const struct {
        const char *ip, *name;
    } reverse[] = {{"192.0.2.1", "1.2.0.192.in-addr.arpa"},
                   {"2001:db8::1", "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"},
                   {"192.0.2", NULL}, {"mx.test", NULL}, {"", NULL}, {"192.0.2.256", NULL}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(reverse); i++) {
        char name[DNS_NAME_MAX + 1] = "";
        EXPECT(dns_reverse_name(reverse[i].ip, name) == (reverse[i].name != NULL), reverse[i].ip);
        EXPECT(!reverse[i].name || strcmp(name, reverse[i].name) == 0, reverse[i].ip);
    }
}

static void types_and_states_have_names(void **state)
{
    static const enum dns_type types[] = {DNS_A, DNS_NS, DNS_CNAME, DNS_SOA, DNS_PTR, DNS_MX, DNS_TXT, DNS_AAAA, DNS_SRV, DNS_TLSA, DNS_CAA};
    static const char *const names[] = {"A", "NS", "CNAME", "SOA", "PTR", "MX", "TXT", "AAAA", "SRV", "TLSA", "CAA"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(types); i++)
        assert_string_equal(dns_type_name(types[i]), names[i]);
    assert_string_equal(dns_status_name(DNS_NXDOMAIN), "nxdomain");
    assert_string_equal(dns_status_name(DNS_FAILED), "failed");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_type),
        cmocka_unit_test(every_cut_is_read_or_left_out),
        cmocka_unit_test(an_answer_has_an_end_and_an_order),
        cmocka_unit_test(names_of_addresses),
        cmocka_unit_test(types_and_states_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
