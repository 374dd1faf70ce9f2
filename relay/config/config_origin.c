// SPDX-License-Identifier: BSD-2-Clause
/* config_origin.c - Each setting in force, and where it was said: what config_print() writes is a
 * config file as well, so both are taken apart in the same way, and the one is looked up in the
 * other. */
#include "config.h"
#include "config_text.h"

#include <stdlib.h>
#include <string.h>

static char *copy_of(struct span s)
{
    char *text = xcalloc(s.len + 1, 1);
    memcpy(text, s.ptr, s.len);
    return text;
}

/* limits.size, stream "news".class */
static void name_it(const struct config_statement *s, const struct config_statement *in,
                    struct buf *name)
{
    if (in)
        buf_addf(name, "%.*s", SPAN_ARG(in->name));
    if (in && in->title.ptr)
        buf_addf(name, " \"%.*s\"", SPAN_ARG(in->title));
    buf_addf(name, "%s%.*s", in ? "." : "", SPAN_ARG(s->name));
}

static void tell(const struct config_text *text, const struct config_statement *s,
                 const struct config_statement *in, config_on_origin *on_origin, void *context)
{
    struct buf name;
    char *value = copy_of(s->value);
    char *setting = copy_of(s->name);
    char *title = in && in->title.ptr ? copy_of(in->title) : NULL;
    size_t line = 0;
    buf_init(&name, 4096);
    name_it(s, in, &name);
    const struct config_statement *said =
        config_statements_find(&text->statements, in ? in->name : SPAN_NONE, title, setting);
    const char *file = said ? config_text_place(text, said->line, &line) : NULL;
    on_origin(context, buf_text(&name), value, file, line);
    buf_fini(&name);
    free(title);
    free(setting);
    free(value);
}

void config_origins(const struct config *c, config_on_origin *on_origin, void *context)
{
    struct config_statements shown;
    struct buf printed;
    buf_init(&printed, 1024 * 1024);
    config_print(c, &printed);
    config_statements_parse(&shown, buf_text(&printed));
    for (size_t i = 0; i < shown.count; i++) {
        const struct config_statement *s = &shown.list[i];
        if (s->value.len > 0)
            tell(c->text, s, s->parent < i ? &shown.list[s->parent] : NULL, on_origin, context);
    }
    config_statements_free(&shown);
    buf_fini(&printed);
}

bool config_blame(const struct config *c, const char *section, const char *title,
                  const char *setting, struct err *err)
{
    struct buf line;
    buf_init(&line, 8192);
    config_text_where(c->text, section, title, setting, &line);
    buf_addf(&line, "%s%s%s%s%s", section, title ? " " : "", title ? title : "",
             section[0] ? ": " : "", err->text);
    err_set(err, err->kind, "%s", buf_text(&line));
    buf_fini(&line);
    return false;
}
