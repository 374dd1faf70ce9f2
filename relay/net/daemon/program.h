// SPDX-License-Identifier: BSD-2-Clause
/* program.h - A program that the helper runs for the main loop, with its input and its output. */
#ifndef PROGRAM_H
#define PROGRAM_H

#include "buf.h"
#include "helper.h"

#include <uv.h>

struct program;

/* `why`: NULL when it was done, else a line for a person, borrowed. It is freed afterwards. */
typedef void program_on_done(void *context, const char *why);

/* See helper_run(). The memory of `input` moves along. `done` is called once, and never from
 * inside. */
struct program *program_start(uv_loop_t *loop, int helper, enum helper_program program,
                              const char *argument, int file, struct buf *input,
                              program_on_done *done, void *context);
/* End it early; `done` is still called. */
void program_kill(struct program *p);

#endif
