// SPDX-License-Identifier: BSD-2-Clause
/* err.c - One line to fail, written where the knowledge is. */
#include "err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

bool err_set(struct err *err, enum err_kind kind, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    err->kind = kind;
    vsnprintf(err->text, sizeof(err->text), format, args);
    va_end(args);
    return false;
}

bool err_wrap(struct err *err, const char *format, ...)
{
    char prefix[240];
    char was[sizeof(err->text)];
    va_list args;
    va_start(args, format);
    vsnprintf(prefix, sizeof(prefix), format, args);
    va_end(args);
    memcpy(was, err->text, sizeof(was));
    size_t used = (size_t)snprintf(err->text, sizeof(err->text), "%s: ", prefix);
    size_t left = sizeof(err->text) - used;
    memcpy(err->text + used, was, left);
    err->text[sizeof(err->text) - 1] = '\0';
    return false;
}

struct verdict verdict_make(int code, const char *enhanced, const char *format, ...)
{
    struct verdict v = {.code = code};
    /* Of 3yz, which asks for more, nothing is settled (RFC 5321 section 4.2.1). */
    v.what = code < 300 ? VERDICT_ACCEPT : code < 500 ? VERDICT_DEFER : VERDICT_REJECT;
    snprintf(v.enhanced, sizeof(v.enhanced), "%s", enhanced);
    va_list args;
    va_start(args, format);
    vsnprintf(v.text, sizeof(v.text), format, args);
    va_end(args);
    for (char *p = v.text; *p; p++)
        if (*p < ' ' || *p > '~')
            *p = '?';
    return v;
}
