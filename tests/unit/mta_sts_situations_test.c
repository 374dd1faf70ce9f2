// SPDX-License-Identifier: BSD-2-Clause
/* mta_sts_situations_test.c - Whole situations: what DNS and a policy host say, what is kept, the hosts of a domain; where the mail goes
 * then, how it is protected, and what is reported.
 *
 * The way over the hosts is that of the page that the vectors are from: TLSA records of a host first, else the policy, else whatever
 * TLS there is; a host that does not show what is demanded is left, and without another the mail waits.
 */
#include "vectors.h"

#include "mta_sts.h"

#define NOW INT64_C(1800000000000)

struct world {
    json_t *row;
    char domain[ADDRESS_DOMAIN_MAX + 1];
    struct mta_sts_kept kept;
    struct mta_sts s;
    unsigned questions, gets;
    bool waived, strict; /* TLS-Required: No, honoured; REQUIRETLS */
    bool lacks;          /* a verified host that does not know REQUIRETLS */
    bool failed[TLS_RESULTS];
    enum tls_policy policy;
    const char *type; /* of the report */
    const char *to;
    bool verified, encrypted;
};

static json_t *get(const struct world *w, const char *name)
{
    return json_object_get(w->row, name);
}

static bool is(json_t *object, const char *name, const char *word)
{
    return strcmp(vectors_text(object, name), word) == 0;
}

/* ---- what is known before ---- */

static void read_kept(struct world *w)
{
    json_t *cached = get(w, "cached"); /* a parent's is another domain's */
    json_t *mx = json_object_get(cached, "mx");
    struct buf body;
    if (!cached)
        return;
    buf_init(&body, 4096);
    buf_addf(&body, "version: STSv1\nmode: %s\nmax_age: %d\n", vectors_text(cached, "mode"),
             (int)json_integer_value(json_object_get(cached, "max_age")));
    for (size_t i = 0; i < json_array_size(mx); i++)
        buf_addf(&body, "mx: %s\n", json_string_value(json_array_get(mx, i)));
    assert_int_equal(mta_sts_policy_read(buf_span(&body), &w->kept.policy), MTA_STS_SOUND);
    w->kept.there = true;
    w->kept.fetched_ms = NOW - 1000 * json_integer_value(json_object_get(cached, "seconds_since_fetch"));
    snprintf(w->kept.id, sizeof(w->kept.id), "%s", vectors_text(cached, "id"));
    buf_fini(&body);
}

static void read_message(struct world *w)
{
    json_t *message = get(w, "message");
    const char *parameter = json_string_value(json_array_get(json_object_get(message, "mail_parameters"), 0));
    w->strict = parameter && strcmp(parameter, "REQUIRETLS") == 0;
    w->waived = json_object_get(message, "headers") && json_is_true(json_object_get(get(w, "settings"), "allow_tls_optional"));
}

/* ---- discovery ---- */

static bool named(json_t *names, const char *host)
{
    bool found = false;
    for (size_t i = 0; i < json_array_size(names); i++) {
        const char *name = json_string_value(json_array_get(names, i));
        const char *rest = strchr(host, '.');
        found = found || strcmp(name, host) == 0 || (strncmp(name, "*.", 2) == 0 && rest && strcmp(name + 1, rest) == 0);
    }
    return found;
}

static struct dns_answer *txt_of(json_t *txt)
{
    static const struct {
        const char *state;
        enum dns_status status;
    } states[] = {{"nxdomain", DNS_NXDOMAIN}, {"nodata", DNS_NODATA}, {"servfail", DNS_FAILED}, {"timeout", DNS_FAILED}};
    for (size_t i = 0; i < COUNT_OF(states); i++)
        if (is(txt, "state", states[i].state))
            return dns_answer_new(states[i].status, 60);
    assert_true(is(txt, "state", "ok"));
    return vectors_answer(json_object_get(txt, "records"));
}

static enum mta_sts_next fetch(struct world *w)
{
    json_t *https = get(w, "https");
    json_t *cert = json_object_get(https, "cert");
    char host[300];
    struct buf body;
    struct mta_sts_response r = {.end = MTA_STS_UNREACHABLE, .why = MTA_STS_WHY_CONNECT_FAILED};
    w->gets++;
    snprintf(host, sizeof(host), "mta-sts.%s", w->domain);
    buf_init(&body, 1 << 20);
    buf_add(&body, span_of(vectors_text(https, "body")));
    for (json_int_t i = json_integer_value(json_object_get(https, "body_tail_bytes")); i > 0; i--)
        buf_add_char(&body, 'a');
    if (is(https, "connect", "ok") && !(named(json_object_get(cert, "dns"), host) && is(cert, "state", "valid")))
        r = (struct mta_sts_response){.end = MTA_STS_DISTRUSTED, .why = MTA_STS_WHY_CERTIFICATE};
    else if (is(https, "connect", "ok") && !json_object_get(https, "content_length_plus"))
        r = (struct mta_sts_response){.status = (unsigned)json_integer_value(json_object_get(https, "status")), .body = buf_span(&body)};
    enum mta_sts_next next = mta_sts_fetched(&w->s, &r, NOW);
    buf_fini(&body);
    return next;
}

static void discover(struct world *w)
{
    int64_t now_ms = NOW;
    enum mta_sts_next next = mta_sts_begin(&w->s, &w->kept, MTA_STS_TO_SEND, now_ms);
    while (next == MTA_STS_ASK) {
        struct dns_answer *a = txt_of(get(w, "txt"));
        now_ms = w->s.ask_at_ms;
        w->questions++;
        next = mta_sts_told(&w->s, a, now_ms);
        dns_answer_free(a);
    }
    if (next == MTA_STS_FETCH)
        next = fetch(w);
    assert_int_equal(next, MTA_STS_DECIDED);
    if (w->s.result != TLS_RESULT_NONE)
        w->failed[w->s.result] = true;
}

static const char *cache_of(const struct world *w)
{
    switch (w->s.change) {
    case MTA_STS_STORE:
        return w->kept.there ? "replaced" : "stored";
    case MTA_STS_BRIEF:
        return "none";
    case MTA_STS_UNCHANGED:
    case MTA_STS_FAILED:
        break;
    }
    return w->kept.there ? "kept" : "none";
}

/* ---- hosts ---- */

static enum tls_result certificate(json_t *mx)
{
    json_t *cert = json_object_get(mx, "cert");
    if (!named(json_object_get(cert, "dns"), vectors_text(mx, "name")))
        return TLS_RESULT_CERTIFICATE_HOST_MISMATCH;
    return is(cert, "state", "valid")     ? TLS_RESULT_OK
           : is(cert, "state", "expired") ? TLS_RESULT_CERTIFICATE_EXPIRED
                                          : TLS_RESULT_CERTIFICATE_NOT_TRUSTED;
}

/* Is there TLS, whoever answers? */
static enum tls_result handshake(json_t *mx)
{
    if (is(mx, "starttls", "absent") || is(mx, "starttls", "454"))
        return TLS_RESULT_STARTTLS_NOT_SUPPORTED;
    return is(mx, "starttls", "offered") && !is(mx, "tls_max", "1.1") ? TLS_RESULT_OK : TLS_RESULT_VALIDATION_FAILURE;
}

static enum mta_sts_mode mode_of(const struct world *w)
{
    return w->s.policy ? w->s.policy->mode : MTA_STS_MODE_NONE;
}

/* By the domain's own policy. */
static enum tls_result judge_sts(const struct world *w, json_t *mx)
{
    if (!mta_sts_matches(w->s.policy, span_of(vectors_text(mx, "name"))))
        return TLS_RESULT_VALIDATION_FAILURE;
    return handshake(mx) == TLS_RESULT_OK ? certificate(mx) : handshake(mx);
}

static void set_policy(struct world *w, enum tls_policy policy, const char *type)
{
    w->policy = policy;
    w->type = type;
}

/* What the host has shown; `must_r`: that it is right is demanded. */
static enum tls_result judge(struct world *w, json_t *mx, bool *must_r)
{
    bool unusable = is(mx, "tlsa", "unusable");
    *must_r = true;
    if (is(mx, "tlsa", "lookup-error") || is(mx, "tlsa", "usable-match") || is(mx, "tlsa", "usable-mismatch")) {
        set_policy(w, TLS_POLICY_DANE, "tlsa");
        if (is(mx, "tlsa", "lookup-error"))
            return TLS_RESULT_DNSSEC_INVALID;
        return is(mx, "tlsa", "usable-match") ? handshake(mx) : TLS_RESULT_VALIDATION_FAILURE;
    }
    if (mode_of(w) == MTA_STS_MODE_ENFORCE) {
        set_policy(w, TLS_POLICY_STS, "sts");
        return judge_sts(w, mx);
    }
    if (unusable) {
        set_policy(w, TLS_POLICY_DANE_UNUSABLE, "tlsa");
        w->failed[TLS_RESULT_TLSA_INVALID] = true;
        return handshake(mx);
    }
    *must_r = false;
    if (mode_of(w) == MTA_STS_MODE_TESTING) {
        set_policy(w, TLS_POLICY_STS_TESTING, "sts");
        return judge_sts(w, mx);
    }
    set_policy(w, TLS_POLICY_OPPORTUNISTIC, w->s.result != TLS_RESULT_NONE ? "sts" : "no-policy-found");
    return handshake(mx);
}

/* False: another host is tried. */
static bool try_host(struct world *w, json_t *mx)
{
    bool must = false;
    enum tls_result result = TLS_RESULT_OK;
    if (w->waived)
        set_policy(w, TLS_POLICY_WAIVED, "no-policy-found");
    else
        result = judge(w, mx, &must);
    if (result != TLS_RESULT_OK)
        w->failed[result] = true;
    if (result != TLS_RESULT_OK && must)
        return false;
    w->verified = must && w->policy != TLS_POLICY_DANE_UNUSABLE;
    if (w->strict && w->verified && !json_object_get(mx, "ehlo"))
        w->lacks = true;
    if (w->strict && (!w->verified || !json_object_get(mx, "ehlo")))
        return false;
    w->to = vectors_text(mx, "name");
    w->encrypted = handshake(mx) == TLS_RESULT_OK;
    return true;
}

/* ---- compared ---- */

static const char *result_of(const struct world *w)
{
    if (w->to)
        return w->verified ? "verified" : "unverified";
    return w->strict ? "bounce" : "defer";
}

static json_t *report_of(const struct world *w)
{
    json_t *all = json_array();
    const char *words[TLS_RESULTS];
    size_t count = 0;
    for (int i = TLS_RESULT_OK + 1; i < TLS_RESULTS; i++)
        if (w->failed[i])
            words[count++] = tls_result_name((enum tls_result)i);
    for (size_t i = 0; i < count; i++) /* sorted by their words */
        for (size_t k = i + 1; k < count; k++)
            if (strcmp(words[k], words[i]) < 0) {
                const char *other = words[i];
                words[i] = words[k];
                words[k] = other;
            }
    for (size_t i = 0; i < count; i++)
        json_array_append_new(all, json_string(words[i]));
    return json_pack("{s:s,s:o}", "policy-type", w->type, "results", all);
}

/* The same members as `expect` has. */
static json_t *as_expected(const struct world *w, json_t *expect)
{
    json_t *made = json_object();
    json_object_set_new(made, "result", json_string(result_of(w)));
    json_object_set_new(made, "to", w->to ? json_string(w->to) : json_null());
    json_object_set_new(made, "encrypted", json_boolean(w->encrypted));
    /* REQUIRETLS without any policy: there is no word for what could not be judged */
    json_object_set_new(made, "tls_policy",
                        json_string(tls_policy_name(w->strict && w->policy == TLS_POLICY_OPPORTUNISTIC ? TLS_POLICY_NONE : w->policy)));
    json_object_set_new(made, "report", report_of(w));
    json_object_set_new(made, "https_gets", json_integer(w->gets));
    json_object_set_new(made, "txt_queries", json_integer(w->questions));
    json_object_set_new(made, "cache", json_string(cache_of(w)));
    json_object_set_new(made, "code", json_string(w->lacks ? "5.7.30" : "5.7.10"));
    json_object_set_new(made, "mail_parameter", json_string(w->strict ? "REQUIRETLS" : ""));
    if (json_is_null(json_object_get(expect, "tls_policy"))) /* said nowhere */
        json_object_set_new(made, "tls_policy", json_null());
    const char *name;
    json_t *value;
    void *next;
    json_object_foreach_safe (made, next, name, value)
        if (!json_object_get(expect, name))
            json_object_del(made, name);
    return made;
}

static void play(json_t *row)
{
    struct world w = {.row = row, .type = "no-policy-found"};
    json_t *hosts = get(&w, "mx");
    const char *domain = json_string_value(get(&w, "next_hop") ? get(&w, "next_hop") : get(&w, "domain"));
    bool has_policy = mta_sts_domain(span_of(domain), w.domain);
    read_message(&w);
    read_kept(&w);
    EXPECT(has_policy != is(get(&w, "txt"), "state", "not-asked"), vectors_text(row, "id"));
    EXPECT(!get(&w, "policy_domain") || is(row, "policy_domain", w.domain), vectors_text(row, "id"));
    if (has_policy && !w.waived)
        discover(&w);
    bool sent = false;
    for (size_t i = 0; i < json_array_size(hosts) && !sent; i++)
        sent = try_host(&w, json_array_get(hosts, i));
    json_t *expect = json_object_get(row, "expect");
    json_t *got = as_expected(&w, expect);
    if (!json_equal(got, expect))
        fail_msg("%s:\n%s\nnot\n%s", vectors_text(row, "id"), json_dumps(got, JSON_SORT_KEYS), json_dumps(expect, JSON_SORT_KEYS));
    json_decref(got);
    if (has_policy && !w.waived)
        mta_sts_fini(&w.s);
    mta_sts_kept_fini(&w.kept);
}

static void situations(void **state)
{
    json_t *all = vectors_load("mta-sts-public.json");
    json_t *rows = json_object_get(all, "situations");
    (void)state;
    for (size_t i = 0; i < json_array_size(rows); i++)
        play(json_array_get(rows, i));
    print_message("%zu situations\n", json_array_size(rows));
    assert_true(json_array_size(rows) >= 86);
    json_decref(all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(situations)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
