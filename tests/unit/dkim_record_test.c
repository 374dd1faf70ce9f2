// SPDX-License-Identifier: BSD-2-Clause
/* dkim_record_test.c - Every way in which a published key can be wrong is told apart from the others. */
#include "table.h"

#include "dkim_record.h"
#include "zone.h"

#define ED "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
#define RSA \
    "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA77OtE5bUpl22GVYrv186mZ7ifOCjM6DxlNVIGnsHKFuU2L5/SMUOEiN4lbWKBxsT" \
    "iQhzbcHtHJ8DktH9eKU9WGxIVzGNAtLWPxUTurIAWYvh5EsXZWcdmZ5/Uo4KiEY3d0SflIuhA3s1EAQIBcBqqRPE+im2as0nc+9W0VEt7BTY" \
    "ga3ziQZDJhPS9yQN7VoZY8FPu8ySn5saDh5rqhvpe5B9RVoQdJyIrzRWHuaiWte06qLEYlaaActkuX/nzO7iBPidQQ47ZUNORL6fp3SlGV0+" \
    "N/Rmcvn0l/4hGW8pv52u0maBv1I75wFO9l42O381SsZuJ+UmXrzknyF1HKHuTwIDAQAB"
#define NAME "sp1._domainkey.club.test TXT"

static const struct row {
    const char *label;
    struct zone_line zone[4];
    const char *key; /* ours; NULL: RSA */
    enum dkim_state want;
} rows[] = {
    {"ours", {{NAME, "v=DKIM1; k=rsa; p=" RSA}}, NULL, DKIM_OK},
    {"ours, Ed25519", {{NAME, "v=DKIM1; k=ed25519; p=" ED}}, ED, DKIM_OK},
    {"k=rsa is the default", {{NAME, "v=DKIM1; p=" RSA}}, NULL, DKIM_OK},
    {"v= is optional", {{NAME, "p=" RSA}}, NULL, DKIM_OK},
    {"blanks in p=", {{NAME, "v=DKIM1; k=ed25519; p=11qYAYKx CrfVS/7TyWQHOg7 hcvPapiMlrwIaaPcHURo= "}}, ED, DKIM_OK},
    {"a semicolon at the end", {{NAME, "v=DKIM1; k=ed25519; p=" ED ";"}}, ED, DKIM_OK},
    {"h= with sha256 among others", {{NAME, "v=DKIM1; h=sha1:sha256; k=ed25519; p=" ED}}, ED, DKIM_OK},
    {"s=email", {{NAME, "v=DKIM1; s=email; k=ed25519; p=" ED}}, ED, DKIM_OK},
    {"t=s only", {{NAME, "v=DKIM1; t=s; k=ed25519; p=" ED}}, ED, DKIM_OK},
    {"unknown tags", {{NAME, "v=DKIM1; x=y; k=ed25519; n=a note; p=" ED}}, ED, DKIM_OK},
    {"another name in capitals is another tag", {{NAME, "v=DKIM1; k=ed25519; P=x; p=" ED}}, ED, DKIM_OK},
    {"t=y", {{NAME, "v=DKIM1; t=y; k=ed25519; p=" ED}}, ED, DKIM_TESTING},
    {"t=s:y", {{NAME, "v=DKIM1; t=s:y; k=ed25519; p=" ED}}, ED, DKIM_TESTING},
    {"no such name", {{"club.test TXT", "x"}}, NULL, DKIM_MISSING},
    {"the name without TXT", {{"sp1._domainkey.club.test A", "192.0.2.1"}}, NULL, DKIM_MISSING},
    {"two records", {{NAME, "v=DKIM1; p=" RSA}, {NAME, "v=DKIM1; p=" RSA}}, NULL, DKIM_DUPLICATED},
    {"revoked", {{NAME, "v=DKIM1; p="}}, NULL, DKIM_REVOKED},
    {"revoked, with a blank", {{NAME, "v=DKIM1; p= ; k=rsa"}}, NULL, DKIM_REVOKED},
    {"cut off at 255 octets", {{NAME, "v=DKIM1; k=rsa; p=MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA77OtE5bUpl22GVYrv186mZ7ifOCjM6DxlNVIGnsHKFuU2L"
                                     "5/SMUOEiN4lbWKBxsTiQhzbcHtHJ8DktH9eKU9WGxIVzGNAtLWPxUTurIAWYvh5EsXZWcdmZ5/Uo4KiEY3d0SflIuhA3s1EAQIBcBqqRPE+im2as0nc+9W0VEt7BTYga3ziQZDJhPS9yQN7VoZY"}},
     NULL, DKIM_TRUNCATED},
    {"cut off, Ed25519", {{NAME, "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMl"}}, ED, DKIM_TRUNCATED},
    {"another key", {{NAME, "v=DKIM1; k=ed25519; p=22qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="}}, ED, DKIM_OTHER_KEY},
    {"another algorithm", {{NAME, "v=DKIM1; k=rsa; p=" RSA}}, ED, DKIM_UNFIT},
    {"an algorithm nobody knows", {{NAME, "v=DKIM1; k=dsa; p=" RSA}}, NULL, DKIM_UNFIT},
    {"only for SHA-1", {{NAME, "v=DKIM1; h=sha1; p=" RSA}}, NULL, DKIM_UNFIT},
    {"not for mail", {{NAME, "v=DKIM1; s=other; p=" RSA}}, NULL, DKIM_UNFIT},
    {"no p=", {{NAME, "v=DKIM1; k=rsa"}}, NULL, DKIM_MALFORMED},
    {"p= twice", {{NAME, "v=DKIM1; p=" RSA "; p=" RSA}}, NULL, DKIM_MALFORMED},
    {"v= not first", {{NAME, "k=rsa; v=DKIM1; p=" RSA}}, NULL, DKIM_MALFORMED},
    {"another version", {{NAME, "v=DKIM2; p=" RSA}}, NULL, DKIM_MALFORMED},
    {"quotes of a zone file in it", {{NAME, "\"v=DKIM1; p=" RSA "\""}}, NULL, DKIM_MALFORMED},
    {"quotes inside p=", {{NAME, "v=DKIM1; k=ed25519; p=11qYAYKxCrfV\" \"S/7TyWQHOg7hcvPapiMlrwIaaPcHURo="}}, ED,
     DKIM_MALFORMED},
    {"something else", {{NAME, "v=spf1 -all"}}, NULL, DKIM_MALFORMED},
    {"DNS does not answer", {{NAME, "FAIL"}}, NULL, DKIM_UNANSWERED},
    {"DNS has not answered yet", {{NAME, "PENDING"}}, NULL, DKIM_PENDING},
};

static void every_row(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct zone zone;
        zone_init(&zone, rows[i].zone);
        enum dkim_state got =
            dkim_record_check(&zone.dns, "club.test", "sp1", rows[i].key ? KEY_ED25519 : KEY_RSA,
                              span_of(rows[i].key ? rows[i].key : RSA));
        if (got != rows[i].want)
            fail_msg("%s: %s", rows[i].label, dkim_state_name(got));
        zone_fini(&zone);
    }
}

/* Some tools publish the bare RSAPublicKey: the same key without the 24 octets around it. */
static void a_key_without_its_wrapping(void **state)
{
    char record[1000];
    (void)state;
    snprintf(record, sizeof(record), "v=DKIM1; p=%s", &RSA[32]); /* 24 octets are 32 characters */
    assert_int_equal(dkim_record_compare(span_of(record), KEY_RSA, span_of(RSA)), DKIM_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_row), cmocka_unit_test(a_key_without_its_wrapping)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
