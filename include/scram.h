// SPDX-License-Identifier: BSD-2-Clause
/* scram.h - The server's side of SCRAM-SHA-256 and SCRAM-SHA-256-PLUS (RFC 5802, 7677, 9266): the
 * client proves that it knows the password, and the stored keys cannot be used to log in.
 *
 *   client-first -> scram_first() -> the credential's keys are looked up by `name`
 *   scram_challenge() -> server-first -> client-final -> scram_final() -> server-final
 */
#ifndef SCRAM_H
#define SCRAM_H

#include "buf.h"
#include "err.h"

enum { SCRAM_KEYS_TEXT = 160, SCRAM_BINDING = 32, SCRAM_NONCE = 24, SCRAM_ITERATIONS = 15000 };

/* The stored form (RFC 5803): "SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey". `text_r` holds
 * SCRAM_KEYS_TEXT bytes. Takes some milliseconds. */
void scram_keys_make(struct span password, char *text_r);
/* For a name that is no credential's: its salt is always the same for the same `seed`, and no
 * password fits. */
void scram_keys_nobody(struct span seed, char *text_r);

enum scram_fault { SCRAM_OK, SCRAM_MALFORMED, SCRAM_IDENTITY, SCRAM_REFUSED };

struct scram {
    bool plus;    /* the mechanism is the one with channel binding */
    bool offered; /* and it was offered */
    unsigned char binding[SCRAM_BINDING];
    struct buf gs2, first_bare, server_first;
    char nonce[256];
    unsigned char stored_key[32], server_key[32];
};

/* `binding`: of the connection (RFC 9266), SCRAM_BINDING bytes; NULL: there is none. */
void scram_init(struct scram *s, bool plus, const unsigned char *binding);
void scram_fini(struct scram *s);

/* client-first-message; the name is appended to `name`. */
enum scram_fault scram_first(struct scram *s, struct span message, struct buf *name);
/* Append server-first-message. `nonce`: printable, SCRAM_NONCE characters at most, never used
 * before. Keys that cannot be read match no password. */
void scram_challenge(struct scram *s, const char *keys, struct span nonce, struct buf *out);
/* client-final-message; with SCRAM_OK the password was right and server-final-message is appended.
 */
enum scram_fault scram_final(struct scram *s, struct span message, struct buf *out);

#endif
