// SPDX-License-Identifier: BSD-2-Clause
/* http_connection.h - Somebody who follows a link: bytes between their connection, through TLS when
 * there is any, and the page's thread (page.h). */
#ifndef HTTP_CONNECTION_H
#define HTTP_CONNECTION_H

#include "shard.h"

void http_connection_accept(struct shard *s, int fd, bool implicit_tls);
/* End the oldest HTTP connection from that place; false: there is none here. */
bool http_connection_make_room(struct shard *s, const struct connection_place *place);
/* The shard drains: all of them end. */
void http_connection_end_all(struct shard *s);

#endif
