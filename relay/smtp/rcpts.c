// SPDX-License-Identifier: BSD-2-Clause
/* rcpts.c - Operations on all recipients of a message. */
#include "rcpts.h"

#include <string.h>

void rcpts_answer_all(struct delivery_mail *m, const struct verdict *v)
{
    for (size_t i = 0; i < m->count; i++)
        if (m->rcpts[i].answer.code == 0 || m->rcpts[i].answer.what == VERDICT_ACCEPT)
            m->rcpts[i].answer = *v;
}

static bool says(const char *text, struct span words)
{
    for (struct span s = span_of(text); s.len >= words.len; s = span_from(s, 1))
        if (span_starts_nocase(s, words))
            return true;
    return false;
}

/* RFC 5321 section 4.5.3.1.10: 452, or 552 as RFC 821 had it; RFC 3463 section 3.6: X.5.3. */
bool rcpts_are_too_many(const struct verdict *v)
{
    bool old = v->code == 452 || v->code == 552;
    bool detail = v->enhanced[0] != '\0' && strcmp(v->enhanced + 1, ".5.3") == 0;
    bool vague = v->enhanced[0] == '\0' || (v->code == 552 && strncmp(v->enhanced, "5.5.", 4) == 0);
    return v->what != VERDICT_ACCEPT &&
           (detail || (old && vague) || says(v->text, SPAN("too many recipients")));
}

size_t rcpts_accepted(const struct delivery_mail *m)
{
    size_t count = 0;
    for (size_t i = 0; i < m->count; i++)
        count += m->rcpts[i].answer.code != 0 && m->rcpts[i].answer.what == VERDICT_ACCEPT;
    return count;
}

static bool is_refused(const struct delivery_rcpt *r)
{
    return r->answer.code != 0 && r->own && !r->too_many && r->answer.what != VERDICT_ACCEPT;
}

size_t rcpts_refused(const struct delivery_mail *m)
{
    size_t count = 0;
    for (size_t i = 0; i < m->count; i++)
        count += is_refused(&m->rcpts[i]);
    return count;
}

static void forget(struct delivery_rcpt *r)
{
    r->answer = (struct verdict){0};
    r->own = r->too_many = false;
}

void rcpts_part(struct delivery_mail *m, size_t one, const struct verdict *v)
{
    for (size_t i = 0; i < m->count; i++)
        if (i == one)
            m->rcpts[i].answer = *v;
        else if (!is_refused(&m->rcpts[i]))
            forget(&m->rcpts[i]);
}

void rcpts_forget(struct delivery_mail *m)
{
    for (size_t i = 0; i < m->count; i++)
        forget(&m->rcpts[i]);
}
