// SPDX-License-Identifier: BSD-2-Clause
/* returns_html.h - What a page says to people, without its tags. */
#ifndef RETURNS_HTML_H
#define RETURNS_HTML_H

#include "buf.h"

/* Append the text of a page: a line for each block, the common entities decoded. What does not fit
 * is left out. */
void returns_html_text(struct span page, struct buf *out);

#endif
