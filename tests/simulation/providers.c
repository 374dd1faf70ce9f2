// SPDX-License-Identifier: BSD-2-Clause
/* providers.c - How fast mail goes (policy/queue/spacing.c) to providers that limit it.
 *
 * usage: providers [--seed N] [--runs N] [--least GOODPUT] [--trace]
 *
 * Each run draws a provider from its seed, one of seven kinds, and sends it mail for an hour of virtual
 * time: plain mail without end, and now and then a code. What must hold:
 *
 *   goodput     of what providers of each kind allow 85 % is taken, and of no one less than 75 % (or --least)
 *   violations  half a minute after a limit has begun to be met, in half a minute at most twelve plain
 *               messages are refused, or an eighth of those that are taken
 *   codes       99 of 100 are taken within 5 s while the provider takes anything
 *
 * The first run that fails is played again with its trace, and ends the program.
 */
#include "check.h"
#include "spacing.h"
#include "window.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MINUTE_MS = 60 * 1000, HOUR_MS = 60 * MINUTE_MS, QUARTER_MS = 15 * MINUTE_MS,
       RUN_MS = HOUR_MS, BIN_MS = 30 * 1000 };
enum { CONNECTIONS = 24, CONNECTIONS_MOST = 16, CODES_MAX = 2000, GREY_MS = 5 * MINUTE_MS, GREY_MAX = 100000, IDLE_MS = 5000 };
enum { VIOLATIONS = 12, VIOLATIONS_PART = 8, CODE_MS = 5000, NEVER = INT32_MAX, RUNS_TO_MEAN = 20 };

static double goodput_least = 0.75;
static const double goodput_mean = 0.85;

enum kind { CONNECTION_LIMIT, QUOTA, BURSTS, REPUTATION, GREYLISTING, CHANGES, ACCIDENT, KINDS };
static const char *const kinds[KINDS] = {"connections", "quota",  "bursts",  "reputation",
                                         "greylisting", "changes", "accident"};

enum answer { TAKEN, TOO_FAST, GREYLISTED, ANSWERS };

struct provider {
    enum kind kind;
    unsigned connections, messages; /* at once; on one */
    double rate, burst, tokens;     /* a minute */
    int64_t filled_ms, change_ms;
    unsigned quota, used; /* in a quarter of an hour */
    int64_t renewed_ms;
    unsigned refused;     /* lately, of which it takes so many */
    unsigned bears;
    int64_t closed_ms, accident_ms; /* it takes nothing: until then; from then on */
    double allowed;
};

struct connection {
    enum { NONE, OPENING, BUSY, IDLE } state;
    int64_t done_ms, went_ms;
    unsigned carried;
    int code; /* what it carries; -1: plain mail */
};

struct code {
    int64_t came_ms, next_ms, taken_ms;
    unsigned tries;
    bool under_way, met_closed; /* met_closed: the provider took nothing then */
};

static struct run {
    uint64_t seed, random;
    int64_t now_ms, rtt_ms, limit_ms; /* limit_ms: a limit began to be met */
    struct provider provider;
    struct connection connections[CONNECTIONS];
    struct code codes[CODES_MAX];
    size_t code_count, first_code;
    struct window window;
    struct spacing spacing;
    double goodput;
    unsigned taken, refused, bin_taken, bin_refused;
    int64_t bin_ms, grey[GREY_MAX]; /* when what was greylisted may come again: a ring */
    size_t grey_first, grey_count;
    bool trace, failed;
} run;

static uint64_t draw(uint64_t below)
{
    run.random += 0x9E3779B97F4A7C15U;
    uint64_t x = run.random;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9U;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBU;
    return (x ^ (x >> 31)) % below;
}

static int64_t between(int64_t least, int64_t most)
{
    return least + (int64_t)draw((uint64_t)(most - least + 1));
}

/* Evenly among sizes of ten. */
static double between_sizes(double least, double most)
{
    double at = least;
    for (double part = (double)draw(1000) / 1000; part > 0 && at < most; part -= 0.01)
        at += (at * (most / least - 1)) / (most / least) * 0.05;
    return at > most ? most : at;
}

__attribute__((format(printf, 1, 2))) static void trace(const char *format, ...)
{
    va_list args;
    if (!run.trace)
        return;
    printf("%9.3f ", (double)run.now_ms / 1000);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf(" [level %.1f good %.1f bad %.1f]\n", run.spacing.level, run.spacing.good, run.spacing.bad);
}

/* ---- the provider ---- */

static void provider_init(struct provider *p)
{
    p->kind = (enum kind)(run.seed % KINDS);
    p->connections = p->kind == CONNECTION_LIMIT ? (unsigned)between(2, 8) : CONNECTIONS;
    p->messages = p->kind == CONNECTION_LIMIT ? (unsigned)between(5, 50) : 1000;
    p->rate = between_sizes(40, 1200);
    p->burst = 5 + p->rate * (double)between(5, p->kind == BURSTS ? 120 : 30) / 60; /* so many seconds of it */
    p->tokens = p->burst;
    p->bears = (unsigned)between(40, 100);
    p->quota = p->kind == QUOTA ? (unsigned)between(200, 6000) : NEVER;
    p->change_ms = p->kind == CHANGES ? between(5, 15) * MINUTE_MS : RUN_MS;
    p->accident_ms = p->kind == ACCIDENT ? between(5, 30) * MINUTE_MS : RUN_MS;
    if (p->kind == CONNECTION_LIMIT || p->kind == QUOTA)
        p->rate = p->burst = p->tokens = 1e9;
    p->allowed = p->burst;
    if (p->kind == CONNECTION_LIMIT) /* a connection takes three round trips to open */
        p->allowed = (double)RUN_MS / (double)run.rtt_ms * p->connections * p->messages / (p->messages + 3);
    if (p->kind == QUOTA && p->quota < (unsigned)QUARTER_MS / (unsigned)run.rtt_ms * 8)
        p->allowed = p->quota * (RUN_MS / QUARTER_MS);
}

static bool takes_anything(const struct provider *p)
{
    return p->closed_ms <= run.now_ms && p->used < p->quota;
}

/* A limit has begun to be met, or another one. */
static void note_limit(const char *what)
{
    trace("-- %s", what);
    run.limit_ms = run.now_ms;
}

static void closes(struct provider *p, int64_t for_ms, const char *what)
{
    p->closed_ms = run.now_ms + for_ms;
    note_limit(what);
}

static void provider_moves(struct provider *p)
{
    int64_t for_ms = run.now_ms - p->filled_ms;
    double gained = p->rate * (double)for_ms / (double)MINUTE_MS;
    p->filled_ms = run.now_ms;
    p->tokens = p->tokens + gained > p->burst ? p->burst : p->tokens + gained;
    if (p->kind != CONNECTION_LIMIT && p->kind != QUOTA && p->closed_ms <= run.now_ms)
        p->allowed += gained;
    if (p->renewed_ms + QUARTER_MS <= run.now_ms) {
        p->renewed_ms = run.now_ms;
        p->used = 0;
    }
    if (p->change_ms <= run.now_ms) {
        p->rate = between_sizes(40, 1200);
        p->change_ms = run.now_ms + between(5, 15) * MINUTE_MS;
        trace("-- another rate: %.0f", p->rate);
        run.limit_ms = -1; /* it is met with the first refusal */
    }
    if (p->accident_ms <= run.now_ms) {
        p->accident_ms = NEVER;
        closes(p, between(2, 10) * MINUTE_MS, "an accident");
    }
}

/* Whoever is refused all the time is shut out. */
static enum answer refuses(struct provider *p)
{
    if (run.limit_ms < 0)
        note_limit("the first refusal of this limit");
    if (p->kind == REPUTATION && takes_anything(p) && ++p->refused > p->bears) {
        p->refused = 0;
        closes(p, between(1, 3) * MINUTE_MS, "shut out");
    }
    return TOO_FAST;
}

static enum answer provider_answers(struct provider *p, bool plain, bool again)
{
    if (!takes_anything(p))
        return refuses(p);
    if (p->kind == GREYLISTING && plain && !again && draw(3) == 0)
        return GREYLISTED;
    if (p->tokens < 1)
        return refuses(p);
    p->tokens--;
    if (p->refused > 0 && draw(20) == 0)
        p->refused--;
    if (++p->used == p->quota)
        note_limit("no more in this quarter");
    return TAKEN;
}

/* ---- the sender ---- */

static unsigned count_of(int state)
{
    unsigned count = 0;
    for (size_t i = 0; i < CONNECTIONS; i++)
        count += run.connections[i].state == (unsigned)state;
    return count;
}

static unsigned in_use(void)
{
    return CONNECTIONS - count_of(NONE);
}

static struct code *code_due(void)
{
    for (size_t i = run.first_code; i < run.code_count; i++)
        if (!run.codes[i].taken_ms && !run.codes[i].under_way && run.codes[i].next_ms <= run.now_ms)
            return &run.codes[i];
    return NULL;
}

static bool plain_may_go(void)
{
    return spacing_next_ms(&run.spacing, run.now_ms) <= run.now_ms;
}

/* What goes next on it, if anything does. */
static void give_work(struct connection *c)
{
    struct code *code = code_due();
    c->state = IDLE;
    c->done_ms = run.now_ms + IDLE_MS;
    if (!code && !plain_may_go())
        return;
    c->code = code ? (int)(code - run.codes) : -1;
    if (code)
        code->under_way = true;
    c->state = BUSY;
    c->went_ms = run.now_ms;
    c->done_ms = run.now_ms + between(run.rtt_ms / 2, run.rtt_ms * 3 / 2);
    spacing_goes(&run.spacing, run.now_ms);
}

static void code_done(struct code *code, enum answer answer)
{
    static const int64_t waits[] = {500, 1000, 2000, 30000};
    code->under_way = false;
    if (answer == TAKEN) {
        code->taken_ms = run.now_ms;
        while (run.first_code < run.code_count && run.codes[run.first_code].taken_ms)
            run.first_code++;
        return;
    }
    if (!takes_anything(&run.provider))
        code->met_closed = true;
    code->next_ms = run.now_ms + waits[code->tries < 2 ? code->tries : code->met_closed ? 3 : 2];
    code->tries++;
}

static bool grey_comes_again(void)
{
    if (run.grey_count == 0 || run.grey[run.grey_first] > run.now_ms)
        return false;
    run.grey_first = (run.grey_first + 1) % GREY_MAX;
    run.grey_count--;
    return true;
}

static void grey_waits(void)
{
    CHECK(run.grey_count < GREY_MAX);
    run.grey[(run.grey_first + run.grey_count++) % GREY_MAX] = run.now_ms + GREY_MS;
}

static void message_done(struct connection *c)
{
    bool plain = c->code < 0;
    enum answer answer = provider_answers(&run.provider, plain, plain && grey_comes_again());
    static const char *const words[ANSWERS] = {"taken", "too fast", "greylisted"};
    if (answer == TAKEN) {
        run.taken++;
        run.bin_taken++;
        spacing_taken(&run.spacing, c->went_ms, run.now_ms);
        window_succeeded(&run.window, in_use(), run.now_ms);
    } else if (answer == TOO_FAST) {
        run.refused++;
        run.bin_refused += plain;
        spacing_refused(&run.spacing, c->went_ms, run.now_ms);
    } else {
        grey_waits();
    }
    spacing_check(&run.spacing);
    trace("%s %s", plain ? "plain" : "code", words[answer]);
    if (!plain)
        code_done(&run.codes[c->code], answer);
    c->carried++;
    if (c->carried >= run.provider.messages)
        *c = (struct connection){0};
    else
        give_work(c);
}

static void opened(struct connection *c)
{
    unsigned working = count_of(BUSY) + count_of(IDLE);
    if (working < run.provider.connections) {
        (void)window_greeted(&run.window);
        give_work(c);
        return;
    }
    *c = (struct connection){0};
    if (run.limit_ms < 0)
        note_limit("the first refusal");
    run.bin_refused++;
    window_refused(&run.window, working, run.now_ms);
}

static void event(struct connection *c)
{
    if (c->state == OPENING)
        opened(c);
    else if (c->state == BUSY)
        message_done(c);
    else
        *c = (struct connection){0};
}

/* Idle connections first, then new ones, as the window allows; a code may have one more. */
/* As in policy/queue/limits.c: few open until one works. */
static bool is_being_tried(void)
{
    return count_of(BUSY) + count_of(IDLE) == 0 && count_of(OPENING) > 1;
}

static void use_connections(void)
{
    for (size_t i = 0; i < CONNECTIONS && (code_due() || plain_may_go()); i++)
        if (run.connections[i].state == IDLE)
            give_work(&run.connections[i]);
    for (size_t i = 0; i < CONNECTIONS; i++) {
        unsigned most = window_size(&run.window) + (code_due() ? 1 : 0);
        if (run.connections[i].state != NONE || in_use() >= most || is_being_tried() ||
            !(code_due() || plain_may_go()))
            continue;
        run.connections[i] = (struct connection){.state = OPENING, .done_ms = run.now_ms + 3 * run.rtt_ms};
    }
}

/* ---- a run ---- */

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t next_ms(int64_t code_ms)
{
    int64_t at_ms = earlier(earlier(code_ms, run.bin_ms + BIN_MS), run.provider.change_ms);
    at_ms = earlier(at_ms, run.provider.accident_ms);
    for (size_t i = 0; i < CONNECTIONS; i++)
        if (run.connections[i].state != NONE)
            at_ms = earlier(at_ms, run.connections[i].done_ms);
    for (size_t i = run.first_code; i < run.code_count; i++)
        if (!run.codes[i].taken_ms && run.codes[i].next_ms > run.now_ms)
            at_ms = earlier(at_ms, run.codes[i].next_ms);
    int64_t spaced_ms = spacing_next_ms(&run.spacing, run.now_ms);
    if (spaced_ms > run.now_ms)
        at_ms = earlier(at_ms, spaced_ms);
    return at_ms > run.now_ms ? at_ms : run.now_ms + 1;
}

static void fails(const char *what, double is, double bound)
{
    if (run.failed)
        return;
    run.failed = true;
    printf("seed %llu (%s): %s: %.2f, bound %.2f\n", (unsigned long long)run.seed,
           kinds[run.provider.kind], what, is, bound);
}

static void end_bin(void)
{
    if (run.now_ms < run.bin_ms + BIN_MS)
        return;
    double most = run.bin_taken / (double)VIOLATIONS_PART;
    most = most > (double)VIOLATIONS ? most : (double)VIOLATIONS;
    trace("-- %u taken, %u refused in half a minute", run.bin_taken, run.bin_refused);
    if (run.limit_ms >= 0 && run.limit_ms + BIN_MS <= run.bin_ms && run.bin_refused > most)
        fails("violations go on", run.bin_refused, most);
    run.bin_ms = run.now_ms;
    run.bin_taken = run.bin_refused = 0;
}

static void judge(void)
{
    unsigned late = 0;
    for (size_t i = 0; i < run.code_count; i++) {
        const struct code *code = &run.codes[i];
        int64_t until_ms = code->taken_ms ? code->taken_ms : run.now_ms;
        late += until_ms - code->came_ms > CODE_MS && !code->met_closed;
    }
    if (late * 100 > run.code_count + 99)
        fails("codes are late", late, (double)run.code_count / 100);
    double capacity = (double)RUN_MS / (double)run.rtt_ms * (double)CONNECTIONS_MOST * 0.7;
    double allowed = run.provider.allowed < capacity ? run.provider.allowed : capacity;
    run.goodput = run.taken < allowed ? run.taken / allowed : 1;
    if (run.goodput < goodput_least)
        fails("goodput", run.goodput, goodput_least);
}

/* False: something did not hold. */
static bool play(uint64_t seed, bool traced)
{
    memset(&run, 0, sizeof(run));
    run.seed = run.random = seed;
    run.trace = traced;
    run.limit_ms = -1;
    run.rtt_ms = between(150, 600);
    provider_init(&run.provider);
    window_init(&run.window, run.provider.kind == CONNECTION_LIMIT ? 20 : CONNECTIONS_MOST);
    int64_t code_ms = between(1, 20000);
    while (run.now_ms < RUN_MS && !run.failed) {
        run.now_ms = next_ms(code_ms);
        provider_moves(&run.provider);
        if (code_ms <= run.now_ms && run.code_count < CODES_MAX) {
            run.codes[run.code_count++] = (struct code){.came_ms = run.now_ms, .next_ms = run.now_ms};
            code_ms = run.now_ms + between(1, 20000);
        }
        for (size_t i = 0; i < CONNECTIONS; i++)
            if (run.connections[i].state != NONE && run.connections[i].done_ms <= run.now_ms)
                event(&run.connections[i]);
        use_connections();
        end_bin();
    }
    if (!run.failed)
        judge();
    return !run.failed;
}

static void usage(void)
{
    fputs("usage: providers [--seed N] [--runs N] [--least GOODPUT] [--trace]\n", stderr);
    exit(2);
}

/* False: of a kind too little. */
static bool means_hold(const double sums[KINDS], const unsigned counts[KINDS])
{
    bool hold = true;
    for (size_t i = 0; i < KINDS; i++) {
        double mean = counts[i] > 0 ? sums[i] / counts[i] : 1;
        printf("%-12s %u runs, goodput %.3f\n", kinds[i], counts[i], mean);
        hold = hold && (mean >= goodput_mean || counts[i] < RUNS_TO_MEAN);
    }
    return hold;
}

int main(int argc, char **argv)
{
    uint64_t seed = 1;
    uint64_t runs = 1;
    bool traced = false;
    double sums[KINDS] = {0};
    unsigned counts[KINDS] = {0};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--trace") == 0)
            traced = true;
        else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc)
            seed = strtoull(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--runs") == 0 && i + 1 < argc)
            runs = strtoull(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--least") == 0 && i + 1 < argc)
            goodput_least = strtod(argv[++i], NULL);
        else
            usage();
    }
    for (uint64_t i = 0; i < runs; i++) {
        if (!play(seed + i, traced)) {
            if (!traced)
                (void)!play(seed + i, true);
            return 1;
        }
        sums[run.provider.kind] += run.goodput;
        counts[run.provider.kind]++;
    }
    return means_hold(sums, counts) ? 0 : 1;
}
