// SPDX-License-Identifier: BSD-2-Clause
/* reply_rules.c - The table is read anew for each reply: thirty thousand octets, and only a refusal
 * costs that. So there is nothing to be made at the start, and nothing to be shared. */
#include "reply_rules.h"

#include <string.h>

static struct span take_word(struct span *line)
{
    *line = span_trim(*line);
    return span_take(line, ' ');
}

bool reply_rule_line(struct span *lines, struct span *key_r, struct span *value_r)
{
    while (lines->len > 0) {
        struct span line = span_trim(span_take(lines, '\n'));
        if (line.len == 0 || line.ptr[0] == '#')
            continue;
        *key_r = take_word(&line);
        *value_r = span_trim(line);
        return true;
    }
    return false;
}

static bool find_category(struct span name, enum reply_category *category_r)
{
    for (unsigned i = 0; i < REPLY_CATEGORIES; i++) {
        *category_r = (enum reply_category)i;
        if (span_equal(name, span_of(reply_category_name(*category_r))))
            return true;
    }
    return false;
}

static bool find_about(struct span name, enum reply_about *about_r)
{
    for (unsigned i = 0; i < REPLY_ABOUTS; i++) {
        *about_r = (enum reply_about)i;
        if (span_equal(name, span_of(reply_about_name(*about_r))))
            return true;
    }
    return false;
}

static enum reply_about usual_about(enum reply_category category)
{
#define REPLY_USUAL(name, word, about) [REPLY_##name] = (about),
    static const enum reply_about usual[REPLY_CATEGORIES] = {REPLY_CATEGORIES_LIST(REPLY_USUAL)};
#undef REPLY_USUAL
    return usual[category];
}

/* One line of a rule's head. False: it is none. */
static bool read_head(struct reply_rule *rule, struct span key, struct span value, bool *wrong_r)
{
    struct {
        const char *key;
        struct span *words;
    } lists[] = {{"provider", &rule->providers},
                 {"code", &rule->codes},
                 {"enhanced", &rule->enhanced},
                 {"stage", &rule->stages}};
    for (size_t i = 0; i < COUNT_OF(lists); i++)
        if (span_equal(key, span_of(lists[i].key))) {
            *lists[i].words = value;
            *wrong_r = value.len == 0;
            return true;
        }
    if (span_equal(key, SPAN("category"))) {
        *wrong_r = !find_category(value, &rule->category);
        rule->about = usual_about(rule->category);
        return true;
    }
    if (span_equal(key, SPAN("about"))) {
        *wrong_r = !find_about(value, &rule->about);
        return true;
    }
    if (span_equal(key, SPAN("retry"))) {
        rule->retry = true;
        *wrong_r = !span_equal(value, SPAN("yes"));
        return true;
    }
    if (span_equal(key, SPAN("suppress"))) {
        rule->unsure = true;
        *wrong_r = !span_equal(value, SPAN("no"));
        return true;
    }
    return false;
}

static bool is_body(struct span key)
{
    static const char *const keys[] = {"text", "but", "yes", "no"};
    size_t i = 0;
    return span_among(key, keys, COUNT_OF(keys), &i);
}

/* Where the next rule begins. */
static size_t find_end(struct span text)
{
    size_t at = span_search(text, SPAN("\nrule "));
    return at < text.len ? at + 1 : text.len;
}

bool reply_rule_next(struct span *text, struct reply_rule *rule_r, struct err *err)
{
    struct span key = SPAN_NONE;
    struct span value = SPAN_NONE;
    *rule_r = (struct reply_rule){.category = REPLY_CATEGORIES};
    if (!reply_rule_line(text, &key, &value))
        return false;
    if (!span_equal(key, SPAN("rule")) || value.len == 0 || value.len >= REPLY_RULE_NAME)
        return err_set(err, ERR_MALFORMED, "\"%.*s\" is not the beginning of a rule",
                       SPAN_ARG(key));
    rule_r->name = value;
    size_t end = text->len > 0 && span_starts_nocase(*text, SPAN("rule ")) ? 0 : find_end(*text);
    struct span rest = span_first(*text, end);
    *text = span_from(*text, end);
    for (struct span here = rest; reply_rule_line(&here, &key, &value); rest = here) {
        bool wrong = false;
        if (is_body(key))
            break;
        if (!read_head(rule_r, key, value, &wrong) || wrong)
            return err_set(err, ERR_MALFORMED, "%.*s: \"%.*s %.*s\" means nothing",
                           SPAN_ARG(rule_r->name), SPAN_ARG(key), SPAN_ARG(value));
    }
    rule_r->lines = rest;
    rule_r->has_text = reply_rule_line(&rest, &key, &value) && span_equal(key, SPAN("text"));
    if (rule_r->category == REPLY_CATEGORIES)
        return err_set(err, ERR_MALFORMED, "%.*s: it has no category", SPAN_ARG(rule_r->name));
    return true;
}

/* ---- fitting ---- */

static bool lists(struct span words, struct span wanted)
{
    while (words.len > 0)
        if (span_equal(take_word(&words), wanted))
            return true;
    return false;
}

/* "55": 550 to 559. */
static bool lists_code(struct span words, int code)
{
    char text[4] = {(char)('0' + code / 100 % 10), (char)('0' + code / 10 % 10),
                    (char)('0' + code % 10), '\0'};
    while (words.len > 0)
        if (span_starts_nocase(span_of(text), take_word(&words)))
            return true;
    return false;
}

/* "5.7.1"; "*.7.1" of either class; "*.7.*" with any detail. */
static bool lists_enhanced(struct span words, struct span enhanced)
{
    while (words.len > 0) {
        struct span wanted = take_word(&words);
        struct span said = enhanced;
        bool any_class = wanted.ptr[0] == '*';
        if (any_class) {
            wanted = span_from(wanted, 1);
            said = span_from(said, 1);
        }
        bool any_detail = span_ends_nocase(wanted, SPAN("*"));
        wanted.len -= any_detail;
        if (any_detail ? span_starts_nocase(said, wanted) : span_equal(said, wanted))
            return true;
    }
    return false;
}

/* Nothing is about a mailbox before one was named. */
static bool may_be_said(const struct reply_rule *rule, enum reply_stage stage)
{
    return stage >= REPLY_AT_RCPT || rule->about != REPLY_MAILBOX;
}

static bool take_pattern(struct span *lines, struct span key, struct span *pattern_r)
{
    struct span line = span_take(lines, '\n');
    bool found = line.len > key.len && memcmp(line.ptr, key.ptr, key.len) == 0;
    *pattern_r = span_from(line, key.len);
    return found;
}

/* Lines are as the build has found them: without blanks at either end. */
static bool fits_any(struct span lines, struct span key, const struct reply_words *w)
{
    struct span pattern = SPAN_NONE;
    while (lines.len > 0)
        if (take_pattern(&lines, key, &pattern) && reply_words_fit(w, pattern))
            return true;
    return false;
}

static bool fits_text(const struct reply_rule *rule, const struct reply_words *w)
{
    return fits_any(rule->lines, SPAN("text "), w) && !fits_any(rule->lines, SPAN("but "), w);
}

bool reply_rule_fits(const struct reply_rule *rule, const struct reply_input *in,
                     const struct reply_words *w, const char *enhanced)
{
    return (rule->providers.len == 0 || in->provider.len == 0 ||
            lists(rule->providers, in->provider)) &&
           (rule->codes.len == 0 || lists_code(rule->codes, in->answer->code)) &&
           (rule->enhanced.len == 0 || lists_enhanced(rule->enhanced, span_of(enhanced))) &&
           (rule->stages.len == 0 || lists(rule->stages, span_of(reply_stage_name(in->stage)))) &&
           may_be_said(rule, in->stage) && (!rule->has_text || fits_text(rule, w));
}

enum reply_by reply_rule_by(const struct reply_rule *rule, bool provider)
{
    return rule->providers.len > 0 && provider ? REPLY_BY_PROVIDER
           : rule->has_text                    ? REPLY_BY_TEXT
                                               : REPLY_BY_CODE;
}
