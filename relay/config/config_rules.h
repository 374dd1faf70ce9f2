// SPDX-License-Identifier: BSD-2-Clause
/* config_rules.h - Rules that involve several settings. */
#ifndef CONFIG_RULES_H
#define CONFIG_RULES_H

#include "config_reading.h"

/* Behind config_sections_read(): work out what depends on more than one row, and tell what does not
 * go together, or can hardly be meant. */
void config_rules_apply(struct config_reading *r);

/* What is in memory whatever there is to do, in MiB. */
unsigned config_fixed_mb(const struct config *c);

/* Some of them, in files of their own. A stream's behind the limits and http; a route's behind the
 * listeners; policies behind the domains and http. */
void config_policies_finish(struct config_reading *r);
void config_streams_finish(struct config_reading *r);
void config_sources_finish(struct config_reading *r); /* behind the streams */
void config_routes_finish(struct config_reading *r);

/* The relay asks DNS for a smart host's name. Note where that may not be what is meant: the name
 * is in /etc/hosts, or has no dot and is asked from the root. Behind the settings of dns. */
void config_names_check(struct config_reading *r, cfg_t *section, const char *host);

#endif
