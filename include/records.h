// SPDX-License-Identifier: BSD-2-Clause
/* records.h - The DNS records that sending requires: purpose, what is published now, and what
 * should replace it.
 *
 * A plan is made from what this relay knows and from what DNS says. Records that others have
 * published are merged, kept, or reported as wrong, never simply overwritten.
 */
#ifndef RECORDS_H
#define RECORDS_H

#include "buf.h"
#include "dns.h"
#include "key.h"
#include "mta_sts.h"

enum { RECORD_VALUE_MAX = 2048, RECORD_CUTS_MAX = 64 };

struct record {
    char name[DNS_NAME_MAX + 1]; /* full, in lower case, without the last dot; empty: no record */
    enum dns_type type;
    char value[RECORD_VALUE_MAX + 1]; /* TXT: one string, unquoted; else as dns_rr_print() has it */
    /* TXT that stands in DNS: the lengths of its strings; none: cut where it must be. */
    unsigned char cuts[RECORD_CUTS_MAX];
    size_t cut_count;
};

struct records_key {
    const char *selector, *public_key; /* public_key: base64 */
    enum key_algorithm algorithm;
    enum {
        RECORDS_KEY_WANTED,  /* may be there already */
        RECORDS_KEY_NEEDED,  /* mail is signed with it, or was lately */
        RECORDS_KEY_REVOKED, /* an empty p= stands in its place */
        RECORDS_KEY_OVER     /* its record may be taken out */
    } use;
    const char *delegated; /* the name that the selector is an alias of; NULL: none */
};

/* One record each. */
void records_text(struct record *record_r, const char *name, const char *text); /* TXT */
void records_dkim(const char *domain, const struct records_key *key, struct record *record_r);
/* p=none; `rua`: an address for reports, or NULL. */
void records_dmarc(const char *domain, const char *rua, struct record *record_r);

/* ---- the plan ---- */

enum records_role {
    RECORDS_SPF,
    RECORDS_DKIM,
    RECORDS_DMARC,
    RECORDS_DMARC_REPORTS, /* lets the reports go to another organisation */
    RECORDS_RETURN_PATH,
    RECORDS_UNSUBSCRIBE,
    RECORDS_TLSRPT,
    RECORDS_POLICY_HOST, /* mta-sts.DOMAIN */
    RECORDS_MTA_STS,
    RECORDS_SUBMISSION,
    RECORDS_CAA,
    RECORDS_HOST,
    RECORDS_PTR,
    RECORDS_HELO,
    RECORDS_TLSA
};
enum { RECORDS_ROLES = 15 };
const char *records_role_name(enum records_role role);  /* "spf" … */
const char *records_role_why(enum records_role role);   /* a sentence */
const char *records_role_title(enum records_role role); /* "SPF" … */

enum records_need { RECORDS_REQUIRED, RECORDS_RECOMMENDED, RECORDS_LATER };
/* "required", "recommended", "later". */
const char *records_need_name(enum records_need need);

enum records_state {
    RECORDS_UNKNOWN, /* DNS does not answer */
    RECORDS_OK,
    RECORDS_MISSING,
    RECORDS_WRONG,
    RECORDS_PROPAGATING /* published, but not seen everywhere yet */
};
/* "unknown", "ok" … */
const char *records_state_name(enum records_state state);

struct records_item {
    enum records_role role;
    enum records_need need;
    enum records_state state;
    struct record record;
    char zone[DNS_NAME_MAX + 1]; /* that the name is in */
    bool stands;                 /* the record does, in these words; what is wrong is beside it */
    bool aliased;                /* the name is an alias of one where it stands */
    bool blocked;                /* cannot be published as things are: `note` says why */
    bool by_provider;            /* not in the owner's zones: to be asked for */
    struct records_key key;      /* of RECORDS_DKIM */
    char note[400];              /* what somebody should know; "" nothing */
};

/* What stands at the name and type of an item (or is an alias there), and is not what it wants. */
struct records_standing {
    struct record record;
    bool replaced; /* it must go; else it stays */
};

enum { RECORDS_ITEMS_MAX = 80, RECORDS_STANDING_MAX = 80, RECORDS_WARNINGS_MAX = 16 };
enum { RECORDS_POLICY_MAX = 8 * 1024 };

struct records_plan {
    char domain[DNS_NAME_MAX + 1], zone[DNS_NAME_MAX + 1];
    struct records_item items[RECORDS_ITEMS_MAX];
    size_t count;
    struct records_standing standing[RECORDS_STANDING_MAX];
    size_t standing_count;
    struct record over[RECORDS_ITEMS_MAX]; /* stand there, and may be taken out */
    size_t over_count;
    char warnings[RECORDS_WARNINGS_MAX][400];
    size_t warning_count;
    /* The MTA-STS policy that goes with the record, as its web server says it; "": there is none,
     * as the domain takes no mail. */
    char policy[RECORDS_POLICY_MAX + 1], policy_id[MTA_STS_ID_MAX + 1];
    bool with_later; /* the caller's: what is for later is to be published now */
    bool pending;    /* DNS has been asked for all that is missing so far */
};

/* The MTA-STS policy for mail to a domain, as far as somebody has said it. */
struct records_policy {
    bool said; /* it is meant, and so its record; else it is proposed where there is no record */
    enum mta_sts_mode mode;
    uint32_t max_age_s;    /* 0: MTA_STS_AGE_S */
    const char *const *mx; /* the hosts; none: those of the domain's MX */
    size_t mx_count;
    const char *served_at; /* the host that serves it, when it is ours; NULL: another web server */
};

/* An address of ours besides the public ones, and its name in EHLO. */
struct records_source {
    const char *ip, *name;
};

struct records_input {
    const char *domain;      /* normal form */
    const char *return_path; /* the MAIL FROM domain; NULL: the domain itself */
    bool returns_here;       /* and a listener of ours takes what comes back to that */
    const char *hostname;
    const char *const *public_ips; /* IPv4 and IPv6 addresses in text */
    size_t ip_count;
    const char *const *senders; /* that the domain's mail leaves from; none: the public ones */
    size_t sender_count;
    const struct records_source *sources;
    size_t source_count;
    const struct records_key *keys;
    size_t key_count;
    /* The second selector of a delegated domain, while there is no key for it; NULL: none. */
    const char *spare_selector, *spare_target;
    const char *unsubscribe_host;     /* NULL: no page */
    const char *rua;                  /* address for reports; NULL: none */
    const char *authority;            /* the one CAA record allows; NULL: none is known */
    const char *spki_sha256;          /* of the certificate, in hexadecimal; NULL: not known */
    unsigned starttls_port, tls_port; /* of submission; 0: none */
    struct records_policy policy;
};

/* Make the plan: all states by `dns`. With plan_r->pending it must be made again. */
void records_plan(const struct records_input *in, const struct dns *dns,
                  struct records_plan *plan_r);

/* What an answer to the item's name and type makes of it: compared by meaning. */
enum records_state records_compare(const struct records_item *item,
                                   const struct dns_answer *answer);
/* What all of them together make of it: the servers of its zone (none: only the resolver counts)
 * and
 * the resolver. `found_r`: the answer to show, borrowed; `ttl_s_r`: of PROPAGATING, how long the
 * resolver may keep what it has. */
enum records_state records_judge(const struct records_item *item,
                                 const struct dns_answer *const *servers, size_t count,
                                 const struct dns_answer *resolver,
                                 const struct dns_answer **found_r, uint32_t *ttl_s_r);
/* Append how what was found differs from what is wanted, in words; nothing when there is
 * nothing. */
void records_difference(const struct records_item *item, const struct dns_answer *found,
                        struct buf *out);
/* Do all records that mail needs stand as they should? */
bool records_plan_green(const struct records_plan *plan);

#endif
