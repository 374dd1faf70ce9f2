// SPDX-License-Identifier: BSD-2-Clause
/* config_test.c - The table of settings, row by row: what a row says is what the relay does. A new row is tested here without a
 * word. */
#include "config_sections.h"
#include "config_values.h"

#include "table.h"

#include <stdlib.h>
#include <unistd.h>

static char directory[] = "/tmp/config_test.XXXXXX";

/* A section of each kind that may stand several times, so that each row has a member. */
static const char base_text[] = "hostname = \"mail.test\"\n"
                                "listener \"a\" { address = \"127.0.0.1:2587\" }\n"
                                "tls { certificate = \"/c\"  key = \"/k\" }\n"
                                "certificate \"b\" { file = \"/c\"  key = \"/k\" }\n"
                                "route \"x.test\" { host = \"192.0.2.1\" }\n"
                                "domain \"x.test\" { }\n"
                                "source \"here\" { ipv4 = \"127.0.0.1\" }\n"
                                "tenant \"t\" { source = \"here\" }\n"
                                "stream \"s\" { burst = 3  retry = {1m, 1h}  expires = 2d }\n";

/* Some of them are good for each row, and two of those differ. */
static const char *const examples[] = {"1", "2", "0", "5", "6", "2048", "3072", "a.test", "b.test", "192.0.2.1", "192.0.2.2",
                                       "192.0.2.0/24", "192.0.2.1:25", "192.0.2.1:26", "/bin/a", "/bin/b", "https://a.test",
                                       "https://b.test", "a@a.test", "b@a.test", "#112233", "#112234", "text \"with\" \\ and ${HOME}"};

static const char *write_file(const char *text)
{
    static char path[100];
    snprintf(path, sizeof(path), "%s/conf", directory);
    FILE *f = fopen(path, "w");
    CHECK(f && fputs(text, f) >= 0 && fclose(f) == 0);
    return path;
}

static struct config *read_text(const char *text)
{
    struct config *c = NULL;
    struct err err = {0};
    if (!config_read(write_file(text), NULL, &c, &err))
        fail_msg("%s", err.text);
    return c;
}

static const char *print(const struct config_setting *s, const void *base)
{
    static struct buf text;
    buf_fini(&text);
    buf_init(&text, 64 * 1024);
    config_value_print(s, base, &text);
    return buf_text(&text);
}

typedef void on_row(const struct config_section *section, const struct config_setting *s, const char *label);

static void each_row(on_row *on)
{
    for (size_t i = 0; i < config_section_count; i++)
        for (const struct config_setting *s = config_sections[i].settings; s->name; s++) {
            char label[100];
            snprintf(label, sizeof(label), "%s%s%s", config_sections[i].name, config_sections[i].name[0] ? "." : "", s->name);
            on(&config_sections[i], s, label);
        }
}

/* The nth example that the row takes, from 0; as text in `value_r`. */
static bool take_example(const struct config_setting *s, void *base, size_t nth, const char **value_r)
{
    char why[CONFIG_WHY_MAX];
    for (const char *const *word = s->words ? s->words + s->min : NULL; word && *word; word++)
        if (config_value_take(s, base, *word, why) && nth-- == 0) {
            *value_r = *word;
            return true;
        }
    for (size_t i = 0; i < COUNT_OF(examples); i++)
        if (config_value_take(s, base, examples[i], why) && nth-- == 0) {
            *value_r = examples[i];
            return true;
        }
    return false;
}

/* ---- one row ---- */

static void check_row(const struct config_section *section, const struct config_setting *s, const char *label)
{
    struct buf allowed;
    buf_init(&allowed, 299); /* what config_about has room for */
    config_value_allowed(s, &allowed);
    EXPECT(!allowed.overflow && allowed.len > 0, label);
    buf_fini(&allowed);
    EXPECT(s->about && s->about[0] && !strchr(s->about, '\n') && strlen(s->about) < 90, label);
    for (const struct config_setting *other = section->settings; other != s; other++)
        EXPECT(strcmp(other->name, s->name) != 0, label);
    EXPECT(s->type != CONFIG_WORD || (s->words && s->words[s->min]), label);
    EXPECT(s->type < CONFIG_NUMBER || s->max > s->min, label);
}

/* The words of enums that others have: in their order. */
static void check_words(const struct config_section *section, const struct config_setting *s, const char *label)
{
    (void)section;
    for (size_t i = 0; s->words && s->words[i]; i++) {
        enum alert_kind kind;
        EXPECT(strcmp(label, "stream.class") != 0 || strcmp(stream_class_name((enum stream_class)i), s->words[i]) == 0, label);
        EXPECT(!strstr(label, "alignment") || strcmp(alignment_mode_name((enum alignment_mode)i), s->words[i]) == 0, label);
        EXPECT(strcmp(label, "alert.on") != 0 || (alert_parse(span_of(s->words[i]), &kind) && kind == i), label);
    }
}

static void each_row_is_whole(void **state)
{
    (void)state;
    each_row(check_row);
    each_row(check_words);
}

static void check_default(const struct config_section *section, const struct config_setting *s, const char *label)
{
    static _Alignas(16) char scratch[sizeof(struct config) + sizeof(struct stream)];
    char why[CONFIG_WHY_MAX];
    (void)section;
    if (!s->fallback || config_is_list(s))
        return;
    memset(scratch, 0, sizeof(scratch));
    config_value_take_default(s, scratch);
    char shown[200];
    snprintf(shown, sizeof(shown), "%s", print(s, scratch));
    /* a file may say it as well, but for what stands for "work it out" */
    bool worked_out = strcmp(s->fallback, "0") == 0 && s->min > 0;
    EXPECT(worked_out != config_value_take(s, scratch, s->fallback, why), label);
    EXPECT(strcmp(print(s, scratch), shown) == 0, label);
}

static void each_default_is_a_value(void **state)
{
    (void)state;
    each_row(check_default);
}

/* ---- files ---- */

static const char *title_of(const struct config_section *section)
{
    return !section->several ? "" : section->named ? "\"tenant\"" : "\"x.test\"";
}

/* The setting in line 6, or in line 4 when it is in no section; true when it is refused there. */
static bool is_refused(const struct config_section *section, const struct config_setting *s, const char *value, const char *label)
{
    struct buf text;
    struct config *c = NULL;
    struct config_report report;
    char place[200];
    buf_init(&text, 64 * 1024);
    buf_add(&text, SPAN("hostname = \"mail.test\"\n\n\n"));
    if (section->name[0])
        buf_addf(&text, "%s %s {\n\n", section->name, title_of(section));
    buf_addf(&text, config_is_list(s) ? "%s = {\"%s\"}\n" : "%s = \"%s\"\n", s->name, value);
    if (section->name[0])
        buf_add(&text, SPAN("}\n"));
    const char *path = write_file(buf_text(&text));
    config_report_init(&report);
    if (config_read_all(path, NULL, &c, &report))
        config_free(c);
    snprintf(place, sizeof(place), "%s:%d: ", path, section->name[0] ? 6 : 4);
    const char *line = strstr(buf_text(&report.faults), place);
    bool refused = line && strstr(line, s->name);
    if (line && !refused)
        fail_msg("%s: it is not named: %s", label, line);
    config_report_fini(&report);
    buf_fini(&text);
    return refused;
}

static void check_refused(const struct config_section *section, const struct config_setting *s, const char *label)
{
    static char value[3000];
    if (s->type >= CONFIG_NUMBER) {
        const char *const wrong[] = {"x", "-1", "1.5", "99999999999999", ""};
        for (size_t i = 0; i < COUNT_OF(wrong); i++)
            EXPECT(is_refused(section, s, wrong[i], label), label);
        snprintf(value, sizeof(value), "%lld", (long long)s->max + 1);
        EXPECT(is_refused(section, s, value, label), label);
        snprintf(value, sizeof(value), "%lld", (long long)s->min - 1);
        EXPECT(is_refused(section, s, value, label), label);
    } else if (s->words || s->type == CONFIG_COLOR) {
        EXPECT(is_refused(section, s, "nonsense", label), label);
    } else if (s->type == CONFIG_TEXT) {
        memset(value, 'x', sizeof(value) - 1);
        EXPECT(is_refused(section, s, value, label), label);
    }
    if (s->fault)
        EXPECT(is_refused(section, s, "\xff", label), label);
    EXPECT(is_refused(section, s, "a\x01z", label), label);
}

static void what_a_row_does_not_allow_is_refused_by_name_and_line(void **state)
{
    (void)state;
    each_row(check_refused);
}

/* What is shown is read as the same. */
static void check_shown(const struct config_section *section, const struct config_setting *s, const char *label)
{
    struct config *c = read_text(base_text);
    struct config *again = NULL;
    struct buf text;
    struct buf second;
    const char *value = NULL;
    void *base = config_sections_base(c, section, s, 0);
    EXPECT(config_is_list(s) || take_example(s, base, 1, &value), label);
    buf_init(&text, 64 * 1024);
    buf_init(&second, 64 * 1024);
    config_print(c, &text);
    struct config_report report;
    config_report_init(&report);
    if (config_read_all(write_file(buf_text(&text)), NULL, &again, &report)) { /* it may break a rule */
        config_print(again, &second);
        EXPECT(s->flags & CONFIG_SECRET || strcmp(buf_text(&text), buf_text(&second)) == 0, label);
        config_free(again);
    } else {
        EXPECT(strstr(buf_text(&report.faults), "needs") || strstr(buf_text(&report.faults), "both or neither") ||
                   strstr(buf_text(&report.faults), "reserve") || s->flags & CONFIG_SECRET || strstr(buf_text(&report.faults), "share"),
               buf_text(&report.faults));
    }
    config_report_fini(&report);
    buf_fini(&text);
    buf_fini(&second);
    config_free(c);
}

static void what_is_shown_is_read_as_the_same(void **state)
{
    (void)state;
    each_row(check_shown);
}

/* ---- reload ---- */

/* In front of it is where that stands. */
static bool ends_with(const char *text, const char *end)
{
    size_t len = strlen(text);
    return len >= strlen(end) && strcmp(text + len - strlen(end), end) == 0;
}

static void check_reload(const struct config_section *section, const struct config_setting *s, const char *label)
{
    struct config *now = read_text(base_text);
    struct config *fresh = read_text(base_text);
    struct err err = {0};
    char before[5000];
    char expected[200];
    const char *value = NULL;
    EXPECT(config_may_follow(now, fresh, &err), label);
    void *base = config_sections_base(fresh, section, s, 0);
    snprintf(before, sizeof(before), "%s", print(s, base));
    for (size_t nth = 0; strcmp(print(s, base), before) == 0; nth++)
        EXPECT(take_example(s, base, nth, &value), label);
    EXPECT(config_may_follow(now, fresh, &err) == (s->change == CONFIG_RELOAD), label);
    snprintf(expected, sizeof(expected), "%s cannot be changed by a reload: restart the relay", label);
    EXPECT(s->change == CONFIG_RELOAD || ends_with(err.text, expected), label);
    config_free(now);
    config_free(fresh);
}

static void a_reload_refuses_by_name_the_rows_that_need_a_restart(void **state)
{
    (void)state;
    each_row(check_reload);
}

/* ---- the manual ---- */

static char *manual; /* all of it */

/* From the section's head to the next one. */
static struct span part_of_manual(const struct config_section *section)
{
    char head[100];
    snprintf(head, sizeof(head), section->name[0] ? "\n.SS %s" : "\n.SH SETTINGS", section->name);
    const char *from = strstr(manual, head);
    for (size_t len = strlen(head); from && !strchr(" \n", from[len]);)
        from = strstr(from + 1, head);
    if (!from)
        return SPAN_NONE;
    struct span part = span_from(span_of(from), 3);
    size_t end = span_search(part, SPAN("\n.SS "));
    return span_first(part, end);
}

/* "title_fr" is one of a list that is told in prose. */
static void check_manual(const struct config_section *section, const struct config_setting *s, const char *label)
{
    struct span part = part_of_manual(section);
    bool there = false;
    for (size_t at = 0; !there && at < part.len; at++) {
        struct span rest = span_from(part, at);
        size_t len = strlen(s->name);
        there = rest.len > len && memcmp(rest.ptr, s->name, len) == 0 && strchr(" \n\"),.;", rest.ptr[len]) &&
                (at == 0 || strchr(" \n\"(", rest.ptr[-1]));
    }
    EXPECT(there, label);
    if (s->change != CONFIG_RESTART)
        return;
    /* what a reload cannot change stands before the settings */
    char name[100];
    snprintf(name, sizeof(name), "%s%s%s", section->name, section->name[0] ? " " : "", s->name);
    struct span before = span_first(span_of(manual), span_search(span_of(manual), SPAN("\n.SH SETTINGS")));
    struct span list = span_from(before, span_search(before, SPAN("These settings require a restart")));
    EXPECT(span_search(list, span_of(name)) < list.len, label);
}

static void the_manual_knows_each_row(void **state)
{
    (void)state;
    FILE *f = fopen(MANUAL, "r");
    assert_non_null(f);
    manual = calloc(1, 256 * 1024);
    CHECK(manual && fread(manual, 1, 256 * 1024 - 1, f) > 1000 && fclose(f) == 0);
    each_row(check_manual);
    free(manual);
}

/* ---- all of it ---- */

static void what_can_hardly_be_meant_is_noted(void **state)
{
    static const char *const said[] = {"connections = 1000000", "per_address = 2000", "per_network = 2000", "reserve = 1000",
                                       "memory = 900000G",      "size = 900M  memory = 100M", "idle = 5w", "login = 1w",
                                       "recipients = 1000000"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(said); i++) {
        char text[200];
        struct config *c = NULL;
        struct config_report report;
        snprintf(text, sizeof(text), "hostname = \"mail.test\"\nlimits { %s }\n", said[i]);
        config_report_init(&report);
        EXPECT(config_read_all(write_file(text), NULL, &c, &report), said[i]);
        EXPECT(strstr(buf_text(&report.notes), "conf:2: limits: "), said[i]);
        config_report_fini(&report);
        config_free(c);
    }
}

static void an_include_that_matches_nothing_is_noted(void **state)
{
    struct config *c = NULL;
    struct config_report report;
    (void)state;
    config_report_init(&report);
    assert_true(config_read_all(write_file("hostname = \"mail.test\"\ninclude \"none.d/*.conf\"\n"), NULL, &c, &report));
    assert_non_null(strstr(buf_text(&report.notes), "conf:2: include \"none.d/*.conf\": no file matches"));
    config_report_fini(&report);
    config_free(c);
}

static void a_thousand_readings_leave_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < 1000; i++)
        config_free(read_text(base_text)); /* AddressSanitizer counts */
}

static int begin(void **state)
{
    (void)state;
    return mkdtemp(directory) ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    unlink(write_file(""));
    return rmdir(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_row_is_whole),
                                       cmocka_unit_test(each_default_is_a_value),
                                       cmocka_unit_test(what_a_row_does_not_allow_is_refused_by_name_and_line),
                                       cmocka_unit_test(what_is_shown_is_read_as_the_same),
                                       cmocka_unit_test(a_reload_refuses_by_name_the_rows_that_need_a_restart),
                                       cmocka_unit_test(the_manual_knows_each_row),
                                       cmocka_unit_test(what_can_hardly_be_meant_is_noted),
                                       cmocka_unit_test(an_include_that_matches_nothing_is_noted),
                                       cmocka_unit_test(a_thousand_readings_leave_nothing)};
    return cmocka_run_group_tests(tests, begin, end);
}
