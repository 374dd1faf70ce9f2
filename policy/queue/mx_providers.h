// SPDX-License-Identifier: BSD-2-Clause
/* mx_providers.h - Whose hosts these are: providers by the names of their MX hosts. */
#ifndef MX_PROVIDERS_H
#define MX_PROVIDERS_H

#include "span.h"

/* mx_providers.txt, as the build embeds it. */
extern const struct span mx_providers_text;

struct mx_provider {
    struct span name;     /* into the embedded text, as all spans here */
    unsigned connections; /* at most */
    unsigned messages;    /* on one connection */
    struct span example;  /* of a host */
    struct span hosts;    /* with blanks between them */
};

/* The next row of `table`; false at its end. `lines` is what is left. A row that is none stops the
 * program: the tests read them all. */
bool mx_provider_next(struct span *lines, struct mx_provider *row_r);

/* The row that all these hosts match. False: there is none. */
bool mx_provider_find(const char *const *hosts, size_t count, struct mx_provider *row_r);

#endif
