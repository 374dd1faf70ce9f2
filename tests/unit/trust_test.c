// SPDX-License-Identifier: BSD-2-Clause
/* trust_test.c - Which connection may carry which mail, and what has one name. */
#include "table.h"

#include "trust.h"

static struct trust make(enum trust_level level, bool named, const char *user, const char *password, uint64_t settings)
{
    struct trust t = {.level = level, .named = named, .settings = settings};
    trust_login(span_of(user), span_of(password), t.login);
    return t;
}

static void covering(void **state)
{
    (void)state;
    for (int proven = TRUST_CLEAR; proven <= TRUST_VERIFIED; proven++)
        for (int demanded = TRUST_CLEAR; demanded <= TRUST_VERIFIED; demanded++) {
            struct trust a = make((enum trust_level)proven, false, "", "", 1);
            struct trust b = make((enum trust_level)demanded, false, "", "", 1);
            assert_int_equal(trust_covers(&a, &b), proven >= demanded);
        }
}

static void differences(void **state)
{
    static const struct {
        const char *label;
        bool named;
        const char *user, *password;
        uint64_t settings;
        bool same_key;
    } rows[] = {
        {"named by DNS only", false, "app", "secret", 7, false},
        {"another user", true, "ap", "secret", 7, false},
        {"another password", true, "app", "secre", 7, false},
        {"the same bytes, split elsewhere", true, "apps", "ecret", 7, false},
        {"nobody", true, "", "secret", 7, false},
        {"settings of before", true, "app", "secret", 6, true},
    };
    char key[TRUST_KEY];
    char other[TRUST_KEY];
    (void)state;
    struct trust demanded = make(TRUST_ENCRYPTED, true, "app", "secret", 7);
    trust_key(&demanded, key);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct trust t = make(TRUST_VERIFIED, rows[i].named, rows[i].user, rows[i].password, rows[i].settings);
        EXPECT(!trust_covers(&t, &demanded), rows[i].label);
        t.level = TRUST_ENCRYPTED;
        EXPECT(!trust_covers(&t, &demanded), rows[i].label);
        trust_key(&t, other);
        EXPECT((strcmp(key, other) == 0) == rows[i].same_key, rows[i].label);
    }
    struct trust verified = make(TRUST_VERIFIED, true, "app", "secret", 7);
    assert_true(trust_covers(&verified, &demanded));
    trust_key(&verified, other);
    assert_string_not_equal(key, other); /* what a demand for more has spoiled is not this one's */
}

static void what_dnssec_demands_is_proven_or_not(void **state)
{
    struct trust demanded = make(TRUST_ENCRYPTED, false, "", "", 7);
    struct trust proven = demanded;
    char key[TRUST_KEY];
    char other[TRUST_KEY];
    char text[TRUST_LABEL];
    (void)state;
    trust_key(&demanded, key);
    demanded.host[3] = 1;
    assert_false(trust_covers(&proven, &demanded));
    proven.host[3] = 2;
    assert_false(trust_covers(&proven, &demanded));
    proven.host[3] = 1;
    assert_true(trust_covers(&proven, &demanded));
    trust_key(&demanded, other);
    assert_string_equal(key, other); /* a destination is known before its hosts' records are */
    demanded.host[3] = 0;
    assert_true(trust_covers(&proven, &demanded));
    proven.level = TRUST_CLEAR;
    assert_false(trust_covers(&proven, &demanded));
    proven.level = TRUST_VERIFIED;
    demanded.dane = DANE_MODE_OFF; /* nobody has looked */
    assert_false(trust_covers(&proven, &demanded));
    assert_false(trust_covers(&demanded, &proven));
    trust_key(&demanded, other);
    assert_string_not_equal(key, other);
    trust_label(&demanded, text);
    assert_string_equal(text, "require no-dane");
    demanded.dane = DANE_MODE_REPORT;
    trust_label(&demanded, text);
    assert_string_equal(text, "require dane-report");
}

static void labels(void **state)
{
    static const struct {
        const char *label;
        enum trust_level level;
        bool named;
        const char *user, *says;
    } rows[] = {
        {"nothing", TRUST_CLEAR, false, "", ""},
        {"encryption", TRUST_ENCRYPTED, false, "", "require"},
        {"a certificate", TRUST_VERIFIED, false, "", "verify"},
        {"a smart host", TRUST_CLEAR, true, "", "smarthost"},
        {"a smart host's certificate", TRUST_VERIFIED, true, "", "verify smarthost"},
        {"a login", TRUST_VERIFIED, true, "app", "verify smarthost login-"},
    };
    char text[TRUST_LABEL];
    char other[TRUST_LABEL];
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct trust t = make(rows[i].level, rows[i].named, rows[i].user, "secret", 7);
        trust_label(&t, text);
        size_t len = strlen(rows[i].says);
        EXPECT(strncmp(text, rows[i].says, len) == 0, rows[i].label);
        EXPECT(strlen(text) == len + (*rows[i].user ? 8 : 0), rows[i].label);
    }
    struct trust other_password = make(TRUST_VERIFIED, true, "app", "secre", 7);
    trust_label(&other_password, other);
    assert_string_equal(text, other); /* it tells nothing of the password */
    struct trust other_user = make(TRUST_VERIFIED, true, "apq", "secret", 7);
    trust_label(&other_user, other);
    assert_string_not_equal(text, other);
}

/* A destination's label tells which mail of a domain leads there: exactly one kind, unless the route demands as much. */
static void labels_tell_needs(void **state)
{
    char text[TRUST_LABEL];
    (void)state;
    for (int level = TRUST_CLEAR; level <= TRUST_VERIFIED; level++) {
        const struct trust route = make((enum trust_level)level, true, "app", "secret", 7);
        for (int need = TLS_NEED_NONE; need < TLS_NEEDS; need++) {
            const struct trust demanded = trust_for(&route, (enum tls_need)need);
            trust_label(&demanded, text);
            for (int other = TLS_NEED_NONE; other < TLS_NEEDS; other++) {
                const struct trust others = trust_for(&route, (enum tls_need)other);
                bool leads = (trust_label_needs(span_of(text)) & 1U << other) != 0;
                assert_int_equal(leads, others.need == demanded.need);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(covering), cmocka_unit_test(differences), cmocka_unit_test(what_dnssec_demands_is_proven_or_not), cmocka_unit_test(labels), cmocka_unit_test(labels_tell_needs)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
