// SPDX-License-Identifier: BSD-2-Clause
/* offers.h - The keywords of an EHLO answer (RFC 5321 section 4.1.1.1). */
#ifndef OFFERS_H
#define OFFERS_H

#include "delivery.h"

/* Note what one line, "KEYWORD arguments", offers; unknown keywords are nothing. */
void offers_read(struct delivery_offers *o, struct span line);

/* The last look at the addresses before a peer sees them: each must be one mailbox by the grammar
 * that all others were checked with. Otherwise nothing is said, and all recipients have an answer:
 * who is none never gets it, the others wait. */
bool offers_can_say(struct delivery_mail *m);

/* Append the MAIL or RCPT command line, with what the server offers of RFC 1870, 3461, 6152, 6531.
 */
void offers_say_mail(const struct delivery_mail *m, const struct delivery_offers *o,
                     struct buf *out);
void offers_say_rcpt(const struct delivery_rcpt *r, const struct delivery_offers *o,
                     struct buf *out);
/* The mechanisms that a line offers, in whatever case (login.c). */
void login_read(struct delivery_offers *o, struct span names);

#endif
