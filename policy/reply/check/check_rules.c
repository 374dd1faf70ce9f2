// SPDX-License-Identifier: BSD-2-Clause
/* check_rules.c - Tries the rules of replies on their own examples. The build runs it, and fails
 * where one is not decided as it says: check_rules RULES PROVIDERS
 *
 * Rules stand in order: of providers, of words, of codes. Each has an example that it decides and
 * one that it does not; no rule without words suppresses by 5.7.z. */
#include "reply_rules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_MAX = 1024 * 1024, PARTS_MAX = 12, GAPS_MAX = 3 };

static struct {
    struct span rules, providers;
    unsigned faults;
} all;

static void fault(const struct reply_rule *rule, const char *what, struct span line)
{
    fprintf(stderr, "rules.txt: %.*s: %s%.*s\n", SPAN_ARG(rule->name), what, SPAN_ARG(line));
    all.faults++;
}

static struct span read_file(const char *path)
{
    char *text = xcalloc(1, FILE_MAX);
    FILE *f = fopen(path, "re");
    size_t len = f ? fread(text, 1, FILE_MAX, f) : 0;
    if (len == 0 || len == FILE_MAX) {
        fprintf(stderr, "check_rules: %s cannot be read\n", path);
        exit(2);
    }
    fclose(f);
    return (struct span){text, len};
}

/* "data 550 …", or only the reply, which is one to RCPT. */
static bool read_example(struct span line, struct verdict *answer_r, enum reply_stage *stage_r)
{
    struct span rest = line;
    *stage_r = REPLY_AT_RCPT;
    if (reply_stage_parse(span_take(&rest, ' '), stage_r))
        line = rest;
    char text[2000];
    size_t used = 0;
    for (size_t i = 0; i < line.len && used < sizeof(text); i++) {
        bool newline = span_starts_nocase(span_from(line, i), SPAN("\\n"));
        text[used++] = newline ? '\n' : line.ptr[i];
        i += newline;
    }
    return reply_read((struct span){text, used}, answer_r);
}

static void try_example(const struct reply_rule *rule, bool decides, struct span line)
{
    struct verdict answer;
    struct reply_judgement j;
    struct err err = {0};
    struct span providers =
        rule->providers; /* the first one that it names; or the host is unknown */
    struct reply_input in = {.answer = &answer, .provider = span_take(&providers, ' ')};
    if (!read_example(line, &answer, &in.stage)) {
        fault(rule, "not a reply: ", line);
        return;
    }
    for (int known = 0; known < 2; known++, in.provider = SPAN_NONE) {
        if (!reply_judge_by(all.rules, &in, &j, &err)) {
            fault(rule, err.text, SPAN_NONE);
        } else if (span_equal(span_of(j.rule), rule->name) != decides) {
            fault(rule, decides ? "does not decide: " : "decides: ", line);
            fprintf(stderr, "    %s (%s) does\n", j.rule, reply_category_name(j.category));
        }
    }
}

static void check_pattern(const struct reply_rule *rule, struct span pattern)
{
    unsigned parts = 0;
    unsigned gaps = 0;
    for (struct span rest = pattern; rest.len > 0;) {
        struct span part = span_take(&rest, ' ');
        parts++;
        gaps += span_equal(part, SPAN(".."));
        if (part.len == 0 || part.ptr[part.len - 1] == '|' || part.ptr[0] == '|')
            fault(rule, "an empty part: ", pattern);
        for (size_t i = 0; i < part.len; i++)
            if (part.ptr[i] >= 'A' && part.ptr[i] <= 'Z')
                fault(rule, "no word has capitals: ", pattern);
    }
    if (span_starts_nocase(pattern, SPAN("..")) || span_starts_nocase(pattern, SPAN("$")))
        fault(rule, "begins with no word: ", pattern);
    if (parts == 0 || parts > PARTS_MAX || gaps > GAPS_MAX)
        fault(rule, "too long: ", pattern);
}

static void check_providers(const struct reply_rule *rule)
{
    struct span names = rule->providers;
    while (names.len > 0) {
        struct span name = span_take(&names, ' ');
        struct span lines = all.providers;
        bool found = false;
        while (lines.len > 0 && !found) {
            struct span line = span_take(&lines, '\n');
            found = span_equal(span_take(&line, ' '), name);
        }
        if (!found)
            fault(rule, "mx_providers.txt does not have ", name);
    }
}

static bool is_policy_code(struct span enhanced)
{
    while (enhanced.len > 0)
        if (span_search(span_take(&enhanced, ' '), SPAN(".7.")) == 1)
            return true;
    return false;
}

static bool suppresses(const struct reply_rule *rule)
{
    return !rule->unsure &&
           (rule->category == REPLY_MAILBOX_UNKNOWN || rule->category == REPLY_DOMAIN_UNKNOWN ||
            rule->category == REPLY_MAILBOX_DISABLED);
}

static void check_rule(const struct reply_rule *rule)
{
    struct span lines = rule->lines;
    struct span key = SPAN_NONE;
    struct span value = SPAN_NONE;
    unsigned yes = 0;
    unsigned no = 0;
    while (reply_rule_line(&lines, &key, &value)) {
        bool is_yes = span_equal(key, SPAN("yes"));
        bool is_no = span_equal(key, SPAN("no"));
        yes += is_yes;
        no += is_no;
        if (is_yes || is_no)
            try_example(rule, is_yes, value);
        else if (span_equal(key, SPAN("text")) || span_equal(key, SPAN("but")))
            check_pattern(rule, value);
        else
            fault(rule, "behind its head: ", key);
    }
    if (yes == 0 || no == 0)
        fault(rule, "wants an example that it decides, and one that it does not", SPAN_NONE);
    if (!rule->has_text && rule->enhanced.len == 0)
        fault(rule, "has neither words nor a code", SPAN_NONE);
    if (!rule->has_text && suppresses(rule) && is_policy_code(rule->enhanced))
        fault(rule, "suppresses by 5.7.z alone", SPAN_NONE);
    check_providers(rule);
}

static bool has_earlier(struct span name)
{
    struct reply_rule rule;
    struct err err = {0};
    struct span rest = all.rules;
    while (reply_rule_next(&rest, &rule, &err) && rule.name.ptr != name.ptr)
        if (span_equal(rule.name, name))
            return true;
    CHECK(err.kind == ERR_NONE);
    return false;
}

int main(int argc, char **argv)
{
    struct reply_rule rule;
    struct err err = {0};
    enum reply_by by = REPLY_BY_PROVIDER;
    unsigned count = 0;
    if (argc != 3) {
        fprintf(stderr, "usage: check_rules RULES PROVIDERS\n");
        return 2;
    }
    all.rules = read_file(argv[1]);
    all.providers = read_file(argv[2]);
    for (struct span rest = all.rules; reply_rule_next(&rest, &rule, &err); count++) {
        if (reply_rule_by(&rule, true) < by)
            fault(&rule, "stands too late: providers, then words, then codes", SPAN_NONE);
        if (has_earlier(rule.name))
            fault(&rule, "there are two of that name", SPAN_NONE);
        by = reply_rule_by(&rule, true);
        check_rule(&rule);
    }
    if (err.kind != ERR_NONE)
        fprintf(stderr, "rules.txt: %s\n", err.text);
    else if (all.faults == 0)
        printf("%u rules, all as their examples say\n", count);
    free((void *)(uintptr_t)all.rules.ptr);
    free((void *)(uintptr_t)all.providers.ptr);
    return err.kind != ERR_NONE || all.faults > 0 || count == 0;
}
