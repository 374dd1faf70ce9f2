// SPDX-License-Identifier: BSD-2-Clause
/* formats.h - The formats, by file; their table is in formats.c. */
#ifndef FORMATS_H
#define FORMATS_H

#include "records_format.h"

/* ---- zone_file.c ---- */

void records_bind(const struct records_plan *plan, unsigned ttl_s, struct buf *out);
void records_nsupdate(const struct records_plan *plan, unsigned ttl_s, struct buf *out);

/* ---- terraform.c ---- */

void records_cloudflare(const struct records_plan *plan, unsigned ttl_s, struct buf *out);
void records_route53(const struct records_plan *plan, unsigned ttl_s, struct buf *out);
void records_google(const struct records_plan *plan, unsigned ttl_s, struct buf *out);
void records_azure(const struct records_plan *plan, unsigned ttl_s, struct buf *out);

/* ---- code.c ---- */

void records_octodns(const struct records_plan *plan, unsigned ttl_s, struct buf *out);
void records_dnscontrol(const struct records_plan *plan, unsigned ttl_s, struct buf *out);

#endif
