// SPDX-License-Identifier: BSD-2-Clause
/* segments_test.c - Two small segments that take turns: what lives, or is read, is never written over; few files, and small ones.
 */
#include "table.h"

#include "segments.h"
#include "spool.h"
#include "spool_record.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BYTES = 4000, TURN = 512 * 1024, LARGE = 500 * 1024 };

static char place[64];
static struct segments *segments;

static int set_up(void **state)
{
    char path[128];
    struct err err = {0};
    (void)state;
    snprintf(place, sizeof(place), "/tmp/segments-XXXXXX");
    assert_non_null(mkdtemp(place));
    snprintf(path, sizeof(path), "%s/spool", place);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_true(segments_open(place, &segments, &err));
    return 0;
}

/* How many files there are, and their bytes; removes them if asked to. */
static size_t look(off_t *bytes_r, bool removes)
{
    char path[512];
    size_t count = 0;
    snprintf(path, sizeof(path), "%s/spool", place);
    DIR *dir = opendir(path);
    *bytes_r = 0;
    for (struct dirent *entry; (entry = readdir(dir));) {
        struct stat about;
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof(path), "%s/spool/%s", place, entry->d_name);
        assert_int_equal(stat(path, &about), 0);
        *bytes_r += about.st_size;
        count++;
        if (removes)
            unlink(path);
    }
    closedir(dir);
    return count;
}

static int tear_down(void **state)
{
    char path[128];
    off_t bytes;
    (void)state;
    segments_free(segments);
    look(&bytes, true);
    snprintf(path, sizeof(path), "%s/spool", place);
    rmdir(path);
    return rmdir(place);
}

static void fill(char *bytes, size_t len, int64_t id)
{
    memset(bytes, 'a' + (int)(id % 26), len);
    memcpy(bytes, "Subject: x\r\n\r\n", 14);
    memcpy(bytes + len - 2, "\r\n", 2);
}

static struct mail_place write_one(int64_t id, size_t len)
{
    static char bytes[LARGE];
    struct mail_place where;
    struct err err = {0};
    fill(bytes, len, id);
    segments_add(segments, id, (struct span){bytes, len}, &where);
    assert_true(segments_sync(segments, &err));
    return where;
}

static void commit(const struct mail_place *kept, const struct mail_place *released)
{
    if (kept)
        segments_keep(segments, kept);
    if (released)
        segments_release(segments, released);
    segments_sweep(segments);
}

/* All of it, as it was written. */
static void read_on(struct spool_message *m, int64_t id, size_t len)
{
    static char want[LARGE];
    size_t at = 14;
    struct span chunk;
    struct err err = {0};
    fill(want, len, id);
    while (at < len) {
        assert_true(spool_next(m, &chunk, &err));
        assert_true(chunk.len > 0 && chunk.len <= len - at);
        assert_memory_equal(chunk.ptr, want + at, chunk.len);
        at += chunk.len;
    }
}

static void check_there(int64_t id, const struct mail_place *where, size_t len)
{
    struct spool_message m;
    struct err err = {0};
    if (!spool_open(place, id, where, &m, &err))
        fail_msg("message %lld: %s", (long long)id, err.text);
    read_on(&m, id, len);
    spool_close(&m);
}

/* As one connection sends: one is on its way when the next one comes. */
static int64_t flow(int64_t from, int64_t to, struct mail_place *last)
{
    size_t turns = 0;
    for (int64_t id = from; id < to; id++) {
        struct mail_place where = write_one(id, BYTES);
        turns += last->segment != where.segment;
        commit(&where, id > from ? last : NULL);
        check_there(id, &where, BYTES);
        *last = where;
    }
    return (int64_t)turns;
}

static void one_after_another_goes_where_bytes_are_already(void **state)
{
    struct mail_place last = {0};
    off_t bytes = 0;
    (void)state;
    assert_true(flow(1, 3000, &last) > 10); /* 12 MB */
    assert_int_equal(look(&bytes, false), 2);
    assert_true(bytes < 2 * TURN + 4 * BYTES);
    commit(NULL, &last);
    assert_int_equal(look(&bytes, false), 1); /* nothing waits: one of them is of no use */
}

static void what_waits_is_never_written_over(void **state)
{
    struct mail_place kept[4];
    struct mail_place last = {0};
    off_t bytes = 0;
    int64_t from = 1;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(kept); i++) {
        kept[i] = write_one(1000000 + (int64_t)i, BYTES);
        commit(&kept[i], from > 1 ? &last : NULL);
        flow(from, from + 1500, &last);
        from += 1500;
        for (size_t k = 0; k <= i; k++)
            check_there(1000000 + (int64_t)k, &kept[k], BYTES);
    }
    commit(NULL, &last);
    for (size_t i = 0; i < COUNT_OF(kept); i++) {
        check_there(1000000 + (int64_t)i, &kept[i], BYTES);
        commit(NULL, &kept[i]);
    }
    assert_true(look(&bytes, false) <= 1);
}

static void what_is_read_is_never_written_over(void **state)
{
    struct spool_message m;
    struct mail_place last = {0};
    struct err err = {0};
    (void)state;
    flow(1, 400, &last);
    struct mail_place where = write_one(77, LARGE);
    commit(&where, &last);
    assert_true(spool_open(place, 77, &where, &m, &err));
    struct mail_place next = write_one(78, BYTES);
    commit(&next, &where); /* somebody has deleted it meanwhile */
    last = next;
    for (int64_t id = 1000; id < 3000; id++) {
        next = write_one(id, BYTES);
        commit(&next, &last);
        last = next;
    }
    read_on(&m, 77, LARGE);
    spool_close(&m);
}

/* What was written, but not taken, is nobody's. */
static void what_was_refused_leaves_no_file(void **state)
{
    off_t bytes = 0;
    (void)state;
    for (int64_t id = 1; id < 1000; id++) {
        write_one(id, BYTES);
        if (id % 200 == 0)
            commit(NULL, NULL);
    }
    struct mail_place where = write_one(1000, BYTES);
    commit(&where, NULL);
    commit(NULL, &where);
    assert_true(look(&bytes, false) <= 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_after_another_goes_where_bytes_are_already, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_waits_is_never_written_over, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_read_is_never_written_over, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_was_refused_leaves_no_file, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
