// SPDX-License-Identifier: BSD-2-Clause
/* signing.c - DKIM signing and verification; the only user of libopendkim.
 *
 * Happy path: begin (one library handle for each key) - fields - end of header - body - finish -
 * free.
 *
 * Failure modes: the library refuses a step, a key has the wrong type, or a body does not end with
 * CRLF: a fault, and the message does not leave.
 *
 * The body passes by the library: body_hash.c makes its hash, once for all keys. The linker
 * redirects two calls within the library to functions of ours (see CMakeLists.txt), which learn
 * which canonical form it wants, and give it the hash where it asks for one. Checking what arrives
 * is all the library's, so that it proves what ours has made.
 *
 * Each signature's allocations come from an arena that is freed as a whole, because for Ed25519 the
 * library leaks a buffer and a reference to the key with every message. key_take_back() drops that
 * reference.
 */
#include "signing.h"

#include "body_hash.h"
#include "fields.h"
#include "message.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <dkim.h>

struct block {
    struct block *next, *previous;
    max_align_t bytes[];
};

struct arena {
    struct block *first;
};

struct signing {
    struct arena arena;
    DKIM *handles[SIGNING_KEYS_MAX];
    const struct key *keys[SIGNING_KEYS_MAX];
    void *bodies[SIGNING_KEYS_MAX]; /* what stands for the body in each handle */
    size_t count;
    struct body_hash *body; /* NULL: its hash is known */
    unsigned char body_hash[SIGNING_BODY_HASH];
};

static_assert((int)SIGNING_BODY_HASH == (int)BODY_HASH, "both are the same");

/* What the library is doing for a signature of ours, on this thread. */
static _Thread_local struct {
    bool notes;                /* it sets up its canonical forms: the body's is looked for */
    void *body;                /* which is */
    enum body_canon canon;     /* of this kind, */
    const unsigned char *hash; /* and has this hash */
    bool asked;
} at_work;

static struct {
    pthread_once_t once;
    unsigned lifetime_s;
    DKIM_LIB *signer, *verifier;
} library = {.once = PTHREAD_ONCE_INIT, .lifetime_s = SIGNING_LIFETIME_S};

static void *arena_take(void *closure, size_t size)
{
    struct arena *arena = closure;
    struct block *block = malloc(sizeof(*block) + size);
    if (!block)
        return NULL;
    block->previous = NULL;
    block->next = arena ? arena->first : NULL;
    if (block->next)
        block->next->previous = block;
    if (arena)
        arena->first = block;
    return block->bytes;
}

static void arena_drop(void *closure, void *bytes)
{
    struct arena *arena = closure;
    if (!bytes)
        return;
    struct block *block = OWNER_OF(bytes, struct block, bytes);
    if (block->next)
        block->next->previous = block->previous;
    if (block->previous)
        block->previous->next = block->next;
    else if (arena)
        arena->first = block->next;
    free(block);
}

static void arena_fini(struct arena *arena)
{
    while (arena->first) {
        struct block *block = arena->first;
        arena->first = block->next;
        free(block);
    }
}

struct lookup {
    signing_lookup *find;
    void *context;
};

static DKIM_CBSTAT on_key_wanted(DKIM *handle, DKIM_SIGINFO *signature, u_char *record, size_t size)
{
    const struct lookup *lookup = dkim_get_user_context(handle);
    char name[512];
    snprintf(name, sizeof(name), "%s._domainkey.%s", (const char *)dkim_sig_getselector(signature),
             (const char *)dkim_sig_getdomain(signature));
    return lookup->find(lookup->context, name, (char *)record, size) ? DKIM_CBSTAT_CONTINUE
                                                                     : DKIM_CBSTAT_NOTFOUND;
}

static void close_library(void)
{
    dkim_close(library.signer);
    dkim_close(library.verifier);
}

void signing_set_lifetime(unsigned lifetime_s)
{
    library.lifetime_s = lifetime_s;
}

/* It gets only fields that are to be signed (signing_field), and signs all that it gets; a list of
 * their names would be matched with each of them, as a regular expression. */
static void open_library(void)
{
    static const char *signed_fields[FIELDS_MAX]; /* NULL ends it (S35) */
    void *names = signed_fields;
    size_t count = 0;
    for (size_t i = 0; fields_at(i); i++)
        if (fields_at(i)->fate == FIELD_SIGNED)
            signed_fields[count++] = fields_at(i)->name.ptr;
    uint64_t lifetime = library.lifetime_s;
    library.signer = dkim_init(arena_take, arena_drop);
    library.verifier = dkim_init(NULL, NULL);
    CHECK(library.signer != NULL && library.verifier != NULL);
    CHECK(dkim_options(library.signer, DKIM_OP_SETOPT, DKIM_OPTS_OVERSIGNHDRS, names,
                       sizeof(u_char **)) == DKIM_STAT_OK);
    CHECK(dkim_options(library.signer, DKIM_OP_SETOPT, DKIM_OPTS_SIGNATURETTL, &lifetime,
                       sizeof(lifetime)) == DKIM_STAT_OK);
    CHECK(dkim_set_key_lookup(library.verifier, on_key_wanted) == DKIM_STAT_OK);
    atexit(close_library);
}

static bool failed(struct err *err, DKIM *handle, DKIM_STAT status, const char *doing)
{
    const char *why = handle ? dkim_geterror(handle) : NULL;
    return err_set(err, ERR_SYSTEM, "DKIM signature failed at %s: %s", doing,
                   why ? why : dkim_getresultstr(status));
}

bool signing_begin(const char *domain, const struct signing_key *keys, size_t count,
                   struct signing **signing_r, struct err *err)
{
    static unsigned char lent_key[] = "-----BEGIN LENT KEY-----";
    pthread_once(&library.once, open_library);
    CHECK(count > 0 && count <= SIGNING_KEYS_MAX);
    struct signing *s = xcalloc(1, sizeof(*s));
    *signing_r = s;
    for (size_t i = 0; i < count; i++) {
        DKIM_STAT status = DKIM_STAT_OK;
        dkim_alg_t algorithm =
            key_algorithm(keys[i].key) == KEY_RSA ? DKIM_SIGN_RSASHA256 : DKIM_SIGN_ED25519SHA256;
        s->handles[i] =
            dkim_sign(library.signer, (const unsigned char *)"copy", &s->arena, lent_key,
                      (const unsigned char *)keys[i].selector, (const unsigned char *)domain,
                      DKIM_CANON_RELAXED, DKIM_CANON_RELAXED, algorithm, -1, &status);
        if (!s->handles[i])
            return failed(err, NULL, status, "begin");
        s->keys[i] = keys[i].key;
        s->count = i + 1;
    }
    return true;
}

bool signing_field(struct signing *s, struct span raw, struct err *err)
{
    const struct field_rule *rule = fields_find(span_first(raw, span_find(raw, ':')));
    if (!rule || rule->fate != FIELD_SIGNED)
        return true; /* of others the library only refuses what it does not understand */
    if (span_ends_nocase(raw, SPAN("\r\n")))
        raw.len -= 2;
    for (size_t i = 0; i < s->count; i++) {
        DKIM_STAT status = dkim_header(s->handles[i], (u_char *)(uintptr_t)raw.ptr, raw.len);
        if (status != DKIM_STAT_OK)
            return failed(err, s->handles[i], status, "a header field");
    }
    return true;
}

/* ---- the body ---- */

DKIM_STAT __real_dkim_add_canon(DKIM *handle, bool is_header, dkim_canon_t canon, int hash,
                                u_char *names, void *signature, ssize_t length, void **form_r);
DKIM_STAT __wrap_dkim_add_canon(DKIM *handle, bool is_header, dkim_canon_t canon, int hash,
                                u_char *names, void *signature, ssize_t length, void **form_r);
DKIM_STAT __real_dkim_canon_getfinal(void *form, u_char **hash_r, size_t *len_r);
DKIM_STAT __wrap_dkim_canon_getfinal(void *form, u_char **hash_r, size_t *len_r);

DKIM_STAT __wrap_dkim_add_canon(DKIM *handle, bool is_header, dkim_canon_t canon, int hash,
                                u_char *names, void *signature, ssize_t length, void **form_r)
{
    DKIM_STAT status =
        __real_dkim_add_canon(handle, is_header, canon, hash, names, signature, length, form_r);
    if (status == DKIM_STAT_OK && at_work.notes && !is_header && form_r) {
        at_work.body = *form_r;
        at_work.canon = canon == DKIM_CANON_SIMPLE ? BODY_SIMPLE : BODY_RELAXED;
    }
    return status;
}

DKIM_STAT __wrap_dkim_canon_getfinal(void *form, u_char **hash_r, size_t *len_r)
{
    if (!at_work.hash || form != at_work.body)
        return __real_dkim_canon_getfinal(form, hash_r, len_r);
    *hash_r = (u_char *)(uintptr_t)at_work.hash;
    *len_r = BODY_HASH;
    at_work.asked = true;
    return DKIM_STAT_OK;
}

static bool passed_by(struct err *err)
{
    return err_set(err, ERR_SYSTEM,
                   "DKIM signature failed: this libopendkim does not ask for the body's hash");
}

bool signing_end_header(struct signing *s, struct err *err)
{
    for (size_t i = 0; i < s->count; i++) {
        at_work.notes = true;
        at_work.body = NULL;
        DKIM_STAT status = dkim_eoh(s->handles[i]);
        at_work.notes = false;
        if (status != DKIM_STAT_OK)
            return failed(err, s->handles[i], status, "the end of the header");
        if (!at_work.body)
            return passed_by(err);
        s->bodies[i] = at_work.body;
    }
    s->body = body_hash_begin(at_work.canon); /* all keys are asked to sign the same */
    return true;
}

void signing_body(struct signing *s, struct span chunk)
{
    CHECK(s->body != NULL);
    body_hash_add(s->body, chunk);
}

void signing_body_known(struct signing *s, const unsigned char hash[SIGNING_BODY_HASH])
{
    body_hash_free(s->body);
    s->body = NULL;
    memcpy(s->body_hash, hash, sizeof(s->body_hash));
}

/* ---- the end ---- */

static bool end_body(struct signing *s, struct err *err)
{
    return !s->body || body_hash_end(s->body, s->body_hash) ||
           err_set(err, ERR_SYSTEM, "DKIM signature failed: CRLF at end of body missing");
}

/* The value of the field; borrowed from the library. */
static bool make_value(struct signing *s, size_t i, struct span *value_r, struct err *err)
{
    static const size_t name_len = sizeof("DKIM-Signature: ") - 1;
    u_char *value = NULL;
    size_t len = 0;
    key_lend(s->keys[i]);
    DKIM_STAT status = dkim_eom(s->handles[i], NULL);
    key_take_back(key_algorithm(s->keys[i]) == KEY_ED25519);
    if (status != DKIM_STAT_OK)
        return failed(err, s->handles[i], status, "the signature");
    status = dkim_getsighdr_d(s->handles[i], name_len, &value, &len);
    if (status != DKIM_STAT_OK)
        return failed(err, s->handles[i], status, "writing the field");
    *value_r = (struct span){(const char *)value, len};
    return true;
}

static bool add_signature(struct signing *s, size_t i, struct buf *fields, struct err *err)
{
    struct span value = SPAN_NONE;
    at_work.body = s->bodies[i];
    at_work.hash = s->body_hash;
    at_work.asked = false;
    bool ok = make_value(s, i, &value, err);
    at_work.hash = NULL;
    if (ok && !at_work.asked)
        return passed_by(err);
    if (ok) {
        buf_add(fields, SPAN("DKIM-Signature: "));
        buf_add(fields, value);
        buf_add(fields, SPAN("\r\n"));
    }
    return ok;
}

bool signing_finish(struct signing *s, struct buf *fields, struct err *err)
{
    bool ok = end_body(s, err);
    for (size_t i = 0; ok && i < s->count; i++)
        ok = add_signature(s, i, fields, err);
    return ok && (!fields->overflow || err_set(err, ERR_LIMIT, "DKIM signature is too long"));
}

void signing_body_hash(const struct signing *s, unsigned char hash_r[SIGNING_BODY_HASH])
{
    memcpy(hash_r, s->body_hash, sizeof(s->body_hash));
}

void signing_free(struct signing *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->count; i++)
        dkim_free(s->handles[i]);
    body_hash_free(s->body);
    arena_fini(&s->arena);
    free(s);
}

static DKIM_STAT feed(DKIM *handle, struct span message)
{
    size_t header_len = 0;
    struct field field;
    bool has_body = message_header_length(message, &header_len);
    struct span header = span_first(message, header_len);
    while (message_next_field(&header, &field)) {
        struct span raw = field.raw;
        if (span_ends_nocase(raw, SPAN("\r\n")))
            raw.len -= 2;
        DKIM_STAT status = dkim_header(handle, (u_char *)(uintptr_t)raw.ptr, raw.len);
        if (status != DKIM_STAT_OK)
            return status;
    }
    DKIM_STAT status = dkim_eoh(handle);
    struct span body = has_body ? span_from(message, header_len + 2) : SPAN_NONE;
    if (status == DKIM_STAT_OK && body.len > 0)
        status = dkim_body(handle, (u_char *)(uintptr_t)body.ptr, body.len);
    return status == DKIM_STAT_OK ? dkim_eom(handle, NULL) : status;
}

void signing_verify(struct span message, signing_lookup *lookup, void *context,
                    struct signing_result *result_r)
{
    pthread_once(&library.once, open_library);
    struct lookup asked = {lookup, context};
    DKIM_STAT status = DKIM_STAT_OK;
    *result_r = (struct signing_result){0};
    DKIM *handle = dkim_verify(library.verifier, (const unsigned char *)"check", NULL, &status);
    CHECK(handle != NULL);
    dkim_set_user_context(handle, &asked);
    status = feed(handle, message);
    DKIM_SIGINFO *signature = dkim_getsignature(handle);
    result_r->signature_found = signature != NULL;
    result_r->pass = status == DKIM_STAT_OK && signature != NULL;
    if (signature)
        snprintf(result_r->domain, sizeof(result_r->domain), "%s",
                 (const char *)dkim_sig_getdomain(signature));
    const char *why = dkim_geterror(handle);
    snprintf(result_r->text, sizeof(result_r->text), "%s",
             result_r->pass      ? "pass"
             : signature || !why ? dkim_getresultstr(status)
                                 : why);
    dkim_free(handle);
}
