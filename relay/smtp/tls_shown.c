// SPDX-License-Identifier: BSD-2-Clause
/* tls_shown.c - A server's certificate in words. All of it is the server's: it is cut, and what is
 * not printable replaced. */
#include "tls_shown.h"

#include "tls_parts.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static void copy(const unsigned char *text, size_t len, char text_r[TLS_SHOWN_NAME])
{
    size_t used = 0;
    for (; used < len && used < TLS_SHOWN_NAME - 1; used++)
        text_r[used] = (char)(text[used] > ' ' && text[used] < 0x7f ? text[used] : '?');
    text_r[used] = '\0';
}

static void copy_name(X509_NAME *name, char text_r[TLS_SHOWN_NAME])
{
    BIO *out = BIO_new(BIO_s_mem());
    char *text = NULL;
    text_r[0] = '\0';
    if (out && X509_NAME_print_ex(out, name, 0, XN_FLAG_RFC2253) >= 0) {
        long len = BIO_get_mem_data(out, &text);
        size_t used = 0;
        for (; len > 0 && used < (size_t)len && used < TLS_SHOWN_NAME - 1; used++)
            text_r[used] = (char)(text[used] >= ' ' && text[used] < 0x7f ? text[used] : '?');
        text_r[used] = '\0';
    }
    BIO_free(out);
}

static void add_name(struct tls_shown *s, const ASN1_STRING *name)
{
    if (s->name_count == TLS_SHOWN_NAMES) {
        s->names_more++;
        return;
    }
    copy(ASN1_STRING_get0_data(name), (size_t)ASN1_STRING_length(name), s->names[s->name_count++]);
}

static void list_names(const X509 *x, struct tls_shown *s)
{
    GENERAL_NAMES *all = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
    X509_NAME *subject = X509_get_subject_name(x);
    for (int i = 0; all && i < sk_GENERAL_NAME_num(all); i++) {
        const GENERAL_NAME *one = sk_GENERAL_NAME_value(all, i);
        if (one->type == GEN_DNS)
            add_name(s, one->d.dNSName);
    }
    GENERAL_NAMES_free(all);
    int at = s->name_count == 0 ? X509_NAME_get_index_by_NID(subject, NID_commonName, -1) : -1;
    if (at >= 0)
        add_name(s, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
}

static int64_t seconds(const ASN1_TIME *time)
{
    struct tm tm = {0};
    return ASN1_TIME_to_tm(time, &tm) == 1 ? timegm(&tm) : 0;
}

static void show_certificate(const X509 *x, struct tls_shown *s)
{
    s->certificate = true;
    list_names(x, s);
    copy_name(X509_get_subject_name(x), s->subject);
    copy_name(X509_get_issuer_name(x), s->issuer);
    s->from_s = seconds(X509_get0_notBefore(x));
    s->until_s = seconds(X509_get0_notAfter(x));
    if (!tls_key_digest(x, s->key))
        s->key[0] = '\0';
}

void tls_show(const struct tls *t, struct tls_shown *shown_r)
{
    const X509 *x = SSL_get0_peer_certificate(t->ssl);
    const STACK_OF(X509) *chain = SSL_get_peer_cert_chain(t->ssl);
    *shown_r = (struct tls_shown){.chain = chain ? (size_t)sk_X509_num(chain) : 0};
    if (SSL_is_init_finished(t->ssl)) {
        snprintf(shown_r->version, sizeof(shown_r->version), "%s", SSL_get_version(t->ssl));
        snprintf(shown_r->cipher, sizeof(shown_r->cipher), "%s", SSL_get_cipher_name(t->ssl));
    }
    if (x)
        show_certificate(x, shown_r);
    ERR_clear_error(); /* of what could not be read */
}

void tls_show_names(const struct tls *t, char *text_r, size_t size)
{
    enum { MORE = 20 }; /* bytes of " and N more" */
    struct tls_shown s = {.name_count = 0};
    const X509 *x = SSL_get0_peer_certificate(t->ssl);
    size_t used = 0;
    size_t count = 0;
    if (x)
        list_names(x, &s);
    ERR_clear_error();
    for (; count < s.name_count && used + strlen(s.names[count]) + 2 + MORE < size; count++)
        used += (size_t)snprintf(text_r + used, size - used, "%s%s", count > 0 ? ", " : "",
                                 s.names[count]);
    size_t more = s.name_count - count + s.names_more;
    if (count == 0 && more > 0)
        snprintf(text_r, size, "%.*s... of %zu", (int)(size - MORE - 4), s.names[0], more);
    else if (more > 0)
        snprintf(text_r + used, size - used, " and %zu more", more);
    else if (count == 0)
        snprintf(text_r, size, "no name");
}
