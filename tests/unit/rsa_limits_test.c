// SPDX-License-Identifier: BSD-2-Clause
/* rsa_limits_test.c - What a zone's keys make a verification cost. */
#include "table.h"

#include "rsa_limits.h"

#include <nettle/pkcs1.h>
#include <nettle/rsa.h>
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
    rsa_limits_set();
    for (size_t i = 0; i < COUNT_OF(hashes); i++) {
        assert_true(verifies(i, 2, 0));
        assert_true(verifies(i, 4, 0));
        assert_false(verifies(i, 2, 1)); /* it fits, but the exponent has 2000 bits */
        assert_false(verifies(i, 5, 0)); /* the modulus has 5000 */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(keys_are_used_within_limits)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
