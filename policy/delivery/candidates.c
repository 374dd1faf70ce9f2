// SPDX-License-Identifier: BSD-2-Clause
/* candidates.c - Puts the addresses in order once; then decides which one to try next from the
 * state of each. */
#include "candidates.h"

#include <string.h>
#include <strings.h>

/* Hosts of one preference. */
struct group {
    size_t first, end;
    size_t addresses, part; /* part: so many of them are tried */
};

static size_t group_hosts(const struct hosts *hosts, struct group *groups_r)
{
    size_t count = 0;
    for (size_t i = 0; i < hosts->count; i++) {
        if (i == 0 || hosts->all[i].preference != hosts->all[i - 1].preference)
            groups_r[count++] = (struct group){.first = i};
        groups_r[count - 1].end = i + 1;
        groups_r[count - 1].addresses += hosts->all[i].count;
    }
    return count;
}

/* One for each in turn, until all have all or there are CANDIDATES_MAX. */
static void share(struct group *groups, size_t count)
{
    size_t left = CANDIDATES_MAX;
    for (bool more = true; more;) {
        more = false;
        for (size_t i = 0; i < count && left > 0; i++)
            if (groups[i].part < groups[i].addresses) {
                groups[i].part++;
                left--;
                more = true;
            }
    }
}

static void add(struct candidates *c, const struct hosts *hosts, size_t host, size_t ip,
                unsigned port)
{
    CHECK(c->count < CANDIDATES_MAX);
    c->all[c->count++] = (struct candidate){
        .host = host,
        .mark = hosts_name_mark(hosts->all[host].name),
        .at = {.ip = hosts->all[host].ips[ip], .port = port, .from = hosts->from}};
}

void candidates_init(struct candidates *c, const struct hosts *hosts, unsigned port, int64_t now_ms)
{
    *c = (struct candidates){.begun_ms = now_ms, .last_ms = now_ms};
    struct group groups[HOSTS_MAX];
    CHECK(hosts->count <= HOSTS_MAX);
    size_t count = group_hosts(hosts, groups);
    share(groups, count);
    for (struct group *g = groups; g < groups + count; g++)
        for (size_t ip = 0; ip < HOSTS_IPS_MAX; ip++)
            for (size_t host = g->first; host < g->end; host++)
                if (ip < hosts->all[host].count && g->part > 0) {
                    add(c, hosts, host, ip, port);
                    g->part--;
                }
}

void candidates_set(struct candidates *c, size_t i, enum candidate_state state, int64_t now_ms)
{
    CHECK(i < c->count);
    c->all[i].state = state;
    c->all[i].since_ms = now_ms;
}

void candidates_host_left(struct candidates *c, int64_t now_ms)
{
    c->last_ms = now_ms;
}

static bool is_late(const struct candidates *c, int64_t now_ms)
{
    return now_ms - c->last_ms >= CANDIDATES_TIME_MS ||
           now_ms - c->begun_ms >= CANDIDATES_ATTEMPT_MS;
}

static bool is_under_way(const struct candidate *one)
{
    return one->state == CANDIDATE_CONNECTING || one->state == CANDIDATE_CONNECTED;
}

static int64_t patience_ms(const struct candidate *one)
{
    if (one->state == CANDIDATE_CONNECTED)
        return CANDIDATES_GREETING_MS;
    return one->probe ? CANDIDATES_PROBE_MS : CANDIDATES_CONNECT_MS;
}

size_t candidates_list_left(const struct candidates *c, size_t *which_r)
{
    size_t count = 0;
    for (size_t i = 0; i < c->count; i++)
        if (c->all[i].state == CANDIDATE_LEFT)
            which_r[count++] = i;
    return count;
}

static bool is_one_left(const struct candidates *c)
{
    size_t which[CANDIDATES_MAX];
    return candidates_list_left(c, which) > 0;
}

/* When the newest of those under way has had its time; 0 when none is. */
static int64_t next_at_ms(const struct candidates *c)
{
    int64_t at_ms = 0;
    for (size_t i = 0; i < c->count; i++) {
        const struct candidate *one = &c->all[i];
        if (is_under_way(one) && one->since_ms + patience_ms(one) > at_ms)
            at_ms = one->since_ms + patience_ms(one);
    }
    return at_ms;
}

bool candidates_under_way(const struct candidates *c)
{
    return next_at_ms(c) > 0;
}

struct candidates_step candidates_next(const struct candidates *c, int64_t now_ms)
{
    int64_t at_ms = next_at_ms(c);
    if (is_one_left(c) && !is_late(c, now_ms)) {
        if (now_ms >= at_ms)
            return (struct candidates_step){.what = CANDIDATES_BEGIN};
        return (struct candidates_step){.what = CANDIDATES_WAIT, .wait_ms = at_ms - now_ms};
    }
    if (at_ms > 0)
        return (struct candidates_step){.what = CANDIDATES_WAIT};
    return (struct candidates_step){.what = CANDIDATES_NONE};
}

bool candidates_crowded(const struct candidates *c, size_t *which_r)
{
    size_t under_way = 0;
    *which_r = c->count;
    for (size_t i = 0; i < c->count; i++) {
        if (!is_under_way(&c->all[i]))
            continue;
        under_way++;
        if (*which_r == c->count || c->all[i].since_ms < c->all[*which_r].since_ms)
            *which_r = i;
    }
    return under_way >= CANDIDATES_AT_ONCE;
}

bool candidates_too_slow(const struct candidates *c, size_t i, int64_t now_ms)
{
    const struct candidate *one = &c->all[i];
    int64_t time_ms =
        one->state == CANDIDATE_CONNECTED ? CANDIDATES_GREETING_MS : CANDIDATES_CONNECT_MS;
    return now_ms - one->since_ms >= time_ms;
}

bool candidates_left(const struct candidates *c, int64_t now_ms)
{
    return !is_late(c, now_ms) && is_one_left(c);
}

void candidates_note_lack(struct candidates *c, const struct endpoint *at, int64_t now_ms)
{
    size_t which = 0;
    while (which < c->count && !endpoint_equal(&c->all[which].at, at))
        which++;
    for (size_t i = 0; which < c->count && i < c->count; i++) {
        struct candidate *one = &c->all[i];
        if (one->host != c->all[which].host)
            continue;
        one->lacks = true;
        if (one->state == CANDIDATE_LEFT)
            candidates_set(c, i, CANDIDATE_TRIED, now_ms);
    }
}

static bool host_lacks(const struct candidates *c, size_t host)
{
    bool lacks = false;
    for (size_t i = 0; i < c->count; i++)
        lacks = lacks || (c->all[i].host == host && c->all[i].lacks);
    return lacks;
}

bool candidates_every_lacks(const struct candidates *c, const struct hosts *hosts)
{
    bool all = hosts->count > 0;
    for (size_t i = 0; i < hosts->count; i++)
        all = all && !hosts->all[i].drawn && host_lacks(c, i);
    return all;
}

static bool is_first_of_host(const struct candidates *c, size_t i)
{
    size_t k = 0;
    while (c->all[k].host != c->all[i].host)
        k++;
    return k == i;
}

bool candidates_all_lack(const struct candidates *c)
{
    size_t lacking = 0;
    size_t others = 0;
    for (size_t i = 0; i < c->count; i++) {
        lacking += is_first_of_host(c, i) && c->all[i].lacks;
        others += !c->all[i].lacks;
    }
    return lacking > 0 && (others == 0 || lacking >= CANDIDATES_TROUBLES_MAX);
}

/* Greylisting by sender or message: it ends by itself, for each of them. */
static bool is_greylisting(const char *text)
{
    for (; *text; text++)
        if (strncasecmp(text, "greylist", 8) == 0 || strncasecmp(text, "graylist", 8) == 0)
            return true;
    return false;
}

bool candidates_take_no_more(const struct verdict *at_mail)
{
    static const char *const others[] = {"4.1.", "4.2.", "4.6."}; /* addresses, the content */
    for (size_t i = 0; i < COUNT_OF(others); i++)
        if (strncmp(at_mail->enhanced, others[i], 4) == 0)
            return false;
    return at_mail->code >= 400 && at_mail->code < 500 && at_mail->code != 421 &&
           !is_greylisting(at_mail->text);
}

bool candidates_host_trouble(const struct verdict *v)
{
    if (v->what != VERDICT_DEFER)
        return false;
    if (v->code == 421 || strncmp(v->enhanced, "4.3.", 4) == 0 ||
        strncmp(v->enhanced, "4.4.", 4) == 0 || strcmp(v->enhanced, "4.7.10") == 0)
        return true;
    return v->enhanced[0] == '\0' && (v->code == 451 || v->code == 452);
}
