// SPDX-License-Identifier: BSD-2-Clause
/* signing_test.c - What a DKIM signature holds (RFC 6376, 8301, 8463): every field that is signed,
 * and that there is no other; the body; the one key that made it. */
#include "table.h"

#include "fields.h"
#include "key.h"
#include "message.h"
#include "signing.h"

#include <stdlib.h>

static struct key *keys[2];
static char records[2][800];
static const char *wrong_record; /* in place of the first one's */

static bool look_up(void *context, const char *name, char *record_r, size_t size)
{
    (void)context;
    for (size_t i = 0; i < COUNT_OF(records); i++) {
        char mine[60];
        snprintf(mine, sizeof(mine), "s%zu._domainkey.club.test", i);
        if (strcmp(name, mine) == 0)
            return snprintf(record_r, size, "%s", i == 0 && wrong_record ? wrong_record : records[i]) > 0;
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
        bool ok = key_generate(i == 0 ? KEY_RSA : KEY_ED25519, 2048, &pem, &err) && key_read(buf_span(&pem), &keys[i], &err) &&
                  key_public(keys[i], &public, &err);
        snprintf(records[i], sizeof(records[i]), "v=DKIM1; k=%s; p=%s", i == 0 ? "rsa" : "ed25519", buf_text(&public));
        buf_fini(&pem);
        buf_fini(&public);
        if (!ok)
            return -1;
    }
    return 0;
}

static int free_keys(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(keys); i++)
        key_free(keys[i]);
    return 0;
}

/* The message with its signatures in front; the body is fed in pieces of so many octets. */
static void sign(const char *header, const char *body, size_t first, size_t count, size_t piece, struct buf *out)
{
    struct signing_key pairs[SIGNING_KEYS_MAX];
    struct signing *s = NULL;
    struct err err = {0};
    struct span rest = span_of(header);
    struct span left = span_of(body);
    struct field f;
    for (size_t i = 0; i < count; i++) {
        pairs[i].key = keys[first + i];
        snprintf(pairs[i].selector, sizeof(pairs[i].selector), "s%zu", first + i);
    }
    buf_init(out, 1024 * 1024);
    bool ok = signing_begin("club.test", pairs, count, &s, &err);
    while (ok && message_next_field(&rest, &f))
        ok = signing_field(s, f.raw, &err);
    ok = ok && signing_end_header(s, &err);
    while (ok && left.len > 0) {
        signing_body(s, span_first(left, piece));
        left = span_from(left, piece);
    }
    ok = ok && signing_finish(s, out, &err);
    EXPECT(ok, err.text);
    signing_free(s);
    buf_add(out, span_of(header));
    buf_add(out, SPAN("\r\n"));
    buf_add(out, span_of(body));
}

static bool passes(struct span message)
{
    struct signing_result result;
    signing_verify(message, look_up, NULL, &result);
    return result.pass;
}

static const char plain_header[] = "From: <hello@club.test>\r\nTo: <b@dest.test>\r\nSubject: a\r\n b\r\nX-Other: y\r\n";
static const char plain_body[] = "Hello\r\n.dot\r\n\r\nwith  blanks \r\n\r\n\r\n";

/* Each key alone and both, the body in pieces of any length, and none. */
static void what_is_signed_verifies(void **state)
{
    static const char *const bodies[] = {plain_body, "", "\r\n", "\r\n\r\n", "x\r\n"};
    (void)state;
    for (size_t first = 0; first < 2; first++)
        for (size_t count = 1; first + count <= 2; count++)
            for (size_t i = 0; i < COUNT_OF(bodies); i++)
                for (size_t piece = 1; piece < 40; piece += piece < 5 ? 1 : 13) {
                    struct buf message;
                    struct signing_result result;
                    sign(plain_header, bodies[i], first, count, piece, &message);
                    signing_verify(buf_span(&message), look_up, NULL, &result);
                    EXPECT(result.pass && strcmp(result.domain, "club.test") == 0, result.text);
                    buf_fini(&message);
                }
}

/* RFC 6376 section 5.4.2: a field named once more than it is there cannot be added. */
static void a_signed_field_can_be_neither_changed_nor_added(void **state)
{
    (void)state;
    for (size_t i = 0; fields_at(i); i++) {
        const struct field_rule *rule = fields_at(i);
        char header[400];
        char text[200];
        struct buf message;
        struct buf changed;
        bool is_signed = rule->fate == FIELD_SIGNED;
        snprintf(text, sizeof(text), "%.*s: <c@club.test>\r\n", SPAN_ARG(rule->name));
        snprintf(header, sizeof(header), "%sFrom: <hello@club.test>\r\n", span_equal(rule->name, SPAN("From")) ? "" : text);
        for (size_t there = 0; there < 2; there++) {
            sign(there ? header : "From: <hello@club.test>\r\n", plain_body, 0, 1, 100, &message);
            EXPECT(passes(buf_span(&message)), text);
            buf_init(&changed, 1024 * 1024);
            buf_add(&changed, span_of(text));
            buf_add(&changed, buf_span(&message));
            EXPECT(passes(buf_span(&changed)) == !is_signed, text);
            buf_fini(&message);
            buf_fini(&changed);
        }
    }
}

/* Every octet of what is signed, one after the other: its letters stand for themselves. */
static void a_changed_octet_breaks_it(void **state)
{
    struct buf message;
    (void)state;
    for (size_t first = 0; first < 2; first++) {
        sign(plain_header, plain_body, first, 1, 100, &message);
        char *text = message.ptr;
        size_t from = span_search(buf_span(&message), SPAN("<hello@"));
        assert_true(passes(buf_span(&message)));
        for (size_t i = from; i < message.len; i += 3) {
            bool other = i >= span_search(buf_span(&message), SPAN("X-Other")) && i < span_search(buf_span(&message), SPAN("\r\n\r\nHello"));
            if (text[i] < 'a' || text[i] > 'z' || other)
                continue;
            text[i] ^= 1;
            assert_false(passes(buf_span(&message)));
            text[i] ^= 1;
        }
        buf_fini(&message);
    }
}

/* RFC 6376 section 3.5: x= is t= and the lifetime; no l=, by which text could be added. */
static void its_tags(void **state)
{
    struct buf message;
    (void)state;
    sign(plain_header, plain_body, 0, 2, 100, &message);
    struct span field = span_first(buf_span(&message), span_search(buf_span(&message), SPAN("From: ")));
    const char *t = strstr(buf_text(&message), "t=");
    const char *x = strstr(buf_text(&message), "x=");
    assert_true(t && x && strtoll(x + 2, NULL, 10) - strtoll(t + 2, NULL, 10) == SIGNING_LIFETIME_S);
    assert_true(span_search(field, SPAN("a=rsa-sha256")) < field.len);
    assert_true(span_search(field, SPAN("a=ed25519-sha256")) < field.len);
    assert_true(span_search(field, SPAN("c=relaxed/relaxed")) < field.len);
    assert_true(span_search(field, SPAN(" l=")) == field.len && span_search(field, SPAN("X-Other")) == field.len);
    while (field.len > 0) { /* RFC 5322 section 2.1.1 */
        struct span line = span_take(&field, '\n');
        assert_true(line.len <= 999 && line.ptr[line.len - 1] == '\r');
    }
    buf_fini(&message);
}

static void what_dns_says_decides(void **state)
{
    static char revoked[] = "v=DKIM1; k=rsa; p=";
    struct buf message;
    struct signing_result result;
    (void)state;
    sign(plain_header, plain_body, 0, 1, 100, &message);
    wrong_record = revoked;
    assert_false(passes(buf_span(&message)));
    wrong_record = records[1];
    assert_false(passes(buf_span(&message)));
    wrong_record = "nothing of the kind";
    assert_false(passes(buf_span(&message)));
    wrong_record = NULL;
    assert_true(passes(buf_span(&message)));
    buf_fini(&message);
    signing_verify(SPAN("From: <a@club.test>\r\n\r\nHello\r\n"), look_up, NULL, &result);
    assert_true(!result.signature_found && !result.pass && result.text[0]);
    signing_verify(SPAN(""), look_up, NULL, &result);
    assert_true(!result.pass);
}

/* What has no room is no signature. */
static void a_field_without_room_is_a_fault(void **state)
{
    struct signing_key pair = {.key = keys[1], .selector = "s1"};
    struct signing *s = NULL;
    struct buf fields;
    struct err err = {0};
    (void)state;
    buf_init(&fields, 100);
    assert_true(signing_begin("club.test", &pair, 1, &s, &err));
    assert_true(signing_field(s, SPAN("From: <a@club.test>\r\n"), &err) && signing_end_header(s, &err));
    assert_false(signing_finish(s, &fields, &err));
    assert_int_equal(err.kind, ERR_LIMIT);
    signing_free(s);
    buf_fini(&fields);
    signing_free(NULL);
}

/* The library says so of a relaxed body; it would be signed in another form than it is sent. */
static void a_body_without_a_line_end_is_a_fault(void **state)
{
    struct signing_key pair = {.key = keys[1], .selector = "s1"};
    struct buf fields;
    (void)state;
    buf_init(&fields, 4096);
    for (size_t given_up = 0; given_up < 2; given_up++) {
        struct signing *s = NULL;
        struct err err = {0};
        assert_true(signing_begin("club.test", &pair, 1, &s, &err));
        assert_true(signing_field(s, SPAN("From: <a@club.test>\r\n"), &err) && signing_end_header(s, &err));
        signing_body(s, SPAN("Hello\r\nHello"));
        assert_true(given_up || (!signing_finish(s, &fields, &err) && err.kind == ERR_SYSTEM));
        signing_free(s);
    }
    assert_int_equal(fields.len, 0);
    buf_fini(&fields);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_signed_verifies),
        cmocka_unit_test(a_signed_field_can_be_neither_changed_nor_added),
        cmocka_unit_test(a_changed_octet_breaks_it),
        cmocka_unit_test(its_tags),
        cmocka_unit_test(what_dns_says_decides),
        cmocka_unit_test(a_field_without_room_is_a_fault),
        cmocka_unit_test(a_body_without_a_line_end_is_a_fault),
    };
    return cmocka_run_group_tests(tests, make_keys, free_keys);
}
