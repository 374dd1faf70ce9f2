// SPDX-License-Identifier: BSD-2-Clause
/* replies.c - Saying the replies of the table. */
#include "replies.h"

#define REPLY_ROW(name, code, enhanced, text) {code, enhanced, text},
static const struct {
    int code;
    const char *enhanced, *text;
} replies[REPLY_COUNT] = {REPLIES(REPLY_ROW)};
#undef REPLY_ROW

void reply_say(struct submission *s, enum reply reply)
{
    const char *enhanced = replies[reply].enhanced;
    if (reply != SILENT)
        buf_addf(&s->out, "%d %s%s%s\r\n", replies[reply].code, enhanced, *enhanced ? " " : "",
                 replies[reply].text);
    if (replies[reply].code == 421 || replies[reply].code == 221)
        s->want = SUBMISSION_CLOSE;
}

void reply_verdict(struct submission *s, const struct verdict *v, struct span hint)
{
    struct span line = span_of(v->text);
    for (bool last = false; !last; line = span_take(&hint, '\n')) {
        last = hint.len == 0;
        buf_addf(&s->out, "%d%c%s %.*s\r\n", v->code, last ? ' ' : '-', v->enhanced,
                 SPAN_ARG(line));
    }
    if (v->code == 421)
        s->want = SUBMISSION_CLOSE;
}

struct verdict reply_as_verdict(enum reply reply)
{
    return verdict_make(replies[reply].code, replies[reply].enhanced, "%s", replies[reply].text);
}
