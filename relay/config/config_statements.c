// SPDX-License-Identifier: BSD-2-Clause
/* config_statements.c - Splits a text into statements. Comments have been blanked and brackets
 * checked before. */
#include "config_statements.h"

#include "address.h"

#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct walk {
    struct config_statements *all;
    const char *text, *p;
    size_t line;
    size_t parents[CONFIG_STATEMENTS_NEST_MAX];
    size_t nested;
};

static void skip_blanks(struct walk *w)
{
    for (; *w->p && (isspace((unsigned char)*w->p) || *w->p == ',' || *w->p == ';'); w->p++)
        w->line += *w->p == '\n';
}

/* A word or a text, without its quotes. */
static struct span take_word(struct walk *w)
{
    const char *begin = w->p;
    char quote = *w->p;
    if (quote != '"' && quote != '\'') {
        while (*w->p && !isspace((unsigned char)*w->p) && !strchr("{}=+,;\"'", *w->p))
            w->p++;
        return (struct span){begin, (size_t)(w->p - begin)};
    }
    for (w->p++; *w->p && *w->p != quote; w->p++) {
        w->line += *w->p == '\n';
        if (*w->p == '\\' && w->p[1])
            w->p++;
    }
    struct span inside = {begin + 1, (size_t)(w->p - begin - 1)};
    w->p += *w->p != '\0';
    return inside;
}

static void take_list(struct walk *w)
{
    for (w->p++, skip_blanks(w); *w->p && *w->p != '}'; skip_blanks(w)) {
        const char *before = w->p;
        take_word(w);
        w->p += w->p == before;
    }
    w->p += *w->p == '}';
}

static struct config_statement *add_statement(struct walk *w, struct span name)
{
    struct config_statements *all = w->all;
    if (all->count % 64 == 0)
        all->list = xgrow(all->list, all->count + 64, sizeof(*all->list));
    struct config_statement *s = &all->list[all->count++];
    *s = (struct config_statement){.begin = (size_t)(name.ptr - w->text),
                                   .name = name,
                                   .line = w->line,
                                   .parent = w->nested > 0 ? w->parents[w->nested - 1] : SIZE_MAX};
    return s;
}

static void end_statement(struct walk *w, struct config_statement *s)
{
    s->end = (size_t)(w->p - w->text);
    s->last = w->line;
}

/* False when what stands here is no statement; libconfuse says so better. */
static bool take_statement(struct walk *w)
{
    struct span name = take_word(w);
    if (name.len == 0)
        return false;
    struct config_statement *s = add_statement(w, name);
    skip_blanks(w);
    if (*w->p != '=' && *w->p != '+' && *w->p != '{') {
        s->title = take_word(w);
        skip_blanks(w);
    }
    if (*w->p == '{' && w->nested < CONFIG_STATEMENTS_NEST_MAX) {
        w->parents[w->nested++] = w->all->count - 1;
        w->p++;
        return true;
    }
    s->adds = *w->p == '+';
    w->p += s->adds;
    if (*w->p != '=')
        return false;
    w->p++;
    skip_blanks(w);
    const char *value = w->p;
    if (*w->p == '{')
        take_list(w);
    else
        take_word(w);
    s->value = (struct span){value, (size_t)(w->p - value)};
    end_statement(w, s);
    return true;
}

void config_statements_parse(struct config_statements *s, const char *text)
{
    struct walk w = {.all = s, .text = text, .p = text, .line = 1};
    bool more = true;
    *s = (struct config_statements){0};
    while (more) {
        skip_blanks(&w);
        if (*w.p == '}' && w.nested > 0) {
            w.p++;
            end_statement(&w, &s->list[w.parents[--w.nested]]);
        } else {
            more = *w.p && take_statement(&w);
        }
    }
}

void config_statements_free(struct config_statements *s)
{
    free(s->list);
}

/* A domain has several spellings. */
static bool is_title(struct span said, const char *title)
{
    char domain[ADDRESS_DOMAIN_MAX + 1];
    return span_equal(said, span_of(title)) ||
           (address_domain_ascii(said, domain) && strcmp(domain, title) == 0);
}

static bool is_section(const struct config_statement *s, struct span section, const char *title)
{
    return span_equal(s->name, section) && (!title || is_title(s->title, title));
}

static bool stands_in(const struct config_statements *all, const struct config_statement *s,
                      struct span section, const char *title)
{
    return s->parent == SIZE_MAX ? section.len == 0
                                 : is_section(&all->list[s->parent], section, title);
}

const struct config_statement *config_statements_find(const struct config_statements *all,
                                                      struct span section, const char *title,
                                                      const char *setting)
{
    const struct config_statement *found = NULL;
    for (size_t i = 0; i < all->count; i++) {
        const struct config_statement *s = &all->list[i];
        bool fits = setting
                        ? span_equal(s->name, span_of(setting)) && stands_in(all, s, section, title)
                        : is_section(s, section, title);
        found = fits ? s : found;
    }
    return found;
}

bool config_statements_replaced(const struct config_statements *all, size_t at)
{
    const struct config_statement *s = &all->list[at];
    bool replaced = false;
    for (size_t i = at + 1; i < all->count && s->value.len > 0; i++)
        replaced =
            replaced || (all->list[i].parent == s->parent && !all->list[i].adds &&
                         all->list[i].value.len > 0 && span_equal(all->list[i].name, s->name));
    return replaced;
}
