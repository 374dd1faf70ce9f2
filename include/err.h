// SPDX-License-Identifier: BSD-2-Clause
/* err.h - Faults (the relay could not do something) and verdicts (the SMTP answer to a request).
 * They are never mixed.
 *
 * A function that can fail returns bool and fills a `struct err` with one line for a person: what
 * happened, where, what to do. A verdict is an SMTP answer: accept, defer or reject, with its codes
 * and a sentence.
 */
#ifndef ERR_H
#define ERR_H

#include "check.h"

#include <stdbool.h>

#define ERR_KINDS(X)                          \
    X(NONE, "no error")                       \
    X(SYSTEM, "system call failed")           \
    X(CONFIG, "configuration is wrong")       \
    X(USAGE, "wrong usage")                   \
    X(STORE, "store failed")                  \
    X(FULL, "no space left")                  \
    X(DAMAGED, "record is damaged")           \
    X(NOT_FOUND, "not found")                 \
    X(UNREACHABLE, "daemon is not reachable") \
    X(DNS, "DNS gave no answer")              \
    X(TLS, "TLS failed")                      \
    X(LIMIT, "limit reached")                 \
    X(MALFORMED, "input is malformed")

#define ERR_ENUM(name, text) ERR_##name,
enum err_kind { ERR_KINDS(ERR_ENUM) };
#undef ERR_ENUM

struct err {
    enum err_kind kind;
    char text[400];
};

/* Fill `err` and return false, so that a caller can `return err_set(…)`. */
bool err_set(struct err *err, enum err_kind kind, const char *format, ...) PRINTF_LIKE(3, 4);
/* Put "prefix: " before the text and return false. */
bool err_wrap(struct err *err, const char *format, ...) PRINTF_LIKE(2, 3);

enum verdict_what { VERDICT_ACCEPT, VERDICT_DEFER, VERDICT_REJECT };

struct verdict {
    enum verdict_what what;
    int code;          /* three digits: 250, 451, 550 … */
    char enhanced[12]; /* RFC 3463: "5.7.1"; empty when a reply had none */
    char text[400];    /* printable ASCII, one line, never NULL */
    bool heard;        /* a server said it; else it is ours, even when it is about a server */
};

/* A verdict whose kind follows from the code's first digit: only 2yz accepts. Anything but
 * printable ASCII in the text becomes '?'. */
struct verdict verdict_make(int code, const char *enhanced, const char *format, ...)
    PRINTF_LIKE(3, 4);

#endif
