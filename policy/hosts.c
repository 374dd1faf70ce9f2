// SPDX-License-Identifier: BSD-2-Clause
/* hosts.c - Sorting and shuffling, with randomness that is passed in. */
#include "hosts.h"

#include <stdlib.h>
#include <string.h>

/* SplitMix64: well spread, and the same for the same beginning. */
static size_t below(uint64_t *random, size_t limit)
{
    CHECK(limit > 0);
    uint64_t z = *random += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return (size_t)((z ^ z >> 31) % limit);
}

void hosts_add(struct hosts *h, struct span name, unsigned preference)
{
    h->all = xgrow(h->all, h->count + 1, sizeof(*h->all));
    struct host *host = &h->all[h->count++];
    *host = (struct host){.name = xcalloc(name.len + 1, 1), .preference = preference};
    memcpy(host->name, name.ptr, name.len);
}

void hosts_add_ip(struct hosts *h, size_t host, const struct ip *ip)
{
    struct host *to = &h->all[host];
    for (size_t i = 0; i < to->count; i++)
        if (ip_equal(&to->ips[i], ip))
            return;
    if (to->count == HOSTS_IPS_MAX)
        return;
    to->ips = xgrow(to->ips, to->count + 1, sizeof(*to->ips));
    to->ips[to->count++] = *ip;
}

static void shorten(struct hosts *h, size_t count)
{
    while (h->count > count) {
        h->count--;
        free(h->all[h->count].name);
        free(h->all[h->count].ips);
    }
}

void hosts_fini(struct hosts *h)
{
    shorten(h, 0);
    free(h->all);
    *h = (struct hosts){0};
}

void hosts_sort(struct hosts *h, uint64_t random)
{
    for (size_t i = h->count; i > 1; i--) {
        size_t k = below(&random, i);
        struct host other = h->all[i - 1];
        h->all[i - 1] = h->all[k];
        h->all[k] = other;
    }
    for (size_t i = 1; i < h->count; i++) { /* insertion is stable: the shuffle stays */
        struct host host = h->all[i];
        size_t k = i;
        for (; k > 0 && h->all[k - 1].preference > host.preference; k--)
            h->all[k] = h->all[k - 1];
        h->all[k] = host;
    }
    shorten(h, HOSTS_MAX < h->count ? HOSTS_MAX : h->count);
}

void hosts_cut(struct hosts *h, unsigned preference)
{
    size_t count = 0;
    while (count < h->count && h->all[count].preference < preference)
        count++;
    shorten(h, count);
}

static size_t of_family(const struct ip *ips, size_t count, bool v6)
{
    size_t found = 0;
    for (size_t i = 0; i < count; i++)
        found += ips[i].v6 == v6;
    return found;
}

static void spread(struct host *h, uint64_t *random)
{
    struct ip left[HOSTS_IPS_MAX];
    size_t count = h->count;
    bool v6 = below(random, 2) == 0;
    memcpy(left, h->ips, count * sizeof(left[0]));
    for (size_t n = 0; n < h->count; n++) {
        if (of_family(left, count, v6) == 0)
            v6 = !v6;
        size_t skip = below(random, of_family(left, count, v6));
        size_t at = 0;
        while (left[at].v6 != v6 || skip-- > 0)
            at++;
        h->ips[n] = left[at];
        left[at] = left[--count];
        v6 = !v6;
    }
}

void hosts_spread(struct hosts *h, uint64_t random)
{
    for (size_t i = 0; i < h->count; i++)
        if (h->all[i].count > 1)
            spread(&h->all[i], &random);
}

void hosts_shuffled(const struct hosts *h, uint64_t random, struct hosts *hosts_r)
{
    *hosts_r = (struct hosts){0};
    for (size_t i = 0; i < h->count; i++) {
        hosts_add(hosts_r, span_of(h->all[i].name), h->all[i].preference);
        for (size_t k = 0; k < h->all[i].count; k++)
            hosts_add_ip(hosts_r, i, &h->all[i].ips[k]);
    }
    hosts_sort(hosts_r, random);
    hosts_spread(hosts_r, random);
}

bool hosts_have_ips(const struct hosts *h)
{
    for (size_t i = 0; i < h->count; i++)
        if (h->all[i].count > 0)
            return true;
    return false;
}

bool hosts_have_more(const struct hosts *h, size_t host, size_t ip)
{
    if (ip + 1 < h->all[host].count)
        return true;
    while (++host < h->count)
        if (h->all[host].count > 0)
            return true;
    return false;
}
