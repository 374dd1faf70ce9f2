// SPDX-License-Identifier: BSD-2-Clause
/* records.h - The DNS records that a sending domain must publish. */
#ifndef RECORDS_H
#define RECORDS_H

#include "buf.h"

struct record {
    char name[320]; /* full name, without the trailing dot */
    const char *type;
    char value[1024]; /* TXT: one string, unquoted */
    const char *why;
};

enum { RECORDS_MAX = 8 };

struct records_key {
    const char *selector, *algorithm, *public_key; /* public_key: base64 */
};

struct records_input {
    const char *domain;
    const char *const *public_ips; /* IPv4 and IPv6 addresses in text */
    size_t ip_count;
    const struct records_key *keys;
    size_t key_count;
};

/* One record each. */
void records_spf(const struct records_input *in, struct record *record_r);
void records_dkim(const char *domain, const struct records_key *key, struct record *record_r);
void records_dmarc(const char *domain, struct record *record_r);

/* SPF, one DKIM record per key, DMARC; returns how many were written, at most RECORDS_MAX. */
size_t records_make(const struct records_input *in, struct record *records_r);

#endif
