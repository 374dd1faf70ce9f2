// SPDX-License-Identifier: BSD-2-Clause
/* content.h - Detects repeated messages: a digest of a message's content, computed piece by piece.
 *
 * It covers the fields that people read (From, Reply-To, To, Cc, Subject, References …) and the
 * whole body with attachments, but not what programs generate for each copy: Date, Message-ID,
 * trace fields, boundaries. Unlike a fingerprint it leaves out nothing else, so two messages with
 * the same digest have the same content. It needs constant memory, so large messages have one, too.
 */
#ifndef CONTENT_H
#define CONTENT_H

#include "mime.h"

enum { CONTENT_BYTES = 16, CONTENT_KEY = 32, CONTENT_LINE_MAX = 1000, CONTENT_BOUNDARIES = 8 };

struct secret_gmac;

struct content {
    struct secret_gmac *mac;
    bool in_body, in_type, counts; /* in_type: in a Content-Type; counts: what is being read does */
    bool cut;                      /* in the middle of a line that is too long */
    char line[CONTENT_LINE_MAX];
    size_t len;
    size_t boundaries;
    char boundary[CONTENT_BOUNDARIES][MIME_BOUNDARY_MAX + 1];
};

/* Digests are compared with those of the same key only; it is copied. */
struct content *content_new(const unsigned char key[CONTENT_KEY]);
/* The next bytes of the message, from its header on, with CRLF; in any pieces. */
void content_add(struct content *c, struct span bytes);
/* The digest; frees. */
void content_end(struct content *c, unsigned char digest_r[CONTENT_BYTES]);
/* Frees, without one; NULL is nothing. */
void content_free(struct content *c);

#endif
