// SPDX-License-Identifier: BSD-2-Clause
/* dns_outage.c - Begins with the first silence, ends with the first answer to whom that met,
 * and is told once. */
#include "dns_outage.h"

enum dns_outage_news dns_outage_note(struct dns_outage *o, const void *by, bool silent, bool wanted,
                                     int64_t now_ms, int64_t after_ms, int64_t *since_ms_r)
{
    bool told = o->told;
    *since_ms_r = o->lasts ? o->since_ms : now_ms;
    if (!silent && o->lasts && o->by != by)
        return DNS_OUTAGE_NO_NEWS;
    if (!silent) {
        *o = (struct dns_outage){0};
        return told ? DNS_OUTAGE_IS_OVER : DNS_OUTAGE_NO_NEWS;
    }
    if (!o->lasts) {
        o->since_ms = now_ms;
        o->by = by;
    }
    o->lasts = true;
    o->wanted = o->wanted || wanted;
    o->told = told || (o->wanted && now_ms - o->since_ms >= after_ms);
    return o->told && !told ? DNS_OUTAGE_LASTS : DNS_OUTAGE_NO_NEWS;
}

void dns_outage_untold(struct dns_outage *o)
{
    o->told = false;
}
