// SPDX-License-Identifier: BSD-2-Clause
/* crowd.h - Who has how many connections, over all shards: by address (IPv6: /64) and by network
 * (/24, /48), so that nobody takes all there are. One lock, for as long as two lookups take. */
#ifndef CROWD_H
#define CROWD_H

#include <stdbool.h>

struct crowd;

struct crowd *crowd_new(void);
void crowd_free(struct crowd *c);

/* One more from an IP address, as text. False: there are so many already, and it is not counted. */
bool crowd_enter(struct crowd *c, const char *address, unsigned per_address, unsigned per_network);
/* One that was counted is gone. */
void crowd_leave(struct crowd *c, const char *address);

#endif
