// SPDX-License-Identifier: BSD-2-Clause
/* reception.h - Could others deliver to a domain by DANE (RFC 7672) and MTA-STS (RFC 8461)? For its
 * owner: what they find, what of it is wrong, and what to do.
 *
 * Pure. What is not published yet is missing, and does no harm; what is published and wrong keeps
 * mail back, or protects nobody who believes it does.
 */
#ifndef RECEPTION_H
#define RECEPTION_H

#include "dane.h"
#include "mta_sts.h"

enum reception_check { RECEPTION_DANE, RECEPTION_MTA_STS };
const char *reception_check_name(enum reception_check check); /* "dane", "mta-sts" */

enum reception_state { RECEPTION_OK, RECEPTION_MISSING, RECEPTION_WRONG, RECEPTION_UNKNOWN };
const char *reception_state_name(enum reception_state state); /* "ok" … */

struct reception_host {
    const char *name;
    bool found;  /* its address is known */
    bool secure; /* and signed */
    enum dane_state dane;
    enum dns_failure failure; /* of DANE_FAILED */
    const char *asked;        /* where its TLSA records are, or should be */
    size_t records;           /* that can be used */
    /* How its TLS was judged when it was connected to: by its records where it has some, else by
     * authorities; NONE: nobody could. */
    enum tls_result shown;
    bool late;       /* nobody could, as it was too slow; shown is NONE */
    const char *why; /* for a person */
};

/* All that senders learn of a domain that takes mail. Everything is borrowed. */
struct reception_facts {
    const char *domain;
    bool validates; /* DNSSEC is used here: else nothing of it is known */
    bool answered;  /* its MX records are known, if there are any */
    bool secure;    /* and signed */
    const struct reception_host *hosts;
    size_t host_count;

    bool record_answered;
    enum mta_sts_record record;
    const char *id;
    const struct mta_sts_policy *policy; /* as it was fetched; NULL: no policy could be had, */
    enum tls_result failure;             /* for this reason, in the words of mta_sts.h */
    const char *reason;
    const struct mta_sts_policy *meant; /* what the settings say; NULL: nothing */
};

struct reception_finding {
    enum reception_check check;
    enum reception_state state;
    char name[DNS_NAME_MAX + 16]; /* a domain, a host, or a name before one of them */
    char found[400], advice[500]; /* parts of a sentence; advice "": nothing is to be done */
};

/* Calls `on` for each, in the order in which things should be put right; borrowed for the call. */
typedef void reception_on_finding(void *context, const struct reception_finding *finding);
void reception_judge(const struct reception_facts *facts, reception_on_finding *on, void *context);

#endif
