// SPDX-License-Identifier: BSD-2-Clause
/* tls_pem.h - Loads a certificate, its chain and its key from PEM text into an OpenSSL context. */
#ifndef TLS_PEM_H
#define TLS_PEM_H

#include "tls.h"

struct ssl_ctx_st;

/* Says in plain words what is wrong: no certificate or key in the text, damaged, encrypted, or not
 * belonging together. */
MUST_CHECK bool tls_pem_use(struct ssl_ctx_st *ctx, const struct tls_certificate *names,
                            const struct tls_pem *pem, struct err *err);

/* For each function of OpenSSL that reads PEM, with a bool that is false: an encrypted block is not
 * read, and the bool becomes true. Otherwise OpenSSL asks at the terminal, and waits. */
int tls_pem_no_passphrase(char *text, int size, int writing, void *asked);

#endif
