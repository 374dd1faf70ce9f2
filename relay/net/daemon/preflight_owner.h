// SPDX-License-Identifier: BSD-2-Clause
/* preflight_owner.h - Checks by root of what the relay may do, which becomes another account. */
#ifndef PREFLIGHT_OWNER_H
#define PREFLIGHT_OWNER_H

#include "config.h"

#include <sys/stat.h>

/* Root may use all; the relay, which becomes the owner of the state directory and keeps no
 * capability (sandbox_become_owner()), may not. May it, with `part` ("", "/lock" …) of that: R_OK,
 * W_OK, X_OK; 0: what is usual of a directory, or a file? What more than the mode decides on is
 * left to it, as is what is not there. */
MUST_CHECK bool preflight_owner_may(const struct config *c, const char *part, unsigned need,
                                    const struct stat *owner, struct err *err);
/* May an account pass the directories that lead to the state directory? The first that it may not
 * is named. */
MUST_CHECK bool preflight_owner_passes(const struct config *c, const struct stat *owner,
                                       struct err *err);
/* May it use a file that a setting names, and pass the directories that lead to it? `need` is as
 * above, and not 0. True when it is not root that asks: then access(2) knows. */
MUST_CHECK bool preflight_owner_uses(const struct config *c, const char *setting, const char *path,
                                     unsigned need, struct err *err);
/* Can others of this machine put files into the state directory, or take them away? Then `err` says
 * so. */
MUST_CHECK bool preflight_owner_alone(const struct config *c, struct err *err);

#endif
