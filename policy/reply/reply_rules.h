// SPDX-License-Identifier: BSD-2-Clause
/* reply_rules.h - The rules of rules.txt, one after the other. */
#ifndef REPLY_RULES_H
#define REPLY_RULES_H

#include "reply.h"
#include "reply_words.h"

/* rules.txt without its examples and comments, as the build embeds it. */
extern const struct span reply_rules_text;

struct reply_rule {
    struct span name;                               /* into the text, as all spans here */
    struct span providers, codes, enhanced, stages; /* words; empty: any */
    enum reply_category category;
    enum reply_about about;
    bool retry;  /* its 5yz means later */
    bool unsure; /* it never suppresses */
    bool has_text;
    struct span lines; /* "text", "but", "yes" and "no", as they are */
};

/* Take the next rule off the front of `text`. False: at the end; or `err` says what is wrong. */
MUST_CHECK bool reply_rule_next(struct span *text, struct reply_rule *rule_r, struct err *err);
/* The next line of a rule: its first word in `key_r`, and the rest in `value_r`. */
bool reply_rule_line(struct span *lines, struct span *key_r, struct span *value_r);

/* The answer's enhanced code, or one inside of its text that is of the same class; or "". */
const char *reply_enhanced_of(const struct verdict *answer, const struct reply_words *w);
/* Does a rule fit? `enhanced` is the answer's, or that of its text. */
bool reply_rule_fits(const struct reply_rule *rule, const struct reply_input *in,
                     const struct reply_words *w, const char *enhanced);
/* By what it judges. */
enum reply_by reply_rule_by(const struct reply_rule *rule, bool provider);

/* Judge by other rules than those embedded. False: one of them is wrong. */
MUST_CHECK bool reply_judge_by(struct span rules, const struct reply_input *in,
                               struct reply_judgement *judgement_r, struct err *err);

#endif
