// SPDX-License-Identifier: BSD-2-Clause
/* events.c - The simulation's time: what happens when, and what is said of it. */
#include "simulation.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void trace(const char *format, ...)
{
    va_list arguments;
    if (!tracing)
        return;
    printf("%9.3f  ", (double)sim.now_ms / 1000);
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    printf("\n");
}

_Noreturn void fail(const char *format, ...)
{
    va_list arguments;
    printf("seed %llu, at %.3f s: ", (unsigned long long)sim.world.seed,
           (double)sim.now_ms / 1000);
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    printf("\n");
    longjmp(over, 1);
}

/* ---- events ---- */

static bool sooner(const struct event *a, const struct event *b)
{
    return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->order < b->order;
}

void later(int64_t in_ms, struct event e)
{
    e.at_ms = sim.now_ms + in_ms;
    e.order = ++sim.order;
    if (sim.event_count == sim.event_size) {
        sim.event_size = sim.event_size ? sim.event_size * 2 : 1024;
        sim.events = xgrow(sim.events, sim.event_size, sizeof(*sim.events));
    }
    size_t i = sim.event_count++;
    for (; i > 0 && sooner(&e, &sim.events[(i - 1) / 2]); i = (i - 1) / 2)
        sim.events[i] = sim.events[(i - 1) / 2];
    sim.events[i] = e;
}

struct event next_event(void)
{
    struct event first = sim.events[0];
    struct event last = sim.events[--sim.event_count];
    size_t i = 0;
    for (size_t child = 1; child < sim.event_count; child = 2 * i + 1) {
        if (child + 1 < sim.event_count && sooner(&sim.events[child + 1], &sim.events[child]))
            child++;
        if (!sooner(&sim.events[child], &last))
            break;
        sim.events[i] = sim.events[child];
        i = child;
    }
    sim.events[i] = last;
    return first;
}

int64_t travel(void)
{
    return (int64_t)world_random(&sim.world, TRAVEL_MS + 1);
}
