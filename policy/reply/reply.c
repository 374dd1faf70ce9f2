// SPDX-License-Identifier: BSD-2-Clause
/* reply.c - Judges a reply by the rules, and says what follows for the recipient. */
#include "reply.h"

#include "reply_rules.h"
#include "reply_words.h"

#include <stdio.h>
#include <string.h>

/* Where nothing else is known: what the command was about. */
static enum reply_about about_of_stage(enum reply_stage stage)
{
    static const enum reply_about usual[REPLY_STAGES] = {[REPLY_AT_CONNECT] = REPLY_SOURCE,
                                                         [REPLY_AT_MAIL] = REPLY_SENDER,
                                                         [REPLY_AT_RCPT] = REPLY_MAILBOX,
                                                         [REPLY_AT_DATA] = REPLY_MESSAGE};
    return usual[stage];
}

const char *reply_enhanced_of(const struct verdict *answer, const struct reply_words *w)
{
    if (answer->enhanced[0])
        return answer->enhanced;
    return w->enhanced[0] - '0' == answer->code / 100 ? w->enhanced : "";
}

/* `provider`: is the host known to be one's? Else the rule has decided by the words. */
static void take(const struct reply_rule *rule, bool provider, struct reply_judgement *j)
{
    bool gone = rule->category == REPLY_MAILBOX_UNKNOWN || rule->category == REPLY_DOMAIN_UNKNOWN;
    j->category = rule->category;
    j->about = rule->about;
    j->by = reply_rule_by(rule, provider);
    j->retry = rule->retry;
    j->suppress_after = rule->unsure                               ? 0
                        : gone                                     ? 1
                        : rule->category == REPLY_MAILBOX_DISABLED ? 2
                                                                   : 0;
    CHECK(span_copy(rule->name, j->rule, sizeof(j->rule)));
}

static void conclude(const struct reply_input *in, struct reply_judgement *j)
{
    bool permanent = in->answer->code >= 500 && in->answer->code <= 599;
    if (j->category == REPLY_UNKNOWN)
        j->about = about_of_stage(in->stage);
    j->retry = j->retry || !permanent;
    if (!permanent || in->stage != REPLY_AT_RCPT)
        j->suppress_after = 0;
}

bool reply_judge_by(struct span rules, const struct reply_input *in,
                    struct reply_judgement *judgement_r, struct err *err)
{
    struct reply_words w;
    struct reply_rule rule;
    *judgement_r = (struct reply_judgement){.by = REPLY_BY_DIGIT};
    snprintf(judgement_r->rule, sizeof(judgement_r->rule), "digit-%d", in->answer->code / 100 % 10);
    reply_words_read(&w, span_of(in->answer->text));
    const char *enhanced = reply_enhanced_of(in->answer, &w);
    while (reply_rule_next(&rules, &rule, err)) {
        if (!reply_rule_fits(&rule, in, &w, enhanced))
            continue;
        take(&rule, in->provider.len > 0, judgement_r);
        break;
    }
    conclude(in, judgement_r);
    return err->kind == ERR_NONE;
}

struct reply_judgement reply_judge(const struct reply_input *in)
{
    struct reply_judgement judgement;
    struct err err = {0};
    CHECK(reply_judge_by(reply_rules_text, in, &judgement, &err)); /* the build has read them */
    return judgement;
}

/* ---- a reply as it is written ---- */

static bool read_code(struct span text, int *code_r)
{
    *code_r = 0;
    for (size_t i = 0; i < 3 && i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
        *code_r = *code_r * 10 + (text.ptr[i] - '0');
    }
    return *code_r >= 400 && *code_r <= 599 && (text.len == 3 || strchr(" -\t\r\n", text.ptr[3]));
}

/* Without what each line repeats: "550-5.1.1 ". */
static struct span without_codes(struct span line, const char *enhanced)
{
    int code = 0;
    line = span_trim(line);
    if (read_code(line, &code))
        line = span_trim(span_from(line, 4));
    if (enhanced[0] && span_starts_nocase(line, span_of(enhanced)))
        line = span_trim(span_from(line, strlen(enhanced)));
    return line;
}

bool reply_read(struct span text, struct verdict *answer_r)
{
    struct reply_words w;
    char all[sizeof(answer_r->text)] = "";
    size_t used = 0;
    int code = 0;
    text = span_trim(text);
    if (!read_code(text, &code))
        return false;
    reply_words_read(&w, span_from(text, 4));
    const char *enhanced = w.enhanced[0] - '0' == code / 100 ? w.enhanced : "";
    while (text.len > 0 && used < sizeof(all)) {
        struct span line = without_codes(span_take(&text, '\n'), enhanced);
        used += (size_t)snprintf(all + used, sizeof(all) - used, "%s%.*s", used > 0 ? " " : "",
                                 SPAN_ARG(line));
    }
    *answer_r = verdict_make(code, enhanced, "%s", all);
    return true;
}
