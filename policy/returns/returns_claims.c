// SPDX-License-Identifier: BSD-2-Clause
/* returns_claims.c - From what came back to what happened to one recipient. */
#include "returns_claims.h"

#include "address.h"

#include <string.h>

const char *returns_event_name(enum returns_event event)
{
    static const char *const names[RETURNS_EVENTS] = {
#define RETURNS_EVENTS_NAME(name, word) [RETURNS_EVENT_##name] = (word),
        RETURNS_EVENTS_LIST(RETURNS_EVENTS_NAME)
#undef RETURNS_EVENTS_NAME
    };
    return names[event];
}

static enum returns_event event_of_action(enum returns_action action)
{
    static const enum returns_event events[RETURNS_ACTIONS] = {
        [RETURNS_ACTION_FAILED] = RETURNS_EVENT_RETURNED,
        [RETURNS_ACTION_DELAYED] = RETURNS_EVENT_LATE_DELAY};
    return events[action];
}

static enum returns_event event_of(const struct returns_reading *reading)
{
    switch (reading->kind) {
    case RETURNS_ARF:
        return reading->complaint ? RETURNS_EVENT_COMPLAINED : RETURNS_EVENT_NOTHING;
    case RETURNS_MDN:
        return reading->lost ? RETURNS_EVENT_RETURNED : RETURNS_EVENT_NOTHING;
    case RETURNS_AUTO_REPLY:
        return RETURNS_EVENT_AUTO_REPLIED;
    case RETURNS_BOUNCE_NONSTANDARD:
        return reading->recipient_count == 0 ? RETURNS_EVENT_RETURNED : RETURNS_EVENT_NOTHING;
    case RETURNS_UNKNOWN:
    case RETURNS_DSN_FAILED:
    case RETURNS_DSN_DELAYED:
    case RETURNS_DSN_DELIVERED:
    case RETURNS_DSN_RELAYED:
    case RETURNS_DSN_EXPANDED:
    case RETURNS_CHALLENGE:
    case RETURNS_LIST:
    case RETURNS_HUMAN:
    case RETURNS_KIND_COUNT:
        break;
    }
    return RETURNS_EVENT_NOTHING;
}

static bool tells_of_recipients(const struct returns_reading *reading)
{
    return reading->kind == RETURNS_BOUNCE_NONSTANDARD ||
           (reading->kind >= RETURNS_DSN_FAILED && reading->kind <= RETURNS_DSN_EXPANDED);
}

void returns_claims_make(const struct returns_reading *reading, struct returns_claims *claims_r)
{
    memset(claims_r, 0, sizeof(*claims_r));
    claims_r->personal = reading->kind == RETURNS_HUMAN || reading->kind == RETURNS_CHALLENGE;
    claims_r->event = event_of(reading);
    claims_r->count = tells_of_recipients(reading) ? reading->recipient_count : 0;
    for (size_t i = 0; i < claims_r->count; i++) {
        const struct returns_recipient *r = &reading->recipients[i];
        struct returns_claim *c = &claims_r->list[i];
        memcpy(c->address, r->address, sizeof(c->address));
        memcpy(c->original, r->original, sizeof(c->original));
        c->event = event_of_action(r->action);
        c->judged = returns_judge(reading, i, &c->judgement);
    }
}

/* As a mailbox is compared on the suppression list. */
static bool is_same(const char *claimed, const char *form)
{
    char other[ADDRESS_CANONICAL_MAX + 1];
    address_same_form(claimed, other);
    return other[0] && strcmp(other, form) == 0;
}

static struct returns_fate fate_of(const struct returns_claim *c, bool ours)
{
    struct returns_fate fate = {.event = c->event};
    if (!c->judged)
        return fate;
    fate.judgement = &c->judgement;
    fate.suppress_after = c->judgement.suppress_after;
    if (!ours && fate.suppress_after == 1)
        fate.suppress_after = 2;
    return fate;
}

struct returns_fate returns_claims_about(const struct returns_claims *claims, const char *recipient)
{
    char form[ADDRESS_CANONICAL_MAX + 1];
    address_same_form(recipient, form);
    for (size_t i = 0; i < claims->count; i++)
        if (is_same(claims->list[i].address, form) || is_same(claims->list[i].original, form))
            return fate_of(&claims->list[i], true);
    if (claims->count == 1)
        return fate_of(&claims->list[0], false);
    return (struct returns_fate){.event = claims->event};
}
