// SPDX-License-Identifier: BSD-2-Clause
/* tls_pem.h - A certificate with its chain and its key, from PEM text into a context of OpenSSL. */
#ifndef TLS_PEM_H
#define TLS_PEM_H

#include "tls.h"

struct ssl_ctx_st;

/* Says in plain words what is wrong: no certificate or key in the text, damaged, encrypted, or not
 * belonging together. */
MUST_CHECK bool tls_pem_use(struct ssl_ctx_st *ctx, const struct tls_certificate *names,
                            const struct tls_pem *pem, struct err *err);

#endif
