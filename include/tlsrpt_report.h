// SPDX-License-Identifier: BSD-2-Clause
/* tlsrpt_report.h - Writes a TLS report as it is sent: the JSON, and the message that carries it
 * (RFC 8460 sections 4.4 and 5). The same report gives the same bytes, so that one that is made
 * again after a crash is the same one. */
#ifndef TLSRPT_REPORT_H
#define TLSRPT_REPORT_H

#include "address.h"
#include "tlsrpt.h"

#include <stdbool.h>

enum { TLSRPT_ID_MAX = 600, TLSRPT_NAME_MAX = 600 };

/* Whom a report is from and to, and what it is. Domains are in A-labels, addresses as
 * address_parse() takes them. */
struct tlsrpt_letter {
    const char *submitter; /* the domain of `from`, which signs */
    const char *domain;    /* that is reported on */
    const char *from, *to;
    int64_t date_ms;
    int64_t ok, failed; /* sessions that it tells of */
    struct span packed; /* as tlsrpt_report_packed() has made it */
};

/* "2026-01-01.club.example@relay.example": one for each day, domain and submitter. */
void tlsrpt_report_id(int64_t begin_s, const char *domain, const char *submitter,
                      char id_r[TLSRPT_ID_MAX]);
/* "relay.example!club.example!1767225600!1767311999.json.gz" (section 5.1) */
void tlsrpt_report_file(const struct tlsrpt_report *report, const char *domain,
                        const char *submitter, char name_r[TLSRPT_NAME_MAX]);

/* Append the report as I-JSON (RFC 7493): what a peer has said is made UTF-8 without controls, what
 * says nothing is left out. False when it does not fit. */
MUST_CHECK bool tlsrpt_report_json(const struct tlsrpt_report *report, struct buf *out);

/* The same, compressed: what is posted (section 5.2). */
MUST_CHECK bool tlsrpt_report_packed(const struct tlsrpt_report *report, struct buf *out);

/* Append the whole message, unsigned, with the header fields of section 5.3 and "TLS-Required: No"
 * (RFC 8689), as it has to arrive although TLS may be what fails. ASCII, lines end with CRLF. Of
 * the report only its id and times are looked at. False when it does not fit. */
MUST_CHECK bool tlsrpt_report_message(const struct tlsrpt_report *report,
                                      const struct tlsrpt_letter *letter, struct buf *out);

#endif
