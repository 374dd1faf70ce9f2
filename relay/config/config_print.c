// SPDX-License-Identifier: BSD-2-Clause
/* config_print.c - Prints the settings in force, as a config file or one by one with the place of
 * each; compares them with others at a reload. */
#include "config_sections.h"
#include "config_values.h"

#include <stdio.h>
#include <string.h>

static void print_value(const struct config_setting *s, const void *base, struct buf *out)
{
    if (s->flags & CONFIG_SECRET)
        buf_addf(out, "\"%s\"", config_value_is_none(s, base) ? "" : "(not shown)");
    else
        config_value_print(s, base, out);
}

static bool is_shown(const struct config *c, const struct config_section *section, size_t nth,
                     const struct config_setting *s)
{
    return !(s->flags & CONFIG_QUIET) ||
           !config_value_is_none(s, config_sections_base(c, section, s, nth));
}

static void print_section(const struct config *c, const struct config_section *section, size_t nth,
                          struct buf *out)
{
    const char *title = config_sections_title(c, section, nth);
    if (section->name[0])
        buf_addf(out, "%s ", section->name);
    if (title)
        buf_addf(out, "\"%s\" ", title);
    if (section->name[0])
        buf_add(out, SPAN("{"));
    for (const struct config_setting *s = section->settings; s->name; s++) {
        if (!is_shown(c, section, nth, s))
            continue;
        const char *before = !section->name[0] ? "" : s == section->settings ? " " : "  ";
        buf_addf(out, "%s%s = ", before, s->name);
        print_value(s, config_sections_base(c, section, s, nth), out);
        buf_addf(out, "%s", section->name[0] ? "" : "\n");
    }
    if (section->name[0])
        buf_add(out, SPAN(" }\n"));
}

void config_print(const struct config *c, struct buf *out)
{
    for (size_t i = 0; i < config_section_count; i++)
        for (size_t nth = 0; nth < config_sections_count(c, &config_sections[i]); nth++)
            print_section(c, &config_sections[i], nth, out);
}

/* ---- one by one ---- */

static void tell_about(const struct config_setting *s, struct config_about *about_r)
{
    struct buf allowed;
    buf_init(&allowed, sizeof(about_r->allowed));
    config_value_allowed(s, &allowed);
    *about_r = (struct config_about){.fallback = s->fallback ? s->fallback : "",
                                     .about = s->about,
                                     .needs_restart = s->change != CONFIG_RELOAD};
    span_copy(buf_span(&allowed), about_r->allowed, sizeof(about_r->allowed));
    buf_fini(&allowed);
}

/* limits.size, stream "news".class */
static void tell_origin(const struct config *c, const struct config_section *section, size_t nth,
                        const struct config_setting *s, config_on_origin *on_origin, void *context)
{
    struct buf name;
    struct buf value;
    struct config_about about;
    size_t line = 0;
    const char *title = config_sections_title(c, section, nth);
    const struct config_statement *said = config_text_find(c->text, section->name, title, s->name);
    const char *file = said ? config_text_place(c->text, said->line, &line) : NULL;
    buf_init(&name, 4096);
    buf_init(&value, 64 * 1024);
    buf_addf(&name, "%s%s%s%s%s%s", section->name, title ? " \"" : "", title ? title : "",
             title ? "\"" : "", section->name[0] ? "." : "", s->name);
    print_value(s, config_sections_base(c, section, s, nth), &value);
    tell_about(s, &about);
    on_origin(context, buf_text(&name), buf_text(&value), file, line, &about);
    buf_fini(&name);
    buf_fini(&value);
}

void config_origins(const struct config *c, config_on_origin *on_origin, void *context)
{
    for (size_t i = 0; i < config_section_count; i++)
        for (size_t nth = 0; nth < config_sections_count(c, &config_sections[i]); nth++)
            for (const struct config_setting *s = config_sections[i].settings; s->name; s++)
                if (is_shown(c, &config_sections[i], nth, s))
                    tell_origin(c, &config_sections[i], nth, s, on_origin, context);
}

/* ---- reload ---- */

/* The values of one row in all its sections. */
static void collect(const struct config *c, const struct config_section *section,
                    const struct config_setting *s, struct buf *out)
{
    buf_clear(out);
    for (size_t nth = 0; nth < config_sections_count(c, section); nth++) {
        const char *title = config_sections_title(c, section, nth);
        buf_addf(out, "%s ", title ? title : "");
        config_value_print(s, config_sections_base(c, section, s, nth), out);
        buf_add_char(out, '\n');
    }
}

static void name_changed(const struct config_section *section, const struct config_setting *s,
                         char *names, size_t size)
{
    size_t len = strlen(names);
    char name[100];
    snprintf(name, sizeof(name), "%s%s%s", section->name, section->name[0] ? "." : "", s->name);
    snprintf(names + len, size - len, "%s%s", len > 0 ? ", " : "", name);
}

/* Has a section had this value? */
static bool had(const struct config *now, const struct config_section *section,
                const struct config_setting *s, struct span value)
{
    bool found = false;
    struct buf one;
    buf_init(&one, 64 * 1024);
    for (size_t nth = 0; !found && nth < config_sections_count(now, section); nth++) {
        buf_clear(&one);
        config_value_print(s, config_sections_base(now, section, s, nth), &one);
        found = span_equal(buf_span(&one), value);
    }
    buf_fini(&one);
    return found;
}

static bool had_all(const struct config *now, const struct config *fresh,
                    const struct config_section *section, const struct config_setting *s)
{
    bool all = true;
    struct buf one;
    buf_init(&one, 64 * 1024);
    for (size_t nth = 0; all && nth < config_sections_count(fresh, section); nth++) {
        buf_clear(&one);
        config_value_print(s, config_sections_base(fresh, section, s, nth), &one);
        all = span_equal(buf_span(&one), SPAN("\"\"")) || had(now, section, s, buf_span(&one));
    }
    buf_fini(&one);
    return all;
}

/* In which of its sections: the first that has what none had before. NULL: in none, or it has no
 * title. */
static const char *title_of_change(const struct config *now, const struct config *fresh,
                                   const struct config_section *section,
                                   const struct config_setting *s)
{
    const char *title = NULL;
    struct buf one;
    buf_init(&one, 64 * 1024);
    for (size_t nth = 0; !title && nth < config_sections_count(fresh, section); nth++) {
        buf_clear(&one);
        config_value_print(s, config_sections_base(fresh, section, s, nth), &one);
        if (!had(now, section, s, buf_span(&one)))
            title = config_sections_title(fresh, section, nth);
    }
    buf_fini(&one);
    return title;
}

static bool may_follow(const struct config *now, const struct config *fresh,
                       const struct config_section *section, const struct config_setting *s)
{
    struct buf a;
    struct buf b;
    if (s->change != CONFIG_RESTART)
        return s->change != CONFIG_KNOWN || had_all(now, fresh, section, s);
    buf_init(&a, 1024 * 1024);
    buf_init(&b, 1024 * 1024);
    collect(now, section, s, &a);
    collect(fresh, section, s, &b);
    bool same = span_equal(buf_span(&a), buf_span(&b));
    buf_fini(&a);
    buf_fini(&b);
    return same;
}

bool config_may_follow(const struct config *now, const struct config *fresh, struct err *err)
{
    char names[250] = ""; /* of them all, or of as many as fit */
    struct buf where;     /* of the first */
    buf_init(&where, 8192);
    for (size_t i = 0; i < config_section_count; i++)
        for (const struct config_setting *s = config_sections[i].settings; s->name; s++) {
            const struct config_section *section = &config_sections[i];
            if (may_follow(now, fresh, section, s))
                continue;
            if (!names[0])
                config_text_where(fresh->text, section->name,
                                  title_of_change(now, fresh, section, s), s->name, &where);
            name_changed(section, s, names, sizeof(names));
        }
    bool same = !names[0] ||
                err_set(err, ERR_CONFIG, "%s%s cannot be changed by a reload: restart the relay",
                        buf_text(&where), names);
    buf_fini(&where);
    return same;
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
