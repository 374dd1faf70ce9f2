// SPDX-License-Identifier: BSD-2-Clause
/* language_files.h - The files of policy/languages, as the build embeds them. */
#ifndef LANGUAGE_FILES_H
#define LANGUAGE_FILES_H

#include "language.h"

struct language_bytes {
    const unsigned char *ptr;
    size_t len;
};
extern const struct language_bytes language_files[LANGUAGE_COUNT];

#endif
