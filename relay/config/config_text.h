// SPDX-License-Identifier: BSD-2-Clause
/* config_text.h - The config file as one text: other files taken in, comments blanked, and for each
 * statement where it came from.
 *
 *   include "PATTERN"   takes the files in, in alphabetical order; relative to the file that says
 *                       it, at the outermost level only
 */
#ifndef CONFIG_TEXT_H
#define CONFIG_TEXT_H

#include "buf.h"
#include "config_statements.h"
#include "err.h"
#include "opener.h"

enum { CONFIG_TEXT_DEPTH_MAX = 8, CONFIG_TEXT_FILES_MAX = 1000 };

struct config_text {
    struct buf all;
    struct config_line {
        size_t file, number;
    } * lines;
    size_t line_count;
    char **files, **patterns; /* that were read; that include names, from where we are */
    size_t file_count, pattern_count;
    struct config_statements statements;
    char *copy; /* the text that names and titles point into; dropped statements stay in it */
};

/* `tell` is called for each thing that is wrong, or only worth a note. False when it cannot be
 * parsed at all. */
typedef void config_text_tell(void *context, const char *file, size_t line, const char *what,
                              bool wrong);
MUST_CHECK bool config_text_read(struct config_text *t, const char *path,
                                 const struct opener *opener, config_text_tell *on_tell,
                                 void *context);
void config_text_free(struct config_text *t);

/* File and line there of a line of the text. */
const char *config_text_place(const struct config_text *t, size_t line, size_t *line_r);

/* The statement in a section (name "" : outermost; title NULL: any); NULL when it is not said.
 * `setting` NULL: the section itself. */
const struct config_statement *config_text_find(const struct config_text *t, const char *section,
                                                const char *title, const char *setting);

/* Write "file:line: " of a setting, else of its section; "file: " of what is not said. */
void config_text_where(const struct config_text *t, const char *section, const char *title,
                       const char *setting, struct buf *out);

/* The line where an outermost section is said for the nth time, from 1; 0 when it is not. */
size_t config_text_nth(const struct config_text *t, const char *section, size_t nth);

/* Blank the innermost statement of this name that has the line, so that the rest can be read. False
 * when there is none. */
MUST_CHECK bool config_text_drop(struct config_text *t, size_t line, const char *name);

#endif
