// SPDX-License-Identifier: BSD-2-Clause
/* admin_texts.h - The files of texts/, embedded by the build; templates (template.h). */
#ifndef ADMIN_TEXTS_H
#define ADMIN_TEXTS_H

#include "span.h"

enum admin_text { ADMIN_CONFIG, ADMIN_INIT, ADMIN_POLICY, ADMIN_TEXTS };
extern const struct span admin_texts[ADMIN_TEXTS];

#endif
