// SPDX-License-Identifier: BSD-2-Clause
/* fetch_trust.c - The certificates of authorities, read before an order has its child: parsing the
 * system's takes five times as long as all else of a fetch. A child has what its parent has read.
 *
 * The system's are one file, which is read so, and a directory in which OpenSSL looks for an issuer
 * that is not in the file (SSL_CERT_FILE and SSL_CERT_DIR name others).
 */
#include "fetch_trust.h"

#include "check.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct trusted {
    X509_STORE *store; /* NULL: not read yet, or nothing was in it */
    bool read;
    struct stat file; /* as it was read */
};

static bool is_same(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
           a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* It has been read when the settings were: what is no certificate ends the list. */
static bool add_all(X509_STORE *store, FILE *file)
{
    X509 *one = NULL;
    unsigned count = 0;
    while ((one = PEM_read_X509_AUX(file, NULL, NULL, NULL))) {
        count += X509_STORE_add_cert(store, one) == 1;
        X509_free(one);
    }
    return count > 0;
}

/* `fd` stays open. */
static bool read_file(X509_STORE *store, int fd)
{
    int own = dup(fd);
    FILE *file = own >= 0 ? fdopen(own, "r") : NULL;
    if (!file) {
        if (own >= 0)
            close(own);
        return false;
    }
    rewind(file);
    bool ok = add_all(store, file);
    fclose(file);
    return ok;
}

static void read_anew(struct trusted *t, int authorities, const struct stat *now)
{
    X509_STORE_free(t->store);
    t->store = X509_STORE_new();
    CHECK(t->store != NULL);
    bool ok = authorities >= 0 ? read_file(t->store, authorities)
                               : X509_STORE_set_default_paths(t->store) == 1;
    ERR_clear_error();
    if (!ok) {
        X509_STORE_free(t->store);
        t->store = NULL;
    }
    t->read = true;
    t->file = *now;
}

X509_STORE *fetch_trust(int authorities)
{
    static struct trusted system, named;
    struct trusted *t = authorities >= 0 ? &named : &system;
    const char *other = getenv("SSL_CERT_FILE");
    struct stat now;
    memset(&now, 0, sizeof(now)); /* of a file that is not there */
    if (authorities >= 0 && fstat(authorities, &now) != 0)
        return NULL;
    if (authorities < 0)
        (void)stat(other ? other : X509_get_default_cert_file(), &now);
    if (!t->read || !is_same(&t->file, &now))
        read_anew(t, authorities, &now);
    return t->store;
}
