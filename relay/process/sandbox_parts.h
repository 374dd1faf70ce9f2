// SPDX-License-Identifier: BSD-2-Clause
/* sandbox_parts.h - What the files of the sandbox share. */
#ifndef SANDBOX_PARTS_H
#define SANDBOX_PARTS_H

#include <stdbool.h>

/* Their runtimes do what a relay never does. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
static const bool sanitized = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
static const bool sanitized = true;
#else
static const bool sanitized = false;
#endif
#else
static const bool sanitized = false;
#endif

bool sandbox_has_calls(void); /* does seccomp work here? */

#endif
