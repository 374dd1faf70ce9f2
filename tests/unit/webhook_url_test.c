// SPDX-License-Identifier: BSD-2-Clause
/* webhook_url_test.c - What may be an endpoint's address, and why not. The kind: one command takes what another refuses, or what is
 * read here as one host is asked as another. */
#include "table.h"

#include "webhook_url.h"

#include <string.h>

static void addresses(void **state)
{
    static const struct {
        const char *url;
        const char *why, *why_private; /* NULL: it may be; private: where such ones may */
    } rows[] = {
        {"https://app.example/hook", NULL, NULL},
        {"HTTPS://App.Example:8443/hook?a=b&c=d:e@f", NULL, NULL},
        {"https://app.example", NULL, NULL},
        {"https://app.example?x", NULL, NULL},
        {"https://a_b.example/%20", NULL, NULL},
        {"https://xn--bcher-kva.example:1/", NULL, NULL},
        {"https://app.example:65535/", NULL, NULL},
        {"https://93.184.216.34/", NULL, NULL},
        {"https://[2606:2800:220:1::1]:443/", NULL, NULL},
        {"https://localhost/", NULL, NULL}, /* seen when it is posted */
        {"http://app.example/", "an https address", NULL},
        {"https://127.0.0.1/", "no public address", NULL},
        {"https://10.1.2.3:8443/", "no public address", NULL},
        {"https://[::1]/", "no public address", NULL},
        {"https://[::ffff:127.0.0.1]/", "no public address", NULL},
        {"https://[fd00::1]:8443/x", "no public address", NULL},
        {"wh.example:8444/hook", "begins with", "begins with"},
        {"a.test", "begins with", "begins with"},
        {"", "begins with", "begins with"},
        {"ftp://a.test/", "begins with", "begins with"},
        {"https:/a.test/", "begins with", "begins with"},
        {"https://", "no host", "no host"},
        {"https:///x", "no host", "no host"},
        {"https://:443/x", "no host", "no host"},
        {"https://?x", "no host", "no host"},
        {"https://wh.example:99999/x", "port", "port"},
        {"https://127.0.5.40:99999/", "port", "port"},
        {"https://wh.example:0/", "port", "port"},
        {"https://wh.example:/", "port", "port"},
        {"https://wh.example:8080x/", "port", "port"},
        {"https://wh.example:+1/", "port", "port"},
        {"https://wh.example:1:2/", "port", "port"},
        {"https://[::1]x/", "brackets", "brackets"},
        {"https://[::1/", "brackets", "brackets"},
        {"https://[127.0.0.1]/", "brackets", "brackets"},
        {"https://[]/", "brackets", "brackets"},
        {"https://me:pw@a.test/", "user name", "user name"},
        {"https://me@a.test/", "user name", "user name"},
        {"https://a.test/#x", "fragment", "fragment"},
        {"https://a.test#x", "fragment", "fragment"},
        {"https://a.test/ x", "%20", "%20"},
        {"https://a.test/\xc3\xa9", "%20", "%20"},
        {"https://a.test/\"x", "%20", "%20"},
        {"https://b\xc3\xbc.test/", "%20", "%20"},
        {"https://a.test/\r\nx: y", "%20", "%20"},
        {"https://0x7f.1/", "no address", "no address"},
        {"https://127.1/", "no address", "no address"},
        {"https://2130706433/", "no address", "no address"},
        {"https://0177.0.0.1/", "no address", "no address"},
        {"https://0x7f000001/", "no address", "no address"},
        {"https://1.2.3.4.5/", "no address", "no address"},
        {"https://a..test/", "no name", "no name"},
        {"https://a.test./", "no name", "no name"},
        {"https://-a.test/", "no name", "no name"},
        {"https://a%2etest/", "no name", "no name"},
        {"https://a.test\\@b.test/", "%20", "%20"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        for (unsigned private = 0; private < 2; private++) {
            struct err err = {0};
            const char *why = private ? rows[i].why_private : rows[i].why;
            bool ok = webhook_url_check(span_of(rows[i].url), private, &err);
            EXPECT(ok == !why, rows[i].url);
            if (why && !strstr(err.text, why))
                fail_msg("%s: %s", rows[i].url, err.text);
            EXPECT(ok || (err.kind == ERR_USAGE && !strchr(err.text, '\n')), rows[i].url);
        }
}

static void a_long_one_is_refused(void **state)
{
    char url[WEBHOOK_URL_MAX + 2];
    struct err err = {0};
    (void)state;
    memset(url, 'a', sizeof(url) - 1);
    memcpy(url, "https://a.test/", 15);
    url[WEBHOOK_URL_MAX + 1] = '\0';
    assert_false(webhook_url_check(span_of(url), false, &err));
    url[WEBHOOK_URL_MAX] = '\0';
    assert_true(webhook_url_check(span_of(url), false, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(addresses), cmocka_unit_test(a_long_one_is_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
