// SPDX-License-Identifier: BSD-2-Clause
/* reply_actions.c - The table of what follows from a reply, read anew for each as that of the rules
 * is (reply_rules.c). */
#include "reply_actions.h"

enum { TIMES_MAX = 100 };
static const int64_t longest_ms = INT64_C(24) * 3600 * 1000;

static const char *const dos[REPLY_DOS] = {[REPLY_DO_NOTHING] = "nothing",
                                           [REPLY_DO_SLOW] = "slow",
                                           [REPLY_DO_PAUSE] = "pause",
                                           [REPLY_DO_PAUSE_SOURCE] = "pause_source",
                                           [REPLY_DO_PAUSE_DOMAIN] = "pause_domain",
                                           [REPLY_DO_SLOW_RECIPIENT] = "slow_recipient",
                                           [REPLY_DO_RETRY_SOON] = "retry_soon",
                                           [REPLY_DO_ALARM] = "alarm"};

const char *reply_do_name(enum reply_do what)
{
    CHECK((unsigned)what < REPLY_DOS);
    return dos[what];
}

/* ---- a row's head ---- */

static bool read_do(struct reply_action_row *row, struct span value)
{
    size_t i = 0;
    row->has_do = span_among(value, dos, REPLY_DOS, &i);
    row->what = (enum reply_do)i;
    return row->has_do;
}

/* "10m", "1h", "30s". */
static bool read_time(struct span value, int64_t *ms_r)
{
    uint64_t number = 0;
    char unit = value.len > 0 ? value.ptr[value.len - 1] : '\0';
    int64_t unit_ms = unit == 's' ? 1000 : unit == 'm' ? 60000 : unit == 'h' ? 3600000 : 0;
    if (unit_ms == 0 || !span_number(span_first(value, value.len - 1), &number) || number == 0 ||
        number > (uint64_t)(longest_ms / unit_ms))
        return false;
    *ms_r = (int64_t)number * unit_ms;
    return true;
}

static bool read_for(struct reply_action_row *row, struct span value)
{
    return read_time(value, &row->for_ms);
}

/* "1", "5/10m". */
static bool read_trigger(struct reply_action_row *row, struct span value)
{
    uint64_t times = 0;
    bool timed = span_find(value, '/') < value.len;
    if (!span_number(span_take(&value, '/'), &times) || times == 0 || times > TIMES_MAX ||
        timed != (times > 1))
        return false;
    row->times = (unsigned)times;
    return !timed || read_time(value, &row->within_ms);
}

static bool read_category(struct reply_action_row *row, struct span value)
{
    row->fits.category = reply_category_of(value);
    row->has_category = span_equal(value, span_of(reply_category_name(row->fits.category)));
    return row->has_category;
}

static bool read_about(struct reply_action_row *row, struct span value)
{
    for (unsigned i = 0; i < REPLY_ABOUTS && !row->has_about; i++) {
        row->fits.about = (enum reply_about)i;
        row->has_about = span_equal(value, span_of(reply_about_name(row->fits.about)));
    }
    return row->has_about;
}

static bool read_words(struct reply_action_row *row, struct span key, struct span value)
{
    struct {
        const char *key;
        struct span *words;
    } lists[] = {{"provider", &row->fits.providers},
                 {"rule", &row->rules},
                 {"code", &row->fits.codes},
                 {"enhanced", &row->fits.enhanced},
                 {"stage", &row->fits.stages}};
    for (size_t i = 0; i < COUNT_OF(lists); i++)
        if (span_equal(key, span_of(lists[i].key))) {
            *lists[i].words = value;
            return value.len > 0;
        }
    return false;
}

/* False: it is none, or means nothing. */
static bool read_head(struct reply_action_row *row, struct span key, struct span value)
{
    static const struct {
        const char *key;
        bool (*read)(struct reply_action_row *row, struct span value);
    } lines[] = {{"do", read_do},
                 {"for", read_for},
                 {"trigger", read_trigger},
                 {"category", read_category},
                 {"about", read_about}};
    for (size_t i = 0; i < COUNT_OF(lines); i++)
        if (span_equal(key, span_of(lines[i].key)))
            return lines[i].read(row, value);
    return read_words(row, key, value);
}

static bool is_text(struct span key)
{
    return span_equal(key, SPAN("text")) || span_equal(key, SPAN("but"));
}

static bool is_example(struct span key)
{
    return span_equal(key, SPAN("yes")) || span_equal(key, SPAN("no"));
}

/* Where the next row begins. */
static size_t find_end(struct span text)
{
    size_t at = span_search(text, SPAN("\naction "));
    return at < text.len ? at + 1 : text.len;
}

/* Patterns stand together, behind the head or before "do": they are found where they are. */
static bool read_row(struct reply_action_row *row, struct span lines, struct err *err)
{
    struct span key = SPAN_NONE;
    struct span value = SPAN_NONE;
    row->fits.lines = lines;
    while (reply_rule_line(&lines, &key, &value)) {
        row->fits.has_text = row->fits.has_text || span_equal(key, SPAN("text"));
        if (!is_text(key) && !is_example(key) && !read_head(row, key, value))
            return err_set(err, ERR_MALFORMED, "%.*s: \"%.*s %.*s\" means nothing",
                           SPAN_ARG(row->fits.name), SPAN_ARG(key), SPAN_ARG(value));
    }
    return row->has_do ||
           err_set(err, ERR_MALFORMED, "%.*s: it does nothing", SPAN_ARG(row->fits.name));
}

bool reply_action_next(struct span *text, struct reply_action_row *row_r, struct err *err)
{
    struct span key = SPAN_NONE;
    struct span value = SPAN_NONE;
    *row_r = (struct reply_action_row){.times = 1};
    if (!reply_rule_line(text, &key, &value))
        return false;
    if (!span_equal(key, SPAN("action")) || value.len == 0 || value.len >= REPLY_RULE_NAME)
        return err_set(err, ERR_MALFORMED, "\"%.*s\" is not the beginning of a row", SPAN_ARG(key));
    row_r->fits.name = value;
    size_t end = span_starts_nocase(*text, SPAN("action ")) ? 0 : find_end(*text);
    struct span lines = span_first(*text, end);
    *text = span_from(*text, end);
    return read_row(row_r, lines, err);
}

/* ---- fitting ---- */

static bool lists(struct span words, const char *wanted)
{
    while (words.len > 0)
        if (span_equal(span_trim(span_take(&words, ' ')), span_of(wanted)))
            return true;
    return false;
}

/* What nobody is known to be is no provider. */
static bool fits(const struct reply_action_row *row, const struct reply_input *in,
                 const struct reply_judgement *judged, const struct reply_words *w)
{
    return (row->fits.providers.len == 0 || in->provider.len > 0) &&
           (row->rules.len == 0 || lists(row->rules, judged->rule)) &&
           (!row->has_category || row->fits.category == judged->category) &&
           (!row->has_about || row->fits.about == judged->about) &&
           reply_rule_fits(&row->fits, in, w, reply_enhanced_of(in->answer, w));
}

bool reply_action_by(struct span rows, const struct reply_input *in,
                     const struct reply_judgement *judged, struct reply_action *action_r,
                     struct err *err)
{
    struct reply_words w;
    struct reply_action_row row;
    *action_r = (struct reply_action){.what = REPLY_DO_NOTHING, .times = 1};
    reply_words_read(&w, span_of(in->answer->text));
    while (reply_action_next(&rows, &row, err)) {
        if (!fits(&row, in, judged, &w))
            continue;
        action_r->what = row.what;
        action_r->times = row.times;
        action_r->within_ms = row.within_ms;
        action_r->for_ms = row.for_ms;
        CHECK(span_copy(row.fits.name, action_r->row, sizeof(action_r->row)));
        break;
    }
    return err->kind == ERR_NONE;
}

struct reply_action reply_action(const struct reply_input *in, const struct reply_judgement *judged)
{
    struct reply_action action;
    struct err err = {0};
    CHECK(reply_action_by(reply_actions_text, in, judged, &action,
                          &err)); /* the build has read them */
    return action;
}
