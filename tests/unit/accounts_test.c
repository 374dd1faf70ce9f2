// SPDX-License-Identifier: BSD-2-Clause
/* accounts_test.c - Credentials, domains and keys as rows: what is added is read back whole, what is there or is missing
 * is said so and changes nothing, and whatever a name holds it is only a name.
 */
#include "store_stage.h"

#include "accounts.h"
#include "audit.h"
#include "db.h"

#include <sqlite3.h>
#include <stdlib.h>

static void with_database(store_on_change *run)
{
    struct err err = {0};
    if (!store_run_alone(place, run, NULL, &err))
        fail_msg("%s", err.text);
}

#define RUNS(name)                    \
    static void name(void **state)    \
    {                                 \
        (void)state;                  \
        with_database(in_##name);     \
    }

/* It must fail with that, and say what it was about. */
#define FAILS(call, wanted, word)                                          \
    do {                                                                   \
        *err = (struct err){0};                                            \
        assert_false(call);                                                \
        assert_int_equal(err->kind, wanted);                               \
        assert_non_null(strstr(err->text, word));                          \
        *err = (struct err){0};                                            \
    } while (0)

static struct database_user make_user(const char *name)
{
    struct database_user u = {.hash = "hash-1", .scram = "scram-1", .created_ms = 1234};
    snprintf(u.identity.name, sizeof(u.identity.name), "%s", name);
    snprintf(u.identity.tenant, sizeof(u.identity.tenant), "shop");
    snprintf(u.identity.allowed, sizeof(u.identity.allowed), "club.test *.club.test");
    return u;
}

static struct database_user read_one(struct database *db, const char *name)
{
    struct database_user u;
    struct err err = {0};
    if (!database_user(db, span_of(name), &u, &err))
        fail_msg("%s: %s", name, err.text);
    return u;
}

struct list {
    size_t count;
    char names[8][ADDRESS_MAX + 1], network[72];
    int64_t login_ms;
};

static void on_user(void *context, const struct database_user *user)
{
    struct list *l = context;
    if (l->count < 8)
        snprintf(l->names[l->count], sizeof(l->names[0]), "%s", user->identity.name);
    l->count++;
    if (user->network[0]) {
        snprintf(l->network, sizeof(l->network), "%s", user->network);
        l->login_ms = user->login_ms;
    }
}

/* ---- credentials ---- */

static bool in_a_credential_is_added_changed_and_deleted(struct database *db, void *context, struct err *err)
{
    struct database_user u = make_user("app");
    struct list l = {0};
    (void)context;
    snprintf(u.identity.stream, sizeof(u.identity.stream), "news");
    snprintf(u.identity.streams, sizeof(u.identity.streams), "news receipts");
    assert_true(database_add_user(db, &u, err));
    struct database_user back = read_one(db, "app");
    assert_memory_equal(&back.identity, &u.identity, sizeof(u.identity));
    assert_string_equal(back.hash, "hash-1");
    assert_string_equal(back.scram, "scram-1");
    assert_true(!back.disabled && back.created_ms == 1234 && back.network[0] == '\0');

    assert_true(database_set_secret(db, "app", "hash-2", NULL, err)); /* NULL keeps the old */
    back = read_one(db, "app");
    assert_string_equal(back.hash, "hash-2");
    assert_string_equal(back.scram, "scram-1");
    assert_true(database_set_secret(db, "app", NULL, "", err));
    back = read_one(db, "app");
    assert_string_equal(back.hash, "hash-2");
    assert_string_equal(back.scram, "");

    assert_true(database_set_disabled(db, "app", true, err) && read_one(db, "app").disabled);
    assert_true(database_set_secret(db, "app", "hash-3", NULL, err) && read_one(db, "app").disabled);
    assert_true(database_set_disabled(db, "app", false, err) && !read_one(db, "app").disabled);

    snprintf(u.identity.allowed, sizeof(u.identity.allowed), "*");
    snprintf(u.identity.tenant, sizeof(u.identity.tenant), "other"); /* it cannot move */
    assert_true(database_change_user(db, &u.identity, err));
    back = read_one(db, "app");
    assert_string_equal(back.identity.allowed, "*");
    assert_string_equal(back.identity.tenant, "shop");

    assert_true(database_add_login(db, "app", "192.0.2.0/24", 5, err));
    assert_true(database_delete_user(db, "app", err));
    FAILS(database_user(db, SPAN("app"), &back, err), ERR_NOT_FOUND, "no such credential");
    assert_true(database_add_user(db, &u, err)); /* a new one of that name has logged in from nowhere */
    assert_true(database_users(db, on_user, &l, err));
    assert_true(l.count == 1 && l.network[0] == '\0');
    return true;
}
RUNS(a_credential_is_added_changed_and_deleted)

static bool in_what_is_there_or_missing_is_said(struct database *db, void *context, struct err *err)
{
    struct database_user u = make_user("app");
    struct database_user back;
    (void)context;
    assert_true(database_add_user(db, &u, err));
    snprintf(u.hash, sizeof(u.hash), "of somebody else");
    FAILS(database_add_user(db, &u, err), ERR_NOT_FOUND, "app: a credential of that name exists already");
    assert_string_equal(read_one(db, "app").hash, "hash-1");
    u = make_user("nobody");
    FAILS(database_set_secret(db, "nobody", "x", "y", err), ERR_NOT_FOUND, "nobody: no such credential");
    FAILS(database_set_disabled(db, "nobody", true, err), ERR_NOT_FOUND, "nobody: no such credential");
    FAILS(database_change_user(db, &u.identity, err), ERR_NOT_FOUND, "nobody: no such credential");
    FAILS(database_delete_user(db, "nobody", err), ERR_NOT_FOUND, "nobody: no such credential");
    FAILS(database_user(db, SPAN(""), &back, err), ERR_NOT_FOUND, "no such credential");
    FAILS(database_user(db, SPAN("APP"), &back, err), ERR_NOT_FOUND, "no such credential");
    FAILS(database_user(db, SPAN("ap%"), &back, err), ERR_NOT_FOUND, "no such credential");
    FAILS(database_user(db, (struct span){"app\0x", 5}, &back, err), ERR_NOT_FOUND, "no such credential");
    return true;
}
RUNS(what_is_there_or_missing_is_said)

/* Names and texts are what they are, up to the longest. */
static bool in_hostile_names_are_names(struct database *db, void *context, struct err *err)
{
    char longest[ADDRESS_MAX + 1];
    char too_long[ADDRESS_MAX + 3];
    const char *const names[] = {"'; DROP TABLE credential; --", "%", "_", "*", "a\"b", "\xc5\xbe", "\xff\xfe", longest};
    struct database_user back;
    (void)context;
    memset(longest, 'x', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    memset(too_long, 'x', sizeof(too_long) - 1);
    too_long[sizeof(too_long) - 1] = '\0';
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        struct database_user u = make_user(names[i]);
        memset(u.identity.allowed, 'a', sizeof(u.identity.allowed) - 1);
        memset(u.identity.streams, 's', sizeof(u.identity.streams) - 1);
        memset(u.hash, 'h', sizeof(u.hash) - 1);
        memset(u.scram, 'k', sizeof(u.scram) - 1);
        u.created_ms = INT64_MAX;
        EXPECT(database_add_user(db, &u, err), names[i]);
    }
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        back = read_one(db, names[i]);
        assert_string_equal(back.identity.name, names[i]);
        assert_int_equal(strlen(back.identity.allowed), sizeof(back.identity.allowed) - 1);
        assert_int_equal(strlen(back.identity.streams), sizeof(back.identity.streams) - 1);
        assert_int_equal(strlen(back.hash), sizeof(back.hash) - 1);
        assert_int_equal(strlen(back.scram), sizeof(back.scram) - 1);
        assert_int_equal(back.created_ms, INT64_MAX);
    }
    FAILS(database_user(db, span_of(too_long), &back, err), ERR_NOT_FOUND, "no such credential");
    for (size_t i = 0; i < COUNT_OF(names); i++)
        assert_true(database_delete_user(db, names[i], err));
    struct list l = {0};
    assert_true(database_users(db, on_user, &l, err) && l.count == 0);
    return true;
}
RUNS(hostile_names_are_names)

/* What somebody has written into the file is cut to what fits. */
static bool in_a_row_that_is_too_long_is_cut(struct database *db, void *context, struct err *err)
{
    struct rows *s = NULL;
    char *text = calloc(1, 100001);
    (void)context;
    assert_non_null(text);
    memset(text, 'x', 100000);
    s = ROWS(db, SQL_ADD_USER, TEXT(text), TEXT(text), TEXT(text), TEXT(text), TEXT(text), INT(-1), TEXT(text), TEXT(text));
    assert_true(rows_run_one(db, s, err));
    struct list l = {0};
    assert_true(database_users(db, on_user, &l, err));
    assert_true(l.count == 1 && strlen(l.names[0]) == ADDRESS_MAX);
    free(text);
    return true;
}
RUNS(a_row_that_is_too_long_is_cut)

static bool in_lists_are_in_order_and_know_the_last_login(struct database *db, void *context, struct err *err)
{
    static const char *const names[] = {"c", "a", "b"};
    struct list l = {0};
    struct list bare = {0};
    (void)context;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        struct database_user u = make_user(names[i]);
        assert_true(database_add_user(db, &u, err));
    }
    assert_true(database_add_login(db, "b", "198.51.100.0/24", 20, err));
    assert_true(database_add_login(db, "b", "2001:db8::/64", 30, err));
    assert_true(database_add_login(db, "b", "192.0.2.0/24", 10, err));
    assert_true(database_users(db, on_user, &l, err));
    assert_true(l.count == 3 && l.names[0][0] == 'a' && l.names[1][0] == 'b' && l.names[2][0] == 'c');
    assert_string_equal(l.network, "2001:db8::/64");
    assert_int_equal(l.login_ms, 30);
    assert_true(database_credentials(db, on_user, &bare, err));
    assert_true(bare.count == 3 && bare.network[0] == '\0');
    return true;
}
RUNS(lists_are_in_order_and_know_the_last_login)

/* ---- logins ---- */

enum { NETWORKS = 64 };

struct logins {
    size_t count;
    int64_t first_ms, last_ms;
};

static void on_login(void *context, const char *name, const char *network, int64_t at_ms)
{
    struct logins *l = context;
    assert_true(name[0] && network[0] && at_ms >= l->last_ms);
    l->first_ms = l->count++ == 0 ? at_ms : l->first_ms;
    l->last_ms = at_ms;
}

static bool in_a_bounded_number_of_networks_is_kept(struct database *db, void *context, struct err *err)
{
    char network[40];
    struct logins l = {0};
    (void)context;
    for (int i = 0; i < 3 * NETWORKS; i++) {
        snprintf(network, sizeof(network), "10.%d.%d.0/24", i / 200, i % 200);
        assert_true(database_add_login(db, "app", network, 1000 + i, err));
        assert_true(database_add_login(db, "other", "192.0.2.0/24", 1000 + i, err)); /* of one, the latest */
    }
    assert_true(database_logins(db, 0, on_login, &l, err));
    assert_int_equal(l.count, NETWORKS + 1);
    assert_true(l.first_ms == 1000 + 2 * NETWORKS && l.last_ms == 1000 + 3 * NETWORKS - 1);
    l = (struct logins){0};
    assert_true(database_logins(db, 1000 + 3 * NETWORKS - 2, on_login, &l, err));
    assert_int_equal(l.count, 2);
    l = (struct logins){0};
    assert_true(database_logins(db, INT64_MAX, on_login, &l, err) && l.count == 0);
    return true;
}
RUNS(a_bounded_number_of_networks_is_kept)

/* All in one millisecond: as many stay. */
static bool in_many_logins_at_once_are_kept_too(struct database *db, void *context, struct err *err)
{
    char network[40];
    struct logins l = {0};
    (void)context;
    for (int i = 0; i < 2 * NETWORKS; i++) {
        snprintf(network, sizeof(network), "10.0.%d.0/24", i);
        assert_true(database_add_login(db, "app", network, 1000, err));
    }
    assert_true(database_logins(db, 0, on_login, &l, err));
    assert_int_equal(l.count, NETWORKS);
    return true;
}
RUNS(many_logins_at_once_are_kept_too)

/* ---- domains ---- */

static void on_domain(void *context, const struct database_domain *domain)
{
    char *text = context;
    size_t len = strlen(text);
    snprintf(text + len, 400 - len, "%s,%s,%lld,%d;", domain->name, domain->tenant, (long long)domain->created_ms,
             domain->captured);
}

static bool in_domains(struct database *db, void *context, struct err *err)
{
    const struct database_domain b = {"b.test", "shop", 7, true};
    const struct database_domain a = {"a'.test", "", INT64_MAX, false};
    char text[400] = "";
    bool is = false;
    (void)context;
    assert_true(database_add_domain(db, &b, err) && database_add_domain(db, &a, err));
    FAILS(database_add_domain(db, &b, err), ERR_NOT_FOUND, "b.test: the domain exists already");
    assert_true(database_domains(db, on_domain, text, err));
    assert_string_equal(text, "a'.test,,9223372036854775807,0;b.test,shop,7,1;");
    assert_true(database_is_domain(db, "b.test", &is, err) && is);
    assert_true(database_is_domain(db, "B.test", &is, err) && !is);
    assert_true(database_is_domain(db, "", &is, err) && !is);
    assert_true(database_capture_of(db, "b.test", err) && !database_capture_of(db, "a'.test", err));
    assert_true(!database_capture_of(db, "none.test", err) && err->kind == ERR_NONE);
    assert_true(database_set_captured(db, "b.test", false, err) && !database_capture_of(db, "b.test", err));
    FAILS(database_set_captured(db, "none.test", true, err), ERR_NOT_FOUND, "none.test: no such domain");
    FAILS(database_delete_domain(db, "none.test", err), ERR_NOT_FOUND, "none.test: no such domain");
    assert_true(database_delete_domain(db, "a'.test", err));
    assert_true(database_is_domain(db, "a'.test", &is, err) && !is);
    return true;
}
RUNS(domains)

/* ---- keys ---- */

static struct database_key make_key(const char *selector, enum key_algorithm algorithm, enum key_state state)
{
    struct database_key k = {.domain = "club.test",
                             .life = {.algorithm = algorithm, .state = state, .created_ms = 5, .since_ms = 6},
                             .public_key = "MIIB"};
    snprintf(k.life.selector, sizeof(k.life.selector), "%s", selector);
    return k;
}

static void on_key(void *context, const struct database_key *key)
{
    char *text = context;
    size_t len = strlen(text);
    snprintf(text + len, 400 - len, "%s:%s:%s ", key->life.selector, key_algorithm_name(key->life.algorithm),
             key_state_name(key->life.state));
}

static const char *keys_of(struct database *db, const char *domain)
{
    static char text[400];
    struct err err = {0};
    text[0] = '\0';
    assert_true(database_keys(db, domain, on_key, text, &err));
    return text;
}

/* Who begins to sign ends the others of its algorithm, of its domain; each step is an event and in the audit trail. */
static bool in_one_key_of_an_algorithm_signs(struct database *db, void *context, struct err *err)
{
    struct database_key one = make_key("one", KEY_RSA, KEY_ACTIVE);
    struct database_key two = make_key("two", KEY_RSA, KEY_PENDING);
    struct database_key ed = make_key("ed", KEY_ED25519, KEY_ACTIVE);
    struct database_key far = make_key("one", KEY_RSA, KEY_ACTIVE);
    int64_t seq = 0;
    (void)context;
    snprintf(far.domain, sizeof(far.domain), "other.test");
    assert_true(database_add_key(db, &one, err) && database_add_key(db, &two, err));
    assert_true(database_add_key(db, &ed, err) && database_add_key(db, &far, err));
    assert_true(database_audit_last(db, &seq, err) && seq == 4);
    two.life.state = KEY_ACTIVE;
    assert_true(database_key_step(db, &two, err));
    assert_string_equal(keys_of(db, "club.test"), "ed:ed25519:active one:rsa:retiring two:rsa:active ");
    assert_string_equal(keys_of(db, "other.test"), "one:rsa:active ");
    assert_true(database_audit_last(db, &seq, err) && seq == 6);
    assert_true(database_key_step(db, &two, err)); /* again: nobody else is touched */
    assert_true(database_audit_last(db, &seq, err) && seq == 7);
    ed.life.state = KEY_REVOKED;
    assert_true(database_set_key(db, &ed, err)); /* this one is no step */
    assert_true(database_audit_last(db, &seq, err) && seq == 7);
    assert_string_equal(keys_of(db, "club.test"), "ed:ed25519:revoked one:rsa:retiring two:rsa:active ");
    return true;
}
RUNS(one_key_of_an_algorithm_signs)

static bool in_keys_that_are_there_or_missing(struct database *db, void *context, struct err *err)
{
    struct database_key one = make_key("one", KEY_RSA, KEY_PENDING);
    struct database_key none = make_key("none", KEY_RSA, KEY_ACTIVE);
    const struct database_domain d = {"club.test", "shop", 7, false};
    (void)context;
    assert_true(database_add_domain(db, &d, err) && database_add_key(db, &one, err));
    FAILS(database_add_key(db, &one, err), ERR_NOT_FOUND, "one: a key of that selector exists already");
    FAILS(database_set_key(db, &none, err), ERR_NOT_FOUND, "none: no such key");
    FAILS(database_key_step(db, &none, err), ERR_NOT_FOUND, "none: no such key");
    FAILS(database_delete_key(db, "club.test", "none", err), ERR_NOT_FOUND, "none: no such key");
    FAILS(database_delete_key(db, "other.test", "one", err), ERR_NOT_FOUND, "one: no such key");
    assert_true(database_delete_domain(db, "club.test", err)); /* its keys go with it */
    assert_string_equal(keys_of(db, NULL), "");
    return true;
}
RUNS(keys_that_are_there_or_missing)

/* A state of a later version is no state of ours: such a key neither signs nor is stepped. */
static bool in_a_key_of_a_later_version_is_passed_over(struct database *db, void *context, struct err *err)
{
    struct rows *s = ROWS(db, SQL_ADD_KEY, TEXT("club.test"), TEXT("odd"), INT(KEY_RSA), TEXT("resting"), TEXT("p"), INT(1),
                          TEXT(""), INT(1));
    struct database_key two = make_key("two", KEY_RSA, KEY_ACTIVE);
    (void)context;
    assert_true(rows_run_one(db, s, err));
    assert_true(database_add_key(db, &two, err) && database_key_step(db, &two, err));
    assert_string_equal(keys_of(db, "club.test"), "two:rsa:active ");
    return true;
}
RUNS(a_key_of_a_later_version_is_passed_over)

/* ---- faults ---- */

/* A table that cannot be read is a fault of the store, and never "not found". */
static bool in_a_fault_is_not_a_missing_row(struct database *db, void *context, struct err *err)
{
    struct database_user u = make_user("app");
    struct list l = {0};
    bool is = false;
    (void)context;
    assert_true(database_add_user(db, &u, err));
    assert_true(rows_run(db, ROWS(db, SQL_DELETE_USER, TEXT("nobody")), err)); /* prepared, from before */
    assert_int_equal(sqlite3_exec(db->handle, "ALTER TABLE credential RENAME TO x; ALTER TABLE domain RENAME TO y", NULL,
                                  NULL, NULL), 0);
    FAILS(database_user(db, SPAN("app"), &u, err), ERR_STORE, "credential");
    FAILS(database_users(db, on_user, &l, err), ERR_STORE, "credential");
    FAILS(database_set_disabled(db, "app", true, err), ERR_STORE, "credential");
    FAILS(database_delete_user(db, "app", err), ERR_STORE, "credential");
    FAILS(database_is_domain(db, "club.test", &is, err), ERR_STORE, "domain");
    FAILS(database_capture_of(db, "club.test", err), ERR_STORE, "domain");
    assert_int_equal(sqlite3_exec(db->handle, "ALTER TABLE x RENAME TO credential; ALTER TABLE y RENAME TO domain", NULL,
                                  NULL, NULL), 0);
    return true;
}
RUNS(a_fault_is_not_a_missing_row)

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_credential_is_added_changed_and_deleted),
        TEST(what_is_there_or_missing_is_said),
        TEST(hostile_names_are_names),
        TEST(a_row_that_is_too_long_is_cut),
        TEST(lists_are_in_order_and_know_the_last_login),
        TEST(a_bounded_number_of_networks_is_kept),
        TEST(many_logins_at_once_are_kept_too),
        TEST(domains),
        TEST(one_key_of_an_algorithm_signs),
        TEST(keys_that_are_there_or_missing),
        TEST(a_key_of_a_later_version_is_passed_over),
        TEST(a_fault_is_not_a_missing_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
