// SPDX-License-Identifier: BSD-2-Clause
/* trace.c - Chosen peers are looked up when a connection begins; other connections cost one
 * comparison. */
#include "trace.h"

#include "log.h"

static const char *chosen; /* set before there are threads */

void trace_choose(const char *names)
{
    chosen = names;
}

const char *trace_chosen(void)
{
    return chosen;
}

bool trace_is_chosen(const char *name)
{
    if (!chosen || name[0] == '\0')
        return false;
    struct span names = span_of(chosen);
    while (names.len > 0) {
        struct span one = span_trim(span_take(&names, ','));
        if (span_equal_nocase(one, SPAN("all")) || span_equal_nocase(one, span_of(name)))
            return true;
    }
    return false;
}

void trace_say(const char *host, const char *peer, uint64_t number, enum trace_side side,
               struct span text)
{
    while (text.len > 0) {
        struct span said = span_trim(span_take(&text, '\n'));
        struct log_line *line = log_begin(LOG_INFO, "trace");
        if (host)
            line = log_text(line, "mx", host);
        line = log_number(log_text(line, "peer", peer), "session", (int64_t)number);
        log_end(log_span(line, side == TRACE_CLIENT ? "c" : "s", said));
    }
}
