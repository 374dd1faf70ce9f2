// SPDX-License-Identifier: BSD-2-Clause
/* dmarc_deployed.c - Evaluates DMARC with libopendmarc, its only user: record, one or two results,
 * policy.
 *
 * The library accepts text that is not a record ("p=q", "v=dmarc1"), refuses valid records (without
 * p= but with rua=), and loses aspf=s when rf=iodef follows. Therefore it is given a record that is
 * rewritten from our own parser's result, with the tags of RFC 7489 that affect the decision and
 * nothing else.
 */
#include "dmarc_deployed.h"

#include <stdio.h>
#include <string.h>
#include <sys/types.h>

#include <opendmarc/dmarc.h>

enum { RECORD_MAX = 120 };

/* The library takes no const. */
static u_char *bytes(const char *text)
{
    return (u_char *)(uintptr_t)text;
}

static void find_organizational(const struct suffixes *suffixes, const char *domain, char *name_r)
{
    if (!suffixes_find(suffixes, domain, name_r))
        snprintf(name_r, DNS_NAME_MAX + 1, "%s", domain); /* a public suffix stands for itself */
}

/* The record at one name; DNS_NODATA when it asks for nothing (RFC 7489 section 6.6.3). */
static enum dns_status fetch(const struct dns *dns, const char *domain,
                             struct dmarc_record *record_r)
{
    char name[DNS_NAME_MAX + 16];
    snprintf(name, sizeof(name), "_dmarc.%s", domain);
    if (strlen(name) > DNS_NAME_MAX)
        return DNS_NXDOMAIN;
    const struct dns_answer *a = dns->ask(dns->context, name, DNS_TXT);
    if (a->status != DNS_FOUND)
        return a->status;
    return dmarc_record_select(a, record_r) ? DNS_FOUND : DNS_NODATA;
}

static void print_record(const struct dmarc_record *r, char *text_r)
{
    snprintf(text_r, RECORD_MAX, "v=DMARC1; p=%s; sp=%s; adkim=%c; aspf=%c; pct=%u",
             dmarc_policy_name(r->p), dmarc_policy_name(r->sp), r->strict_dkim ? 's' : 'r',
             r->strict_spf ? 's' : 'r', r->percent);
}

static bool is_aligned(const struct dmarc_identifier *id, const char *author,
                       const char *organizational, bool strict, const struct suffixes *suffixes)
{
    char own[DNS_NAME_MAX + 1];
    if (!id->pass || !id->domain[0])
        return false;
    if (strcmp(id->domain, author) == 0)
        return true;
    return !strict && suffixes_find(suffixes, id->domain, own) && strcmp(own, organizational) == 0;
}

static void align(DMARC_POLICY_T *policy, const struct dmarc_query *query,
                  const struct suffixes *suffixes, struct dmarc_reading *reading)
{
    int adkim = 0;
    int aspf = 0;
    opendmarc_policy_fetch_adkim(policy, &adkim);
    opendmarc_policy_fetch_aspf(policy, &aspf);
    for (size_t i = 0; i < query->dkim_count && !reading->dkim_aligned; i++)
        reading->dkim_aligned =
            is_aligned(&query->dkim[i], query->author, reading->organizational_domain,
                       adkim == DMARC_RECORD_A_STRICT, suffixes);
    reading->spf_aligned = is_aligned(&query->spf, query->author, reading->organizational_domain,
                                      aspf == DMARC_RECORD_A_STRICT, suffixes);
    if (reading->dkim_aligned)
        opendmarc_policy_store_dkim(policy, bytes(query->author), bytes("s"),
                                    DMARC_POLICY_DKIM_OUTCOME_PASS, bytes("pass"));
    if (reading->spf_aligned)
        opendmarc_policy_store_spf(policy, bytes(query->author), DMARC_POLICY_SPF_OUTCOME_PASS,
                                   DMARC_POLICY_SPF_ORIGIN_MAILFROM, bytes("pass"));
}

/* What the record asks for, whatever the result: p, or sp when it is the organizational domain's.
 */
static enum dmarc_policy asked_for(DMARC_POLICY_T *policy, bool from_organizational)
{
    int p = 0;
    int sp = 0;
    int percent = 100;
    opendmarc_policy_fetch_p(policy, &p);
    opendmarc_policy_fetch_sp(policy, &sp);
    opendmarc_policy_fetch_pct(policy, &percent);
    int wanted = from_organizational && sp != DMARC_RECORD_P_UNSPECIFIED ? sp : p;
    if (percent == 0)
        return DMARC_POLICY_IS_NONE;
    return wanted == DMARC_RECORD_P_REJECT       ? DMARC_POLICY_IS_REJECT
           : wanted == DMARC_RECORD_P_QUARANTINE ? DMARC_POLICY_IS_QUARANTINE
                                                 : DMARC_POLICY_IS_NONE;
}

static enum dmarc_result judge(DMARC_POLICY_T *policy, struct dmarc_reading *reading)
{
    OPENDMARC_STATUS_T status = opendmarc_get_policy_to_enforce(policy);
    bool aligned = reading->dkim_aligned || reading->spf_aligned;
    if (aligned != (status == DMARC_POLICY_PASS))
        snprintf(reading->why, sizeof(reading->why),
                 "libopendmarc contradicts the alignment of its own input");
    return aligned ? DMARC_PASS : DMARC_FAIL;
}

static enum dmarc_result read_record(const struct dmarc_query *query,
                                     const struct dmarc_record *record, bool from_organizational,
                                     const struct suffixes *suffixes, struct dmarc_reading *reading)
{
    static u_char nowhere[] = "192.0.2.1";
    DMARC_POLICY_T *policy = opendmarc_policy_connect_init(nowhere, DMARC_POLICY_IP_TYPE_IPV4);
    enum dmarc_result result = DMARC_NONE;
    char text[RECORD_MAX];
    CHECK(policy != NULL);
    print_record(record, text);
    OPENDMARC_STATUS_T status = opendmarc_policy_store_from_domain(policy, bytes(query->author));
    if (status == DMARC_PARSE_OKAY)
        status = opendmarc_policy_store_dmarc(
            policy, bytes(text), bytes(query->author),
            from_organizational ? bytes(reading->organizational_domain) : NULL);
    if (status == DMARC_PARSE_OKAY) {
        align(policy, query, suffixes, reading);
        reading->policy = asked_for(policy, from_organizational);
        result = judge(policy, reading);
    } else {
        snprintf(reading->why, sizeof(reading->why), "libopendmarc cannot read the record");
    }
    opendmarc_policy_connect_shutdown(policy);
    return result;
}

void dmarc_deployed_check(const struct dmarc_query *query, const struct dns *dns,
                          const struct suffixes *suffixes, struct dmarc_reading *reading_r)
{
    struct dmarc_record record;
    *reading_r = (struct dmarc_reading){.result = DMARC_NONE};
    find_organizational(suffixes, query->author, reading_r->organizational_domain);
    enum dns_status status = fetch(dns, query->author, &record);
    bool up = (status == DNS_NODATA || status == DNS_NXDOMAIN) &&
              strcmp(reading_r->organizational_domain, query->author) != 0;
    if (up)
        status = fetch(dns, reading_r->organizational_domain, &record);
    if (status == DNS_PENDING)
        reading_r->result = DMARC_PENDING;
    else if (status == DNS_FAILED)
        reading_r->result = DMARC_TEMPERROR;
    else if (status == DNS_FOUND && record.usable)
        reading_r->result = read_record(query, &record, up, suffixes, reading_r);
    else
        snprintf(reading_r->why, sizeof(reading_r->why), "there is no DMARC record");
}
