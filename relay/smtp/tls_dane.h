// SPDX-License-Identifier: BSD-2-Clause
/* tls_dane.h - Puts TLSA records before a handshake, so that OpenSSL judges by them (RFC 7672). */
#ifndef TLS_DANE_H
#define TLS_DANE_H

#include "dane.h"
#include "err.h"
#include "tls.h"

struct ssl_st;

enum { DANE_TA = 2, DANE_EE = 3 }; /* usages (RFC 7218) */

enum tls_dane {
    TLS_DANE_SET,
    TLS_DANE_UNUSABLE, /* no record of them: `ssl` is of no use any more */
    TLS_DANE_FAILED    /* something else than the records: the err says what */
};

/* Before the handshake of a client. The names and records are copied. `names` gains what the
 * certificates of the records hold. */
MUST_CHECK enum tls_dane tls_dane_set(struct ssl_st *ssl, const struct dane *dane,
                                      struct tls_names *names, struct err *err);

/* The record that the server's certificate was verified by, in this handshake. */
bool tls_dane_matched(struct ssl_st *ssl, struct tls_match *match_r);

#endif
