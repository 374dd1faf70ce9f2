// SPDX-License-Identifier: BSD-2-Clause
/* entity_header.h - What an entity's header says of its content (RFC 2045), and the header that
 * goes with content that was made 7-bit. */
#ifndef ENTITY_HEADER_H
#define ENTITY_HEADER_H

#include "buf.h"

enum { ENTITY_BOUNDARY_MAX = 250, ENTITY_TYPE_MAX = 255 }; /* RFC 2046 allows 70; some write more */

struct entity_header {
    struct span type, encoding; /* without parameters and comments; borrowed; empty when absent */
    /* Why the content must not be changed, as the end of "holds 8-bit content …": some reader takes
     * it for signed or encrypted, or finds parts where others find none. NULL: it may be. */
    const char *protects;
    bool starved;        /* it is not known, as there was no memory to look at it */
    size_t boundary_len; /* 0: there is none that can be used */
    char boundary[ENTITY_BOUNDARY_MAX + 1];
    char type_text[ENTITY_TYPE_MAX + 1]; /* what `type` points to: do not copy */
};

void entity_header_read(struct span header, struct entity_header *e);
/* Is the content there as it is, says Content-Transfer-Encoding? */
bool entity_header_is_identity(struct span encoding);

/* What is done about an entity. */
enum entity_action { ENTITY_KEEP, ENTITY_RELABEL, ENTITY_ENCODE_TEXT, ENTITY_ENCODE_BYTES };
/* Whose header it is: the message's own is made by others. */
enum entity_place { ENTITY_TOP, ENTITY_MESSAGE, ENTITY_PART };

/* Append the header that goes with it, in ASCII unless it is the message's own. */
void entity_header_write(struct span header, enum entity_action action, enum entity_place place,
                         struct buf *out);

#endif
