// SPDX-License-Identifier: BSD-2-Clause
/* memory_stage.h - Allocations that fail when a test says so. */
#ifndef MEMORY_STAGE_H
#define MEMORY_STAGE_H

#include "table.h"

#include "key.h"

enum { LARGE = 32 * 1024, ALL = -1 };

extern size_t memory_large;      /* so many bytes, LARGE at first, are a large allocation */
extern bool memory_only_growing; /* those only that are of memory that is there already, or was to be */

/* The `at`-th large allocation fails (the first is 1), or ALL; 0: none. */
void memory_begin_to_fail(int at);
/* Did the one that was to fail come to pass at all? None fails any more. */
bool memory_has_failed(void);
/* OpenSSL's allocations are among them: called first of all. */
void memory_of_openssl(void);
struct key *memory_make_key(void);

#endif
