// SPDX-License-Identifier: BSD-2-Clause
/* replies.c - Writes the replies of the table. */
#include "replies.h"

#include <stdio.h>

#define REPLY_ROW(name, code, enhanced, text) {code, enhanced, text},
static const struct {
    int code;
    const char *enhanced, *text;
} replies[REPLY_COUNT] = {REPLIES(REPLY_ROW)};
#undef REPLY_ROW

static void note(struct submission *s, int code, const char *enhanced, const char *text)
{
    if (code < 400 || !s->command || s->settings->open)
        return;
    if (s->refusal_count == SUBMISSION_REFUSALS) {
        s->refusals_more++;
        return;
    }
    if (!s->refusals)
        s->refusals = xcalloc(SUBMISSION_REFUSALS, sizeof(*s->refusals));
    struct submission_refusal *r = &s->refusals[s->refusal_count++];
    *r = (struct submission_refusal){.command = s->command,
                                     .v = verdict_make(code, enhanced, "%s", text)};
    snprintf(r->about, sizeof(r->about), "%.*s", SPAN_ARG(span_first(s->about, sizeof(r->about))));
    snprintf(r->message_id, sizeof(r->message_id), "%s", s->message_id);
}

/* `between`: '-' when another line of the reply follows. */
static void add_line(struct buf *out, int code, char between, const char *enhanced,
                     struct span text)
{
    const char start[] = {(char)('0' + code / 100), (char)('0' + code / 10 % 10),
                          (char)('0' + code % 10), between};
    BUF_ADD(out, (struct span){start, sizeof(start)}, span_of(enhanced),
            *enhanced ? SPAN(" ") : SPAN_NONE, text, SPAN("\r\n"));
}

void reply_say(struct submission *s, enum reply reply)
{
    const char *enhanced = replies[reply].enhanced;
    note(s, replies[reply].code, enhanced, replies[reply].text);
    if (reply != SILENT)
        add_line(&s->out, replies[reply].code, ' ', enhanced, span_of(replies[reply].text));
    if (replies[reply].code == 421 || replies[reply].code == 221)
        s->want = SUBMISSION_CLOSE;
}

void reply_verdict(struct submission *s, const struct verdict *v, struct span hint)
{
    struct span line = span_of(v->text);
    note(s, v->code, v->enhanced, v->text);
    for (bool last = false; !last; line = span_take(&hint, '\n')) {
        last = hint.len == 0;
        add_line(&s->out, v->code, last ? ' ' : '-', v->enhanced, line);
    }
    if (v->code == 421)
        s->want = SUBMISSION_CLOSE;
}

struct verdict reply_as_verdict(enum reply reply)
{
    return verdict_make(replies[reply].code, replies[reply].enhanced, "%s", replies[reply].text);
}

enum reply reply_about(struct submission *s, enum reply reply, struct span about)
{
    struct verdict v = verdict_make(replies[reply].code, replies[reply].enhanced, "%s: %.*s",
                                    replies[reply].text, SPAN_ARG(span_first(about, 200)));
    reply_verdict(s, &v, SPAN_NONE);
    return SILENT;
}

struct verdict reply_with_limit(enum reply reply, uint64_t limit)
{
    return verdict_make(replies[reply].code, replies[reply].enhanced, "%s (limit: %llu)",
                        replies[reply].text, (unsigned long long)limit);
}

enum reply reply_limit(struct submission *s, enum reply reply, uint64_t limit)
{
    struct verdict v = reply_with_limit(reply, limit);
    reply_verdict(s, &v, SPAN_NONE);
    return SILENT;
}
