// SPDX-License-Identifier: BSD-2-Clause
/* where.h - Where a domain's mail goes, or went when it was last tried; and which destination a
 * person means. Only a running relay knows. */
#ifndef WHERE_H
#define WHERE_H

#include "control_parts.h"

struct where;

enum { WHERE_NAME = 8 * 1024 };

/* NULL when no relay runs, which all that follows takes. */
struct where *where_new(const struct control *c);
void where_free(struct where *w);
/* False: that is not known. `remote` is who answered last, or "". `name_r` holds `size` bytes. */
bool where_find(struct where *w, const char *domain, const char *remote, char *name_r, size_t size);

/* The destination that a person means who gave its name, a part of that, or a domain. ERR_USAGE
 * when it may be one or another, ERR_NOT_FOUND when it is none that is known. */
MUST_CHECK bool where_meant(const struct control *c, const char *given, char *name_r, size_t size,
                            struct err *err);
/* The domain of an address, as it is in the queue; false: it has none. */
MUST_CHECK bool where_domain_of(const char *recipient, char domain_r[ADDRESS_DOMAIN_MAX + 1]);

/* Have these two destinations a host in common? */
bool where_share(const char *name, const char *other);

#endif
