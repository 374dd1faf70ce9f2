// SPDX-License-Identifier: BSD-2-Clause
/* signing.c - The one place that knows libopendkim.
 *
 * Happy path: begin (one library handle per key) - fields - end of header - body - finish - free.
 * What can go wrong: the library refuses a step (fault, nothing may leave) - a key of the wrong
 * kind (fault).
 *
 * Why the arena: for Ed25519 the library forgets a buffer and a key reference for every message.
 * All its memory for one copy comes from an arena that is freed whole, and key_take_back() drops
 * the forgotten reference.
 */
#include "signing.h"

#include "fields.h"
#include "message.h"

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
    size_t count;
};

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
    CHECK(dkim_options(library.signer, DKIM_OP_SETOPT, DKIM_OPTS_SIGNHDRS, names,
                       sizeof(u_char **)) == DKIM_STAT_OK);
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

bool signing_end_header(struct signing *s, struct err *err)
{
    for (size_t i = 0; i < s->count; i++) {
        DKIM_STAT status = dkim_eoh(s->handles[i]);
        if (status != DKIM_STAT_OK)
            return failed(err, s->handles[i], status, "the end of the header");
    }
    return true;
}

bool signing_body(struct signing *s, struct span chunk, struct err *err)
{
    for (size_t i = 0; i < s->count && chunk.len > 0; i++) {
        DKIM_STAT status = dkim_body(s->handles[i], (u_char *)(uintptr_t)chunk.ptr, chunk.len);
        if (status != DKIM_STAT_OK)
            return failed(err, s->handles[i], status, "the body");
    }
    return true;
}

bool signing_finish(struct signing *s, struct buf *fields, struct err *err)
{
    static const char name[] = "DKIM-Signature: ";
    for (size_t i = 0; i < s->count; i++) {
        u_char *value = NULL;
        size_t len = 0;
        key_lend(s->keys[i]);
        DKIM_STAT status = dkim_eom(s->handles[i], NULL);
        key_take_back(key_algorithm(s->keys[i]) == KEY_ED25519);
        if (status != DKIM_STAT_OK)
            return failed(err, s->handles[i], status, "the signature");
        status = dkim_getsighdr_d(s->handles[i], sizeof(name) - 1, &value, &len);
        if (status != DKIM_STAT_OK)
            return failed(err, s->handles[i], status, "writing the field");
        buf_add(fields, SPAN(name));
        buf_add(fields, (struct span){(const char *)value, len});
        buf_add(fields, SPAN("\r\n"));
    }
    return !fields->overflow || err_set(err, ERR_LIMIT, "DKIM signature is too long");
}

void signing_free(struct signing *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->count; i++)
        dkim_free(s->handles[i]);
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
