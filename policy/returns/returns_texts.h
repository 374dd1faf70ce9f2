// SPDX-License-Identifier: BSD-2-Clause
/* returns_texts.h - The tables that the build embeds: charsets.txt, phrases.txt. */
#ifndef RETURNS_TEXTS_H
#define RETURNS_TEXTS_H

#include "span.h"

enum returns_text { RETURNS_TEXT_CHARSETS, RETURNS_TEXT_PHRASES, RETURNS_TEXTS };

extern const struct span returns_texts[RETURNS_TEXTS];

#endif
