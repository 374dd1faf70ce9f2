// SPDX-License-Identifier: BSD-2-Clause
/* tls_dane.c - DANE by OpenSSL, with the rules of SMTP (RFC 7672 section 3).
 *
 * - usages 2 and 3 only: 0 and 1 would ask the public authorities, which no two MTAs agree on
 * - usage 3 is the certificate or its key, and no name, date or chain
 * - usage 2 is an authority of the host's own: its chain, its dates, and one of the names
 * - of each usage and selector the strongest digest alone counts (RFC 7671 section 9): as OpenSSL
 *   ranks them
 *
 * Whether a record can be used OpenSSL says, which parses what it holds. Of those that hold a whole
 * certificate or key a few are parsed, and only if that is cheap (certificate_screen.h); as an
 * authority one is used only if its key costs no more than those that a server may send.
 */
#include "tls_dane.h"

#include "tls_parts.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

enum { WHOLE_CERTIFICATE = 0, BARE_KEY = 1 }; /* selectors */
enum { FULL = 0, PRIVATE_MTYPE = 255 };       /* matching types */
enum { FULL_MAX = 8, WHOLE_MAX = 4 };

/* Records that hold what others hold the digest of. */
struct full {
    size_t parsed;
    size_t authorities;
};

static bool set_names(SSL *ssl, const struct dane *dane)
{
    bool ok = SSL_set_tlsext_host_name(ssl, dane->names[0]) == 1 &&
              SSL_dane_enable(ssl, dane->names[0]) == 1;
    if (!ok)
        return false;
    SSL_dane_set_flags(ssl, DANE_FLAG_NO_DANE_EE_NAMECHECKS);
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    SSL_set_verify(ssl, SSL_VERIFY_NONE, NULL);
    for (size_t i = 1; ok && i < dane->name_count; i++)
        ok = SSL_add1_host(ssl, dane->names[i]) == 1;
    return ok;
}

/* As SSL_dane_tlsa_add() says: above 0 it is used, 0 it cannot be, below nothing is known. Of no
 * data at all it says that memory is short, and its own use of a type that is left to anybody it
 * does not know. */
static int add(SSL *ssl, const struct dane_record *r)
{
    if ((r->usage != DANE_TA && r->usage != DANE_EE) || r->mtype == PRIVATE_MTYPE ||
        r->data.len == 0)
        return 0;
    return SSL_dane_tlsa_add(ssl, r->usage, r->selector, r->mtype,
                             (const unsigned char *)r->data.ptr, r->data.len);
}

/* An authority that stands in DNS whole, and not by its digest: its key is tried on what the server
 * sends, and more than a few would cost too much. */
static bool is_authority(const struct dane_record *r)
{
    return r->usage == DANE_TA && r->mtype == FULL;
}

/* OpenSSL puts it into the chain of itself, beside what the server sends. */
static bool is_cheap(const struct dane_record *r, struct tls_names *names)
{
    const unsigned char *at = (const unsigned char *)r->data.ptr;
    long len = (long)r->data.len;
    X509 *x = r->selector == WHOLE_CERTIFICATE ? d2i_X509(NULL, &at, len) : NULL;
    EVP_PKEY *key = r->selector == BARE_KEY ? d2i_PUBKEY(NULL, &at, len) : NULL;
    bool cheap = tls_is_cheap(x ? X509_get0_pubkey(x) : key);
    if (x && cheap)
        tls_count_names(x, names);
    X509_free(x);
    EVP_PKEY_free(key);
    return cheap;
}

static bool may_be_parsed(const struct dane_record *r)
{
    return (r->selector == BARE_KEY ? certificate_screen_key(r->data)
                                    : certificate_screen(r->data)) == CERTIFICATE_FINE;
}

static int add_bounded(SSL *ssl, const struct dane_record *r, struct tls_names *names,
                       struct full *full)
{
    if (r->mtype == FULL && (!may_be_parsed(r) || full->parsed++ >= FULL_MAX))
        return 0;
    if (is_authority(r) && (full->authorities++ >= WHOLE_MAX || !is_cheap(r, names)))
        return 0;
    return add(ssl, r);
}

enum tls_dane tls_dane_set(SSL *ssl, const struct dane *dane, struct tls_names *names,
                           struct err *err)
{
    size_t usable = 0;
    struct full full = {0};
    ERR_clear_error();
    bool ok = set_names(ssl, dane);
    for (size_t i = 0; ok && i < dane->count; i++) {
        int said = add_bounded(ssl, &dane->records[i], names, &full);
        ok = said >= 0;
        usable += said > 0 ? 1 : 0;
    }
    if (!ok) {
        tls_failed(err, "making ready for DANE");
        return TLS_DANE_FAILED;
    }
    ERR_clear_error(); /* why a record cannot be used */
    return usable > 0 ? TLS_DANE_SET : TLS_DANE_UNUSABLE;
}

bool tls_dane_matched(SSL *ssl, struct tls_match *match_r)
{
    struct tls_match m = {.depth = SSL_get0_dane_authority(ssl, NULL, NULL)};
    if (m.depth < 0 || SSL_get0_dane_tlsa(ssl, &m.usage, &m.selector, &m.mtype, NULL, NULL) < 0)
        return false;
    *match_r = m;
    return true;
}
