// SPDX-License-Identifier: BSD-2-Clause
/* waiting.h - The loop of a command that waits for DNS. It tells its caller within two seconds that
 * it is waiting, and for which server; and it does not wait for ever, however many names are asked
 * for.
 */
#ifndef WAITING_H
#define WAITING_H

#include "config.h"

#include <uv.h>

struct waiting {
    uv_loop_t loop;
    uv_timer_t timer;
    const struct config *config;
    unsigned said;
    bool changed;
    bool over; /* it has waited long enough: what is not known by now is not asked for any more */
};

/* At the beginning something is said to have changed. */
void waiting_start(struct waiting *w, const struct config *config);
void waiting_changed(void *waiting); /* for those who look things up on the loop */
/* Has something changed? If not, wait for something to happen. */
bool waiting_turn(struct waiting *w);
/* All on the loop is closing or closed: end it. */
void waiting_stop(struct waiting *w);

#endif
