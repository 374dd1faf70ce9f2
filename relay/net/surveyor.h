// SPDX-License-Identifier: BSD-2-Clause
/* surveyor.h - Makes a survey on a loop. */
#ifndef SURVEYOR_H
#define SURVEYOR_H

#include "survey.h"

#include <uv.h>

struct surveyor;

/* `config` and the names are borrowed. `changed` is called, from the loop, when there is something
 * new: then surveyor_look() again. */
MUST_CHECK bool surveyor_new(uv_loop_t *loop, const struct config *config, const char *const *names,
                             size_t count, void (*changed)(void *context), void *context,
                             struct surveyor **surveyor_r, struct err *err);
/* Not from inside `changed`. The loop must run once more. */
void surveyor_free(struct surveyor *s);

/* NULL while the servers are being found; borrowed. */
const struct survey *surveyor_look(struct surveyor *s);

#endif
