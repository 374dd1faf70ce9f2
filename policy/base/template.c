// SPDX-License-Identifier: BSD-2-Clause
/* template.c - Prints templates. A template is parsed each time it is printed; a block whose
 * condition is false is parsed like others, and not printed. */
#include "template.h"

enum { WORD_MAX = 64 * 1024 }; /* what one may stand for */

struct printing {
    const struct template *t;
    const void *view;
    struct buf *out;
};

static struct span run(const struct printing *p, struct span text, bool live);

void template_fill(const struct template *t, const void *view, struct span text, struct buf *out)
{
    while (text.len > 0) {
        size_t plain = span_find(text, t->open);
        if (t->plain)
            t->plain(out, span_first(text, plain));
        else
            buf_add(out, span_first(text, plain));
        text = span_from(text, plain);
        if (text.len == 0)
            break;
        text = span_from(text, 1);
        t->insert(view, span_take(&text, t->close), out);
    }
}

/* ---- what holds ---- */

static void note_any(const void *view, void *context)
{
    bool *any = context;
    (void)view;
    *any = true;
}

static bool has_any(const struct printing *p, struct span lists)
{
    bool any = false;
    while (lists.len > 0)
        p->t->each(p->view, span_take(&lists, ' '), note_any, &any);
    return any;
}

/* Of the texts, or, when there are none, anything. */
static bool is_among(const struct printing *p, struct span word, struct span texts)
{
    struct buf text;
    buf_init(&text, WORD_MAX);
    p->t->insert(p->view, word, &text);
    bool found = texts.len == 0 && text.len > 0;
    while (texts.len > 0 && !found)
        found = span_equal(span_take(&texts, ' '), buf_span(&text));
    buf_fini(&text);
    return found;
}

static bool holds(const struct printing *p, struct span verb, struct span words)
{
    if (span_equal(verb, SPAN("else")))
        return true;
    struct span first = span_take(&words, ' ');
    if (span_equal(first, SPAN("any")) || span_equal(first, SPAN("none")))
        return has_any(p, words) == span_equal(first, SPAN("any"));
    return is_among(p, first, words) != span_equal(verb, SPAN("unless"));
}

/* ---- blocks ---- */

/* From behind its line to behind its "@end"; returns the rest. */
static struct span branch(const struct printing *p, struct span verb, struct span words,
                          struct span text, bool live)
{
    while (!span_equal(verb, SPAN("end"))) {
        bool taken = live && holds(p, verb, words);
        text = run(p, text, taken);
        live = live && !taken;
        words = span_take(&text, '\n');
        verb = span_from(span_take(&words, ' '), 1);
    }
    return text;
}

struct body {
    const struct printing *outer;
    struct span text;
};

static void print_body(const void *view, void *context)
{
    const struct body *body = context;
    struct printing inner = *body->outer;
    inner.view = view;
    run(&inner, body->text, true);
}

static struct span each(const struct printing *p, struct span list, struct span text, bool live)
{
    struct body body = {p, text};
    if (live)
        p->t->each(p->view, list, print_body, &body);
    text = run(p, text, false);
    span_take(&text, '\n');
    return text;
}

/* Up to the "@end", "@elif" or "@else" that is not of a block within; returns what begins there. */
static struct span run(const struct printing *p, struct span text, bool live)
{
    while (text.len > 0) {
        struct span rest = text;
        struct span line = span_take(&rest, '\n');
        struct span words = line;
        struct span verb = span_take(&words, ' ');
        if (line.len == 0 || line.ptr[0] != '@') {
            if (live) {
                template_fill(p->t, p->view, line, p->out);
                buf_add(p->out, p->t->newline ? span_of(p->t->newline) : SPAN("\n"));
            }
            text = rest;
            continue;
        }
        verb = span_from(verb, 1);
        if (span_equal(verb, SPAN("end")) || span_equal(verb, SPAN("elif")) ||
            span_equal(verb, SPAN("else")))
            return text;
        if (span_equal(verb, SPAN("each")))
            text = each(p, words, rest, live);
        else
            text = verb.len == 0 ? rest : branch(p, verb, words, rest, live);
    }
    return text;
}

void template_print(const struct template *t, const void *view, struct span text, struct buf *out)
{
    const struct printing p = {t, view, out};
    run(&p, text, true);
}
