// SPDX-License-Identifier: BSD-2-Clause
/* tls_test.c - What a failed handshake is said to have failed by, which authorities are trusted, and what is resumed. */
#include "table.h"

#include "key.h"
#include "tls.h"
#include "tls_parts.h"

#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static time_t ahead_s; /* of the clock, for all that is in this program */

time_t time(time_t *now_r)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (now_r)
        *now_r = now.tv_sec + ahead_s;
    return now.tv_sec + ahead_s;
}

static struct tls_context *server, *client;

static int set_up(void **state)
{
    struct buf certificate;
    struct buf key;
    struct err err = {0};
    (void)state;
    buf_init(&certificate, 16384);
    buf_init(&key, 16384);
    bool ok = key_self_signed("mx.test", &certificate, &key, &err) &&
              tls_server_context_from(buf_span(&certificate), buf_span(&key), &server, &err) &&
              tls_client_context(NULL, &client, &err);
    buf_fini(&certificate);
    buf_fini(&key);
    return ok ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    tls_context_free(server);
    tls_context_free(client);
    return 0;
}

/* A handshake whose last record from the server, after its certificate, is spoilt. */
static void shake(enum tls_demand demand, struct tls *c)
{
    struct tls s;
    tls_accept(&s, server, TLS_SMTP);
    tls_connect(c, client, "mx.test", demand);
    tls_input(&s, buf_span(&c->cipher));
    assert_true(s.cipher.len > 100);
    s.cipher.memory[s.cipher.len - 1] ^= 1;
    tls_input(c, buf_span(&s.cipher));
    assert_int_equal(c->state, TLS_FAILED);
    tls_fini(&s);
}

/* The kind: a certificate that nobody has asked to be valid is blamed for what has failed otherwise. */
static void a_certificate_is_blamed_only_where_it_is_checked(void **state)
{
    static const struct {
        enum tls_demand demand;
        bool blamed;
    } rows[] = {{TLS_ANY, false}, {TLS_STRONG, false}, {TLS_VERIFIED, true}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct tls c;
        shake(rows[i].demand, &c);
        EXPECT((strstr(c.err.text, "certificate refused") != NULL) == rows[i].blamed, c.err.text);
        assert_true(strlen(c.err.text) > 0);
        tls_fini(&c);
    }
}

static bool verifies(struct tls_context *server_context)
{
    struct tls_context *context = NULL;
    struct err err = {0};
    struct tls s;
    struct tls c;
    assert_true(tls_client_context(NULL, &context, &err));
    tls_accept(&s, server_context, TLS_SMTP);
    tls_connect(&c, context, "mx.test", TLS_VERIFIED);
    tls_input(&s, buf_span(&c.cipher));
    tls_input(&c, buf_span(&s.cipher));
    bool verified = c.state == TLS_OPEN && tls_verified(&c);
    tls_fini(&s);
    tls_fini(&c);
    tls_context_free(context);
    return verified;
}

static unsigned long subject_hash(struct span pem)
{
    BIO *bio = BIO_new_mem_buf(pem.ptr, (int)pem.len);
    X509 *x = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    assert_non_null(x);
    unsigned long hash = X509_subject_name_hash(x);
    X509_free(x);
    BIO_free(bio);
    return hash;
}

static void write_file(const char *path, struct span text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text.ptr, 1, text.len, file), text.len);
    assert_int_equal(fclose(file), 0);
}

/* The system's authorities are not only those of one file. */
static void an_authority_is_found_in_the_directory_by_its_hash(void **state)
{
    char directory[] = "/tmp/authorities-XXXXXX";
    char plain[64];
    char hashed[64];
    struct buf certificate;
    struct buf key;
    struct err err = {0};
    struct tls_context *own = NULL;
    (void)state;
    buf_init(&certificate, 16384);
    buf_init(&key, 16384);
    assert_true(key_self_signed("mx.test", &certificate, &key, &err));
    assert_true(tls_server_context_from(buf_span(&certificate), buf_span(&key), &own, &err));
    assert_non_null(mkdtemp(directory));
    snprintf(plain, sizeof(plain), "%s/some.pem", directory);
    snprintf(hashed, sizeof(hashed), "%s/%08lx.0", directory, subject_hash(buf_span(&certificate)));
    setenv("SSL_CERT_FILE", "/nonexistent", 1);
    setenv("SSL_CERT_DIR", directory, 1);
    write_file(plain, buf_span(&certificate));
    EXPECT(!verifies(own), "some.pem");
    assert_int_equal(rename(plain, hashed), 0);
    EXPECT(verifies(own), "the hash of its name");
    assert_int_equal(unlink(hashed), 0);
    assert_int_equal(rmdir(directory), 0);
    tls_context_free(own);
    buf_fini(&certificate);
    buf_fini(&key);
}

/* One connection, up to what the server says first, `says_after_s` later: with that come tickets. */
static bool resumes_late(time_t says_after_s, struct tls_context *server_context,
                         struct tls_context *context, const char *key, bool *verified_r)
{
    struct tls s;
    struct tls c;
    tls_accept(&s, server_context, TLS_SMTP);
    tls_connect_on(&c, context,
                   &(struct tls_terms){.host = "mx.test", .demand = *verified_r ? TLS_VERIFIED : TLS_ANY, .session_key = key});
    bool offers = c.resumes;
    for (int i = 0; i < 3; i++) {
        tls_input(&s, buf_span(&c.cipher));
        buf_clear(&c.cipher);
        if (s.state == TLS_OPEN && i == 1)
            ahead_s += says_after_s;
        if (s.state == TLS_OPEN)
            tls_write(&s, SPAN("220 ready\r\n"));
        tls_input(&c, buf_span(&s.cipher));
        buf_clear(&s.cipher);
    }
    assert_int_equal(c.state, TLS_OPEN);
    assert_false(c.resumes);
    *verified_r = tls_verified(&c);
    bool resumed = SSL_session_reused(c.ssl) == 1;
    assert_true(offers || !resumed);
    tls_fini(&s);
    tls_fini(&c);
    return resumed;
}

static bool resumes(struct tls_context *server_context, struct tls_context *context,
                    const char *key, bool *verified_r)
{
    return resumes_late(0, server_context, context, key, verified_r);
}

static void a_session_is_resumed_by_its_key_alone(void **state)
{
    bool verified = false;
    struct tls_context *again = NULL;
    struct err err = {0};
    (void)state;
    EXPECT(!resumes(server, client, "one", &verified), "the first");
    EXPECT(resumes(server, client, "one", &verified), "its key");
    EXPECT(!verified, "a certificate that nobody vouches for");
    EXPECT(!resumes(server, client, "two", &verified), "another key");
    EXPECT(!resumes(server, client, NULL, &verified), "no key");
    EXPECT(resumes(server, client, "one", &verified),
           "its key again: what was resumed has given one, too");
    tls_rotate_tickets();
    EXPECT(resumes(server, client, "one", &verified), "the key before is good, too");
    tls_rotate_tickets();
    tls_rotate_tickets();
    EXPECT(!resumes(server, client, "one", &verified), "the server has other keys");
    assert_true(tls_client_context(NULL, &again, &err));
    EXPECT(!resumes(server, again, "one", &verified), "another context");
    tls_context_free(again);
}

static void after_a_handshake_that_failed_none_is_offered(void **state)
{
    bool verified = false;
    struct tls c;
    (void)state;
    (void)resumes(server, client, "bad", &verified);
    tls_connect_on(&c, client, &(struct tls_terms){.host = "mx.test", .session_key = "bad"});
    assert_true(c.resumes);
    tls_input(&c, SPAN("\x15\x03\x03\x00\x02\x02\x28")); /* handshake_failure */
    assert_int_equal(c.state, TLS_FAILED);
    tls_fini(&c);
    EXPECT(!resumes(server, client, "bad", &verified), "right afterwards");
    EXPECT(!resumes(server, client, "bad", &verified), "later");
}

/* What breaks a handshake may be a network, or the end of this process: not the server's session. */
static void but_not_for_ever(void **state)
{
    bool verified = false;
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct tls c;
        (void)resumes(server, client, "cut off", &verified);
        tls_connect_on(&c, client, &(struct tls_terms){.host = "mx.test", .session_key = "cut off"});
        assert_true(c.resumes);
        tls_fini(&c);
        EXPECT(!resumes(server, client, "cut off", &verified), "right afterwards");
        ahead_s += 3590;
        EXPECT(!resumes(server, client, "cut off", &verified), "nearly an hour later");
        ahead_s += 20;
        EXPECT(!resumes(server, client, "cut off", &verified), "an hour later one is given");
        EXPECT(resumes(server, client, "cut off", &verified), "and is good");
    }
    ahead_s = 0;
}

/* The kind: a chain of sessions, each from the handshake that resumed the one before, outlives the
 * proof that it began with. The server's certificate is seen again within the hour. */
static void a_certificate_is_seen_again_however_much_is_resumed(void **state)
{
    static const struct {
        int version;
        time_t step_s, says_after_s;
        int resumed; /* handshakes between two whole ones */
    } rows[] = {{TLS1_3_VERSION, 1800, 0, 1}, {TLS1_3_VERSION, 600, 0, 5},
                {TLS1_3_VERSION, 1190, 0, 3}, {TLS1_3_VERSION, 3600, 0, 0},
                {TLS1_3_VERSION, 0, 2000, 1}, {TLS1_3_VERSION, 0, 4000, 0},
                {TLS1_2_VERSION, 1800, 0, 1}, {TLS1_2_VERSION, 600, 0, 5}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct tls_context *context = NULL;
        struct err err = {0};
        bool verified = false;
        assert_true(tls_client_context(NULL, &context, &err));
        SSL_CTX *ctx = tls_context_hold(context);
        assert_int_equal(SSL_CTX_set_max_proto_version(ctx, rows[i].version), 1);
        SSL_CTX_free(ctx);
        for (int n = 0; n < 3 * (rows[i].resumed + 1); n++) {
            bool resumed = resumes_late(rows[i].says_after_s, server, context, "chain", &verified);
            char label[40];
            snprintf(label, sizeof(label), "row %zu, connection %d", i, n);
            EXPECT(resumed == (n % (rows[i].resumed + 1) != 0), label);
            ahead_s += rows[i].step_s;
        }
        tls_context_free(context);
    }
    ahead_s = 0;
}

/* Many servers, each of them with more sessions than are kept. */
static void what_is_kept_is_bounded(void **state)
{
    bool verified = false;
    (void)state;
    for (int i = 0; i < 300; i++) {
        char key[32];
        snprintf(key, sizeof(key), "server %d", i);
        EXPECT(!resumes(server, client, key, &verified), key);
    }
    EXPECT(!resumes(server, client, "server 0", &verified), "the oldest is forgotten");
    EXPECT(resumes(server, client, "server 299", &verified), "the newest is not");
}

/* The kind: a client makes the server keep something for each connection, after its end. Of TLS 1.2
 * without tickets that is the session. */
static void a_server_keeps_no_sessions(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        struct tls s;
        struct tls c;
        tls_accept(&s, server, TLS_SMTP);
        assert_int_equal(SSL_set_max_proto_version(s.ssl, TLS1_2_VERSION), 1);
        SSL_set_options(s.ssl, i % 2 ? SSL_OP_NO_TICKET : 0);
        tls_connect(&c, client, "mx.test", TLS_ANY);
        for (int flight = 0; flight < 3; flight++) {
            tls_input(&s, buf_span(&c.cipher));
            buf_clear(&c.cipher);
            tls_input(&c, buf_span(&s.cipher));
            buf_clear(&s.cipher);
        }
        assert_true(s.state == TLS_OPEN && SSL_version(s.ssl) == TLS1_2_VERSION);
        assert_int_equal(SSL_CTX_sess_number(SSL_get_SSL_CTX(s.ssl)), 0);
        tls_fini(&s);
        tls_fini(&c);
    }
}

/* The kind: room that grows while a record is read, and is copied for each line that comes. And what comes must be whole, however
 * long its records are and wherever the wire cuts them. */
static void what_comes_is_whole_and_takes_no_more_room_than_it_needs(void **state)
{
    static const size_t lengths[] = {1, 50, 4096, 16384, 16385, 70000}, cuts[] = {1, 5, 6, 21, 1500, 16406, 65536};
    static char text[70000];
    (void)state;
    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = (char)(i * 7 % 251);
    for (size_t cut = 0; cut < COUNT_OF(cuts); cut++) {
        struct tls s, c;
        tls_accept(&s, server, TLS_SMTP);
        tls_connect(&c, client, "mx.test", TLS_ANY);
        for (int flight = 0; flight < 2; flight++) {
            tls_input(&s, buf_span(&c.cipher));
            buf_clear(&c.cipher);
            tls_input(&c, buf_span(&s.cipher));
            buf_clear(&s.cipher);
        }
        for (size_t i = 0; i < COUNT_OF(lengths); i++) {
            struct span sent = {text, lengths[i]};
            struct buf heard;
            buf_init(&heard, sizeof(text));
            tls_write(&c, sent);
            for (struct span wire = buf_span(&c.cipher); wire.len > 0; wire = span_from(wire, cuts[cut])) {
                tls_input(&s, span_first(wire, cuts[cut]));
                assert_true(s.state == TLS_OPEN && s.plain.size <= 2 * cuts[cut] + 32 * 1024);
                assert_true(lengths[i] > 4096 || s.plain.size <= 2 * (lengths[i] + 64));
                buf_add(&heard, buf_span(&s.plain));
                buf_fini(&s.plain);
            }
            assert_true(span_equal(buf_span(&heard), sent));
            buf_clear(&c.cipher);
            buf_fini(&heard);
        }
        tls_fini(&s);
        tls_fini(&c);
    }
}

/* RFC 9266: both ends have the same octets, before TLS 1.3 none. */
static void both_ends_are_bound_by_the_same(void **state)
{
    (void)state;
    for (int old = 0; old < 2; old++) {
        unsigned char ours[32] = "", theirs[32] = "";
        struct tls s, c;
        tls_accept(&s, server, TLS_SMTP);
        assert_int_equal(SSL_set_max_proto_version(s.ssl, old ? TLS1_2_VERSION : TLS1_3_VERSION), 1);
        tls_connect(&c, client, "mx.test", TLS_ANY);
        for (int flight = 0; flight < 3; flight++) {
            tls_input(&s, buf_span(&c.cipher));
            buf_clear(&c.cipher);
            tls_input(&c, buf_span(&s.cipher));
            buf_clear(&s.cipher);
        }
        assert_true(tls_binds(&s) == !old && tls_binding(&s, ours) == !old && tls_binding(&c, theirs) == !old);
        assert_memory_equal(ours, theirs, sizeof(ours));
        tls_fini(&s);
        tls_fini(&c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_certificate_is_blamed_only_where_it_is_checked),
        cmocka_unit_test(an_authority_is_found_in_the_directory_by_its_hash),
        cmocka_unit_test(a_session_is_resumed_by_its_key_alone),
        cmocka_unit_test(after_a_handshake_that_failed_none_is_offered),
        cmocka_unit_test(but_not_for_ever),
        cmocka_unit_test(a_certificate_is_seen_again_however_much_is_resumed),
        cmocka_unit_test(what_is_kept_is_bounded),
        cmocka_unit_test(a_server_keeps_no_sessions),
        cmocka_unit_test(what_comes_is_whole_and_takes_no_more_room_than_it_needs),
        cmocka_unit_test(both_ends_are_bound_by_the_same)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
