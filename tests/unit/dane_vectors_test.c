// SPDX-License-Identifier: BSD-2-Clause
/* dane_vectors_test.c - The public cases of DANE through whole handshakes: each chain as its server sends it, in TLS 1.2 and
 * 1.3, and of each situation of names a server whose certificate has one of them. */
#include "tls_stage.h"

#include <openssl/ssl.h>
#include <sqlite3.h>
#include <stdlib.h>

#define CASES VECTORS "/dane-public.json"

enum { RECORDS_MAX = 40, DATA_MAX = 4096 };

static char json[1024 * 1024];
static int json_len;
static struct tls_context *client;

static int set_up(void **state)
{
    struct err err = {0};
    FILE *f = fopen(CASES, "re");
    (void)state;
    if (f) {
        json_len = (int)fread(json, 1, sizeof(json), f);
        assert_true((size_t)json_len < sizeof(json));
        fclose(f);
    }
    setenv("SSL_CERT_FILE", "/dev/null", 1);
    setenv("SSL_CERT_DIR", "/nonexistent", 1);
    return tls_client_context(NULL, &client, &err) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    tls_context_free(client);
    return 0;
}

static void need_vectors(void)
{
    if (json_len == 0 && getenv("CI"))
        fail_msg("the vectors are missing");
    if (json_len == 0)
        skip();
}

/* ---- what they hold ---- */

/* The rows of a statement about a text. */
struct question {
    sqlite3 *db;
    sqlite3_stmt *s;
};

static struct question ask(const char *sql, const char *text, int len)
{
    struct question q;
    assert_int_equal(sqlite3_open(":memory:", &q.db), SQLITE_OK);
    EXPECT(sqlite3_prepare_v2(q.db, sql, -1, &q.s, NULL) == SQLITE_OK, sqlite3_errmsg(q.db));
    sqlite3_bind_text(q.s, 1, text, len, SQLITE_TRANSIENT);
    return q;
}

static bool next(struct question *q)
{
    if (sqlite3_step(q->s) == SQLITE_ROW)
        return true;
    assert_int_equal(sqlite3_finalize(q->s), SQLITE_OK);
    sqlite3_close(q->db);
    return false;
}

static const char *text(struct question *q, int column)
{
    const char *t = (const char *)sqlite3_column_text(q->s, column);
    return t ? t : "";
}

struct terms {
    struct dane dane;
    struct dane_record records[RECORDS_MAX];
    char data[RECORDS_MAX][DATA_MAX], names[DANE_NAMES_MAX][256];
};

static void add_name(struct terms *t, const char *name)
{
    size_t n = t->dane.name_count++;
    assert_true(n < DANE_NAMES_MAX);
    snprintf(t->names[n], sizeof(t->names[n]), "%s", name);
    t->dane.names[n] = t->names[n];
}

static void add_record(struct terms *t, struct question *q)
{
    size_t n = t->dane.count++;
    assert_true(n < RECORDS_MAX);
    const char *hex = text(q, 3);
    size_t len = strlen(hex) / 2;
    assert_true(len <= DATA_MAX);
    for (size_t i = 0; i < len; i++)
        t->data[n][i] = (char)(span_hex_value(hex[2 * i]) << 4 | span_hex_value(hex[2 * i + 1]));
    t->records[n] = (struct dane_record){(unsigned char)sqlite3_column_int(q->s, 0), (unsigned char)sqlite3_column_int(q->s, 1),
                                         (unsigned char)sqlite3_column_int(q->s, 2), {t->data[n], len}};
    t->dane.records = t->records;
}

/* `names` and `records`: arrays in JSON. */
static struct terms *read_terms(const char *names, const char *records)
{
    struct terms *t = xcalloc(1, sizeof(*t));
    struct question q = ask("SELECT value FROM json_each(?)", names, -1);
    while (next(&q))
        add_name(t, text(&q, 0));
    q = ask("SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]'), "
            "json_extract(value, '$[3]') FROM json_each(?)", records, -1);
    while (next(&q))
        add_record(t, &q);
    return t;
}

/* ---- chains ---- */

struct expected {
    const char *id, *what;
    int depth;            /* -1: not said */
    const char *matched; /* "3 1 1" or "" */
};

static void judge(const struct expected *want, const struct met *met)
{
    const struct tls_judgement *j = &met->judged;
    char matched[20], label[500];
    snprintf(matched, sizeof(matched), "%u %u %u", j->match.usage, j->match.selector, j->match.mtype);
    snprintf(label, sizeof(label), "%s: %s, but result %d by %d (%s), matched %s at depth %d", want->id, want->what, (int)j->result,
             (int)j->by, met->reason, matched, j->match.depth);
    EXPECT(met->state == TLS_OPEN, label);
    if (strcmp(want->what, "verified") == 0) {
        EXPECT(j->result == TLS_RESULT_OK && j->by == TLS_BY_DANE, label);
        EXPECT(want->depth < 0 || want->depth == j->match.depth, label);
        EXPECT(want->matched[0] == '\0' || strcmp(want->matched, matched) == 0, label);
    } else if (strcmp(want->what, "not verified") == 0) {
        EXPECT(j->result != TLS_RESULT_OK && j->result != TLS_RESULT_TLSA_INVALID && j->by == TLS_BY_DANE, label);
    } else {
        EXPECT(strcmp(want->what, "unusable") == 0 && j->result == TLS_RESULT_TLSA_INVALID && j->by == TLS_BY_NOTHING, label);
    }
}

/* In both versions, and again with the session that it was given. */
static void try_chain(const struct expected *want, const char *chain, const char *key, const struct dane *dane)
{
    struct tls_context *server = NULL;
    struct err err = {0};
    EXPECT(tls_server_context_from(span_of(chain), span_of(key), &server, &err), err.text);
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        char session[200];
        snprintf(session, sizeof(session), "%s %x", want->id, (unsigned)version);
        for (int again = 0; again < 2; again++) {
            const struct tls_terms terms = {.host = dane->names[0], .dane = dane, .session_key = session};
            struct met met = meet(server, client, &terms, version);
            judge(want, &met);
            EXPECT(met.resumed == (again && strcmp(want->what, "not verified") != 0), session);
        }
    }
    tls_context_free(server);
}

static void each_chain(void **state)
{
    unsigned count = 0;
    (void)state;
    need_vectors();
    struct question q = ask(
        "SELECT json_extract(value, '$.id'), json_extract(value, '$.expected'), coalesce(json_extract(value, '$.depth'), -1), "
        "coalesce((SELECT group_concat(m.value, ' ') FROM json_each(c.value, '$.matched') m), ''), "
        "(SELECT group_concat(x.value, '') FROM json_each(c.value, '$.chain') x), "
        "(SELECT k.value FROM json_each(?1, '$.keys') k WHERE k.key = json_extract(c.value, '$.key')), "
        "json_extract(value, '$.references'), json_extract(value, '$.tlsa') FROM json_each(?1, '$.cases') c",
        json, json_len);
    for (; next(&q); count++) {
        const struct expected want = {text(&q, 0), text(&q, 1), sqlite3_column_int(q.s, 2), text(&q, 3)};
        struct terms *t = read_terms(text(&q, 6), text(&q, 7));
        try_chain(&want, text(&q, 4), text(&q, 5), &t->dane);
        free(t);
    }
    print_message("%u chains\n", count);
    assert_true(count >= 123);
}

/* What a failure is called, where the reason is one that reports have a word for. */
static void the_reason_of_each_failure(void **state)
{
    static const struct {
        const char *id;
        enum tls_result result;
    } rows[] = {
        {"dane/ta-other-name-issuer", TLS_RESULT_CERTIFICATE_HOST_MISMATCH},
        {"dane/ta-wildcard-two-labels", TLS_RESULT_CERTIFICATE_HOST_MISMATCH},
        {"dane/ta-wildcard-partial", TLS_RESULT_CERTIFICATE_HOST_MISMATCH},
        {"dane/ta-leaf-expired", TLS_RESULT_CERTIFICATE_EXPIRED},
        {"dane/ta-issuer-expired-root-named", TLS_RESULT_CERTIFICATE_EXPIRED},
        {"dane/ta-itself-expired", TLS_RESULT_CERTIFICATE_EXPIRED},
        {"dane/ta-leaf-not-yet", TLS_RESULT_CERTIFICATE_NOT_TRUSTED},
        {"dane/issuer-no-ca", TLS_RESULT_CERTIFICATE_NOT_TRUSTED},
        {"dane/path-length", TLS_RESULT_CERTIFICATE_NOT_TRUSTED},
        {"dane/forged-signature", TLS_RESULT_VALIDATION_FAILURE},
        {"dane/client-certificate-ta", TLS_RESULT_CERTIFICATE_NOT_TRUSTED},
        {"dane/chain-311-wrong", TLS_RESULT_VALIDATION_FAILURE},
        {"dane/chain-201-wrong", TLS_RESULT_VALIDATION_FAILURE},
        {"dane/ta-not-sent-201", TLS_RESULT_VALIDATION_FAILURE},
        {"dane/ta-not-sent-211", TLS_RESULT_VALIDATION_FAILURE},
        {"dane/self-signed-201", TLS_RESULT_VALIDATION_FAILURE},
        {"dane/stranger-in-chain", TLS_RESULT_VALIDATION_FAILURE},
        {"dane/ta-from-dns-stranger-key", TLS_RESULT_VALIDATION_FAILURE},
    };
    (void)state;
    need_vectors();
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct tls_context *server = NULL;
        struct err err = {0};
        char sql[1000], label[500];
        snprintf(sql, sizeof(sql),
                 "SELECT (SELECT group_concat(x.value, '') FROM json_each(c.value, '$.chain') x), "
                 "(SELECT k.value FROM json_each(?1, '$.keys') k WHERE k.key = json_extract(c.value, '$.key')), "
                 "json_extract(value, '$.references'), json_extract(value, '$.tlsa') FROM json_each(?1, '$.cases') c "
                 "WHERE json_extract(value, '$.id') = '%s'", rows[i].id);
        struct question q = ask(sql, json, json_len);
        EXPECT(next(&q), rows[i].id);
        struct terms *t = read_terms(text(&q, 2), text(&q, 3));
        assert_true(tls_server_context_from(span_of(text(&q, 0)), span_of(text(&q, 1)), &server, &err));
        assert_false(next(&q));
        struct met met = meet(server, client, &(struct tls_terms){.host = "mx.test", .dane = &t->dane}, 0);
        snprintf(label, sizeof(label), "%s: %d, %s", rows[i].id, (int)met.judged.result, met.reason);
        EXPECT(met.judged.result == rows[i].result, label);
        tls_context_free(server);
        free(t);
    }
}

/* ---- names ---- */

static struct made authority;

/* A server whose certificate has this name alone. */
static struct met meet_named(const char *name, const struct terms *t)
{
    struct made leaf = made_by(&authority, MADE_LEAF, name, 3600);
    struct tls_context *server = made_server((struct made[]){leaf, authority}, 2);
    struct met met = meet(server, client, &(struct tls_terms){.host = "mx.test", .dane = &t->dane}, 0);
    tls_context_free(server);
    made_free(&leaf);
    return met;
}

static bool is_among(const struct terms *t, const char *name)
{
    for (size_t i = 0; i < t->dane.name_count; i++)
        if (strcmp(t->dane.names[i], name) == 0)
            return true;
    return false;
}

/* Any of the names will do, and no other that the situation speaks of; the base is what the server is asked for. */
static void try_names(const char *id, const char *base, struct terms *t, const char *others)
{
    t->records[0] = made_record(&authority, 2, 0, 1);
    t->dane.records = t->records;
    t->dane.count = 1;
    EXPECT(t->dane.name_count > 0 && strcmp(t->dane.names[0], base) == 0, id);
    for (size_t i = 0; i < t->dane.name_count; i++) {
        struct met met = meet_named(t->dane.names[i], t);
        EXPECT(met.judged.result == TLS_RESULT_OK && met.judged.match.depth == 1, id);
        EXPECT(strcmp(met.asked, base) == 0, id);
    }
    struct question q = ask("SELECT DISTINCT atom FROM json_tree(?) WHERE type = 'text' AND atom LIKE '%.%'", others, -1);
    while (next(&q)) {
        const char *name = text(&q, 0);
        char ascii[256];
        if (is_among(t, name) || name[0] == '_' || name[0] == '[' || strchr(name, ' ') || (unsigned char)name[1] >= 0x80)
            continue;
        snprintf(ascii, sizeof(ascii), "%s", name);
        EXPECT(meet_named(ascii, t).judged.result == TLS_RESULT_CERTIFICATE_HOST_MISMATCH, ascii);
    }
}

static void each_situation_of_names(void **state)
{
    unsigned count = 0, by_dane = 0;
    (void)state;
    need_vectors();
    authority = made_by(NULL, MADE_AUTHORITY, "", 3600);
    struct question q = ask(
        "SELECT json_extract(value, '$.id'), json_extract(value, '$.expect.do'), json_extract(value, '$.expect.base'), "
        "json_extract(value, '$.expect.references'), json_array(json_extract(value, '$.domain'), "
        "json_extract(value, '$.mx'), json_extract(value, '$.host'), json_extract(value, '$.address')) "
        "FROM json_each(?, '$.bases')", json, json_len);
    for (; next(&q); count++) {
        if (strcmp(text(&q, 1), "dane") != 0) /* no certificate is looked at */
            continue;
        struct terms *t = read_terms(text(&q, 3), "[]");
        try_names(text(&q, 0), text(&q, 2), t, text(&q, 4));
        free(t);
        by_dane++;
    }
    made_free(&authority);
    print_message("%u situations of names, %u by DANE\n", count, by_dane);
    assert_true(count >= 31 && by_dane >= 13);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_chain), cmocka_unit_test(the_reason_of_each_failure),
                                       cmocka_unit_test(each_situation_of_names)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
