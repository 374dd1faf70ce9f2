// SPDX-License-Identifier: BSD-2-Clause
/* relative_name.h - What OpenSSL itself reads as a name relative to the issuer (RFC 5280, 4.2.1.13): what certificate_screen() must never let
 * through. The unit test and the fuzzer compare with it. */
#ifndef SEALPOST_RELATIVE_NAME_H
#define SEALPOST_RELATIVE_NAME_H

#include <openssl/x509v3.h>
#include <stdbool.h>

static inline bool has_relative_name(const X509 *x)
{
    bool found = false;
    CRL_DIST_POINTS *points = X509_get_ext_d2i(x, NID_crl_distribution_points, NULL, NULL);
    for (int i = 0; i < sk_DIST_POINT_num(points); i++) {
        const DIST_POINT *point = sk_DIST_POINT_value(points, i);
        found = found || (point->distpoint && point->distpoint->type == 1);
    }
    CRL_DIST_POINTS_free(points);
    return found;
}

#endif
