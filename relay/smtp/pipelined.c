// SPDX-License-Identifier: BSD-2-Clause
/* pipelined.c - What a client has sent ahead (RFC 2920), looked at before its turn comes, so that
 * what has to be asked about it is asked in one go. It is answered when its turn comes. */
#include "submission.h"

#include "grammar.h"

bool submission_next_rcpt(const struct submission *s, size_t *at, struct span *address_r)
{
    struct grammar_rcpt rcpt;
    struct span in = span_from(buf_span(&s->in), *at);
    size_t end = span_search(in, SPAN("\r\n"));
    struct span line = span_first(in, end);
    if (end == in.len || !span_starts_nocase(line, SPAN("RCPT ")) ||
        grammar_rcpt(span_from(line, 5), s->envelope.smtputf8, &rcpt) != GRAMMAR_OK)
        return false;
    *at += end + 2;
    *address_r = rcpt.address;
    return true;
}
