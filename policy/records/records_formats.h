// SPDX-License-Identifier: BSD-2-Clause
/* records_formats.h - The formats, by file; their table is in records_format.c. */
#ifndef RECORDS_FORMATS_H
#define RECORDS_FORMATS_H

#include "records_format.h"

void records_bind(const struct records_plan *plan, unsigned ttl_s, struct buf *out);
void records_nsupdate(const struct records_plan *plan, unsigned ttl_s, struct buf *out);

/* ---- records_terraform.c ---- */

void records_cloudflare(const struct records_plan *plan, unsigned ttl_s, struct buf *out);
void records_route53(const struct records_plan *plan, unsigned ttl_s, struct buf *out);
void records_google(const struct records_plan *plan, unsigned ttl_s, struct buf *out);
void records_azure(const struct records_plan *plan, unsigned ttl_s, struct buf *out);

/* ---- records_code.c ---- */

void records_octodns(const struct records_plan *plan, unsigned ttl_s, struct buf *out);
void records_dnscontrol(const struct records_plan *plan, unsigned ttl_s, struct buf *out);

#endif
