// SPDX-License-Identifier: BSD-2-Clause
/* table.h - For tests that are one table: cmocka with what it needs, and a row's label in the message. */
#ifndef TABLE_H
#define TABLE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "check.h"

#define EXPECT(cond, label)                                   \
    do {                                                      \
        if (!(cond))                                          \
            fail_msg("%s: not true: %s", (label), #cond);     \
    } while (0)

#endif
