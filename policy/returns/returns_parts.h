// SPDX-License-Identifier: BSD-2-Clause
/* returns_parts.h - A message that came back, taken apart: which of its parts say what. */
#ifndef RETURNS_PARTS_H
#define RETURNS_PARTS_H

#include "buf.h"

/* Lines end with CRLF. A part that is not there is empty. */
struct returns_parts {
    struct buf lines; /* the message; `header` borrows from it */
    struct span header;
    struct buf status;      /* message/delivery-status: groups of fields */
    struct buf feedback;    /* message/feedback-report */
    struct buf disposition; /* message/disposition-notification */
    struct buf notice;      /* what people read, as UTF-8 where its charset is known */
    struct buf page;        /* the same as HTML, without its tags */
    struct buf original;    /* the header of the message that came back */
    bool has_status, has_feedback, has_disposition, has_original;
    unsigned count;
    bool more; /* there were more parts, or deeper ones */
};

/* Take it apart; `parts_r` need not be initialized. False: there was no memory. Free it with
 * returns_parts_fini() in any case. */
MUST_CHECK bool returns_parts_read(struct span message, struct returns_parts *parts_r);
void returns_parts_fini(struct returns_parts *parts);

/* The text that people read, whichever form it has. */
struct span returns_parts_text(const struct returns_parts *parts);

#endif
