// SPDX-License-Identifier: BSD-2-Clause
/* visit.h - Somebody who follows a link: bytes between their connection, through TLS when there is
 * any, and the page's thread (web.h). */
#ifndef VISIT_H
#define VISIT_H

#include "shard.h"

void visit_accept(struct shard *s, int fd, bool implicit_tls);
/* End the oldest visit from that place; false: there is none here. */
bool visit_make_room(struct shard *s, const struct crowd_place *place);
/* The shard drains: all of them end. */
void visit_end_all(struct shard *s);

#endif
