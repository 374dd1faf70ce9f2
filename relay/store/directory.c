// SPDX-License-Identifier: BSD-2-Clause
/* directory.c - Two tables, by name: credentials and domains. A credential is linked to each domain
 * that its rules name in full, so that the removal of one finds those that it ends.
 *
 *   rules of a credential ── link ──▶ domain ── its keys' rows
 *                        ◀── link ──
 *
 * Invariants:
 *   1. A credential in the table is not over; one that is over is in no table and has no secret.
 *   2. A domain is in the table while it is a sending domain, has a key, or is named by a rule.
 *   3. Secrets are read and written with the lock only.
 */
#include "directory.h"

#include "db.h"
#include "directory_parts.h"
#include "macs.h"
#include "secret.h"
#include "secret_memory.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>
#include <utlist.h>

enum { LOGIN_KEY = 32, LOGIN_MS = 3600 * 1000 };

struct link {
    struct credential *credential;
    struct domain *domain;
    struct link *prev, *next; /* of the same domain */
    struct link *more;        /* of the same credential */
};

/* The last one with a chosen password, which was hashed then. */
struct login {
    unsigned char mac[16];
    int64_t at_ms;
};

struct credential {
    atomic_uint holders;
    atomic_bool over;
    bool disabled;
    char *secret; /* hash and keys for SCRAM, each ended by a zero */
    size_t secret_size;
    struct login *login;                             /* NULL: none is remembered */
    const char *tenant, *stream, *streams, *allowed; /* behind the name */
    struct link *links;
    UT_hash_handle hh;
    char name[];
};

struct key_row {
    struct rotation_key life;
    char *public_key, *delegated;
};

struct domain {
    bool ours;
    struct key_row *keys;
    size_t key_count;
    struct link *named_by;
    UT_hash_handle hh;
    char name[];
};

struct directory {
    pthread_rwlock_t lock;
    struct credential *credentials;
    struct domain *domains;
    struct secret_memory secrets;
    unsigned char *login_key;     /* LOGIN_KEY bytes among the secrets: of the digests in logins */
    unsigned char nobody_key[32]; /* what the salts of unknown names are made with */
};

/* ---- domains ---- */

static struct domain *find_domain(const struct directory *d, const char *name)
{
    struct domain *found = NULL;
    HASH_FIND_STR(d->domains, name, found);
    return found;
}

static struct domain *need_domain(struct directory *d, const char *name)
{
    struct domain *found = find_domain(d, name);
    if (found)
        return found;
    size_t len = strlen(name);
    found = xcalloc(1, sizeof(*found) + len + 1);
    memcpy(found->name, name, len);
    HASH_ADD_KEYPTR(hh, d->domains, found->name, len, found);
    return found;
}

static void forget_keys(struct domain *to)
{
    for (size_t i = 0; i < to->key_count; i++) {
        free(to->keys[i].public_key);
        free(to->keys[i].delegated);
    }
    free(to->keys);
    to->keys = NULL;
    to->key_count = 0;
}

static void forget_if_unused(struct directory *d, struct domain *of)
{
    if (of->ours || of->key_count > 0 || of->named_by)
        return;
    HASH_DEL(d->domains, of);
    forget_keys(of);
    free(of);
}

static void add_key(struct domain *to, const struct database_key *key)
{
    to->keys = xgrow(to->keys, to->key_count + 1, sizeof(*to->keys));
    to->keys[to->key_count++] =
        (struct key_row){key->life, xstrdup(key->public_key), xstrdup(key->delegated)};
}

/* ---- credentials ---- */

static void link_domain(struct directory *d, struct credential *c, const char *name)
{
    struct link *link = xcalloc(1, sizeof(*link));
    link->credential = c;
    link->domain = need_domain(d, name);
    link->more = c->links;
    c->links = link;
    DL_APPEND(link->domain->named_by, link);
}

/* Those that its rules name in full, themselves or by an address. */
static void link_all(struct directory *d, struct credential *c)
{
    struct span rules = span_of(c->allowed);
    while (rules.len > 0) {
        struct span rule = span_take(&rules, ' ');
        struct address address;
        char domain[ADDRESS_DOMAIN_MAX + 1];
        if (address_parse(rule, &address))
            rule = address.domain;
        if (address_domain_ascii(rule, domain))
            link_domain(d, c, domain);
    }
}

static void unlink_all(struct directory *d, struct credential *c)
{
    while (c->links) {
        struct link *link = c->links;
        c->links = link->more;
        DL_DELETE(link->domain->named_by, link);
        forget_if_unused(d, link->domain);
        free(link);
    }
}

static const char *append(char **at, const char *text)
{
    char *begin = *at;
    size_t size = strlen(text) + 1;
    memcpy(begin, text, size);
    *at += size;
    return begin;
}

static struct credential *make(const char *name, const char *const rest[4])
{
    size_t size = strlen(name) + 1;
    for (size_t i = 0; i < 4; i++)
        size += strlen(rest[i]) + 1;
    struct credential *c = xcalloc(1, sizeof(*c) + size);
    char *at = c->name;
    atomic_store(&c->holders, 1);
    append(&at, name);
    c->tenant = append(&at, rest[0]);
    c->stream = append(&at, rest[1]);
    c->streams = append(&at, rest[2]);
    c->allowed = append(&at, rest[3]);
    return c;
}

static void take_out(struct directory *d, struct credential *c)
{
    HASH_DEL(d->credentials, c);
    if (c->secret)
        secret_memory_give(&d->secrets, c->secret, c->secret_size);
    c->secret = NULL;
    if (c->login)
        secret_memory_give(&d->secrets, c->login, sizeof(*c->login));
    c->login = NULL;
    atomic_store(&c->over, true);
    credential_drop(c);
}

static void put_in(struct directory *d, struct credential *c)
{
    HASH_ADD_KEYPTR(hh, d->credentials, c->name, strlen(c->name), c);
}

static void add(struct directory *d, const struct database_user *u)
{
    const struct identity *i = &u->identity;
    const char *const rest[4] = {i->tenant, i->stream, i->streams, i->allowed};
    struct credential *c = make(i->name, rest);
    c->disabled = u->disabled;
    c->secret_size = strlen(u->hash) + strlen(u->scram) + 2;
    c->secret = secret_memory_take(&d->secrets, c->secret_size);
    char *at = c->secret;
    append(&at, u->hash);
    append(&at, u->scram);
    link_all(d, c);
    put_in(d, c);
}

/* The same once more: who holds the old one has to come again. Its links stay in their lists. */
static void renew(struct directory *d, struct credential *c)
{
    const char *const rest[4] = {c->tenant, c->stream, c->streams, c->allowed};
    struct credential *fresh = make(c->name, rest);
    fresh->disabled = c->disabled;
    fresh->secret = c->secret;
    fresh->secret_size = c->secret_size;
    fresh->links = c->links;
    for (struct link *link = fresh->links; link; link = link->more)
        link->credential = fresh;
    c->secret = NULL;
    c->links = NULL;
    take_out(d, c);
    put_in(d, fresh);
}

/* With the lock, or on the store's thread. */
static void expand(const struct credential *c, struct database_user *u)
{
    *u = (struct database_user){.disabled = c->disabled};
    struct identity *i = &u->identity;
    const char *scram = c->secret + strlen(c->secret) + 1;
    (void)(span_copy(span_of(c->name), i->name, sizeof(i->name)) &&
           span_copy(span_of(c->tenant), i->tenant, sizeof(i->tenant)) &&
           span_copy(span_of(c->stream), i->stream, sizeof(i->stream)) &&
           span_copy(span_of(c->streams), i->streams, sizeof(i->streams)) &&
           span_copy(span_of(c->allowed), i->allowed, sizeof(i->allowed)) &&
           span_copy(span_of(c->secret), u->hash, sizeof(u->hash)) &&
           span_copy(span_of(scram), u->scram, sizeof(u->scram)));
}

bool credential_equals(const struct credential *c, const struct database_user *u)
{
    const struct identity *i = &u->identity;
    return c->disabled == u->disabled && strcmp(c->tenant, i->tenant) == 0 &&
           strcmp(c->stream, i->stream) == 0 && strcmp(c->streams, i->streams) == 0 &&
           strcmp(c->allowed, i->allowed) == 0 && strcmp(c->secret, u->hash) == 0 &&
           strcmp(c->secret + strlen(c->secret) + 1, u->scram) == 0;
}

/* ---- what has been committed ---- */

static struct credential *find(const struct directory *d, struct span name)
{
    struct credential *found = NULL;
    HASH_FIND(hh, d->credentials, name.ptr, name.len, found);
    return found;
}

static void follow_credential(struct directory *d, const struct change *change)
{
    struct credential *c = find(d, span_of(change->name));
    if (c && change->exists && credential_equals(c, change->user))
        return;
    if (c) {
        unlink_all(d, c);
        take_out(d, c);
    }
    if (change->exists)
        add(d, change->user);
}

static void follow_domain(struct directory *d, const struct change *change)
{
    struct domain *of = need_domain(d, change->name);
    const struct link *link;
    bool removed = of->ours && !change->exists;
    of->ours = change->exists;
    DL_FOREACH (removed ? of->named_by : NULL, link)
        renew(d, link->credential);
    forget_if_unused(d, of);
}

static void follow_keys(struct directory *d, const struct change *change)
{
    struct domain *of = need_domain(d, change->name);
    forget_keys(of);
    for (size_t i = 0; i < change->key_count; i++)
        add_key(of, &change->keys[i]);
    forget_if_unused(d, of);
}

void directory_follow(struct directory *d, const struct changes *changes)
{
    static void (*const follow[])(struct directory *, const struct change *) = {
        [DATABASE_CREDENTIAL] = follow_credential,
        [DATABASE_DOMAIN] = follow_domain,
        [DATABASE_KEYS] = follow_keys};
    if (changes->count == 0)
        return;
    pthread_rwlock_wrlock(&d->lock);
    for (size_t i = 0; i < changes->count; i++)
        follow[changes->items[i]->what](d, changes->items[i]);
    pthread_rwlock_unlock(&d->lock);
}

/* ---- begin and end ---- */

static void load_credential(void *context, const struct database_user *user)
{
    add(context, user);
}

static void load_domain(void *context, const struct database_domain *domain)
{
    need_domain(context, domain->name)->ours = true;
}

static void load_key(void *context, const struct database_key *key)
{
    add_key(need_domain(context, key->domain), key);
}

bool directory_open(struct database *db, struct directory **directory_r, struct err *err)
{
    struct directory *d = xcalloc(1, sizeof(*d));
    pthread_rwlockattr_t writers_first; /* else many logins keep the store's answers waiting */
    pthread_rwlockattr_init(&writers_first);
    pthread_rwlockattr_setkind_np(&writers_first, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(&d->lock, &writers_first);
    pthread_rwlockattr_destroy(&writers_first);
    if (!macs_prepare(db, err) || !database_domains(db, load_domain, d, err) ||
        !database_keys(db, NULL, load_key, d, err) ||
        !database_credentials(db, load_credential, d, err)) {
        directory_free(d);
        return false;
    }
    d->login_key = secret_memory_take(&d->secrets, LOGIN_KEY);
    secret_random(d->login_key, LOGIN_KEY);
    memcpy(d->nobody_key, db->rate_key, sizeof(d->nobody_key));
    *directory_r = d;
    return true;
}

void directory_free(struct directory *d)
{
    if (!d)
        return;
    while (d->credentials) {
        struct credential *c = d->credentials;
        unlink_all(d, c);
        take_out(d, c);
    }
    while (d->domains) {
        struct domain *of = d->domains;
        forget_keys(of);
        of->ours = false;
        forget_if_unused(d, of);
    }
    secret_memory_fini(&d->secrets);
    secret_clear(d->nobody_key, sizeof(d->nobody_key));
    pthread_rwlock_destroy(&d->lock);
    free(d);
}

/* ---- from any thread ---- */

struct credential *directory_find(struct directory *d, struct span name,
                                  struct database_user *user_r)
{
    pthread_rwlock_rdlock(&d->lock);
    struct credential *c = find(d, name);
    if (c) {
        credential_hold(c);
        expand(c, user_r);
    }
    pthread_rwlock_unlock(&d->lock);
    return c;
}

struct credential *credential_hold(struct credential *c)
{
    unsigned before = atomic_fetch_add(&c->holders, 1);
    CHECK(before > 0);
    return c;
}

void credential_drop(struct credential *c)
{
    if (c && atomic_fetch_sub(&c->holders, 1) == 1)
        free(c);
}

bool credential_is_over(const struct credential *c)
{
    return atomic_load(&c->over);
}

static void login_mac(const struct directory *d, struct span secret, unsigned char mac_r[16])
{
    secret_mac((struct span){(const char *)d->login_key, LOGIN_KEY}, secret, mac_r);
}

void directory_remember(struct directory *d, struct credential *c, struct span secret,
                        int64_t now_ms)
{
    struct login login = {.at_ms = now_ms};
    login_mac(d, secret, login.mac);
    pthread_rwlock_wrlock(&d->lock);
    if (!atomic_load(&c->over)) {
        if (!c->login)
            c->login = secret_memory_take(&d->secrets, sizeof(*c->login));
        *c->login = login;
    }
    pthread_rwlock_unlock(&d->lock);
    secret_clear(&login, sizeof(login));
}

bool directory_remembers(struct directory *d, const struct credential *c, struct span secret,
                         int64_t now_ms)
{
    struct login login = {0};
    unsigned char mac[16];
    pthread_rwlock_rdlock(&d->lock);
    bool found = c->login && now_ms - c->login->at_ms < LOGIN_MS;
    if (found)
        login = *c->login;
    pthread_rwlock_unlock(&d->lock);
    if (!found)
        return false;
    login_mac(d, secret, mac);
    bool same = secret_same(mac, login.mac, sizeof(mac));
    secret_clear(&login, sizeof(login));
    secret_clear(mac, sizeof(mac));
    return same;
}

void directory_scram(struct directory *d, struct span name, char keys_r[SCRAM_KEYS_TEXT])
{
    struct database_user user = {0};
    unsigned char mac[16];
    struct buf text;
    struct credential *c = directory_find(d, name, &user);
    credential_drop(c);
    memcpy(keys_r, user.scram, sizeof(user.scram));
    secret_clear(&user, sizeof(user));
    if (keys_r[0])
        return;
    buf_init(&text, 2048);
    buf_addf(&text, "scram\n%.*s", SPAN_ARG(span_first(name, 1024)));
    secret_mac((struct span){(const char *)d->nobody_key, sizeof(d->nobody_key)}, buf_span(&text),
               mac);
    buf_fini(&text);
    scram_keys_nobody((struct span){(const char *)mac, sizeof(mac)}, keys_r);
    secret_clear(mac, sizeof(mac));
}

bool directory_knows(struct directory *d, const char *name)
{
    pthread_rwlock_rdlock(&d->lock);
    const struct domain *of = find_domain(d, name);
    bool knows = of && (of->ours || of->key_count > 0);
    pthread_rwlock_unlock(&d->lock);
    return knows;
}

static void tell_keys(const struct domain *of, database_on_key *on_key, void *context)
{
    for (size_t i = 0; i < of->key_count; i++) {
        struct database_key key = {.life = of->keys[i].life};
        snprintf(key.domain, sizeof(key.domain), "%s", of->name);
        snprintf(key.public_key, sizeof(key.public_key), "%s", of->keys[i].public_key);
        snprintf(key.delegated, sizeof(key.delegated), "%s", of->keys[i].delegated);
        on_key(context, &key);
    }
}

void directory_keys(struct directory *d, const char *domain, database_on_key *on_key, void *context)
{
    pthread_rwlock_rdlock(&d->lock);
    for (const struct domain *of = domain ? find_domain(d, domain) : d->domains; of;
         of = domain ? NULL : of->hh.next)
        tell_keys(of, on_key, context);
    pthread_rwlock_unlock(&d->lock);
}
