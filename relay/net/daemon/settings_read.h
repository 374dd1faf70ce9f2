// SPDX-License-Identifier: BSD-2-Clause
/* settings_read.h - Makes settings from the config file. */
#ifndef SETTINGS_READ_H
#define SETTINGS_READ_H

#include "settings.h"

/* Held once, by the caller. */
MUST_CHECK bool settings_read(const char *path, const struct opener *opener,
                              struct settings **settings_r, struct err *err);

#endif
