// SPDX-License-Identifier: BSD-2-Clause
/* config_rules.h - The rules that values in the config file must keep. */
#ifndef CONFIG_RULES_H
#define CONFIG_RULES_H

#include <confuse.h>
#include <stdbool.h>
#include <stddef.h>

/* Have each setting checked when it is read. */
void config_rules_set(cfg_t *cfg);

/* Refuse control characters in any title or text: they would reach logs, commands and header
 * fields. Reports as the rules do. */
bool config_rules_are_plain(cfg_t *cfg);

/* What is wrong with a web address: NULL, or the rest of a sentence that begins with "it". BASE:
 * what paths are put behind, so without query, fragment and trailing text. */
enum config_url { CONFIG_URL_ANY, CONFIG_URL_BASE };
const char *config_rules_url(const char *text, enum config_url kind);

/* "host:port", "[::1]:port". False when it is neither. */
bool config_rules_split(const char *text, char *host_r, size_t size, unsigned *port_r);

#endif
