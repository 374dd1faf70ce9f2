// SPDX-License-Identifier: BSD-2-Clause
/* tls_report_mail.c - A report is mail like any other, but for its sender: nobody. */
#include "tls_report_mail.h"

#include "tlsrpt_gather.h"

#include <stdio.h>

struct mail *tls_report_mail(const struct tls_report_envelope *e)
{
    char domain[ADDRESS_DOMAIN_MAX + 1];
    struct address to;
    if (!address_parse(span_of(e->mailbox), &to) || !address_domain_ascii(to.domain, domain))
        return NULL;
    struct mail *m = mail_new();
    m->id = e->id;
    m->created_ms = e->now_ms;
    m->expires_ms = m->created_ms + TLSRPT_DAY_MS; /* RFC 8460 section 5.5 */
    m->class = STREAM_DIGEST;
    snprintf(m->stream, sizeof(m->stream), "%s", MAIL_TLS_REPORT);
    snprintf(m->tenant, sizeof(m->tenant), "%s", e->tenant);
    snprintf(m->from_domain, sizeof(m->from_domain), "%s", e->sign);
    m->envelope.sender = xstrdup(""); /* what comes back is for nobody to read */
    m->envelope.id = xstrdup("");
    m->envelope.smtputf8 = !span_is_ascii(to.text);
    envelope_add(&m->envelope, to.text, domain, SPAN_NONE, 0);
    return m;
}

struct throttle_settings tls_report_limits(const struct throttle_settings *all)
{
    return (struct throttle_settings){
        .mode = all->mode, .tenant = all->tenant, .recipient = all->recipient};
}
