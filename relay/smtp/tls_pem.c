// SPDX-License-Identifier: BSD-2-Clause
/* tls_pem.c - Loads PEM text into an OpenSSL context, with error messages of its own, as those of
 * OpenSSL ("PEM lib", "no start line") do not say what to do. */
#include "tls_pem.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

static const char plainly[] = ": give it without a passphrase";

int tls_pem_no_passphrase(char *text, int size, int writing, void *asked)
{
    (void)text;
    (void)size;
    (void)writing;
    *(bool *)asked = true;
    return -1;
}

/* The last reason on OpenSSL's queue that says more than where it was seen. */
static const char *reason(void)
{
    const char *best = "unknown reason";
    unsigned long code = 0;
    while ((code = ERR_get_error()))
        if (!ERR_SYSTEM_ERROR(code) && ERR_GET_REASON(code) < ERR_R_FATAL &&
            ERR_reason_error_string(code))
            best = ERR_reason_error_string(code);
    return best;
}

static bool is_end(void)
{
    unsigned long code = ERR_peek_last_error();
    return ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE;
}

/* The certificates behind the first; the end of the text is where no other begins. */
static bool use_chain(SSL_CTX *ctx, BIO *bio, const char *file, struct err *err)
{
    bool asked = false;
    X509 *x = NULL;
    SSL_CTX_clear_chain_certs(ctx);
    while ((x = PEM_read_bio_X509(bio, NULL, tls_pem_no_passphrase, &asked)))
        if (SSL_CTX_add0_chain_cert(ctx, x) != 1) {
            X509_free(x);
            return err_set(err, ERR_TLS, "%s: a certificate of the chain cannot be used: %s", file,
                           reason());
        }
    if (asked)
        return err_set(err, ERR_TLS, "%s: a certificate of the chain is encrypted%s", file,
                       plainly);
    bool ok = is_end();
    return ok ? (ERR_clear_error(), true)
              : err_set(err, ERR_TLS, "%s: a certificate of the chain is damaged: %s", file,
                        reason());
}

static bool use_certificate(SSL_CTX *ctx, const char *file, struct span text, struct err *err)
{
    BIO *bio = BIO_new_mem_buf(text.ptr ? text.ptr : "", (int)text.len);
    bool asked = false;
    X509 *x = PEM_read_bio_X509_AUX(bio, NULL, tls_pem_no_passphrase, &asked);
    bool ok = x != NULL;
    if (!ok && asked)
        err_set(err, ERR_TLS, "%s: the certificate is encrypted%s", file, plainly);
    else if (!ok && is_end())
        err_set(err, ERR_TLS, "%s: it holds no certificate in PEM format", file);
    else if (!ok)
        err_set(err, ERR_TLS, "%s: the certificate is damaged: %s", file, reason());
    else if (SSL_CTX_use_certificate(ctx, x) != 1)
        ok = err_set(err, ERR_TLS, "%s: the certificate cannot be used: %s", file, reason());
    ok = ok && use_chain(ctx, bio, file, err);
    X509_free(x);
    BIO_free(bio);
    return ok;
}

static bool use_key(SSL_CTX *ctx, const struct tls_certificate *names, struct span text,
                    struct err *err)
{
    bool asked = false;
    BIO *bio = BIO_new_mem_buf(text.ptr ? text.ptr : "", (int)text.len);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, tls_pem_no_passphrase, &asked);
    const X509 *x = SSL_CTX_get0_certificate(ctx);
    bool ok = false;
    if (!key && asked)
        err_set(err, ERR_TLS, "%s: the key is encrypted%s", names->key, plainly);
    else if (!key)
        err_set(err, ERR_TLS, "%s: %s", names->key,
                span_search(text, SPAN("PRIVATE KEY-----")) < text.len
                    ? "the key is damaged"
                    : "it holds no private key in PEM format");
    else if (X509_check_private_key(x, key) != 1)
        err_set(err, ERR_TLS, "key %s does not belong to certificate %s", names->key, names->file);
    else
        ok = SSL_CTX_use_PrivateKey(ctx, key) == 1 ||
             err_set(err, ERR_TLS, "%s: the key cannot be used: %s", names->key, reason());
    EVP_PKEY_free(key);
    BIO_free(bio);
    return ok;
}

bool tls_pem_use(SSL_CTX *ctx, const struct tls_certificate *names, const struct tls_pem *pem,
                 struct err *err)
{
    ERR_clear_error();
    bool ok =
        use_certificate(ctx, names->file, pem->file, err) && use_key(ctx, names, pem->key, err);
    ERR_clear_error();
    return ok;
}
