// SPDX-License-Identifier: BSD-2-Clause
/* http_request.h - Whom a request asks for what, and whether two readers would agree on that. */
#ifndef HTTP_REQUEST_H
#define HTTP_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

struct MHD_Connection;

/* A header's value, the first of several; "" it has none. */
const char *http_request_header(struct MHD_Connection *c, const char *name);
/* A line for its client: why it is not to be answered; NULL: it may be. */
const char *http_request_fault(struct MHD_Connection *c);

/* The host that it asks (RFC 9110 section 7.2, RFC 9112 section 3.2.2), in lower case, without port
 * and last dot; "" none, or none that fits into `size`. `path_r` is a part of `target`. */
void http_request_target(struct MHD_Connection *c, const char *target, char *host_r, size_t size,
                         const char **path_r);

#endif
