// SPDX-License-Identifier: BSD-2-Clause
/* replies_test.c - What receivers have really answered, from public collections: nobody may be put
 * on the suppression list by an answer that does not speak of the mailbox. */
#include "table.h"

#include "answer.h"
#include "suppress.h"

#include <sqlite3.h>
#include <stdlib.h>

#define REPLIES VECTORS "/replies-public.json"

/* As it came, line by line. */
static struct verdict read_reply(const char *text)
{
    struct answer *answer = xcalloc(1, sizeof(*answer));
    struct buf wire;
    struct span rest = span_of(text);
    struct verdict v = {0};
    answer_init(answer);
    buf_init(&wire, 64 * 1024);
    while (rest.len > 0) {
        struct span line = span_trim(span_take(&rest, '\n'));
        buf_addf(&wire, "%.*s\r\n", SPAN_ARG(line));
    }
    if (answer_take(answer, &wire) == ANSWER_COMPLETE)
        v = answer_verdict(answer);
    answer_fini(answer);
    free(answer);
    buf_fini(&wire);
    return v;
}

struct count {
    unsigned all, unread, wrong, found, missed;
};

static void look(struct count *c, const char *reply, const char *stage, const char *suppress)
{
    struct verdict v = read_reply(reply);
    c->all++;
    c->unread += v.code == 0;
    const struct suppress_sides sides = {.sender = SPAN("s@club.test"), .hostname = SPAN("mail.club.test"), .recipient = SPAN("b@x.test")};
    bool said = strcmp(stage, "rcpt") == 0 && suppress_is_hard(&v, &sides);
    bool never = strcmp(suppress, "0") == 0;
    bool should = strcmp(suppress, "1") == 0;
    if (said && never)
        print_message("wrong: %s %s\n", stage, reply);
    if (!said && should)
        print_message("missed: %s\n", reply);
    c->wrong += said && never;
    c->found += said && should;
    c->missed += !said && should;
}

static void public_collections(void **state)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *s = NULL;
    struct count c = {0};
    static char json[4 * 1024 * 1024];
    (void)state;
    FILE *f = fopen(REPLIES, "re");
    if (!f)
        skip(); /* a clone alone does not have them */
    size_t len = fread(json, 1, sizeof(json), f);
    fclose(f);
    assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_prepare_v2(db,
                           "SELECT json_extract(value, '$.reply'), json_extract(value, '$.stage'), "
                           "coalesce(json_extract(value, '$.suppress'), '') "
                           "FROM json_each(json_extract(?, '$.replies'))",
                           -1, &s, NULL),
        SQLITE_OK);
    sqlite3_bind_text(s, 1, json, (int)len, SQLITE_STATIC);
    while (sqlite3_step(s) == SQLITE_ROW)
        look(&c, (const char *)sqlite3_column_text(s, 0), (const char *)sqlite3_column_text(s, 1),
             (const char *)sqlite3_column_text(s, 2));
    sqlite3_finalize(s);
    sqlite3_close(db);
    print_message("%u replies (%u unread): %u wrong, %u of %u that should suppress found\n", c.all,
                  c.unread, c.wrong, c.found, c.found + c.missed);
    assert_true(c.all >= 800);
    assert_int_equal(c.wrong, 0);
    assert_true(c.found >= 91);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(public_collections)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
