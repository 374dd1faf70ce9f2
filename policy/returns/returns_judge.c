// SPDX-License-Identifier: BSD-2-Clause
/* returns_judge.c - What follows from what came back: by the rules that judge a reply when it is
 * heard (reply.h), but more careful, as anybody may have written this. */
#include "returns.h"

#include "returns_lines.h"

#include <stdio.h>

/* "host mx.example said: 550 5.1.1 …", and "5.1.1 …" with the code that fits. */
static bool answer_of(const struct returns_recipient *r, struct verdict *answer_r)
{
    char line[RETURNS_REPLY_MAX + 32];
    struct span reply = SPAN_NONE;
    char class = r->status[0] == '4' ? '4' : '5';
    if (returns_lines_reply(span_of(r->reply), &reply) && reply_read(reply, answer_r))
        return true;
    if (!r->status[0] && !r->reply[0])
        return false;
    snprintf(line, sizeof(line), "%c50 %s %s", class, r->status, r->reply);
    return reply_read(span_of(line), answer_r);
}

bool returns_judge(const struct returns_reading *reading, size_t index,
                   struct returns_judgement *judgement_r)
{
    const struct returns_recipient *r = &reading->recipients[index];
    if (r->action != RETURNS_ACTION_FAILED || !answer_of(r, &judgement_r->answer))
        return false;
    const struct reply_input in = {
        .answer = &judgement_r->answer, .stage = REPLY_AT_RCPT, .provider = SPAN_NONE};
    judgement_r->reply = reply_judge(&in);
    unsigned after = judgement_r->reply.suppress_after;
    bool sure = reading->kind == RETURNS_DSN_FAILED && !r->by_text &&
                (!r->final[0] || span_equal_nocase(span_of(r->final), span_of(r->address)));
    if (r->status[0] == '4') /* what is not permanent says nothing of a mailbox */
        after = 0;
    judgement_r->suppress_after = after > 0 && after < 2 && !sure ? 2 : after;
    return true;
}

const char *returns_follows_name(enum returns_follows follows)
{
    static const char *const names[RETURNS_FOLLOWS_COUNT] = {
#define RETURNS_FOLLOWS_NAME(name, word) word,
        RETURNS_FOLLOWS_LIST(RETURNS_FOLLOWS_NAME)
#undef RETURNS_FOLLOWS_NAME
    };
    return names[follows];
}

enum returns_follows returns_follows(const struct returns_reading *reading, size_t index)
{
    struct returns_judgement j;
    if (reading->kind == RETURNS_ARF)
        return returns_follows_all(reading);
    switch (reading->recipients[index].action) {
    case RETURNS_ACTION_FAILED:
        if (!returns_judge(reading, index, &j) || j.suppress_after == 0)
            return RETURNS_FOLLOWS_KEEP;
        return j.suppress_after == 1 ? RETURNS_FOLLOWS_SUPPRESS : RETURNS_FOLLOWS_SUPPRESS_LATER;
    case RETURNS_ACTION_DELAYED:
        return RETURNS_FOLLOWS_WAIT;
    case RETURNS_ACTION_UNSAID:
    case RETURNS_ACTION_DELIVERED:
    case RETURNS_ACTION_RELAYED:
    case RETURNS_ACTION_EXPANDED:
    case RETURNS_ACTIONS:
        break;
    }
    return RETURNS_FOLLOWS_NOTHING;
}

/* Of several recipients what is most. */
static enum returns_follows worst(const struct returns_reading *reading)
{
    enum returns_follows follows = RETURNS_FOLLOWS_NOTHING;
    for (size_t i = 0; i < reading->recipient_count; i++) {
        enum returns_follows one = returns_follows(reading, i);
        follows = one > follows ? one : follows;
    }
    return follows;
}

enum returns_follows returns_follows_all(const struct returns_reading *reading)
{
    switch (reading->kind) {
    case RETURNS_ARF:
        return reading->complaint ? RETURNS_FOLLOWS_STOP : RETURNS_FOLLOWS_NOTHING;
    case RETURNS_MDN:
        return reading->lost ? RETURNS_FOLLOWS_KEEP : RETURNS_FOLLOWS_NOTHING;
    case RETURNS_HUMAN:
    case RETURNS_CHALLENGE:
        return RETURNS_FOLLOWS_READ;
    case RETURNS_DSN_FAILED:
    case RETURNS_DSN_DELAYED:
    case RETURNS_DSN_DELIVERED:
    case RETURNS_DSN_RELAYED:
    case RETURNS_DSN_EXPANDED:
    case RETURNS_BOUNCE_NONSTANDARD:
        return worst(reading);
    case RETURNS_UNKNOWN:
    case RETURNS_AUTO_REPLY:
    case RETURNS_LIST:
    case RETURNS_KIND_COUNT:
        break;
    }
    return RETURNS_FOLLOWS_NOTHING;
}
