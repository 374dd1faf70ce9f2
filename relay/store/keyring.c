// SPDX-License-Identifier: BSD-2-Clause
/* keyring.c - One entry per domain that has been signed for.
 *
 *   (none) ── keyring_load ──▶ ready ── keyring_refresh ──▶ stale ── keyring_load ──▶ ready
 *       └──── keyring_load ──▶ faulty, until the next load or refresh
 *
 * Only keyring_load() reads files. What is stale still signs what is on its way, and is loaded anew
 * before anything else is accepted or begun. An entry that is replaced while its keys are on loan,
 * as another thread is signing with them, is freed when they come back.
 */
#include "keyring.h"

#include "log.h"
#include "sandbox.h"
#include "secret.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uthash.h>

enum { SECRET_MAX = 16 * 1024 }; /* of a key's file */

struct keyring_entry {
    char domain[ADDRESS_DOMAIN_MAX + 1];
    struct signing_key keys[SIGNING_KEYS_MAX];
    struct key *owned[SIGNING_KEYS_MAX];
    size_t count;
    unsigned loans;
    bool stale;
    bool out;         /* of the table */
    struct err fault; /* of the last load; ERR_NONE: the keys are there */
    UT_hash_handle hh;
};

struct keyring {
    char *state_dir;
    struct directory *directory;
    pthread_mutex_t loading; /* one at a time reads files; taken before `mutex` */
    pthread_mutex_t mutex;   /* guards what follows */
    struct keyring_entry *entries;
    uint64_t refreshed; /* that often */
};

struct keyring *keyring_new(const char *state_dir, struct directory *directory)
{
    struct keyring *k = xcalloc(1, sizeof(*k));
    k->state_dir = xstrdup(state_dir);
    k->directory = directory;
    pthread_mutex_init(&k->loading, NULL);
    pthread_mutex_init(&k->mutex, NULL);
    return k;
}

static void free_entry(struct keyring_entry *e)
{
    for (size_t i = 0; i < e->count; i++)
        key_free(e->owned[i]);
    free(e);
}

/* With the mutex held. */
static void take_out(struct keyring *k, struct keyring_entry *e)
{
    HASH_DEL(k->entries, e);
    e->out = true;
    if (e->loans == 0)
        free_entry(e);
}

static struct keyring_entry *find(const struct keyring *k, const char *domain)
{
    struct keyring_entry *e = NULL;
    HASH_FIND_STR(k->entries, domain, e);
    return e;
}

struct tally {
    size_t keys, pending, active;
};

static void tally_key(void *context, const struct database_key *key)
{
    struct tally *t = context;
    t->keys++;
    t->pending += key->life.state == KEY_PENDING;
    t->active += key->life.state == KEY_ACTIVE;
}

static struct tally tally(const struct keyring *k, const char *domain)
{
    struct tally t = {0};
    directory_keys(k->directory, domain, tally_key, &t);
    return t;
}

void keyring_refresh(struct keyring *k, const char *domain)
{
    bool has_none = domain && tally(k, domain).active == 0;
    pthread_mutex_lock(&k->mutex);
    k->refreshed++;
    struct keyring_entry *one = domain ? find(k, domain) : NULL;
    if (one && has_none) /* nobody would load it, and its keys would stay in memory */
        take_out(k, one);
    else if (one)
        one->stale = true;
    for (struct keyring_entry *e = domain ? NULL : k->entries; e; e = e->hh.next)
        e->stale = true;
    pthread_mutex_unlock(&k->mutex);
}

void keyring_free(struct keyring *k)
{
    if (!k)
        return;
    while (k->entries)
        take_out(k, k->entries);
    pthread_mutex_destroy(&k->mutex);
    pthread_mutex_destroy(&k->loading);
    free(k->state_dir);
    free(k);
}

void keyring_path(const char *state_dir, const char *domain, const char *selector, char *path_r)
{
    snprintf(path_r, 4096, "%s/keys/%s.%s.pem", state_dir, domain, selector);
}

bool keyring_has_file(const char *state_dir, const char *domain, const char *selector)
{
    char path[4096];
    struct stat about;
    keyring_path(state_dir, domain, selector, path);
    return lstat(path, &about) == 0;
}

bool keyring_set_aside(const char *state_dir, const char *domain, const char *selector,
                       int64_t now_ms, struct err *err)
{
    char path[4096];
    char aside[4128];
    keyring_path(state_dir, domain, selector, path);
    snprintf(aside, sizeof(aside), "%s.%lld", path, (long long)now_ms);
    sandbox_as_owner(state_dir);
    bool ok = rename(path, aside) == 0 ||
              err_set(err, ERR_SYSTEM, "renaming %s: %s", path, strerror(errno));
    sandbox_as_self();
    return ok;
}

/* Over what is there: the selector was free. */
static bool write_key(const char *path, struct span pem, struct err *err)
{
    unlink(path);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_set(err, ERR_SYSTEM, "writing %s: %s", path, strerror(errno));
    bool ok = write(fd, pem.ptr, pem.len) == (ssize_t)pem.len && fsync(fd) == 0;
    ok = close(fd) == 0 && ok;
    return ok || err_set(err, ERR_SYSTEM, "writing %s: %s", path, strerror(errno));
}

bool keyring_make(const char *state_dir, const char *domain, const char *selector,
                  enum key_algorithm algorithm, unsigned rsa_bits, struct buf *public_key,
                  struct err *err)
{
    char path[4096];
    struct buf pem;
    struct key *key = NULL;
    keyring_path(state_dir, domain, selector, path);
    buf_init(&pem, 16 * 1024);
    bool ok = key_generate(algorithm, rsa_bits, &pem, err) && key_read(buf_span(&pem), &key, err) &&
              key_public(key, public_key, err);
    sandbox_as_owner(state_dir);
    ok = ok && write_key(path, buf_span(&pem), err);
    sandbox_as_self();
    key_free(key);
    if (pem.memory)
        secret_clear(pem.memory, pem.size);
    buf_fini(&pem);
    return ok;
}

static void note_key(void *context, const struct database_key *key)
{
    struct keyring_entry *e = context;
    if (key->life.state == KEY_ACTIVE && e->count < SIGNING_KEYS_MAX) {
        struct signing_key *to = &e->keys[e->count++];
        snprintf(to->selector, sizeof(to->selector), "%s", key->life.selector);
    }
}

/* A file that others can read holds no secret any more. `hint`: what to do when it is not there. */
static bool read_secret(const char *path, const char *hint, char text_r[SECRET_MAX],
                        struct span *text, struct err *err)
{
    struct stat about = {0};
    FILE *f = fopen(path, "re");
    if (!f)
        return err_set(err, ERR_SYSTEM, "key file %s cannot be opened%s", path, hint);
    if (fstat(fileno(f), &about) != 0 || !S_ISREG(about.st_mode) || (about.st_mode & 077) != 0) {
        fclose(f);
        return err_set(err, ERR_SYSTEM,
                       "key file %s can be read by others than its owner: chmod 600 it, and make "
                       "a new key if somebody may have read this one",
                       path);
    }
    setvbuf(f, NULL, _IONBF, 0); /* no copy of it in a buffer that nobody wipes */
    *text = (struct span){text_r, fread(text_r, 1, SECRET_MAX, f)};
    fclose(f);
    return true;
}

static bool read_key(const char *path, struct key **key_r, struct err *err)
{
    char pem[SECRET_MAX];
    struct span text = SPAN_NONE;
    if (!read_secret(path, "", pem, &text, err))
        return false;
    bool ok = key_read(text, key_r, err) || err_wrap(err, "key file %s", path);
    secret_clear(pem, sizeof(pem));
    return ok;
}

static bool look_at_key(const char *path, struct err *err)
{
    char pem[SECRET_MAX];
    struct span text = SPAN_NONE;
    if (!read_secret(path, "", pem, &text, err))
        return false;
    bool ok = key_looks_right(text);
    secret_clear(pem, sizeof(pem));
    return ok || err_set(err, ERR_SYSTEM, "key file %s holds no private key in PEM", path);
}

static void tell_missing(void *context, const struct database_key *key)
{
    const struct keyring *k = context;
    char path[4096];
    keyring_path(k->state_dir, key->domain, key->life.selector, path);
    if (key->life.state == KEY_ACTIVE && access(path, F_OK) != 0)
        log_end(
            log_text(log_text(log_text(log_begin(LOG_ERROR, "key_missing"), "domain", key->domain),
                              "file", path),
                     "reply", strerror(errno)));
}

void keyring_tell_missing(struct keyring *k)
{
    directory_keys(k->directory, NULL, tell_missing, k);
}

struct check {
    const char *state_dir;
    bool decodes;
    keyring_on_key *on_key;
    void *context;
};

static void check_key(void *context, const struct database_key *key)
{
    const struct check *check = context;
    struct key *read = NULL;
    struct err err = {0};
    char path[4096];
    if (key->life.state != KEY_ACTIVE)
        return;
    keyring_path(check->state_dir, key->domain, key->life.selector, path);
    bool ok = check->decodes ? read_key(path, &read, &err) : look_at_key(path, &err);
    check->on_key(check->context, key, ok ? NULL : err.text);
    key_free(read);
}

static bool check_keys(const char *state_dir, struct database *db, bool decodes,
                       keyring_on_key *on_key, void *context, struct err *err)
{
    struct check check = {state_dir, decodes, on_key, context};
    return database_keys(db, NULL, check_key, &check, err);
}

bool keyring_look(const char *state_dir, struct database *db, keyring_on_key *on_key, void *context,
                  struct err *err)
{
    return check_keys(state_dir, db, false, on_key, context, err);
}

bool keyring_check_store(const char *state_dir, keyring_on_key *on_key, void *context,
                         struct err *err)
{
    struct database *db = NULL;
    if (!database_open(state_dir, DATABASE_READ, &db, err)) {
        err->kind = ERR_NONE;
        return true;
    }
    bool ok = check_keys(state_dir, db, true, on_key, context, err);
    database_close(db);
    return ok;
}

bool keyring_unsubscribe(const char *state_dir, struct unsubscribe_keys *keys_r, struct err *err)
{
    char path[4096];
    char kept[SECRET_MAX];
    struct span text = SPAN_NONE;
    snprintf(path, sizeof(path), "%s/keys/unsubscribe.key", state_dir);
    if (!read_secret(path, ": 'sealpost unsubscribe rotate' makes one", kept, &text, err))
        return false;
    bool ok = unsubscribe_keys_read(text, keys_r, err) || err_wrap(err, "key file %s", path);
    secret_clear(kept, sizeof(kept));
    return ok;
}

static bool read_keys(const struct keyring *k, struct keyring_entry *e, struct err *err)
{
    directory_keys(k->directory, e->domain, note_key, e);
    size_t count = e->count;
    for (e->count = 0; e->count < count; e->count++) {
        char path[4096];
        keyring_path(k->state_dir, e->domain, e->keys[e->count].selector, path);
        if (!read_key(path, &e->owned[e->count], err))
            return false;
        e->keys[e->count].key = e->owned[e->count];
    }
    return true;
}

static bool is_loaded(const struct keyring_entry *e)
{
    return e && !e->stale && e->fault.kind == ERR_NONE;
}

/* A domain without a key that signs has no entry. */
static void replace(struct keyring *k, struct keyring_entry *fresh, uint64_t refreshed)
{
    pthread_mutex_lock(&k->mutex);
    struct keyring_entry *before = find(k, fresh->domain);
    if (before)
        take_out(k, before);
    fresh->stale = k->refreshed != refreshed; /* perhaps it was read before that change */
    if (fresh->count > 0 || fresh->fault.kind != ERR_NONE)
        HASH_ADD_STR(k->entries, domain, fresh);
    else
        free_entry(fresh);
    pthread_mutex_unlock(&k->mutex);
}

void keyring_load(struct keyring *k, const char *domain)
{
    pthread_mutex_lock(&k->loading);
    pthread_mutex_lock(&k->mutex);
    bool loaded = is_loaded(find(k, domain)); /* what is asked for by many is read once */
    uint64_t refreshed = k->refreshed;
    pthread_mutex_unlock(&k->mutex);
    if (!loaded) {
        struct keyring_entry *fresh = xcalloc(1, sizeof(*fresh));
        struct err err = {0};
        snprintf(fresh->domain, sizeof(fresh->domain), "%s", domain);
        if (!read_keys(k, fresh, &err))
            fresh->fault = err;
        replace(k, fresh, refreshed);
    }
    pthread_mutex_unlock(&k->loading);
}

bool keyring_is_ready(struct keyring *k, const char *domain)
{
    pthread_mutex_lock(&k->mutex);
    const struct keyring_entry *e = find(k, domain);
    bool loaded = is_loaded(e);
    pthread_mutex_unlock(&k->mutex);
    return loaded || (!e && tally(k, domain).active == 0);
}

static bool lend(struct keyring_entry *e, struct keyring_loan *loan_r, struct err *err)
{
    *err = e->fault;
    if (err->kind != ERR_NONE)
        return false;
    memcpy(loan_r->keys, e->keys, sizeof(e->keys));
    loan_r->count = e->count;
    loan_r->entry = e;
    e->loans++;
    return true;
}

bool keyring_find(struct keyring *k, const char *domain, struct keyring_loan *loan_r,
                  struct err *err)
{
    pthread_mutex_lock(&k->mutex);
    struct keyring_entry *e = find(k, domain);
    bool lent = e && lend(e, loan_r, err);
    pthread_mutex_unlock(&k->mutex);
    if (!e && tally(k, domain).active == 0)
        (void)err_set(err, ERR_NOT_FOUND, "domain %s has no DKIM key: run 'sealpost domain add %s'",
                      domain, domain);
    else if (!e)
        (void)err_set(err, ERR_SYSTEM, "keys of domain %s are being read", domain);
    return lent;
}

void keyring_return(struct keyring *k, struct keyring_loan *loan)
{
    struct keyring_entry *e = loan->entry;
    pthread_mutex_lock(&k->mutex);
    if (--e->loans == 0 && e->out)
        free_entry(e);
    pthread_mutex_unlock(&k->mutex);
    *loan = (struct keyring_loan){0};
}

/* ---- before mail is accepted ---- */

static struct verdict unsigned_verdict(const struct keyring *k, const char *domain)
{
    struct tally t = tally(k, domain);
    if (t.keys == 0)
        return verdict_make(550, "5.7.20",
                            "No DKIM key for %.200s: run \"sealpost domain add %.200s\"", domain,
                            domain);
    if (t.pending > 0)
        return verdict_make(550, "5.7.20",
                            "The DKIM key of %.200s does not sign yet: run \"sealpost key list\"",
                            domain);
    return verdict_make(550, "5.7.20",
                        "The DKIM keys of %.200s are retired: run \"sealpost key rotate %.200s\"",
                        domain, domain);
}

struct verdict keyring_verdict(struct keyring *k, const char *domain)
{
    struct keyring_loan loan;
    struct err err = {0};
    if (keyring_find(k, domain, &loan, &err)) {
        keyring_return(k, &loan);
        return verdict_make(250, "2.0.0", "OK");
    }
    if (err.kind == ERR_NOT_FOUND)
        return unsigned_verdict(k, domain);
    log_event(LOG_ERROR, "key_unreadable", "reply", err.text);
    return verdict_make(451, "4.3.5",
                        "The DKIM key of %.200s cannot be read: the relay's log says why", domain);
}
