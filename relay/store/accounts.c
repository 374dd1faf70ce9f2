// SPDX-License-Identifier: BSD-2-Clause
/* accounts.c - Credentials, sending domains and what is known of their keys. */
#include "accounts.h"

#include "audit.h"
#include "db.h"
#include "events.h"
#include "secret.h"
#include "shares.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How many networks a credential is remembered to have logged in from. */
enum { NETWORKS_MAX = 64 };

static void read_user(struct rows *s, struct database_user *u)
{
    *u = (struct database_user){.disabled = rows_get_int(s, 5), .created_ms = rows_get_int(s, 6)};
    rows_copy_text(s, 0, u->identity.name, sizeof(u->identity.name));
    rows_copy_text(s, 1, u->identity.tenant, sizeof(u->identity.tenant));
    rows_copy_text(s, 2, u->identity.stream, sizeof(u->identity.stream));
    rows_copy_text(s, 3, u->hash, sizeof(u->hash));
    rows_copy_text(s, 4, u->identity.allowed, sizeof(u->identity.allowed));
    rows_copy_text(s, 7, u->scram, sizeof(u->scram));
    rows_copy_text(s, 8, u->identity.streams, sizeof(u->identity.streams));
}

static bool add_login(struct database *db, struct database_user *u, struct err *err)
{
    struct rows *s = ROWS(db, SQL_LAST_LOGIN, TEXT(u->identity.name));
    while (rows_next(db, s, err)) {
        rows_copy_text(s, 0, u->network, sizeof(u->network));
        u->login_ms = rows_get_int(s, 1);
    }
    return err->kind == ERR_NONE;
}

static bool each_user(struct database *db, bool logins, database_on_user *on_user, void *context,
                      struct err *err)
{
    struct rows *s = rows_prepare(db, SQL_USERS);
    bool ok = true;
    struct database_user user;
    while (ok && rows_next(db, s, err)) {
        read_user(s, &user);
        ok = !logins || add_login(db, &user, err);
        on_user(context, &user);
    }
    rows_reset(s); /* also when it was not read to its end */
    secret_clear(&user, sizeof(user));
    return ok && err->kind == ERR_NONE;
}

bool database_users(struct database *db, database_on_user *on_user, void *context, struct err *err)
{
    return each_user(db, true, on_user, context, err);
}

bool database_credentials(struct database *db, database_on_user *on_user, void *context,
                          struct err *err)
{
    return each_user(db, false, on_user, context, err);
}

bool database_user(struct database *db, struct span name, struct database_user *user_r,
                   struct err *err)
{
    char text[ADDRESS_MAX + 1];
    if (!span_copy(name, text, sizeof(text)))
        return err_set(err, ERR_NOT_FOUND, "no such credential");
    struct rows *s = ROWS(db, SQL_USER, TEXT(text));
    if (!rows_next(db, s, err))
        return err->kind == ERR_NONE ? err_set(err, ERR_NOT_FOUND, "no such credential") : false;
    read_user(s, user_r);
    rows_reset(s);
    return true;
}

/* One change that must touch a row; `missing` is said when there is none. */
static bool change(struct database *db, struct rows *s, const char *missing, const char *name,
                   struct err *err)
{
    if (rows_run_one(db, s, err))
        return true;
    return err->kind == ERR_NOT_FOUND ? err_set(err, ERR_NOT_FOUND, "%s: %s", name, missing)
                                      : false;
}

bool database_add_user(struct database *db, const struct database_user *u, struct err *err)
{
    struct rows *s = ROWS(db, SQL_ADD_USER, TEXT(u->identity.name), TEXT(u->identity.tenant),
                          TEXT(u->identity.stream), TEXT(u->hash), TEXT(u->identity.allowed),
                          INT(u->created_ms), TEXT(u->scram), TEXT(u->identity.streams));
    changes_note(&db->changes, DATABASE_CREDENTIAL, u->identity.name);
    shares_forget_tenants(&db->shares);
    return change(db, s, "a credential of that name exists already", u->identity.name, err);
}

static const char no_user[] = "no such credential: see 'user list'";

bool database_set_secret(struct database *db, const char *name, const char *hash, const char *scram,
                         struct err *err)
{
    struct rows *s = ROWS(db, SQL_SET_USER, TEXT(name), TEXT(hash));
    rows_text(s, 4, scram);
    changes_note(&db->changes, DATABASE_CREDENTIAL, name);
    return change(db, s, no_user, name, err);
}

bool database_set_disabled(struct database *db, const char *name, bool disabled, struct err *err)
{
    struct rows *s = ROWS(db, SQL_SET_USER, TEXT(name));
    rows_int(s, 3, disabled);
    changes_note(&db->changes, DATABASE_CREDENTIAL, name);
    shares_forget_tenants(&db->shares);
    return change(db, s, no_user, name, err);
}

bool database_change_user(struct database *db, const struct identity *i, struct err *err)
{
    struct rows *s = ROWS(db, SQL_CHANGE_USER, TEXT(i->name), TEXT(i->stream), TEXT(i->streams),
                          TEXT(i->allowed));
    changes_note(&db->changes, DATABASE_CREDENTIAL, i->name);
    return change(db, s, no_user, i->name, err);
}

bool database_delete_user(struct database *db, const char *name, struct err *err)
{
    struct rows *s = ROWS(db, SQL_FORGET_LOGINS, TEXT(name));
    if (!rows_run(db, s, err))
        return false;
    s = ROWS(db, SQL_DELETE_USER, TEXT(name));
    changes_note(&db->changes, DATABASE_CREDENTIAL, name);
    shares_forget_tenants(&db->shares);
    return change(db, s, no_user, name, err);
}

bool database_add_login(struct database *db, const char *name, const char *network, int64_t at_ms,
                        struct err *err)
{
    struct rows *s = ROWS(db, SQL_ADD_LOGIN, TEXT(name), TEXT(network), INT(at_ms));
    if (!rows_run(db, s, err))
        return false;
    s = ROWS(db, SQL_TRIM_LOGINS, TEXT(name), INT(NETWORKS_MAX));
    return rows_run(db, s, err);
}

bool database_logins(struct database *db, int64_t since_ms, database_on_login *on_login,
                     void *context, struct err *err)
{
    struct rows *s = ROWS(db, SQL_LOGINS, INT(since_ms));
    while (rows_next(db, s, err))
        on_login(context, rows_get_text(s, 0), rows_get_text(s, 1), rows_get_int(s, 2));
    return err->kind == ERR_NONE;
}

bool database_domains(struct database *db, database_on_domain *on_domain, void *context,
                      struct err *err)
{
    struct rows *s = rows_prepare(db, SQL_DOMAINS);
    while (rows_next(db, s, err)) {
        struct database_domain domain = {rows_get_text(s, 0), rows_get_text(s, 1),
                                         rows_get_int(s, 2),
                                         (enum domain_capture)rows_get_int(s, 3)};
        on_domain(context, &domain);
    }
    return err->kind == ERR_NONE;
}

bool database_tenants(struct database *db, database_on_tenant *on_tenant, void *context,
                      struct err *err)
{
    struct rows *s = rows_prepare(db, SQL_TENANTS_KNOWN);
    while (rows_next(db, s, err))
        on_tenant(context, rows_get_text(s, 0));
    return err->kind == ERR_NONE;
}

bool database_add_domain(struct database *db, const struct database_domain *domain, struct err *err)
{
    struct rows *s = ROWS(db, SQL_ADD_DOMAIN, TEXT(domain->name), TEXT(domain->tenant),
                          INT(domain->created_ms), INT(domain->captured));
    changes_note(&db->changes, DATABASE_DOMAIN, domain->name);
    return change(db, s, "the domain exists already", domain->name, err);
}

bool database_set_captured(struct database *db, const char *name, enum domain_capture captured,
                           struct err *err)
{
    struct rows *s = ROWS(db, SQL_SET_CAPTURED, TEXT(name), INT(captured));
    return change(db, s, "no such domain: see 'domain list'", name, err);
}

bool database_is_domain(struct database *db, const char *name, bool *is_r, struct err *err)
{
    struct rows *s = ROWS(db, SQL_CAPTURED, TEXT(name));
    *is_r = false;
    while (rows_next(db, s, err))
        *is_r = true;
    return err->kind == ERR_NONE;
}

enum domain_capture database_capture_of(struct database *db, const char *name, struct err *err)
{
    enum domain_capture captured = DOMAIN_SENDS;
    struct rows *s = ROWS(db, SQL_CAPTURED, TEXT(name));
    while (rows_next(db, s, err))
        captured = (enum domain_capture)rows_get_int(s, 0);
    return captured;
}

bool database_delete_domain(struct database *db, const char *name, struct err *err)
{
    struct rows *s = ROWS(db, SQL_DELETE_KEYS, TEXT(name));
    if (!rows_run(db, s, err))
        return false;
    s = ROWS(db, SQL_DELETE_DOMAIN, TEXT(name));
    changes_note(&db->changes, DATABASE_DOMAIN, name);
    changes_note(&db->changes, DATABASE_KEYS, name);
    return change(db, s, "no such domain: see 'domain list'", name, err);
}

bool database_keys(struct database *db, const char *domain, database_on_key *on_key, void *context,
                   struct err *err)
{
    struct rows *s = ROWS(db, SQL_KEYS, TEXT(domain));
    while (rows_next(db, s, err)) {
        struct database_key key = {
            .life = {.algorithm = rows_get_int(s, 2) == KEY_ED25519 ? KEY_ED25519 : KEY_RSA,
                     .created_ms = rows_get_int(s, 5),
                     .since_ms = rows_get_int(s, 7),
                     .seen_ms = rows_get_int(s, 8),
                     .wait_s = rows_get_int(s, 9)}};
        if (!key_state_parse(span_of(rows_get_text(s, 3)), &key.life.state))
            continue; /* of a later version */
        rows_copy_text(s, 0, key.domain, sizeof(key.domain));
        rows_copy_text(s, 1, key.life.selector, sizeof(key.life.selector));
        rows_copy_text(s, 4, key.public_key, sizeof(key.public_key));
        rows_copy_text(s, 6, key.delegated, sizeof(key.delegated));
        key.life.delegated = key.delegated[0] != '\0';
        on_key(context, &key);
    }
    return err->kind == ERR_NONE;
}

/* As an event that belongs to no message. */
static bool note_key(struct database *db, const struct database_key *key, struct err *err)
{
    char name[2 * ADDRESS_DOMAIN_MAX];
    snprintf(name, sizeof(name), "%s._domainkey.%s", key->life.selector, key->domain);
    const struct database_event event = {.at_ms = key->life.since_ms,
                                         .kind = "key",
                                         .recipient = name,
                                         .enhanced = "",
                                         .reply = key_state_name(key->life.state),
                                         .remote = ""};
    char about[2 * ADDRESS_DOMAIN_MAX + 32];
    snprintf(about, sizeof(about), "%s: %s", name, event.reply);
    return rows_event(db, &event, err) && database_audit(db, AUDIT_RELAY, event.kind, about, err);
}

bool database_add_key(struct database *db, const struct database_key *key, struct err *err)
{
    struct rows *s =
        ROWS(db, SQL_ADD_KEY, TEXT(key->domain), TEXT(key->life.selector), INT(key->life.algorithm),
             TEXT(key_state_name(key->life.state)), TEXT(key->public_key),
             INT(key->life.created_ms), TEXT(key->delegated), INT(key->life.since_ms));
    changes_note(&db->changes, DATABASE_KEYS, key->domain);
    return change(db, s, "a key of that selector exists already", key->life.selector, err) &&
           note_key(db, key, err);
}

bool database_set_key(struct database *db, const struct database_key *key, struct err *err)
{
    struct rows *s = ROWS(db, SQL_SET_KEY, TEXT(key->domain), TEXT(key->life.selector),
                          TEXT(key_state_name(key->life.state)), INT(key->life.since_ms),
                          INT(key->life.seen_ms), INT(key->life.wait_s));
    changes_note(&db->changes, DATABASE_KEYS, key->domain);
    return change(db, s, "no such key: see 'key list'", key->life.selector, err);
}

bool database_delete_key(struct database *db, const char *domain, const char *selector,
                         struct err *err)
{
    struct rows *s = ROWS(db, SQL_DELETE_KEY, TEXT(domain), TEXT(selector));
    changes_note(&db->changes, DATABASE_KEYS, domain);
    return change(db, s, "no such key: see 'key list'", selector, err);
}

/* ---- steps in a key's life ---- */

struct others {
    const struct database_key *key;
    struct database_key *found;
    size_t count;
};

static void note_other(void *context, const struct database_key *key)
{
    struct others *o = context;
    if (key->life.state != KEY_ACTIVE || key->life.algorithm != o->key->life.algorithm ||
        strcmp(key->life.selector, o->key->life.selector) == 0)
        return;
    o->found = xgrow(o->found, o->count + 1, sizeof(*o->found));
    o->found[o->count++] = *key;
}

/* Those that signed until now. */
static bool retire_others(struct database *db, const struct database_key *key, struct err *err)
{
    struct others o = {.key = key};
    bool ok = database_keys(db, key->domain, note_other, &o, err);
    for (size_t i = 0; ok && i < o.count; i++) {
        o.found[i].life.state = KEY_RETIRING;
        o.found[i].life.since_ms = key->life.since_ms;
        ok = database_key_step(db, &o.found[i], err);
    }
    free(o.found);
    return ok;
}

bool database_key_step(struct database *db, const struct database_key *key, struct err *err)
{
    return (key->life.state != KEY_ACTIVE || retire_others(db, key, err)) &&
           database_set_key(db, key, err) && note_key(db, key, err);
}
