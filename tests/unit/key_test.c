// SPDX-License-Identifier: BSD-2-Clause
/* key_test.c - Which keys are taken, what DNS is told of them, and the certificate to start with. */
#include "table.h"

#include "key.h"
#include "tls.h"

#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void generate(enum key_algorithm how, struct buf *pem)
{
    struct err err = {0};
    buf_init(pem, 8192);
    EXPECT(key_generate(how, 2048, pem, &err), err.text);
}

static void write_pem(EVP_PKEY *pkey, const char *passphrase, struct buf *pem)
{
    char *text = NULL;
    BIO *bio = BIO_new(BIO_s_mem());
    const EVP_CIPHER *cipher = passphrase ? EVP_aes_256_cbc() : NULL;
    assert_int_equal(PEM_write_bio_PKCS8PrivateKey(bio, pkey, cipher, passphrase, passphrase ? (int)strlen(passphrase) : 0,
                                                   NULL, NULL), 1);
    long len = BIO_get_mem_data(bio, &text);
    buf_init(pem, 16384);
    buf_add(pem, (struct span){text, (size_t)len});
    BIO_free(bio);
    EVP_PKEY_free(pkey);
}

static void names_go_both_ways(void **state)
{
    static const char *const none[] = {"", "RSA", "rsa ", "rsa-sha256", "ed25519x", "dsa"};
    enum key_algorithm how = KEY_RSA;
    (void)state;
    assert_true(key_algorithm_parse(SPAN("ed25519"), &how) && how == KEY_ED25519);
    assert_true(key_algorithm_parse(SPAN("rsa"), &how) && how == KEY_RSA);
    assert_string_equal(key_algorithm_name(KEY_RSA), "rsa");
    assert_string_equal(key_algorithm_name(KEY_ED25519), "ed25519");
    for (size_t i = 0; i < COUNT_OF(none); i++)
        EXPECT(!key_algorithm_parse(span_of(none[i]), &how), none[i]);
}

/* RFC 8301 section 3.2: not under 1024 bits; RFC 8463: Ed25519; nothing else signs. */
static void only_keys_that_can_sign_are_taken(void **state)
{
    static const struct {
        const char *label, *kind;
        size_t bits;
        bool taken;
    } rows[] = {{"RSA of 768 bits", "RSA", 768, false},   {"RSA of 1024 bits", "RSA", 1024, true},
                {"RSA of 2048 bits", "RSA", 2048, true},  {"Ed25519", "ED25519", 0, true},
                {"Ed448", "ED448", 0, false},             {"X25519", "X25519", 0, false},
                {"ECDSA", "EC", 0, false}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        EVP_PKEY *pkey = strcmp(rows[i].kind, "RSA") == 0  ? EVP_PKEY_Q_keygen(NULL, NULL, "RSA", rows[i].bits)
                         : strcmp(rows[i].kind, "EC") == 0 ? EVP_EC_gen("P-256")
                                                           : EVP_PKEY_Q_keygen(NULL, NULL, rows[i].kind);
        struct buf pem;
        struct key *key = NULL;
        struct err err = {0};
        EXPECT(pkey, rows[i].label);
        write_pem(pkey, NULL, &pem);
        EXPECT(key_read(buf_span(&pem), &key, &err) == rows[i].taken, rows[i].label);
        EXPECT(rows[i].taken || (!key && err.text[0]), rows[i].label);
        key_free(key);
        buf_fini(&pem);
    }
}

static void what_is_no_key_is_refused(void **state)
{
    static const char *const none[] = {"", "hello", "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n",
                                       "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
                                       "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(none); i++) {
        struct key *key = NULL;
        struct err err = {0};
        EXPECT(!key_read(span_of(none[i]), &key, &err) && !key && err.text[0], none[i]);
        EXPECT(!key_looks_right(span_of(none[i])), none[i]);
    }
}

/* Cut anywhere, or locked, it does not look right; whole it does. */
static void a_key_is_known_by_its_form(void **state)
{
    static const enum key_algorithm kinds[] = {KEY_RSA, KEY_ED25519};
    struct buf pem;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        generate(kinds[i], &pem);
        struct span text = span_trim(buf_span(&pem));
        EXPECT(key_looks_right(text) && key_looks_right(buf_span(&pem)), key_algorithm_name(kinds[i]));
        for (size_t len = 0; len < text.len; len++)
            EXPECT(!key_looks_right(span_first(text, len)), key_algorithm_name(kinds[i]));
        buf_fini(&pem);
    }
    write_pem(EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), "secret", &pem);
    assert_false(key_looks_right(buf_span(&pem)));
    buf_fini(&pem);
    struct buf certificate;
    struct err err = {0};
    buf_init(&certificate, 16384);
    buf_init(&pem, 8192);
    assert_true(key_self_signed("mail.club.test", &certificate, &pem, &err));
    assert_false(key_looks_right(buf_span(&certificate)));
    buf_add(&certificate, buf_span(&pem)); /* a key behind it is found, as key_read() finds it */
    assert_true(key_looks_right(buf_span(&certificate)));
    buf_fini(&certificate);
    buf_fini(&pem);
}

/* ---- a key with a passphrase, where there is a terminal ---- */

static struct buf locked;

/* On a terminal of its own, as an operator's shell has one. */
_Noreturn static void read_locked_on_a_terminal(const char *terminal)
{
    struct key *key = NULL;
    struct err err = {0};
    setsid();
    int fd = open(terminal, O_RDWR);
    if (fd < 0 || dup2(fd, 0) < 0)
        _exit(3);
    _exit(key_read(buf_span(&locked), &key, &err) ? 1 : err.text[0] ? 0 : 2);
}

/* The kind: a library that asks a person, where a program is to be answered. It would wait for ever. */
static void a_locked_key_is_refused_and_nobody_is_asked(void **state)
{
    int status = -1;
    pid_t ended = 0;
    char said[100];
    (void)state;
    write_pem(EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), "secret", &locked);
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK);
    assert_true(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
    const char *terminal = ptsname(master);
    pid_t child = fork();
    if (child == 0)
        read_locked_on_a_terminal(terminal);
    for (int i = 0; i < 100 && ended == 0; i++) {
        nanosleep(&(struct timespec){.tv_nsec = 10 * 1000 * 1000}, NULL);
        ended = waitpid(child, &status, WNOHANG);
    }
    if (ended == 0) {
        kill(child, SIGKILL);
        waitpid(child, &status, 0);
    }
    assert_true(read(master, said, sizeof(said)) <= 0);
    assert_true(ended == child && WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    close(master);
    buf_fini(&locked);
}

/* RFC 6376 section 3.6.1: SubjectPublicKeyInfo; RFC 8463 section 4: 32 octets, as they are. */
static void dns_is_told_the_public_half(void **state)
{
    (void)state;
    for (enum key_algorithm how = KEY_RSA; how <= KEY_ED25519; how++) {
        struct buf pem;
        struct buf public;
        struct key *key = NULL;
        struct err err = {0};
        unsigned char bytes[1024];
        generate(how, &pem);
        buf_init(&public, 2048);
        assert_true(key_read(buf_span(&pem), &key, &err) && key_public(key, &public, &err));
        assert_int_equal(key_algorithm(key), how);
        int len = EVP_DecodeBlock(bytes, (const unsigned char *)public.ptr, (int)public.len);
        const unsigned char *at = bytes;
        EVP_PKEY *read_back = how == KEY_RSA ? d2i_PUBKEY(NULL, &at, len)
                                             : EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, bytes, 32);
        assert_non_null(read_back);
        assert_int_equal(EVP_PKEY_get_bits(read_back), how == KEY_RSA ? 2048 : 253 + 3);
        assert_int_equal(public.len, how == KEY_RSA ? 392 : 44);
        EVP_PKEY_free(read_back);
        buf_fini(&public);
        buf_init(&public, 20); /* without room it says so */
        assert_false(key_public(key, &public, &err));
        assert_int_equal(err.kind, ERR_LIMIT);
        buf_fini(&public);
        key_free(key);
        buf_fini(&pem);
    }
}

/* For any hostname that DNS has, of up to 253 octets: a common name holds 64 at most (RFC 5280,
 * ub-common-name), and is only for who reads it. */
static void a_certificate_is_made_for_every_hostname(void **state)
{
    static const size_t lengths[] = {1, 9, 63, 64, 65, 100, 253};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(lengths); i++) {
        char name[256];
        char label[40];
        struct buf certificate;
        struct buf key;
        struct err err = {0};
        struct tls_context *context = NULL;
        for (size_t k = 0; k < lengths[i]; k++)
            name[k] = k % 60 == 59 && k + 1 < lengths[i] ? '.' : 'a';
        name[lengths[i]] = '\0';
        snprintf(label, sizeof(label), "%zu octets", lengths[i]);
        buf_init(&certificate, 16384);
        buf_init(&key, 16384);
        EXPECT(key_self_signed(name, &certificate, &key, &err), label);
        EXPECT(tls_server_context_from(buf_span(&certificate), buf_span(&key), &context, &err), label);
        BIO *bio = BIO_new_mem_buf(certificate.ptr, (int)certificate.len);
        X509 *x = PEM_read_bio_X509(bio, NULL, NULL, NULL);
        EXPECT(X509_check_host(x, name, 0, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, NULL) == 1, label);
        EXPECT(X509_check_host(x, "other.test", 0, 0, NULL) == 0, label);
        EXPECT(X509_cmp_current_time(X509_get0_notBefore(x)) < 0, label);
        EXPECT(X509_cmp_current_time(X509_get0_notAfter(x)) > 0, label);
        X509_free(x);
        BIO_free(bio);
        tls_context_free(context);
        buf_fini(&certificate);
        buf_fini(&key);
    }
}

/* Only on the thread that has it, and only until it is taken back. */
static void a_lent_key_is_given_back(void **state)
{
    struct buf pem;
    struct key *key = NULL;
    struct err err = {0};
    struct key *other = NULL;
    (void)state;
    generate(KEY_ED25519, &pem);
    assert_true(key_read(buf_span(&pem), &key, &err));
    key_lend(key);
    key_take_back(false);
    assert_false(key_read(SPAN("nothing"), &other, &err));
    assert_null(other);
    key_free(key);
    buf_fini(&pem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_go_both_ways),
        cmocka_unit_test(only_keys_that_can_sign_are_taken),
        cmocka_unit_test(what_is_no_key_is_refused), cmocka_unit_test(a_key_is_known_by_its_form),
        cmocka_unit_test(a_locked_key_is_refused_and_nobody_is_asked),
        cmocka_unit_test(dns_is_told_the_public_half),
        cmocka_unit_test(a_certificate_is_made_for_every_hostname),
        cmocka_unit_test(a_lent_key_is_given_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
