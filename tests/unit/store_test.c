// SPDX-License-Identifier: BSD-2-Clause
/* store_test.c - Durable state: what is answered is there after a new start; what is settled is gone; what is damaged is held.
 */
#include "clock.h"
#include "store_stage.h"

#include "housekeeping.h"
#include "segments.h"
#include "spool.h"
#include "spool_record.h"

#include <fcntl.h>
#include <glob.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static struct mail *read_mail(int64_t id, struct err *err)
{
    struct database *db = NULL;
    struct mail *m = NULL;
    assert_true(database_open(place, DATABASE_READ, &db, err));
    bool found = database_mail(db, id, &m, err);
    database_close(db);
    return found ? m : NULL;
}

static size_t segment_files(void)
{
    char pattern[128];
    glob_t found;
    snprintf(pattern, sizeof(pattern), "%s/spool/*.seg", place);
    size_t count = glob(pattern, 0, NULL, &found) == 0 ? found.gl_pathc : 0;
    globfree(&found);
    return count;
}

static void what_is_accepted_survives_a_new_start(void **state)
{
    struct err err = {0};
    struct spool_message message;
    struct span chunk;
    (void)state;
    struct store *store = start();
    int64_t id = accept(store, 2, "Subject: x\r\n\r\nbody\r\n");
    assert_int_equal(due_count, 2);
    store_stop(store);
    due_count = 0;
    store = start();
    assert_int_equal(due_count, 2);
    struct mail *m = read_mail(id, &err);
    assert_non_null(m);
    assert_string_equal(m->envelope.sender, "a@club.test");
    assert_int_equal(m->envelope.count, 2);
    assert_true(spool_open(place, id, &m->place, &message, &err));
    assert_true(span_equal(spool_header(&message), SPAN("Subject: x\r\n")));
    assert_true(spool_next(&message, &chunk, &err) && span_equal(chunk, SPAN("body\r\n")));
    assert_true(spool_next(&message, &chunk, &err) && chunk.len == 0);
    spool_close(&message);
    mail_free(m);
    store_stop(store);
}

static void a_clock_set_back_while_nobody_ran_delays_nothing(void **state)
{
    enum { DAY_MS = 24 * 3600 * 1000 };
    struct err err = {0};
    sqlite3 *raw = NULL;
    char path[128];
    (void)state;
    struct store *store = start();
    int64_t id = accept(store, 1, "x\r\n");
    store_stop(store);
    snprintf(path, sizeof(path), "%s/state.db", place);
    assert_int_equal(sqlite3_open(path, &raw), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(
            raw,
            "UPDATE event SET at = at + 86400000; UPDATE recipient SET due = due + 86400000;"
            "UPDATE message SET created = created + 86400000, expires = expires + 86400000",
            NULL, NULL, NULL),
        SQLITE_OK);
    sqlite3_close(raw);
    store = start();
    struct mail *m = read_mail(id, &err);
    assert_in_range(m->rows[0].due_ms, clock_now_ms() - 60000, clock_now_ms());
    assert_in_range(m->expires_ms - m->created_ms, 1000000, 1000000);
    assert_in_range(m->created_ms, clock_now_ms() - DAY_MS, clock_now_ms());
    mail_free(m);
    store_stop(store);
}

static void a_message_goes_with_its_last_recipient(void **state)
{
    struct err err = {0};
    (void)state;
    struct store *store = start();
    int64_t id = accept(store, 2, "x\r\n");
    settle(store, id, 0, MAIL_DONE);
    struct mail *m = read_mail(id, &err);
    assert_non_null(m);
    assert_int_equal(m->rows[0].state, MAIL_DONE);
    assert_int_equal(m->rows[1].state, MAIL_WAITING);
    mail_free(m);
    settle(store, id, 1, MAIL_WAITING);
    m = read_mail(id, &err);
    assert_int_equal(m->rows[1].tries, 1);
    mail_free(m);
    settle(store, id, 1, MAIL_BOUNCED);
    assert_null(read_mail(id, &err));
    assert_int_equal(err.kind, ERR_NOT_FOUND);
    settle(store, id, 1, MAIL_DONE); /* what is gone is gone: no harm */
    store_stop(store);
    store_stop(start());
    assert_int_equal(segment_files(), 0);
}

static void a_second_store_is_refused(void **state)
{
    struct store *second = NULL;
    struct err err = {0};
    (void)state;
    struct store *store = start();
    assert_false(store_start(place, &events, &second, &err));
    assert_int_equal(err.kind, ERR_UNREACHABLE);
    store_stop(store);
}

static void bytes_without_a_row_are_removed_at_the_start(void **state)
{
    char path[4096];
    (void)state;
    spool_path(place, 77, path);
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    assert_true(fd >= 0 && write(fd, "never acknowledged", 18) == 18);
    close(fd);
    struct store *store = start();
    assert_int_equal(segment_files(), 0);
    assert_true(store_new_segment(store) > 77);
    store_stop(store);
}

static void every_flipped_byte_is_noticed(void **state)
{
    struct err err = {0};
    char path[4096];
    (void)state;
    struct store *store = start();
    int64_t id = accept(store, 1, "Subject: x\r\n\r\nbody\r\n");
    struct mail *m = read_mail(id, &err);
    spool_path(place, m->place.segment, path);
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    for (int64_t at = 0; at < SPOOL_RECORD_HEADER - 8 + m->place.length; at++) {
        int64_t where = m->place.offset +
                        (at < SPOOL_RECORD_HEADER - 8 ? at : at + 8); /* 8 bytes are padding */
        char byte = 0;
        assert_int_equal(pread(fd, &byte, 1, where), 1);
        byte = (char)(byte ^ 4);
        assert_int_equal(pwrite(fd, &byte, 1, where), 1);
        struct spool_message message;
        assert_false(spool_open(place, id, &m->place, &message, &err));
        assert_int_equal(err.kind, ERR_DAMAGED);
        byte = (char)(byte ^ 4);
        assert_int_equal(pwrite(fd, &byte, 1, where), 1);
    }
    assert_int_equal(ftruncate(fd, m->place.offset + SPOOL_RECORD_HEADER + 5), 0);
    struct spool_message message;
    assert_false(spool_open(place, id, &m->place, &message, &err));
    close(fd);
    unlink(path);
    assert_false(spool_open(place, id, &m->place, &message, &err));
    assert_int_equal(err.kind, ERR_DAMAGED);
    mail_free(m);
    store_stop(store);
}

/* Somebody else writes to the database, which must never be: no commit is possible for a while. */
static void a_store_that_cannot_commit_refuses_pauses_and_recovers(void **state)
{
    char path[128];
    sqlite3 *other = NULL;
    struct waiter w = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 1};
    (void)state;
    struct store *store = start();
    int64_t id = accept(store, 1, "x\r\n");
    snprintf(path, sizeof(path), "%s/state.db", place);
    assert_int_equal(sqlite3_open(path, &other), SQLITE_OK);
    sqlite3_busy_timeout(other, 10 * 1000); /* the store may be keeping house */
    assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    struct store_accept *a = new_accept(&w);
    a->mail = make_mail(store, 1);
    buf_add(&a->body, SPAN("y\r\n"));
    store_put(store, &a->job);
    wait_for(&w);
    assert_int_equal(a->result, STORE_FAILED);
    assert_int_equal(a->job.err.kind, ERR_STORE);
    store_job_free(&a->job);
    usleep(100 * 1000);
    assert_true(store_paused(store));
    assert_int_equal(sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(other);
    for (int i = 0; i < 300 && store_paused(store); i++)
        usleep(50 * 1000);
    assert_false(store_paused(store)); /* by itself */
    settle(store, id, 0, MAIL_DONE);
    accept(store, 1, "z\r\n");
    store_stop(store);
}

static void collect_place(struct segments *segments, int64_t id, struct mail_place *place_r)
{
    struct err err = {0};
    struct mail *m = read_mail(id, &err);
    assert_non_null(m);
    *place_r = m->place;
    if (segments)
        segments_keep(segments, &m->place);
    mail_free(m);
}

/* What lies at the beginning of the file is then written over. */
static int64_t accept_at(struct store *store, char fill, struct mail_place *place_r)
{
    static char text[200 * 1024]; /* more than is read at once */
    memset(text, fill, sizeof(text) - 1);
    memcpy(text, "Subject: y\r\n\r\n", 14);
    int64_t id = accept(store, 1, text);
    collect_place(NULL, id, place_r);
    return id;
}

static void a_segment_begins_anew_when_nothing_in_it_lives_or_is_read(void **state)
{
    struct mail_place at;
    struct mail_place other;
    struct spool_message message;
    struct span chunk;
    struct err err = {0};
    (void)state;
    struct store *store = start();
    for (int i = 0; i < 5; i++) {
        int64_t id = accept_at(store, 'x', &at);
        assert_int_equal(at.offset, 0);
        settle(store, id, 0, MAIL_DONE);
    }
    int64_t id = accept_at(store, 'a', &at);
    assert_true(spool_open(place, id, &at, &message, &err));
    settle(store, id, 0, MAIL_DONE);
    int64_t second = accept_at(store, 'b', &other); /* the first is being read */
    assert_int_equal(other.segment, at.segment);
    assert_in_range(other.offset, at.length, at.length + 1000);
    do {
        assert_true(spool_next(&message, &chunk, &err));
        assert_true(chunk.len == 0 || (chunk.ptr[0] == 'a' && chunk.ptr[chunk.len - 1] == 'a'));
    } while (chunk.len > 0);
    spool_close(&message);
    int64_t third = accept_at(store, 'c', &other); /* the second lives */
    assert_true(other.offset > at.length);
    settle(store, second, 0, MAIL_DONE);
    settle(store, third, 0, MAIL_DONE);
    accept_at(store, 'd', &other);
    assert_true(other.segment == at.segment && other.offset == 0);
    store_stop(store);
}

static void a_mostly_dead_segment_is_copied_and_unlinked(void **state)
{
    enum { COUNT = 240, LEFT = 10 }; /* the first ones lie in a small segment */
    static char text[250 * 1024];
    int64_t ids[COUNT];
    struct err err = {0};
    struct segments *segments = NULL;
    struct database *db = NULL;
    struct mail_place before[2];
    struct mail_place after[2];
    struct spool_message message;
    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    memcpy(text, "Subject: y\r\n\r\n", 14);
    struct store *store = start();
    for (size_t i = 0; i < COUNT; i++)
        ids[i] = accept(store, 1, text);
    for (size_t i = 0; i < COUNT; i++)
        if (i != LEFT && i != LEFT + 1)
            settle(store, ids[i], 0, MAIL_DONE);
    store_stop(store);
    assert_true(database_open(place, DATABASE_WRITE, &db, &err));
    assert_true(segments_open(place, &segments, &err));
    collect_place(segments, ids[LEFT], &before[0]);
    collect_place(segments, ids[LEFT + 1], &before[1]);
    segments_sweep_unknown(segments);
    struct housekeeping house = {0};
    housekeeping_run(&house, place, db, segments, clock_now_ms());
    assert_false(segments_choose(segments));
    for (size_t i = 0; i < 2; i++) {
        collect_place(NULL, ids[LEFT + i], &after[i]);
        assert_true(after[i].segment > before[i].segment);
        assert_true(spool_open(place, ids[LEFT + i], &after[i], &message, &err));
        assert_int_equal(message.length, sizeof(text) - 1);
        spool_close(&message);
        assert_false(spool_open(place, ids[LEFT + i], &before[i], &message, &err));
    }
    database_close(db);
    segments_free(segments);
}

static void many_at_once_are_one_commit_and_all_there(void **state)
{
    enum { COUNT = 2000 };
    struct err err = {0};
    struct waiter w = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, COUNT};
    static struct store_accept *jobs[COUNT];
    int64_t last = 0;
    (void)state;
    struct store *store = start();
    for (size_t i = 0; i < COUNT; i++) {
        jobs[i] = new_accept(&w);
        jobs[i]->mail = make_mail(store, 1);
        buf_addf(&jobs[i]->body, "Subject: %zu\r\n\r\n", i);
        store_put(store, &jobs[i]->job);
    }
    wait_for(&w);
    for (size_t i = 0; i < COUNT; i++) {
        struct spool_message message;
        assert_int_equal(jobs[i]->result, STORE_ACCEPTED);
        assert_true(jobs[i]->mail->id > last);
        last = jobs[i]->mail->id;
        assert_true(spool_open(place, jobs[i]->mail->id, &jobs[i]->mail->place, &message, &err));
        spool_close(&message);
        store_job_free(&jobs[i]->job);
    }
    assert_int_equal(due_count, COUNT);
    store_stop(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_accepted_survives_a_new_start, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_message_goes_with_its_last_recipient, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_clock_set_back_while_nobody_ran_delays_nothing, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_second_store_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bytes_without_a_row_are_removed_at_the_start, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(every_flipped_byte_is_noticed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_store_that_cannot_commit_refuses_pauses_and_recovers,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_mostly_dead_segment_is_copied_and_unlinked, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(
            a_segment_begins_anew_when_nothing_in_it_lives_or_is_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(many_at_once_are_one_commit_and_all_there, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
