// SPDX-License-Identifier: BSD-2-Clause
/* formats.c - What a plan can be printed as. */
#include "formats.h"

const struct records_format records_formats[] = {
    {"bind", records_bind},
    {"nsupdate", records_nsupdate},
    {"terraform-cloudflare", records_cloudflare},
    {"terraform-route53", records_route53},
    {"terraform-google", records_google},
    {"terraform-azure", records_azure},
    {"octodns", records_octodns},
    {"dnscontrol", records_dnscontrol},
};
const size_t records_format_count = COUNT_OF(records_formats);
