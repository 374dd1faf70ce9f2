// SPDX-License-Identifier: BSD-2-Clause
/* unsubscribe_test.c - Tokens open only as they were made; URLs; what an application may set itself. */
#include "table.h"

#include "unsubscribe.h"

#define KEY_A "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define KEY_B "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8="

static const struct unsubscribe_subject bob = {"default", "news", "Bob+x@dest.test"};

static void read_keys(const char *text, struct unsubscribe_keys *keys)
{
    struct err err = {0};
    assert_true(unsubscribe_keys_read(span_of(text), keys, &err));
}

static void make(const struct unsubscribe_keys *keys, const struct unsubscribe_subject *subject, char *token_r, size_t size)
{
    struct buf b;
    buf_init(&b, UNSUBSCRIBE_TOKEN_MAX);
    assert_true(unsubscribe_token(keys, subject, &b));
    assert_true(span_copy(buf_span(&b), token_r, size));
    buf_fini(&b);
}

static void what_is_made_opens(void **state)
{
    struct unsubscribe_keys keys;
    struct unsubscribe_subject again;
    char token[UNSUBSCRIBE_TOKEN_MAX + 1];
    char twice[UNSUBSCRIBE_TOKEN_MAX + 1];
    struct unsubscribe_subject longest = {0};
    (void)state;
    read_keys(KEY_A "\n", &keys);
    make(&keys, &bob, token, sizeof(token));
    make(&keys, &bob, twice, sizeof(twice));
    assert_string_equal(token, twice);
    assert_true(unsubscribe_open(&keys, span_of(token), &again));
    assert_string_equal(again.tenant, "default");
    assert_string_equal(again.stream, "news");
    assert_string_equal(again.recipient, "Bob+x@dest.test");
    assert_null(strstr(token, "Bob"));
    assert_true(strlen(token) < 100);
    assert_int_equal(strspn(token, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"), strlen(token));
    memset(longest.tenant, 't', sizeof(longest.tenant) - 1);
    memset(longest.stream, 's', sizeof(longest.stream) - 1);
    memset(longest.recipient, 'r', sizeof(longest.recipient) - 1);
    make(&keys, &longest, token, sizeof(token));
    assert_true(unsubscribe_open(&keys, span_of(token), &again));
    assert_string_equal(again.recipient, longest.recipient);
}

static void old_keys_open_and_new_ones_make(void **state)
{
    struct unsubscribe_keys old;
    struct unsubscribe_keys both;
    struct unsubscribe_keys other;
    struct unsubscribe_subject again;
    char token[UNSUBSCRIBE_TOKEN_MAX + 1];
    char fresh[UNSUBSCRIBE_TOKEN_MAX + 1];
    (void)state;
    read_keys(KEY_A, &old);
    read_keys(KEY_B "\r\n\n" KEY_A "\n", &both);
    read_keys(KEY_B, &other);
    make(&old, &bob, token, sizeof(token));
    make(&both, &bob, fresh, sizeof(fresh));
    assert_string_not_equal(token, fresh);
    assert_true(unsubscribe_open(&both, span_of(token), &again));
    assert_true(unsubscribe_open(&both, span_of(fresh), &again));
    assert_false(unsubscribe_open(&other, span_of(token), &again));
    assert_string_equal(again.recipient, "");
}

/* Every other character at every place, every length, two tokens with their ends exchanged. */
static void what_others_make_does_not_open(void **state)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    struct unsubscribe_keys keys;
    struct unsubscribe_subject again;
    struct unsubscribe_subject amy = {"default", "news", "Amy+x@dest.test"};
    char token[UNSUBSCRIBE_TOKEN_MAX + 1];
    char other[UNSUBSCRIBE_TOKEN_MAX + 1];
    size_t opened = 0;
    (void)state;
    read_keys(KEY_A, &keys);
    make(&keys, &bob, token, sizeof(token));
    make(&keys, &amy, other, sizeof(other));
    size_t len = strlen(token);
    assert_int_equal(len, strlen(other));
    for (size_t i = 0; i < len; i++) {
        char was = token[i];
        for (size_t k = 0; k < 64; k++) {
            token[i] = alphabet[k];
            opened += token[i] != was && unsubscribe_open(&keys, span_of(token), &again);
        }
        token[i] = was;
        assert_false(unsubscribe_open(&keys, span_first(span_of(token), i), &again));
        char mixed[UNSUBSCRIBE_TOKEN_MAX + 1];
        memcpy(mixed, token, i);
        memcpy(mixed + i, other + i, len - i + 1);
        if (strcmp(mixed, token) != 0 && strcmp(mixed, other) != 0)
            assert_false(unsubscribe_open(&keys, span_of(mixed), &again));
    }
    assert_int_equal(opened, 0);
    assert_false(unsubscribe_open(&keys, SPAN(""), &again));
    assert_false(unsubscribe_open(&keys, SPAN("AAAA"), &again));
    assert_false(unsubscribe_open(&keys, SPAN("%00../../x"), &again));
}

static void keys_are_whole(void **state)
{
    static const char *const wrong[] = {"", "\n", "abc", KEY_A "x", "AAAA", KEY_A "\nAAAA"};
    struct unsubscribe_keys keys;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        struct err err = {0};
        EXPECT(!unsubscribe_keys_read(span_of(wrong[i]), &keys, &err), wrong[i]);
    }
}

static void templates(void **state)
{
    static const struct {
        const char *template, *url;
    } rows[] = {{"https://a.test/u?t={token}", "https://a.test/u?t=TOKEN"},
                {"https://a.test/{stream}/{recipient}", "https://a.test/news/Bob%2Bx%40dest.test"},
                {"https://a.test/{tenant}{other}", "https://a.test/default{other}"},
                {"http://a.test/", NULL},
                {"https://a.test/ x", NULL},
                {"https://a.test/>\r\nBcc: x", NULL},
                {"javascript:x", NULL}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct buf b;
        buf_init(&b, 2000);
        bool ok = unsubscribe_url(rows[i].template, SPAN("TOKEN"), &bob, &b);
        EXPECT(ok == (rows[i].url != NULL), rows[i].template);
        if (ok)
            EXPECT(strcmp(buf_text(&b), rows[i].url) == 0, rows[i].template);
        buf_fini(&b);
    }
}

static void what_an_application_sets(void **state)
{
    static const struct {
        const char *header;
        bool ok;
    } rows[] = {{"Subject: x\r\n", true},
                {"List-Unsubscribe: <https://a.test/u>\r\n", true},
                {"List-Unsubscribe: <mailto:u@a.test>\r\n", true},
                {"List-Unsubscribe: <mailto:u@a.test>,\r\n <https://a.test/u>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n", true},
                {"List-Unsubscribe: <mailto:u@a.test>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n", false},
                {"List-Unsubscribe: <http://a.test/u>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n", false},
                {"List-Unsubscribe: <https://a.test/u>\r\nList-Unsubscribe-Post: yes\r\n", false},
                {"List-Unsubscribe: <https://a.test/u>\r\nList-Unsubscribe: <https://b.test/u>\r\n", false},
                {"List-Unsubscribe: https://a.test/u\r\n", false},
                {"List-Unsubscribe: <https://a.test/u\r\n", false},
                {"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n", true}}; /* alone it is removed */
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        EXPECT((unsubscribe_check(span_of(rows[i].header)).what == VERDICT_ACCEPT) == rows[i].ok, rows[i].header);
}

static bool permitted(const struct unsubscribe_keys *keys, const char *text, const struct unsubscribe_permit *scope, int64_t now_ms)
{
    struct unsubscribe_permit p = *scope;
    p.made_ms = 7;
    bool ok = unsubscribe_permitted(keys, span_of(text), now_ms, &p);
    assert_int_equal(p.made_ms, ok ? 1000000 : 0);
    return ok;
}

/* A permit is good for what it was made for, for a day, and no token is one. */
static void permits(void **state)
{
    static const struct unsubscribe_permit scopes[] = {
        {"default", "news", "bob@dest.test", 1000000, false},  {"default", "", "bob@dest.test", 1000000, false},
        {"", "", "bob@dest.test", 1000000, false},             {"default", "news", "amy@dest.test", 1000000, false},
        {"default", "party", "bob@dest.test", 1000000, false}, {"defaultnews", "", "bob@dest.test", 1000000, false}};
    enum { DAY_MS = 24 * 3600 * 1000 };
    struct unsubscribe_keys keys;
    struct unsubscribe_keys other;
    struct unsubscribe_keys both;
    struct unsubscribe_subject subject;
    char token[UNSUBSCRIBE_TOKEN_MAX + 1];
    (void)state;
    read_keys(KEY_A, &keys);
    read_keys(KEY_B, &other);
    read_keys(KEY_B "\n" KEY_A, &both);
    make(&keys, &bob, token, sizeof(token));
    for (size_t i = 0; i < COUNT_OF(scopes); i++) {
        struct buf b;
        char name[UNSUBSCRIBE_PERMIT_NAME];
        buf_init(&b, UNSUBSCRIBE_PERMIT_MAX);
        assert_true(unsubscribe_permit(&keys, &scopes[i], &b));
        const char *text = buf_text(&b);
        unsubscribe_permit_name(&scopes[i], name);
        assert_int_equal(strlen(name), 24);
        for (size_t k = 0; k < COUNT_OF(scopes); k++) {
            char another[UNSUBSCRIBE_PERMIT_NAME];
            unsubscribe_permit_name(&scopes[k], another);
            assert_true((strcmp(name, another) == 0) == (i == k));
            assert_true(permitted(&keys, text, &scopes[k], 1000000) == (i == k));
        }
        assert_true(permitted(&both, text, &scopes[i], 1000000 + DAY_MS - 1));
        assert_false(permitted(&keys, text, &scopes[i], 1000000 + DAY_MS));
        assert_false(permitted(&keys, text, &scopes[i], 999999)); /* from the future */
        assert_false(permitted(&other, text, &scopes[i], 1000000));
        assert_false(permitted(&keys, token, &scopes[i], 1000000));
        assert_false(unsubscribe_open(&keys, span_of(text), &subject));
        buf_fini(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_made_opens),
        cmocka_unit_test(old_keys_open_and_new_ones_make),
        cmocka_unit_test(what_others_make_does_not_open),
        cmocka_unit_test(keys_are_whole),
        cmocka_unit_test(templates),
        cmocka_unit_test(what_an_application_sets),
        cmocka_unit_test(permits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
