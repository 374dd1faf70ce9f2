// SPDX-License-Identifier: BSD-2-Clause
/* config_statements.h - The statements of a config file in order, with their places. */
#ifndef CONFIG_STATEMENTS_H
#define CONFIG_STATEMENTS_H

#include "span.h"

enum { CONFIG_STATEMENTS_NEST_MAX = 32 };

/* "name = value", "name { … }" or "name "title" { … }". */
struct config_statement {
    size_t begin, end; /* in the text */
    size_t line, last; /* of it, from 1 */
    struct span name, title;
    struct span value; /* with its quotes or brackets; empty: a section */
    size_t parent;     /* the section that it stands in; SIZE_MAX none */
    bool adds;         /* += */
};

struct config_statements {
    struct config_statement *list;
    size_t count;
};

/* As far as it can be read. `text` is borrowed. Free with config_statements_free(). */
void config_statements_parse(struct config_statements *s, const char *text);
void config_statements_free(struct config_statements *s);

/* The last statement in a section (name empty: outermost; title NULL: any); NULL when it is not
 * said. `setting` NULL: the section itself. */
const struct config_statement *config_statements_find(const struct config_statements *all,
                                                      struct span section, const char *title,
                                                      const char *setting);

/* Does a later statement take the place of the one at `at`? */
bool config_statements_replaced(const struct config_statements *all, size_t at);

#endif
