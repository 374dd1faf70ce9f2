// SPDX-License-Identifier: BSD-2-Clause
/* alignment.c - Predicts how receivers will judge mail of a pair of domains.
 *
 * All checks are evaluated, then the findings are examined in order of severity; the first one
 * determines the sentence. DMARC is evaluated twice: with the identifiers that certainly pass, and
 * with those that may pass if DNS does not answer or the relay has several addresses. Only mail
 * that fails in both cases is certain to fail.
 */
#include "alignment.h"

#include "spf_merge.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct judgement {
    const struct alignment_input *in;
    const struct dns *dns;
    struct alignment *out;
    struct alignment_detail *d;
    const char *spf_domain; /* MAIL FROM, or HELO for the null sender */
    bool dkim_sure, dkim_possible;
    bool spf_sure, spf_deployed, spf_possible, spf_silent;
};

static const char *const mode_names[] = {
    [ALIGNMENT_OFF] = "off", [ALIGNMENT_OBSERVE] = "observe", [ALIGNMENT_ENFORCE] = "enforce"};

const char *alignment_mode_name(enum alignment_mode mode)
{
    CHECK((unsigned)mode < COUNT_OF(mode_names));
    return mode_names[mode];
}

const char *alignment_state_name(enum alignment_state state)
{
    static const char *const names[] = {[ALIGNMENT_PENDING] = "pending",
                                        [ALIGNMENT_PASS] = "pass",
                                        [ALIGNMENT_WARN] = "warn",
                                        [ALIGNMENT_FAIL] = "fail",
                                        [ALIGNMENT_UNKNOWN] = "unknown"};
    CHECK((unsigned)state < COUNT_OF(names));
    return names[state];
}

/* ---- gathering ---- */

static void check_dkim(struct judgement *j)
{
    j->d->key_count = j->in->key_count < ALIGNMENT_KEYS_MAX ? j->in->key_count : ALIGNMENT_KEYS_MAX;
    for (size_t i = 0; i < j->d->key_count; i++) {
        const struct alignment_key *k = &j->in->keys[i];
        enum dkim_state state = dkim_record_check(j->dns, j->in->author, k->selector, k->algorithm,
                                                  span_of(k->public_key));
        j->d->dkim[i] = state;
        j->dkim_sure = j->dkim_sure || dkim_state_passes(state);
        j->dkim_possible = j->dkim_possible || state == DKIM_UNANSWERED;
    }
    j->dkim_possible = j->dkim_possible || j->dkim_sure;
}

static void check_spf(struct judgement *j)
{
    char sender[DNS_NAME_MAX + 16];
    snprintf(sender, sizeof(sender), "postmaster@%s", j->spf_domain);
    j->spf_sure = j->spf_deployed = j->in->ip_count > 0;
    j->spf_possible = j->in->ip_count == 0; /* nothing is known of our address */
    for (size_t i = 0; i < j->in->ip_count && i < ALIGNMENT_IPS_MAX; i++) {
        struct spf_query q = {.sender = span_of(sender),
                              .helo = span_of(j->in->helo),
                              .receiver = SPAN_NONE,
                              .now_ms = j->in->now_ms};
        if (!ip_parse(j->in->public_ips[i], &q.ip))
            continue;
        struct spf_answer *strict = &j->d->spf[j->d->ip_count].strict;
        struct spf_reading *deployed = &j->d->spf[j->d->ip_count++].deployed;
        spf_check(&q, j->dns, strict);
        *deployed = (struct spf_reading){.result = SPF_PENDING};
        if (strict->result != SPF_PENDING)
            spf_deployed_check(&q, j->dns, deployed);
        j->spf_sure = j->spf_sure && strict->result == SPF_PASS;
        j->spf_deployed = j->spf_deployed && deployed->read && deployed->result == SPF_PASS;
        j->spf_silent = j->spf_silent || strict->result == SPF_TEMPERROR;
        j->spf_possible = j->spf_possible || strict->result == SPF_PASS;
    }
    j->spf_possible = j->spf_possible || j->spf_silent;
}

static void make_query(const struct judgement *j, bool dkim, bool spf, struct dmarc_query *q)
{
    *q = (struct dmarc_query){.author = j->in->author, .dkim_count = 1};
    q->dkim[0].pass = dkim;
    q->spf.pass = spf;
    snprintf(q->dkim[0].domain, sizeof(q->dkim[0].domain), "%s", j->in->author);
    snprintf(q->spf.domain, sizeof(q->spf.domain), "%s", j->spf_domain);
}

/* ---- sentences ---- */

static bool say(struct judgement *j, enum alignment_state state, const char *format, ...)
    PRINTF_LIKE(3, 4);

static bool say(struct judgement *j, enum alignment_state state, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(j->out->sentence, sizeof(j->out->sentence), format, args);
    va_end(args);
    j->out->state = state;
    return true;
}

static size_t first_bad_key(const struct judgement *j)
{
    size_t i = 0;
    while (i < j->d->key_count && j->d->dkim[i] == DKIM_OK)
        i++;
    return i;
}

static void fix_dkim(struct judgement *j, size_t i)
{
    const struct alignment_key *k = &j->in->keys[i];
    const struct records_key key = {
        .selector = k->selector, .algorithm = k->algorithm, .public_key = k->public_key};
    if (j->d->dkim[i] != DKIM_UNANSWERED)
        records_dkim(j->in->author, &key, &j->out->fix);
}

/* "DKIM key record s._domainkey.d is missing", or that there is no key. */
static void describe_dkim(const struct judgement *j, size_t i, char *text_r, size_t size)
{
    if (i == j->d->key_count)
        snprintf(text_r, size, "%s has no DKIM key here ('sealpost domain add %s')", j->in->author,
                 j->in->author);
    else
        snprintf(text_r, size, "DKIM key record %s._domainkey.%s %s", j->in->keys[i].selector,
                 j->in->author, dkim_state_text(j->d->dkim[i]));
}

static size_t first_bad_ip(const struct judgement *j)
{
    size_t i = 0;
    while (i < j->d->ip_count && j->d->spf[i].strict.result == SPF_PASS)
        i++;
    return i;
}

static void describe_spf(const struct judgement *j, char *text_r, size_t size)
{
    size_t i = first_bad_ip(j);
    if (j->d->ip_count == 0)
        snprintf(text_r, size, "SPF is not judged, as public_ip is not set");
    else if (i == j->d->ip_count)
        snprintf(text_r, size, "SPF passes, but for %s, which is not aligned", j->spf_domain);
    else
        snprintf(text_r, size, "SPF of %s says %s for %s", j->spf_domain,
                 spf_result_name(j->d->spf[i].strict.result), j->in->public_ips[i]);
}

/* The record there is, with our addresses that do not pass; or a new one. False: DNS is pending. */
static bool fix_spf(struct judgement *j)
{
    struct spf_merge merge;
    spf_merge(j->spf_domain, j->in->public_ips, j->in->ip_count, NULL, j->dns, &merge);
    if (merge.state == SPF_MERGE_NEW || merge.state == SPF_MERGE_CHANGED)
        records_text(&j->out->fix, j->spf_domain, merge.text);
    return merge.state != SPF_MERGE_PENDING;
}

/* ---- findings, heaviest first; each says whether it is the one ---- */

static bool is_pending(struct judgement *j)
{
    bool pending = j->d->strict.result == DMARC_PENDING || j->d->deployed.result == DMARC_PENDING;
    for (size_t i = 0; i < j->d->key_count; i++)
        pending = pending || j->d->dkim[i] == DKIM_PENDING;
    for (size_t i = 0; i < j->d->ip_count; i++)
        pending = pending || j->d->spf[i].strict.result == SPF_PENDING ||
                  j->d->spf[i].deployed.result == SPF_PENDING;
    return pending && say(j, ALIGNMENT_PENDING, "DNS is still being asked");
}

static bool is_silent(struct judgement *j)
{
    if (j->d->strict.result == DMARC_TEMPERROR)
        return say(j, ALIGNMENT_UNKNOWN, "DNS does not answer for the DMARC records of %s",
                   j->in->author);
    return false;
}

/* Fails now; what would it be if all that may pass did? */
static bool is_failing(struct judgement *j)
{
    char dkim[700];
    char spf[700];
    struct dmarc_query q;
    struct dmarc_answer best;
    if (j->d->strict.result != DMARC_FAIL)
        return false;
    make_query(j, j->dkim_possible, j->spf_possible, &q);
    dmarc_check(&q, j->dns, &best);
    size_t key = first_bad_key(j);
    describe_dkim(j, key, dkim, sizeof(dkim));
    describe_spf(j, spf, sizeof(spf));
    if (key < j->d->key_count)
        fix_dkim(j, key);
    if (best.result == DMARC_PENDING)
        return say(j, ALIGNMENT_PENDING, "DNS is still being asked");
    if (best.result == DMARC_FAIL && j->d->strict.policy != DMARC_POLICY_IS_NONE)
        return say(j, ALIGNMENT_FAIL, "DMARC of %s asks receivers to %s this mail: %s, and %s",
                   j->in->author, dmarc_policy_name(j->d->strict.policy), dkim, spf);
    bool silent =
        best.result == DMARC_TEMPERROR || (j->dkim_possible && !j->dkim_sure) || j->spf_silent;
    return say(j, silent && best.result != DMARC_FAIL ? ALIGNMENT_UNKNOWN : ALIGNMENT_WARN,
               "DMARC of %s %s: %s, and %s", j->in->author,
               best.result == DMARC_FAIL ? "fails, though its policy is none" : "may fail", dkim,
               spf);
}

static bool has_bad_key(struct judgement *j)
{
    char text[700];
    size_t i = first_bad_key(j);
    if (i == j->d->key_count && i > 0)
        return false;
    describe_dkim(j, i, text, sizeof(text));
    if (i < j->d->key_count)
        fix_dkim(j, i);
    bool silent = i < j->d->key_count && j->d->dkim[i] == DKIM_UNANSWERED;
    return say(j, silent ? ALIGNMENT_UNKNOWN : ALIGNMENT_WARN, "%s", text);
}

static bool has_bad_spf(struct judgement *j)
{
    char text[700];
    if (j->in->ip_count == 0)
        return say(j, ALIGNMENT_WARN,
                   "SPF cannot be judged: set public_ip in the config file to the address that "
                   "receivers see");
    if (j->spf_sure)
        return false;
    describe_spf(j, text, sizeof(text));
    if (!fix_spf(j))
        return say(j, ALIGNMENT_PENDING, "DNS is still being asked");
    size_t i = first_bad_ip(j);
    const char *why = i < j->d->ip_count ? j->d->spf[i].strict.why : "";
    return say(j, j->spf_silent ? ALIGNMENT_UNKNOWN : ALIGNMENT_WARN, "%s%s%s", text,
               *why ? ": " : "", why);
}

static bool has_no_policy(struct judgement *j)
{
    if (j->d->strict.result != DMARC_NONE)
        return false;
    records_dmarc(j->in->author, NULL, &j->out->fix);
    return say(j, ALIGNMENT_WARN, "%s has no DMARC policy, which large receivers ask for: %s",
               j->in->author, j->d->strict.why);
}

/* What receivers run may see it otherwise: both sentences. */
static bool is_read_otherwise(struct judgement *j)
{
    for (size_t i = 0; i < j->d->ip_count; i++) {
        const struct spf_reading *r = &j->d->spf[i].deployed;
        if (r->result != SPF_PASS || !r->read)
            return say(j, ALIGNMENT_WARN,
                       "SPF of %s passes for %s by RFC 7208, but receivers that run libspf2 say "
                       "%s%s%s",
                       j->spf_domain, j->in->public_ips[i],
                       r->read ? spf_result_name(r->result) : "nothing", *r->why ? ": " : "",
                       r->why);
    }
    if (j->d->deployed.result != j->d->strict.result)
        return say(j, ALIGNMENT_WARN,
                   "DMARC of %s says %s by RFC 9989, but receivers that run OpenDMARC (RFC 7489) "
                   "say %s%s%s: publish a DMARC record at _dmarc.%s itself",
                   j->in->author, dmarc_result_name(j->d->strict.result),
                   dmarc_result_name(j->d->deployed.result), *j->d->deployed.why ? ": " : "",
                   j->d->deployed.why, j->in->author);
    return false;
}

static bool (*const findings[])(struct judgement *j) = {
    is_pending, is_silent, is_failing, has_bad_key, has_bad_spf, has_no_policy, is_read_otherwise,
};

void alignment_judge(const struct alignment_input *input, const struct dns *dns,
                     struct alignment *alignment_r, struct alignment_detail *detail_r)
{
    struct dns_log log;
    struct dmarc_query sure;
    dns_log_init(&log, dns);
    struct judgement j = {.in = input,
                          .dns = &log.dns,
                          .out = alignment_r,
                          .d = detail_r,
                          .spf_domain =
                              input->return_domain[0] ? input->return_domain : input->helo};
    *alignment_r = (struct alignment){.state = ALIGNMENT_PASS};
    *detail_r = (struct alignment_detail){0};
    check_dkim(&j);
    check_spf(&j);
    make_query(&j, j.dkim_sure, j.spf_sure, &sure);
    dmarc_check(&sure, j.dns, &detail_r->strict);
    make_query(&j, j.dkim_sure, j.spf_deployed, &sure);
    dmarc_deployed_check(&sure, j.dns, input->suffixes, &detail_r->deployed);
    snprintf(alignment_r->sentence, sizeof(alignment_r->sentence),
             "DKIM, SPF and DMARC pass for %s", input->author);
    for (size_t i = 0; i < COUNT_OF(findings); i++)
        if (findings[i](&j))
            break;
    alignment_r->ttl_s = log.ttl_s;
    dns_log_fini(&log);
}

struct verdict alignment_verdict(const struct alignment *a, enum alignment_mode mode)
{
    if (a->state != ALIGNMENT_FAIL || mode != ALIGNMENT_ENFORCE)
        return verdict_make(250, "2.0.0", "OK");
    return verdict_make(550, "5.7.26", "%s", a->sentence);
}

void alignment_hint(const struct alignment *a, struct buf *lines)
{
    if (a->fix.name[0])
        buf_addf(lines, "Publish this %s record at %s:\n%s\n", dns_type_name(a->fix.type),
                 a->fix.name, a->fix.value);
}
