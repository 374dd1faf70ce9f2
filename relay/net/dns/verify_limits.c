// SPDX-License-Identifier: BSD-2-Clause
/* verify_limits.c - What DNSSEC is validated with has a size of usual length, and few signatures
 * are tried.
 *
 * libunbound validates on one thread, and a zone's owner chooses the keys and how many signatures
 * there are.
 * - With a public exponent as long as the modulus a verification by RSA costs a hundred times the
 *   usual, and keys may have tens of thousands of bits: names of one such zone kept everybody's
 *   lookups waiting. So a key is only used within limits: a modulus of 4096 bits (RFC 5702 section
 *   2), and an exponent of 35, as with BIND. By any other a signature is bad, and its zone bogus.
 * - libunbound tries eight signatures of an RRset. Here two may fail (rrset_tries.c), and any
 *   further is bad without having been looked at.
 *
 * Debian's libunbound calls nettle for this. The dynamic linker binds its calls to the functions
 * here, as the program comes before libraries (their names are exported, see CMakeLists.txt), and
 * they go on to nettle's own. What is signed is digested at once right before it is verified, on
 * the same thread: that tells which RRset it is. A libunbound that calls another library is not
 * limited by this.
 */
#include "verify_limits.h"

#include "check.h"
#include "clock.h"
#include "rrset_tries.h"
#include "verify_meter.h"

#include <dlfcn.h>
#include <nettle/ecdsa.h>
#include <nettle/eddsa.h>
#include <nettle/rsa.h>
#include <nettle/sha1.h>
#include <nettle/sha2.h>
#include <pthread.h>
#include <time.h>

enum { MODULUS_BITS_MAX = 4096, EXPONENT_BITS_MAX = 35 };

typedef int verify_rsa(const struct rsa_public_key *key, const uint8_t *digest,
                       const mpz_t signature);
typedef int verify_ecdsa(const struct ecc_point *key, size_t len, const uint8_t *digest,
                         const struct dsa_signature *signature);
typedef int verify_eddsa(const uint8_t *key, size_t len, const uint8_t *bytes,
                         const uint8_t *signature);

static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct {
    verify_rsa *rsa_sha1, *rsa_sha256, *rsa_sha512;
    verify_ecdsa *ecdsa;
    verify_eddsa *ed25519;
    void (*sha1)(struct sha1_ctx *ctx, size_t len, const uint8_t *bytes);
    void (*sha256)(struct sha256_ctx *ctx, size_t len, const uint8_t *bytes);
    void (*sha512)(struct sha512_ctx *ctx, size_t len, const uint8_t *bytes);
} real;

static _Thread_local struct rrset_signed digested; /* the last, by this thread */
static _Thread_local struct rrset_tries tries;
static _Thread_local uint64_t began_us; /* of CPU: the verification that goes on */

/* `function`: where a pointer to it goes. */
static void find(const char *name, void *function)
{
    *(void **)function = dlsym(RTLD_NEXT, name);
    CHECK(*(void **)function != NULL);
}

static void find_all(void)
{
    find("nettle_rsa_sha1_verify_digest", &real.rsa_sha1);
    find("nettle_rsa_sha256_verify_digest", &real.rsa_sha256);
    find("nettle_rsa_sha512_verify_digest", &real.rsa_sha512);
    find("nettle_ecdsa_verify", &real.ecdsa);
    find("nettle_ed25519_sha512_verify", &real.ed25519);
    find("nettle_sha1_update", &real.sha1);
    find("nettle_sha256_update", &real.sha256);
    find("nettle_sha512_update", &real.sha512);
}

void verify_limits_set(void)
{
    pthread_once(&once, find_all);
}

/* ---- which RRset ---- */

static void note_digested(size_t len, const uint8_t *bytes)
{
    digested = rrset_signed_parse((struct span){(const char *)bytes, len});
}

/* Other libraries may digest before the limits are set. */
void sha1_update(struct sha1_ctx *ctx, size_t len, const uint8_t *bytes)
{
    verify_limits_set();
    note_digested(len, bytes);
    real.sha1(ctx, len, bytes);
}

void sha256_update(struct sha256_ctx *ctx, size_t len, const uint8_t *bytes)
{
    verify_limits_set();
    note_digested(len, bytes);
    real.sha256(ctx, len, bytes);
}

void sha512_update(struct sha512_ctx *ctx, size_t len, const uint8_t *bytes)
{
    verify_limits_set();
    note_digested(len, bytes);
    real.sha512(ctx, len, bytes);
}

/* Not the thread's CPU: where others have the cores, too, a thread that is never idle has little of
 * it, and whoever waits for it waits as long. */
static uint64_t steady_us(void)
{
    struct timespec t;
    CHECK(clock_gettime(CLOCK_MONOTONIC, &t) == 0);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static bool may_try(const struct rrset_signed *what)
{
    verify_limits_set();
    began_us = steady_us();
    return rrset_tries_allow(&tries, what, clock_steady_ms());
}

static int tried(const struct rrset_signed *what, int fits)
{
    verify_meter_add(what->signer, steady_us() - began_us);
    rrset_tries_note(&tries, what, fits != 0, clock_steady_ms(), (uint32_t)(clock_now_ms() / 1000));
    return fits;
}

/* ---- verifications ---- */

static int verify(verify_rsa *verify_real, const struct rsa_public_key *key, const uint8_t *digest,
                  const mpz_t signature)
{
    struct rrset_signed what = digested;
    if (mpz_sizeinbase(key->n, 2) > MODULUS_BITS_MAX ||
        mpz_sizeinbase(key->e, 2) > EXPONENT_BITS_MAX || !may_try(&what))
        return 0;
    return tried(&what, verify_real(key, digest, signature));
}

int rsa_sha1_verify_digest(const struct rsa_public_key *key, const uint8_t *digest,
                           const mpz_t signature)
{
    verify_limits_set();
    return verify(real.rsa_sha1, key, digest, signature);
}

int rsa_sha256_verify_digest(const struct rsa_public_key *key, const uint8_t *digest,
                             const mpz_t signature)
{
    verify_limits_set();
    return verify(real.rsa_sha256, key, digest, signature);
}

int rsa_sha512_verify_digest(const struct rsa_public_key *key, const uint8_t *digest,
                             const mpz_t signature)
{
    verify_limits_set();
    return verify(real.rsa_sha512, key, digest, signature);
}

int ecdsa_verify(const struct ecc_point *key, size_t len, const uint8_t *digest,
                 const struct dsa_signature *signature)
{
    struct rrset_signed what = digested;
    return may_try(&what) ? tried(&what, real.ecdsa(key, len, digest, signature)) : 0;
}

int ed25519_sha512_verify(const uint8_t *key, size_t len, const uint8_t *bytes,
                          const uint8_t *signature)
{
    struct rrset_signed what = rrset_signed_parse((struct span){(const char *)bytes, len});
    return may_try(&what) ? tried(&what, real.ed25519(key, len, bytes, signature)) : 0;
}
