// SPDX-License-Identifier: BSD-2-Clause
/* readable.h - Which files a reload must find, and where they lie: the opener is about the secret
 * ones, Landlock lets the relay itself read below the places. */
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
