// SPDX-License-Identifier: BSD-2-Clause
/* page_files.h - The files of page/, as the build embeds them. */
#ifndef PAGE_FILES_H
#define PAGE_FILES_H

#include "span.h"

enum page_file { PAGE_PAGE, PAGE_STYLE, PAGE_FILES };
extern const struct span page_files[PAGE_FILES];

#endif
