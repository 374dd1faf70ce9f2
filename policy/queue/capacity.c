// SPDX-License-Identifier: BSD-2-Clause
/* capacity.c - How many of all connections each tenant may have, and who has the next one.
 *
 * Class security may use all of the capacity, the others all but the reserve. Of either a tenant
 * takes at most twice what it leaves free (shares.h): so whatever one of them does, and however
 * many do the same, something is left for who holds little. Who may have no more is passed over.
 *
 * Connections to servers that fall silent may use up such a share for long. So a tenant goes beyond
 * it for a destination that is not one of those (wants.c), as if it held only what has been
 * answered there, while an eighth of all is left to the others and some more to what is surer to
 * need it for a short time: first class security, and of either pool what is known to answer. The
 * first mail to a destination not yet known has the least, and is taken first: it cannot use up
 * what is kept from it.
 */
#include "shun.h"

enum { OTHERS_PART = 8, STEP_PART = 16 };

/* What is left of all and of what is not the reserve, when `more` have been added to what is at
 * work. */
static size_t left_of_all(const struct queue *q, size_t more)
{
    size_t at_work = q->in_use - q->count[CONNECTION_IDLE] + more;
    return q->settings.connections > at_work ? q->settings.connections - at_work : 0;
}

static size_t left_of_plain(const struct queue *q, size_t more)
{
    return plain_max(q) > q->plain + more ? plain_max(q) - q->plain - more : 0;
}

/* One more, when `more` of this part have been added to what it holds? */
static bool may_have_one(const struct queue *q, enum pool pool, const void *tenant, size_t more)
{
    uint64_t held = fair_used(&q->connect[pool], tenant) + more;
    if (held == 0)
        return true;
    uint64_t other = fair_used(&q->connect[pool == POOL_URGENT ? POOL_PLAIN : POOL_URGENT], tenant);
    return is_within_share(held + other, left_of_all(q, more)) &&
           (pool == POOL_URGENT || is_within_share(held, left_of_plain(q, more)));
}

/* What is left for those who go beyond their share, when `freed` have been given back. */
static size_t left_beyond(const struct queue *q, enum pool pool, enum beyond kind, size_t freed)
{
    static const unsigned steps[POOLS][BEYOND_KINDS] = {
        [POOL_URGENT] = {[BEYOND_ANSWERS] = 0, [BEYOND_UNKNOWN] = 1},
        [POOL_PLAIN] = {[BEYOND_ANSWERS] = 2, [BEYOND_UNKNOWN] = 3},
    };
    size_t all = q->settings.connections;
    size_t others = all / OTHERS_PART + 1;
    size_t step = (all + STEP_PART - 1) / STEP_PART;
    size_t left = left_of_all(q, 0) + freed;
    size_t plain = left_of_plain(q, 0) + freed;
    size_t kept = others + steps[pool][kind] * step;
    size_t kept_plain = others + (kind == BEYOND_UNKNOWN ? step : 0);
    left = left > kept ? left - kept : 0;
    plain = plain > kept_plain ? plain - kept_plain : 0;
    return pool == POOL_URGENT || left < plain ? left : plain;
}

/* One beyond its share? */
static bool may_go_beyond(const struct queue *q, enum pool pool, enum beyond kind,
                          const struct tenant *tenant, size_t freed)
{
    size_t left = left_beyond(q, pool, kind, freed);
    if (left == 0)
        return false;
    size_t held =
        kind == BEYOND_ANSWERS ? tenant->answering : capacity_held(q, tenant) - tenant->stuck;
    return is_within_share(held, left);
}

bool capacity_may_have(const struct queue *q, const struct line *line)
{
    enum pool pool = line_pool(line);
    enum beyond kind = destination_beyond(line->domain->lane->destination);
    return may_have_one(q, pool, line->tenant, 0) ||
           (kind != BEYOND_KINDS && may_go_beyond(q, pool, kind, line->tenant, 0));
}

bool capacity_bears_another(const struct queue *q, const struct line *line)
{
    return may_have_one(q, line_pool(line), line->tenant, 1);
}

bool capacity_is_used_up(const struct queue *q, const struct tenant *tenant, enum pool pool)
{
    return !may_have_one(q, pool, tenant, 0);
}

size_t capacity_held(const struct queue *q, const struct tenant *tenant)
{
    return fair_used(&q->connect[POOL_URGENT], tenant) + fair_used(&q->connect[POOL_PLAIN], tenant);
}

struct moment {
    const struct queue *queue;
    int64_t now_ms;
};

/* Where there is room for somebody's. */
static bool line_may_open(const struct line *line, const void *context)
{
    const struct moment *now = context;
    const struct destination *d = line->domain->lane->destination;
    return !line_is_shunned(line) &&
           (destination_tells_apart(d) ? destination_has_room(d, line, now->now_ms)
                                       : destination_bears(d, line, NULL, now->now_ms)) &&
           capacity_may_have(now->queue, line);
}

static bool has_room(const struct line *line, const struct moment *now)
{
    return destination_has_place(line->domain->lane->destination, line, now->now_ms) &&
           line_may_open(line, now);
}

struct line *line_to_open(const struct queue *q, struct destination *d, enum pool pool,
                          int64_t now_ms, bool *full_r)
{
    const struct moment now = {q, now_ms};
    struct line *best = destination_best(d, pool);
    *full_r = best && !destination_tells_apart(d) && !destination_has_place(d, best, now_ms);
    if (!best || *full_r || line_may_open(best, &now))
        return best;
    if (destination_bears_nobody(q, d, pool == POOL_URGENT, now_ms))
        return best;
    const struct line_question question = {line_may_open, &now, LOOK_OPEN, now_ms};
    struct line *line = destination_best_of(d, pool, &question);
    return line ? line : best;
}

/* Others' turn is before that of a code beyond its tenant's part. */
static struct line *line_before(const struct queue *q, struct destination *d, struct line *urgent,
                                const struct moment *now)
{
    bool full = false;
    struct line *plain = line_to_open(q, d, POOL_PLAIN, now->now_ms, &full);
    bool goes = urgent && plain && line_is_after(urgent, plain) && queue_has_room(q, false) &&
                has_room(plain, now) && destination_may_open(d, plain, now->now_ms);
    return goes ? plain : urgent;
}

struct line *line_that_opens(const struct queue *q, const struct want *w, int64_t now_ms)
{
    const struct moment now = {q, now_ms};
    struct destination *d = w->destination;
    struct line *overdue = destination_overdue(d);
    bool full = false;
    if (overdue && queue_has_room(q, false) && has_room(overdue, &now))
        return overdue;
    /* The tenant for whose code it stood there may have taken his last one elsewhere. */
    struct line *urgent = line_to_open(q, d, POOL_URGENT, now_ms, &full);
    if (w->class == STREAM_SECURITY ||
        (urgent && has_room(urgent, &now) && destination_may_open(d, urgent, now_ms)))
        return line_before(q, d, urgent, &now);
    return line_to_open(q, d, POOL_PLAIN, now_ms, &full);
}

struct place_wanted {
    const struct connection *connection;
    int64_t now_ms;
};

/* What may not be opened for a tenant's mail may not break what others have opened. */
static bool is_kept_from(const struct line *line, const struct connection *c)
{
    const struct lane *lane = line->domain->lane;
    const struct shun *shun = line_shun(line);
    bool own = c->lane == lane && c->users.last == line->tenant->id;
    return shun && (!own || shun->spares_good);
}

bool connection_bears(const struct connection *c, const struct line *line, int64_t now_ms)
{
    const struct connection *own = c->state == CONNECTION_IDLE ? NULL : c; /* which has no place */
    return !is_kept_from(line, c) && destination_bears(c->lane->destination, line, own, now_ms);
}

static bool is_borne(const struct line *line, const void *context)
{
    const struct place_wanted *wanted = context;
    return connection_bears(wanted->connection, line, wanted->now_ms);
}

static struct line_question question_of(const struct place_wanted *wanted)
{
    bool is_idle = wanted->connection->state == CONNECTION_IDLE;
    return (struct line_question){is_borne, wanted, is_idle ? LOOK_IDLE : LOOK_NEXT,
                                  wanted->now_ms};
}

struct line *destination_first(const struct connection *c, enum pool pool, int64_t now_ms)
{
    const struct place_wanted wanted = {c, now_ms};
    const struct line_question question = question_of(&wanted);
    struct destination *d = c->lane->destination;
    struct line *best = destination_best(d, pool);
    if (!best || is_borne(best, &wanted))
        return best;
    return destination_best_of(d, pool, &question);
}

struct line *lane_first(const struct queue *q, const struct connection *c, int64_t now_ms)
{
    const struct place_wanted wanted = {c, now_ms};
    const struct line_question question = question_of(&wanted);
    struct line *line = lane_best(c->lane, POOLS);
    enum pool pool = POOLS;
    if (line && line->class != STREAM_SECURITY && c->lane->turns.count[STREAM_SECURITY] > 0 &&
        !connection_may_carry(q, c, false)) {
        pool = POOL_URGENT;
        line = lane_best(c->lane, pool);
    }
    if (!line || is_borne(line, &wanted))
        return line;
    return lane_best_of(c->lane, pool, &question);
}

/* ---- who is next ---- */

struct part {
    const struct queue *queue;
    enum pool pool;
    enum beyond kind;
};

static bool party_may_have_one(const struct fair_item *item, const void *context)
{
    const struct part *part = context;
    return may_have_one(part->queue, part->pool, item->party->who, 0);
}

static bool party_may_go_beyond(const struct fair_item *item, const void *context)
{
    const struct part *part = context;
    return may_go_beyond(part->queue, part->pool, part->kind, item->party->who, 0);
}

/* The first of those who wait for that part and may have one more; then of those who may go beyond
 * their share. */
static struct want *next_of(struct queue *q, enum pool pool)
{
    struct part part = {q, pool, BEYOND_KINDS};
    struct fair_item *item = fair_first_of(&q->connect[pool], party_may_have_one, &part,
                                           &q->connect_look[pool], q->now_ms);
    if (item)
        return OWNER_OF(item, struct want, turn);
    for (part.kind = BEYOND_UNKNOWN; !item && part.kind < BEYOND_KINDS; part.kind++)
        item = fair_first_of(&q->beyond[pool][part.kind], party_may_go_beyond, &part,
                             &q->beyond_look[pool][part.kind], q->now_ms);
    return item ? OWNER_OF(item, struct want, turn_beyond) : NULL;
}

int64_t capacity_looks_at(const struct queue *q, int64_t now_ms)
{
    int64_t first_ms = INT64_MAX;
    for (size_t pool = 0; pool < POOLS; pool++)
        for (size_t kind = 0; kind <= BEYOND_KINDS; kind++) {
            const struct wide_look *look =
                kind == BEYOND_KINDS ? &q->connect_look[pool] : &q->beyond_look[pool][kind];
            int64_t at_ms = wide_look_again_ms(look, now_ms);
            first_ms = at_ms < first_ms ? at_ms : first_ms;
        }
    return first_ms;
}

struct want *capacity_next(struct queue *q)
{
    struct want *w = queue_has_room(q, true) ? next_of(q, POOL_URGENT) : NULL;
    return w || !queue_has_room(q, false) ? w : next_of(q, POOL_PLAIN);
}

const struct want *capacity_own(const struct queue *q, const struct tenant *tenant, enum pool pool)
{
    const struct fair_item *item = NULL;
    if (may_have_one(q, pool, tenant, 0)) {
        item = fair_first_by(&q->connect[pool], tenant);
        return item ? OWNER_OF(item, struct want, turn) : NULL;
    }
    for (enum beyond kind = BEYOND_UNKNOWN; !item && kind < BEYOND_KINDS; kind++)
        if (may_go_beyond(q, pool, kind, tenant, 1))
            item = fair_first_by(&q->beyond[pool][kind], tenant);
    return item ? OWNER_OF(item, struct want, turn_beyond) : NULL;
}

size_t capacity_waiting(const struct queue *q)
{
    return q->connect[POOL_URGENT].count + q->connect[POOL_PLAIN].count;
}

bool more_wait_than_leave(const struct queue *q)
{
    return capacity_waiting(q) > q->leaving;
}

bool urgent_waits(struct queue *q)
{
    return next_of(q, POOL_URGENT) != NULL;
}

bool somebody_waits(struct queue *q)
{
    return more_wait_than_leave(q) && (urgent_waits(q) || next_of(q, POOL_PLAIN));
}
