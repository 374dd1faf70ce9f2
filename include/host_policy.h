// SPDX-License-Identifier: BSD-2-Clause
/* host_policy.h - What TLS with one host of a domain must show before it may have the mail.
 *
 * Pure: a table over what the operator, the message and DNS say.
 */
#ifndef HOST_POLICY_H
#define HOST_POLICY_H

#include "dane.h"
#include "tls_need.h"

/* The setting `mta_sts`. */
enum sts_mode {
    STS_MODE_UNSAID, /* of a route: as all others */
    STS_MODE_OFF,    /* no policy is asked for */
    STS_MODE_REPORT, /* judged and told, and nothing follows from it */
    STS_MODE_ON
};

/* What the domain's own policy says (mta_sts.h). */
enum sts_state { STS_PENDING, STS_NONE, STS_TESTING, STS_ENFORCE };

/* The setting `dane`. */
enum dane_mode {
    DANE_MODE_UNSAID, /* of a route: as all others */
    DANE_MODE_OFF,    /* no TLSA records are asked for */
    DANE_MODE_REPORT, /* judged and told, and nothing follows from it */
    DANE_MODE_ON
};

enum host_need {
    HOST_NEEDS_NOTHING,     /* the best that it offers, clear text at worst */
    HOST_NEEDS_ITS_ROUTE,   /* what the route says */
    HOST_NEEDS_ENCRYPTION,  /* TLS, with whoever answers */
    HOST_NEEDS_AUTHORITY,   /* a certificate for its name, by an authority */
    HOST_NEEDS_CERTIFICATE, /* one that a TLSA record of the host fits */
    HOST_IS_UNUSABLE,       /* another one is tried; without one, the mail waits */
    HOST_CANNOT_BE_VERIFIED /* the same, for a message that demands it */
};

struct host_situation {
    bool fixed;           /* the route says what TLS is demanded */
    bool waived;          /* the message does without (RFC 8689 section 3) */
    enum tls_need demand; /* the message's */
    bool encrypts;        /* the route, where it has said so, demands TLS */
    bool verifies;        /* the same, and a certificate */
    bool secure;          /* DNSSEC has led to the host, or the operator */
    enum dane_mode mode;
    enum dane_state dane; /* DANE_PENDING: it was not asked for */
    enum sts_mode sts_mode;
    enum sts_state sts;
    bool named;                /* the policy names the host */
    enum tls_result no_policy; /* why there is none although there should be; or NONE */
};

struct host_policy {
    enum tls_policy policy;
    enum host_need need;
    enum tls_result result; /* known already, or NONE */
    bool enforced;          /* else the need is judged and told only */
    bool certified;         /* with NEEDS_ITS_ROUTE: that is a certificate by an authority */
    bool
        settled; /* with CANNOT_BE_VERIFIED: all has been looked up, and only the domain's owner can
                     change it */
};

/* May TLSA records of its hosts decide anything? Else they are not to be asked for. */
bool host_policy_asks(const struct host_situation *s);
/* The same of the domain's policy. */
bool host_policy_asks_domain(const struct host_situation *s);
/* Is clear text out of the question? */
bool host_policy_demands_tls(const struct host_policy *policy);
void host_policy_decide(const struct host_situation *s, struct host_policy *policy_r);
/* What the domain's policy says of this host; NULL: it has none, and `no_policy` says why if it
 * should. */
struct mta_sts_policy;
void host_policy_say_domain(struct host_situation *s, const struct mta_sts_policy *policy_or_null,
                            enum tls_result no_policy, const char *host);

/* What a host has shown. */
struct host_tls {
    bool starttls;               /* it offers it, and has not refused it */
    bool tls;                    /* it is spoken */
    enum tls_result certificate; /* how that was judged */
};
/* How it stands to the policy; NONE: TLS was not begun, as nothing could verify it. */
enum tls_result host_policy_judge(const struct host_policy *policy, const struct host_tls *found);

/* Is a host whose TLS has been found to be as this policy says verified: itself, and not only its
 * certificate (RFC 8689 section 4.2.1)? */
bool host_policy_verifies(enum tls_policy policy, bool route_verifies);

#endif
