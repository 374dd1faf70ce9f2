// SPDX-License-Identifier: BSD-2-Clause
/* change_rows.h - Inside the store: what those accounts will be that the open transaction changes.
 */
#ifndef CHANGE_ROWS_H
#define CHANGE_ROWS_H

#include "db.h"

/* Just before it is committed. */
MUST_CHECK bool change_rows_read(struct database *db, struct err *err);

#endif
