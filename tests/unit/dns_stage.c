// SPDX-License-Identifier: BSD-2-Clause
/* dns_stage.c - DNS questions that end in the test. */
#include "dns_stage.h"

#include <stdlib.h>

enum { QUESTIONS_MAX = 1024, NAME_ROOM = 300, MOMENT_NS = 60 * 1000000, TURNS_LEAST = 1000 };

struct dns_queries {
    bool fresh;
};

struct dns_query {
    const struct dns_queries *of;
    dns_query_on_answer *done;
    void *context;
    char name[NAME_ROOM];
    bool open;
    dns_query_on_end *ended; /* it was left, and has not ended */
    struct party_turn *turn;
};

static struct dns_query questions[QUESTIONS_MAX];
static size_t asked;
static int64_t now_ms;
static unsigned timers_faster;
static bool left_goes_on;

int64_t __wrap_clock_steady_ms(void);
int __real_uv_timer_start(uv_timer_t *timer, uv_timer_cb run, uint64_t after_ms, uint64_t repeat_ms);
int __wrap_uv_timer_start(uv_timer_t *timer, uv_timer_cb run, uint64_t after_ms, uint64_t repeat_ms);

int64_t __wrap_clock_steady_ms(void)
{
    return now_ms;
}

int __wrap_uv_timer_start(uv_timer_t *timer, uv_timer_cb run, uint64_t after_ms, uint64_t repeat_ms)
{
    return __real_uv_timer_start(timer, run, after_ms / timers_faster, repeat_ms / timers_faster);
}

unsigned dns_queries_most(const struct config *config, const struct dns_queries_stub *stub)
{
    return stub ? stub->queries : config->queries;
}

bool dns_queries_new(uv_loop_t *loop, const struct config *config, const struct dns_queries_stub *stub,
                     struct dns_queries **dns_queries_r, struct err *err)
{
    (void)loop, (void)config, (void)stub, (void)err;
    *dns_queries_r = xcalloc(1, sizeof(**dns_queries_r));
    return true;
}

bool dns_queries_fresh(uv_loop_t *loop, const struct config *config, struct dns_queries **dns_queries_r, struct err *err)
{
    bool ok = dns_queries_new(loop, config, NULL, dns_queries_r, err);
    (*dns_queries_r)->fresh = true;
    return ok;
}

static void end_left(struct dns_query *q);

void dns_queries_charge(const struct dns_queries *l, struct party_turns *t)
{
    (void)l;
    (void)t;
}

void dns_queries_free(struct dns_queries *l)
{
    for (size_t i = 0; i < asked; i++)
        if (questions[i].ended && questions[i].of == l)
            end_left(&questions[i]);
    free(l);
}

struct dns_query *dns_query_start(struct dns_queries *l, const char *name, enum dns_type type, dns_query_on_answer *done,
                                  void *context)
{
    (void)type;
    CHECK(asked < QUESTIONS_MAX);
    struct dns_query *q = &questions[asked++];
    *q = (struct dns_query){.of = l, .done = done, .context = context, .open = true};
    snprintf(q->name, sizeof(q->name), "%s", name);
    return q;
}

static void end_left(struct dns_query *q)
{
    dns_query_on_end *ended = q->ended;
    q->ended = NULL;
    ended(q->context, q->turn);
}

void dns_query_leave(struct dns_query *q, struct party_turn *turn, dns_query_on_end *ended, void *context)
{
    q->open = false;
    q->ended = ended;
    q->turn = turn;
    q->context = context;
    if (!left_goes_on)
        end_left(q);
}

/* ---- the test's ---- */

void dns_stage_begin(unsigned faster)
{
    timers_faster = faster;
    left_goes_on = false;
    asked = 0;
    now_ms = 1000000;
}

void dns_stage_go_on_with_left(void)
{
    left_goes_on = true;
}

size_t dns_stage_end_left(void)
{
    size_t count = 0;
    for (size_t i = 0; i < asked; i++) {
        if (!questions[i].ended)
            continue;
        end_left(&questions[i]);
        count++;
    }
    return count;
}

size_t dns_stage_asked(void)
{
    return asked;
}

size_t dns_stage_open_fresh(void)
{
    size_t count = 0;
    for (size_t i = 0; i < asked; i++)
        count += questions[i].open && questions[i].of->fresh;
    return count;
}

static struct dns_query *find_open(const char *name_or_null)
{
    for (size_t i = 0; i < asked; i++)
        if (questions[i].open && (!name_or_null || strcmp(questions[i].name, name_or_null) == 0))
            return &questions[i];
    return NULL;
}

bool dns_stage_was_asked(const char *name)
{
    for (size_t i = 0; i < asked; i++)
        if (strcmp(questions[i].name, name) == 0)
            return true;
    return false;
}

static bool end(struct dns_query *q, struct dns_answer *answer)
{
    if (!q) {
        dns_answer_free(answer);
        return false;
    }
    q->open = false;
    q->done(q->context, answer);
    return true;
}

bool dns_stage_answer(struct dns_answer *answer)
{
    return end(find_open(NULL), answer);
}

bool dns_stage_answer_name(const char *name, struct dns_answer *answer)
{
    return end(find_open(name), answer);
}

void dns_stage_pass(uv_loop_t *loop, int64_t ms)
{
    now_ms += ms;
    uint64_t until = uv_hrtime() + MOMENT_NS;
    for (int turns = 0; turns < TURNS_LEAST || uv_hrtime() < until; turns++)
        uv_run(loop, UV_RUN_NOWAIT);
}
