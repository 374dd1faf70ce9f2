// SPDX-License-Identifier: BSD-2-Clause
/* keyring.h - The private keys in state_dir/keys, parsed once and shared by all threads. */
#ifndef KEYRING_H
#define KEYRING_H

#include "accounts.h"
#include "signing.h"
#include "unsubscribe.h"

struct keyring;

struct keyring_loan {
    struct signing_key keys[SIGNING_KEYS_MAX];
    size_t count;
    struct keyring_entry *entry;
};

struct keyring *keyring_new(const char *state_dir);
void keyring_free(struct keyring *k);

/* The active keys of a domain, to be given back with keyring_return(). `db` is the caller's own
 * reader. False when there is none or one cannot be read: what is wrong is not
 * remembered, so that mending it helps at once.
 */
MUST_CHECK bool keyring_find(struct keyring *k, struct database *db, const char *domain,
                             struct keyring_loan *loan_r, struct err *err);
void keyring_return(struct keyring *k, struct keyring_loan *loan);

/* May mail of that domain be accepted, as it can be signed now? The refusal says what to do. */
struct verdict keyring_verdict(struct keyring *k, struct database *db, const char *domain);

/* Look again at the database and the files of that domain (NULL: of all) from now on; keys on loan
 * stay valid. */
void keyring_refresh(struct keyring *k, const char *domain);

/* The keys of the links in mail, from state_dir/keys/unsubscribe.key. */
MUST_CHECK bool keyring_unsubscribe(const char *state_dir, struct unsubscribe_keys *keys_r,
                                    struct err *err);

/* Make a private key and its file; append the public half (base64). A file that the selector had
 * before is written over. Slow: RSA-4096 takes a second or more. */
MUST_CHECK bool keyring_make(const char *state_dir, const char *domain, const char *selector,
                             enum key_algorithm algorithm, unsigned rsa_bits,
                             struct buf *public_key, struct err *err);

/* Is there a file of that selector, whatever the database knows of it? */
bool keyring_has_file(const char *state_dir, const char *domain, const char *selector);
/* Give that file another name, which ends with the time. */
MUST_CHECK bool keyring_set_aside(const char *state_dir, const char *domain, const char *selector,
                                  int64_t now_ms, struct err *err);

/* The path of one key's file; `path_r` holds at least 4096 bytes. */
void keyring_path(const char *state_dir, const char *domain, const char *selector, char *path_r);

#endif
