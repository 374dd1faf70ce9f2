// SPDX-License-Identifier: BSD-2-Clause
/* tls_report_places.c - The places of one record. A mailbox is counted as itself, as one of its
 * registered domain (but a large provider's) and as one that who is reported on has named, since at
 * a large provider there are as many strangers' mailboxes as he likes; an https place as its host,
 * as one of its registered domain's, and as each address that the host has: names below a domain
 * are its owner's to make, as many as he likes, and may lead to whom he likes. */
#include "tls_report_places.h"

#include "ip.h"
#include "tls_report_post.h"

#include <stdio.h>
#include <string.h>

/* ---- the record ---- */

/* Whose it is, and whether that is somebody else than who is reported on. */
static void find_organization(const struct suffixes *suffixes, const char *domain,
                              struct place *place)
{
    if (!suffixes_find(suffixes, domain, place->namer))
        span_put(span_of(domain), place->namer, sizeof(place->namer));
    bool found = suffixes_find(suffixes, place->host, place->organization);
    if (!found)
        span_put(span_of(place->host), place->organization, sizeof(place->organization));
    place->foreign = !found || strcmp(place->namer, place->organization) != 0;
}

static bool read_mailbox(const struct tlsrpt_rua *rua, struct place *place)
{
    struct address to;
    if (!tlsrpt_rua_mailbox(rua, place->mailbox))
        return false;
    address_counted_as(place->mailbox, place->counted);
    bool parsed = address_parse(span_of(place->mailbox), &to);
    if (!parsed || !address_domain_ascii(to.domain, place->host))
        place->host[0] = '\0';                 /* it is refused when its mail is made */
    return !parsed || !address_is_routed(&to); /* one mailbox would have many such */
}

void places_note(struct places *p, const struct tlsrpt_record *record,
                 const struct tlsrpt_entry *entry, const struct suffixes *suffixes)
{
    for (size_t i = 0; i < record->count; i++) {
        struct place *place = &p->all[p->count];
        const struct tlsrpt_rua *rua = &record->rua[i];
        *place = (struct place){.standing = PLACE_OPEN, .tenant = entry->tenant};
        if (!span_copy(rua->uri, place->uri, sizeof(place->uri)) ||
            (rua->address[0] && !read_mailbox(rua, place)))
            continue;
        if (!rua->address[0] && !tls_report_post_host(place->uri, place->host))
            place->host[0] = '\0'; /* so it is refused when it is looked up */
        find_organization(suffixes, entry->domain, place);
        p->count++;
    }
}

bool places_may_have(const struct places *p, const struct tlsrpt_entry *entry, size_t i)
{
    return !p->all[i].paused && (entry->failed >> i & 1) == 0 && p->all[i].standing != PLACE_CLOSED;
}

static bool is_same_host(const struct place *a, const struct place *b)
{
    return !a->mailbox[0] && !b->mailbox[0] && strcmp(a->host, b->host) == 0;
}

void places_set(struct places *p, size_t i, enum place_standing standing)
{
    p->all[i].standing = standing;
    for (size_t k = 0; standing == PLACE_CLOSED && k < p->count; k++)
        if (is_same_host(&p->all[k], &p->all[i]))
            p->all[k].standing = PLACE_CLOSED;
}

bool places_has_turn(const struct places *p, const struct tlsrpt_entry *entry, size_t i)
{
    size_t before = 0;
    size_t count = 0;
    if (p->all[i].mailbox[0])
        return true;
    for (size_t k = 0; k < p->count; k++) {
        bool same = is_same_host(&p->all[k], &p->all[i]);
        before += same && k < i;
        count += same;
    }
    return count > 0 && entry->tries % count == before;
}

/* ---- bounds ---- */

static struct tlsrpt_target target(const struct place *place, enum tlsrpt_whom whom,
                                   const char *name)
{
    return (struct tlsrpt_target){
        .whom = whom, .name = name, .foreign = place->foreign, .tenant = place->tenant};
}

enum { NAMES = 2, TARGETS_MAX = NAMES + TLS_REPORT_POST_ADDRESSES, NET_TEXT = IP_TEXT + 8 };

/* An address as it is counted: of IPv6 its network of 64 bits, which is one customer's. */
static bool name_address(struct span text, char name_r[NET_TEXT])
{
    struct ip ip;
    char plain[IP_TEXT + 2];
    bool bracket = text.len > 2 && text.ptr[0] == '[';
    if (!span_copy(span_from(span_first(text, text.len - bracket), bracket), plain,
                   sizeof(plain)) ||
        !ip_parse(plain, &ip))
        return false;
    if (!ip.v6) {
        ip_print(&ip, name_r);
        return true;
    }
    memset(ip.bytes + 8, 0, 8);
    ip_print(&ip, plain);
    snprintf(name_r, NET_TEXT, "%s/64", plain);
    return true;
}

/* All that it counts for, itself first and then its organization; the names of addresses are in
 * `names`. */
static size_t list_targets(const struct place *place, const char *addresses,
                           char names[TARGETS_MAX][NET_TEXT],
                           struct tlsrpt_target targets_r[TARGETS_MAX])
{
    size_t count = 0;
    if (place->mailbox[0]) {
        targets_r[count++] = target(place, TLSRPT_MAILBOX, place->counted);
        if (!throttle_is_large(place->host))
            targets_r[count++] = target(place, TLSRPT_MAIL_DOMAIN, place->organization);
        targets_r[count++] = target(place, TLSRPT_NAMER, place->namer);
        return count;
    }
    targets_r[count++] = target(place, TLSRPT_HOST, place->host);
    targets_r[count++] = target(place, TLSRPT_HOSTS, place->organization);
    for (struct span rest = span_of(addresses); rest.len > 0 && count < TARGETS_MAX;) {
        struct span one = span_take(&rest, ',');
        if (name_address(one, names[count])) {
            targets_r[count] = target(place, TLSRPT_IP, names[count]);
            count++;
        }
    }
    return count;
}

/* A host that takes posts answers for its name, and not for others' that lead to its addresses. */
static enum tlsrpt_bound ask(const struct place *place, const char *addresses,
                             struct tlsrpt_bounds *bounds, int64_t now_ms)
{
    char names[TARGETS_MAX][NET_TEXT];
    struct tlsrpt_target targets[TARGETS_MAX];
    enum tlsrpt_bound bound = TLSRPT_FREE;
    size_t count = list_targets(place, addresses, names, targets);
    if (!place->mailbox[0] && tlsrpt_bounds_proven(bounds, &targets[0], now_ms))
        count = NAMES;
    for (size_t i = 0; bound == TLSRPT_FREE && i < count; i++)
        bound = tlsrpt_bounds_ask(bounds, &targets[i], now_ms);
    return bound;
}

void place_charge(const struct place *place, const char *addresses, int cost,
                  struct tlsrpt_bounds *bounds, int64_t now_ms)
{
    char names[TARGETS_MAX][NET_TEXT];
    struct tlsrpt_target targets[TARGETS_MAX];
    size_t count = list_targets(place, addresses, names, targets);
    for (size_t i = 0; i < count; i++)
        tlsrpt_bounds_charge(bounds, &targets[i], cost, now_ms);
}

enum place_standing place_take(const struct place *place, const char *addresses, int cost,
                               struct tlsrpt_bounds *bounds, int64_t now_ms, char *why_r)
{
    static const enum place_standing standings[TLSRPT_BOUNDS] = {
        [TLSRPT_FREE] = PLACE_OPEN,  [TLSRPT_RESTS] = PLACE_RESTS,  [TLSRPT_FAILED] = PLACE_RESTS,
        [TLSRPT_FULL] = PLACE_RESTS, [TLSRPT_SPENT] = PLACE_CLOSED, [TLSRPT_CLOSED] = PLACE_CLOSED};
    enum tlsrpt_bound bound = ask(place, addresses, bounds, now_ms);
    if (bound == TLSRPT_FREE)
        place_charge(place, addresses, cost, bounds, now_ms);
    else
        snprintf(why_r, 160, "%.90s %s", place->mailbox[0] ? place->counted : place->host,
                 tlsrpt_bound_text(bound));
    return standings[bound];
}

enum place_standing place_posted(const struct place *place, const char *addresses,
                                 const struct fetch_result *result, struct tlsrpt_bounds *bounds,
                                 int64_t now_ms)
{
    const struct tlsrpt_target host = target(place, TLSRPT_HOST, place->host);
    const struct tlsrpt_target hosts = target(place, TLSRPT_HOSTS, place->organization);
    bool ours = result->outcome == FETCH_GONE || result->outcome == FETCH_BUSY;
    if (ours || !result->why)
        place_charge(place, addresses, -TLSRPT_COST_REFUSED, bounds, now_ms);
    if (ours)
        return PLACE_RESTS;
    if (!result->why) {
        tlsrpt_bounds_charge(bounds, &host, TLSRPT_COST, now_ms);
        tlsrpt_bounds_charge(bounds, &hosts, TLSRPT_COST, now_ms);
    }
    tlsrpt_bounds_prove(bounds, &host, !result->why, now_ms);
    if (result->why && result->retry_after_s > 0)
        tlsrpt_bounds_rest(bounds, &host, now_ms + (int64_t)result->retry_after_s * 1000, now_ms);
    return result->why ? PLACE_BAD : PLACE_OPEN;
}

static void note_returned(const struct place *place, struct tlsrpt_bounds *bounds, int64_t now_ms)
{
    const struct tlsrpt_target mailbox = target(place, TLSRPT_MAILBOX, place->counted);
    const struct tlsrpt_target domain = target(place, TLSRPT_MAIL_DOMAIN, place->organization);
    const struct tlsrpt_target namer = target(place, TLSRPT_NAMER, place->namer);
    tlsrpt_bounds_close(bounds, &mailbox, now_ms);
    tlsrpt_bounds_charge(bounds, &domain, TLSRPT_COST_RETURNED - TLSRPT_COST, now_ms);
    tlsrpt_bounds_charge(bounds, &namer, TLSRPT_COST_RETURNED - TLSRPT_COST, now_ms);
}

bool places_returned(const struct places *p, const struct tlsrpt_entry *entry,
                     struct tlsrpt_bounds *bounds, int64_t now_ms)
{
    for (size_t i = 0; i < p->count; i++)
        if (strcmp(p->all[i].uri, entry->uri) == 0 && p->all[i].mailbox[0])
            note_returned(&p->all[i], bounds, now_ms);
    return entry->place < p->count && strcmp(p->all[entry->place].uri, entry->uri) == 0;
}
