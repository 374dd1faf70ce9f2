// SPDX-License-Identifier: BSD-2-Clause
/* tls_judge.c - What OpenSSL found of a server's certificate, in the words of TLS reports (RFC 8460
 * section 4.3). */
#include "tls_dane.h"
#include "tls_parts.h"

#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

static const char nothing_fits[] = "no TLSA record fits its certificate";

/* Whatever is not here is one of the many things that "not trusted" covers. Under DANE a chain that
 * ends without an authority is one that fits no record: for that the reports have no word. */
static const struct {
    int found;
    enum tls_result result, by_dane;
} words[] = {
    {X509_V_OK, TLS_RESULT_OK, TLS_RESULT_VALIDATION_FAILURE},
    {X509_V_ERR_HOSTNAME_MISMATCH, TLS_RESULT_CERTIFICATE_HOST_MISMATCH,
     TLS_RESULT_CERTIFICATE_HOST_MISMATCH},
    {X509_V_ERR_IP_ADDRESS_MISMATCH, TLS_RESULT_CERTIFICATE_HOST_MISMATCH,
     TLS_RESULT_CERTIFICATE_HOST_MISMATCH},
    {X509_V_ERR_CERT_HAS_EXPIRED, TLS_RESULT_CERTIFICATE_EXPIRED, TLS_RESULT_CERTIFICATE_EXPIRED},
    {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, TLS_RESULT_CERTIFICATE_NOT_TRUSTED,
     TLS_RESULT_VALIDATION_FAILURE},
    {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, TLS_RESULT_CERTIFICATE_NOT_TRUSTED,
     TLS_RESULT_VALIDATION_FAILURE},
    {X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, TLS_RESULT_CERTIFICATE_NOT_TRUSTED,
     TLS_RESULT_VALIDATION_FAILURE},
    {X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, TLS_RESULT_CERTIFICATE_NOT_TRUSTED,
     TLS_RESULT_VALIDATION_FAILURE},
    {X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, TLS_RESULT_CERTIFICATE_NOT_TRUSTED,
     TLS_RESULT_VALIDATION_FAILURE},
    {X509_V_ERR_DANE_NO_MATCH, TLS_RESULT_VALIDATION_FAILURE, TLS_RESULT_VALIDATION_FAILURE},
    {X509_V_ERR_OUT_OF_MEM, TLS_RESULT_VALIDATION_FAILURE, TLS_RESULT_VALIDATION_FAILURE},
    {X509_V_ERR_UNSPECIFIED, TLS_RESULT_VALIDATION_FAILURE, TLS_RESULT_VALIDATION_FAILURE}};

static enum tls_result in_words(long found, enum tls_by by)
{
    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (words[i].found == found)
            return by == TLS_BY_DANE ? words[i].by_dane : words[i].result;
    return TLS_RESULT_CERTIFICATE_NOT_TRUSTED;
}

/* No certificate is seen in a handshake that resumes a session: what that was verified by holds. */
static bool fits(const struct tls *t, struct tls_match *match_r)
{
    if (SSL_get_verify_result(t->ssl) != X509_V_OK)
        return false;
    *match_r = t->match;
    return SSL_session_reused(t->ssl) == 1 || tls_dane_matched(t->ssl, match_r);
}

bool tls_met(const struct tls *t, struct tls_match *match_r)
{
    *match_r = (struct tls_match){0};
    if (t->by == TLS_BY_DANE)
        return fits(t, match_r);
    return (t->demand != TLS_VERIFIED && !t->valid) || SSL_get_verify_result(t->ssl) == X509_V_OK;
}

static void judge_certificate(const struct tls *t, struct tls_judgement *j)
{
    long found = SSL_get_verify_result(t->ssl);
    j->result = in_words(found, t->by);
    j->reason = X509_verify_cert_error_string(found);
    if (t->by == TLS_BY_DANE && fits(t, &j->match))
        j->result = TLS_RESULT_OK;
    if (t->by == TLS_BY_DANE && j->result == TLS_RESULT_VALIDATION_FAILURE)
        j->reason = nothing_fits;
    if (t->by == TLS_BY_NOTHING) {
        j->result = TLS_RESULT_TLSA_INVALID;
        j->reason = "none of its TLSA records can be used";
    }
}

void tls_judge(const struct tls *t, struct tls_judgement *judgement_r)
{
    struct tls_judgement j = {.by = t->by, .result = TLS_RESULT_NONE, .reason = ""};
    bool refused = t->state == TLS_FAILED && SSL_get_verify_result(t->ssl) != X509_V_OK &&
                   (SSL_get_verify_mode(t->ssl) & SSL_VERIFY_PEER) != 0;
    bool seen = t->state >= TLS_OPEN && SSL_get0_peer_certificate(t->ssl) != NULL;
    if (refused || (seen && t->state != TLS_FAILED)) {
        judge_certificate(t, &j);
    } else if (t->state == TLS_FAILED) {
        j.result = TLS_RESULT_VALIDATION_FAILURE;
        j.reason = t->err.text;
    }
    *judgement_r = j;
}

bool tls_verified(const struct tls *t)
{
    struct tls_judgement j;
    tls_judge(t, &j);
    return j.result == TLS_RESULT_OK;
}
