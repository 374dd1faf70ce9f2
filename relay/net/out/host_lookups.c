// SPDX-License-Identifier: BSD-2-Clause
/* host_lookups.c - The TLSA records of an attempt's hosts, while they are asked for: each host's
 * once, and once more past all caches (host_trust.c). */
#include "host_trust.h"

#include "outbound_parts.h"

#include <stdlib.h>
#include <utlist.h>

void host_lookups_ask(struct outbound *c, struct host_trust *t, dane_lookup_on_answer *done)
{
    const struct attempt *p = c->attempt;
    const struct dane_lookup_query query = {.host = &p->work->hosts->hosts.all[t - c->trusts],
                                            .tenant = p->mail->tenant,
                                            .urgent = p->mail->class == STREAM_SECURITY,
                                            .port = p->route->port,
                                            .fresh = t->anew ? c->settings->config : NULL};
    t->lookup = dane_lookup_start(c->home->resolver, &query, done, t);
}

void host_lookups_begin(struct outbound *c)
{
    host_lookups_end(c);
    c->adopted = false;
    c->without_dnssec = c->home->dnssec == DNSSEC_ABSENT;
    c->trust_count = c->attempt->work->hosts->hosts.count;
    c->trusts = xcalloc(c->trust_count, sizeof(*c->trusts));
    for (size_t i = 0; i < c->trust_count; i++)
        c->trusts[i].owner = c;
}

void host_lookups_end(struct outbound *c)
{
    for (size_t i = 0; i < c->trust_count; i++) {
        dane_lookup_cancel(c->trusts[i].lookup);
        dane_answer_fini(&c->trusts[i].answer);
    }
    free(c->trusts);
    c->trusts = c->dane = NULL;
    c->trust_count = 0;
}

void host_lookups_leave(struct outbound *c)
{
    struct host_trust *t = c->dane;
    if (t && c->undecided && t->lookup) {
        dane_lookup_cancel(t->lookup);
        t->lookup = NULL;
        t->anew = false; /* nobody has heard the answer */
    }
    c->undecided = false;
    c->dane = NULL;
}

void host_lookups_abandon_all(struct deliveries *home)
{
    struct outbound *c;
    DL_FOREACH (home->outbounds, c)
        for (size_t i = 0; i < c->trust_count; i++) {
            struct host_trust *t = &c->trusts[i];
            if (t->lookup && !t->anew)
                t->answer.state = DANE_FAILED;
            dane_lookup_cancel(t->lookup);
            t->lookup = NULL;
        }
}
