// SPDX-License-Identifier: BSD-2-Clause
/* offers.h - The keywords of an EHLO answer (RFC 5321 section 4.1.1.1). */
#ifndef OFFERS_H
#define OFFERS_H

#include "delivery.h"

/* Note what one line, "KEYWORD arguments", offers; unknown keywords are nothing. */
void offers_read(struct delivery_offers *o, struct span line);

#endif
