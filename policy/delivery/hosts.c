// SPDX-License-Identifier: BSD-2-Clause
/* hosts.c - Sorting, shuffling and rotation of MX hosts and their addresses. Random numbers are
 * passed in. */
#include "hosts.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { HOSTS_SURE = HOSTS_MAX / 2 }; /* of more than HOSTS_MAX; the others are drawn */
enum { ALLOCATION = 24 };            /* that of a block more than is asked for is lost */

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

static void free_host(struct host *host)
{
    free(host->name);
    free(host->ips);
    free(host->canonical);
}

/* Without the dot of the root, in lower case. */
static void normalise(char *name)
{
    size_t len = strlen(name);
    if (len > 1 && name[len - 1] == '.')
        name[len - 1] = '\0';
    for (char *c = name; *c; c++)
        *c = (char)(*c >= 'A' && *c <= 'Z' ? *c - 'A' + 'a' : *c);
}

static int by_name_and_preference(const void *a, const void *b)
{
    const struct host *x = a;
    const struct host *y = b;
    int order = strcmp(x->name, y->name);
    return order != 0 ? order : (x->preference > y->preference) - (x->preference < y->preference);
}

void hosts_unite(struct hosts *h)
{
    size_t kept = 0;
    for (size_t i = 0; i < h->count; i++)
        normalise(h->all[i].name);
    if (h->count > 1)
        qsort(h->all, h->count, sizeof(*h->all), by_name_and_preference);
    for (size_t i = 0; i < h->count; i++) {
        if (kept > 0 && strcmp(h->all[i].name, h->all[kept - 1].name) == 0) {
            free_host(&h->all[i]);
        } else {
            h->all[kept++] = h->all[i];
        }
    }
    h->count = kept;
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

void hosts_note_answer(struct hosts *h, size_t host, bool secure, const char *canonical_or_null)
{
    struct host *to = &h->all[host];
    to->secure = to->secure || secure;
    if (canonical_or_null && !to->canonical)
        to->canonical = xstrdup(canonical_or_null);
}

void hosts_note_domain(struct hosts *h, bool secure, const char *canonical_or_null)
{
    h->secure = secure;
    free(h->canonical);
    h->canonical = secure && canonical_or_null ? xstrdup(canonical_or_null) : NULL;
}

static void shorten(struct hosts *h, size_t count)
{
    while (h->count > count) {
        h->count--;
        free_host(&h->all[h->count]);
    }
}

void hosts_fini(struct hosts *h)
{
    shorten(h, 0);
    free(h->all);
    free(h->canonical);
    *h = (struct hosts){0};
}

/* A block of memory, with what is lost beside it. */
static size_t block(size_t bytes)
{
    return bytes > 0 ? bytes + ALLOCATION : 0;
}

static size_t text_block(const char *text_or_null)
{
    return text_or_null ? block(strlen(text_or_null) + 1) : 0;
}

size_t hosts_bytes(const struct hosts *h)
{
    size_t bytes = sizeof(*h) + text_block(h->canonical) + block(h->count * sizeof(*h->all));
    for (size_t i = 0; i < h->count; i++) {
        const struct host *one = &h->all[i];
        bytes += text_block(one->name) + text_block(one->canonical) +
                 block(one->count * sizeof(*one->ips));
    }
    return bytes;
}

static void swap(struct hosts *h, size_t i, size_t k)
{
    struct host other = h->all[i];
    h->all[i] = h->all[k];
    h->all[k] = other;
}

void hosts_sort(struct hosts *h, uint64_t random)
{
    for (size_t i = h->count; i > 1; i--)
        swap(h, i - 1, below(&random, i));
    for (size_t i = 1; i < h->count; i++) { /* insertion is stable: the shuffle stays */
        struct host host = h->all[i];
        size_t k = i;
        for (; k > 0 && h->all[k - 1].preference > host.preference; k--)
            h->all[k] = h->all[k - 1];
        h->all[k] = host;
    }
}

static int by_preference(const void *a, const void *b)
{
    const struct host *x = a;
    const struct host *y = b;
    return x->preference != y->preference ? (x->preference > y->preference ? 1 : -1)
                                          : strcasecmp(x->name, y->name);
}

void hosts_choose(struct hosts *h, uint64_t random)
{
    if (h->count > HOSTS_MAX) {
        qsort(h->all, h->count, sizeof(*h->all), by_preference);
        for (size_t i = HOSTS_SURE; i < HOSTS_MAX; i++) {
            swap(h, i, i + below(&random, h->count - i));
            h->all[i].drawn = true;
        }
        shorten(h, HOSTS_MAX);
    }
    hosts_sort(h, random);
}

void hosts_cut(struct hosts *h, unsigned preference)
{
    size_t count = 0;
    while (count < h->count && h->all[count].preference < preference)
        count++;
    shorten(h, count);
}

void hosts_leave_family(struct hosts *h, bool v6)
{
    for (size_t i = 0; i < h->count; i++) {
        struct host *host = &h->all[i];
        size_t kept = 0;
        for (size_t k = 0; k < host->count; k++)
            if (host->ips[k].v6 != v6)
                host->ips[kept++] = host->ips[k];
        host->count = kept;
    }
}

static size_t of_family(const struct ip *ips, size_t count, bool v6)
{
    size_t found = 0;
    for (size_t i = 0; i < count; i++)
        found += ips[i].v6 == v6;
    return found;
}

/* The nth of a family. */
static size_t find_nth(const struct ip *ips, bool v6, size_t n)
{
    size_t at = 0;
    while (ips[at].v6 != v6 || n-- > 0)
        at++;
    return at;
}

/* Begin with that family, and each family with its `first`th address; the others at random. */
static void spread(struct host *h, bool v6, const size_t first[2], uint64_t *random)
{
    struct ip left[HOSTS_IPS_MAX];
    bool begun[2] = {false, false};
    size_t count = h->count;
    memcpy(left, h->ips, count * sizeof(left[0]));
    for (size_t n = 0; n < h->count; n++) {
        if (of_family(left, count, v6) == 0)
            v6 = !v6;
        size_t found = of_family(left, count, v6);
        size_t at = find_nth(left, v6, begun[v6] ? below(random, found) : first[v6] % found);
        begun[v6] = true;
        h->ips[n] = left[at];
        left[at] = left[--count];
        v6 = !v6;
    }
}

void hosts_spread(struct hosts *h, uint64_t random)
{
    for (size_t i = 0; i < h->count; i++) {
        const size_t first[2] = {below(&random, HOSTS_IPS_MAX * 1024),
                                 below(&random, HOSTS_IPS_MAX * 1024)};
        if (h->all[i].count > 1)
            spread(&h->all[i], below(&random, 2) == 0, first, &random);
    }
}

/* ---- in turn ---- */

static int by_bytes(const void *a, const void *b)
{
    const struct ip *x = a;
    const struct ip *y = b;
    return x->v6 != y->v6 ? (x->v6 ? 1 : -1) : memcmp(x->bytes, y->bytes, sizeof(x->bytes));
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct host *)a)->name, ((const struct host *)b)->name);
}

/* Families in turn, and the addresses of each in turn, whatever order DNS gives them. */
static void turn_addresses(struct host *h, uint64_t turn, uint64_t *random)
{
    if (h->count < 2)
        return;
    qsort(h->ips, h->count, sizeof(*h->ips), by_bytes);
    size_t six = of_family(h->ips, h->count, true);
    bool both = six > 0 && six < h->count;
    uint64_t of_its_family = both ? turn / 2 : turn;
    const size_t first[2] = {(size_t)of_its_family, (size_t)of_its_family};
    spread(h, both ? turn % 2 == 1 : six > 0, first, random);
}

/* Of equal hosts (in random order) the one whose turn it is goes first. */
static void turn_equal(struct host *equal, size_t count, uint64_t turn, uint64_t *random)
{
    struct host sorted[HOSTS_MAX];
    size_t at = 0;
    CHECK(count > 0 && count <= HOSTS_MAX);
    memcpy(sorted, equal, count * sizeof(*equal));
    qsort(sorted, count, sizeof(*sorted), by_name);
    while (equal[at].name != sorted[turn % count].name)
        at++;
    struct host host = equal[at];
    equal[at] = equal[0];
    equal[0] = host;
    for (size_t i = 0; i < count; i++)
        turn_addresses(&equal[i], turn / count, random);
}

static void copy(const struct hosts *h, struct hosts *hosts_r)
{
    *hosts_r = (struct hosts){0};
    for (size_t i = 0; i < h->count; i++) {
        hosts_add(hosts_r, span_of(h->all[i].name), h->all[i].preference);
        for (size_t k = 0; k < h->all[i].count; k++)
            hosts_add_ip(hosts_r, i, &h->all[i].ips[k]);
        hosts_note_answer(hosts_r, i, h->all[i].secure, h->all[i].canonical);
    }
    hosts_note_domain(hosts_r, h->secure, h->canonical);
    hosts_r->missing = h->missing;
    hosts_r->from = h->from;
}

void hosts_in_turn(const struct hosts *h, uint64_t turn, uint64_t random, struct hosts *hosts_r)
{
    copy(h, hosts_r);
    hosts_sort(hosts_r, random);
    for (size_t first = 0, end = 0; first < hosts_r->count; first = end) {
        while (end < hosts_r->count &&
               hosts_r->all[end].preference == hosts_r->all[first].preference)
            end++;
        turn_equal(&hosts_r->all[first], end - first, turn, &random);
    }
}

static const struct host *find(const struct hosts *h, const char *name)
{
    for (size_t i = 0; i < h->count; i++)
        if (strcasecmp(h->all[i].name, name) == 0)
            return &h->all[i];
    return NULL;
}

bool hosts_find_rank(const struct hosts *h, const char *name, unsigned *rank_r)
{
    const struct host *host = find(h, name);
    *rank_r = 0;
    for (size_t i = 0; host && i < h->count; i++) {
        bool counted = h->all[i].preference >= host->preference;
        for (size_t k = 0; !counted && k < i; k++)
            counted = h->all[k].preference == h->all[i].preference;
        *rank_r += !counted;
    }
    return host != NULL;
}

bool hosts_give(const struct hosts *h, const char *name, const struct ip *ip)
{
    const struct host *host = find(h, name);
    for (size_t i = 0; host && i < host->count; i++)
        if (ip_equal(&host->ips[i], ip))
            return true;
    return false;
}

/* FNV-1a. */
uint32_t hosts_name_mark(const char *name)
{
    uint32_t mark = UINT32_C(2166136261);
    for (; *name; name++) {
        unsigned char c = (unsigned char)(*name >= 'A' && *name <= 'Z' ? *name - 'A' + 'a' : *name);
        mark = (mark ^ c) * UINT32_C(16777619);
    }
    return mark;
}

bool hosts_have_ips(const struct hosts *h)
{
    for (size_t i = 0; i < h->count; i++)
        if (h->all[i].count > 0)
            return true;
    return false;
}
