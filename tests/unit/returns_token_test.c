// SPDX-License-Identifier: BSD-2-Clause
/* returns_token_test.c - The address that mail comes back to: the same each time, read in any case, by old keys, too, and nobody
 * else's is taken for one of ours. */
#include "table.h"

#include "returns_token.h"

#include <ctype.h>

#define KEY_A "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE="
#define KEY_B "QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkI="
#define FIRST (INT64_C(1577836800000) << 16) /* 2020 */
#define NOW (INT64_C(1795850862000) << 16 | 5)
#define DOMAIN "bounce.club.example"

static void read_keys(const char *text, struct unsubscribe_keys *keys)
{
    struct err err = {0};
    assert_true(unsubscribe_keys_read(span_of(text), keys, &err));
}

static void there_and_back(void **state)
{
    static const struct returns_subject subjects[] = {
        {FIRST, 0}, {FIRST + ((INT64_C(1) << 56) - 1), RETURNS_TOKEN_NUMBER_MAX}, {FIRST + 0x2123456789, 99}, {NOW, 1}, {NOW, 255}, {NOW, 256}, {NOW, 9999}};
    struct unsubscribe_keys keys, rotated;
    (void)state;
    read_keys(KEY_A, &keys);
    read_keys(KEY_B "\n" KEY_A, &rotated);
    for (size_t i = 0; i < COUNT_OF(subjects); i++) {
        char address[ADDRESS_MAX + 1], again[ADDRESS_MAX + 1];
        struct returns_subject read;
        struct address parsed;
        returns_token_address(&keys, &subjects[i], DOMAIN, address);
        returns_token_address(&keys, &subjects[i], DOMAIN, again);
        assert_string_equal(address, again);
        assert_true(address_parse(span_of(address), &parsed));
        assert_int_equal(parsed.local.len, RETURNS_TOKEN_LOCAL);
        assert_true(returns_token_open(&keys, span_of(address), &read));
        assert_true(read.message == subjects[i].message && read.number == subjects[i].number );
        for (char *p = address; *p; p++)
            *p = (char)toupper((unsigned char)*p);
        assert_true(returns_token_seems(span_of(address)));
        assert_true(returns_token_open(&rotated, span_of(address), &read));
        assert_true(read.message == subjects[i].message && read.number == subjects[i].number );
    }
}

static void nobody_elses(void **state)
{
    struct unsubscribe_keys keys, others;
    struct returns_subject subject = {NOW, 1}, read;
    char address[ADDRESS_MAX + 1];
    (void)state;
    read_keys(KEY_A, &keys);
    read_keys(KEY_B, &others);
    returns_token_address(&others, &subject, DOMAIN, address);
    assert_false(returns_token_open(&keys, span_of(address), &read));
    returns_token_address(&keys, &subject, DOMAIN, address);
    for (size_t i = 2; i < strlen(address); i++) { /* each letter counts, and the domain */
        char kept = address[i];
        address[i] = kept == 'a' ? 'b' : 'a';
        assert_false(returns_token_open(&keys, span_of(address), &read));
        address[i] = kept;
        assert_false(returns_token_open(&keys, span_first(span_of(address), i), &read));
    }
    returns_token_address(&keys, &subject, "bounce.shop.example", address);
    memcpy(strchr(address, '@'), "@" DOMAIN, sizeof("@" DOMAIN));
    assert_false(returns_token_open(&keys, span_of(address), &read));
    static const char *const wrong[] = {"", "@", "b-@" DOMAIN, "bob@" DOMAIN, "b-11111111111111111111111111111111@" DOMAIN,
                                        "b-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        assert_false(returns_token_seems(span_of(wrong[i])));
}

/* What stands where, as other programs may read it. */
static void its_octets(void **state)
{
    static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz234567";
    struct unsubscribe_keys keys;
    const struct returns_subject subject = {FIRST + 0x12123456789abc, 99};
    char address[ADDRESS_MAX + 1];
    unsigned char bytes[20] = {0};
    (void)state;
    read_keys(KEY_A, &keys);
    returns_token_address(&keys, &subject, DOMAIN, address);
    for (size_t bit = 0; bit < 160; bit++)
        if ((strchr(alphabet, address[2 + bit / 5]) - alphabet) >> (4 - bit % 5) & 1)
            bytes[bit / 8] |= (unsigned char)(128 >> bit % 8);
    assert_int_equal(bytes[0], 0x11);
    assert_int_equal(bytes[1], keys.keys[0].id);
    for (size_t i = 0; i < 7; i++)
        assert_int_equal(bytes[2 + i], (unsigned char)(INT64_C(0x12123456789abc) >> (48 - 8 * i)));
    assert_int_equal(bytes[9], 99);
}

/* Those of the first 256 are what they were; the number of others is spread over two octets. */
static void a_high_number_is_in_the_kind(void **state)
{
    struct unsubscribe_keys keys;
    struct returns_subject read;
    char low[ADDRESS_MAX + 1], high[ADDRESS_MAX + 1];
    (void)state;
    read_keys(KEY_A, &keys);
    for (unsigned n = 0; n < 64; n++) {
        returns_token_address(&keys, &(struct returns_subject){NOW, n << 8 | 7}, DOMAIN, high);
        assert_true(returns_token_open(&keys, span_of(high), &read));
        assert_int_equal(read.number, n << 8 | 7);
    }
    returns_token_address(&keys, &(struct returns_subject){NOW, 7}, DOMAIN, low);
    assert_memory_equal(low, "b-ce", 4);
    memcpy(high, low, 5); /* another's kind */
    assert_false(returns_token_open(&keys, span_of(high), &read));
}

static void what_has_none(void **state)
{
    const struct returns_subject wide[] = {{FIRST + (INT64_C(1) << 56), 0}, {NOW, RETURNS_TOKEN_NUMBER_MAX + 1}, {FIRST - 1, 0}, {-1, 0}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(wide); i++)
        assert_false(returns_token_fits(&wide[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_and_back),
        cmocka_unit_test(nobody_elses),
        cmocka_unit_test(its_octets),
        cmocka_unit_test(a_high_number_is_in_the_kind),
        cmocka_unit_test(what_has_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
