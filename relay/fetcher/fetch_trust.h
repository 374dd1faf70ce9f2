// SPDX-License-Identifier: BSD-2-Clause
/* fetch_trust.h - Whom the fetcher's children trust. */
#ifndef FETCH_TRUST_H
#define FETCH_TRUST_H

#include <openssl/types.h>

/* The authorities in the file that an order names, open; -1: the system's. Read once, and again
 * once the file is another or has changed. The caller's only until the next call. NULL: there is
 * none in it. */
X509_STORE *fetch_trust(int authorities);

#endif
