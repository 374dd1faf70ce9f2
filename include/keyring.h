// SPDX-License-Identifier: BSD-2-Clause
/* keyring.h - The private keys in state_dir/keys, parsed once and shared by all threads. */
#ifndef KEYRING_H
#define KEYRING_H

#include "directory.h"
#include "signing.h"
#include "unsubscribe.h"

struct keyring;

struct keyring_loan {
    struct signing_key keys[SIGNING_KEYS_MAX];
    size_t count;
    struct keyring_entry *entry;
};

/* Which keys a domain has is asked of the directory, which is borrowed. */
struct keyring *keyring_new(const char *state_dir, struct directory *directory);
void keyring_free(struct keyring *k);

/* Is what is known of a domain's keys what the directory says? Else keyring_load() comes first. */
bool keyring_is_ready(struct keyring *k, const char *domain);
/* Read the files of its active keys, if that is needed. Waits for the disk: never on a loop. What
 * cannot be read is tried again by the next load, so that mending it helps at once. */
void keyring_load(struct keyring *k, const char *domain);

/* The active keys of a domain as they were last loaded, to be given back with keyring_return().
 * False when there are none, or one could not be read. */
MUST_CHECK bool keyring_find(struct keyring *k, const char *domain, struct keyring_loan *loan_r,
                             struct err *err);
void keyring_return(struct keyring *k, struct keyring_loan *loan);

/* May mail of that domain be accepted, as it can be signed now? The refusal says what to do. When
 * its keys are ready, or have been loaded since they were not. */
struct verdict keyring_verdict(struct keyring *k, const char *domain);

/* Its keys (NULL: those of all domains) have changed, or their files may have. Keys on loan stay
 * valid. */
void keyring_refresh(struct keyring *k, const char *domain);

/* A line in the log for each active key whose file is not there: mail of its domain is refused for
 * a while until it is. */
void keyring_tell_missing(struct keyring *k);

/* Each active key in the database; `why`: mail cannot be signed with it, as its file (which is
 * named) is not there, cannot be read or holds no key; NULL: it can. Of a file only the form is
 * looked at (key_looks_right()). Reads all of them: never on a loop. */
typedef void keyring_on_key(void *context, const struct database_key *key, const char *why);
MUST_CHECK bool keyring_look(const char *state_dir, struct database *db, keyring_on_key *on_key,
                             void *context, struct err *err);
/* The same of a store as it lies there, and each key is decoded; of one that cannot be read nothing
 * is said. */
MUST_CHECK bool keyring_check_store(const char *state_dir, keyring_on_key *on_key, void *context,
                                    struct err *err);

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
