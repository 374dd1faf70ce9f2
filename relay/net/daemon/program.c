// SPDX-License-Identifier: BSD-2-Clause
/* program.c - Runs a program by the helper. The program reads its input from a socket, and writes
 * to it what went wrong (exchange.h). */
#include "program.h"

#include "exchange.h"
#include "helper.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

enum { TIMEOUT_MS = 35 * 1000, SAID_MAX = 64 * 1024 };

struct program {
    struct exchange *exchange;
    struct err fault; /* it was not run */
    char why[80];     /* of one that said nothing */
    program_on_done *done;
    void *context;
};

/* "the program failed (exit 3)": the last line has how it ended, as wait(2) says it. */
static const char *ended(struct program *p, struct span came)
{
    struct span last = SPAN_NONE;
    struct span word = SPAN("exit ");
    uint64_t status = 0;
    while (came.len > 0)
        last = span_take(&came, '\n');
    snprintf(p->why, sizeof(p->why), "the program failed");
    if (!span_starts_nocase(last, word) || !span_number(span_from(last, word.len), &status))
        return p->why;
    if (WIFEXITED((int)status))
        snprintf(p->why, sizeof(p->why), "the program failed (exit %d)", WEXITSTATUS((int)status));
    else
        snprintf(p->why, sizeof(p->why), "the program failed (signal %d)", WTERMSIG((int)status));
    return p->why;
}

/* The first line of what it said, unless it ended well. */
static const char *judge(struct program *p, struct buf *came)
{
    static const char well[] = "\nexit 0\n";
    char *said = (char *)(uintptr_t)buf_text(came);
    if (span_ends_nocase(buf_span(came), SPAN(well)))
        return NULL;
    size_t first = strcspn(said, "\r\n");
    if (first == 0)
        return ended(p, buf_span(came));
    said[first] = '\0';
    return said;
}

static void on_done(void *context, struct buf *came, bool late)
{
    struct program *p = context;
    (void)late; /* then it did not end well */
    p->done(p->context, p->fault.kind != ERR_NONE ? p->fault.text : judge(p, came));
    free(p);
}

void program_kill(struct program *p)
{
    exchange_kill(p->exchange);
}

struct program *program_start(uv_loop_t *loop, int helper, enum helper_program program,
                              const char *argument, int file, struct buf *input,
                              program_on_done *done, void *context)
{
    struct program *p = xcalloc(1, sizeof(*p));
    struct exchange_terms terms = {
        .stream = -1, .said = input, .most = SAID_MAX, .timeout_ms = TIMEOUT_MS};
    p->done = done;
    p->context = context;
    if (!helper_run(helper, program, argument, file, &terms.stream, &p->fault))
        terms.stream = -1;
    p->exchange = exchange_start(loop, &terms, on_done, p);
    return p;
}
