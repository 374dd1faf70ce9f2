// SPDX-License-Identifier: BSD-2-Clause
/* unsubscribe.h - The link that ends mail of one stream to one recipient (RFC 8058).
 *
 * A token says who, and proves that we made it; nothing about it is stored. It is AES-256-SIV (RFC
 * 5297) over tenant, stream and recipient: it hides them, is the same each time, and cannot be made
 * or changed without the key.
 */
#ifndef UNSUBSCRIBE_H
#define UNSUBSCRIBE_H

#include "address.h"
#include "buf.h"
#include "err.h"
#include "secret.h"
#include "stream.h"

enum { UNSUBSCRIBE_KEYS_MAX = 16, UNSUBSCRIBE_TOKEN_MAX = 720, UNSUBSCRIBE_NAME_MAX = 63 };

/* The newest key comes first: it makes the links. All of them open links. */
struct unsubscribe_keys {
    size_t count;
    struct unsubscribe_key {
        unsigned char id; /* what tells them apart in a token */
        unsigned char bytes[SECRET_SEAL_KEY];
    } keys[UNSUBSCRIBE_KEYS_MAX];
};

/* From a file's content: a line of base64 for each key, 32 bytes each, the newest first. */
MUST_CHECK bool unsubscribe_keys_read(struct span text, struct unsubscribe_keys *keys_r,
                                      struct err *err);
void unsubscribe_keys_clear(struct unsubscribe_keys *keys);

struct unsubscribe_subject {
    char tenant[UNSUBSCRIBE_NAME_MAX + 1], stream[UNSUBSCRIBE_NAME_MAX + 1];
    char recipient[ADDRESS_MAX + 1]; /* as the message named it */
};

/* Append the token, base64url. Letters, digits, '-' and '_' only. */
MUST_CHECK bool unsubscribe_token(const struct unsubscribe_keys *keys,
                                  const struct unsubscribe_subject *subject, struct buf *out);
/* False for whatever we have not made; why is not said. */
MUST_CHECK bool unsubscribe_open(const struct unsubscribe_keys *keys, struct span token,
                                 struct unsubscribe_subject *subject_r);

/* Append the URL that a template of the operator makes: {token}, {recipient}, {stream} and
 * {tenant} are replaced, percent-encoded (RFC 3986 section 2.1). */
MUST_CHECK bool unsubscribe_url(const char *template, struct span token,
                                const struct unsubscribe_subject *subject, struct buf *out);
/* Append the link of a stream that has one, for one recipient; `http_url`: our own page. */
MUST_CHECK bool unsubscribe_link(const struct stream *stream, const char *http_url,
                                 const struct unsubscribe_keys *keys,
                                 const struct unsubscribe_subject *subject, struct buf *out);
/* Is it a URL that a List-Unsubscribe field can hold: https, no blanks, no brackets, short? */
bool unsubscribe_url_ok(struct span url);

/* What an application has put there itself: the verdict names the field and the rule (RFC 2369
 * section 2, RFC 8058 section 3.1). */
struct verdict unsubscribe_check(struct span header);

#endif
