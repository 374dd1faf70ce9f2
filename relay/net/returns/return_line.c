// SPDX-License-Identifier: BSD-2-Clause
/* return_line.c - Each gets the turn behind the last of its address's own, and behind that which is
 * now: of an address one goes in each turn, and what came later goes before nobody's first. */
#include "return_line.h"

#include <string.h>
#include <utlist.h>

static int compare(const struct return_waiting *a, const struct return_waiting *b)
{
    return a->turn <= b->turn ? -1 : 1; /* of the same: as they came */
}

void return_line_add(struct return_line *line, struct return_waiting *w, const char *peer)
{
    const struct return_waiting *other;
    login_limit_network(peer, LOGIN_LIMIT_ADDRESS, w->from);
    w->turn = line->turn + 1;
    DL_FOREACH (line->first, other)
        if (other->turn >= w->turn && strcmp(other->from, w->from) == 0)
            w->turn = other->turn + 1;
    DL_INSERT_INORDER(line->first, w, compare);
}

struct return_waiting *return_line_take(struct return_line *line)
{
    struct return_waiting *w = line->first;
    if (!w)
        return NULL;
    DL_DELETE(line->first, w);
    line->turn = w->turn;
    return w;
}
