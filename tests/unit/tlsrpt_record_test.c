// SPDX-License-Identifier: BSD-2-Clause
/* tlsrpt_record_test.c - Where a domain wants its reports: the shared records, and what is beside them. */
#include "vectors.h"

#include "tlsrpt_record.h"

static json_t *as_expected(enum tlsrpt_wants wants, const struct tlsrpt_record *record)
{
    json_t *uris = json_array();
    json_t *mail = json_array();
    json_t *post = json_array();
    for (size_t i = 0; i < record->count; i++) {
        const struct tlsrpt_rua *rua = &record->rua[i];
        json_array_append_new(uris, json_stringn(rua->uri.ptr, rua->uri.len));
        if (rua->address[0])
            json_array_append_new(mail, json_string(rua->address));
        else
            json_array_append_new(post, json_stringn(rua->uri.ptr, rua->uri.len));
    }
    if (wants != TLSRPT_WANTS_REPORTS) {
        json_decref(uris);
        json_decref(mail);
        json_decref(post);
        return json_pack("{s:b,s:s}", "valid", 0, "why", tlsrpt_wants_name(wants));
    }
    json_t *made = json_pack("{s:b,s:o}", "valid", 1, "rua", uris);
    if (json_array_size(mail) > 0)
        json_object_set(made, "mail", mail);
    if (json_array_size(post) > 0)
        json_object_set(made, "post", post);
    json_decref(mail);
    json_decref(post);
    return made;
}

static void shared_records(void **state)
{
    json_t *all = vectors_load("tlsrpt-public.json");
    json_t *rows = json_object_get(all, "records");
    (void)state;
    for (size_t i = 0; i < json_array_size(rows); i++) {
        json_t *row = json_array_get(rows, i);
        struct tlsrpt_record record;
        struct dns_answer *a = vectors_answer(json_object_get(row, "txt"));
        json_t *got = as_expected(tlsrpt_record_read(a, &record), &record);
        if (!json_equal(got, json_object_get(row, "expect")))
            fail_msg("%s: %s", vectors_text(row, "id"), json_dumps(got, 0));
        json_decref(got);
        dns_answer_free(a);
    }
    assert_true(json_array_size(rows) >= 50);
    json_decref(all);
}

static void places(void **state)
{
    static const struct {
        const char *uri;
        bool want;
        const char *address;
    } rows[] = {
        {"mailto:%22a%20b%22@d.test", false, ""}, /* a blank: no address of ours has one */
        {"mailto:r%C3%A9ports@d.test", true, "r\xc3\xa9ports@d.test"},
        {"mailto:r%C3@d.test", false, ""},
        {"mailto:a%00b@d.test", false, ""},
        {"mailto:a%0D%0Ab@d.test", false, ""},
        {"mailto:a@b@d.test", false, ""},
        {"mailto:a@", false, ""},
        {"mailto:a@d.test?", true, "a@d.test"},
        {"https://d.test", true, ""},
        {"HTTPS://d.test:8443/x", true, ""},
        {"https://d.test?x", true, ""},
        {"https://user@d.test/", false, ""},
        {"https://[2001:db8::1]/", false, ""},
        {"https://192.0.2.1/", true, ""},
        {"https://0x7f000001/", false, ""}, /* what some take for an address is no name */
        {"https://0X7F.1:8443/", false, ""},
        {"https://2130706433/", false, ""},
        {"https://127.1/", false, ""},
        {"https://017700000001/", false, ""},
        {"https://0127.0.0.1/", false, ""},
        {"https://d.0x/", false, ""},
        {"https://1.0xg/", true, ""},
        {"https://127.1.d/", true, ""},
        {"https://d.test/%zz", false, ""},
        {"https://d.test/%4", false, ""},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct tlsrpt_record record;
        struct dns_answer *a = dns_answer_new(DNS_FOUND, 300);
        char text[200];
        snprintf(text, sizeof(text), "v=TLSRPTv1; rua=%s", rows[i].uri);
        dns_answer_add(a, 0, span_of(text));
        EXPECT((tlsrpt_record_read(a, &record) == TLSRPT_WANTS_REPORTS) == rows[i].want, rows[i].uri);
        EXPECT(!rows[i].want || strcmp(record.rua[0].address, rows[i].address) == 0, rows[i].uri);
        dns_answer_free(a);
    }
}

static void more_places_than_anybody_needs(void **state)
{
    struct tlsrpt_record record;
    struct dns_answer *a = dns_answer_new(DNS_FOUND, 300);
    struct buf text;
    (void)state;
    buf_init(&text, 60000);
    buf_add(&text, SPAN("v=TLSRPTv1;"));
    for (int i = 0; i < 1000; i++)
        buf_addf(&text, "rua=,x:y,mailto:a%d@d.test,;", i);
    dns_answer_add(a, 0, buf_span(&text));
    assert_int_equal(tlsrpt_record_read(a, &record), TLSRPT_WANTS_REPORTS);
    assert_int_equal(record.count, TLSRPT_RUA_MAX);
    assert_string_equal(record.rua[TLSRPT_RUA_MAX - 1].address, "a9@d.test");
    buf_fini(&text);
    dns_answer_free(a);
}

static void mailboxes(void **state)
{
    static const struct {
        const char *address, *want; /* NULL: none */
    } rows[] = {{"a@d.test", "a@d.test"},         {"a,b@d.test", "\"a,b\"@d.test"}, {"a\"\\b@d.test", "\"a\\\"\\\\b\"@d.test"},
                {"a..b@d.test", "\"a..b\"@d.test"}, {"<a>@d.test", "\"<a>\"@d.test"}, {"\"a\"@d.test", "\"a\"@d.test"},
                {"r\xc3\xa9@d.test", "r\xc3\xa9@d.test"}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct tlsrpt_rua rua = {.uri = SPAN_NONE};
        char got[2 * ADDRESS_MAX + 1];
        snprintf(rua.address, sizeof(rua.address), "%s", rows[i].address);
        EXPECT(tlsrpt_rua_mailbox(&rua, got), rows[i].address);
        assert_string_equal(got, rows[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(shared_records), cmocka_unit_test(places), cmocka_unit_test(mailboxes),
                                       cmocka_unit_test(more_places_than_anybody_needs)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
