// SPDX-License-Identifier: BSD-2-Clause
/* keyring_test.c - Private keys: read off the loops, known from then on, looked at again after a
 * change of theirs and of no other's.
 */
#include "store_stage.h"

#include "keyring.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

struct stage {
    struct store *store;
    struct keyring *keyring;
};

static void change(struct store *store, store_on_change *what, void *context)
{
    assert_int_equal(run_change(store, what, context), STORE_CHANGED);
}

static bool add_key(struct database *db, void *context, struct err *err)
{
    return database_add_key(db, context, err);
}

static bool take_step(struct database *db, void *context, struct err *err)
{
    return database_key_step(db, context, err);
}

static bool remove_domain(struct database *db, void *context, struct err *err)
{
    return database_delete_domain(db, context, err);
}

static bool add_domain(struct database *db, void *context, struct err *err)
{
    return database_add_domain(db, &(struct database_domain){context, "default", 1, false}, err);
}

static struct database_key make_key(const char *domain, const char *selector, enum key_state state)
{
    struct err err = {0};
    struct buf public_key;
    struct database_key key = {.life = {.algorithm = KEY_ED25519, .state = state, .since_ms = 1}};
    buf_init(&public_key, 1000);
    snprintf(key.domain, sizeof(key.domain), "%s", domain);
    snprintf(key.life.selector, sizeof(key.life.selector), "%s", selector);
    assert_true(keyring_make(place, domain, selector, KEY_ED25519, 2048, &public_key, &err));
    snprintf(key.public_key, sizeof(key.public_key), "%s", buf_text(&public_key));
    buf_fini(&public_key);
    return key;
}

static struct stage begin(void)
{
    struct stage s = {.store = start()};
    static const char *const domains[] = {"club.test", "other.test"};
    for (size_t i = 0; i < COUNT_OF(domains); i++) {
        struct database_key key = make_key(domains[i], "s1", KEY_ACTIVE);
        change(s.store, add_domain, (void *)(uintptr_t)domains[i]);
        change(s.store, add_key, &key);
    }
    s.keyring = keyring_new(place, store_directory(s.store));
    return s;
}

static void end(struct stage *s)
{
    keyring_free(s->keyring);
    store_stop(s->store);
}

/* "s1", "s1 s2", or what is wrong. */
static const char *selectors(struct stage *s, const char *domain)
{
    static char text[400];
    struct keyring_loan loan;
    struct err err = {0};
    if (!keyring_find(s->keyring, domain, &loan, &err)) {
        snprintf(text, sizeof(text), "%s", err.text);
        return text;
    }
    text[0] = '\0';
    for (size_t i = 0; i < loan.count; i++) {
        size_t len = strlen(text);
        assert_non_null(loan.keys[i].key);
        snprintf(text + len, sizeof(text) - len, "%s%s", i ? " " : "", loan.keys[i].selector);
    }
    keyring_return(s->keyring, &loan);
    return text;
}

static void keys_are_read_by_a_load_and_by_nothing_else(void **state)
{
    (void)state;
    struct stage s = begin();
    assert_false(keyring_is_ready(s.keyring, "club.test"));
    assert_string_equal(selectors(&s, "club.test"), "keys of domain club.test are being read");
    assert_int_equal(keyring_verdict(s.keyring, "club.test").code, 451);
    keyring_load(s.keyring, "club.test");
    assert_true(keyring_is_ready(s.keyring, "club.test"));
    assert_string_equal(selectors(&s, "club.test"), "s1");
    assert_int_equal(keyring_verdict(s.keyring, "club.test").code, 250);
    assert_false(keyring_is_ready(s.keyring, "other.test"));
    end(&s);
}

static void a_domain_without_keys_that_sign_is_refused_without_a_load(void **state)
{
    (void)state;
    struct stage s = begin();
    struct database_key pending = make_key("new.test", "s1", KEY_PENDING);
    struct database_key retired = make_key("old.test", "s1", KEY_RETIRED);
    change(s.store, add_key, &pending);
    change(s.store, add_key, &retired);
    static const struct {
        const char *domain, *says;
    } rows[] = {{"new.test", "does not sign yet"},
                {"old.test", "are retired"},
                {"nowhere.test", "No DKIM key"}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_true(keyring_is_ready(s.keyring, rows[i].domain));
        struct verdict v = keyring_verdict(s.keyring, rows[i].domain);
        assert_int_equal(v.code, 550);
        assert_non_null(strstr(v.text, rows[i].says));
        keyring_load(s.keyring, rows[i].domain); /* changes nothing */
        assert_int_equal(keyring_verdict(s.keyring, rows[i].domain).code, 550);
    }
    end(&s);
}

static void a_refresh_is_of_one_domain(void **state)
{
    struct keyring_loan loan;
    struct err err = {0};
    (void)state;
    struct stage s = begin();
    keyring_load(s.keyring, "club.test");
    keyring_load(s.keyring, "other.test");
    assert_true(keyring_find(s.keyring, "club.test", &loan, &err));
    struct database_key next = make_key("club.test", "s2", KEY_PENDING);
    change(s.store, add_key, &next);
    next.life.state = KEY_ACTIVE;
    change(s.store, take_step, &next);
    keyring_refresh(s.keyring, "club.test");
    assert_false(keyring_is_ready(s.keyring, "club.test"));
    assert_true(keyring_is_ready(s.keyring, "other.test"));
    assert_string_equal(selectors(&s, "club.test"), "s1"); /* what is on its way */
    keyring_load(s.keyring, "club.test");
    assert_string_equal(selectors(&s, "club.test"), "s2");
    assert_string_equal(loan.keys[0].selector, "s1");
    keyring_return(s.keyring, &loan); /* frees it */
    keyring_refresh(s.keyring, NULL);
    assert_false(keyring_is_ready(s.keyring, "club.test"));
    assert_false(keyring_is_ready(s.keyring, "other.test"));
    end(&s);
}

static void what_could_not_be_read_is_read_when_it_can(void **state)
{
    char path[4096];
    (void)state;
    struct stage s = begin();
    keyring_path(place, "club.test", "s1", path);
    assert_int_equal(chmod(path, 0644), 0);
    keyring_load(s.keyring, "club.test");
    assert_false(keyring_is_ready(s.keyring, "club.test"));
    assert_non_null(strstr(selectors(&s, "club.test"), "can be read by others"));
    assert_int_equal(keyring_verdict(s.keyring, "club.test").code, 451);
    assert_int_equal(chmod(path, 0600), 0);
    keyring_load(s.keyring, "club.test");
    assert_true(keyring_is_ready(s.keyring, "club.test"));
    assert_int_equal(keyring_verdict(s.keyring, "club.test").code, 250);
    keyring_refresh(s.keyring, "club.test"); /* and the other way round */
    assert_int_equal(remove(path), 0);
    keyring_load(s.keyring, "club.test");
    assert_int_equal(keyring_verdict(s.keyring, "club.test").code, 451);
    end(&s);
}

static void a_removed_domain_signs_no_more(void **state)
{
    (void)state;
    struct stage s = begin();
    keyring_load(s.keyring, "club.test");
    change(s.store, remove_domain, (void *)(uintptr_t) "club.test");
    keyring_refresh(s.keyring, "club.test"); /* at once: its keys are gone from memory, too */
    assert_true(keyring_is_ready(s.keyring, "club.test"));
    assert_int_equal(keyring_verdict(s.keyring, "club.test").code, 550);
    assert_non_null(strstr(selectors(&s, "club.test"), "has no DKIM key"));
    keyring_load(s.keyring, "club.test");
    assert_int_equal(keyring_verdict(s.keyring, "club.test").code, 550);
    end(&s);
}

/* ---- several threads ---- */

static void *use(void *context)
{
    struct stage *s = context;
    for (unsigned i = 0; i < 200; i++) {
        struct keyring_loan loan;
        struct err err = {0};
        const char *domain = i % 3 ? "club.test" : "other.test";
        if (i % 8 == 0)
            keyring_refresh(s->keyring, i % 16 ? domain : NULL);
        if (!keyring_is_ready(s->keyring, domain))
            keyring_load(s->keyring, domain);
        CHECK(keyring_find(s->keyring, domain, &loan, &err) && loan.count == 1);
        keyring_return(s->keyring, &loan);
    }
    return NULL;
}

static void threads_share_it(void **state)
{
    pthread_t threads[4];
    (void)state;
    struct stage s = begin();
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, use, &s), 0);
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        pthread_join(threads[i], NULL);
    end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(keys_are_read_by_a_load_and_by_nothing_else, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_domain_without_keys_that_sign_is_refused_without_a_load,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_refresh_is_of_one_domain, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_could_not_be_read_is_read_when_it_can, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_removed_domain_signs_no_more, set_up, tear_down),
        cmocka_unit_test_setup_teardown(threads_share_it, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
