// SPDX-License-Identifier: BSD-2-Clause
/* rotation.c - Decides the next step of a domain's key rotation. The steps are tried in a fixed
 * order, and one is taken at a time. */
#include "rotation.h"

#include "dns.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { SELECTOR_TEXT = 64 };

static const char *const states[] = {[KEY_PENDING] = "pending",
                                     [KEY_ACTIVE] = "active",
                                     [KEY_RETIRING] = "retiring",
                                     [KEY_RETIRED] = "retired",
                                     [KEY_REVOKED] = "revoked"};

const char *key_state_name(enum key_state state)
{
    CHECK((unsigned)state < COUNT_OF(states));
    return states[state];
}

bool key_state_parse(struct span name, enum key_state *state_r)
{
    size_t i = 0;
    bool found = span_among(name, states, COUNT_OF(states), &i);
    if (found)
        *state_r = (enum key_state)i;
    return found;
}

static bool has_pending(const struct rotation_key *keys, size_t count, enum key_algorithm algorithm)
{
    for (size_t i = 0; i < count; i++)
        if (keys[i].state == KEY_PENDING && keys[i].algorithm == algorithm)
            return true;
    return false;
}

static enum rotation_step due(const struct rotation_key *keys, size_t count, size_t at,
                              const struct rotation_settings *settings, int64_t now_ms)
{
    const struct rotation_key *k = &keys[at];
    switch (k->state) {
    case KEY_PENDING:
        return k->seen_ms > 0 && now_ms >= k->seen_ms + k->wait_s * 1000 ? ROTATION_SWITCH
                                                                         : ROTATION_LOOK;
    case KEY_ACTIVE:
        if (settings->every_ms > 0 && now_ms >= k->since_ms + settings->every_ms &&
            !has_pending(keys, count, k->algorithm))
            return ROTATION_MAKE;
        return k->delegated && k->seen_ms == 0 ? ROTATION_LOOK : ROTATION_NOTHING;
    case KEY_RETIRING:
        return now_ms >= k->since_ms + settings->lifetime_ms ? ROTATION_RETIRE : ROTATION_NOTHING;
    case KEY_RETIRED:
    case KEY_REVOKED:
        return ROTATION_NOTHING;
    }
    UNREACHABLE();
}

enum rotation_step rotation_due(const struct rotation_key *keys, size_t count,
                                const struct rotation_settings *settings, int64_t now_ms,
                                size_t *which_r)
{
    enum rotation_step best = ROTATION_NOTHING;
    for (size_t i = 0; i < count; i++) {
        enum rotation_step step = due(keys, count, i, settings, now_ms);
        /* Looking goes on for as long as it takes: it must not keep the others waiting. */
        if (step == ROTATION_NOTHING || (best != ROTATION_NOTHING && step == ROTATION_LOOK))
            continue;
        *which_r = i;
        best = step;
        if (step != ROTATION_LOOK)
            break;
    }
    return best;
}

bool rotation_looked(struct rotation_key *key, bool everywhere, uint32_t ttl_s, int64_t now_ms)
{
    struct rotation_key before = *key;
    if (ttl_s >
        key->wait_s) /* also of answers that said it is not there: they are remembered too */
        key->wait_s = ttl_s;
    if (!everywhere || key->seen_ms > now_ms)
        key->seen_ms = 0;
    if (everywhere && key->seen_ms == 0)
        key->seen_ms = now_ms;
    return before.seen_ms != key->seen_ms || before.wait_s != key->wait_s;
}

static const struct rotation_key *find(const struct rotation_key *keys, size_t count,
                                       const char *selector)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(keys[i].selector, selector) == 0)
            return &keys[i];
    return NULL;
}

bool rotation_selector(const struct rotation_key *keys, size_t count, enum key_algorithm algorithm,
                       bool delegated, int64_t now_ms, char *selector_r)
{
    const char *suffix = algorithm == KEY_ED25519 ? "e" : "";
    char date[16];
    time_t now = (time_t)(now_ms / 1000);
    struct tm tm;
    gmtime_r(&now, &tm);
    strftime(date, sizeof(date), "%Y%m%d", &tm);
    for (unsigned i = 1; delegated && i <= 2; i++) {
        snprintf(selector_r, SELECTOR_TEXT, "sp%u%s", i, suffix);
        const struct rotation_key *k = find(keys, count, selector_r);
        if (!k || k->state == KEY_RETIRED)
            return true;
    }
    for (unsigned i = 1; !delegated && i < 100; i++) {
        char nth[8] = "";
        if (i > 1)
            snprintf(nth, sizeof(nth), "-%u", i);
        snprintf(selector_r, SELECTOR_TEXT, "sp%s%s%s", date, suffix, nth);
        if (!find(keys, count, selector_r))
            return true;
    }
    return false;
}

bool rotation_target(const char *selector, const char *domain, const char *zone, char *name_r)
{
    char name[3 * DNS_NAME_MAX];
    snprintf(name, sizeof(name), "%s.%s.%s", selector, domain, zone);
    return dns_name_valid(span_of(name)) && span_copy(span_of(name), name_r, DNS_NAME_MAX + 1);
}
