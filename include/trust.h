// SPDX-License-Identifier: BSD-2-Clause
/* trust.h - What a message requires of its connection, and what a connection has proven.
 *
 * A connection is reused only for mail with exactly the same requirements. The names of hosts alone
 * prove nothing, because anyone can publish an MX with the names of somebody else's hosts.
 */
#ifndef TRUST_H
#define TRUST_H

#include "host_policy.h"
#include "span.h"
#include "tls_need.h"

#include <stdint.h>

enum trust_level {
    TRUST_CLEAR,     /* whoever listens may read and change it */
    TRUST_ENCRYPTED, /* whoever answered is the only one who can */
    TRUST_VERIFIED   /* and that was the host itself: its certificate is valid for its name */
};

struct trust {
    enum trust_level level;
    bool named;          /* the host is the operator's choice, not that of a domain's MX */
    enum dane_mode dane; /* unless UNSAID, which is ON: how far DNSSEC decides of the host */
    enum tls_need need; /* the message's; proven: VERIFIED, or NONE. That the host passes it on, its
                            EHLO says: transaction.c */
    unsigned char host[DANE_DIGEST]; /* digest of the TLSA records that its certificate must fit;
                                        zero: none */
    unsigned char login[16]; /* digest of user name and password; zero: nobody has logged in */
    uint64_t settings;       /* the generation of the settings: names, authorities, all else */
};

/* The digest of a login; without a user name, that of nobody. */
void trust_login(struct span username, struct span password, unsigned char login_r[16]);

/* What mail with this need demands by a route, which may have said as much already. */
struct trust trust_for(const struct trust *route, enum tls_need need);

/* May mail that demands this leave by a connection that has proven that? */
bool trust_covers(const struct trust *proven, const struct trust *demanded);

/* A name for what is demanded of any host, the same for the same, whatever the generation of the
 * settings: what is remembered of a destination outlives a reload. `text_r` holds TRUST_KEY bytes.
 */
enum { TRUST_KEY = 48 };
void trust_key(const struct trust *demanded, char *text_r);

/* The same for people, as a part of a destination's name: "" when nothing is demanded, else
 * "verify", "require smarthost login-1a2b3c4d", "tls-verified" and the like. `text_r` holds
 * TRUST_LABEL bytes. */
enum { TRUST_LABEL = 64 };
void trust_label(const struct trust *demanded, char *text_r);
/* The needs of mail that leaves by a destination with this label, as bits 1 << enum tls_need. */
unsigned trust_label_needs(struct span label);

#endif
