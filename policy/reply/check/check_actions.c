// SPDX-License-Identifier: BSD-2-Clause
/* check_actions.c - Tries the rows of what follows from replies on their own examples, as
 * check_rules.c does with the rules. The build runs it, and fails where one is not decided as it
 * says: check_actions ACTIONS RULES PROVIDERS
 *
 * An example names the MX host that said it: that is whose provider it is, by mx_providers.txt. */
#include "mx_providers.h"
#include "reply_actions.h"

#include <stdio.h>
#include <stdlib.h>

enum { FILE_MAX = 1024 * 1024 };

static struct {
    struct span actions, rules, providers;
    unsigned faults;
} all;

static void fault(struct span name, const char *what, struct span line)
{
    fprintf(stderr, "actions.txt: %.*s: %s%.*s\n", SPAN_ARG(name), what, SPAN_ARG(line));
    all.faults++;
}

static struct span read_file(const char *path)
{
    char *text = xcalloc(1, FILE_MAX);
    FILE *f = fopen(path, "re");
    size_t len = f ? fread(text, 1, FILE_MAX, f) : 0;
    if (len == 0 || len == FILE_MAX) {
        fprintf(stderr, "check_actions: %s cannot be read\n", path);
        exit(2);
    }
    fclose(f);
    return (struct span){text, len};
}

/* Its provider; empty: nobody's, as for the relay. */
static struct span provider_of(struct span host)
{
    char name[256];
    struct mx_provider row;
    const char *hosts[] = {name};
    if (!span_copy(host, name, sizeof(name)) || !mx_provider_find(hosts, 1, &row))
        return SPAN_NONE;
    return row.name;
}

/* "mx.club.example data 550 …". */
static bool read_example(struct span line, struct reply_input *in, struct verdict *answer_r)
{
    in->answer = answer_r;
    in->provider = provider_of(span_take(&line, ' '));
    in->stage = REPLY_AT_RCPT;
    struct span rest = line;
    if (reply_stage_parse(span_take(&rest, ' '), &in->stage))
        line = rest;
    return reply_read(line, answer_r);
}

static void try_example(const struct reply_action_row *row, bool decides, struct span line)
{
    struct verdict answer;
    struct reply_input in;
    struct reply_judgement judged;
    struct reply_action action;
    struct err err = {0};
    if (!read_example(line, &in, &answer))
        fault(row->fits.name, "not a host and a reply: ", line);
    else if (!reply_judge_by(all.rules, &in, &judged, &err) ||
             !reply_action_by(all.actions, &in, &judged, &action, &err))
        fault(row->fits.name, err.text, SPAN_NONE);
    else if (span_equal(span_of(action.row), row->fits.name) != decides) {
        fault(row->fits.name, decides ? "does not decide: " : "decides: ", line);
        fprintf(stderr, "    %s does, of what %s judges (%s, about %s)\n", action.row, judged.rule,
                reply_category_name(judged.category), reply_about_name(judged.about));
    }
}

static void check_examples(const struct reply_action_row *row)
{
    struct span lines = row->fits.lines;
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
            try_example(row, is_yes, value);
    }
    if (yes == 0 || no == 0)
        fault(row->fits.name, "wants an example that it decides, and one that it does not",
              SPAN_NONE);
}

static bool is_provider(struct span name)
{
    struct mx_provider row;
    for (struct span lines = all.providers; mx_provider_next(&lines, &row);)
        if (span_equal(row.name, name))
            return true;
    return false;
}

static bool is_rule(struct span name)
{
    struct reply_rule rule;
    struct err err = {0};
    bool found = false;
    for (struct span rest = all.rules; !found && reply_rule_next(&rest, &rule, &err);)
        found = span_equal(rule.name, name);
    CHECK(err.kind == ERR_NONE);
    return found;
}

static void check_names(const struct reply_action_row *row, struct span names,
                        bool (*is_known)(struct span name), const char *what)
{
    while (names.len > 0) {
        struct span name = span_take(&names, ' ');
        if (!is_known(name))
            fault(row->fits.name, what, name);
    }
}

/* What waits has a time; what does not has none. */
static void check_times(const struct reply_action_row *row)
{
    static const bool timed[REPLY_DOS] = {[REPLY_DO_PAUSE] = true,
                                          [REPLY_DO_PAUSE_SOURCE] = true,
                                          [REPLY_DO_PAUSE_DOMAIN] = true,
                                          [REPLY_DO_SLOW_RECIPIENT] = true,
                                          [REPLY_DO_ALARM] = true};
    if (timed[row->what] != (row->for_ms > 0))
        fault(row->fits.name, timed[row->what] ? "wants \"for\"" : "has no use for \"for\"",
              SPAN_NONE);
}

/* Of that name, before this one. */
static bool has_earlier(struct span name)
{
    struct reply_action_row row;
    struct err err = {0};
    struct span rest = all.actions;
    bool found = false;
    while (!found && reply_action_next(&rest, &row, &err) && row.fits.name.ptr != name.ptr)
        found = span_equal(row.fits.name, name);
    CHECK(err.kind == ERR_NONE);
    return found;
}

static void check_row(const struct reply_action_row *row, bool *general)
{
    if (row->fits.providers.len > 0 && *general)
        fault(row->fits.name, "stands too late: providers first", SPAN_NONE);
    *general = row->fits.providers.len == 0;
    if (has_earlier(row->fits.name))
        fault(row->fits.name, "there are two of that name", SPAN_NONE);
    check_names(row, row->fits.providers, is_provider, "mx_providers.txt does not have ");
    check_names(row, row->rules, is_rule, "rules.txt does not have ");
    check_times(row);
    check_examples(row);
}

int main(int argc, char **argv)
{
    struct reply_action_row row;
    struct err err = {0};
    unsigned count = 0;
    bool general = false;
    if (argc != 4) {
        fprintf(stderr, "usage: check_actions ACTIONS RULES PROVIDERS\n");
        return 2;
    }
    all.actions = read_file(argv[1]);
    all.rules = read_file(argv[2]);
    all.providers = read_file(argv[3]);
    for (struct span rest = all.actions; reply_action_next(&rest, &row, &err); count++)
        check_row(&row, &general);
    if (err.kind != ERR_NONE)
        fprintf(stderr, "actions.txt: %s\n", err.text);
    else if (all.faults == 0)
        printf("%u rows, all as their examples say\n", count);
    free((void *)(uintptr_t)all.actions.ptr);
    free((void *)(uintptr_t)all.rules.ptr);
    free((void *)(uintptr_t)all.providers.ptr);
    return err.kind != ERR_NONE || all.faults > 0 || count == 0;
}
