// SPDX-License-Identifier: BSD-2-Clause
/* returns_fields.h - The machine's parts of reports, which are groups of fields. */
#ifndef RETURNS_FIELDS_H
#define RETURNS_FIELDS_H

#include "returns.h"

/* Add the recipients of a delivery status (RFC 3464 section 2.1, RFC 6533 section 3). How many
 * there were: 0 when nothing in it is about a recipient. */
size_t returns_fields_status(struct span text, struct returns_reading *reading);
/* Is it an address that mail could have gone to, as far as one sees? */
bool returns_fields_is_address(struct span text);
/* Fill in what a feedback report says (RFC 5965 section 3). */
void returns_fields_feedback(struct span text, struct returns_reading *reading);
/* Does a disposition notification (RFC 8098 section 3.2.6) say that the message was deleted? */
bool returns_fields_is_deleted(struct span text);

/* Copy a text with white space as single blanks, without what does not fit. */
void returns_fields_line(struct span text, char *line_r, size_t size);
/* The enhanced status code that a text holds first; "" when there is none. */
void returns_fields_find_status(struct span text, char status_r[RETURNS_STATUS_MAX + 1]);

#endif
