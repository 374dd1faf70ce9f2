// SPDX-License-Identifier: BSD-2-Clause
/* records_format.h - A plan as text for DNS tools. The same plan gives the same text.
 *
 * The publishable records of a plan are those that are not for later (unless plan.with_later is
 * set), not blocked, and not the provider's. Formats that define a whole set (name and type)
 * include the records of others in it.
 */
#ifndef RECORDS_FORMAT_H
#define RECORDS_FORMAT_H

#include "records.h"

enum {
    RECORDS_STRING_MAX = 255
}; /* octets of one string of a TXT record (RFC 1035 section 3.3.14) */

/* One of policy/records/formats/: each file there is a format, by its name. */
struct records_format {
    const char *name; /* of --format */
    struct span text;
};

extern const struct records_format records_formats[];
extern const size_t records_format_count;

/* Append the plan in that format, its records with a TTL of `ttl_s`. */
void records_format_print(const struct records_format *format, const struct records_plan *plan,
                          unsigned ttl_s, struct buf *out);

/* Is this item's record to be published, by its owner, now? */
bool records_publishable(const struct records_plan *plan, const struct records_item *item);

/* ---- pieces ---- */

/* The name within its zone: "@" for the zone's own, all of it when it is outside. */
struct span records_host(const char *name, const char *zone);
/* Quotes and backslashes escaped by a backslash; and in this form, what is not printable ASCII. */
enum records_octets { RECORDS_DECIMAL, RECORDS_OCTAL, RECORDS_HEX, RECORDS_UNICODE };
void records_octets(struct span text, enum records_octets form, struct buf *out);
/* "text" "more text": strings of at most 255 octets, with \" and \\ and \DDD (RFC 1035 section
 * 5.1). */
void records_quote(struct span text, struct buf *out);
/* A record's data as a zone file has it, names with their last dot. */
void records_rdata(const struct record *r, struct buf *out);
/* The n-th word of a value that has several; the last one holds the rest. */
struct span records_word(const char *value, size_t nth, size_t count);
/* Without the quotes around it, if it has any. */
struct span records_unquoted(struct span s);

#endif
