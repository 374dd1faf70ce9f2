// SPDX-License-Identifier: BSD-2-Clause
/* simulation.c - The core of the queue in worlds that go wrong, hours in milliseconds.
 *
 * usage: simulation [--seed N] [--runs N] [--trace]
 *
 * Each run draws a world from its seed and plays it in virtual time; shell.c plays the shell's part,
 * with the delay that a decision has on its way to a shard. Checked at each step: capacity, the
 * reserve, the limits of destinations, providers and addresses, that a connection carries only what
 * it was opened for, that nobody is under way twice, that security mail is next. At the end: that
 * everybody's story has ended in time, and that mail to healthy sites had not to wait longer than
 * world.c's bound; in a quarter of the worlds beside servers at which a tenant's messages get stuck,
 * before the final dot or after it; in some beside a tenant with thousands of domains, whose mail makes nobody forget what has
 * been learned, or with a flood of codes at another destination of the same machine. The first run that fails is played again with its trace, and ends the program.
 */
#include "simulation.h"

#include "shares.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct simulation sim;
bool tracing;
jmp_buf over;

/* ---- what happens ---- */

static void add(struct recipient *r)
{
    char tenant[16];
    snprintf(tenant, sizeof(tenant), "t%zu", r->tenant);
    struct queue_entry e = {.message = r->message,
                            .number = r->number,
                            .class = r->class,
                            .tenant = tenant,
                            .domain = sim.world.domains[r->domain].name,
                            .due_ms = r->due_ms,
                            .expires_ms = r->expires_ms};
    r->added = true;
    r->back_ms = sim.now_ms;
    queue_add(sim.queue, &e, 1, sim.now_ms);
}

static void on_names(size_t at)
{
    const struct name *d = &sim.world.domains[at];
    const struct site *s = &sim.world.sites[d->site];
    const char *hosts[HOSTS_OF_SITE];
    if (d->kind != NAMES_GOOD) {
        const struct queue_no_answer none = {
            .result = d->kind == NAMES_GONE ? 2 : 1, .text = "DNS gave no answer", .retry_ms = 5000};
        queue_unresolvable(sim.queue, d->name, &none, sim.now_ms);
        return;
    }
    for (size_t i = 0; i < s->host_count; i++)
        hosts[i] = s->hosts[s->host_count - 1 - i].name;
    struct queue_answer answer = {.hosts = hosts,
                                  .host_count = s->host_count,
                                  .port = s->port,
                                  .route = s->route,
                                  .trust = sim.trust,
                                  .connections = s->connections,
                                  .valid_ms = 1000 + (int64_t)world_random(&sim.world, 60000)};
    sim.trust_of[at] = sim.trust;
    queue_resolved(sim.queue, d->name, &answer, sim.now_ms);
}

static void on_settled(const struct queue_attempt *a, bool gone, bool part)
{
    int64_t due_ms[QUEUE_RECIPIENTS_MAX] = {0};
    for (size_t i = 0; i < a->count; i++) {
        struct recipient *r = recipient_of(a->message, a->numbers[i]);
        HOLDS(r->state == RECIPIENT_UNDER_WAY, "%lld/%u comes back from nowhere",
              (long long)a->message, a->numbers[i]);
        if (part && i > 0) {
            r->state = RECIPIENT_WAITS;
            r->due_ms = due_ms[i] = sim.now_ms;
            continue;
        }
        r->tries++;
        if (gone || sim.now_ms >= r->expires_ms) {
            r->state = RECIPIENT_OVER;
            continue;
        }
        r->state = RECIPIENT_WAITS;
        r->due_ms = sim.now_ms + (int64_t)world_random(&sim.world, 60 * 1000);
        if (r->due_ms > r->expires_ms)
            r->due_ms = r->expires_ms;
        due_ms[i] = r->due_ms;
    }
    trace("settled %lld", (long long)a->message);
    queue_settled(sim.queue, a, due_ms, sim.now_ms);
}

/* Somebody says "retry": what waits is due now. What is under way is left alone. */
static void on_retry(void)
{
    for (size_t i = 0; i < sim.world.recipient_count; i++) {
        struct recipient *r = &sim.world.recipients[i];
        if (!r->added || r->state != RECIPIENT_WAITS || world_random(&sim.world, 2) == 0)
            continue;
        if (r->due_ms > sim.now_ms)
            r->due_ms = sim.now_ms;
        add(r);
    }
    queue_resume(sim.queue, NULL, sim.now_ms);
    trace("retry by a person");
}

/* Names that fill what the queue keeps of names and destinations. */
static void on_many(void)
{
    char name[40];
    for (int64_t i = 0; i < MANY; i++) {
        snprintf(name, sizeof(name), "many%d.example", (int)i);
        struct queue_entry e = {.message = MANY_FIRST + i,
                                .class = STREAM_DIGEST,
                                .tenant = "many",
                                .domain = name,
                                .due_ms = sim.now_ms,
                                .expires_ms = sim.now_ms + 60 * 1000};
        queue_add(sim.queue, &e, 1, sim.now_ms);
    }
    trace("one more tenant has mail for thousands of domains");
}

static void on_connection(const struct event *e)
{
    struct connection *c = connection_of(e->connection);
    bool told = e->kind == EVENT_CLOSE && e->what == SIZE_MAX;
    if (!c || (!told && (e->what & 0xff) != (c->steps & 0xff)))
        return;
    if (told || e->kind == EVENT_CLOSE)
        closes(c);
    else if (e->kind == EVENT_OPEN || e->kind == EVENT_TRY)
        tries(c);
    else if (e->kind == EVENT_FAILED)
        address_fails(c, e->what >> 8 == 1);
    else if (e->kind == EVENT_PROBES)
        probes_on(c);
    else if (e->kind == EVENT_GREETED)
        greeted(c);
    else if (e->kind == EVENT_SPOKEN)
        spoken(c);
    else if (e->kind == EVENT_STUCK)
        ends(c, QUEUE_FAIL_LOST, "timed out");
    else if (e->kind == EVENT_SEND && world_random(&sim.world, 100) < sim.world.stale)
        ends(c, QUEUE_FAIL_STALE, "it was dead");
    else if (e->kind == EVENT_SEND)
        speaks(c);
}

static void on_event(const struct event *e)
{
    switch (e->kind) {
    case EVENT_COMES:
        add(&sim.world.recipients[e->what]);
        break;
    case EVENT_RETRY:
        on_retry();
        break;
    case EVENT_NAMES:
        on_names(e->what);
        break;
    case EVENT_PROBED:
        probe_ends(e->what);
        break;
    case EVENT_SETTLED:
        on_settled(e->attempt, e->gone, e->part);
        break;
    case EVENT_MANY:
        on_many();
        break;
    case EVENT_PAUSE:
    case EVENT_GO_ON:
        trace("%s", e->kind == EVENT_PAUSE ? "the store cannot commit" : "the store goes on");
        sim.paused = e->kind == EVENT_PAUSE;
        queue_pause(sim.queue, sim.paused, sim.now_ms);
        break;
    case EVENT_RELOAD:
        trace("reload");
        sim.trust++;
        queue_forget_answers(sim.queue, NULL, sim.now_ms);
        break;
    case EVENT_OPEN:
    case EVENT_SEND:
    case EVENT_CLOSE:
    case EVENT_TRY:
    case EVENT_FAILED:
    case EVENT_PROBES:
    case EVENT_GREETED:
    case EVENT_SPOKEN:
    case EVENT_STUCK:
        on_connection(e);
        break;
    }
}

/* ---- a run ---- */

static int64_t begin(uint64_t seed)
{
    int64_t end_ms = 0;
    free(sim.events);
    sim = (struct simulation){.trust = 1, .urgent_ms = NEVER_MS};
    world_make(&sim.world, seed);
    struct world *w = &sim.world;
    sim.queue = queue_new(&w->settings, 0);
    for (size_t i = 0; i < w->recipient_count; i++) {
        const struct recipient *r = &w->recipients[i];
        if (r->number == 0)
            sim.first_of_message[r->message] = i;
        later(r->comes_ms, (struct event){.kind = EVENT_COMES, .what = i});
        end_ms = r->expires_ms > end_ms ? r->expires_ms : end_ms;
    }
    if (w->paused_until_ms > 0) {
        later(w->paused_from_ms, (struct event){.kind = EVENT_PAUSE});
        later(w->paused_until_ms, (struct event){.kind = EVENT_GO_ON});
    }
    end_ms = w->many_ms > end_ms ? w->many_ms : end_ms;
    if (w->many_ms >= 0)
        later(w->many_ms, (struct event){.kind = EVENT_MANY});
    if (w->reload_ms >= 0)
        later(w->reload_ms, (struct event){.kind = EVENT_RELOAD});
    if (seed % 3 == 0)
        later((int64_t)world_random(w, 300000), (struct event){.kind = EVENT_RETRY});
    return end_ms;
}

static void check_end(void)
{
    const struct world *w = &sim.world;
    struct queue_counts n;
    for (size_t i = 0; i < w->recipient_count; i++)
        HOLDS(w->recipients[i].state == RECIPIENT_OVER, "%lld/%u (class %d, %s) is lost: state %d",
              (long long)w->recipients[i].message, w->recipients[i].number,
              (int)w->recipients[i].class, w->domains[w->recipients[i].domain].name,
              (int)w->recipients[i].state);
    queue_count(sim.queue, &n, sim.now_ms);
    HOLDS(n.waiting + n.ready + n.under_way + n.attempts + n.settling + n.resolving == 0,
          "something is left in the queue");
    HOLDS(n.connections == 0, "%zu connections are left", n.connections);
    queue_forget_answers(sim.queue, NULL, sim.now_ms); /* for which tenants paid */
    queue_count(sim.queue, &n, sim.now_ms);
    size_t known = w->turns_away > 0; /* the first one, at receivers that have turned it away */
    HOLDS(n.tenants <= known, "%zu tenants are left", n.tenants);
    check_known();
}

static void play(uint64_t seed)
{
    int64_t end_ms = begin(seed) + 120 * 1000;
    if (sim.world.stuck != STUCK_NONE)
        end_ms += MUTE_MS;
    uint64_t idle_rounds = 0;
    while (sim.now_ms <= end_ms) {
        int64_t wake_ms = queue_wake_ms(sim.queue);
        int64_t event_ms = sim.event_count > 0 ? sim.events[0].at_ms : INT64_MAX;
        if (wake_ms == INT64_MAX && event_ms == INT64_MAX)
            break;
        uint64_t decisions = sim.decisions;
        int64_t before_ms = sim.now_ms;
        if (wake_ms < event_ms) {
            sim.now_ms = wake_ms > sim.now_ms ? wake_ms : sim.now_ms;
        } else {
            struct event e = next_event();
            sim.now_ms = e.at_ms;
            on_event(&e);
            decisions = UINT64_MAX;
        }
        decide_all();
        bool idle = sim.now_ms == before_ms && decisions == sim.decisions;
        idle_rounds = idle ? idle_rounds + 1 : 0;
        HOLDS(idle_rounds < 100, "it wakes again and again, and does nothing");
    }
    check_end();
}

/* A broken CHECK of ours: say which run it was. */
static void on_abort(int number)
{
    char text[80];
    int len = snprintf(text, sizeof(text), "seed %llu aborts\n",
                       (unsigned long long)sim.world.seed);
    if (write(1, text, (size_t)len) < 0)
        _exit(2);
    signal(number, SIG_DFL);
}

static bool run(uint64_t seed)
{
    bool ok = setjmp(over) == 0;
    if (ok)
        play(seed);
    queue_free(sim.queue);
    sim.queue = NULL;
    return ok;
}

int main(int argc, char **argv)
{
    uint64_t seed = 1;
    uint64_t runs = 2000;
    uint64_t decisions = 0;
    struct timespec began;
    struct timespec now;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--trace") == 0)
            tracing = true;
        else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc)
            seed = strtoull(argv[++i], NULL, 10), runs = 1;
        else if (strcmp(argv[i], "--runs") == 0 && i + 1 < argc)
            runs = strtoull(argv[++i], NULL, 10);
        else
            return printf("usage: simulation [--seed N] [--runs N] [--trace]\n"), 2;
    }
    signal(SIGABRT, on_abort);
    clock_gettime(CLOCK_MONOTONIC, &began);
    for (uint64_t i = 0; i < runs; i++) {
        if (!run(seed + i)) {
            bool traced = tracing;
            tracing = true;
            if (!traced)
                run(seed + i);
            return 1;
        }
        decisions += sim.decisions;
        if (sim.decisions > 20000)
            printf("seed %llu: %llu decisions\n", (unsigned long long)(seed + i), (unsigned long long)sim.decisions);
        if (i % 500 == 499 || i + 1 == runs) {
            clock_gettime(CLOCK_MONOTONIC, &now);
            printf("%llu runs, %llu decisions, %ld s\n", (unsigned long long)(i + 1),
                   (unsigned long long)decisions, (long)(now.tv_sec - began.tv_sec));
            fflush(stdout);
        }
    }
    free(sim.events);
    return 0;
}
