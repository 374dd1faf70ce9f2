// SPDX-License-Identifier: BSD-2-Clause
/* tls_report_mail.h - The mail that carries a TLS report: its envelope, and the limits that hold
 * for it. */
#ifndef TLS_REPORT_MAIL_H
#define TLS_REPORT_MAIL_H

#include "mail.h"
#include "throttle.h"

struct tls_report_envelope {
    int64_t id, now_ms;
    const char *tenant;  /* whose mail it tells of: it goes in that one's turns, by its limits */
    const char *sign;    /* the domain that signs it */
    const char *mailbox; /* as address_parse() takes it */
};

/* NULL: it cannot be written to. */
struct mail *tls_report_mail(const struct tls_report_envelope *e);

/* Of all limits those of the recipient: what a tenant may send is for the tenant's own mail, which
 * reports must not use up. */
struct throttle_settings tls_report_limits(const struct throttle_settings *all);

#endif
