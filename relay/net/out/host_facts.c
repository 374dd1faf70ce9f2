// SPDX-License-Identifier: BSD-2-Clause
/* host_facts.c - What connections share of what was found of a domain's hosts. */
#include "host_facts.h"

#include <stdlib.h>
#include <string.h>

struct host_facts *host_facts_new(const struct hosts *hosts)
{
    struct host_facts *facts = xcalloc(1, sizeof(*facts) + hosts->count * sizeof(struct host_fact));
    atomic_init(&facts->holders, 1);
    facts->count = hosts->count;
    for (size_t i = 0; i < hosts->count; i++)
        facts->all[i].host = xstrdup(hosts->all[i].name);
    return facts;
}

struct host_facts *host_facts_hold(struct host_facts *facts)
{
    if (facts)
        atomic_fetch_add(&facts->holders, 1);
    return facts;
}

void host_facts_drop(struct host_facts *facts)
{
    if (!facts || atomic_fetch_sub(&facts->holders, 1) != 1)
        return;
    for (size_t i = 0; i < facts->count; i++) {
        dane_answer_fini(&facts->all[i].tlsa);
        free(facts->all[i].host);
    }
    sts_answer_fini(&facts->policy);
    free(facts);
}

size_t host_facts_bytes(const struct host_facts *facts)
{
    const struct sts_terms *terms = facts ? facts->policy.terms : NULL;
    size_t bytes = facts ? sizeof(*facts) : 0;
    bytes += terms ? sizeof(*terms) + terms->policy.mx.len : 0;
    for (size_t i = 0; facts && i < facts->count; i++) {
        const struct dane_answer *tlsa = &facts->all[i].tlsa;
        bytes += sizeof(facts->all[i]) + strlen(facts->all[i].host) + 1;
        for (size_t k = 0; k < tlsa->count; k++)
            bytes += sizeof(tlsa->records[k]) + tlsa->records[k].data.len;
    }
    return bytes;
}

bool host_facts_failed(const struct host_facts *facts)
{
    for (size_t i = 0; facts && i < facts->count; i++)
        if (facts->all[i].tlsa.state == DANE_FAILED)
            return true;
    return false;
}

size_t host_facts_find(const struct host_facts *facts, const char *host)
{
    for (size_t i = 0; facts && i < facts->count; i++)
        if (strcmp(facts->all[i].host, host) == 0)
            return i;
    return SIZE_MAX;
}
