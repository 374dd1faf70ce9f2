// SPDX-License-Identifier: BSD-2-Clause
/* config_sections.h - The sections of the table: what libconfuse has to know of them, what is read
 * into them, and how the rest finds what was. */
#ifndef CONFIG_SECTIONS_H
#define CONFIG_SECTIONS_H

#include "config_reading.h"
#include "config_table.h"

/* What libconfuse has to know; its callers end it. */
cfg_t *config_sections_options(void);

/* Fill in all members that have a row. What is wrong is told, and has its default then. */
void config_sections_read(struct config_reading *r);
void config_sections_free(struct config *c);

/* How many of a section there are, the title of each (NULL: it has none), and the struct that a
 * setting of it is a member of. */
size_t config_sections_count(const struct config *c, const struct config_section *section);
const char *config_sections_title(const struct config *c, const struct config_section *section,
                                  size_t nth);
void *config_sections_base(const struct config *c, const struct config_section *section,
                           const struct config_setting *s, size_t nth);

#endif
