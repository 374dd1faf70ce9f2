// SPDX-License-Identifier: BSD-2-Clause
/* template_filters.h - Filters of a template: each takes text and returns text. */
#ifndef TEMPLATE_FILTERS_H
#define TEMPLATE_FILTERS_H

#include "buf.h"

/* "filter:filter" on a text, in place. */
void template_filter(struct span names, struct buf *text);

#endif
