// SPDX-License-Identifier: BSD-2-Clause
/* replies_test.c - What receivers have really answered, from public collections: each in the right category, nobody on the
 * suppression list by an answer that does not speak of the mailbox; and all of that again when what a sender, a receiver or chance
 * has chosen is something else: addresses, hosts, identifiers, URLs, line breaks, case. */
#include "table.h"

#include "answer.h"
#include "reply.h"
#include "suppress.h"

#include <ctype.h>
#include <sqlite3.h>
#include <stdlib.h>

#define REPLIES VECTORS "/replies-public.json"

static char labels[64 * 1024];

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

static const char *label_of(const char *stage, const char *reply)
{
    uint32_t h = 2166136261U;
    char key[16];
    for (const char *p = stage; *p; p++)
        h = (h ^ (unsigned char)*p) * 16777619U;
    h = (h ^ ' ') * 16777619U;
    for (const char *p = reply; *p; p++)
        h = (h ^ (unsigned char)*p) * 16777619U;
    snprintf(key, sizeof(key), "\n%08x ", h);
    const char *at = strstr(labels, key);
    return at ? at + strlen(key) : NULL;
}

static bool is_labelled(const char *label, const char *category)
{
    struct span line = span_first(span_of(label), span_find(span_of(label), '\n'));
    while (line.len > 0)
        if (span_equal(span_take(&line, '|'), span_of(category)))
            return true;
    return false;
}

struct count {
    unsigned all, unread, right, wrong, found, missed, other_class, again, changed;
};

static struct reply_judgement judge(const char *text, enum reply_stage stage)
{
    struct verdict v = read_reply(text);
    const struct suppress_sides sides = {.sender = SPAN("s@club.test"), .hostname = SPAN("mail.club.test"), .recipient = SPAN("b@x.test")};
    struct reply_input in = {.answer = &v, .stage = stage, .provider = SPAN_NONE};
    assert_true(v.code >= 400);
    struct reply_judgement j = reply_judge(&in);
    j.suppress_after = suppress_after(&j, &v, &sides);
    return j;
}

/* ---- again, otherwise ---- */

static const char *const words[] = {"relay", "policy", "spam", "user-unknown", "quota", "greylist", "virus", "no.such.user", "dmarc", "full"};
static unsigned turn;

static const char *next_word(void)
{
    return words[turn++ % COUNT_OF(words)];
}

static bool is_address_char(char c)
{
    return isalnum((unsigned char)c) || (c && strchr("._%+*=-", c));
}

static size_t run(const char *p, bool (*is)(char))
{
    size_t n = 0;
    while (is(p[n]))
        n++;
    return n;
}

static bool is_ip_char(char c)
{
    return isdigit((unsigned char)c) || c == '.';
}

static bool is_ip(const char *p, size_t len)
{
    size_t dots = 0;
    for (size_t i = 0; i < len; i++)
        dots += p[i] == '.';
    return run(p, is_ip_char) == len && dots == 3 && len >= 7;
}

static bool is_host(const char *p, size_t len)
{
    static const char *const tops[] = {".com", ".net", ".org", ".example", ".test", ".jp", ".de"};
    struct span s = {p, len};
    for (size_t i = 0; i < COUNT_OF(tops); i++)
        if (span_ends_nocase(s, span_of(tops[i])))
            return true;
    return false;
}

/* Other addresses, hosts, URLs, IP addresses and identifiers, behind the code. */
static void replace(const char *text, struct buf *to)
{
    for (const char *p = text; *p;) {
        size_t len = run(p, is_address_char);
        bool at = p[len] == '@' && len > 0;
        size_t end = at ? len + 1 + run(p + len + 1, is_address_char) : len;
        while (at && end > len + 1 && p[end - 1] == '.')
            end--;
        size_t host = len;
        while (host > 0 && p[host - 1] == '.')
            host--;
        size_t upper = 0;
        for (size_t i = 0; i < len; i++)
            upper += isupper((unsigned char)p[i]) || isdigit((unsigned char)p[i]);
        if (strncmp(p, "http", 4) == 0 && strstr(p, "://") && strcspn(p, " <>\"") > strcspn(p, ":")) {
            p += strcspn(p, " <>\"");
            buf_addf(to, "https://%s.example/%s?%s=%s", next_word(), next_word(), next_word(), next_word());
        } else if (at && end > len + 1) {
            buf_addf(to, "%s.%s+%s@%s.%s.test", next_word(), next_word(), next_word(), next_word(), next_word());
            p += end;
        } else if (is_ip(p, len)) {
            buf_addf(to, "198.51.100.%u", turn++ % 250);
            p += len;
        } else if (is_host(p, host) && (p == text || (p[-1] != '/' && p[-1] != '@'))) {
            buf_addf(to, "%s.%s.example", next_word(), next_word());
            p += host;
        } else if (len >= 16 && upper == len) {
            turn++;
            buf_addf(to, "%08X%08X", turn * 2654435761U, turn * 40503U);
            p += len;
        } else {
            len += len == 0;
            buf_add(to, (struct span){p, len});
            p += len;
        }
    }
}

/* Another line after each `each` blanks: "550-" before all but the last. */
static void fold(const char *text, unsigned each, struct buf *to)
{
    unsigned blanks = 0;
    bool folded = strchr(text, '\n') == NULL;
    struct span code = span_first(span_of(text), 3);
    const char *last = text;
    for (const char *p = text + 4; folded && *p; p++)
        last = *p == ' ' && ++blanks % each == 0 && p[1] && p[1] != ' ' ? p : last;
    blanks = 0;
    for (const char *p = text; *p; p++) {
        bool breaks = folded && p > text + 3 && *p == ' ' && ++blanks % each == 0 && p[1] && p[1] != ' ';
        if (breaks)
            buf_addf(to, "\n%.*s%c", SPAN_ARG(code), p == last ? ' ' : '-');
        else
            buf_add_char(to, p == text + 3 && last != text ? '-' : *p);
    }
}

static void change_case(struct buf *text, bool up)
{
    for (size_t i = 0; i < text->len; i++)
        text->ptr[i] = (char)(up ? toupper((unsigned char)text->ptr[i]) : tolower((unsigned char)text->ptr[i]));
}

static void look_again(struct count *c, const char *text, enum reply_stage stage, const struct reply_judgement *first)
{
    for (unsigned form = 0; form < 6; form++) {
        struct buf one;
        struct buf two;
        buf_init(&one, 64 * 1024);
        buf_init(&two, 64 * 1024);
        if (form == 0 || form > 2)
            replace(text, &one);
        else
            buf_add(&one, span_of(text));
        if (form == 1 || form > 3)
            fold(buf_text(&one), form, &two);
        else
            buf_add(&two, buf_span(&one));
        if (form > 1)
            change_case(&two, form % 2);
        struct reply_judgement j = judge(buf_text(&two), stage);
        bool same = j.category == first->category && j.retry == first->retry;
        c->again++;
        c->changed += !same;
        if (!same)
            print_message("%s becomes %s: %s\n", first->rule, j.rule, buf_text(&two));
        buf_fini(&one);
        buf_fini(&two);
    }
}

/* ---- all of them ---- */

static void look(struct count *c, sqlite3_stmt *s)
{
    const char *reply = (const char *)sqlite3_column_text(s, 0);
    const char *stage_name = (const char *)sqlite3_column_text(s, 1);
    const char *suppress = (const char *)sqlite3_column_text(s, 2);
    const char *class = (const char *)sqlite3_column_text(s, 3);
    const char *lines = (const char *)sqlite3_column_text(s, 4);
    enum reply_stage stage = REPLY_AT_RCPT;
    assert_true(reply_stage_parse(span_of(stage_name), &stage));
    const char *text = lines[0] ? lines : reply;
    struct reply_judgement j = judge(text, stage);
    const char *label = label_of(stage_name, reply);
    EXPECT(label != NULL, reply);
    bool right = is_labelled(label, reply_category_name(j.category));
    bool said = j.suppress_after > 0;
    bool never = strcmp(suppress, "0") == 0;
    bool should = strcmp(suppress, "1") == 0;
    bool class_right = strcmp(class, "any") == 0 || strcmp(class, j.retry ? "retry" : "permanent") == 0;
    if (!right || (said && never) || (!said && should) || !class_right)
        print_message("%s (%s)%s%s%s: %s %s\n", reply_category_name(j.category), j.rule, said && never ? ", wrong" : "",
                      !said && should ? ", missed" : "", class_right ? "" : ", class", stage_name, reply);
    c->all++;
    c->right += right;
    c->wrong += said && never;
    c->found += said && should;
    c->missed += !said && should;
    c->other_class += !class_right;
    look_again(c, text, stage, &j);
}

static bool read_file(const char *path, char *text, size_t size, size_t *len_r)
{
    FILE *f = fopen(path, "re");
    if (!f)
        return false;
    *len_r = fread(text, 1, size - 1, f);
    text[*len_r] = '\0';
    fclose(f);
    return true;
}

static void public_collections(void **state)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *s = NULL;
    struct count c = {0};
    size_t len = 0;
    static char json[4 * 1024 * 1024];
    (void)state;
    assert_true(read_file(CATEGORIES, labels, sizeof(labels), &len));
    if (!read_file(REPLIES, json, sizeof(json), &len))
        skip(); /* a clone alone does not have them */
    assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db,
                                        "SELECT json_extract(value, '$.reply'), json_extract(value, '$.stage'), "
                                        "coalesce(json_extract(value, '$.suppress'), ''), json_extract(value, '$.class'), "
                                        "coalesce((SELECT group_concat(l.value, char(10)) FROM json_each(r.value, '$.lines') AS l), '') "
                                        "FROM json_each(json_extract(?, '$.replies')) AS r",
                                        -1, &s, NULL),
                     SQLITE_OK);
    sqlite3_bind_text(s, 1, json, (int)len, SQLITE_STATIC);
    while (sqlite3_step(s) == SQLITE_ROW)
        look(&c, s);
    sqlite3_finalize(s);
    sqlite3_close(db);
    print_message("%u replies: %u in the right category, %u wrong suppressions, %u of %u that should suppress found, %u of another class; "
                  "%u of %u are judged otherwise in other forms\n",
                  c.all, c.right, c.wrong, c.found, c.found + c.missed, c.other_class, c.changed, c.again);
    assert_true(c.all >= 800);
    assert_true(c.right * 100 >= c.all * 95);
    assert_int_equal(c.wrong, 0);
    assert_true(c.missed * 100 <= (c.found + c.missed) * 5);
    assert_int_equal(c.other_class, 0);
    assert_int_equal(c.changed, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(public_collections)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
