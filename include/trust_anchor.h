// SPDX-License-Identifier: BSD-2-Clause
/* trust_anchor.h - A file of trust anchors, as `dns { trust_anchor }` names it. */
#ifndef TRUST_ANCHOR_H
#define TRUST_ANCHOR_H

#include "err.h"

/* Can libunbound read what is in it? False: `err` has why, in a line. A file without any key of the
 * root is readable: DANE is off then, and `status` says so. Asks nobody; blocks for some
 * milliseconds. */
MUST_CHECK bool trust_anchor_read(const char *path, struct err *err);

#endif
