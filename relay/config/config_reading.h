// SPDX-License-Identifier: BSD-2-Clause
/* config_reading.h - What the files that read the config share while they do: all that is wrong is
 * told, not the first thing only, each with its file and line.
 *
 * libconfuse ends at the first error. So the statement that it is about is blanked, and the rest is
 * read again, until nothing is wrong or CONFIG_FAULTS_MAX things are.
 */
#ifndef CONFIG_READING_H
#define CONFIG_READING_H

#include "config.h"
#include "config_text.h"

#include <confuse.h>

struct config_reading {
    struct config *config; /* is being filled */
    cfg_t *cfg;
    struct config_text text;
    const struct opener *opener;
    struct config_report *report;
};

/* Something is wrong about a setting of a section (NULL: about the section). */
void config_fault(struct config_reading *r, cfg_t *section, const char *setting, const char *format,
                  ...) PRINTF_LIKE(4, 5);
/* It is allowed, and yet not wise. */
void config_note(struct config_reading *r, cfg_t *section, const char *setting, const char *format,
                 ...) PRINTF_LIKE(4, 5);

/* Does the file say it, be it right or wrong? */
bool config_says(const struct config_reading *r, cfg_t *section, const char *setting);

#endif
