// SPDX-License-Identifier: BSD-2-Clause
/* secret_test.c - What is sealed opens only as it was; hashes match their own secret only; base64 has one form. */
#include "table.h"

#include "base64.h"
#include "secret.h"

#include <string.h>
#include <time.h>

static void base64(void **state)
{
    static const char *const bad[] = {"A", "AA", "AAA", "AA=", "AA=A", "A===", "====", "AAAA=", "AA==AAAA", "AA ==", "AA\n==", "AA-_", "\xc3\xa4=="};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct buf out;
        buf_init(&out, 100);
        EXPECT(!base64_decode(span_of(bad[i]), &out), bad[i]);
        buf_fini(&out);
    }
    char bytes[64];
    for (size_t len = 0; len <= sizeof(bytes); len++) {
        struct buf text;
        struct buf back;
        secret_random(bytes, sizeof(bytes));
        buf_init(&text, 200);
        buf_init(&back, 200);
        assert_true(base64_encode((struct span){bytes, len}, &text));
        assert_int_equal(text.len, (len + 2) / 3 * 4);
        assert_true(base64_decode(buf_span(&text), &back) && span_equal(buf_span(&back), (struct span){bytes, len}));
        buf_fini(&text);
        buf_fini(&back);
    }
    struct buf small;
    buf_init(&small, 3);
    assert_false(base64_encode(SPAN("x"), &small));
    buf_fini(&small);
}

static void sealed(void **state)
{
    unsigned char key[SECRET_SEAL_KEY];
    unsigned char other[SECRET_SEAL_KEY];
    struct buf first;
    struct buf again;
    struct buf out;
    (void)state;
    secret_derive(SPAN("secret"), "one", key, sizeof(key));
    secret_derive(SPAN("secret"), "two", other, sizeof(other));
    assert_memory_not_equal(key, other, sizeof(key));
    buf_init(&first, 200);
    buf_init(&again, 200);
    buf_init(&out, 200);
    assert_true(secret_seal(key, SPAN("about"), SPAN("a text"), &first) && secret_seal(key, SPAN("about"), SPAN("a text"), &again));
    assert_true(span_equal(buf_span(&first), buf_span(&again)));
    assert_true(secret_unseal(key, SPAN("about"), buf_span(&first), &out) && span_equal(buf_span(&out), SPAN("a text")));
    assert_false(secret_unseal(key, SPAN("abouT"), buf_span(&first), &out) || secret_unseal(other, SPAN("about"), buf_span(&first), &out));
    for (size_t i = 0; i < 8 * first.len; i++) {
        first.ptr[i / 8] ^= (char)(1 << i % 8);
        assert_false(secret_unseal(key, SPAN("about"), buf_span(&first), &out));
        first.ptr[i / 8] ^= (char)(1 << i % 8);
    }
    for (size_t len = 0; len < first.len; len++)
        assert_false(secret_unseal(key, SPAN("about"), span_first(buf_span(&first), len), &out));
    assert_true(span_equal(buf_span(&out), SPAN("a text"))); /* nothing that is wrong was given away */
    buf_fini(&first);
    buf_fini(&again);
    buf_fini(&out);
}

static void passwords(void **state)
{
    char made[SECRET_TEXT];
    char generated[SECRET_HASH];
    char chosen[SECRET_HASH];
    struct err err = {0};
    (void)state;
    secret_generate(made);
    assert_int_equal(strlen(made), SECRET_TEXT - 1);
    assert_int_equal(strspn(made, "abcdefghijklmnopqrstuvwxyz0123456789"), SECRET_TEXT - 1);
    secret_hash_generated(span_of(made), generated);
    assert_true(secret_hash_chosen(SPAN("a long password"), chosen, &err));
    assert_true(!secret_is_slow(generated) && secret_is_slow(chosen) && secret_is_slow(secret_nobody));
    assert_true(secret_verify(generated, span_of(made)) && secret_verify(chosen, SPAN("a long password")));
    const struct span wrong[] = {SPAN(""), SPAN("a long passwor"), SPAN("a long password "), SPAN("a long password\0"), SPAN("A long password"),
                                 span_first(span_of(made), 31)};
    const char *const hashes[] = {generated, chosen, secret_nobody, "", "$", "$y$", "x", "sha256:", "$y$j9T$", "*0"};
    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        for (size_t k = 0; k < COUNT_OF(hashes); k++)
            EXPECT(!secret_verify(hashes[k], wrong[i]), hashes[k]);
}

static clock_t cost_of(const char *hash)
{
    clock_t began = clock();
    for (int i = 0; i < 5; i++)
        assert_false(secret_verify(hash, SPAN("a wrong password")));
    return clock() - began;
}

/* A name that is nobody's is not found out by the time that its password takes. */
static void nobody_costs_as_much_as_somebody(void **state)
{
    char chosen[SECRET_HASH];
    struct err err = {0};
    (void)state;
    assert_true(secret_hash_chosen(SPAN("a long password"), chosen, &err));
    clock_t somebody = cost_of(chosen);
    clock_t nobody = cost_of(secret_nobody);
    assert_true(nobody > somebody / 3 && nobody < somebody * 3);
    assert_int_equal(strlen(chosen), strlen(secret_nobody));
}

/* The same of pieces as of the whole. */
static void pieces(void **state)
{
    static const char text[] = "a text that is hashed in pieces of every length";
    static const unsigned char key[SECRET_GMAC_KEY] = "key";
    unsigned char whole[16];
    unsigned char tag[16];
    (void)state;
    secret_digest(span_of(text), whole);
    struct secret_gmac *g = secret_gmac_begin(key);
    secret_gmac_add(g, span_of(text));
    secret_gmac_end(g, tag);
    for (size_t cut = 0; cut <= strlen(text); cut++) {
        unsigned char parts[16];
        struct secret_hash *h = secret_hash_begin();
        secret_hash_add(h, span_first(span_of(text), cut));
        secret_hash_add(h, span_from(span_of(text), cut));
        secret_hash_end(h, parts);
        assert_memory_equal(parts, whole, sizeof(parts));
        g = secret_gmac_begin(key);
        secret_gmac_add(g, span_first(span_of(text), cut));
        secret_gmac_add(g, span_from(span_of(text), cut));
        secret_gmac_end(g, parts);
        assert_memory_equal(parts, tag, sizeof(parts));
    }
    struct secret_keyed *k = secret_keyed_new(SPAN("key"));
    unsigned char once[16];
    for (size_t i = 0; i < 3; i++) { /* nothing of one text is left for the next */
        secret_mac(SPAN("key"), span_first(span_of(text), 10 * i), once);
        secret_keyed_mac(k, span_first(span_of(text), 10 * i), tag);
        assert_memory_equal(once, tag, sizeof(tag));
    }
    secret_keyed_free(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(base64), cmocka_unit_test(sealed), cmocka_unit_test(passwords),
                                       cmocka_unit_test(nobody_costs_as_much_as_somebody), cmocka_unit_test(pieces)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
