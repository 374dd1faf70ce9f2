// SPDX-License-Identifier: BSD-2-Clause
/* webhook_secret.h - Secrets of webhook endpoints and signatures with them, as Standard Webhooks
 * 1.0.0 has them: the symmetric scheme, v1. */
#ifndef WEBHOOK_SECRET_H
#define WEBHOOK_SECRET_H

#include "buf.h"

enum { WEBHOOK_KEY_MIN = 24, WEBHOOK_KEY_MAX = 64, WEBHOOK_SECRET_TEXT = 6 + 88 + 1 };

/* A new one of 32 random bytes, shown: "whsec_" and base64. `text_r` holds WEBHOOK_SECRET_TEXT. */
void webhook_secret_generate(char *text_r);

/* The key's bytes, WEBHOOK_KEY_MIN to WEBHOOK_KEY_MAX; one line end behind it does not count.
 * False: that is no secret of the symmetric scheme. The caller clears the key (secret_clear()). */
struct webhook_key {
    unsigned char bytes[WEBHOOK_KEY_MAX];
    size_t len;
};
MUST_CHECK bool webhook_secret_read(struct span text, struct webhook_key *key_r);

/* Append "v1," and the signature of exactly these bytes; behind a signature that stands there
 * already after one space, as receivers want them while a secret is being changed. `at_s`: seconds
 * since 1970, of this attempt. */
void webhook_secret_sign(struct span key, const char *id, int64_t at_s, struct span body,
                         struct buf *out);

#endif
