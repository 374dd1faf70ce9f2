// SPDX-License-Identifier: BSD-2-Clause
/* verify_limits_test.c - What a zone's keys make a verification cost, and how many there are. */
#include "table.h"

#include "clock.h"
#include "verify_limits.h"

#include <nettle/ecc-curve.h>
#include <nettle/ecdsa.h>
#include <nettle/eddsa.h>
#include <nettle/pkcs1.h>
#include <nettle/rsa.h>
#include <nettle/sha2.h>
#include <stdbool.h>

typedef int verify_digest(const struct rsa_public_key *key, const uint8_t *digest, const mpz_t signature);
typedef int encode_digest(mpz_t m, size_t key_size, const uint8_t *digest);

static const struct {
    verify_digest *verify;
    encode_digest *encode;
} hashes[] = {{nettle_rsa_sha1_verify_digest, pkcs1_rsa_sha1_encode_digest},
              {nettle_rsa_sha256_verify_digest, pkcs1_rsa_sha256_encode_digest},
              {nettle_rsa_sha512_verify_digest, pkcs1_rsa_sha512_encode_digest}};

/* Is a signature good by a key of so many primes of 1000 bits? `rounds`: times around, which lengthens an exponent and changes no result. */
static bool verifies(size_t hash, unsigned primes, unsigned rounds)
{
    struct rsa_public_key key;
    const uint8_t digest[64] = {1, 2, 3};
    mpz_t prime, phi, d, s;
    rsa_public_key_init(&key);
    mpz_inits(prime, phi, d, s, NULL);
    mpz_set_ui(key.n, 1);
    mpz_set_ui(key.e, 65537);
    mpz_set_ui(phi, 1);
    mpz_set_ui(prime, 3);
    mpz_mul_2exp(prime, prime, 998);
    for (unsigned i = 0; i < primes; i++) {
        mpz_nextprime(prime, prime);
        mpz_mul(key.n, key.n, prime);
        mpz_sub_ui(d, prime, 1);
        mpz_mul(phi, phi, d);
    }
    assert_true(mpz_invert(d, key.e, phi) != 0);
    assert_true(rsa_public_key_prepare(&key) == 1);
    assert_true(hashes[hash].encode(s, key.size, digest) == 1);
    mpz_powm(s, s, d, key.n);
    mpz_addmul_ui(key.e, phi, rounds);
    bool good = hashes[hash].verify(&key, digest, s) != 0;
    mpz_clears(prime, phi, d, s, NULL);
    rsa_public_key_clear(&key);
    return good;
}

static void keys_are_used_within_limits(void **state)
{
    (void)state;
    verify_limits_set();
    for (size_t i = 0; i < COUNT_OF(hashes); i++) {
        assert_true(verifies(i, 2, 0));
        assert_true(verifies(i, 4, 0));
        assert_false(verifies(i, 2, 1)); /* it fits, but the exponent has 2000 bits */
        assert_false(verifies(i, 5, 0)); /* the modulus has 5000 */
    }
}

/* An RRset of type A at `name`, signed for a day from now on, as it is digested. */
static size_t signed_bytes(uint8_t *bytes, char name)
{
    static const uint8_t rest[] = {1, 'e', 0, 1, 'n', 1, 'e', 0, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 127, 0, 0, 1};
    const int64_t now_s = clock_now_ms() / 1000;
    memset(bytes, 0, 18);
    bytes[1] = 1;
    for (size_t i = 0; i < 4; i++) {
        bytes[8 + i] = (uint8_t)((now_s + 86400) >> (24 - 8 * i));
        bytes[12 + i] = (uint8_t)(now_s >> (24 - 8 * i));
    }
    memcpy(bytes + 18, rest, sizeof(rest));
    bytes[22] = (uint8_t)name;
    return 18 + sizeof(rest);
}

static void random_bytes(void *context, size_t len, uint8_t *bytes)
{
    (void)context;
    for (size_t i = 0; i < len; i++)
        bytes[i] = (uint8_t)(7 * i + 1);
}

/* Does a good signature help, behind so many that are not? */
static bool ecdsa_verifies_behind(unsigned bad, char name)
{
    uint8_t bytes[64];
    uint8_t digest[SHA256_DIGEST_SIZE];
    struct sha256_ctx ctx;
    struct ecc_point key;
    struct ecc_scalar secret;
    struct dsa_signature signature;
    bool good = false;
    ecc_point_init(&key, nettle_get_secp_256r1());
    ecc_scalar_init(&secret, nettle_get_secp_256r1());
    dsa_signature_init(&signature);
    ecdsa_generate_keypair(&key, &secret, NULL, random_bytes);
    for (unsigned i = 0; i <= bad; i++) {
        sha256_init(&ctx);
        sha256_update(&ctx, signed_bytes(bytes, name), bytes);
        sha256_digest(&ctx, sizeof(digest), digest);
        digest[0] ^= i < bad;
        ecdsa_sign(&secret, NULL, random_bytes, sizeof(digest), digest, &signature);
        digest[0] ^= i < bad;
        good = ecdsa_verify(&key, sizeof(digest), digest, &signature) != 0;
    }
    ecc_point_clear(&key);
    ecc_scalar_clear(&secret);
    dsa_signature_clear(&signature);
    return good;
}

static bool eddsa_verifies_behind(unsigned bad, char name)
{
    static const uint8_t secret[ED25519_KEY_SIZE] = {1};
    uint8_t bytes[64];
    uint8_t key[ED25519_KEY_SIZE];
    uint8_t signature[ED25519_SIGNATURE_SIZE];
    size_t len = signed_bytes(bytes, name);
    ed25519_sha512_public_key(key, secret);
    ed25519_sha512_sign(key, secret, len, bytes, signature);
    signature[40] ^= 1;
    for (unsigned i = 0; i < bad; i++)
        assert_false(ed25519_sha512_verify(key, len, bytes, signature));
    signature[40] ^= 1;
    return ed25519_sha512_verify(key, len, bytes, signature) != 0;
}

static void two_signatures_of_an_rrset_may_fail(void **state)
{
    static bool (*const behind[])(unsigned bad, char name) = {ecdsa_verifies_behind, eddsa_verifies_behind};
    (void)state;
    verify_limits_set();
    for (size_t i = 0; i < COUNT_OF(behind); i++) {
        assert_true(behind[i](0, 'a'));
        assert_true(behind[i](1, 'b'));
        assert_false(behind[i](2, 'c'));
        assert_false(behind[i](7, 'd'));
        assert_true(behind[i](1, 'e'));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(keys_are_used_within_limits),
                                       cmocka_unit_test(two_signatures_of_an_rrset_may_fail)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
