// SPDX-License-Identifier: BSD-2-Clause
/* body_test.c - A large message comes to the store in pieces: what is accepted is read back whole, and of
 * what is not, nothing is left.
 */
#include "store_stage.h"

#include "body.h"
#include "spool.h"
#include "spool_record.h"

#include <stdlib.h>
#include <unistd.h>

static const struct database_room room = {0};

enum { PIECES = 20, PIECE = 30000 };

#define HEAD "Subject: large\r\n\r\n"

static struct body *write_all(struct store *store)
{
    static char piece[PIECE];
    struct err err = {0};
    struct body *b = body_begin(store, "club", &room);
    assert_true(body_write(b, SPAN("Subject: large\r\n\r\n"), &err));
    for (int i = 0; i < PIECES; i++) {
        memset(piece, 'a' + i, sizeof(piece));
        assert_true(body_write(b, (struct span){piece, sizeof(piece)}, &err));
    }
    assert_true(body_finish(b, &err));
    return b;
}

static bool is_there(const struct mail_place *where)
{
    char path[4096];
    spool_path(place, where->segment, path);
    return access(path, F_OK) == 0;
}

static enum store_accept_result put(struct store *store, struct body *b, struct mail_place *where_r)
{
    static struct throttle_settings throttle;
    struct waiter w = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 1};
    struct store_accept *a = new_accept(&w);
    throttle_defaults(&throttle);
    a->throttle = &throttle;
    a->mail = make_mail(store, 1);
    a->mail->id = body_id(b);
    a->mail->place = *where_r = *body_place(b);
    memcpy(a->content, body_digest(b), sizeof(a->content));
    a->once = xstrdup("<1@club.test>");
    body_keep(b);
    store_put(store, &a->job);
    wait_for(&w);
    enum store_accept_result result = a->result;
    store_job_free(&a->job);
    return result;
}

static size_t read_body(int64_t id, const struct mail_place *where)
{
    struct err err = {0};
    struct spool_message m;
    struct span chunk;
    size_t len = 0;
    assert_true(spool_open(place, id, where, &m, &err));
    assert_true(span_equal(spool_header(&m), SPAN("Subject: large\r\n")));
    for (;;) {
        assert_true(spool_next(&m, &chunk, &err));
        if (chunk.len == 0)
            break;
        for (size_t i = 0; i < chunk.len; i++, len++)
            assert_int_equal(chunk.ptr[i], 'a' + (int)(len / PIECE));
    }
    spool_close(&m);
    return len;
}

static void what_is_accepted_is_read_back_and_what_is_not_is_gone(void **state)
{
    struct mail_place first;
    struct mail_place second;
    (void)state;
    struct store *store = start();
    struct body *b = write_all(store);
    int64_t id = body_id(b);
    unsigned char digest[CONTENT_BYTES];
    memcpy(digest, body_digest(b), sizeof(digest));
    assert_int_equal(body_place(b)->length, sizeof(HEAD) - 1 + (size_t)PIECES * PIECE);
    assert_int_equal(put(store, b, &first), STORE_ACCEPTED);
    assert_int_equal(read_body(id, &first), (size_t)PIECES * PIECE);
    b = write_all(store);
    assert_memory_equal(digest, body_digest(b), sizeof(digest));
    assert_int_equal(put(store, b, &second), STORE_DUPLICATE);
    assert_true(is_there(&first));
    assert_false(is_there(&second));
    store_stop(store);
    store_stop(start());
    assert_true(is_there(&first));
}

static void what_is_aborted_is_gone(void **state)
{
    struct err err = {0};
    (void)state;
    struct store *store = start();
    struct body *b = body_begin(store, "club", &room);
    struct mail_place where = *body_place(b);
    body_abort(b); /* before anything has come */
    body_abort(NULL);
    b = body_begin(store, "club", &room);
    where = *body_place(b);
    assert_true(body_write(b, SPAN("Subject: x\r\n"), &err));
    assert_true(is_there(&where));
    body_abort(b);
    assert_false(is_there(&where));
    b = write_all(store);
    where = *body_place(b);
    body_abort(b);
    assert_false(is_there(&where));
    store_stop(store);
}

/* What one tenant sends and does not finish leaves a third to the others, and comes back when it goes. */
static void what_is_not_finished_counts_in_its_tenant_s_share(void **state)
{
    enum { MOST = 64, MIB = 1 << 20 };
    static char piece[MIB];
    const struct database_room small = {.all = 30 * MIB};
    struct body *bodies[MOST];
    size_t count = 0;
    struct err err = {0};
    (void)state;
    struct store *store = start();
    memset(piece, 'x', sizeof(piece));
    do {
        bodies[count] = body_begin(store, "eve", &small);
    } while (body_write(bodies[count++], (struct span){piece, MIB}, &err) && count < MOST);
    assert_int_equal(err.kind, ERR_FULL);
    assert_in_range(count, 28, 31);
    err = (struct err){0};
    struct body *of_bob = body_begin(store, "bob", &small);
    for (int i = 0; i < 5; i++)
        assert_true(body_write(of_bob, (struct span){piece, MIB}, &err));
    for (size_t i = 0; i < count; i++)
        body_abort(bodies[i]);
    struct body *again = body_begin(store, "eve", &small);
    for (int i = 0; i < 12; i++)
        assert_true(body_write(again, (struct span){piece, MIB}, &err));
    const struct database_room own = {.tenant = 12 * MIB};
    struct body *limited = body_begin(store, "eve", &own);
    assert_false(body_write(limited, (struct span){piece, MIB}, &err));
    body_abort(limited);
    body_abort(again);
    body_abort(of_bob);
    store_stop(store);
}

/* As after kill -9: nobody has said what becomes of it. */
static void what_nobody_has_accepted_is_gone_after_a_new_start(void **state)
{
    (void)state;
    struct store *store = start();
    struct body *b = write_all(store);
    const struct mail_place where = *body_place(b);
    body_keep(b);
    store_stop(store);
    assert_true(is_there(&where));
    store_stop(start());
    assert_false(is_there(&where));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_accepted_is_read_back_and_what_is_not_is_gone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_not_finished_counts_in_its_tenant_s_share, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_aborted_is_gone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_nobody_has_accepted_is_gone_after_a_new_start, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
