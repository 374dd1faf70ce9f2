// SPDX-License-Identifier: BSD-2-Clause
/* url_shown.c - Its scheme and host, and a digest by which one is told from another. */
#include "url_shown.h"

#include "secret.h"

#include <stdio.h>
#include <string.h>

void url_shown(const char *url, char text_r[URL_SHOWN])
{
    enum { DIGITS = 8 };
    char digest[65];
    const char *host = strstr(url, "//");
    size_t len = host ? (size_t)(host - url) + 2 + strcspn(host + 2, "/?") : 0;
    secret_sha256(span_of(url), digest);
    snprintf(text_r, URL_SHOWN, "%.*s/... (%.*s)", len < 256 ? (int)len : 256, url, DIGITS, digest);
}
