// SPDX-License-Identifier: BSD-2-Clause
/* shun.h - Whose mail rests at some hosts, as they ended connections over it: shuns.c. */
#ifndef SHUN_H
#define SHUN_H

#include "queue_moves.h"

enum shun_state { SHUN_SUSPECTED, SHUN_BARS };

struct shun {
    struct destination *destination;
    struct lane *lane; /* NULL: all of the destination's */
    uint64_t tenant;   /* its id; 0: all, with spares_good */
    enum shun_state state;
    bool spares_good; /* mail to domains that are good goes on */
    bool shown;       /* it has barred before */
    uint32_t place;
    int64_t wake_ms;  /* queue.shun_wakes */
    uint64_t since;   /* as queue.serial counts */
    char *name, *why; /* for operators */
};

/* What keeps this line's mail from its hosts; NULL: nothing. The second: but for what is about all
 * hosts of its destination. */
const struct shun *line_shun(const struct line *line);
const struct shun *line_shun_in_lane(const struct line *line);

#endif
