// SPDX-License-Identifier: BSD-2-Clause
/* bounce_text.h - The file bounce.txt, embedded by the build; a template (template.h). */
#ifndef BOUNCE_TEXT_H
#define BOUNCE_TEXT_H

#include "span.h"

extern const struct span bounce_text;

#endif
