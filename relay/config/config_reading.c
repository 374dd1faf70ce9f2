// SPDX-License-Identifier: BSD-2-Clause
/* config_reading.c - Reports of faults and notes, each with file and line. */
#include "config_reading.h"

#include "escape.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static bool is_outermost(cfg_t *section)
{
    return !section || strcmp(cfg_name(section), "root") == 0;
}

/* "route bank.example: " */
static void name_section(cfg_t *section, struct buf *line)
{
    if (is_outermost(section))
        return;
    buf_addf(line, "%s", cfg_name(section));
    if (cfg_title(section))
        buf_addf(line, " %.80s", cfg_title(section));
    buf_add(line, SPAN(": "));
}

__attribute__((format(printf, 5, 0))) static void say(struct config_reading *r, cfg_t *section,
                                                      const char *setting, bool wrong,
                                                      const char *format, va_list args)
{
    char text[600];
    struct buf line;
    buf_init(&line, 4096);
    vsnprintf(text, sizeof(text), format, args);
    bool outermost = is_outermost(section);
    if (r->text.file_count > 0)
        config_text_where(&r->text, outermost ? "" : cfg_name(section),
                          outermost ? NULL : cfg_title(section), setting, &line);
    else
        buf_addf(&line, "%s: ", r->config->path);
    name_section(section, &line);
    buf_addf(&line, "%s", text);
    config_report_add(r->report, wrong, buf_text(&line));
    buf_fini(&line);
}

void config_fault(struct config_reading *r, cfg_t *section, const char *setting, const char *format,
                  ...)
{
    va_list args;
    va_start(args, format);
    say(r, section, setting, true, format, args);
    va_end(args);
}

void config_fault_at(struct config_reading *r, const struct config_statement *statement,
                     const char *why)
{
    struct buf line;
    size_t number = 0;
    const struct config_statement *section =
        statement->parent == SIZE_MAX ? NULL : &r->text.statements.list[statement->parent];
    const char *file = config_text_place(&r->text, statement->line, &number);
    buf_init(&line, 4096);
    buf_addf(&line, "%s:%zu: ", file, number);
    if (section)
        buf_addf(&line, "%.*s%s%.*s: ", SPAN_ARG(section->name), section->title.len > 0 ? " " : "",
                 SPAN_ARG(span_first(section->title, 80)));
    buf_addf(&line, "%s", why);
    config_report_add(r->report, true, buf_text(&line));
    buf_fini(&line);
}

void config_note(struct config_reading *r, cfg_t *section, const char *setting, const char *format,
                 ...)
{
    va_list args;
    va_start(args, format);
    say(r, section, setting, false, format, args);
    va_end(args);
}

bool config_says(const struct config_reading *r, cfg_t *section, const char *setting)
{
    return is_outermost(section)
               ? config_text_find(&r->text, "", NULL, setting) != NULL
               : config_text_find(&r->text, cfg_name(section), cfg_title(section), setting) != NULL;
}

/* ---- reports ---- */

void config_report_init(struct config_report *report)
{
    *report = (struct config_report){0};
    buf_init(&report->faults, 64 * 1024);
    buf_init(&report->notes, 64 * 1024);
}

void config_report_fini(struct config_report *report)
{
    buf_fini(&report->faults);
    buf_fini(&report->notes);
}

void config_report_add(struct config_report *report, bool wrong, const char *text)
{
    struct buf *to = wrong ? &report->faults : &report->notes;
    struct buf line;
    buf_init(&line, 8192);
    escape(span_of(text), ESCAPE_TEXT, &line);
    buf_add_char(&line, '\n');
    bool known = strstr(buf_text(to), buf_text(&line)); /* said already */
    if (!known && !(wrong && report->count >= CONFIG_FAULTS_MAX)) {
        buf_add(to, buf_span(&line));
        if (wrong && report->count++ == 0)
            err_set(&report->first, ERR_CONFIG, "%.*s",
                    SPAN_ARG(span_first(buf_span(&line), line.len - 1)));
    }
    buf_fini(&line);
}
