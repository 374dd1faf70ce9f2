// SPDX-License-Identifier: BSD-2-Clause
/* accounts.h - Who may send, as which domains, and the keys that sign for them: a part of the
 * database (see database.h).
 */
#ifndef ACCOUNTS_H
#define ACCOUNTS_H

#include "database.h"
#include "rotation.h"
#include "scram.h"

/* What a transaction may change of what is kept in memory. */
enum database_changed { DATABASE_CREDENTIAL, DATABASE_DOMAIN, DATABASE_KEYS /* of a domain */ };

struct database_user {
    struct identity identity;
    char hash[384];
    char scram[SCRAM_KEYS_TEXT]; /* see scram.h; empty: made before there was SCRAM */
    bool disabled;
    int64_t created_ms;
    char network[72]; /* of the last login that was kept; "" never; only in database_users() */
    int64_t login_ms;
};
typedef void database_on_user(void *context, const struct database_user *user);

/* All credentials in order of their names, each with the last login that was kept. `user` is
 * borrowed during the call. */
MUST_CHECK bool database_users(struct database *db, database_on_user *on_user, void *context,
                               struct err *err);
/* Without the logins: as the directory is loaded. */
MUST_CHECK bool database_credentials(struct database *db, database_on_user *on_user, void *context,
                                     struct err *err);
/* ERR_NOT_FOUND when there is none of that name. */
MUST_CHECK bool database_user(struct database *db, struct span name, struct database_user *user_r,
                              struct err *err);
/* ERR_NOT_FOUND: there is one of that name already; nothing is changed. */
MUST_CHECK bool database_add_user(struct database *db, const struct database_user *user,
                                  struct err *err);
/* New ones, or NULL to keep the old. */
MUST_CHECK bool database_set_secret(struct database *db, const char *name, const char *hash,
                                    const char *scram, struct err *err);
/* A disabled credential may not log in, and its tenant is kept no room for its sake. ERR_NOT_FOUND
 * when there is none of that name, as with the next two. */
MUST_CHECK bool database_set_disabled(struct database *db, const char *name, bool disabled,
                                      struct err *err);
/* Its stream, and which streams and senders it may name. */
MUST_CHECK bool database_change_user(struct database *db, const struct identity *identity,
                                     struct err *err);
/* With its logins. Mail that it has sent stays. */
MUST_CHECK bool database_delete_user(struct database *db, const char *name, struct err *err);

/* Where a credential has logged in from; see login_limit.h. A bounded number of networks is kept
 * for each. */
MUST_CHECK bool database_add_login(struct database *db, const char *name, const char *network,
                                   int64_t at_ms, struct err *err);
typedef void database_on_login(void *context, const char *name, const char *network, int64_t at_ms);
/* Those after `since_ms`, the oldest first; the texts are borrowed during the call. */
MUST_CHECK bool database_logins(struct database *db, int64_t since_ms, database_on_login *on_login,
                                void *context, struct err *err);

/* Its mail to others than the operator is held: why. As the store has it. */
enum domain_capture { DOMAIN_SENDS = 0, DOMAIN_HAS_NO_RECORDS = 1, DOMAIN_HELD_BY_HAND = 2 };

struct database_domain {
    const char *name, *tenant; /* borrowed during the call */
    int64_t created_ms;
    enum domain_capture captured;
};
typedef void database_on_domain(void *context, const struct database_domain *domain);

/* All of them in order of their names. */
MUST_CHECK bool database_domains(struct database *db, database_on_domain *on_domain, void *context,
                                 struct err *err);
/* Each tenant that a credential, also a disabled one, or a domain has, once, by name. */
typedef void database_on_tenant(void *context, const char *name);
MUST_CHECK bool database_tenants(struct database *db, database_on_tenant *on_tenant, void *context,
                                 struct err *err);
/* Its name in normal form. ERR_NOT_FOUND: it is there already; nothing is changed. */
MUST_CHECK bool database_add_domain(struct database *db, const struct database_domain *domain,
                                    struct err *err);
/* From now on. ERR_NOT_FOUND when there is no such domain. */
MUST_CHECK bool database_set_captured(struct database *db, const char *name,
                                      enum domain_capture captured, struct err *err);
/* Is it one of ours? `name` in normal form. */
MUST_CHECK bool database_is_domain(struct database *db, const char *name, bool *is_r,
                                   struct err *err);
/* DOMAIN_SENDS also when the domain is none of ours. */
enum domain_capture database_capture_of(struct database *db, const char *name, struct err *err);
/* Also forgets its keys; the key files stay. */
MUST_CHECK bool database_delete_domain(struct database *db, const char *name, struct err *err);

struct database_key {
    char domain[ADDRESS_DOMAIN_MAX + 1];
    struct rotation_key life;
    char public_key[1024];
    char delegated[ADDRESS_DOMAIN_MAX + 1]; /* the name in our zone that holds it; "" none */
};
typedef void database_on_key(void *context, const struct database_key *key);

/* Of one domain, or of all when `domain` is NULL. */
MUST_CHECK bool database_keys(struct database *db, const char *domain, database_on_key *on_key,
                              void *context, struct err *err);
/* An event too. */
MUST_CHECK bool database_add_key(struct database *db, const struct database_key *key,
                                 struct err *err);
/* State, since, seen and wait, of the key with that domain and selector. */
MUST_CHECK bool database_set_key(struct database *db, const struct database_key *key,
                                 struct err *err);
/* The same, as a step in its life: an event; and when it is to sign, those of its algorithm that
 * signed until now are retiring. */
MUST_CHECK bool database_key_step(struct database *db, const struct database_key *key,
                                  struct err *err);
MUST_CHECK bool database_delete_key(struct database *db, const char *domain, const char *selector,
                                    struct err *err);

#endif
