// SPDX-License-Identifier: BSD-2-Clause
/* log_test.c - Whatever peers say, a line is one line that a logfmt reader takes apart; nobody waits
 * for who reads it, and what was lost is counted. */
#include "table.h"

#include "log.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static int own_stderr = -1;

/* What is said goes to `fd`. */
static void hear(int fd)
{
    own_stderr = dup(STDERR_FILENO);
    assert_true(own_stderr >= 0 && dup2(fd, STDERR_FILENO) == STDERR_FILENO);
}

static void hear_no_more(void)
{
    assert_int_equal(dup2(own_stderr, STDERR_FILENO), STDERR_FILENO);
    close(own_stderr);
}

static void read_all(int fd, char *text_r, size_t size)
{
    lseek(fd, 0, SEEK_SET);
    ssize_t got = read(fd, text_r, size - 1);
    assert_true(got >= 0);
    text_r[got] = '\0';
}

/* level SP event *(SP key "=" (plain | quoted)) LF; counts the keys. */
static bool parses(const char *line, size_t *keys_r)
{
    const char *whole = line;
    *keys_r = 0;
    for (int word = 0; word < 2; word++) {
        if (!islower((unsigned char)*line))
            return false;
        line += strcspn(line, " \n");
        if (word == 0 && *line++ != ' ')
            return false;
    }
    while (*line == ' ') {
        size_t key = strspn(++line, "abcdefghijklmnopqrstuvwxyz_");
        if (key == 0 || line[key] != '=')
            return false;
        line += key + 1;
        (*keys_r)++;
        if (*line != '"') {
            size_t value = strcspn(line, " \n");
            if (value == 0)
                return false;
            line += value;
            continue;
        }
        for (line++; *line != '"'; line++) {
            if ((unsigned char)*line < ' ' || *line == 0x7f)
                return false;
            if (*line == '\\' && *++line == 'x' && !(isxdigit((unsigned char)line[1]) && isxdigit((unsigned char)line[2])))
                return false;
        }
        line++;
    }
    return strcmp(line, "\n") == 0 && span_is_utf8(span_of(whole));
}

/* Said where cmocka's words are seen. */
static void expect(bool ok, const char *label)
{
    if (ok)
        return;
    hear_no_more();
    fail_msg("%s", label);
}

static void expect_line(struct log_line *line, int fd, size_t keys, const char *label)
{
    char text[4096];
    size_t found = 0;
    log_end(line);
    read_all(fd, text, sizeof(text));
    expect(parses(text, &found), label);
    expect(found == keys, label);
    expect(strlen(text) <= 2048, label);
    assert_int_equal(ftruncate(fd, 0), 0);
    lseek(fd, 0, SEEK_SET);
}

static int open_file(void)
{
    int fd = open("/tmp", O_TMPFILE | O_RDWR | O_APPEND, 0600);
    assert_true(fd >= 0);
    return fd;
}

static void what_peers_say_stays_in_its_value(void **state)
{
    static const char *const values[] = {"plain",       "",           "two words", "a\"b",        "back\\",
                                         "a=b",         "\r\nerror forged id=1", "\x1b[2J",  "\x7f\x01\xff", "Gr\xc3\xbc\xc3\x9f" "e",
                                         "\xed\xa0\x80", "\"",         "\\\"",      " ",           "\xe2\x80\xae" "abc"};
    int fd = open_file();
    (void)state;
    hear(fd);
    for (size_t i = 0; i < COUNT_OF(values); i++) {
        struct log_line *line = log_begin(LOG_INFO, "refused");
        log_number(log_text(log_text(line, "from", values[i]), "rcpt", values[i]), "code", 550);
        expect_line(line, fd, 3, values[i]);
    }
    hear_no_more();
    close(fd);
}

/* Long values are cut, and what has no room is left out whole: at every length, with bytes of every
 * kind, the line stays one that can be read. */
static void a_full_line_is_still_a_line(void **state)
{
    static const char kinds[] = {'a', ' ', '"', '\\', '\x01', '\xff', 'b'};
    char value[700];
    char label[40];
    int fd = open_file();
    (void)state;
    hear(fd);
    for (size_t kind = 0; kind < sizeof(kinds); kind++)
        for (size_t len = 560; len < 620; len++) {
            for (size_t i = 0; i < len; i++)
                value[i] = kind + 1 == sizeof(kinds) ? kinds[i % kind] : kinds[kind];
            struct log_line *line = log_begin(LOG_INFO, "refused");
            for (int i = 0; i < 5; i++)
                log_span(line, "reply", (struct span){value, len});
            log_number(line, "code", 550);
            log_end(line);
            char text[4096];
            size_t keys = 0;
            read_all(fd, text, sizeof(text));
            snprintf(label, sizeof(label), "kind %zu, %zu bytes", kind, len);
            expect(parses(text, &keys), label);
            expect(keys >= 1 && strlen(text) <= 2048 && strlen(text) > 1900, label);
            assert_int_equal(ftruncate(fd, 0), 0);
            lseek(fd, 0, SEEK_SET);
        }
    hear_no_more();
    close(fd);
}

static void a_level_that_is_not_wanted_is_silent(void **state)
{
    char text[200];
    struct err fault = {0};
    int fd = open_file();
    (void)state;
    hear(fd);
    log_event(LOG_DEBUG, "said", "what", "EHLO");
    log_fault("nothing", &fault);
    log_set_level(LOG_ERROR);
    log_event(LOG_WARN, "said", "what", "EHLO");
    err_set(&fault, ERR_STORE, "disk full");
    log_fault("store_failed", &fault);
    log_set_level(LOG_INFO);
    read_all(fd, text, sizeof(text));
    hear_no_more();
    assert_string_equal(text, "error store_failed what=\"disk full\"\n");
    close(fd);
}

/* A pipe that nobody reads: no call waits; what was kept comes first when it flows again, then how
 * many lines were lost, and each line is whole. */
static void a_reader_that_stops_holds_nobody_up(void **state)
{
    enum { LINES = 6000, PIPE = 1024 * 1024 };
    static char text[PIPE];
    int ends[2];
    size_t len = 0;
    unsigned lines = 0;
    unsigned lost = 0;
    (void)state;
    assert_int_equal(pipe(ends), 0);
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    hear(ends[1]);
    log_open();
    for (int i = 0; i < LINES; i++)
        log_number(log_begin(LOG_INFO, "said"), "count", i), log_event(LOG_INFO, "said", "what", "a line of some length, which is repeated again and again");
    for (int i = 0; i < 200; i++) {
        ssize_t got = read(ends[0], text + len, sizeof(text) - len);
        len += got > 0 ? (size_t)got : 0;
        log_flush();
    }
    log_close();
    hear_no_more();
    for (char *line = text; line < text + len; lines++) {
        char *end = memchr(line, '\n', (size_t)(text + len - line));
        assert_non_null(end);
        *end = '\0';
        if (sscanf(line, "warn log_lines_lost count=%u", &lost) != 1)
            assert_string_equal(line, "info said what=\"a line of some length, which is repeated again and again\"");
        line = end + 1;
    }
    assert_true(lost > 0);
    assert_int_equal(lines - 1 + lost, LINES);
    close(ends[0]);
    close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_peers_say_stays_in_its_value),
        cmocka_unit_test(a_full_line_is_still_a_line),
        cmocka_unit_test(a_level_that_is_not_wanted_is_silent),
        cmocka_unit_test(a_reader_that_stops_holds_nobody_up), /* last: log_open() is for good */
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
