// SPDX-License-Identifier: BSD-2-Clause
/* tls_shown.h - What a server's TLS has shown, for people: version, cipher, and what its
 * certificate says of itself, whoever believes it. */
#ifndef TLS_SHOWN_H
#define TLS_SHOWN_H

#include "tls.h"

enum { TLS_SHOWN_NAMES = 20, TLS_SHOWN_NAME = 256 };

/* All texts are printable ASCII, what is too long is cut. */
struct tls_shown {
    char version[16], cipher[64];                /* "TLSv1.3"; "" before the handshake is done */
    bool certificate;                            /* one came, and the rest is of it */
    char names[TLS_SHOWN_NAMES][TLS_SHOWN_NAME]; /* DNS names; without any, the common name */
    size_t name_count, names_more;               /* more: are left out */
    char subject[TLS_SHOWN_NAME], issuer[TLS_SHOWN_NAME];
    int64_t from_s, until_s; /* since 1970; 0: it cannot be said */
    char key[65];            /* its digest as TLSA x 1 1 has it, in hexadecimal */
    size_t chain;            /* how many certificates came */
};

/* Of a client, also after its handshake has failed. */
void tls_show(const struct tls *t, struct tls_shown *shown_r);
/* Only the names of its certificate, as many as there is room for: "a.test, b.test and 3 more";
 * "no name". Printable ASCII. `size` is at least 40. */
void tls_show_names(const struct tls *t, char *text_r, size_t size);

#endif
