// SPDX-License-Identifier: BSD-2-Clause
/* answers.c - What DNS has said of domains takes memory, and how much is up to who publishes it:
 * each answer is charged to the tenant for whom it was asked, or whose mail found it there.
 *
 * Half of what there may be is for domains that are in use, another quarter for those of them that
 * class security's mail asks for. Of that a tenant has at most twice what it leaves free
 * (shares.h); more of its domains are looked up when it has less (answer_turns.c).
 *
 * A lane takes memory, too, as long as any domain leads there: the first of them pays for it. Each
 * connection that opens has a copy of the answer, for which the tenant pays whose mail it is.
 *
 * The last quarter is for answers that nobody needs just now. Of those the tenant that has most
 * gives up its oldest first.
 */
#include "queue_moves.h"

#include <utlist.h>

enum { UNUSED_MAX = 4096, PARTS = 4, PLAIN_PARTS = 2, URGENT_PARTS = 3, LOOKUP_BYTES = 8192 };

static bool has_most(const void *a, const void *b)
{
    return ((const struct tenant *)a)->unused_bytes > ((const struct tenant *)b)->unused_bytes;
}

void answers_init(struct queue *q)
{
    heap_init(&q->unused_holders, has_most, offsetof(struct tenant, unused_place));
}

void answers_fini(struct queue *q)
{
    heap_fini(&q->unused_holders);
}

/* ---- who pays ---- */

static void take_unused(struct queue *q, struct domain *domain)
{
    struct tenant *t = domain->payer;
    DL_DELETE2(t->unused, domain, prev_answer, next_answer);
    t->unused_bytes -= domain->bytes;
    q->unused_bytes -= domain->bytes;
    q->unused_count--;
    if (t->unused)
        heap_moved(&q->unused_holders, t);
    else
        heap_take(&q->unused_holders, t);
}

static void put_unused(struct queue *q, struct domain *domain)
{
    struct tenant *t = domain->payer;
    bool first = !t->unused;
    DL_APPEND2(t->unused, domain, prev_answer, next_answer);
    t->unused_bytes += domain->bytes;
    q->unused_bytes += domain->bytes;
    q->unused_count++;
    if (first)
        heap_push(&q->unused_holders, t);
    else
        heap_moved(&q->unused_holders, t);
}

static void take_used(struct queue *q, struct domain *domain)
{
    /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): it is in the list */
    DL_DELETE2(q->answers, domain, prev_answer, next_answer);
    domain->payer->answer_bytes -= domain->bytes;
    q->answer_bytes -= domain->bytes;
}

static void put_used(struct queue *q, struct domain *domain)
{
    DL_APPEND2(q->answers, domain, prev_answer, next_answer);
    domain->payer->answer_bytes += domain->bytes;
    q->answer_bytes += domain->bytes;
}

static void put(struct queue *q, struct domain *domain)
{
    if (domain->unused)
        put_unused(q, domain);
    else
        put_used(q, domain);
}

static void take(struct queue *q, struct domain *domain)
{
    if (domain->unused)
        take_unused(q, domain);
    else
        take_used(q, domain);
}

/* It keeps its place. */
static void resize(struct queue *q, struct domain *domain, size_t bytes)
{
    struct tenant *t = domain->payer;
    uint64_t more = (uint64_t)bytes - domain->bytes; /* or less, modulo 2^64 */
    domain->bytes = bytes;
    if (domain->unused) {
        t->unused_bytes += more;
        q->unused_bytes += more;
        heap_moved(&q->unused_holders, t);
    } else {
        t->answer_bytes += more;
        q->answer_bytes += more;
    }
}

void answer_pays(struct queue *q, struct domain *domain, struct tenant *tenant)
{
    struct tenant *before = domain->payer;
    if (before == tenant)
        return;
    tenant->users++;
    if (before)
        take(q, domain);
    else
        domain->bytes = LOOKUP_BYTES; /* until it is known */
    domain->payer = tenant;
    put(q, domain);
    if (before) {
        before->users--;
        tenant_drop(q, before);
    }
}

void answer_came(struct queue *q, struct domain *domain, size_t bytes)
{
    take(q, domain);
    domain->bytes = bytes + domain->lane_bytes;
    put(q, domain);
}

static void pay_for_lane(struct queue *q, struct domain *domain, size_t bytes)
{
    resize(q, domain, domain->bytes - domain->lane_bytes + bytes);
    domain->lane_bytes = bytes;
}

void answer_joins_lane(struct queue *q, struct domain *domain, struct lane *lane)
{
    if (!domain->prev_of_lane) /* which all in a list have */
        DL_APPEND2(lane->domains, domain, prev_of_lane, next_of_lane);
    pay_for_lane(q, lane->domains, lane_bytes(lane));
}

void answer_leaves_lane(struct queue *q, struct domain *domain, struct lane *lane)
{
    DL_DELETE2(lane->domains, domain, prev_of_lane, next_of_lane);
    domain->next_of_lane = domain->prev_of_lane = NULL;
    pay_for_lane(q, domain, 0);
    if (lane->domains)
        pay_for_lane(q, lane->domains, lane_bytes(lane));
}

void answer_copied(struct queue *q, struct tenant *tenant, size_t bytes)
{
    tenant->answer_bytes += bytes;
    q->answer_bytes += bytes;
}

void answer_copy_gone(struct queue *q, struct tenant *tenant, size_t bytes)
{
    tenant->answer_bytes -= bytes;
    q->answer_bytes -= bytes;
}

void answer_gone(struct queue *q, struct domain *domain)
{
    struct tenant *payer = domain->payer;
    take(q, domain);
    domain->payer = NULL;
    domain->bytes = 0;
    domain->unused = false;
    payer->users--;
    tenant_drop(q, payer);
}

void answer_is_unused(struct queue *q, struct domain *domain, bool unused)
{
    if (domain->unused == unused)
        return;
    take(q, domain);
    domain->unused = unused;
    put(q, domain);
}

void answer_is_found(struct queue *q, struct domain *domain, struct tenant *tenant)
{
    answer_is_unused(q, domain, false);
    answer_pays(q, domain, tenant);
}

/* ---- what each may have ---- */

bool answer_may_come(const struct queue *q, const struct tenant *tenant, bool urgent)
{
    uint64_t most = q->settings.answers / PARTS * (urgent ? URGENT_PARTS : PLAIN_PARTS);
    return is_within_share(tenant->answer_bytes,
                           most > q->answer_bytes ? most - q->answer_bytes : 0);
}

struct domain *answer_too_much(const struct queue *q)
{
    const struct tenant *most = heap_first(&q->unused_holders);
    bool many = q->unused_count > UNUSED_MAX || q->unused_bytes > q->settings.answers / PARTS;
    return most && many ? most->unused : NULL;
}
