// SPDX-License-Identifier: BSD-2-Clause
/* config_sending.h - Settings of the domains that send, of what the relay signs with, and of what
 * it reports by itself. */
#ifndef CONFIG_SENDING_H
#define CONFIG_SENDING_H

#include "address.h"
#include "alignment.h"
#include "delivery.h"
#include "mta_sts.h"
#include "tls.h"
#include "trust.h"

/* The setting `mta_sts_mode`: the words of mta_sts_mode, behind "off". */
enum config_policy {
    CONFIG_POLICY_OFF,
    CONFIG_POLICY_NONE,
    CONFIG_POLICY_TESTING,
    CONFIG_POLICY_ENFORCE
};

/* How mail for some domains leaves. */
struct config_route {
    char domain[256]; /* "club.example", "*.club.example" or "*" */
    char host[256];   /* smart host; empty: the domain's MX */
    unsigned port;
    enum delivery_tls tls;
    char username[256], password[256]; /* empty: no AUTH */
    char password_file[1024];
    char token_command[1024]; /* in place of a password; empty: none */
    enum dane_mode dane;
    enum sts_mode mta_sts;
    enum tls_demand handshake;
    struct trust trust; /* what it demands of a connection; of no settings yet */
    bool fallback;      /* nobody has written it */
};

/* What holds for one sending domain. */
struct config_domain {
    char name[256]; /* normal form */
    enum alignment_mode alignment;
    char return_path[256]; /* below it, normal form; "": the sender is said as it is */
    bool feedback_loop;    /* complaints are taken at fbl@ there */
    /* The MTA-STS policy for mail to it (RFC 8461), which others are told. */
    enum config_policy mta_sts_mode;
    unsigned mta_sts_max_age_s;
    const char *const *mta_sts_mx;
    size_t mta_sts_mx_count;
    char *mta_sts_text; /* no setting: all of that as it is served; NULL: nothing is */
};

/* The keys that sign. */
struct config_dkim {
    unsigned rotate_days; /* 0: by hand only */
    unsigned lifetime_s;  /* of a signature, and so of a key's record after its last one */
    unsigned rsa_bits;
    /* A zone of ours that the users' selectors are aliases into; "" none. */
    char zone[256], server[64], tsig_key[1024]; /* its primary; the file with the key for updates */
    char primary[80]; /* the server as the file has it, perhaps with its port */
    unsigned port, ttl_s;
};

/* TLS reports to others (RFC 8460). */
struct config_tlsrpt {
    char organization[128], from[ADDRESS_MAX + 1], sign[256]; /* as the file has them, or "" */
    char contact[ADDRESS_MAX + 1]; /* "": none are made, and nothing is counted for them */
    bool success_reports;          /* on days without a failure, too */
    /* No settings: what is meant where the file does not say it. */
    char reporter[256];                     /* a name for people */
    char sender[ADDRESS_MAX + 1];           /* of mail */
    char submitter[ADDRESS_DOMAIN_MAX + 1]; /* the domain that signs, in A-labels */
};

struct config;

/* The domain that is said at MAIL for mail of an author's domain, both in normal form: that of its
 * return_path, or the sender's own; "" for the null sender. */
const char *config_return_domain(const struct config *c, const char *author,
                                 const char *sender_domain);

#endif
