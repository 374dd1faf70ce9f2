// SPDX-License-Identifier: BSD-2-Clause
/* dane_test.c - From the answers of DNS to what TLS with a host must show: the public cases, and what they leave out. */
#include "table.h"

#include "dane.h"
#include "host_policy.h"
#include "mx.h"

#include <jansson.h>
#include <stdlib.h>

#define CASES VECTORS "/dane-public.json"

/* ---- a DNS whose answers have states ---- */

enum { LINES_MAX = 40 };

/* `state`: "secure", "insecure-nodata", "servfail", … ; `data`: of one record, as it is; NULL: none. */
struct line {
    char name[300];
    enum dns_type type;
    char state[40], canonical[300];
    unsigned preference;
    char data[300];
    size_t len;
};

struct stage {
    struct dns dns;
    struct line lines[LINES_MAX];
    size_t count;
    struct dns_answer *answers[100];
    size_t answered;
    char asked[400]; /* TLSA names, in order */
    bool pending;    /* what is asked for the first time */
};

static enum dns_status status_of(const char *state)
{
    if (strstr(state, "-nodata"))
        return DNS_NODATA;
    if (strstr(state, "-nxdomain"))
        return DNS_NXDOMAIN;
    return strncmp(state, "secure", 6) == 0 || strncmp(state, "insecure", 8) == 0 ? DNS_FOUND : DNS_FAILED;
}

static const struct dns_answer *ask(void *context, const char *name, enum dns_type type)
{
    struct stage *s = (struct stage *)context;
    struct dns_answer *a = dns_answer_new(DNS_NXDOMAIN, 300);
    a->secure = true; /* a name that is not listed does not exist, which is proven */
    for (size_t i = 0; i < s->count; i++) {
        const struct line *l = &s->lines[i];
        if (l->type != type || strcmp(l->name, name) != 0)
            continue;
        a->status = status_of(l->state);
        a->secure = strncmp(l->state, "secure", 6) == 0;
        if (l->canonical[0])
            dns_answer_alias(a, l->canonical);
        if (a->status == DNS_FOUND && type == DNS_TLSA)
            dns_wire_add(a, type, (struct span){l->data, l->len});
        else if (a->status == DNS_FOUND)
            dns_answer_add(a, l->preference, (struct span){l->data, l->len});
    }
    if (type == DNS_TLSA && !strstr(s->asked, name)) {
        size_t len = strlen(s->asked);
        snprintf(s->asked + len, sizeof(s->asked) - len, "%s%s", len > 0 ? " " : "", name);
    }
    assert_true(s->answered < COUNT_OF(s->answers));
    s->answers[s->answered++] = a;
    return a;
}

static struct line *add(struct stage *s, const char *name, enum dns_type type, const char *state)
{
    assert_true(s->count < LINES_MAX);
    struct line *l = &s->lines[s->count++];
    *l = (struct line){.type = type};
    snprintf(l->name, sizeof(l->name), "%s", name);
    snprintf(l->state, sizeof(l->state), "%s", state);
    return l;
}

static void set(struct line *l, const void *data, size_t len)
{
    memcpy(l->data, data, len);
    l->len = len;
}

/* ---- the public cases ---- */

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

/* The chain: the name asked for leads to the last; each step has a state of its own. */
static void add_aliases(struct stage *s, const json_t *cname, struct line *l)
{
    size_t count = json_array_size(cname);
    for (size_t i = 0; i < count; i++) {
        const json_t *step = json_array_get(cname, i);
        const char *target = json_string_value(json_array_get(step, 1));
        struct line *alias = add(s, json_string_value(json_array_get(step, 0)), DNS_CNAME, json_string_value(json_array_get(step, 2)));
        set(alias, target, strlen(target));
        if (i == count - 1)
            snprintf(l->canonical, sizeof(l->canonical), "%s", target);
    }
}

static void add_tlsa(struct stage *s, const char *name, const json_t *tlsa)
{
    char data[35] = {3, 1, 1};
    bool usable = strcmp(text_of(tlsa, "records"), "usable") == 0;
    struct line *l = add(s, name, DNS_TLSA, text_of(tlsa, "state"));
    data[0] = usable ? 3 : 1;
    set(l, data, sizeof(data));
}

static void add_address(struct stage *s, const char *host, const json_t *address)
{
    const char *state = text_of(address, "state");
    bool mixed = strcmp(state, "a-secure-aaaa-servfail") == 0;
    struct line *l = add(s, host, DNS_A, mixed ? "secure" : state);
    set(l, "\xc6\x33\x64\x01", 4);
    add_aliases(s, json_object_get(address, "cname"), l);
    add(s, host, DNS_AAAA, mixed || status_of(state) == DNS_FAILED ? "servfail" : "secure-nodata");
}

static void add_hosts(struct stage *s, const char *domain, const json_t *mx, const json_t *c)
{
    size_t at;
    const json_t *host;
    const char *own = text_of(c, "host");
    if (json_array_size(json_object_get(mx, "hosts")) == 0 && strcmp(text_of(mx, "state"), "configured") != 0)
        add(s, domain, DNS_MX, text_of(mx, "state"));
    json_array_foreach(json_object_get(mx, "hosts"), at, host)
    {
        const char *name = json_string_value(json_array_get(host, 1));
        struct line *l = add(s, domain, DNS_MX, text_of(mx, "state"));
        l->preference = (unsigned)json_integer_value(json_array_get(host, 0));
        set(l, name, strcmp(name, ".") == 0 ? 0 : strlen(name));
        if (json_object_get(mx, "cname")) {
            s->count--; /* the aliases stand before it */
            struct line mine = *l;
            add_aliases(s, json_object_get(mx, "cname"), &mine);
            s->lines[s->count++] = mine;
        }
        if (strcmp(name, own) != 0 && strcmp(name, ".") != 0)
            add_address(s, name, json_object_get(c, "address"));
    }
    if (own[0] && own[0] != '[')
        add_address(s, own, json_object_get(c, "address"));
}

static enum mx_reach reach(void *context, const struct ip *ip, const char **why_r)
{
    (void)context;
    (void)ip;
    *why_r = NULL;
    return MX_REACH;
}

static void check_names(const char *id, const struct dane *dane, const json_t *references)
{
    size_t at;
    const json_t *one;
    if (!references)
        return;
    EXPECT(dane->name_count == json_array_size(references), id);
    json_array_foreach(references, at, one)
    {
        bool found = false;
        for (size_t i = 0; i < dane->name_count; i++)
            found = found || (strcmp(dane->names[i], json_string_value(one)) == 0 && (at > 0 || i == 0));
        EXPECT(found, id);
    }
}

static void check_asked(const char *id, const char *asked, const json_t *wanted)
{
    char all[400] = "";
    size_t at;
    const json_t *one;
    if (!wanted)
        return;
    json_array_foreach(wanted, at, one)
        snprintf(all + strlen(all), sizeof(all) - strlen(all), "%s%s", at > 0 ? " " : "", json_string_value(one));
    EXPECT(strcmp(all, asked) == 0, id);
}

/* The words of the cases for what a host needs. */
static const char *word(enum host_need need)
{
    return need == HOST_NEEDS_CERTIFICATE  ? "dane"
           : need == HOST_NEEDS_ENCRYPTION ? "encrypt-unauthenticated"
           : need == HOST_IS_UNUSABLE      ? "skip-host"
                                           : "opportunistic";
}

static const char *judge_host(const char *id, struct stage *s, const struct mx_answer *mx, size_t i, const char *next_hop, unsigned port,
                              const json_t *expect)
{
    const struct host *host = &mx->hosts.all[i];
    const struct dane_query query = {.host = host->name, .canonical = host->canonical, .secure = host->secure, .port = port};
    struct dane_answer answer;
    struct host_policy policy;
    dane_evaluate(&query, &s->dns, &answer);
    host_policy_decide(&(struct host_situation){.secure = mx->hosts.secure, .mode = DANE_MODE_ON, .dane = answer.state}, &policy);
    const char *wanted = text_of(expect, "tls_policy");
    EXPECT(!wanted[0] || strcmp(tls_policy_name(policy.policy), wanted) == 0, id);
    wanted = text_of(expect, "tls_result");
    EXPECT(!wanted[0] || strcmp(tls_result_name(policy.result), wanted) == 0, id);
    if (answer.state == DANE_FOUND) {
        struct dane dane;
        dane_make(&answer, mx->hosts.secure, next_hop, mx->hosts.canonical, &dane);
        EXPECT(!text_of(expect, "base")[0] || strcmp(dane.names[0], text_of(expect, "base")) == 0, id);
        check_names(id, &dane, json_object_get(expect, "references"));
    }
    check_asked(id, s->asked, json_object_get(expect, "tlsa_asked"));
    dane_answer_fini(&answer);
    return word(policy.need);
}

static void check_case(const json_t *c)
{
    static struct stage s;
    const char *id = text_of(c, "id");
    const json_t *expect = json_object_get(c, "expect");
    const json_t *mx_state = json_object_get(c, "mx");
    const char *domain = strcmp(id, "dane-base/idn-host") == 0 ? "xn--bcher-kva.example" : text_of(c, "domain");
    const char *what = text_of(expect, "do");
    bool direct = strcmp(text_of(mx_state, "state"), "configured") == 0;
    bool literal = strcmp(text_of(mx_state, "state"), "none-literal") == 0;
    unsigned port = json_object_get(c, "port") ? (unsigned)json_integer_value(json_object_get(c, "port")) : 25;
    const char *key;
    json_t *tlsa;
    struct mx_answer mx;
    s = (struct stage){.dns = {ask, &s}};
    add_hosts(&s, domain, mx_state, c);
    json_object_foreach(json_object_get(c, "tlsa"), key, tlsa)
        add_tlsa(&s, key, tlsa);
    const char *next_hop = direct ? text_of(c, "host") : literal ? "192.0.2.25" : domain;
    const struct mx_query query = {
        .domain = next_hop, .hostname = "relay.test", .reach = reach, .direct = direct || literal, .last = true};
    mx_evaluate(&query, &s.dns, &mx);
    if (mx.result != MX_FOUND) {
        bool later = strcmp(what, "defer") == 0 || strcmp(what, "skip-host") == 0;
        EXPECT(mx.result == (later ? MX_FAILED : MX_NULL), id);
    } else if (strcmp(what, "next-host") == 0) {
        EXPECT(strcmp(judge_host(id, &s, &mx, 0, next_hop, port, NULL), text_of(expect, "first")) == 0, id);
        EXPECT(strcmp(judge_host(id, &s, &mx, 1, next_hop, port, NULL), text_of(expect, "second")) == 0, id);
    } else {
        EXPECT(strcmp(judge_host(id, &s, &mx, 0, next_hop, port, expect), what) == 0, id);
    }
    hosts_fini(&mx.hosts);
    for (size_t i = 0; i < s.answered; i++)
        dns_answer_free(s.answers[i]);
}

static void the_public_cases_are_decided_as_agreed(void **state)
{
    json_error_t error;
    json_t *all = json_load_file(CASES, 0, &error);
    size_t at;
    const json_t *one;
    (void)state;
    if (!all && !getenv("CI"))
        skip();
    assert_non_null(all);
    assert_true(json_array_size(json_object_get(all, "bases")) >= 31);
    json_array_foreach(json_object_get(all, "bases"), at, one)
        check_case(one);
    json_decref(all);
}

/* ---- what they leave out ---- */

static struct dane_answer evaluate(struct stage *s, struct dane_query query)
{
    struct dane_answer answer;
    query.port = 25;
    s->dns = (struct dns){ask, s};
    dane_evaluate(&query, &s->dns, &answer);
    for (size_t i = 0; i < s->answered; i++)
        dns_answer_free(s->answers[i]);
    s->answered = 0;
    return answer;
}

static void add_record(struct stage *s, unsigned usage, unsigned selector, unsigned mtype, size_t len)
{
    char data[300] = {(char)usage, (char)selector, (char)mtype};
    memset(data + 3, 'x', len);
    set(add(s, "_25._tcp.mx.test", DNS_TLSA, "secure"), data, len + 3);
}

static void only_records_that_can_be_used_count(void **state)
{
    static const struct {
        unsigned usage, selector, mtype;
        size_t len;
        bool usable;
    } rows[] = {{3, 1, 1, 32, true},   {3, 0, 1, 32, true},   {3, 1, 2, 64, true},  {2, 0, 1, 32, true},  {2, 1, 2, 64, true},
                {3, 1, 0, 91, true},   {2, 0, 0, 200, true},  {0, 1, 1, 32, false}, {1, 1, 1, 32, false}, {4, 1, 1, 32, false},
                {255, 1, 1, 32, false}, {3, 2, 1, 32, false}, {3, 1, 3, 32, false}, {3, 1, 255, 32, false}, {3, 1, 1, 31, false},
                {3, 1, 1, 33, false},  {3, 1, 2, 32, false},  {3, 1, 0, 0, false},  {3, 1, 1, 0, false}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        static struct stage s;
        s = (struct stage){0};
        add_record(&s, rows[i].usage, rows[i].selector, rows[i].mtype, rows[i].len);
        struct dane_answer a = evaluate(&s, (struct dane_query){.host = "mx.test", .secure = true});
        assert_int_equal(a.state, rows[i].usable ? DANE_FOUND : DANE_UNUSABLE);
        assert_string_equal(a.asked, "_25._tcp.mx.test");
        dane_answer_fini(&a);
    }
}

static void a_set_has_a_limit(void **state)
{
    static struct stage s;
    (void)state;
    s = (struct stage){0};
    for (size_t i = 0; i < DANE_RECORDS_MAX + 5; i++)
        add_record(&s, 3, 1, 1, 32);
    struct dane_answer a = evaluate(&s, (struct dane_query){.host = "mx.test", .secure = true});
    assert_int_equal(a.count, DANE_RECORDS_MAX);
    dane_answer_fini(&a);
}

static void what_is_missing_is_waited_for_until_the_end(void **state)
{
    static struct stage s;
    (void)state;
    s = (struct stage){0};
    add(&s, "_25._tcp.mx.test", DNS_TLSA, "servfail");
    struct dane_answer a = evaluate(&s, (struct dane_query){.host = "mx.test", .secure = true});
    assert_int_equal(a.state, DANE_FAILED);
    assert_string_equal(a.asked, "_25._tcp.mx.test");
    a = evaluate(&s, (struct dane_query){.host = "mx.test", .canonical = "", .secure = true});
    assert_int_equal(a.state, DANE_FAILED); /* an alias that cannot be said: the name itself */
    s = (struct stage){0};
    add(&s, "mx.test", DNS_CNAME, "servfail");
    a = evaluate(&s, (struct dane_query){.host = "mx.test", .canonical = "other.test"});
    assert_int_equal(a.state, DANE_FAILED);
    assert_string_equal(a.asked, "mx.test");
}

/* ---- digests, and the table ---- */

static void names_count_where_they_decide(void **state)
{
    struct dane_record records[] = {{3, 1, 1, SPAN("x")}, {2, 1, 1, SPAN("x")}};
    unsigned char digests[4][DANE_DIGEST];
    struct dane dane = {.names = {"mx.test", "a.test"}, .name_count = 2, .records = records, .count = 1};
    (void)state;
    dane_digest(&dane, digests[0]);
    dane.names[1] = "b.test";
    dane_digest(&dane, digests[1]);
    assert_memory_equal(digests[0], digests[1], DANE_DIGEST);
    dane.count = 2;
    dane_digest(&dane, digests[2]);
    assert_memory_not_equal(digests[1], digests[2], DANE_DIGEST);
    dane.names[1] = "a.test";
    dane_digest(&dane, digests[3]);
    assert_memory_not_equal(digests[2], digests[3], DANE_DIGEST);
}

static void each_situation_has_its_policy(void **state)
{
    static const struct {
        const char *label;
        struct host_situation in;
        enum tls_policy policy;
        enum host_need need;
        bool asks, enforced;
    } rows[] = {
        {"the route has said it", {.fixed = true, .mode = DANE_MODE_ON}, TLS_POLICY_ROUTE, HOST_NEEDS_ITS_ROUTE, false, true},
        {"the message waives it", {.waived = true, .mode = DANE_MODE_ON}, TLS_POLICY_WAIVED, HOST_NEEDS_NOTHING, false, true},
        {"off", {.mode = DANE_MODE_OFF, .dane = DANE_FOUND}, TLS_POLICY_OPPORTUNISTIC, HOST_NEEDS_NOTHING, false, true},
        {"a report", {.mode = DANE_MODE_REPORT, .secure = true, .dane = DANE_FOUND}, TLS_POLICY_DANE, HOST_NEEDS_CERTIFICATE, true, false},
        {"records", {.mode = DANE_MODE_ON, .secure = true, .dane = DANE_FOUND}, TLS_POLICY_DANE, HOST_NEEDS_CERTIFICATE, true, true},
        {"half", {.mode = DANE_MODE_ON, .dane = DANE_FOUND}, TLS_POLICY_DANE_MX_INSECURE, HOST_NEEDS_CERTIFICATE, true, true},
        {"no use", {.mode = DANE_MODE_ON, .dane = DANE_UNUSABLE}, TLS_POLICY_DANE_UNUSABLE, HOST_NEEDS_ENCRYPTION, true, true},
        {"no answer", {.mode = DANE_MODE_ON, .dane = DANE_FAILED}, TLS_POLICY_DANE_MX_INSECURE, HOST_IS_UNUSABLE, true, true},
        {"none", {.mode = DANE_MODE_ON, .dane = DANE_NONE}, TLS_POLICY_OPPORTUNISTIC, HOST_NEEDS_NOTHING, true, true},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct host_policy p;
        host_policy_decide(&rows[i].in, &p);
        EXPECT(p.policy == rows[i].policy && p.need == rows[i].need, rows[i].label);
        EXPECT(host_policy_asks(&rows[i].in) == rows[i].asks && p.enforced == rows[i].enforced, rows[i].label);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_public_cases_are_decided_as_agreed),
        cmocka_unit_test(only_records_that_can_be_used_count),
        cmocka_unit_test(a_set_has_a_limit),
        cmocka_unit_test(what_is_missing_is_waited_for_until_the_end),
        cmocka_unit_test(names_count_where_they_decide),
        cmocka_unit_test(each_situation_has_its_policy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
