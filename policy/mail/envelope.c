// SPDX-License-Identifier: BSD-2-Clause
/* envelope.c - Memory of an envelope: all of its strings. */
#include "envelope.h"

#include <stdlib.h>
#include <string.h>

char *envelope_text(struct span s)
{
    char *text = xcalloc(s.len + 1, 1);
    if (s.len > 0)
        memcpy(text, s.ptr, s.len);
    return text;
}

void envelope_free_rcpt(struct envelope_rcpt *rcpt)
{
    free(rcpt->address);
    free(rcpt->domain);
    free(rcpt->original);
}

void envelope_clear(struct envelope *e)
{
    for (size_t i = 0; i < e->count; i++)
        envelope_free_rcpt(&e->rcpts[i]);
    free(e->rcpts);
    free(e->sender);
    free(e->id);
    *e = (struct envelope){0};
}

void envelope_drop(struct envelope *e)
{
    CHECK(e->count > 0);
    envelope_free_rcpt(&e->rcpts[--e->count]);
}

bool envelope_reserve(struct envelope *e)
{
    if ((e->count & (e->count - 1)) != 0) /* it grows at powers of two */
        return true;
    struct envelope_rcpt *rcpts = realloc(e->rcpts, (e->count ? e->count * 2 : 1) * sizeof(*rcpts));
    if (rcpts)
        e->rcpts = rcpts;
    return rcpts != NULL;
}

void envelope_add(struct envelope *e, struct span address, const char *domain, struct span original,
                  unsigned notify)
{
    CHECK(envelope_reserve(e));
    e->rcpts[e->count++] = (struct envelope_rcpt){envelope_text(address), xstrdup(domain),
                                                  envelope_text(original), notify};
}
