// SPDX-License-Identifier: BSD-2-Clause
/* extended_parameter.h - Parameters that are not ASCII, percent-encoded as in RFC 2231, and split
 * into sections where they are too long for a line. */
#ifndef EXTENDED_PARAMETER_H
#define EXTENDED_PARAMETER_H

#include "encoded_word.h"

/* Write the value of a Content-Type or Content-Disposition field in ASCII. */
void extended_parameters(struct encoded_writer *w, struct span value);

#endif
