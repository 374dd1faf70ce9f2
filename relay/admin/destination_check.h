// SPDX-License-Identifier: BSD-2-Clause
/* destination_check.h - All that is found out about a domain that mail may go to, in the order in
 * which a delivery does: its hosts, its policy, each host's TLS, and what follows from it for each
 * kind of message. */
#ifndef DESTINATION_CHECK_H
#define DESTINATION_CHECK_H

#include "address.h"
#include "cli.h"
#include "destination_look.h"
#include "host_look.h"
#include "sts_look.h"

enum { CHECK_PLAIN, CHECK_VERIFY, CHECK_REQUIRETLS, CHECK_KINDS };
/* "plain", "verify", "requiretls". */
extern const char *const check_kinds[CHECK_KINDS];

enum check_domain_policy {
    CHECK_POLICY_OFF,     /* the route asks for none */
    CHECK_POLICY_ASKED,   /* `policy` says what counts */
    CHECK_POLICY_UNASKED, /* it could not be asked for: `policy_fault` */
};

struct destination_check {
    struct cli *cli;
    char domain[ADDRESS_DOMAIN_MAX + 1];
    struct destination_look look;
    /* The policy of `policy_domain`. */
    enum check_domain_policy policy_state;
    char policy_domain[ADDRESS_DOMAIN_MAX + 1];
    struct mta_sts_kept kept; /* by the relay */
    struct err kept_fault;    /* why that is not known; ERR_NONE: it is */
    struct err policy_fault;
    struct sts_look policy;
    /* Beside look.mx.hosts: what each has shown, and what becomes of each kind of message. */
    struct host_look shown[HOSTS_MAX];
    struct host_prospect prospects[CHECK_KINDS][HOSTS_MAX];
    enum domain_outcome outcomes[CHECK_KINDS];
    size_t takers[CHECK_KINDS]; /* the host that takes it, or may */
};

/* Blocking, for three minutes at most. False: nothing could be asked. Free with
 * destination_check_fini(), also then. */
MUST_CHECK bool destination_check(struct cli *cli, const char *domain, bool connect,
                                  struct destination_check *check_r, struct err *err);
void destination_check_fini(struct destination_check *check);

/* What DNS says of the hosts, as a part of a sentence: "found", or why there are none. */
const char *destination_check_result(const struct destination_look *look);

/* As `check destination` shows it to people. */
void destination_text_print(json_t *all);

#endif
