// SPDX-License-Identifier: BSD-2-Clause
/* buf.h - Bytes that we own and that grow, but never past the limit they were born with.
 *
 * What does not fit is not added, and `overflow` stays set until the buf is cleared: the writer
 * goes on without a check at each step, and the owner turns it into one answer at the end.
 */
#ifndef BUF_H
#define BUF_H

#include "check.h"
#include "span.h"

struct buf {
    char *ptr; /* the first byte that has not been dropped */
    size_t len;
    size_t limit;
    bool overflow;
    bool peer;    /* see buf_init_peer() */
    bool starved; /* there was no memory for more: stays set until buf_fini() */
    char *memory;
    size_t size;
};

/* An empty buf of at most `limit` bytes. Nothing is allocated yet; without memory the process
 * aborts. Free with buf_fini(). */
void buf_init(struct buf *b, size_t limit);
/* The same for bytes of which a peer says how many: when there is no memory for more, that is a
 * limit reached, too, and no reason to stop. The owner answers it as a failure that passes. */
void buf_init_peer(struct buf *b, size_t limit);
void buf_fini(struct buf *b); /* frees; the buf is empty and may be used again */
/* The same for what `whole` is made of: what did not fit here is missing there, and so `whole`
 * overflows, too. */
void buf_fini_part(struct buf *b, struct buf *whole);
void buf_clear(struct buf *b);
/* `to`, which holds nothing, takes over what `from` holds; that is empty then, its limit as before.
 */
void buf_move(struct buf *to, struct buf *from);

/* Append. False when it does not fit: then nothing of it is there, and `overflow` stays true until
 * buf_clear(). */
bool buf_add(struct buf *b, struct span bytes); /* false when it did not fit */
/* Several in a row, all or none, at a small part of what formatting them costs:
 * BUF_ADD(&b, SPAN("by "), span_of(name)). */
bool buf_add_all(struct buf *b, const struct span *parts, size_t count);
/* clang-format off */
#define BUF_ADD(b, ...)                                                          \
    buf_add_all(b, (const struct span[]){__VA_ARGS__},                           \
                sizeof((const struct span[]){__VA_ARGS__}) / sizeof(struct span))
/* clang-format on */
bool buf_add_char(struct buf *b, char c);
bool buf_addf(struct buf *b, const char *format, ...) PRINTF_LIKE(2, 3);

/* `len` writable bytes at the end, not yet counted; NULL when they do not fit. buf_commit() counts
 * them. */
MUST_CHECK char *buf_reserve(struct buf *b, size_t len);
void buf_commit(struct buf *b, size_t len);

void buf_drop(struct buf *b, size_t len);  /* forget `len` bytes at the front */
struct span buf_span(const struct buf *b); /* all of it, borrowed until the buf changes */
const char *buf_text(
    struct buf *b); /* ends it with a zero that is not counted; "" when even that did not fit */

#endif
