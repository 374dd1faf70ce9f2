// SPDX-License-Identifier: BSD-2-Clause
/* rsa_limits.c - RSA keys that DNSSEC is validated with have a size and an exponent of usual
 * length.
 *
 * libunbound validates on one thread, and a zone's owner chooses the keys. With a public exponent
 * as long as the modulus a verification costs a hundred times the usual, and keys may have tens of
 * thousands of bits: names of one such zone kept everybody's lookups waiting. So a key is only used
 * within limits: a modulus of 4096 bits (RFC 5702 section 2), and an exponent of 35, as with BIND.
 * By any other a signature is bad, and its zone bogus.
 *
 * Debian's libunbound calls nettle for this. The dynamic linker binds its calls to the functions
 * here, as the program comes before libraries (their names are exported, see CMakeLists.txt), and
 * they go on to nettle's own. A libunbound that calls another library is not limited by this.
 */
#include "rsa_limits.h"

#include "check.h"

#include <dlfcn.h>
#include <nettle/rsa.h>
#include <pthread.h>

enum { MODULUS_BITS_MAX = 4096, EXPONENT_BITS_MAX = 35 };

typedef int verify_digest(const struct rsa_public_key *key, const uint8_t *digest,
                          const mpz_t signature);

static pthread_once_t once = PTHREAD_ONCE_INIT;
static verify_digest *real_sha1, *real_sha256, *real_sha512;

static void find(const char *name, verify_digest **real)
{
    *(void **)real = dlsym(RTLD_NEXT, name);
    CHECK(*real != NULL);
}

static void find_all(void)
{
    find("nettle_rsa_sha1_verify_digest", &real_sha1);
    find("nettle_rsa_sha256_verify_digest", &real_sha256);
    find("nettle_rsa_sha512_verify_digest", &real_sha512);
}

void rsa_limits_set(void)
{
    pthread_once(&once, find_all);
}

static int verify(verify_digest *real, const struct rsa_public_key *key, const uint8_t *digest,
                  const mpz_t signature)
{
    return mpz_sizeinbase(key->n, 2) <= MODULUS_BITS_MAX &&
           mpz_sizeinbase(key->e, 2) <= EXPONENT_BITS_MAX && real(key, digest, signature);
}

int rsa_sha1_verify_digest(const struct rsa_public_key *key, const uint8_t *digest,
                           const mpz_t signature)
{
    return verify(real_sha1, key, digest, signature);
}

int rsa_sha256_verify_digest(const struct rsa_public_key *key, const uint8_t *digest,
                             const mpz_t signature)
{
    return verify(real_sha256, key, digest, signature);
}

int rsa_sha512_verify_digest(const struct rsa_public_key *key, const uint8_t *digest,
                             const mpz_t signature)
{
    return verify(real_sha512, key, digest, signature);
}
