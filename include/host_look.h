// SPDX-License-Identifier: BSD-2-Clause
/* host_look.h - What one host shows a delivery: greeting, EHLO, STARTTLS, certificate, EHLO, QUIT,
 * by the machines of a delivery (delivery.h, tls.h). No message is ever spoken of. */
#ifndef HOST_LOOK_H
#define HOST_LOOK_H

#include "config.h"
#include "delivery.h"
#include "host_prospect.h"
#include "hosts.h"
#include "tls_shown.h"

/* How it is asked. All is borrowed for the call. */
struct host_look_terms {
    const struct config *config;
    struct tls_context *context; /* the authorities that are trusted */
    const struct host *host;
    unsigned port;
    enum delivery_tls tls; /* not VERIFY: the certificate is judged, whatever becomes of it */
    enum tls_demand demand;
    const struct dane *dane; /* NULL: no TLSA records */
    bool fits;               /* the certificate must be OK: else its next address is asked, too */
    unsigned time_ms;        /* for all of it */
};

struct host_look {
    struct host_found found;
    char address[IP_TEXT];         /* that all this is of; "" none was tried */
    char peer_name[256];           /* what it calls itself */
    struct delivery_offers offers; /* the last that it has made */
    bool offered;                  /* STARTTLS was */
    bool unusable;                 /* TLS could use none of the TLSA records */
    struct tls_match match;        /* of the record that fits, by DANE */
    bool by_dane;
    char reason[200]; /* why the certificate is not OK, or TLS failed; "" */
    struct tls_shown tls;
    struct verdict trouble; /* why it takes no message; code 0: it does */
};

/* Blocking. Its addresses are tried in their order, some of them, until one is as it must be; of
 * others the one that got furthest is told. */
void host_look(const struct host_look_terms *terms, struct host_look *look_r);

#endif
