// SPDX-License-Identifier: BSD-2-Clause
/* reception_test.c - What its owner is told of mail to a domain. The kind of fault: what is wrong is called missing, or the other way
 * round; something is said without what to do about it. */
#include "table.h"

#include "reception.h"

static struct reception_finding found[20];
static size_t count;

static void on_finding(void *context, const struct reception_finding *f)
{
    (void)context;
    assert_true(count < COUNT_OF(found));
    found[count++] = *f;
}

static const struct reception_finding *find_said(const struct reception_facts *facts, enum reception_check check, const char *name)
{
    count = 0;
    reception_judge(facts, on_finding, NULL);
    for (size_t i = 0; i < count; i++) {
        EXPECT(found[i].state == RECEPTION_OK || found[i].advice[0], found[i].found); /* nobody is left alone with it */
        EXPECT(found[i].found[0] && found[i].name[0], found[i].name);
    }
    for (size_t i = count; i-- > 0;) /* the last of that name */
        if (found[i].check == check && strcmp(found[i].name, name) == 0)
            return &found[i];
    return NULL;
}

static void dane(void **state)
{
    static const struct {
        const char *label;
        struct reception_host host;
        bool unsigned_zone;
        enum reception_state want;
        const char *words;
    } rows[] = {
        {"all is there", {.found = true, .secure = true, .dane = DANE_FOUND, .records = 2}, false, RECEPTION_OK, "2 TLSA records at"},
        {"of a zone that is not signed", {.found = true, .secure = true, .dane = DANE_FOUND, .records = 1}, true, RECEPTION_OK, "1 TLSA record at"},
        {"its own", {.found = true, .secure = true, .dane = DANE_FOUND, .records = 1, .shown = TLS_RESULT_OK}, false, RECEPTION_OK, "certificate fits"},
        {"another's", {.found = true, .secure = true, .dane = DANE_FOUND, .records = 1, .shown = TLS_RESULT_VALIDATION_FAILURE, .why = "x"}, false,
         RECEPTION_WRONG, "validation-failure (x)"},
        {"no record", {.found = true, .secure = true, .dane = DANE_NONE}, false, RECEPTION_MISSING, "no TLSA record"},
        {"nothing is signed", {.found = true, .dane = DANE_NONE}, true, RECEPTION_MISSING, "not signed"},
        {"records of the web", {.found = true, .secure = true, .dane = DANE_UNUSABLE}, false, RECEPTION_WRONG, "can be used"},
        {"no answer", {.found = true, .secure = true, .dane = DANE_FAILED}, false, RECEPTION_WRONG, "no answer in time (dns-timeout)"},
        {"no address", {.dane = DANE_NONE}, false, RECEPTION_UNKNOWN, "no address"}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct reception_host host = rows[i].host;
        host.name = "mx.a.test";
        host.asked = "_25._tcp.mx.a.test";
        struct reception_facts facts = {.domain = "a.test", .validates = true, .answered = true, .secure = !rows[i].unsigned_zone,
                                        .hosts = &host, .host_count = 1, .record_answered = true, .record = MTA_STS_NO_RECORD};
        const struct reception_finding *f = find_said(&facts, RECEPTION_DANE, "mx.a.test");
        EXPECT(f && f->state == rows[i].want && strstr(f->found, rows[i].words), rows[i].label);
        f = find_said(&facts, RECEPTION_DANE, "a.test");
        EXPECT(f && f->state == (rows[i].unsigned_zone ? RECEPTION_MISSING : RECEPTION_OK), rows[i].label);
        facts.validates = false; /* then nothing is known, and nothing is called missing */
        EXPECT(find_said(&facts, RECEPTION_DANE, "a.test")->state == RECEPTION_UNKNOWN, rows[i].label);
        EXPECT(!find_said(&facts, RECEPTION_DANE, "mx.a.test"), rows[i].label);
        facts.validates = true;
        facts.answered = false;
        EXPECT(find_said(&facts, RECEPTION_DANE, "a.test")->state == RECEPTION_UNKNOWN, rows[i].label);
    }
}

static void records(void **state)
{
    static const struct {
        bool answered;
        enum mta_sts_record record;
        enum reception_state want;
        const char *words;
    } rows[] = {{true, MTA_STS_NO_RECORD, RECEPTION_MISSING, "no record"},
                {true, MTA_STS_SEVERAL_RECORDS, RECEPTION_WRONG, "several"},
                {true, MTA_STS_RECORD_MALFORMED, RECEPTION_WRONG, "well-formed"},
                {false, MTA_STS_NO_RECORD, RECEPTION_UNKNOWN, "no answer"}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct reception_facts facts = {
            .domain = "a.test", .validates = true, .record_answered = rows[i].answered, .record = rows[i].record, .reason = ""};
        const struct reception_finding *f = find_said(&facts, RECEPTION_MTA_STS, "_mta-sts.a.test");
        EXPECT(f && f->state == rows[i].want && strstr(f->found, rows[i].words), rows[i].words);
        EXPECT(!find_said(&facts, RECEPTION_MTA_STS, "mta-sts.a.test"), rows[i].words); /* nobody fetches it then */
    }
}

static void failures(void **state)
{
    static const struct {
        const char *reason;
        enum reception_state want;
    } rows[] = {{"host-not-found", RECEPTION_WRONG}, {"connect-failed", RECEPTION_WRONG},   {"certificate", RECEPTION_WRONG},
                {"timeout", RECEPTION_UNKNOWN},      {"http-status-301", RECEPTION_WRONG},  {"http-status-404", RECEPTION_WRONG},
                {"policy-bad-mode", RECEPTION_WRONG}, {"fetcher-gone", RECEPTION_UNKNOWN},  {"address-lookup-failed", RECEPTION_UNKNOWN},
                {"", RECEPTION_WRONG}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct reception_facts facts = {.domain = "a.test", .validates = true, .record_answered = true, .record = MTA_STS_RECORD,
                                              .id = "1", .failure = TLS_RESULT_STS_POLICY_FETCH_ERROR, .reason = rows[i].reason};
        const struct reception_finding *f = find_said(&facts, RECEPTION_MTA_STS, "mta-sts.a.test");
        EXPECT(f && f->state == rows[i].want && strstr(f->found, rows[i].reason), rows[i].reason);
    }
}

static void policies(void **state)
{
    static const struct reception_host hosts[] = {{.name = "mx1.a.test"}, {.name = "mx2.a.test"}};
    static const struct {
        const char *label, *served, *meant, *id_of, *id, *name;
        enum reception_state want;
        size_t wrong;
    } rows[] = {
        {"enforced", "mode: enforce\nmx: *.a.test\nmax_age: 1209600\n", NULL, NULL, "1", "mta-sts.a.test", RECEPTION_OK, 0},
        {"on trial", "mode: testing\nmx: *.a.test\nmax_age: 1209600\n", NULL, NULL, "1", "mta-sts.a.test", RECEPTION_OK, 0},
        {"ended", "mode: none\nmax_age: 60\n", NULL, NULL, "1", "mta-sts.a.test", RECEPTION_MISSING, 0},
        {"a host is left out", "mode: enforce\nmx: mx1.a.test\nmax_age: 9\n", NULL, NULL, "1", "mx2.a.test", RECEPTION_WRONG, 1},
        {"all are", "mode: testing\nmx: mx.b.test\nmax_age: 9\n", NULL, NULL, "1", "mx1.a.test", RECEPTION_WRONG, 2},
        {"its own id", "mode: enforce\nmx: *.a.test\nmax_age: 9\n", NULL, "mode: enforce\nmx: *.a.test\nmax_age: 9\n", NULL, "_mta-sts.a.test",
         RECEPTION_OK, 0},
        {"the id of before", "mode: enforce\nmx: *.a.test\nmax_age: 9\n", NULL, "mode: testing\nmx: *.a.test\nmax_age: 9\n", NULL,
         "_mta-sts.a.test", RECEPTION_WRONG, 1},
        {"not reloaded", "mode: testing\nmx: *.a.test\nmax_age: 9\n", "mode: enforce\nmx: *.a.test\nmax_age: 9\n", NULL, "1", "mta-sts.a.test",
         RECEPTION_MISSING, 0},
        {"as it is meant", "mode: testing\r\nmx: *.A.test\nmax_age: 9\n", "max_age: 9\nmode: testing\nmx: *.a.test\n", NULL, "1",
         "mta-sts.a.test", RECEPTION_OK, 0}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const char *texts[] = {rows[i].served, rows[i].meant ? rows[i].meant : rows[i].served, rows[i].id_of ? rows[i].id_of : rows[i].served};
        struct mta_sts_policy p[COUNT_OF(texts)];
        char id[MTA_STS_ID_MAX + 1];
        for (size_t k = 0; k < COUNT_OF(texts); k++) {
            char text[200];
            snprintf(text, sizeof(text), "version: STSv1\n%s", texts[k]);
            EXPECT(mta_sts_policy_read(span_of(text), &p[k]) == MTA_STS_SOUND, text);
        }
        mta_sts_policy_id(&p[2], id);
        const struct reception_facts facts = {.domain = "a.test", .validates = true, .record_answered = true, .record = MTA_STS_RECORD,
                                              .id = rows[i].id ? rows[i].id : id, .policy = &p[0], .meant = rows[i].meant ? &p[1] : NULL,
                                              .hosts = hosts, .host_count = 2};
        const struct reception_finding *f = find_said(&facts, RECEPTION_MTA_STS, rows[i].name);
        size_t wrong = 0;
        for (size_t k = 0; k < count; k++)
            wrong += found[k].state == RECEPTION_WRONG;
        EXPECT(f && f->state == rows[i].want, rows[i].label);
        EXPECT(wrong == rows[i].wrong, rows[i].label);
        if (strcmp(rows[i].label, "enforced") == 0) { /* of a host that DANE decides of it means nothing */
            const struct reception_host shown[] = {
                {.name = "mx1.a.test", .dane = DANE_NONE, .shown = TLS_RESULT_CERTIFICATE_HOST_MISMATCH, .why = "x"},
                {.name = "mx2.a.test", .dane = DANE_FOUND, .shown = TLS_RESULT_OK, .why = ""},
                {.name = "mx3.a.test", .found = true, .dane = DANE_NONE, .late = true, .why = "x"},
                {.name = "mx4.a.test", .found = true, .dane = DANE_FOUND, .asked = "", .late = true, .why = "x"},
                {.name = "mx5.a.test", .dane = DANE_UNUSABLE, .shown = TLS_RESULT_CERTIFICATE_HOST_MISMATCH, .why = "x"}};
            struct reception_facts again = facts;
            again.hosts = shown;
            again.host_count = COUNT_OF(shown);
            again.answered = true;
            EXPECT(find_said(&again, RECEPTION_MTA_STS, "mx3.a.test")->state == RECEPTION_UNKNOWN, "too slow");
            EXPECT(find_said(&again, RECEPTION_MTA_STS, "mx4.a.test")->state == RECEPTION_OK, "too slow, and named");
            EXPECT(find_said(&again, RECEPTION_DANE, "mx4.a.test")->state == RECEPTION_UNKNOWN, "too slow for DANE");
            EXPECT(find_said(&again, RECEPTION_MTA_STS, "mx1.a.test")->state == RECEPTION_WRONG, "unfit");
            EXPECT(find_said(&again, RECEPTION_MTA_STS, "mx2.a.test")->state == RECEPTION_OK, "fit");
            EXPECT(find_said(&again, RECEPTION_MTA_STS, "mx5.a.test")->state == RECEPTION_WRONG, "by authorities, as no record can be used");
        }
        for (size_t k = 0; k < COUNT_OF(texts); k++)
            mta_sts_policy_fini(&p[k]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(dane), cmocka_unit_test(records), cmocka_unit_test(failures),
                                       cmocka_unit_test(policies)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
