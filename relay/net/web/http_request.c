// SPDX-License-Identifier: BSD-2-Clause
/* http_request.c - A request as its client means it. With two lengths, or a length and chunks, two
 * readers would not agree where it ends (RFC 9112 section 6.3); with two hosts, not on whom it asks
 * (section 3.2). */
#include "http_request.h"

#include "dns.h"

#include <microhttpd.h>
#include <string.h>

const char *http_request_header(struct MHD_Connection *c, const char *name)
{
    const char *value = MHD_lookup_connection_value(c, MHD_HEADER_KIND, name);
    return value ? value : "";
}

struct counts {
    unsigned lengths, hosts;
};

static enum MHD_Result count(void *context, enum MHD_ValueKind kind, const char *key,
                             const char *value)
{
    struct counts *counts = context;
    struct span name = span_of(key);
    (void)kind;
    (void)value;
    counts->lengths += span_equal_nocase(name, SPAN("Content-Length")) ||
                       span_equal_nocase(name, SPAN("Transfer-Encoding"));
    counts->hosts += span_equal_nocase(name, SPAN("Host"));
    return MHD_YES;
}

const char *http_request_fault(struct MHD_Connection *c)
{
    struct counts counts = {0};
    MHD_get_connection_values(c, MHD_HEADER_KIND, count, &counts);
    return counts.lengths > 1 ? "Two lengths.\n" : counts.hosts > 1 ? "Two hosts.\n" : NULL;
}

void http_request_target(struct MHD_Connection *c, const char *target, char *host_r, size_t size,
                         const char **path_r)
{
    struct span host = span_of(http_request_header(c, "Host"));
    const char *scheme = target[0] == '/' ? NULL : strstr(target, "://");
    *path_r = target;
    if (scheme) {
        host = span_first(span_of(scheme + 3), strcspn(scheme + 3, "/"));
        *path_r = host.ptr + host.len;
    }
    host = span_first(span_trim(host), span_find(host, ':'));
    if (span_ends_nocase(host, SPAN(".")))
        host = span_first(host, host.len - 1);
    if (!span_copy(host, host_r, size))
        host_r[0] = '\0';
    dns_name_lower(host_r);
}
