// SPDX-License-Identifier: BSD-2-Clause
/* preflight.h - Is all there that the settings name? See engine_check(). */
#ifndef PREFLIGHT_H
#define PREFLIGHT_H

#include "engine.h"

bool preflight_makes_links(const struct config *c);
/* Of what is used later only. */
MUST_CHECK bool preflight_anchor(const struct config *c, struct err *err);
MUST_CHECK bool preflight_command(const struct config *c, struct err *err);

#endif
