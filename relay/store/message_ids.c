// SPDX-License-Identifier: BSD-2-Clause
/* message_ids.c - Numbers for messages: the time in the upper bits, so that they are numbered as
 * they arrive; but always more than the last one, as the clock may step back.
 */
#include "message_ids.h"

#include "clock.h"

#include <stdatomic.h>

enum { TIME_SHIFT = 16 };

int64_t message_ids_at(int64_t at_ms)
{
    return at_ms * (INT64_C(1) << TIME_SHIFT);
}

int64_t message_ids_new(struct message_ids *ids)
{
    int64_t last = atomic_load(&ids->last);
    int64_t id = 0;
    do {
        id = message_ids_at(clock_now_ms());
        if (id <= last)
            id = last + 1;
    } while (!atomic_compare_exchange_weak(&ids->last, &last, id));
    return id;
}
