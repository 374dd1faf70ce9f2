// SPDX-License-Identifier: BSD-2-Clause
/* reply_names.c - The words for categories, stages and the rest, as rules, logs and JSON have them.
 */
#include "reply.h"

#define REPLY_NAME(name, word, about) [REPLY_##name] = (word),
static const char *const categories[REPLY_CATEGORIES] = {REPLY_CATEGORIES_LIST(REPLY_NAME)};
#undef REPLY_NAME

static const char *const abouts[REPLY_ABOUTS] = {
    [REPLY_ABOUT_NOTHING] = "nothing", [REPLY_MAILBOX] = "mailbox", [REPLY_MESSAGE] = "message",
    [REPLY_SENDER] = "sender",         [REPLY_SOURCE] = "source",   [REPLY_SERVER] = "server"};

static const char *const stages[REPLY_STAGES] = {[REPLY_AT_CONNECT] = "connect",
                                                 [REPLY_AT_MAIL] = "mail",
                                                 [REPLY_AT_RCPT] = "rcpt",
                                                 [REPLY_AT_DATA] = "data"};

static const char *const bys[REPLY_BYS] = {[REPLY_BY_PROVIDER] = "provider",
                                           [REPLY_BY_TEXT] = "text",
                                           [REPLY_BY_CODE] = "code",
                                           [REPLY_BY_DIGIT] = "digit"};

const char *reply_category_name(enum reply_category category)
{
    CHECK((unsigned)category < REPLY_CATEGORIES);
    return categories[category];
}

enum reply_category reply_category_of(struct span name)
{
    size_t i = REPLY_UNKNOWN;
    (void)!span_among(name, categories, REPLY_CATEGORIES, &i);
    return (enum reply_category)i;
}

const char *reply_about_name(enum reply_about about)
{
    CHECK((unsigned)about < REPLY_ABOUTS);
    return abouts[about];
}

const char *reply_stage_name(enum reply_stage stage)
{
    CHECK((unsigned)stage < REPLY_STAGES);
    return stages[stage];
}

bool reply_stage_parse(struct span name, enum reply_stage *stage_r)
{
    size_t i = 0;
    bool found = span_among(name, stages, REPLY_STAGES, &i);
    if (found)
        *stage_r = (enum reply_stage)i;
    return found;
}

const char *reply_by_name(enum reply_by by)
{
    CHECK((unsigned)by < REPLY_BYS);
    return bys[by];
}
