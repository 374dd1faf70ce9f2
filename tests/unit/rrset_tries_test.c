// SPDX-License-Identifier: BSD-2-Clause
/* rrset_tries_test.c - How many of an RRset's signatures are tried. */
#include "table.h"

#include "rrset_tries.h"

enum { NOW_S = 1000000, DAY_S = 24 * 3600 };

static size_t put(char *at, const char *bytes, size_t len)
{
    memcpy(at, bytes, len);
    return len;
}

static void put_number(char *at, uint32_t n)
{
    for (size_t i = 0; i < 4; i++)
        at[i] = (char)(n >> (24 - 8 * i));
}

/* An RRset of type MX at `owner` (in wire format), signed by evil.test. */
static struct rrset_signed make(const char *owner, const char *data, uint32_t inception, uint32_t expiration)
{
    char bytes[200] = {0, 15, 14};
    size_t len = 18;
    put_number(bytes + 8, expiration);
    put_number(bytes + 12, inception);
    len += put(bytes + len, "\4eVil\4Test", 11);
    len += put(bytes + len, owner, strlen(owner) + 1);
    len += put(bytes + len, "\0\17\0\1\0\0\1\0\0", 9);
    bytes[len++] = (char)strlen(data);
    len += put(bytes + len, data, strlen(data));
    struct rrset_signed what = rrset_signed_parse((struct span){bytes, len});
    for (size_t i = 0; i < len; i++) {
        struct span first = {bytes, i};
        assert_true(rrset_signed_parse(first).rrset == 0); /* cut short it is no RRset */
    }
    assert_true(what.rrset != 0);
    assert_string_equal(what.signer, "evil.test");
    return what;
}

static struct rrset_signed at(const char *owner)
{
    return make(owner, "mx", NOW_S - DAY_S, NOW_S + DAY_S);
}

/* How many of so many signatures are tried, when none fits? */
static unsigned tried(struct rrset_tries *t, struct rrset_signed what, bool fits, int64_t now_ms)
{
    unsigned count = 0;
    for (unsigned i = 0; i < 8; i++) {
        if (!rrset_tries_allow(t, &what, now_ms))
            continue;
        rrset_tries_note(t, &what, fits, now_ms, NOW_S);
        count++;
    }
    return count;
}

static void two_may_fail(void **state)
{
    struct rrset_tries t = {0};
    (void)state;
    assert_int_equal(tried(&t, at("\1a\4evil\4test"), false, 0), 2);
    assert_int_equal(tried(&t, at("\1a\4evil\4test"), false, 5), 0);
    assert_int_equal(tried(&t, at("\1b\4evil\4test"), false, 5), 2); /* another */
    assert_int_equal(tried(&t, at("\1a\4evil\4test"), false, 5), 2); /* in another answer */
    assert_int_equal(tried(&t, at("\1a\4evil\4test"), false, 50), 2);
    assert_int_equal(tried(&t, at("\1b\4evil\4test"), true, 50), 8);
}

/* A name of three labels may be signed for three wildcards. */
static void one_may_fail_for_a_wildcard(void **state)
{
    struct rrset_tries t = {0};
    (void)state;
    assert_int_equal(tried(&t, at("\1*\1a\4evil\4test"), false, 0), 1);
    assert_int_equal(tried(&t, at("\1*\4evil\4test"), false, 0), 0);
    assert_int_equal(tried(&t, at("\1a\1a\4evil\4test"), false, 0), 2);
    assert_int_equal(tried(&t, at("\1*"), false, 0), 0);
    assert_int_equal(tried(&t, make("\1*\1a\4evil\4test", "other", NOW_S, NOW_S), false, 0), 1);
}

static void one_that_is_not_valid_has_failed(void **state)
{
    static const struct {
        const char *label;
        uint32_t inception, expiration;
        unsigned tried;
    } rows[] = {
        {.label = "valid", .inception = NOW_S - DAY_S, .expiration = NOW_S + DAY_S, .tried = 8},
        {.label = "expired an hour ago", .inception = NOW_S - DAY_S, .expiration = NOW_S - 3600, .tried = 8},
        {.label = "expired before", .inception = NOW_S - 20000, .expiration = NOW_S - 3601, .tried = 2},
        {.label = "expired 2 hours ago, of 20", .inception = NOW_S - 80000, .expiration = NOW_S - 7200, .tried = 8},
        {.label = "expired 2 days ago", .inception = NOW_S - 90 * DAY_S / 10, .expiration = NOW_S - 2 * DAY_S, .tried = 2},
        {.label = "not valid yet", .inception = NOW_S + 4000, .expiration = NOW_S + 20000, .tried = 2},
        {.label = "never", .inception = NOW_S + 1, .expiration = NOW_S, .tried = 2},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct rrset_tries t = {0};
        struct rrset_signed what = make("\1a\4evil\4test", "mx", rows[i].inception, rows[i].expiration);
        EXPECT(tried(&t, what, true, 0) == rows[i].tried, rows[i].label);
    }
}

static void anything_else_has_no_limit(void **state)
{
    struct rrset_tries t = {0};
    struct rrset_signed other = {0};
    (void)state;
    assert_int_equal(tried(&t, other, false, 0), 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_may_fail),
        cmocka_unit_test(one_may_fail_for_a_wildcard),
        cmocka_unit_test(one_that_is_not_valid_has_failed),
        cmocka_unit_test(anything_else_has_no_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
