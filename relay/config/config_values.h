// SPDX-License-Identifier: BSD-2-Clause
/* config_values.h - One value of a setting: from text, to text, and what it may be. */
#ifndef CONFIG_VALUES_H
#define CONFIG_VALUES_H

#include "config_table.h"

enum { CONFIG_WHY_MAX = 600 };

/* Put it into the member of `base`; of a list it is one more. Does what the file says have to be in
 * the setting's range. False: `why_r`, of CONFIG_WHY_MAX bytes, says what is allowed. */
MUST_CHECK bool config_value_take(const struct config_setting *s, void *base, const char *text,
                                  char *why_r);
/* What the setting is when the file does not say it; of a list that is libconfuse's affair. */
void config_value_take_default(const struct config_setting *s, void *base);

/* As a config file says it. */
void config_value_print(const struct config_setting *s, const void *base, struct buf *out);
/* Is it without a value? */
bool config_value_is_none(const struct config_setting *s, const void *base);

/* What it may be, for people. */
void config_value_allowed(const struct config_setting *s, struct buf *out);

bool config_is_list(const struct config_setting *s);

#endif
