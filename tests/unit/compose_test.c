// SPDX-License-Identifier: BSD-2-Clause
/* compose_test.c - What leaves is signed over the very bytes that leave, for every hop and however it is read; what
 * nobody may see does not leave; a key that is wrong, or missing, signs nothing. */
#include "table.h"

#include "bounce.h"
#include "compose.h"
#include "key.h"
#include "message.h"

#include <stdlib.h>

static struct key *keys[2];
static char records[2][800];

struct body {
    struct span whole, rest;
    size_t piece;
    bool fails;
};

static bool read_body(void *context, struct span *chunk_r, struct err *err)
{
    struct body *b = context;
    if (b->fails && b->rest.len < b->whole.len)
        return err_set(err, ERR_SYSTEM, "no more of it");
    *chunk_r = span_first(b->rest, b->piece);
    b->rest = span_from(b->rest, chunk_r->len);
    return true;
}

static void rewind_body(void *context)
{
    struct body *b = context;
    b->rest = b->whole;
}

static bool look_up(void *context, const char *name, char *record_r, size_t size)
{
    (void)context;
    for (size_t i = 0; i < COUNT_OF(records); i++) {
        char mine[60];
        snprintf(mine, sizeof(mine), "s%zu._domainkey.club.test", i);
        if (strcmp(name, mine) == 0)
            return snprintf(record_r, size, "%s", records[i]) > 0;
    }
    return false;
}

static int make_keys(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        struct buf pem;
        struct buf public;
        struct err err = {0};
        buf_init(&pem, 8192);
        buf_init(&public, 4096);
        enum key_algorithm how = i == 0 ? KEY_RSA : KEY_ED25519;
        CHECK(key_generate(how, 2048, &pem, &err) && key_read(buf_span(&pem), &keys[i], &err) && key_algorithm(keys[i]) == how);
        CHECK(key_public(keys[i], &public, &err));
        snprintf(records[i], sizeof(records[i]), "v=DKIM1; k=%s; p=%s", key_algorithm_name(how), buf_text(&public));
        for (size_t cut = 0; cut < pem.len; cut += 97) { /* half a key is none */
            struct key *half = NULL;
            CHECK(!key_read(span_first(buf_span(&pem), cut), &half, &err) && !half);
        }
        buf_fini(&pem);
        buf_fini(&public);
    }
    return 0;
}

static const char header[] = "From: <hello@club.test>\r\nTo: <b@dest.test>\r\nbcc: <secret@dest.test>\r\nSubject: Gr\xc3\xbc\xc3\x9f" "e\r\n"
                             "Return-Path: <x@club.test>\r\nSealpost-Stream: code\r\nSealpost-Metadata-User: secret\r\nMIME-Version: 1.0\r\n"
                             "Authentication-Results: mail.club.test; dkim=pass\r\nContent-Type: text/plain; charset=utf-8\r\n";
static const char text[] = "Gr\xc3\xbc\xc3\x9f" "e\r\n.dot\r\n  \r\n\r\n\r\n";

static struct compose_input input(struct body *b, unsigned hop)
{
    static struct signing_key pairs[2];
    for (size_t i = 0; i < 2; i++) {
        pairs[i].key = keys[i];
        snprintf(pairs[i].selector, sizeof(pairs[i].selector), "s%zu", i);
    }
    return (struct compose_input){.header = SPAN(header), .read_body = read_body, .rewind_body = rewind_body, .context = b,
                                  .header_has_utf8 = true, .body_has_8bit = true, .hostname = "mail.club.test", .id = "id1",
                                  .helo = SPAN("evil\r\nX: y"), .peer = SPAN("192.0.2.1"), .protocol = SPAN("ESMTPSA"), .trace_client = true,
                                  .created_ms = INT64_C(1700000000000), .hop_8bitmime = (hop & 1) != 0, .hop_smtputf8 = (hop & 2) != 0,
                                  .domain = "club.test", .keys = pairs, .key_count = 2};
}

/* The whole of what leaves, with the body as it was converted. */
static void write_out(struct compose_output *o, struct body *b, struct buf *out)
{
    struct buf none;
    buf_init(&none, 100000);
    buf_add(out, buf_span(&o->head));
    if (o->conversion) {
        sevenbit_write_header(o->conversion, &none);
        sevenbit_write(o->conversion, b->whole, out);
        sevenbit_write_end(o->conversion, out);
    } else {
        buf_add(out, b->whole);
    }
    buf_fini(&none);
}

static void what_leaves_verifies_and_hides(void **state)
{
    static const char *const hidden[] = {"secret", "Return-Path", "Sealpost-", "dkim=pass", "\r\nX: y", "bcc"};
    (void)state;
    for (unsigned hop = 0; hop < 4; hop++)
        for (size_t piece = 1; piece < 40; piece += 6) {
            struct body b = {SPAN(text), SPAN(text), piece, false};
            struct compose_input in = input(&b, hop);
            struct compose_output o;
            struct signing_result r;
            struct buf all;
            buf_init(&all, 100000);
            assert_int_equal(compose(&in, &o), COMPOSE_OK);
            write_out(&o, &b, &all);
            assert_int_equal(all.len, o.head.len + o.body.length);
            signing_verify(buf_span(&all), look_up, NULL, &r);
            EXPECT(r.pass && strcmp(r.domain, "club.test") == 0, r.text);
            for (size_t i = 0; i < COUNT_OF(hidden); i++)
                EXPECT(span_search(buf_span(&all), span_of(hidden[i])) == all.len, hidden[i]);
            assert_true(span_search(buf_span(&all), SPAN("\r\nDate: ")) < all.len && span_search(buf_span(&all), SPAN("\r\nMessage-ID: ")) < all.len);
            assert_true((hop & 2) || span_is_ascii(buf_span(&o.head)));
            assert_true((hop & 1) || span_is_ascii(span_from(buf_span(&all), o.head.len)));
            for (size_t i = 0; i < 2; i++) { /* a changed From, a changed body */
                char *at = i == 0 ? all.ptr + span_search(buf_span(&all), SPAN("hello@")) : all.ptr + o.head.len;
                *at ^= 1;
                signing_verify(buf_span(&all), look_up, NULL, &r);
                assert_false(r.pass);
                *at ^= 1;
            }
            buf_fini(&all);
            compose_fini(&o);
        }
}

static void what_cannot_be_signed_does_not_leave(void **state)
{
    (void)state;
    for (int way = 0; way < 3; way++) {
        struct body b = {SPAN(text), SPAN(text), 5, way == 0};
        struct compose_input in = input(&b, 3);
        struct compose_output o;
        in.key_count = way == 1 ? 0 : 2;
        in.header = way == 2 ? SPAN("From: <hello@club.test>\r\nTo: \xc3\xbc@dest.test\r\n") : in.header;
        in.hop_smtputf8 = way != 2;
        enum compose_result result = compose(&in, &o);
        assert_int_equal(result, way == 2 ? COMPOSE_NEVER : COMPOSE_FAULT);
        assert_true(way == 2 ? o.verdict.code == 550 : o.err.text[0] != '\0');
        assert_true(span_search(buf_span(&o.head), SPAN("DKIM-Signature")) == o.head.len);
        compose_fini(&o);
    }
}

static void addresses(void **state)
{
    static const struct {
        const char *text, *plain, *utf8; /* NULL: it is not said */
    } rows[] = {{"a@dest.test", "a@dest.test", "a@dest.test"},
                {"a@b\xc3\xbc" "cher.test", "a@xn--bcher-kva.test", "a@xn--bcher-kva.test"},
                {"\xc3\xbc@dest.test", NULL, "\xc3\xbc@dest.test"},
                {"\"a b\"@dest.test", "\"a b\"@dest.test", "\"a b\"@dest.test"},
                {"a@dest.test> SIZE=1", NULL, NULL},
                {"a@[192.0.2.1]", NULL, NULL},
                {"a\r\n@dest.test", NULL, NULL},
                {"", NULL, NULL}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        for (int utf8 = 0; utf8 < 2; utf8++) {
            const char *want = utf8 ? rows[i].utf8 : rows[i].plain;
            struct buf out;
            buf_init(&out, 600);
            enum compose_said said = compose_address(span_of(rows[i].text), utf8, &out);
            EXPECT((said == COMPOSE_SAID) == (want != NULL), rows[i].text);
            EXPECT(!want || strcmp(buf_text(&out), want) == 0, rows[i].text);
            buf_fini(&out);
        }
}

/* A report of whatever a server said, to whoever: lines that end in CRLF and are short, and one MIME tree. */
static void reports(void **state)
{
    char remote[400];
    char long_text[400];
    memset(remote, 'r', sizeof(remote));
    memset(long_text, '-', sizeof(long_text));
    (void)state;
    for (unsigned way = 0; way < 64; way++) {
        struct bounce_recipient r[2] = {
            {.action = BOUNCE_FAILED, .address = way & 1 ? SPAN("\xc3\xbc@dest.test") : SPAN("a@dest.test"),
             .original = way & 2 ? SPAN("rfc822;a+0D+0AX:+20y@dest.test") : SPAN("rfc822;+G"), .remote = {remote, way & 4 ? sizeof(remote) : 9},
             .heard = (way & 8) != 0},
            {.action = BOUNCE_DELAYED, .address = SPAN("c@dest.test"), .original = SPAN_NONE, .remote = SPAN_NONE}};
        r[0].answer = verdict_make(550, "5.1.1", "%.*s\r\n.\r\n%s", 300, long_text, "\xff\x01");
        struct bounce_input in = {.hostname = "mail.club.test", .from_domain = "club.test", .id = "038gsry944000", .to = SPAN("hello@club.test"),
                                  .envelope_id = way & 16 ? SPAN("a+0Ab") : SPAN_NONE, .header = SPAN(header), .body = SPAN(text),
                                  .full = (way & 32) != 0, .recipients = r, .count = 2};
        struct buf out;
        struct message_summary summary;
        size_t head = 0;
        buf_init(&out, 100000);
        assert_true(bounce_write(&in, &out));
        for (struct span rest = buf_span(&out); rest.len > 0;) {
            struct span line = span_take(&rest, '\n');
            assert_true(line.len > 0 && line.len <= MESSAGE_LINE_MAX + 1 && line.ptr[line.len - 1] == '\r');
            assert_true(span_find(span_first(line, line.len - 1), '\r') == line.len - 1);
        }
        assert_true(span_search(buf_span(&out), SPAN("\nX: y")) == out.len && message_header_length(buf_span(&out), &head));
        struct verdict v = message_check(span_first(buf_span(&out), head), false, &summary);
        EXPECT(v.what == VERDICT_ACCEPT, v.text);
        for (size_t limit = 0; limit < out.len; limit += 211) { /* half a report is none */
            struct buf small;
            buf_init(&small, limit);
            assert_false(bounce_write(&in, &small));
            buf_fini(&small);
        }
        buf_fini(&out);
    }
}

/* A copy for the next recipient: the body is not read for it, and it verifies; one that is converted is read all the same. */
static void what_is_known_of_a_body_serves_the_next_copy(void **state)
{
    (void)state;
    for (unsigned hop = 0; hop < 4; hop++) {
        struct body b = {SPAN(text), SPAN(text), 7, false};
        struct compose_input in = input(&b, hop | 1);
        struct compose_output first;
        struct compose_output next;
        struct signing_result r;
        struct buf all;
        buf_init(&all, 100000);
        assert_int_equal(compose(&in, &first), COMPOSE_OK);
        in = input(&b, hop);
        in.known[compose_form(&first)] = &first.body;
        b.fails = (hop & 1) != 0; /* whoever reads it hears so */
        assert_int_equal(compose(&in, &next), COMPOSE_OK);
        write_out(&next, &b, &all);
        assert_int_equal(all.len, next.head.len + next.body.length);
        signing_verify(buf_span(&all), look_up, NULL, &r);
        EXPECT(r.pass, r.text);
        assert_true((hop & 1) == 0 || memcmp(&first.body, &next.body, sizeof(first.body)) == 0);
        buf_fini(&all);
        compose_fini(&first);
        compose_fini(&next);
    }
}

/* One that is converted is not hashed again either: what is known of it in that form is believed, and of no other form. */
static void each_form_of_a_body_is_known_by_itself(void **state)
{
    (void)state;
    const struct compose_body other = {.length = 4711};
    for (unsigned hop = 0; hop < 4; hop++) {
        struct body b = {SPAN(text), SPAN(text), 7, false};
        struct compose_input in = input(&b, hop);
        struct compose_output out;
        assert_int_equal(compose(&in, &out), COMPOSE_OK);
        enum compose_form form = compose_form(&out);
        for (unsigned i = 0; i < COMPOSE_FORMS; i++)
            in.known[i] = i == form ? &out.body : &other;
        struct compose_output next;
        assert_int_equal(compose(&in, &next), COMPOSE_OK);
        assert_true(span_equal(buf_span(&next.head), buf_span(&out.head)));
        assert_true(next.body.length == out.body.length);
        compose_fini(&next);
        in.known[form] = &other;
        assert_int_equal(compose(&in, &next), COMPOSE_OK);
        assert_true(next.body.length == other.length);
        compose_fini(&next);
        compose_fini(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_form_of_a_body_is_known_by_itself),
        cmocka_unit_test(what_leaves_verifies_and_hides),
        cmocka_unit_test(what_is_known_of_a_body_serves_the_next_copy), cmocka_unit_test(what_cannot_be_signed_does_not_leave),
                                       cmocka_unit_test(addresses), cmocka_unit_test(reports)};
    int failed = cmocka_run_group_tests(tests, make_keys, NULL);
    for (size_t i = 0; i < COUNT_OF(keys); i++)
        key_free(keys[i]);
    return failed;
}
