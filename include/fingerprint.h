// SPDX-License-Identifier: BSD-2-Clause
/* fingerprint.h - Compares the visible text of messages. */
#ifndef FINGERPRINT_H
#define FINGERPRINT_H

#include "stream.h"

enum { FINGERPRINT_BYTES = 16, FINGERPRINT_SIZE_MAX = 64 * 1024 };

/* A digest of what the recipient would read: From, Reply-To, Subject, and the leaves of the body
 * without their transfer encodings; not of Date, Message-ID or boundaries.
 *
 * In the class security what makes each link and code new is left out too: long words that look
 * random, and numbers of six to eight digits; and how lines are broken. So a second password reset
 * has the first one's fingerprint. In the other classes everything counts: two bookings that differ
 * only in their number are two. Times and dates always count.
 */
void fingerprint_make(struct span header, struct span body, enum stream_class class,
                      unsigned char print_r[FINGERPRINT_BYTES]);

#endif
