// SPDX-License-Identifier: BSD-2-Clause
/* tls_sessions.c - Sessions of TLS that servers let us resume: one context's, in memory.
 *
 * A resumed handshake sees no certificate. So what a session has proven holds for its key alone,
 * which names the server, all that is demanded of it and, by DANE, what the records say; a session
 * whose demand was not met is not kept, nor one past its certificate's end. What a resumed
 * handshake gives proves no more than what it was resumed from: none is offered KEEP_S after the
 * last handshake that showed a certificate.
 *
 * In TLS 1.3 each is offered once (RFC 8446 appendix C.4). A server that does not finish a
 * handshake in which one was offered is offered none for KEEP_S: a whole handshake may yet go well.
 * Not for ever, as it may have been the network, or this end, that broke it.
 *
 * They are kept as DER, which has the server's certificate and not the chain that it sent, and none
 * over DER_MAX: what a server sends does not decide how much memory they take.
 */
#include "tls_sessions.h"

#include "tls_dane.h"

#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <uthash.h>

enum { SERVERS_MAX = 256, EACH_MAX = 2, KEEP_S = 3600, DER_MAX = 8 * 1024 };

struct kept {
    unsigned char *der;
    size_t length;
    int64_t seen_s;         /* when the certificate was seen */
    struct tls_match match; /* by DANE: what it was verified by */
};

struct server {
    UT_hash_handle hh;
    struct kept sessions[EACH_MAX]; /* newest last */
    unsigned count;
    time_t spoilt_until; /* none is kept; 0: it is not spoilt */
    char key[];
};

struct tls_sessions {
    pthread_mutex_t mutex;
    struct server *servers; /* hash by key; used longest ago first */
};

static void drop(struct kept *k)
{
    OPENSSL_clear_free(k->der, k->length);
    *k = (struct kept){0};
}

static void forget_sessions(struct server *s)
{
    while (s->count > 0)
        drop(&s->sessions[--s->count]);
}

static void forget(struct tls_sessions *all, struct server *s)
{
    HASH_DEL(all->servers, s);
    forget_sessions(s);
    free(s);
}

/* With the last that holds the context. */
static void on_freed(void *parent, void *sessions, CRYPTO_EX_DATA *data, int index, long argl,
                     void *argp)
{
    struct tls_sessions *all = sessions;
    (void)parent;
    (void)data;
    (void)index;
    (void)argl;
    (void)argp;
    while (all && all->servers)
        forget(all, all->servers);
    if (all)
        pthread_mutex_destroy(&all->mutex);
    free(all);
}

static int place_in_ctx;

static void find_place(void)
{
    place_in_ctx = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, on_freed);
    CHECK(place_in_ctx >= 0);
}

static struct tls_sessions *sessions_of(const struct tls *t)
{
    return SSL_CTX_get_ex_data(SSL_get_SSL_CTX(t->ssl), place_in_ctx);
}

/* ---- with the mutex held ---- */

static struct server *find(struct tls_sessions *all, const char *key)
{
    struct server *s = NULL;
    HASH_FIND_STR(all->servers, key, s);
    return s;
}

static struct server *add(struct tls_sessions *all, const char *key)
{
    struct server *s = find(all, key);
    if (s) {
        HASH_DEL(all->servers, s); /* it becomes the last one */
    } else {
        size_t size = strlen(key) + 1;
        if (HASH_COUNT(all->servers) >= SERVERS_MAX)
            forget(all, all->servers);
        s = xcalloc(1, sizeof(*s) + size);
        memcpy(s->key, key, size);
    }
    HASH_ADD_STR(all->servers, key, s);
    return s;
}

/* By the wall clock, which may be set back. */
static bool is_spoilt(const struct server *s)
{
    time_t left_s = s->spoilt_until - time(NULL);
    return left_s > 0 && left_s <= KEEP_S;
}

/* Takes over what is kept. */
static void put(struct tls_sessions *all, const char *key, struct kept k)
{
    struct server *s = add(all, key);
    if (is_spoilt(s)) {
        drop(&k);
        return;
    }
    if (s->count == EACH_MAX) {
        drop(&s->sessions[0]);
        memmove(s->sessions, s->sessions + 1, sizeof(s->sessions) - sizeof(s->sessions[0]));
        s->count--;
    }
    s->sessions[s->count++] = k;
}

/* ---- put and take ---- */

/* Does a certificate count no longer than it says itself? By DANE one of usage 3 is good as long as
 * the record is there (RFC 7672 section 3.1.1), and with that the key changes. */
static bool is_dated(const struct tls *t)
{
    return t->by == TLS_BY_DANE ? t->match.usage != DANE_EE : t->demand == TLS_VERIFIED;
}

static bool is_good(SSL_SESSION *session, int64_t seen_s, bool dated)
{
    const X509 *x = SSL_SESSION_get0_peer(session);
    int64_t age_s = (int64_t)time(NULL) - seen_s;
    return SSL_SESSION_is_resumable(session) && age_s >= 0 && age_s < KEEP_S && x &&
           (!dated || X509_cmp_current_time(X509_get0_notAfter(x)) > 0);
}

static void keep(const struct tls *t, SSL_SESSION *session)
{
    struct kept k = {.seen_s = t->seen_s};
    int length = i2d_SSL_SESSION(session, NULL);
    if (!t->session_key || !tls_met(t, &k.match) || length <= 0 || length > DER_MAX)
        return;
    length = i2d_SSL_SESSION(session, &k.der);
    if (length <= 0)
        return;
    k.length = (size_t)length;
    struct tls_sessions *all = sessions_of(t);
    pthread_mutex_lock(&all->mutex);
    put(all, t->session_key, k);
    pthread_mutex_unlock(&all->mutex);
}

/* A server has given one; in TLS 1.3 after the handshake. The reference stays OpenSSL's. */
static int on_given(SSL *ssl, SSL_SESSION *session)
{
    keep(SSL_get_app_data(ssl), session);
    return 0;
}

void tls_sessions_keep(SSL_CTX *ctx)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, find_place);
    struct tls_sessions *all = xcalloc(1, sizeof(*all));
    CHECK(pthread_mutex_init(&all->mutex, NULL) == 0);
    CHECK(SSL_CTX_set_ex_data(ctx, place_in_ctx, all) == 1);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(ctx, on_given);
}

/* TLS 1.2 gives none after it has resumed one: that is good for the next, too. */
void tls_sessions_note(struct tls *t)
{
    if (!t->session_key || SSL_version(t->ssl) >= TLS1_3_VERSION || SSL_session_reused(t->ssl) != 1)
        return;
    keep(t, SSL_get0_session(t->ssl));
}

bool tls_sessions_offer(struct tls *t)
{
    struct tls_sessions *all = sessions_of(t);
    struct kept k = {0};
    pthread_mutex_lock(&all->mutex);
    struct server *s = find(all, t->session_key);
    if (s && s->count > 0)
        k = s->sessions[--s->count];
    pthread_mutex_unlock(&all->mutex);
    const unsigned char *der = k.der;
    SSL_SESSION *session = der ? d2i_SSL_SESSION(NULL, &der, (long)k.length) : NULL;
    t->seen_s = session ? k.seen_s : t->seen_s;
    t->match = k.match;
    drop(&k);
    bool offered = session && is_good(session, t->seen_s, is_dated(t)) &&
                   SSL_set_session(t->ssl, session) == 1;
    SSL_SESSION_free(session);
    return offered;
}

void tls_sessions_spoil(struct tls *t)
{
    struct tls_sessions *all = sessions_of(t);
    pthread_mutex_lock(&all->mutex);
    struct server *s = add(all, t->session_key);
    s->spoilt_until = time(NULL) + KEEP_S;
    forget_sessions(s);
    pthread_mutex_unlock(&all->mutex);
}
