// SPDX-License-Identifier: BSD-2-Clause
/* tls_stage.h - Certificates made for a test, and a client of ours that meets a server of ours in memory. */
#ifndef TLS_STAGE_H
#define TLS_STAGE_H

#include "table.h"

#include "dane.h"
#include "tls.h"

#include <openssl/x509.h>

/* A certificate with its key. */
struct made {
    X509 *x;
    EVP_PKEY *key;
};

enum made_kind { MADE_LEAF, MADE_AUTHORITY };

/* `names`: of the SAN, one blank between two; "" for none. Valid from an hour ago for `left_s` seconds from now. `issuer` NULL: by itself. */
struct made made_by(const struct made *issuer, enum made_kind kind, const char *names, long left_s);
void made_free(struct made *m);

/* Data of a TLSA record. Valid until made_record() was called 64 times more. */
struct dane_record made_record(const struct made *m, unsigned usage, unsigned selector, unsigned mtype);

/* A server that sends these certificates, its own first. */
struct tls_context *made_server(const struct made *chain, size_t count);

struct met {
    enum tls_state state;
    struct tls_judgement judged;
    char reason[300];    /* the judgement's */
    bool offered, resumed;
    char asked[256]; /* the name that the server was asked for; "" none */
};

/* One connection, with what the server says first. `version`: the server's newest; 0: any. */
struct met meet(struct tls_context *server, struct tls_context *client, const struct tls_terms *terms, int version);

#endif
