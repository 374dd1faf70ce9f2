// SPDX-License-Identifier: BSD-2-Clause
/* lane_addresses.c - Until when a connection is used for further messages: a host may move while it
 * is always busy.
 *
 * No connection is used for more than five minutes. Before that it ends when DNS has not given its
 * host that address for 90 s: an answer is asked for each minute while mail goes there, so that one
 * which left the address out ends nothing when the next one has it again. Where one was given again
 * after that, or there are very many, DNS shows some of them in turn, and only the five minutes
 * count.
 */
#include "queue_moves.h"

#include "address_parts.h"

#include <stdlib.h>
#include <string.h>

enum { MISSED_MS = 90 * 1000, FORGET_MS = 10 * 60 * 1000, ADDRESSES_MAX = 64 };

/* An address that moves from one host to another is not the same. */
struct lane_address {
    uint8_t ip[16];
    uint32_t host;
    int64_t until_ms; /* connections to it are used; INT64_MAX: the last answer had it */
};

static struct lane_address *find(const struct lane *lane, const uint8_t ip[16], uint32_t host)
{
    for (size_t i = 0; i < lane->address_count; i++) {
        struct lane_address *one = &lane->addresses[i];
        if (one->host == host && memcmp(one->ip, ip, sizeof(one->ip)) == 0)
            return one;
    }
    return NULL;
}

static bool has(const struct queue_answer *answer, const struct lane_address *one)
{
    for (size_t i = 0; i < answer->address_count; i++) {
        const struct queue_address *a = &answer->addresses[i];
        if (a->host == one->host && memcmp(a->ip, one->ip, sizeof(one->ip)) == 0)
            return true;
    }
    return false;
}

static void add(struct lane *lane, const struct queue_address *a, int64_t now_ms)
{
    if (lane->address_count == ADDRESSES_MAX) {
        lane->rotates_ms = now_ms;
        return;
    }
    lane->addresses = xgrow(lane->addresses, lane->address_count + 1U, sizeof(*lane->addresses));
    struct lane_address *one = &lane->addresses[lane->address_count++];
    memcpy(one->ip, a->ip, sizeof(one->ip));
    one->host = a->host;
    one->until_ms = INT64_MAX;
}

void lane_answered(struct lane *lane, const struct queue_answer *answer, int64_t now_ms)
{
    size_t kept = 0;
    if (answer->address_count == 0)
        return;
    for (size_t i = 0; i < lane->address_count; i++) {
        struct lane_address one = lane->addresses[i];
        bool missed = one.until_ms != INT64_MAX;
        if (has(answer, &one)) {
            one.until_ms = INT64_MAX;
            if (missed)
                lane->rotates_ms = now_ms;
        } else if (!missed) {
            one.until_ms = now_ms + MISSED_MS;
        } else if (one.until_ms + FORGET_MS <= now_ms) {
            continue;
        }
        lane->addresses[kept++] = one;
    }
    lane->address_count = (uint16_t)kept;
    for (size_t i = 0; i < answer->address_count; i++) {
        const struct queue_address *a = &answer->addresses[i];
        if (!find(lane, a->ip, a->host))
            add(lane, a, now_ms);
    }
}

size_t lane_addresses_bytes(const struct lane *lane)
{
    return lane->address_count * sizeof(struct lane_address);
}

/* Has it moved from there? */
static bool has_left(const struct lane *lane, const struct address_hold *at, int64_t now_ms)
{
    const struct lane_address *one = find(lane, at->address->key.ip, at->host);
    return one && one->until_ms <= now_ms && lane->rotates_ms + FORGET_MS <= now_ms;
}

bool connection_is_outdated(const struct connection *c, int64_t now_ms)
{
    if (c->opened_ms + QUEUE_REUSE_MS <= now_ms)
        return true;
    for (size_t i = 0; i < ADDRESS_HOLDS_MAX; i++) /* it may have gone on at another host */
        if (c->holds[i].address && c->holds[i].works)
            return has_left(c->lane, &c->holds[i], now_ms);
    return false;
}
