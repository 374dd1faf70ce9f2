// SPDX-License-Identifier: BSD-2-Clause
/* dns_blocking.c - DNS for commands: runs a loop of its own until no question is pending. */
#include "dns_cache.h"
#include "server.h"
#include "waiting.h"

#include <stdio.h>

bool server_resolve(const struct config *config, server_step *step, void *context, struct err *err)
{
    struct dns_cache *answers = NULL;
    struct waiting w;
    bool done = false;
    waiting_start(&w, config);
    bool ok = dns_cache_new(&w.loop, config, NULL, waiting_changed, &w, &answers, err);
    while (ok && !done) {
        bool changed = waiting_turn(&w);
        if (w.over)
            dns_cache_ask_no_more(answers);
        done = changed && step(context, dns_cache_dns(answers));
    }
    dns_cache_free(answers);
    waiting_stop(&w);
    return ok;
}

struct txt {
    const char *name;
    char *record;
    size_t size;
    enum dns_status status;
};

static bool look_up(void *context, const struct dns *dns)
{
    struct txt *t = context;
    const struct dns_answer *a = dns->ask(dns->context, t->name, DNS_TXT);
    t->status = a->status;
    if (a->count > 0)
        snprintf(t->record, t->size, "%.*s", SPAN_ARG(a->rrs[0].data));
    return a->status != DNS_PENDING;
}

bool server_txt(const struct config *config, const char *name, char *record_r, size_t size,
                struct err *err)
{
    char lower[DNS_NAME_MAX + 1];
    struct txt t = {.name = lower, .record = record_r, .size = size};
    record_r[0] = '\0';
    if (!dns_name_valid(span_of(name)))
        return err_set(err, ERR_NOT_FOUND, "%.80s does not exist in DNS", name);
    snprintf(lower, sizeof(lower), "%s", name);
    dns_name_lower(lower);
    if (!server_resolve(config, look_up, &t, err))
        return false;
    return t.status == DNS_FOUND ||
           err_set(err, t.status == DNS_FAILED ? ERR_DNS : ERR_NOT_FOUND, "%s TXT: %s", name,
                   t.status == DNS_FAILED ? "DNS does not answer" : "no record");
}
