// SPDX-License-Identifier: BSD-2-Clause
/* tls_dane_test.c - A server judged by TLSA records: whole handshakes of our client with our server, in TLS 1.2 and 1.3. */
#include "tls_parts.h"
#include "tls_stage.h"

#include <openssl/ssl.h>
#include <stdlib.h>

static struct tls_context *client;
static struct made authority, between, leaf, stranger, expired, wild;
static struct tls_context *whole_chain, *leaf_alone, *expired_chain, *wild_chain;

/* What OpenSSL says of a record; set, it says that something else is wrong. */
static bool broken;
int __wrap_SSL_dane_tlsa_add(SSL *ssl, uint8_t usage, uint8_t selector, uint8_t mtype, const unsigned char *data, size_t len);
int __real_SSL_dane_tlsa_add(SSL *ssl, uint8_t usage, uint8_t selector, uint8_t mtype, const unsigned char *data, size_t len);

int __wrap_SSL_dane_tlsa_add(SSL *ssl, uint8_t usage, uint8_t selector, uint8_t mtype, const unsigned char *data, size_t len)
{
    return broken ? -1 : __real_SSL_dane_tlsa_add(ssl, usage, selector, mtype, data, len);
}

static int set_up(void **state)
{
    struct err err = {0};
    (void)state;
    setenv("SSL_CERT_FILE", "/dev/null", 1); /* none of the system's: they take long to read */
    setenv("SSL_CERT_DIR", "/nonexistent", 1);
    authority = made_by(NULL, MADE_AUTHORITY, "", 3600);
    between = made_by(&authority, MADE_AUTHORITY, "", 3600);
    leaf = made_by(&between, MADE_LEAF, "mx.test other.test mx.xn--bcher-kva.example", 3600);
    stranger = made_by(NULL, MADE_AUTHORITY, "mx.test", 3600);
    expired = made_by(&between, MADE_LEAF, "mx.test", -3600);
    wild = made_by(&between, MADE_LEAF, "*.wild.test", 3600);
    whole_chain = made_server((struct made[]){leaf, between, authority}, 3);
    leaf_alone = made_server(&leaf, 1);
    expired_chain = made_server((struct made[]){expired, between, authority}, 3);
    wild_chain = made_server((struct made[]){wild, between}, 2);
    return tls_client_context(NULL, &client, &err) ? 0 : -1;
}

static int tear_down(void **state)
{
    struct made *all[] = {&authority, &between, &leaf, &stranger, &expired, &wild};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(all); i++)
        made_free(all[i]);
    tls_context_free(whole_chain);
    tls_context_free(leaf_alone);
    tls_context_free(expired_chain);
    tls_context_free(wild_chain);
    tls_context_free(client);
    return 0;
}

static struct met meet_by(struct tls_context *server, const struct dane *dane, const char *key, int version)
{
    return meet(server, client, &(struct tls_terms){.host = "mx.test", .dane = dane, .session_key = key}, version);
}

/* ---- one server, many records ---- */

enum { OLDEST = TLS1_2_VERSION, NEWEST = TLS1_3_VERSION, RECORDS = 4, NAMES = 3 };

struct spec {
    const struct made *of;
    unsigned usage, selector, mtype;
};

static const struct row {
    const char *label;
    struct tls_context **server;
    struct spec records[RECORDS];
    const char *names[NAMES]; /* NULL: "mx.test" */
    enum tls_result result;
    enum tls_by by;
    struct spec match; /* what is verified by, with the depth */
    int depth;
} rows[] = {
    {"the server's own key", &whole_chain, {{&leaf, 3, 1, 1}}, .result = TLS_RESULT_OK, .by = TLS_BY_DANE, .match = {&leaf, 3, 1, 1}},
    {"an authority in the chain", &whole_chain, {{&between, 2, 0, 1}}, .result = TLS_RESULT_OK, .by = TLS_BY_DANE,
     .match = {&between, 2, 0, 1}, .depth = 1},
    {"the authority at its end", &whole_chain, {{&authority, 2, 1, 2}}, .result = TLS_RESULT_OK, .by = TLS_BY_DANE,
     .match = {&authority, 2, 1, 2}, .depth = 2},
    {"an authority whose digest stands in DNS, and that is not sent", &leaf_alone, {{&between, 2, 0, 1}},
     .result = TLS_RESULT_VALIDATION_FAILURE, .by = TLS_BY_DANE},
    {"one that stands in DNS whole", &leaf_alone, {{&between, 2, 0, 0}}, .result = TLS_RESULT_OK, .by = TLS_BY_DANE,
     .match = {&between, 2, 0, 0}, .depth = 1},
    {"the bare key of one", &leaf_alone, {{&between, 2, 1, 0}}, .result = TLS_RESULT_OK, .by = TLS_BY_DANE,
     .match = {&between, 2, 1, 0}, .depth = 0},
    {"somebody else's key", &whole_chain, {{&stranger, 3, 1, 1}}, .result = TLS_RESULT_VALIDATION_FAILURE, .by = TLS_BY_DANE},
    {"the strongest digest alone counts", &whole_chain, {{&leaf, 3, 1, 1}, {&stranger, 3, 1, 2}},
     .result = TLS_RESULT_VALIDATION_FAILURE, .by = TLS_BY_DANE},
    {"of the same usage and selector", &whole_chain, {{&leaf, 3, 1, 1}, {&stranger, 3, 0, 2}}, .result = TLS_RESULT_OK,
     .by = TLS_BY_DANE, .match = {&leaf, 3, 1, 1}},
    {"the next key beside the present one", &whole_chain, {{&stranger, 3, 1, 1}, {&leaf, 3, 1, 1}}, .result = TLS_RESULT_OK,
     .by = TLS_BY_DANE, .match = {&leaf, 3, 1, 1}},
    {"what cannot be used beside what fits", &whole_chain, {{&leaf, 1, 1, 1}, {&leaf, 3, 1, 7}, {&leaf, 3, 1, 1}},
     .result = TLS_RESULT_OK, .by = TLS_BY_DANE, .match = {&leaf, 3, 1, 1}},
    {"what cannot be used does not help", &whole_chain, {{&leaf, 1, 1, 1}, {&stranger, 3, 1, 1}},
     .result = TLS_RESULT_VALIDATION_FAILURE, .by = TLS_BY_DANE},
    {"public authorities", &whole_chain, {{&leaf, 1, 1, 1}, {&authority, 0, 0, 1}}, .result = TLS_RESULT_TLSA_INVALID,
     .by = TLS_BY_NOTHING},
    {"the type that Postfix uses inside", &whole_chain, {{&leaf, 3, 1, 255}}, .result = TLS_RESULT_TLSA_INVALID, .by = TLS_BY_NOTHING},
    {"an expired certificate by its key", &expired_chain, {{&expired, 3, 1, 1}}, .result = TLS_RESULT_OK, .by = TLS_BY_DANE,
     .match = {&expired, 3, 1, 1}},
    {"an expired certificate by its authority", &expired_chain, {{&between, 2, 1, 1}}, .result = TLS_RESULT_CERTIFICATE_EXPIRED,
     .by = TLS_BY_DANE},
    {"another name by the key", &whole_chain, {{&leaf, 3, 1, 1}}, .names = {"nobody.test"}, .result = TLS_RESULT_OK, .by = TLS_BY_DANE,
     .match = {&leaf, 3, 1, 1}},
    {"another name by the authority", &whole_chain, {{&between, 2, 1, 1}}, .names = {"nobody.test"},
     .result = TLS_RESULT_CERTIFICATE_HOST_MISMATCH, .by = TLS_BY_DANE},
    {"the third of its names", &whole_chain, {{&between, 2, 1, 1}}, .names = {"nobody.test", "d.test", "other.test"},
     .result = TLS_RESULT_OK, .by = TLS_BY_DANE, .match = {&between, 2, 1, 1}, .depth = 1},
    {"an A-label", &whole_chain, {{&between, 2, 1, 1}}, .names = {"mx.xn--bcher-kva.example"}, .result = TLS_RESULT_OK,
     .by = TLS_BY_DANE, .match = {&between, 2, 1, 1}, .depth = 1},
    {"a star for a label", &wild_chain, {{&between, 2, 1, 1}}, .names = {"mx.wild.test"}, .result = TLS_RESULT_OK, .by = TLS_BY_DANE,
     .match = {&between, 2, 1, 1}, .depth = 1},
    {"a star for two", &wild_chain, {{&between, 2, 1, 1}}, .names = {"a.mx.wild.test"},
     .result = TLS_RESULT_CERTIFICATE_HOST_MISMATCH, .by = TLS_BY_DANE},
    {"a star for none", &wild_chain, {{&between, 2, 1, 1}}, .names = {"wild.test"}, .result = TLS_RESULT_CERTIFICATE_HOST_MISMATCH,
     .by = TLS_BY_DANE},
};

static bool is_match(const struct tls_judgement *j, const struct row *r)
{
    struct spec m = r->match;
    return j->match.usage == m.usage && j->match.selector == m.selector && j->match.mtype == m.mtype && j->match.depth == r->depth;
}

/* Twice: what was verified is resumed, and means the same; what was not is seen again. */
static void each_server_stands_as_its_records_say(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2 * COUNT_OF(rows); i++) {
        const struct row *r = &rows[i / 2];
        struct dane_record records[RECORDS];
        struct dane dane = {.names = {"mx.test"}, .name_count = 1, .records = records};
        char key[40];
        snprintf(key, sizeof(key), "row %zu", i);
        for (; dane.count < RECORDS && r->records[dane.count].of; dane.count++) {
            const struct spec *s = &r->records[dane.count];
            records[dane.count] = made_record(s->of, s->usage, s->selector, s->mtype == 255 || s->mtype == 7 ? 1 : s->mtype);
            records[dane.count].mtype = (unsigned char)s->mtype;
        }
        for (size_t n = 0; n < NAMES && r->names[n]; n++)
            dane.names[n] = r->names[n], dane.name_count = n + 1;
        for (int again = 0; again < 2; again++) {
            struct met met = meet_by(*r->server, &dane, key, i % 2 ? OLDEST : NEWEST);
            bool good = r->result == TLS_RESULT_OK || r->by == TLS_BY_NOTHING;
            EXPECT(met.state == TLS_OPEN, r->label);
            EXPECT(met.judged.result == r->result && met.judged.by == r->by, r->label);
            EXPECT(r->result != TLS_RESULT_OK || is_match(&met.judged, r), r->label);
            EXPECT(met.resumed == (again && good), r->label);
            EXPECT(strcmp(met.asked, r->by == TLS_BY_NOTHING ? "mx.test" : dane.names[0]) == 0, r->label);
        }
    }
}

/* ---- what is demanded besides ---- */

/* Where no record can be used a policy of another kind may still ask for the authorities; and it is asked as without DANE. */
static void without_a_usable_record_what_is_demanded_counts(void **state)
{
    struct dane_record record = made_record(&leaf, 1, 1, 1);
    struct dane dane = {.names = {"base.test"}, .name_count = 1, .records = &record, .count = 1};
    (void)state;
    struct met met = meet(whole_chain, client, &(struct tls_terms){.host = "mx.test", .demand = TLS_VERIFIED, .dane = &dane}, 0);
    EXPECT(met.state == TLS_FAILED && met.judged.result == TLS_RESULT_CERTIFICATE_NOT_TRUSTED, met.reason);
    EXPECT(met.judged.by == TLS_BY_AUTHORITIES && strcmp(met.asked, "mx.test") == 0, met.asked);
    record.usage = 3;
    met = meet(whole_chain, client, &(struct tls_terms){.host = "mx.test", .demand = TLS_VERIFIED, .dane = &dane}, 0);
    EXPECT(met.judged.result == TLS_RESULT_OK && met.judged.by == TLS_BY_DANE, "a usable one decides alone");
}

/* The kind: the strength that is asked for depends on who vouches for the certificate. */
static void what_is_strong_is_the_same_whoever_judges(void **state)
{
    struct dane_record usable = made_record(&leaf, 3, 1, 1), unusable = made_record(&leaf, 1, 1, 1);
    const struct dane danes[] = {{.names = {"mx.test"}, .name_count = 1, .records = &usable, .count = 1},
                                 {.names = {"mx.test"}, .name_count = 1, .records = &unusable, .count = 1}};
    const struct dane *const judges[] = {NULL, &danes[0], &danes[1]};
    const struct made chain[] = {leaf, between};
    struct tls_context *weak = made_server(chain, COUNT_OF(chain));
    SSL_CTX *ctx = tls_context_hold(weak);
    (void)state;
    assert_int_equal(SSL_CTX_set_cipher_list(ctx, "ECDHE-ECDSA-AES128-SHA"), 1);
    SSL_CTX_free(ctx);
    for (size_t i = 0; i < COUNT_OF(judges); i++) {
        struct tls_terms terms = {.host = "mx.test", .demand = TLS_ANY, .dane = judges[i]};
        struct met met = meet(weak, client, &terms, TLS1_2_VERSION);
        EXPECT(met.state == TLS_OPEN, "where nothing is asked for");
        terms.demand = TLS_STRONG;
        met = meet(weak, client, &terms, TLS1_2_VERSION);
        EXPECT(met.state == TLS_FAILED, i == 0 ? "nobody" : i == 1 ? "its records" : "records that cannot be used");
    }
    tls_context_free(weak);
}

/* What is no fault of the records says nothing of them: it is no reason to go on without. */
static void nothing_is_said_when_records_cannot_be_made_ready(void **state)
{
    struct dane_record record = made_record(&leaf, 3, 1, 1);
    struct dane dane = {.names = {"mx.test"}, .name_count = 1, .records = &record, .count = 1};
    (void)state;
    broken = true;
    struct met met = meet_by(whole_chain, &dane, "broken", 0);
    broken = false;
    EXPECT(met.state == TLS_FAILED && met.judged.result != TLS_RESULT_OK && met.asked[0] == '\0', met.reason);
}

/* ---- sessions ---- */

/* The kind: a session that was given on other terms stands for a verification that was never made. */
static void a_session_is_resumed_on_the_same_terms_only(void **state)
{
    struct dane_record own = made_record(&leaf, 3, 1, 1), chain = made_record(&between, 2, 1, 1), other = made_record(&stranger, 3, 1, 1);
    struct dane_record both[] = {own, other}, unusable = own;
    unusable.usage = 1;
    const struct dane terms[] = {
        {.names = {"mx.test"}, .name_count = 1, .records = &own, .count = 1},
        {.names = {"mx.test"}, .name_count = 1, .records = &chain, .count = 1},
        {.names = {"mx.test"}, .name_count = 1, .records = both, .count = 2},
        {.names = {"other.test"}, .name_count = 1, .records = &chain, .count = 1},
        {.names = {"mx.test", "other.test"}, .name_count = 2, .records = &chain, .count = 1},
        {.names = {"mx.test"}, .name_count = 1, .records = &unusable, .count = 1},
        {.names = {"mx.test"}, .name_count = 1, .records = &other, .count = 1},
    };
    (void)state;
    for (int version = OLDEST; version <= NEWEST; version++)
        for (size_t given = 0; given <= COUNT_OF(terms); given++)
            for (size_t wanted = 0; wanted <= COUNT_OF(terms); wanted++) {
                char label[80];
                snprintf(label, sizeof(label), "%x: given %zu, wanted %zu", (unsigned)version, given, wanted);
                struct tls_terms t = {.host = "mx.test", .session_key = label};
                t.dane = given < COUNT_OF(terms) ? &terms[given] : NULL;
                struct met first = meet(whole_chain, client, &t, version);
                t.dane = wanted < COUNT_OF(terms) ? &terms[wanted] : NULL;
                struct met second = meet(whole_chain, client, &t, version);
                bool met = first.judged.result == TLS_RESULT_OK || first.judged.by != TLS_BY_DANE;
                EXPECT(!first.resumed && second.resumed == (given == wanted && met), label);
                EXPECT(wanted != 6 || second.judged.result == TLS_RESULT_VALIDATION_FAILURE, label);
            }
}

/* A server that takes up a session of its own making: it shows no certificate, and so proves nothing. */
static void a_server_that_begins_anew_is_judged_anew(void **state)
{
    struct dane_record record = made_record(&leaf, 3, 1, 1);
    struct dane dane = {.names = {"mx.test"}, .name_count = 1, .records = &record, .count = 1};
    struct made impostor = made_by(&between, MADE_LEAF, "mx.test", 3600);
    struct tls_context *elsewhere = made_server(&impostor, 1);
    (void)state;
    for (int version = OLDEST; version <= NEWEST; version++) {
        char key[20];
        snprintf(key, sizeof(key), "anew %x", (unsigned)version);
        assert_int_equal(meet_by(whole_chain, &dane, key, version).judged.result, TLS_RESULT_OK);
        tls_rotate_tickets();
        tls_rotate_tickets();
        struct met met = meet_by(elsewhere, &dane, key, version);
        EXPECT(met.offered && !met.resumed && met.judged.result == TLS_RESULT_VALIDATION_FAILURE, key);
        met = meet_by(elsewhere, &dane, key, version);
        EXPECT(!met.resumed && met.judged.result == TLS_RESULT_VALIDATION_FAILURE, "and is given none");
    }
    tls_context_free(elsewhere);
    made_free(&impostor);
}

/* ---- what the owner of a zone may choose ---- */

static void many_records_and_long_ones(void **state)
{
    static char noise[65535 - 3];
    struct dane_record many[DANE_RECORDS_MAX];
    struct dane dane = {.names = {"mx.test"}, .name_count = 1, .records = many};
    (void)state;
    memset(noise, 0x30, sizeof(noise));
    for (size_t at = 0; at < COUNT_OF(many); at += COUNT_OF(many) - 1) {
        for (size_t i = 0; i < COUNT_OF(many); i++)
            many[i] = made_record(i == at ? &leaf : &stranger, 3, 1, 1);
        dane.count = COUNT_OF(many);
        EXPECT(meet_by(whole_chain, &dane, NULL, 0).judged.result == TLS_RESULT_OK, "one of 32");
    }
    for (unsigned kind = 0; kind < 4; kind++) {
        struct dane_record long_ones[] = {{(unsigned char)(2 + kind % 2), (unsigned char)(kind / 2), 0, {noise, sizeof(noise)}},
                                     {(unsigned char)(2 + kind % 2), (unsigned char)(kind / 2), 0, {noise, 0}},
                                     {(unsigned char)(2 + kind % 2), (unsigned char)(kind / 2), 1, {noise, sizeof(noise)}},
                                     made_record(&leaf, 3, 1, 1)};
        dane.records = long_ones;
        for (dane.count = 1; dane.count <= COUNT_OF(long_ones); dane.count++) {
            struct met met = meet_by(whole_chain, &dane, NULL, 0);
            EXPECT(met.judged.by == (dane.count == COUNT_OF(long_ones) ? TLS_BY_DANE : TLS_BY_NOTHING), met.reason);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_server_stands_as_its_records_say),
                                       cmocka_unit_test(without_a_usable_record_what_is_demanded_counts),
                                       cmocka_unit_test(what_is_strong_is_the_same_whoever_judges),
                                       cmocka_unit_test(nothing_is_said_when_records_cannot_be_made_ready),
                                       cmocka_unit_test(a_session_is_resumed_on_the_same_terms_only),
                                       cmocka_unit_test(a_server_that_begins_anew_is_judged_anew),
                                       cmocka_unit_test(many_records_and_long_ones)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
