// SPDX-License-Identifier: BSD-2-Clause
/* unsubscribe.h - The link that ends mail of one stream to one recipient (RFC 8058).
 *
 * A token says who, and proves that we made it; nothing about it is stored. It is AES-256-SIV (RFC
 * 5297) over tenant, stream and recipient: it hides them, is the same each time, and cannot be made
 * or changed without the key.
 *
 * A token can be found in mail: by who forwards it, by who gets a report that quotes it, by the
 * application that sent it. So it ends mail, and never lets mail begin again. That takes a permit,
 * which only the browser gets that has ended it (see page.c).
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
        unsigned char bytes[SECRET_SEAL_KEY], permit[SECRET_SEAL_KEY];
        unsigned char returns[32]; /* of the addresses that mail comes back to */
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

enum { UNSUBSCRIBE_PERMIT_NAME = 40, UNSUBSCRIBE_PERMIT_MAX = 200 };
static const int64_t unsubscribe_permit_ms = INT64_C(24) * 3600 * 1000;

/* What whoever has ended something may take back, for a day. */
struct unsubscribe_permit {
    const char *tenant, *stream, *recipient; /* of what; "": of all of them */
    int64_t made_ms; /* when it was ended: it is good for that, and for nothing later */
    bool pause;      /* all mail, for a day; not all that is optional */
};

/* Append it, base64url, sealed with a key of its own: no token is a permit. */
MUST_CHECK bool unsubscribe_permit(const struct unsubscribe_keys *keys,
                                   const struct unsubscribe_permit *permit, struct buf *out);
/* Is it one of ours, for all that is said there, and less than a day old? Then made_ms
 * is filled in, else it is 0. */
MUST_CHECK bool unsubscribe_permitted(const struct unsubscribe_keys *keys, struct span text,
                                      int64_t now_ms, struct unsubscribe_permit *permit);
/* The name of the cookie that holds it, which tells nothing to who does not know of what it is.
 * Nobody but this host can set one of that kind (RFC 6265bis section 4.1.3). `name_r`:
 * UNSUBSCRIBE_PERMIT_NAME bytes. */
void unsubscribe_permit_name(const struct unsubscribe_permit *permit, char *name_r);

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
