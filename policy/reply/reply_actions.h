// SPDX-License-Identifier: BSD-2-Clause
/* reply_actions.h - The rows of actions.txt, one after the other. */
#ifndef REPLY_ACTIONS_H
#define REPLY_ACTIONS_H

#include "reply_action.h"
#include "reply_rules.h"

/* actions.txt without its examples and comments, as the build embeds it. */
extern const struct span reply_actions_text;

struct reply_action_row {
    struct reply_rule fits; /* name, providers, codes, enhanced, stages, lines: as in rules.txt */
    struct span rules;      /* words, of rules.txt; empty: any */
    bool has_category, has_about;
    bool has_do;
    enum reply_do what;
    unsigned times;
    int64_t within_ms, for_ms;
};

/* Take the next row off the front of `text`. False: at the end; or `err` says what is wrong. */
MUST_CHECK bool reply_action_next(struct span *text, struct reply_action_row *row_r,
                                  struct err *err);

/* Decide by other rows than those embedded. False: one of them is wrong. */
MUST_CHECK bool reply_action_by(struct span rows, const struct reply_input *in,
                                const struct reply_judgement *judged, struct reply_action *action_r,
                                struct err *err);

#endif
