// SPDX-License-Identifier: BSD-2-Clause
/* paused.c - What pauses (pauses.c) hold back just now, and how they are told.
 *
 * What is about us bars lines in the turns of their destination: those that one domain's pause bars
 * are set aside, for the sake of those behind. Of senders and mailboxes a line knows nothing: an
 * attempt that has read its message asks before it uses its connection. */
#include "pause.h"

#include <stdio.h>
#include <string.h>

enum { LOOK_MS = 10 * 60 * 1000 }; /* an operator may have ended it meanwhile */

static const char *const kinds[QUEUE_PAUSE_KINDS] = {[QUEUE_PAUSE_SOURCE] = "mail",
                                                     [QUEUE_PAUSE_SENDER] = "sender_domain",
                                                     [QUEUE_PAUSE_MAILBOX] = "mailbox",
                                                     [QUEUE_PAUSE_ALARM] = "alarm"};

const char *queue_pause_kind_name(enum queue_pause_kind kind)
{
    CHECK((unsigned)kind < QUEUE_PAUSE_KINDS);
    return kinds[kind];
}

bool queue_pause_kind_of(const char *name, enum queue_pause_kind *kind_r)
{
    for (unsigned i = 0; i < QUEUE_PAUSE_KINDS; i++)
        if (strcmp(name, kinds[i]) == 0) {
            *kind_r = (enum queue_pause_kind)i;
            return true;
        }
    return false;
}

const char *queue_pause_state_name(enum queue_pause_state state)
{
    static const char *const states[QUEUE_PAUSE_STATES] = {[QUEUE_PAUSE_COUNTS] = "counts",
                                                           [QUEUE_PAUSE_RESTS] = "paused",
                                                           [QUEUE_PAUSE_ASKS] = "asks",
                                                           [QUEUE_PAUSE_GROWS] = "grows",
                                                           [QUEUE_PAUSE_OVER] = "over"};
    CHECK((unsigned)state < QUEUE_PAUSE_STATES);
    return states[state];
}

struct pause *pause_find(const struct destination *d, const struct pause_key *key)
{
    const struct pause item = {.tenant = (struct tenant *)(uintptr_t)key->tenant,
                               .kind = key->kind,
                               .domain = key->domain,
                               .about = (char *)(uintptr_t)key->about};
    return d->pauses.count > 0 ? pointer_table_find(&d->pauses, &item) : NULL;
}

/* ---- what is barred ---- */

/* Is it about what this connection carries? */
static bool holds_for(const struct pause *p, const struct connection *c)
{
    return c->attempt && (!p->tenant || c->holder == p->tenant) &&
           (!p->domain[0] || strcmp(c->attempt->line->domain->name, p->domain) == 0);
}

/* Connections there with such mail, but for `own`; one that is stuck says nothing soon. */
static unsigned under_way(const struct pause *p, const struct connection *own)
{
    unsigned count = 0;
    for (const struct connection *c = p->destination->connections; c; c = c->next_of)
        count += c != own && !c->stuck && holds_for(p, c);
    return count;
}

static bool bars(const struct pause *p, const struct connection *own)
{
    if (!p || !pause_is_active(p))
        return false;
    if (p->state == QUEUE_PAUSE_RESTS)
        return true;
    return under_way(p, own) >= (p->state == QUEUE_PAUSE_ASKS ? 1 : p->allowed);
}

/* What bars such mail of this line; NULL: nothing. */
static const struct pause *find_bar(const struct line *line, const char *domain,
                                    const struct connection *own)
{
    const struct tenant *tenants[] = {line->tenant, NULL};
    const struct destination *d = line->domain->lane->destination;
    for (size_t i = 0; i < COUNT_OF(tenants); i++) {
        const struct pause_key key = {tenants[i], QUEUE_PAUSE_SOURCE, domain, ""};
        const struct pause *p = pause_find(d, &key);
        if (bars(p, own))
            return p;
    }
    return NULL;
}

static bool may_bar(const struct line *line)
{
    return line->domain->lane && line->domain->lane->destination->paused > 0;
}

bool pause_sets_aside(const struct line *line)
{
    return may_bar(line) && find_bar(line, line->domain->name, NULL);
}

bool pause_bars(const struct line *line, const struct connection *own)
{
    return may_bar(line) && (find_bar(line, "", own) || find_bar(line, line->domain->name, own));
}

static const struct pause *bar_of(const struct line *line)
{
    const struct pause *p = may_bar(line) ? find_bar(line, "", NULL) : NULL;
    return p || !may_bar(line) ? p : find_bar(line, line->domain->name, NULL);
}

const char *pause_why(const struct line *line)
{
    const struct pause *p = bar_of(line);
    return p ? p->why : NULL;
}

int64_t pause_until_ms(const struct line *line)
{
    const struct pause *p = bar_of(line);
    return !p ? 0 : p->state == QUEUE_PAUSE_RESTS ? p->until_ms : INT64_MAX;
}

struct tenant_rest pause_longest(const struct destination *d, const char *domain)
{
    struct tenant_rest longest = {0};
    const struct pause *p;
    for (size_t at = 0; d->paused > 0 && (p = pointer_table_next(&d->pauses, &at));)
        if (p->kind == QUEUE_PAUSE_SOURCE && p->state == QUEUE_PAUSE_RESTS &&
            (!p->domain[0] || strcmp(p->domain, domain) == 0) && p->until_ms > longest.until_ms)
            longest = (struct tenant_rest){p->tenant ? p->tenant->name : "", p->why, p->until_ms};
    return longest;
}

void pause_was_asked(struct queue *q, const struct connection *c, const struct line *line_or_null)
{
    struct lane *lane = line_or_null ? line_or_null->domain->lane : NULL;
    if (c->lane->destination->paused > 0)
        lane_puts_back(q, c->lane);
    if (lane && lane != c->lane && lane->destination->paused > 0) /* its domain has moved since */
        lane_puts_back(q, lane);
}

/* ---- senders and mailboxes ---- */

/* 0: it goes, and the next one when this has had time to show something. */
static int64_t waits(struct queue *q, struct pause *p, const struct attempt *a, int64_t now_ms)
{
    if (!p || !pause_is_active(p))
        return 0;
    int64_t left_ms = p->until_ms - now_ms;
    if (left_ms > 0)
        return left_ms < LOOK_MS ? left_ms : LOOK_MS;
    if (p->state != QUEUE_PAUSE_ASKS)
        return 1; /* its time has just come */
    p->until_ms = now_ms + PAUSE_PROBE_MS;
    p->probe = a->connection ? a->connection->carried : 0;
    pause_changed(q, p);
    return 0;
}

int64_t queue_pause_waits(struct queue *q, const struct queue_attempt *attempt,
                          enum queue_pause_kind kind, const char *about, int64_t now_ms)
{
    const struct attempt *a = (const struct attempt *)attempt;
    struct destination *d = a->lane ? a->lane->destination : NULL;
    int64_t longest_ms = 0;
    if (!d || d->pauses.count == 0)
        return 0;
    const char *domains[] = {a->line->domain->name, ""};
    for (size_t i = 0; i < COUNT_OF(domains) && longest_ms == 0; i++) {
        const struct pause_key key = {a->line->tenant, kind, domains[i], about};
        longest_ms = waits(q, pause_find(d, &key), a, now_ms);
    }
    return longest_ms;
}

/* ---- in words ---- */

/* "mail of tenant a from club.example to dest.example: 550 …". */
void pause_print(const struct pause *p, char text_r[PAUSE_TEXT])
{
    bool sender = p->kind == QUEUE_PAUSE_SENDER;
    char whose[100] = "all mail";
    char advice[200] = "";
    if (p->tenant)
        snprintf(whose, sizeof(whose), "mail of tenant %.60s", p->tenant->name);
    if (sender)
        snprintf(advice, sizeof(advice), " (see 'sealpost dns %.100s --check')", p->about);
    snprintf(text_r, PAUSE_TEXT, "%s%s%.100s%s%.100s%s, by %s: %s", whose, sender ? " from " : "",
             sender ? p->about : "", p->domain[0] ? " to " : "", p->domain, advice, p->row, p->why);
}
