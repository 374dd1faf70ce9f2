// SPDX-License-Identifier: BSD-2-Clause
/* dns_stage.h - DNS questions that end in the test, in libunbound's place; timers run faster, and the steady clock stands
 * still until the test lets time pass. */
#ifndef DNS_STAGE_H
#define DNS_STAGE_H

#include "table.h"

#include "dns_query.h"

/* `faster`: so many times timers run. */
void dns_stage_begin(unsigned faster);
/* From now on what is left goes on until dns_stage_end_left(), which tells how many those were. */
void dns_stage_go_on_with_left(void);
size_t dns_stage_end_left(void);
/* So many questions were asked so far. */
size_t dns_stage_asked(void);
/* Those that go past the caches and are open. */
size_t dns_stage_open_fresh(void);
/* Was this name asked for? */
bool dns_stage_was_asked(const char *name);
/* The first that is open ends so. False: none is. Takes the answer. */
bool dns_stage_answer(struct dns_answer *answer);
bool dns_stage_answer_name(const char *name, struct dns_answer *answer);
/* So much time of the steady clock passes at once, and then the loop runs for a moment. */
void dns_stage_pass(uv_loop_t *loop, int64_t ms);

#endif
