// SPDX-License-Identifier: BSD-2-Clause
/* config_reading.h - What the files share that read the config file. All faults are reported, not
 * only the first one, each with its file and line.
 *
 * libconfuse stops at the first error. Therefore the statement that caused it is blanked and the
 * rest is parsed again, until there are no more errors or CONFIG_FAULTS_MAX have been found.
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
    bool looks; /* as config_look() says */
    struct config_report *report;
};

/* Something is wrong about a setting of a section (NULL: about the section). */
void config_fault(struct config_reading *r, cfg_t *section, const char *setting, const char *format,
                  ...) PRINTF_LIKE(4, 5);
/* Something is wrong about a statement that another takes the place of. */
void config_fault_at(struct config_reading *r, const struct config_statement *statement,
                     const char *why);
/* It is allowed, and yet not wise. */
void config_note(struct config_reading *r, cfg_t *section, const char *setting, const char *format,
                 ...) PRINTF_LIKE(4, 5);

/* Does the file say it, be it right or wrong? */
bool config_says(const struct config_reading *r, cfg_t *section, const char *setting);

#endif
