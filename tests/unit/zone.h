// SPDX-License-Identifier: BSD-2-Clause
/* zone.h - A DNS of a few lines for tests of pure code: what is in the table is there, the rest is not.
 *
 * A line is {"name TYPE", "data"}; data "FAIL" answers nothing, "PENDING" has no answer yet, "" only makes the name
 * exist. Several lines of one name and type are several records. TXT is given as it is, A and AAAA as addresses,
 * names as names, MX with the preference 10 or as "20 mx.test"; "0 " is a null MX.
 */
#ifndef ZONE_H
#define ZONE_H

#include "dns.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct zone_line {
    const char *name, *data;
};

enum { ZONE_ANSWERS_MAX = 2000 };

struct zone {
    struct dns dns;
    const struct zone_line *lines; /* ends with a NULL name */
    struct dns_answer *answers[ZONE_ANSWERS_MAX];
    size_t count;
    bool missing_is_failed;
};

static inline void zone_add(struct dns_answer *a, enum dns_type type, const char *data)
{
    unsigned char bytes[16];
    if (type == DNS_A || type == DNS_AAAA) {
        CHECK(inet_pton(type == DNS_A ? AF_INET : AF_INET6, data, bytes) == 1);
        dns_answer_add(a, 0, (struct span){(const char *)bytes, type == DNS_A ? 4 : 16});
    } else {
        unsigned preference = 10;
        int len = 0;
        if (type != DNS_MX || sscanf(data, "%u%*1[ ]%n", &preference, &len) != 1)
            len = 0;
        if (type == DNS_MX && strcmp(data + len, "UNREADABLE") == 0)
            a->unreadable++;
        else
            dns_answer_add(a, preference, span_of(data + len));
    }
    a->status = DNS_FOUND;
}

static inline const struct dns_answer *zone_ask(void *context, const char *name, enum dns_type type)
{
    struct zone *z = (struct zone *)context;
    struct dns_answer *a = dns_answer_new(z->missing_is_failed ? DNS_FAILED : DNS_NXDOMAIN, 300);
    CHECK(z->count < ZONE_ANSWERS_MAX && dns_name_valid(span_of(name)));
    z->answers[z->count++] = a;
    for (const struct zone_line *l = z->lines; l->name; l++) {
        char own[300];
        const char *blank = strchr(l->name, ' ');
        snprintf(own, sizeof(own), "%.*s", (int)(blank - l->name), l->name);
        if (dns_name_within(own, name) && (a->status == DNS_NXDOMAIN || z->missing_is_failed))
            a->status = DNS_NODATA;
        if (strcmp(own, name) != 0 || strcmp(blank + 1, dns_type_name(type)) != 0)
            continue;
        if (strcmp(l->data, "FAIL") == 0)
            a->status = DNS_FAILED;
        else if (strcmp(l->data, "PENDING") == 0)
            a->status = DNS_PENDING;
        else if (l->data[0])
            zone_add(a, type, l->data);
    }
    return a;
}

static inline void zone_init(struct zone *z, const struct zone_line *lines)
{
    *z = (struct zone){.dns = {zone_ask, z}, .lines = lines};
}

static inline void zone_fini(struct zone *z)
{
    for (size_t i = 0; i < z->count; i++)
        dns_answer_free(z->answers[i]);
}

#endif
