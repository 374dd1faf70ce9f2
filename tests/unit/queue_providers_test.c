// SPDX-License-Identifier: BSD-2-Clause
/* queue_providers_test.c - The table of providers: each row matches its example, and no near miss. */
#include "table.h"

#include "mx_providers.h"

#include <ctype.h>

static struct span table_of(void)
{
    return mx_providers_text;
}

static const char *find(const char *const *hosts, size_t count, char *name, size_t size)
{
    struct mx_provider row;
    if (!mx_provider_find(hosts, count, &row))
        return "";
    assert_true(span_copy(row.name, name, size));
    return name;
}

static void each_row_matches_its_example_and_is_the_only_one(void **state)
{
    struct span lines = table_of();
    struct mx_provider row;
    size_t rows = 0;
    (void)state;
    while (mx_provider_next(&lines, &row)) {
        char host[256];
        char upper[260];
        char name[64];
        char want[64];
        rows++;
        assert_true(span_copy(row.example, host, sizeof(host)));
        assert_true(span_copy(row.name, want, sizeof(want)));
        for (size_t i = 0; i <= strlen(host); i++)
            upper[i] = (char)toupper((unsigned char)host[i]);
        EXPECT(strcmp(find((const char *[]){host}, 1, name, sizeof(name)), want) == 0, host);
        EXPECT(strcmp(find((const char *[]){upper}, 1, name, sizeof(name)), want) == 0, upper);
        snprintf(upper, sizeof(upper), "%s.", host);
        EXPECT(strcmp(find((const char *[]){upper}, 1, name, sizeof(name)), want) == 0, upper);
        EXPECT(row.connections <= 100 && row.messages <= 1000, host);
    }
    assert_true(rows > 40);
}

/* Each row says where it can be checked: a page with its publisher, or a domain to ask for its MX records. */
static void each_row_says_where_it_can_be_checked(void **state)
{
    struct span lines = table_of();
    (void)state;
    while (lines.len > 0) {
        struct span source = span_take(&lines, '\n');
        char text[400];
        if (source.len == 0 || source.ptr[0] == '#')
            continue;
        span_take(&source, '#');
        assert_true(span_copy(span_trim(source), text, sizeof(text)));
        const char *domain = strncmp(text, "MX of ", 6) == 0 ? text + 6 : NULL;
        EXPECT(strlen(text) > 8 && (!domain || strchr(domain, '.')), text);
        EXPECT(domain || isupper((unsigned char)text[0]) || strncmp(text, "mailbox.org ", 12) == 0, text);
    }
}

/* A host that matches the pattern. */
static void example_of(struct span pattern, char *host)
{
    size_t len = 0;
    for (size_t i = 0; i < pattern.len; i++)
        host[len++] = pattern.ptr[i] == '*' ? 'x' : pattern.ptr[i];
    host[len] = '\0';
}

static void no_row_matches_a_near_miss(void **state)
{
    struct span lines = table_of();
    struct mx_provider row;
    (void)state;
    while (mx_provider_next(&lines, &row)) {
        struct span patterns = row.hosts;
        char name[64];
        char example[256];
        assert_true(span_copy(row.example, example, sizeof(example)));
        while (patterns.len > 0) {
            struct span pattern = span_trim(span_take(&patterns, ' '));
            char good[256];
            char host[300];
            if (pattern.len == 0)
                continue;
            EXPECT(pattern.ptr[pattern.len - 1] != '.' && pattern.ptr[0] != '.', example);
            example_of(pattern, good);
            EXPECT(find((const char *[]){good, example}, 2, name, sizeof(name))[0] != '\0', good);
            EXPECT(find((const char *[]){good, "mx.other.test"}, 2, name, sizeof(name))[0] == '\0', good);
            snprintf(host, sizeof(host), "%s.evil.test", good);
            EXPECT(find((const char *[]){host}, 1, name, sizeof(name))[0] == '\0', host);
            snprintf(host, sizeof(host), "evil%s", pattern.ptr[0] == '*' ? strchr(good, '.') + 1 : good);
            EXPECT(find((const char *[]){host}, 1, name, sizeof(name))[0] == '\0', host);
            snprintf(host, sizeof(host), "%s", strchr(good, '.'));
            EXPECT(find((const char *[]){host}, 1, name, sizeof(name))[0] == '\0', host);
        }
    }
    assert_string_equal(find(NULL, 0, (char[1]){0}, 1), "");
    assert_string_equal(find((const char *[]){""}, 1, (char[64]){0}, 64), "");
    assert_string_equal(find((const char *[]){"."}, 1, (char[64]){0}, 64), "");
}

/* The kind: a host of a customer's, or of another service, taken for the provider's own. */
static void hosts_that_anybody_may_have_are_nobodys(void **state)
{
    static const char *const hosts[] = {
        "ec2-198-51-100-7.compute-1.amazonaws.com", "ec2-198-51-100-7.eu-west-1.compute.amazonaws.com",
        "inbound-smtp.evil.eu-west-1.amazonaws.com", "s3.amazonaws.com", "amazonaws.com",
        "c-198-51-100-7.hsd1.ga.comcast.net", "ip-198-51-100-7.ip.secureserver.net", "mx1.evil.comcast.net",
        "www.google.com", "maps.google.com", "google.com", "www.l.google.com", "mx.google.com", "mx.googlemail.com",
        "lfbn-par-1-2.w198-51.abo.wanadoo.fr", "host7-100-51-198.static.arubadsl.it", "s198.kundenserver.de",
        "198-51-100-7.dhcp.stls.mo.charter.net", "adsl-198-51-100-7.dsl.pltn13.prodigy.net", "h1234567.rzone.de",
        "esa1.hc000-00.eu.iphmx.com", "emig.freenet.de", "evil.mail.ovh.net", "smtp-in.iol.it",
        "evil.emailprofi.seznam.cz", "evil.free.fr", "7.100.51.198.rev.sfr.net", "www.yahoodns.net", "mail.protection.outlook.com", "outlook.com"};
    static const struct {
        const char *host, *provider;
    } own[] = {{"ALT1.aspmx.l.google.com.", "google"},       {"aspmx2.googlemail.com", "google"},
               {"alt4.gmail-smtp-in.l.google.com", "google"}, {"smtp.google.com", "google"},
               {"club-example.a-v1.mx.microsoft", "microsoft365"}, {"inbound-smtp.us-east-1.amazonaws.com", "amazon"},
               {"mx2h1.comcast.net", "comcast"},              {"mailstore1.europe.secureserver.net", "secureserver"},
               {"mx2.hc000-00.iphmx.com", "cisco"},           {"mx1.hc000-00.eu.iphmx.com", "cisco"},
               {"club.mail.protection.office365.us", "microsoft365"}, {"d6.mx1.emailprofi.seznam.cz", "seznam"},
               {"mx2.zohocloud.ca", "zoho"},                  {"smtp-in.virgilio.it", "libero"},
               {"mx0a-00112233.pphosted.com", "proofpoint"},  {"d1.ess.de.barracudanetworks.com", "barracuda"}};
    char name[64];
    (void)state;
    for (size_t i = 0; i < COUNT_OF(hosts); i++)
        EXPECT(find(&hosts[i], 1, name, sizeof(name))[0] == '\0', hosts[i]);
    for (size_t i = 0; i < COUNT_OF(own); i++)
        EXPECT(strcmp(find(&own[i].host, 1, name, sizeof(name)), own[i].provider) == 0, own[i].host);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_row_matches_its_example_and_is_the_only_one),
        cmocka_unit_test(each_row_says_where_it_can_be_checked),
        cmocka_unit_test(no_row_matches_a_near_miss),
        cmocka_unit_test(hosts_that_anybody_may_have_are_nobodys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
