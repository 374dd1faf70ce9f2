// SPDX-License-Identifier: BSD-2-Clause
/* waited_for.c - What mail has waited for, that was not sent in its time. */
#include "shun.h"

#include <stdio.h>
#include <string.h>

enum { NAME_SHOWN = 60, HEAD_MAX = 160 };

/* Of this line's mail, where others' may go on. */
static const char *own_reason(const struct line *line)
{
    const struct shun *shun = line_shun(line);
    if (shun)
        return shun->why;
    const char *paused = pause_why(line);
    return paused ? paused : rate_limit_why(line);
}

static bool is_held_back(const struct line *line, int64_t now_ms)
{
    const struct lane *lane = line->domain->lane;
    const struct destination *d = lane->destination;
    return destination_rests(d, now_ms) || window_rests(&lane->rest, now_ms) || d->window.failing ||
           lane->rest.failing || rate_limit_bars(line, NULL);
}

void line_waited_for(const struct queue *q, const struct line *line, char text_r[QUEUE_WHY_MAX],
                     int64_t now_ms)
{
    const struct lane *lane = line->domain->lane;
    const struct destination *d = lane ? lane->destination : NULL;
    if (!d) {
        const char *why = line->domain->why != 0 ? domain_why(q, line->domain) : "";
        snprintf(text_r, QUEUE_WHY_MAX, "waited for DNS%s%s", *why ? ": " : "", why);
        return;
    }
    bool ordered = d->operator_until_ms > now_ms;
    const char *own = ordered ? NULL : own_reason(line);
    bool shared = d->why && (d->why_of == 0 || d->why_of == line->tenant->id);
    const char *why = own ? own : shared ? d->why : "";
    bool dated = d->why && strcmp(why, d->why) == 0;
    char since[32] = "";
    char head[HEAD_MAX];
    if (!ordered && !own && (!*why || !is_held_back(line, now_ms))) {
        snprintf(text_r, QUEUE_WHY_MAX, "waited for a connection to %.*s", NAME_SHOWN, d->name);
        return;
    }
    if (dated)
        snprintf(since, sizeof(since), " for %d s", (int)((now_ms - d->why_ms) / 1000));
    snprintf(head, sizeof(head), "waited for %.*s, which has rested%s%s%s", NAME_SHOWN, d->name,
             since, ordered ? " by an operator's order" : "", *why ? ": " : "");
    snprintf(text_r, QUEUE_WHY_MAX, "%s%.*s", head, (int)(QUEUE_WHY_MAX - 1 - strlen(head)), why);
}
