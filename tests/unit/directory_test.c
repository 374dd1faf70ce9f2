// SPDX-License-Identifier: BSD-2-Clause
/* directory_test.c - The accounts in memory: what a change ends, and that it touches nothing else.
 */
#include "store_stage.h"

#include "db.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <time.h>

enum { CREDENTIALS = 100000 };

/* ---- jobs ---- */

static bool ask(struct store *store, store_on_change *what, void *context)
{
    return run_change(store, what, context) == STORE_CHANGED;
}

static bool add_user(struct database *db, const char *name, const char *allowed, struct err *err)
{
    struct database_user u = {.hash = "sha256$00", .scram = "SCRAM-SHA-256$1:a$b:c"};
    snprintf(u.identity.name, sizeof(u.identity.name), "%s", name);
    snprintf(u.identity.tenant, sizeof(u.identity.tenant), "default");
    snprintf(u.identity.allowed, sizeof(u.identity.allowed), "%s", allowed);
    return database_add_user(db, &u, err);
}

static bool add_domain(struct database *db, const char *name, struct err *err)
{
    struct database_key key = {.life = {.selector = "s1", .state = KEY_ACTIVE, .created_ms = 1}};
    snprintf(key.domain, sizeof(key.domain), "%s", name);
    snprintf(key.public_key, sizeof(key.public_key), "key of %s", name);
    return database_add_domain(db, &(struct database_domain){name, "default", 1, false}, err) &&
           database_add_key(db, &key, err);
}

static bool add_a_few(struct database *db, void *context, struct err *err)
{
    (void)context;
    return add_domain(db, "club.test", err) && add_domain(db, "other.test", err) &&
           add_user(db, "app", "club.test", err) &&
           add_user(db, "two", "a@club.test other.test", err) &&
           add_user(db, "wide", "* *.club.test", err) && add_user(db, "other", "other.test", err);
}

static struct credential *find(struct store *store, const char *name)
{
    struct database_user user;
    return directory_find(store_directory(store), span_of(name), &user);
}

/* ---- what ends a credential ---- */

static bool disable(struct database *db, void *context, struct err *err)
{
    return database_set_disabled(db, context, true, err);
}

static bool enable(struct database *db, void *context, struct err *err)
{
    return database_set_disabled(db, context, false, err);
}

static bool rotate(struct database *db, void *context, struct err *err)
{
    return database_set_secret(db, context, "sha256$11", "", err);
}

static bool change_rules(struct database *db, void *context, struct err *err)
{
    struct database_user u;
    if (!database_user(db, span_of(context), &u, err))
        return false;
    snprintf(u.identity.allowed, sizeof(u.identity.allowed), "other.test");
    return database_change_user(db, &u.identity, err);
}

static bool delete_user(struct database *db, void *context, struct err *err)
{
    return database_delete_user(db, context, err);
}

static bool remove_domain(struct database *db, void *context, struct err *err)
{
    return database_delete_domain(db, context, err);
}

static bool disable_and_enable(struct database *db, void *context, struct err *err)
{
    return disable(db, context, err) && enable(db, context, err);
}

static bool capture(struct database *db, void *context, struct err *err)
{
    return database_set_captured(db, context, true, err);
}

static bool disable_and_fail(struct database *db, void *context, struct err *err)
{
    return disable(db, context, err) && err_set(err, ERR_USAGE, "after all not");
}

static void a_change_ends_what_it_is_about_and_nothing_else(void **state)
{
    static const char *const names[] = {"app", "two", "wide", "other"};
    static const struct {
        const char *label;
        store_on_change *what;
        const char *about;
        bool ends[4], fails, gone;
    } rows[] = {
        {.label = "disabled", .what = disable, .about = "app", .ends = {true}},
        {.label = "another secret", .what = rotate, .about = "app", .ends = {true}},
        {.label = "other rules", .what = change_rules, .about = "app", .ends = {true}},
        {.label = "deleted", .what = delete_user, .about = "app", .ends = {true}, .gone = true},
        {.label = "a domain that two name, one of them by an address",
         .what = remove_domain,
         .about = "club.test",
         .ends = {true, true}},
        {.label = "a domain that one of two lists holds",
         .what = remove_domain,
         .about = "other.test",
         .ends = {false, true, false, true}},
        {.label = "nothing has changed in the end", .what = disable_and_enable, .about = "app"},
        {.label = "enabled already", .what = enable, .about = "app"},
        {.label = "capture is not of a credential", .what = capture, .about = "club.test"},
        {.label = "a command that failed", .what = disable_and_fail, .about = "app", .fails = true},
        {.label = "nobody of that name", .what = disable, .about = "none", .fails = true},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct credential *held[COUNT_OF(names)];
        tear_down(state);
        set_up(state);
        struct store *store = start();
        assert_true(ask(store, add_a_few, NULL));
        for (size_t k = 0; k < COUNT_OF(names); k++)
            assert_non_null(held[k] = find(store, names[k]));
        if (ask(store, rows[i].what, (void *)(uintptr_t)rows[i].about) == rows[i].fails)
            fail_msg("%s: works or fails otherwise", rows[i].label);
        for (size_t k = 0; k < COUNT_OF(names); k++) {
            struct credential *now = find(store, names[k]);
            if (credential_is_over(held[k]) != rows[i].ends[k] ||
                (now == held[k]) == rows[i].ends[k] || (now == NULL) != (rows[i].gone && k == 0))
                fail_msg("%s: %s", rows[i].label, names[k]);
            credential_drop(now);
            credential_drop(held[k]);
        }
        store_stop(store);
    }
}

static void what_was_never_committed_is_not_known(void **state)
{
    (void)state;
    struct store *store = start();
    assert_true(ask(store, add_a_few, NULL));
    struct directory *d = store_directory(store);
    assert_true(directory_knows(d, "club.test"));
    assert_false(directory_knows(d, "sub.club.test"));
    assert_false(ask(store, disable_and_fail, (void *)(uintptr_t) "app"));
    assert_true(ask(store, remove_domain, (void *)(uintptr_t) "club.test"));
    assert_false(directory_knows(d, "club.test"));
    store_stop(store);
    store = start(); /* as it is, when it is read anew */
    assert_false(directory_knows(store_directory(store), "club.test"));
    assert_true(directory_knows(store_directory(store), "other.test"));
    struct credential *app = find(store, "app");
    assert_non_null(app);
    credential_drop(app);
    store_stop(store);
}

/* ---- in one transaction with a message ---- */

static struct store_accept *message_of(struct store *store, struct waiter *w, const char *user)
{
    struct store_accept *a = new_accept(w);
    a->mail = make_mail(store, 1);
    snprintf(a->mail->credential, sizeof(a->mail->credential), "%s", user);
    snprintf(a->mail->from_domain, sizeof(a->mail->from_domain), "club.test");
    a->credential = find(store, user);
    buf_add(&a->body, SPAN("Subject: x\r\n\r\nx\r\n"));
    return a;
}

static bool take_a_while(struct database *db, void *context, struct err *err)
{
    const struct timespec while_others_come = {.tv_nsec = 200 * 1000 * 1000};
    (void)db;
    (void)context;
    (void)err;
    nanosleep(&while_others_come, NULL);
    return true;
}

/* The first keeps the thread busy, so that all others are one batch. */
static void a_message_behind_a_change_in_one_batch_is_refused(void **state)
{
    static const struct {
        store_on_change *what;
        const char *about;
        int code;
    } rows[] = {{disable, "app", 451},         {delete_user, "app", 451},
                {rotate, "app", 451},          {remove_domain, "club.test", 550},
                {disable, "other", 0},         {remove_domain, "other.test", 0},
                {disable_and_enable, "app", 0}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct waiter w = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 4};
        tear_down(state);
        set_up(state);
        struct store *store = start();
        assert_true(ask(store, add_a_few, NULL));
        struct store_change *busy = new_change(&w, take_a_while, NULL);
        struct store_accept *before = message_of(store, &w, "app");
        struct store_change *change = new_change(&w, rows[i].what, (void *)(uintptr_t)rows[i].about);
        struct store_accept *behind = message_of(store, &w, "app");
        struct store_job *jobs[] = {&busy->job, &before->job, &change->job, &behind->job};
        for (size_t k = 0; k < COUNT_OF(jobs); k++)
            store_put(store, jobs[k]);
        wait_for(&w);
        assert_int_equal(before->result, STORE_ACCEPTED);
        assert_int_equal(change->result, STORE_CHANGED);
        assert_int_equal(behind->refusal.code, rows[i].code);
        assert_int_equal(behind->result, rows[i].code == 0 ? STORE_ACCEPTED : STORE_STALE);
        for (size_t k = 0; k < COUNT_OF(jobs); k++)
            store_job_free(jobs[k]);
        store_stop(store);
    }
}

/* ---- keys ---- */

static void note_key(void *context, const struct database_key *key)
{
    struct buf *text = context;
    buf_addf(text, "%s %s %s %s\n", key->domain, key->life.selector,
             key_state_name(key->life.state), key->public_key);
}

static bool step(struct database *db, void *context, struct err *err)
{
    struct database_key key = {.life = {.selector = "s2", .state = KEY_PENDING, .created_ms = 2}};
    (void)context;
    snprintf(key.domain, sizeof(key.domain), "club.test");
    if (!database_add_key(db, &key, err))
        return false;
    key.life.state = KEY_ACTIVE;
    return database_key_step(db, &key, err);
}

static void keys_are_those_of_the_last_commit(void **state)
{
    struct buf text;
    (void)state;
    struct store *store = start();
    assert_true(ask(store, add_a_few, NULL));
    assert_true(ask(store, step, NULL));
    buf_init(&text, 4096);
    directory_keys(store_directory(store), "club.test", note_key, &text);
    assert_string_equal(buf_text(&text), "club.test s1 retiring key of club.test\n"
                                         "club.test s2 active \n");
    buf_clear(&text);
    directory_keys(store_directory(store), NULL, note_key, &text);
    assert_string_equal(buf_text(&text), "club.test s1 retiring key of club.test\n"
                                         "club.test s2 active \n"
                                         "other.test s1 active key of other.test\n");
    assert_true(ask(store, remove_domain, (void *)(uintptr_t) "club.test"));
    buf_clear(&text);
    directory_keys(store_directory(store), "club.test", note_key, &text);
    assert_string_equal(buf_text(&text), "");
    buf_fini(&text);
    store_stop(store);
}

/* ---- many ---- */

static bool add_many(struct database *db, void *context, struct err *err)
{
    (void)context;
    bool ok = add_domain(db, "club.test", err);
    for (unsigned i = 0; ok && i < CREDENTIALS; i++) {
        char name[32];
        snprintf(name, sizeof(name), "app%u", i);
        ok = add_user(db, name, i % 2 ? "club.test" : "elsewhere.test", err);
    }
    return ok;
}

/* How often rows of users have been looked at. */
static bool count_reads(struct database *db, void *context, struct err *err)
{
    int *reads = context;
    (void)err;
    *reads = 0;
    static const enum sql statements[] = {SQL_USER, SQL_USERS, SQL_DOMAINS, SQL_KEYS};
    for (size_t i = 0; i < COUNT_OF(statements); i++)
        if (db->statements[statements[i]])
            *reads += sqlite3_stmt_status((sqlite3_stmt *)db->statements[statements[i]],
                                          SQLITE_STMTSTATUS_RUN, 0);
    return true;
}

static void a_change_of_one_leaves_all_others_alone(void **state)
{
    static struct credential *held[CREDENTIALS];
    struct err err = {0};
    int before = 0;
    int after = 0;
    (void)state;
    assert_true(store_run_alone(place, add_many, NULL, &err));
    struct store *store = start();
    for (unsigned i = 0; i < CREDENTIALS; i++) {
        char name[32];
        snprintf(name, sizeof(name), "app%u", i);
        assert_non_null(held[i] = find(store, name));
    }
    assert_true(ask(store, count_reads, &before));
    assert_true(ask(store, rotate, (void *)(uintptr_t) "app4711"));
    assert_true(ask(store, count_reads, &after));
    assert_int_equal(after - before, 1);
    for (unsigned i = 0; i < CREDENTIALS; i++) {
        char name[32];
        snprintf(name, sizeof(name), "app%u", i);
        struct credential *now = find(store, name);
        assert_int_equal(credential_is_over(held[i]), i == 4711);
        assert_int_equal(now == held[i], i != 4711);
        credential_drop(now);
        credential_drop(held[i]);
    }
    store_stop(store);
}

/* ---- secrets that were right ---- */

static void a_secret_is_remembered_until_its_credential_changes(void **state)
{
    static const struct {
        store_on_change *what;
        const char *about;
        bool forgotten;
    } rows[] = {{disable, "app", true},
                {rotate, "app", true},
                {change_rules, "app", true},
                {delete_user, "app", true},
                {remove_domain, "club.test", true},
                {disable, "other", false}};
    const int64_t hour_ms = 3600 * 1000;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        tear_down(state);
        set_up(state);
        struct store *store = start();
        struct directory *d = store_directory(store);
        assert_true(ask(store, add_a_few, NULL));
        struct credential *app = find(store, "app");
        struct credential *two = find(store, "two");
        assert_false(directory_remembers(d, app, SPAN("correct horse"), 1000));
        directory_remember(d, app, SPAN("correct horse"), 1000);
        assert_true(directory_remembers(d, app, SPAN("correct horse"), 1000 + hour_ms - 1));
        assert_false(directory_remembers(d, app, SPAN("correct horse"), 1000 + hour_ms));
        assert_false(directory_remembers(d, app, SPAN("correct horsf"), 1000));
        assert_false(directory_remembers(d, app, SPAN_NONE, 1000));
        assert_false(directory_remembers(d, two, SPAN("correct horse"), 1000));
        directory_remember(d, app, SPAN("correct horse"), 2000);
        assert_true(directory_remembers(d, app, SPAN("correct horse"), 1000 + hour_ms));
        assert_true(ask(store, rows[i].what, (void *)(uintptr_t)rows[i].about));
        assert_int_equal(directory_remembers(d, app, SPAN("correct horse"), 2000), !rows[i].forgotten);
        directory_remember(d, app, SPAN("correct horse"), 2000); /* too late: it is over */
        assert_int_equal(directory_remembers(d, app, SPAN("correct horse"), 2000), !rows[i].forgotten);
        credential_drop(app);
        credential_drop(two);
        store_stop(store);
    }
}

/* ---- SCRAM ---- */

static void nobody_s_salt_is_always_the_same(void **state)
{
    char keys[3][SCRAM_KEYS_TEXT];
    (void)state;
    struct store *store = start();
    assert_true(ask(store, add_a_few, NULL));
    directory_scram(store_directory(store), SPAN("app"), keys[0]);
    assert_string_equal(keys[0], "SCRAM-SHA-256$1:a$b:c");
    directory_scram(store_directory(store), SPAN("nobody"), keys[0]);
    directory_scram(store_directory(store), SPAN("another"), keys[1]);
    assert_string_not_equal(keys[0], keys[1]);
    store_stop(store);
    store = start();
    directory_scram(store_directory(store), SPAN("nobody"), keys[2]);
    store_stop(store);
    assert_memory_equal(keys[0], keys[2], 44); /* the salt; the keys behind it are random */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_change_ends_what_it_is_about_and_nothing_else, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_was_never_committed_is_not_known, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_message_behind_a_change_in_one_batch_is_refused, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(keys_are_those_of_the_last_commit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_change_of_one_leaves_all_others_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_secret_is_remembered_until_its_credential_changes, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(nobody_s_salt_is_always_the_same, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
