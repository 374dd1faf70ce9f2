// SPDX-License-Identifier: BSD-2-Clause
/* records.c - SPF (RFC 7208), DKIM (RFC 6376 section 3.6.1), DMARC (RFC 9989). */
#include "records.h"

#include <stdio.h>
#include <string.h>

void records_spf(const struct records_input *in, struct record *record_r)
{
    struct record *r = record_r;
    *r = (struct record){.type = "TXT",
                         .why = "SPF: lets receivers see that this relay may send for the domain"};
    snprintf(r->name, sizeof(r->name), "%s", in->domain);
    size_t used = (size_t)snprintf(r->value, sizeof(r->value), "v=spf1");
    for (size_t i = 0; i < in->ip_count && used + 64 < sizeof(r->value); i++)
        used += (size_t)snprintf(r->value + used, sizeof(r->value) - used, " ip%c:%s",
                                 strchr(in->public_ips[i], ':') ? '6' : '4', in->public_ips[i]);
    snprintf(r->value + used, sizeof(r->value) - used, " ~all");
}

void records_dkim(const char *domain, const struct records_key *key, struct record *record_r)
{
    *record_r = (struct record){
        .type = "TXT", .why = "DKIM: the public half of the key that signs the domain's mail"};
    snprintf(record_r->name, sizeof(record_r->name), "%s._domainkey.%s", key->selector, domain);
    snprintf(record_r->value, sizeof(record_r->value), "v=DKIM1; k=%s; p=%s", key->algorithm,
             key->public_key);
}

void records_dmarc(const char *domain, struct record *record_r)
{
    *record_r = (struct record){
        .type = "TXT", .why = "DMARC: asks receivers to check both; step up to p=reject later"};
    snprintf(record_r->name, sizeof(record_r->name), "_dmarc.%s", domain);
    snprintf(record_r->value, sizeof(record_r->value), "v=DMARC1; p=none");
}

size_t records_make(const struct records_input *in, struct record *records_r)
{
    size_t count = 0;
    records_spf(in, &records_r[count++]);
    for (size_t i = 0; i < in->key_count && count < RECORDS_MAX - 1; i++)
        records_dkim(in->domain, &in->keys[i], &records_r[count++]);
    records_dmarc(in->domain, &records_r[count++]);
    return count;
}
