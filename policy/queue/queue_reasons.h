// SPDX-License-Identifier: BSD-2-Clause
/* queue_reasons.h - What shows that a destination takes no mail for now, or answers none, and why:
 * what reason.c, hangs.c, shuns.c, limited.c, rate_limits.c and view.c do for the other files. */
#ifndef QUEUE_REASONS_H
#define QUEUE_REASONS_H

#include "queue_state.h"

/* ---- reason.c ---- */

void destination_set_why(struct destination *d, const char *why, int64_t now_ms);
/* The same, said about mail of one tenant: it may name what is no other's business. */
void destination_set_why_of(struct destination *d, const struct tenant *tenant_or_null,
                            const char *why, int64_t now_ms);

/* ---- waited_for.c ---- */

/* For whom its mail has waited, that was not sent in its time: what rests, who said why, and when.
 */
void line_waited_for(const struct queue *q, const struct line *line, char text_r[QUEUE_WHY_MAX],
                     int64_t now_ms);

/* ---- hangs.c ---- */

/* Connections there that do not open, or are busy with the same, and the longest of them. */
unsigned destination_waits(const struct destination *d, int64_t *longest_ms_r, int64_t now_ms);
void destination_answers(struct queue *q, struct destination *d, int64_t now_ms);
void hangs_look(struct queue *q, int64_t now_ms);

/* ---- shuns.c ---- */

enum { LANE_SHUN_MS = 5000 };
void shuns_init(struct queue *q);
void shuns_fini(struct queue *q);
void shuns_begin(struct destination *d);
void shuns_free(struct queue *q, struct destination *d);
void shuns_leave(struct queue *q, const struct lane *lane);
/* One tenant's mail alone rests there for LANE_SHUN_MS; `spares_good`: but what goes to good
 * domains. Then `tenant` may be NULL: all. */
void lane_shun(struct queue *q, struct lane *lane, const struct tenant *tenant, bool spares_good,
               int64_t now_ms);
/* Its mail was refused at some hosts of a provider: it tries new ones one at a time for a while. */
void shun_suspect(struct queue *q, struct destination *d, const struct tenant *tenant,
                  int64_t now_ms);
bool tenant_is_suspected(const struct destination *d, const struct tenant *tenant);
bool line_is_shunned(const struct line *line);
/* This one's whole mail rests in the lane. */
bool lane_shuns(const struct lane *lane, const struct tenant *tenant);
/* Mail to domains that are not good rests there; over another one's mail, or several. */
bool lane_spares_good(const struct lane *lane);
bool lane_shuns_others_good(const struct lane *lane, const struct tenant *tenant);
/* That of another one does, and nobody else's was answered since that began. */
bool lane_shuns_all(const struct lane *lane, const struct tenant *but);
/* What this connection carries was answered. */
void lane_answers(struct lane *lane, const struct connection *c);
/* A message of another tenant's was, that was begun after that. */
bool lane_answered_others(const struct lane *lane, uint64_t tenant, uint64_t since);
/* The rests end: of a lane, and of the whole destination; NULL: of all its lanes. */
void shuns_forget(struct queue *q, struct destination *d, const struct lane *lane_or_null);
void shuns_forget_all(struct queue *q);
void shuns_wake(struct queue *q, int64_t now_ms);
int64_t shuns_wake_ms(const struct queue *q);
void shuns_check(const struct destination *d);

/* ---- rate_limits.c ---- */

void rate_limits_init(struct queue *q);
/* All of them; before tenants and destinations go. */
void rate_limits_fini(struct queue *q);
/* Of one destination: its first, and its last. */
void rate_limits_begin(struct destination *d);
/* Of hosts that nothing leads to any more. */
void rate_limits_leave(struct queue *q, const struct lane *lane);
void rate_limits_free(struct queue *q, struct destination *d);
/* What it carries was refused as `why` says. True: by a limit of the server's, which is known by
 * now, and rests. */
bool rate_limit_refuses(struct queue *q, const struct connection *c, const char *why,
                        int64_t now_ms);
/* Does one rest just now that holds for what it carries? */
bool rate_limit_rests(const struct connection *c);
/* The server has taken the MAIL of what it carries. */
void rate_limit_takes(struct queue *q, const struct connection *c, int64_t now_ms);
/* Does it wait, for the end of a rest or for what is tried after it? `own` does not count. */
bool rate_limit_bars(const struct line *line, const struct connection *own);
/* The same, and others of its tenant's mail there do not. */
bool rate_limit_sets_aside(const struct line *line);
/* The connection carries no mail any more, or is stuck: another message may ask. */
void rate_limit_was_asked(struct queue *q, const struct connection *c);
/* New mail stands there: of class security it has what rests asked sooner. */
void rate_limit_hastens(struct queue *q, const struct line *line, int64_t now_ms);
void rate_limits_forget(struct queue *q, struct destination *d, int64_t now_ms);
void rate_limits_wake(struct queue *q, int64_t now_ms);
int64_t rate_limits_wake_ms(const struct queue *q);
/* So long all mail there still rests; how often it was in vain, in a row. */
int64_t rate_limit_rest_ms(const struct destination *d, unsigned *failures_r, int64_t now_ms);
/* One tenant's mail alone rests there until then. */
struct tenant_rest {
    const char *tenant, *why; /* NULL: nobody's does */
    int64_t until_ms;
};
/* What holds up this mail at MAIL; NULL: nothing. Borrowed. */
const char *rate_limit_why(const struct line *line);
/* Of several the one that lasts longest. */
struct tenant_rest rate_limit_of_tenant(const struct destination *d,
                                        const struct lane *lane_or_null, int64_t now_ms);
/* The same of shuns.c; `spared`: but those that spare good domains. */
struct tenant_rest shun_longest(const struct destination *d, const struct lane *lane_or_null,
                                bool spared);
void rate_limits_check(const struct destination *d);

/* ---- view.c ---- */

/* What operators are shown of it, but for a ceiling of one tenant's; and that, whose name is looked
 * for among all tenants. */
void destination_show(const struct destination *d, struct queue_destination_view *v,
                      int64_t now_ms);
void destination_show_cap(const struct queue *q, const struct destination *d,
                          struct queue_destination_view *v, int64_t now_ms);

#endif
