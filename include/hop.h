// SPDX-License-Identifier: BSD-2-Clause
/* hop.h - The queue's name for mail that goes one way: to a domain, with what it demands of TLS,
 * from one of our addresses.
 *
 * "club.example", "club.example requiretls", "club.example source=news". Mail of one hop is apart
 * from the domain's other mail on its whole way.
 */
#ifndef HOP_H
#define HOP_H

#include "tls_need.h"

/* The name of a source (config_sources.h) has letters, digits, '.', '-' and '_' only. */
enum { HOP_SOURCE = 33, HOP_TEXT = ADDRESS_DOMAIN_MAX + 64 };
#define HOP_SOURCE_WORD "source="

struct hop {
    char domain[ADDRESS_DOMAIN_MAX + 1];
    enum tls_need need;
    char source[HOP_SOURCE]; /* "": whichever address the kernel takes */
};

/* `domain` has no blanks; `source` may be "". `text_r` holds HOP_TEXT bytes. */
void hop_print(const char *domain, enum tls_need need, const char *source, char *text_r);
/* The way back. What is nothing known counts as not said. */
void hop_read(const char *text, struct hop *hop_r);
/* Of a hop, or of a destination's name: "google:25 verify source=news". `source_r` holds HOP_SOURCE
 * bytes; "": none. */
void hop_source(const char *name, char *source_r);

#endif
