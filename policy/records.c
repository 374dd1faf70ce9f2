// SPDX-License-Identifier: BSD-2-Clause
/* records.c - SPF (RFC 7208), DKIM (RFC 6376 section 3.6.1), DMARC (RFC 9989). */
#include "records.h"

#include <stdio.h>
#include <string.h>

static void make_spf(const struct records_input *in, struct record *r)
{
    *r = (struct record){.type = "TXT",
                         .why = "SPF: lets receivers see that this relay may send for the domain"};
    snprintf(r->name, sizeof(r->name), "%s", in->domain);
    size_t used = (size_t)snprintf(r->value, sizeof(r->value), "v=spf1");
    for (size_t i = 0; i < in->ip_count && used + 64 < sizeof(r->value); i++)
        used += (size_t)snprintf(r->value + used, sizeof(r->value) - used, " ip%c:%s",
                                 strchr(in->public_ips[i], ':') ? '6' : '4', in->public_ips[i]);
    snprintf(r->value + used, sizeof(r->value) - used, " ~all");
}

size_t records_make(const struct records_input *in, struct record *records_r)
{
    size_t count = 0;
    make_spf(in, &records_r[count++]);
    for (size_t i = 0; i < in->key_count && count < RECORDS_MAX - 1; i++) {
        struct record *r = &records_r[count++];
        *r = (struct record){
            .type = "TXT", .why = "DKIM: the public half of the key that signs the domain's mail"};
        snprintf(r->name, sizeof(r->name), "%s._domainkey.%s", in->keys[i].selector, in->domain);
        snprintf(r->value, sizeof(r->value), "v=DKIM1; k=%s; p=%s", in->keys[i].algorithm,
                 in->keys[i].public_key);
    }
    struct record *r = &records_r[count++];
    *r = (struct record){.type = "TXT",
                         .why = "DMARC: asks receivers to check both; step up to p=reject later"};
    snprintf(r->name, sizeof(r->name), "_dmarc.%s", in->domain);
    snprintf(r->value, sizeof(r->value), "v=DMARC1; p=none");
    return count;
}
