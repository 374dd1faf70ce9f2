// SPDX-License-Identifier: BSD-2-Clause
/* language_files.h - The files of languages/, as the build embeds them. */
#ifndef LANGUAGE_FILES_H
#define LANGUAGE_FILES_H

#include "language.h"

extern const struct span language_files[LANGUAGE_COUNT];

#endif
