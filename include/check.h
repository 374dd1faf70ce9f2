// SPDX-License-Identifier: BSD-2-Clause
/* check.h - Assertions that stay in release builds, and allocation that aborts on failure.
 *
 * CHECK is for conditions that this program guarantees; data from a peer is never a CHECK. Aborting
 * is safe, because everything acknowledged is on disk: the next start finds it.
 */
#ifndef CHECK_H
#define CHECK_H

#include <stddef.h>
#include <stdint.h>

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(at, first) __attribute__((format(printf, at, first)))
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* What holds `member`, which `item` points to. */
#define OWNER_OF(item, type, member) ((type *)((uintptr_t)(item)-offsetof(type, member)))

#define CHECK(cond) ((cond) ? (void)0 : check_failed(#cond, __FILE__, __LINE__))
#define UNREACHABLE() check_failed("this line is never reached", __FILE__, __LINE__)

/* Builds for finding faults check the invariants of each state machine after each event. */
#ifdef NDEBUG
enum { CHECKS_MACHINES = 0 };
#else
enum { CHECKS_MACHINES = 1 };
#endif

/* What CHECK and UNREACHABLE do: a line to stderr if that takes no wait, and abort(). */
_Noreturn void check_failed(const char *what, const char *file, int line);

/* Zeroed memory for `count` things of `size` bytes; aborts when there is none. Free with free(). */
MUST_CHECK void *xcalloc(size_t count, size_t size);

/* Grow an array to `count` things of `size` bytes; new bytes are not cleared. Aborts on overflow or
 * without memory. */
MUST_CHECK void *xgrow(void *array, size_t count, size_t size);

/* A copy of a C string; aborts without memory. Free with free(). */
MUST_CHECK char *xstrdup(const char *text);

#endif
