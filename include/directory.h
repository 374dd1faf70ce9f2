// SPDX-License-Identifier: BSD-2-Clause
/* directory.h - Who may send, and the keys that sign for them, in memory: what threads that serve
 * clients know of the accounts.
 *
 * The store loads it when it starts and brings it up to date behind each commit, before anybody
 * hears of that. All else may be called from any thread; nothing here waits for the disk.
 */
#ifndef DIRECTORY_H
#define DIRECTORY_H

#include "accounts.h"

struct directory;

/* ---- credentials ---- */

/* A credential as it was when it was found. It never changes: another one takes its place when it
 * is changed in any way, deleted, or a domain that its rules name in full is removed. From then on
 * the old one is over, and freed by the last who holds it. */
struct credential;

/* Held, to be given back with credential_drop(); `user_r`: all of it but created_ms and the login,
 * with its secrets. NULL: there is none of that name. */
struct credential *directory_find(struct directory *d, struct span name,
                                  struct database_user *user_r);
struct credential *credential_hold(struct credential *c);
void credential_drop(struct credential *c); /* NULL is allowed */
/* One atomic number. */
bool credential_is_over(const struct credential *c);

/* The secret was right for that credential, at that time of a steady clock: for an hour the same
 * one is right without its slow hash, unless the credential is over before. A keyed digest of it
 * is kept, with the secrets. */
void directory_remember(struct directory *d, struct credential *c, struct span secret,
                        int64_t now_ms);
bool directory_remembers(struct directory *d, const struct credential *c, struct span secret,
                         int64_t now_ms);

/* The keys for SCRAM of that name, or those of a nobody whose salt is always the same. */
void directory_scram(struct directory *d, struct span name, char keys_r[SCRAM_KEYS_TEXT]);

/* ---- domains and their keys ---- */

/* Is it a sending domain, or does a key sign for it? */
bool directory_knows(struct directory *d, const char *domain);
/* The rows of its keys, of any state, in the order in which they were made; of all domains when
 * `domain` is NULL. `on_key` must ask nothing of the directory. */
void directory_keys(struct directory *d, const char *domain, database_on_key *on_key,
                    void *context);

#endif
