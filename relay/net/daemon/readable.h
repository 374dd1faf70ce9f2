// SPDX-License-Identifier: BSD-2-Clause
/* readable.h - Files that a reload must be able to read: the secret ones by the opener, and the
 * directories in which Landlock lets the relay read itself. */
#ifndef READABLE_H
#define READABLE_H

#include "config.h"
#include "opener.h"

struct readable {
    struct opener_files secret;
    const char **paths;  /* of the config; the first are the secret ones */
    const char **places; /* files, beside which one may read, and directories */
    size_t path_count, place_count;
    char **own; /* directories of patterns */
    size_t own_count;
};

/* `c` is borrowed until readable_fini(). */
void readable_init(struct readable *r, const struct config *c);
void readable_fini(struct readable *r);

#endif
