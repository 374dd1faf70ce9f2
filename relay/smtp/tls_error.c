// SPDX-License-Identifier: BSD-2-Clause
/* tls_error.c - What OpenSSL says went wrong, as an err of ours. */
#include "tls_parts.h"

#include <openssl/err.h>
#include <stdio.h>

bool tls_failed(struct err *err, const char *doing)
{
    char why[160] = "unknown reason";
    unsigned long code = ERR_peek_last_error();
    if (code)
        snprintf(why, sizeof(why), "%s",
                 ERR_reason_error_string(code) ? ERR_reason_error_string(code) : why);
    ERR_clear_error();
    return err_set(err, ERR_TLS, "%s: %s", doing, why);
}
