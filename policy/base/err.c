// SPDX-License-Identifier: BSD-2-Clause
/* err.c - Filling and wrapping faults; SMTP verdicts. */
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

/* Most verdicts are a word: formatting it would cost more than the decision. */
static void put_text(char *to, size_t size, const char *text)
{
    size_t len = strnlen(text, size - 1);
    memcpy(to, text, len);
    to[len] = '\0';
}

struct verdict verdict_make(int code, const char *enhanced, const char *format, ...)
{
    struct verdict v = {.code = code};
    /* Of 3yz, which asks for more, nothing is settled (RFC 5321 section 4.2.1). */
    v.what = code < 300 ? VERDICT_ACCEPT : code < 500 ? VERDICT_DEFER : VERDICT_REJECT;
    put_text(v.enhanced, sizeof(v.enhanced), enhanced);
    va_list args;
    va_start(args, format);
    if (strchr(format, '%'))
        vsnprintf(v.text, sizeof(v.text), format, args);
    else
        put_text(v.text, sizeof(v.text), format);
    va_end(args);
    for (char *p = v.text; *p; p++)
        if (*p < ' ' || *p > '~')
            *p = '?';
    return v;
}
