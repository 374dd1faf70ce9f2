// SPDX-License-Identifier: BSD-2-Clause
/* reception.c - What senders find of a domain, one line for each thing that can be right or wrong:
 * its MX and each host for DANE; record, policy and hosts for MTA-STS. */
#include "reception.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { WEEK_S = 7 * 24 * 3600 };

struct judging {
    const struct reception_facts *facts;
    reception_on_finding *on;
    void *context;
};

const char *reception_check_name(enum reception_check check)
{
    return check == RECEPTION_DANE ? "dane" : "mta-sts";
}

const char *reception_state_name(enum reception_state state)
{
    static const char *const names[] = {[RECEPTION_OK] = "ok",
                                        [RECEPTION_MISSING] = "missing",
                                        [RECEPTION_WRONG] = "wrong",
                                        [RECEPTION_UNKNOWN] = "unknown"};
    CHECK((size_t)state < COUNT_OF(names));
    return names[state];
}

/* ---- findings ---- */

static struct reception_finding begin(enum reception_check check, enum reception_state state,
                                      const char *name)
{
    struct reception_finding f = {.check = check, .state = state};
    snprintf(f.name, sizeof(f.name), "%s", name);
    return f;
}

static void PRINTF_LIKE(2, 3) find(struct reception_finding *f, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(f->found, sizeof(f->found), format, args);
    va_end(args);
}

static void PRINTF_LIKE(2, 3) advise(struct reception_finding *f, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(f->advice, sizeof(f->advice), format, args);
    va_end(args);
}

/* ---- DANE ---- */

/* False: nothing can be said of the hosts. */
static bool judge_zone(const struct judging *j)
{
    const struct reception_facts *facts = j->facts;
    enum reception_state state = !facts->validates || !facts->answered ? RECEPTION_UNKNOWN
                                 : facts->secure                       ? RECEPTION_OK
                                                                       : RECEPTION_MISSING;
    struct reception_finding f = begin(RECEPTION_DANE, state, facts->domain);
    if (!facts->validates) {
        find(&f, "DNSSEC is off here");
        advise(&f, "set dns { dnssec = \"on\" }, with a resolver that passes signatures on");
    } else if (!facts->answered) {
        find(&f, "DNS gives no answer for its MX that can be trusted");
        advise(&f, "if that stays so, mend the zone: senders keep its mail back");
    } else if (facts->secure) {
        find(&f, "its MX is signed");
    } else {
        find(&f, "its MX is not signed");
        advise(&f, "sign the zone (DNSSEC): else whoever forges the MX leads mail elsewhere");
    }
    j->on(j->context, &f);
    return state != RECEPTION_UNKNOWN;
}

static bool is_unfit(const struct reception_host *h)
{
    return h->shown != TLS_RESULT_NONE && h->shown != TLS_RESULT_OK;
}

/* It has records. Do they fit? */
static void judge_shown(const struct reception_host *h, struct reception_finding *f)
{
    const char *fits = h->shown == TLS_RESULT_OK ? "its certificate fits"
                       : h->late                 ? "it was too slow to show its TLS"
                                                 : "it was not reached";
    if (h->late) {
        f->state = RECEPTION_UNKNOWN;
        advise(f, "look again; senders wait for some minutes");
    }
    if (!is_unfit(h)) {
        find(f, "%zu TLSA record%s at %s; %s", h->records, h->records == 1 ? "" : "s", h->asked,
             fits);
        return;
    }
    f->state = RECEPTION_WRONG;
    find(f, "it does not fit its TLSA records at %s: %s (%.160s)", h->asked,
         tls_result_name(h->shown), h->why);
    advise(f, "publish the digest of the key that it has: senders with DANE do not use this host");
}

static void judge_host(const struct judging *j, const struct reception_host *h)
{
    static const enum reception_state states[] = {[DANE_PENDING] = RECEPTION_UNKNOWN,
                                                  [DANE_NONE] = RECEPTION_MISSING,
                                                  [DANE_FOUND] = RECEPTION_OK,
                                                  [DANE_UNUSABLE] = RECEPTION_WRONG,
                                                  [DANE_FAILED] = RECEPTION_WRONG};
    struct reception_finding f =
        begin(RECEPTION_DANE, h->found ? states[h->dane] : RECEPTION_UNKNOWN, h->name);
    if (!h->found) {
        find(&f, "it has no address that mail may be sent to, or none is known");
        advise(&f, "see that it has an A or AAAA record, of a public address");
    } else if (h->dane == DANE_FAILED) {
        find(&f, "no usable answer for %s: %s", h->asked, dns_failure_text(h->failure));
        advise(&f, "mend its zone: senders with DANE do not use this host");
    } else if (h->dane == DANE_UNUSABLE) {
        find(&f, "no TLSA record at %s can be used", h->asked);
        advise(&f, "publish 3 1 1 or 2 1 1: usages 0 and 1 mean nothing to mail");
    } else if (h->dane == DANE_FOUND) {
        judge_shown(h, &f);
    } else if (!h->secure) {
        find(&f, "its address is not signed");
        advise(&f, "sign the zone of the host, then publish a TLSA record for it");
    } else {
        find(&f, "it has no TLSA record");
        advise(&f, "publish _25._tcp.%s TLSA 3 1 1 with the digest of its key", h->name);
    }
    j->on(j->context, &f);
}

/* ---- MTA-STS ---- */

/* False: senders look for no policy. */
static bool judge_record(const struct judging *j)
{
    static const enum reception_state states[] = {[MTA_STS_RECORD] = RECEPTION_OK,
                                                  [MTA_STS_NO_RECORD] = RECEPTION_MISSING,
                                                  [MTA_STS_SEVERAL_RECORDS] = RECEPTION_WRONG,
                                                  [MTA_STS_RECORD_MALFORMED] = RECEPTION_WRONG};
    static const char *const faults[][2] = {
        [MTA_STS_RECORD] = {"", ""},
        [MTA_STS_NO_RECORD] = {"there is no record", ""},
        [MTA_STS_SEVERAL_RECORDS] = {"there are several records, which is as none",
                                     "leave one of them"},
        [MTA_STS_RECORD_MALFORMED] = {
            "the record is not well-formed, which is as none",
            "write it as \"v=STSv1; id=X\", X of 1 to 32 letters and digits"}};
    const struct reception_facts *facts = j->facts;
    char name[DNS_NAME_MAX + 16];
    snprintf(name, sizeof(name), "_mta-sts.%s", facts->domain);
    struct reception_finding f =
        begin(RECEPTION_MTA_STS, facts->record_answered ? states[facts->record] : RECEPTION_UNKNOWN,
              name);
    find(&f, "%s", faults[facts->record][0]);
    advise(&f, "%s", faults[facts->record][1]);
    if (!facts->record_answered) {
        find(&f, "DNS gives no answer");
        advise(&f, "if that stays so, mend the zone: senders go on without a policy");
    } else if (facts->record == MTA_STS_RECORD) {
        find(&f, "id %s", facts->id);
    } else if (facts->record == MTA_STS_NO_RECORD) {
        advise(&f, "'sealpost dns %s --format mta-sts' writes a policy, and what to do for it",
               facts->domain);
    }
    j->on(j->context, &f);
    return facts->record_answered && facts->record == MTA_STS_RECORD;
}

/* What to do about a policy that cannot be had, by how its reason begins. */
static const struct {
    const char *reason, *advice;
    enum reception_state state;
} fetch_faults[] = {
    {"host-not-found", "publish where the web server is", RECEPTION_WRONG},
    {"address-not-public", "its address must be one that all can reach", RECEPTION_WRONG},
    {"address-lookup-failed", "DNS does not answer: mend the zone if that stays so",
     RECEPTION_UNKNOWN},
    {"fetcher-", "the fetcher has failed: try again", RECEPTION_UNKNOWN},
    {"certificate", "its certificate must be valid for this name, by an authority that all trust",
     RECEPTION_WRONG},
    {"tls-failed", "it must speak TLS 1.2 or 1.3 at port 443", RECEPTION_WRONG},
    {"connect-failed", "let a web server listen at port 443, open to all", RECEPTION_WRONG},
    {"http-status-3", "put the file there itself: no redirection is followed", RECEPTION_WRONG},
    {"http-status-", "put the file at /.well-known/mta-sts.txt", RECEPTION_WRONG},
    {"timeout", "it was too slow: look again; senders wait for a minute", RECEPTION_UNKNOWN},
    {"policy-", "write it anew: --format mta-sts", RECEPTION_WRONG},
    {"", "senders have no policy: mend the web server", RECEPTION_WRONG}};

static void judge_failure(const struct judging *j, const char *name)
{
    const char *reason = j->facts->reason;
    size_t i = 0;
    while (strncmp(reason, fetch_faults[i].reason, strlen(fetch_faults[i].reason)) != 0)
        i++;
    struct reception_finding f = begin(RECEPTION_MTA_STS, fetch_faults[i].state, name);
    find(&f, "no policy can be had from https://%s: %s (%s)", name,
         tls_result_name(j->facts->failure), reason);
    advise(&f, "%s", fetch_faults[i].advice);
    j->on(j->context, &f);
}

static void judge_policy(const struct judging *j, const char *name)
{
    const struct mta_sts_policy *p = j->facts->policy;
    struct reception_finding f = begin(
        RECEPTION_MTA_STS, p->mode == MTA_STS_MODE_NONE ? RECEPTION_MISSING : RECEPTION_OK, name);
    find(&f, "mode %s, max_age %u", mta_sts_mode_name(p->mode), p->max_age_s);
    if (p->mode == MTA_STS_MODE_NONE)
        advise(&f, "senders use no policy; when you want one, begin with --mta-sts testing");
    else if (p->mode == MTA_STS_MODE_TESTING)
        advise(&f, "senders only report; when reports show no failure, --mta-sts enforce");
    else if (p->max_age_s < WEEK_S)
        advise(&f, "senders forget it soon: weeks are usual");
    j->on(j->context, &f);
}

/* An id that was made of a policy goes with that one only. Of any other it cannot be said. */
static void judge_id(const struct judging *j)
{
    const struct reception_facts *facts = j->facts;
    char id[MTA_STS_ID_MAX + 1];
    char name[DNS_NAME_MAX + 16];
    mta_sts_policy_id(facts->policy, id);
    if (!mta_sts_policy_made_id(span_of(facts->id)) || strcmp(id, facts->id) == 0)
        return;
    snprintf(name, sizeof(name), "_mta-sts.%s", facts->domain);
    struct reception_finding f = begin(RECEPTION_MTA_STS, RECEPTION_WRONG, name);
    find(&f, "id %s is of another policy than the one that is served", facts->id);
    advise(&f, "publish id=%s: senders that have a policy fetch it anew only then", id);
    j->on(j->context, &f);
}

static void judge_meant(const struct judging *j, const char *name)
{
    char served[MTA_STS_ID_MAX + 1];
    char meant[MTA_STS_ID_MAX + 1];
    if (!j->facts->meant)
        return;
    mta_sts_policy_id(j->facts->policy, served);
    mta_sts_policy_id(j->facts->meant, meant);
    if (strcmp(served, meant) == 0)
        return;
    struct reception_finding f = begin(RECEPTION_MTA_STS, RECEPTION_MISSING, name);
    find(&f, "the policy is another than that of the settings");
    advise(&f, "'sealpost reload' if this relay serves it, else put the new file there");
    j->on(j->context, &f);
}

static void judge_named(const struct judging *j, const struct reception_host *h)
{
    const struct mta_sts_policy *policy = j->facts->policy;
    bool named = mta_sts_matches(policy, span_of(h->name));
    bool judged = named && (h->dane == DANE_NONE || h->dane == DANE_UNUSABLE); /* by authorities */
    bool unfit = judged && is_unfit(h);
    bool late = judged && h->late;
    enum reception_state state = !named || unfit ? RECEPTION_WRONG
                                 : late          ? RECEPTION_UNKNOWN
                                                 : RECEPTION_OK;
    struct reception_finding f = begin(RECEPTION_MTA_STS, state, h->name);
    find(&f, !named ? "the policy does not name it"
             : late ? "the policy names it, and it was too slow to show its TLS"
                    : "the policy names it");
    if (!named)
        advise(&f, "add mx: %.250s to the policy, then publish the new id: %s", h->name,
               policy->mode == MTA_STS_MODE_ENFORCE ? "no sender uses this host"
                                                    : "\"enforce\" would bar it");
    if (late)
        advise(&f, "look again; senders wait for some minutes");
    if (unfit) {
        find(&f, "the policy names it, and its TLS is not as it must be: %s (%.160s)",
             tls_result_name(h->shown), h->why);
        advise(&f, "give it a certificate for its name, by an authority that all trust");
    }
    j->on(j->context, &f);
}

void reception_judge(const struct reception_facts *facts, reception_on_finding *on, void *context)
{
    const struct judging j = {facts, on, context};
    char name[DNS_NAME_MAX + 16];
    snprintf(name, sizeof(name), "mta-sts.%s", facts->domain);
    if (judge_zone(&j))
        for (size_t i = 0; i < facts->host_count; i++)
            judge_host(&j, &facts->hosts[i]);
    if (!judge_record(&j))
        return;
    if (!facts->policy) {
        judge_failure(&j, name);
        return;
    }
    judge_policy(&j, name);
    judge_id(&j);
    judge_meant(&j, name);
    for (size_t i = 0; facts->policy->mode != MTA_STS_MODE_NONE && i < facts->host_count; i++)
        judge_named(&j, &facts->hosts[i]);
}
