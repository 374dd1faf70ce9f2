// SPDX-License-Identifier: BSD-2-Clause
/* fuzz_certificate.c - A certificate, a key or a message of certificates, by the first byte. Where OpenSSL finds a key with a curve of its
 * own, or a relative name, it was not given leave to look. */
#include "certificate_screen.h"
#include "check.h"
#include "relative_name.h"

#include <openssl/err.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool has_own_curve(X509_PUBKEY *key)
{
    X509_ALGOR *algorithm = NULL;
    const ASN1_OBJECT *kind = NULL;
    int type = V_ASN1_UNDEF;
    X509_PUBKEY_get0_param(NULL, NULL, NULL, &algorithm, key);
    X509_ALGOR_get0(&kind, &type, NULL, algorithm);
    int nid = OBJ_obj2nid(kind);
    return (nid == NID_X9_62_id_ecPublicKey || nid == NID_sm2) && type != V_ASN1_OBJECT;
}

static void screen_certificate(struct span der)
{
    const unsigned char *at = (const unsigned char *)der.ptr;
    if (certificate_screen(der) != CERTIFICATE_FINE)
        return;
    X509 *x = d2i_X509(NULL, &at, (long)der.len);
    CHECK(!x || !has_own_curve(X509_get_X509_PUBKEY(x)));
    CHECK(!x || !has_relative_name(x));
    X509_free(x);
    ERR_clear_error();
}

static void screen_key(struct span der)
{
    const unsigned char *at = (const unsigned char *)der.ptr;
    if (certificate_screen_key(der) != CERTIFICATE_FINE)
        return;
    X509_PUBKEY *key = d2i_X509_PUBKEY(NULL, &at, (long)der.len);
    CHECK(!key || !has_own_curve(key));
    X509_PUBKEY_free(key);
    ERR_clear_error();
}

static void screen_message(struct span bytes, bool tls13)
{
    unsigned char *message = malloc(bytes.len + 1);
    CHECK(message != NULL);
    memcpy(message, bytes.ptr, bytes.len);
    enum certificate_fault fault = certificate_screen_message(message, bytes.len, tls13);
    CHECK((memcmp(message, bytes.ptr, bytes.len) != 0) <= (fault != CERTIFICATE_FINE));
    CHECK(certificate_fault_text(fault) != NULL);
    if (fault != CERTIFICATE_FINE && message[0] == 11 && bytes.len > 4) /* and what is spoilt stays so */
        CHECK(certificate_screen_message(message, bytes.len, tls13) == CERTIFICATE_MALFORMED);
    free(message);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span rest = span_from((struct span){(const char *)data, size}, 1);
    switch (size > 0 ? data[0] % 4 : 0) {
    case 0:
        screen_certificate(rest);
        break;
    case 1:
        screen_key(rest);
        break;
    case 2:
        screen_message(rest, false);
        break;
    case 3:
        screen_message(rest, true);
        break;
    }
    return 0;
}
