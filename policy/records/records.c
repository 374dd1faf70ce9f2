// SPDX-License-Identifier: BSD-2-Clause
/* records.c - For each kind of record its purpose, its value, and when a published record is
 * equivalent: SPF (RFC 7208), DKIM (RFC 6376 section 3.6.1), DMARC (RFC 9989) and others. */
#include "planning.h"

#include "dkim_record.h"
#include "dmarc.h"
#include "spf.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name, *title, *why;
    const char *prefix; /* of the texts of this kind; NULL: none */
} roles[RECORDS_ROLES] = {
    [RECORDS_SPF] = {"spf", "SPF", "lets receivers see that this relay may send for the domain",
                     "v=spf1"},
    [RECORDS_DKIM] = {"dkim", "DKIM", "the public half of the key that signs the domain's mail",
                      NULL},
    [RECORDS_DMARC] =
        {"dmarc", "DMARC",
         "what receivers shall do with mail that passes neither; large ones ask for it",
         "v=DMARC1"},
    [RECORDS_DMARC_REPORTS] = {"dmarc-reports", "DMARC reports",
                               "lets this domain's reports be sent to another organization",
                               "v=DMARC1"},
    [RECORDS_RETURN_PATH] = {"return-path", "return path",
                             "takes the bounces of mail with this MAIL FROM domain", NULL},
    [RECORDS_UNSUBSCRIBE] = {"unsubscribe", "unsubscribe",
                             "the host of the links that end a stream", NULL},
    [RECORDS_TLSRPT] = {"tlsrpt", "TLSRPT",
                        "asks senders to report when TLS to this domain's servers fails (RFC 8460)",
                        "v=TLSRPTv1"},
    [RECORDS_POLICY_HOST] = {"mta-sts-host", "MTA-STS host",
                             "the web server that senders fetch the policy file from (RFC 8461)",
                             NULL},
    [RECORDS_MTA_STS] = {"mta-sts", "MTA-STS",
                         "tells senders to use TLS only, when the policy file is there (RFC 8461)",
                         "v=STSv1"},
    [RECORDS_SUBMISSION] = {"submission", "submission",
                            "lets mail programs find this relay by themselves (RFC 6186, 8314)",
                            NULL},
    [RECORDS_CAA] = {"caa", "CAA", "names the authority that may issue certificates (RFC 8659)",
                     NULL},
    [RECORDS_HOST] = {"host", "host", "the relay's own address, which its PTR record leads back to",
                      NULL},
    [RECORDS_PTR] = {"ptr", "PTR",
                     "ask whoever gave you the address: receivers refuse mail without", NULL},
    [RECORDS_HELO] = {"helo", "HELO SPF", "lets bounces pass SPF, which have no sender", "v=spf1"},
    [RECORDS_TLSA] = {"tlsa", "TLSA",
                      "binds the certificate to the name by DNSSEC (RFC 7672): publish the new one "
                      "before you change it",
                      NULL},
};

const char *records_role_name(enum records_role role)
{
    CHECK((unsigned)role < RECORDS_ROLES);
    return roles[role].name;
}

const char *records_role_title(enum records_role role)
{
    CHECK((unsigned)role < RECORDS_ROLES);
    return roles[role].title;
}

const char *records_role_why(enum records_role role)
{
    CHECK((unsigned)role < RECORDS_ROLES);
    return roles[role].why;
}

const char *records_need_name(enum records_need need)
{
    static const char *const names[] = {[RECORDS_REQUIRED] = "required",
                                        [RECORDS_RECOMMENDED] = "recommended",
                                        [RECORDS_LATER] = "later"};
    CHECK((unsigned)need < COUNT_OF(names));
    return names[need];
}

const char *records_state_name(enum records_state state)
{
    static const char *const names[] = {[RECORDS_UNKNOWN] = "unknown",
                                        [RECORDS_OK] = "ok",
                                        [RECORDS_MISSING] = "missing",
                                        [RECORDS_WRONG] = "wrong",
                                        [RECORDS_PROPAGATING] = "propagating"};
    CHECK((unsigned)state < COUNT_OF(names));
    return names[state];
}

/* ---- one record ---- */

/* A TXT record. What is too long to be a name is none: cut, it would be another one. */
static void begin_text(struct record *record_r, const char *format, ...) PRINTF_LIKE(2, 3);
static void begin_text(struct record *record_r, const char *format, ...)
{
    va_list args;
    record_r->type = DNS_TXT;
    record_r->cut_count = 0;
    va_start(args, format);
    int len = vsnprintf(record_r->name, sizeof(record_r->name), format, args);
    va_end(args);
    if (len < 0 || (size_t)len >= sizeof(record_r->name))
        record_r->name[0] = '\0';
}

void records_text(struct record *record_r, const char *name, const char *text)
{
    begin_text(record_r, "%s", name);
    snprintf(record_r->value, sizeof(record_r->value), "%s", text);
}

void records_dkim(const char *domain, const struct records_key *key, struct record *record_r)
{
    if (key->delegated)
        begin_text(record_r, "%s", key->delegated);
    else
        begin_text(record_r, "%s._domainkey.%s", key->selector, domain);
    snprintf(record_r->value, sizeof(record_r->value), "v=DKIM1; k=%s; p=%s",
             key_algorithm_name(key->algorithm),
             key->use == RECORDS_KEY_REVOKED ? "" : key->public_key);
}

void records_dmarc(const char *domain, const char *rua, struct record *record_r)
{
    begin_text(record_r, "_dmarc.%s", domain);
    snprintf(record_r->value, sizeof(record_r->value), "v=DMARC1; p=none%s%s",
             rua ? "; rua=mailto:" : "", rua ? rua : "");
}

/* ---- comparing by meaning ---- */

/* Blanks are one blank, and letters have no case: the same SPF record. */
static bool same_words(struct span a, struct span b)
{
    while (a.len > 0 || b.len > 0) {
        struct span x = span_take(&a, ' ');
        struct span y = span_take(&b, ' ');
        while (x.len == 0 && a.len > 0)
            x = span_take(&a, ' ');
        while (y.len == 0 && b.len > 0)
            y = span_take(&b, ' ');
        if (!span_equal_nocase(x, y))
            return false;
    }
    return true;
}

/* The same tags with the same values, in any order (RFC 6376 section 3.2, RFC 9989 section 4.7). */
static bool has_tags(struct span a, struct span of)
{
    while (of.len > 0) {
        struct span value = span_take(&of, ';');
        struct span name = span_trim(span_take(&value, '='));
        bool found = name.len == 0;
        for (struct span rest = a; rest.len > 0 && !found;) {
            struct span other = span_take(&rest, ';');
            struct span other_name = span_trim(span_take(&other, '='));
            found = span_equal_nocase(name, other_name) &&
                    span_equal_nocase(span_trim(value), span_trim(other));
        }
        if (!found)
            return false;
    }
    return true;
}

static bool same_tags(struct span a, struct span b)
{
    return has_tags(a, b) && has_tags(b, a);
}

/* Is this text one of the item's kind? */
static bool is_kind(enum records_role role, struct span text)
{
    struct dmarc_record dmarc;
    if (role == RECORDS_SPF || role == RECORDS_HELO)
        return spf_record_claims(text);
    if (role == RECORDS_DMARC || role == RECORDS_DMARC_REPORTS)
        return dmarc_record_parse(text, &dmarc);
    return !roles[role].prefix || span_starts_nocase(text, span_of(roles[role].prefix));
}

bool records_replaces(const struct records_item *item, const struct dns_rr *rr)
{
    if (item->record.type == DNS_TXT)
        return is_kind(item->role, rr->data);
    return item->record.type == DNS_PTR || item->record.type == DNS_CNAME;
}

bool records_same(const struct records_item *item, const struct dns_rr *rr)
{
    struct span wanted = span_of(item->record.value);
    struct buf text;
    if (item->role == RECORDS_SPF || item->role == RECORDS_HELO)
        return same_words(rr->data, wanted);
    if (item->role == RECORDS_DKIM && item->record.type == DNS_TXT)
        return dkim_record_compare(rr->data, item->key.algorithm, span_of(item->key.public_key)) ==
               (item->key.use == RECORDS_KEY_REVOKED ? DKIM_REVOKED : DKIM_OK);
    if (item->record.type == DNS_TXT)
        return same_tags(rr->data, wanted);
    buf_init(&text, RECORD_VALUE_MAX);
    dns_rr_print(item->record.type, rr, &text);
    bool same = span_equal_nocase(buf_span(&text), wanted);
    buf_fini(&text);
    return same;
}

enum records_state records_compare(const struct records_item *item, const struct dns_answer *answer)
{
    size_t same = 0;
    size_t others = 0;
    if (answer->status == DNS_FAILED || answer->status == DNS_PENDING)
        return RECORDS_UNKNOWN;
    if (!item->record.value[0])
        return RECORDS_WRONG; /* what stands there must be mended by hand */
    for (size_t i = 0; i < answer->count; i++) {
        if (records_same(item, &answer->rrs[i]))
            same++;
        else if (records_replaces(item, &answer->rrs[i]))
            others++;
    }
    if (same == 1 && others == 0)
        return RECORDS_OK;
    return same + others == 0 ? RECORDS_MISSING : RECORDS_WRONG;
}

bool records_plan_green(const struct records_plan *plan)
{
    for (size_t i = 0; i < plan->count; i++)
        if (plan->items[i].need == RECORDS_REQUIRED && plan->items[i].state != RECORDS_OK)
            return false;
    return !plan->pending;
}
