// SPDX-License-Identifier: BSD-2-Clause
/* extended_parameter.h - Parameters that are not ASCII, in the form of RFC 2231: octets by percent,
 * in sections where they would be too long for a line.
 */
#ifndef EXTENDED_PARAMETER_H
#define EXTENDED_PARAMETER_H

#include "encoded_word.h"

/* Write the value of a Content-Type or Content-Disposition field in ASCII. */
void extended_parameters(struct encoded_writer *w, struct span value);

#endif
