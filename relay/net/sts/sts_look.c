// SPDX-License-Identifier: BSD-2-Clause
/* sts_look.c - One discovery (mta_sts.h) on a loop of its own, for a command: with a resolver and a
 * fetcher that end with it. A relay need not run, and one that does is not disturbed. */
#include "sts_look.h"

#include "clock.h"
#include "sts_fetch.h"
#include "sts_lookup.h"
#include "sts_parts.h"

enum { ADDRESSES_MS = 10 * 1000, LOOK_FETCH_S = 20 };

struct look {
    uv_loop_t loop;
    const struct config *config;
    const char *domain;
    struct resolver *resolver;
    struct sts_look *found;
    struct err *err;
    struct fetcher *fetcher; /* from when it is needed */
    bool done, failed;
};

static void go_on(struct look *l, enum mta_sts_next next);

static void unreachable(struct look *l, enum mta_sts_why why)
{
    const struct mta_sts_response response = {.end = MTA_STS_UNREACHABLE, .why = why};
    go_on(l, mta_sts_fetched(&l->found->machine, &response, clock_now_ms()));
}

static void on_fetched(void *context, const struct fetch_result *result)
{
    struct look *l = context;
    const struct mta_sts_response response = sts_fetch_response(result);
    go_on(l, mta_sts_fetched(&l->found->machine, &response, clock_now_ms()));
}

static void on_addresses(void *context, const struct ip *ips, size_t count, bool failed)
{
    struct look *l = context;
    char addresses[STS_FETCH_ADDRESSES];
    struct fetch_order order;
    struct buf nothing;
    struct ip host;
    if (!sts_fetch_addresses(l->config, ips, count, addresses, &host)) {
        unreachable(l, sts_fetch_no_address(count, failed));
        return;
    }
    if (!l->fetcher && !fetcher_new(&l->loop, fetcher_spawn, NULL, &l->fetcher, l->err)) {
        l->failed = true;
        unreachable(l, MTA_STS_WHY_FETCHER_GONE); /* what is kept counts all the same */
        return;
    }
    buf_init(&nothing, 1);
    sts_fetch_order(l->config, l->domain, addresses, &order);
    order.timeout_s = LOOK_FETCH_S;
    fetch_start(&l->loop, l->fetcher, &order, &nothing, on_fetched, l);
}

static void on_record(void *context, const struct dns_answer *txt)
{
    struct look *l = context;
    char id[MTA_STS_ID_MAX + 1];
    l->found->unanswered = txt->status == DNS_FAILED;
    l->found->record = txt->status == DNS_FOUND ? mta_sts_record_read(txt, id) : MTA_STS_NO_RECORD;
    go_on(l, mta_sts_told(&l->found->machine, txt, clock_now_ms()));
}

static struct sts_lookup_query query_of(const struct look *l, int64_t after_ms, unsigned timeout_ms)
{
    bool waits = after_ms > 0 && after_ms < MTA_STS_QUESTIONS_MS;
    return (struct sts_lookup_query){.domain = l->domain,
                                     .tenant = "",
                                     .urgent = true,
                                     .after_ms = waits ? (unsigned)after_ms : 0,
                                     .timeout_ms = timeout_ms};
}

static void go_on(struct look *l, enum mta_sts_next next)
{
    int64_t after_ms = l->found->machine.ask_at_ms - clock_now_ms();
    const struct sts_lookup_query record = query_of(l, after_ms, MTA_STS_QUESTIONS_MS);
    const struct sts_lookup_query addresses = query_of(l, 0, ADDRESSES_MS);
    switch (next) {
    case MTA_STS_ASK:
        sts_lookup_record(l->resolver, &record, on_record, l);
        return;
    case MTA_STS_FETCH:
        sts_lookup_addresses(l->resolver, &addresses, on_addresses, l);
        return;
    case MTA_STS_DECIDED:
        l->done = true;
        return;
    }
    UNREACHABLE();
}

bool sts_look(const struct config *config, const char *domain, const struct mta_sts_kept *kept,
              struct sts_look *look_r, struct err *err)
{
    struct look l = {.config = config, .domain = domain, .found = look_r, .err = err};
    *look_r = (struct sts_look){.record = MTA_STS_NO_RECORD};
    enum mta_sts_next first =
        mta_sts_begin(&look_r->machine, kept, MTA_STS_TO_SEND, clock_now_ms());
    CHECK(uv_loop_init(&l.loop) == 0);
    bool ok = resolver_new(&l.loop, config, &l.resolver, err);
    if (ok)
        go_on(&l, first);
    while (ok && !l.done)
        uv_run(&l.loop, UV_RUN_ONCE);
    resolver_free(l.resolver);
    if (l.fetcher)
        fetcher_close(l.fetcher);
    uv_run(&l.loop, UV_RUN_DEFAULT);
    CHECK(uv_loop_close(&l.loop) == 0);
    fetcher_free(l.fetcher);
    return ok && !l.failed;
}

void sts_look_fini(struct sts_look *look)
{
    mta_sts_fini(&look->machine);
}
