// SPDX-License-Identifier: BSD-2-Clause
/* queue_waiting.h - What tenants.c, entries.c, held.c, domains.c and those of answers
 * do for the other files of the core. */
#ifndef QUEUE_WAITING_H
#define QUEUE_WAITING_H

#include "queue_state.h"

/* ---- tenants.c ---- */

void tenants_init(struct queue *q);
void tenants_fini(struct queue *q);
struct tenant *tenant_need(struct queue *q, const char *name);
/* Of that name, whether it is there or not; never 0. */
uint64_t tenant_id(const char *name);
/* "": it has nothing here just now. */
const char *tenant_name(const struct queue *q, uint64_t id);
/* Unless somebody uses it. */
void tenant_drop(struct queue *q, struct tenant *t);

/* ---- entries.c ---- */

void entries_init(struct queue *q);
void entries_fini(struct queue *q);
struct entry *entry_find(const struct queue *q, int64_t message, unsigned number);
/* It has no line and no label, and must get one of them. */
struct entry *entry_new(struct queue *q, int64_t message, unsigned number);
/* It is in no heap any more. */
void entry_free(struct queue *q, struct entry *e);
/* Its line; NULL: it waits, and has but names. */
struct line *entry_line(const struct entry *e);
/* Made where there is none; `late`: where its like stands whose time is over. */
struct line *entry_line_need(struct queue *q, const struct entry *e, bool late);
/* It leaves the line that it had, for whose sake line_changed() is the caller's. */
void entry_assign(struct queue *q, struct entry *e, struct line *line);
/* The same; by names. */
void entry_label(struct queue *q, struct entry *e, const char *domain, const char *tenant,
                 enum stream_class class);
/* It waits by the names of its line, or by those it has. line_changed() is the caller's. */
void entry_wait(struct queue *q, struct entry *e, int64_t due_ms);
/* Due: it stands in its line. line_changed() is the caller's. */
void entry_ready(struct queue *q, struct entry *e, int64_t due_ms);
/* The same where it stood: it was not tried. */
void entry_ready_again(struct queue *q, struct entry *e, uint32_t behind);
/* The same behind all that have come, as queue.last_behind. */
void entry_ready_behind(struct queue *q, struct entry *e);
/* It stands in its line from now on; or, when it has come due, it may be held. */
void entry_stands(struct queue *q, struct entry *e, int64_t due_ms, int64_t now_ms);
void entry_is_due(struct queue *q, struct entry *e, int64_t due_ms, int64_t now_ms);
/* Out of the heap it stands in. line_changed() is the caller's. */
void entry_out(struct queue *q, struct entry *e);

/* ---- held.c ---- */

void held_init(struct queue *q);
void held_fini(struct queue *q);
size_t held_count(const struct queue *q);
/* Do so few stand that nobody is held? */
bool held_few_stand(const struct queue *q);
/* Do few stand, or others of its domain, or none of its tenant's; or may it go before those that
 * are held? Then it is not, and stands. */
bool held_lets_stand(const struct queue *q, const struct entry *e, int64_t now_ms);
void held_put(struct queue *q, struct entry *e);
void held_take(struct queue *q, struct entry *e);
/* While it is held: it is next, its tenant has had a turn, and classes behind it were passed. */
void held_serves(struct queue *q, const struct entry *e);
/* The next one that may stand now; NULL: none. And when to look again for one, or INT64_MAX. */
int64_t held_looks_at(const struct queue *q, int64_t now_ms);
struct entry *held_next(struct queue *q, bool urgent);

/* ---- domains.c ---- */

void domains_init(struct queue *q);
void domains_fini(struct queue *q);
struct domain *domain_find(const struct queue *q, const char *name);
struct domain *domain_need(struct queue *q, const char *name);
/* Why it is unresolvable: at most NAMES_LEN_MAX bytes; NULL: it is not. "": not known. */
void domain_set_why(struct queue *q, struct domain *domain, const char *why);
const char *domain_why(const struct queue *q, const struct domain *domain);
struct line *line_need(struct queue *q, struct domain *domain, struct tenant *tenant,
                       enum stream_class class, bool late);
/* By when it goes, of those that are ready: messages are numbered as they come. One over which a
 * connection broke goes as if it had come when it was last due: after all that were there, and
 * before all that come later. */
int64_t line_arrival(const struct entry *e);
/* After entries came or went: it stands where its domain's state says, or is freed. */
void line_changed(struct queue *q, struct line *line, int64_t now_ms);
/* It leaves where it stands now; its lines go with it. */
void domain_leads(struct queue *q, struct domain *domain, struct lane *lane, size_t bytes,
                  int64_t until_ms); /* `bytes`: that the shell keeps for it */
void domain_unresolvable(struct queue *q, struct domain *domain, int64_t until_ms);
void domain_forget(struct queue *q, struct domain *domain);
void domains_forget_all(struct queue *q);
/* Its lookup has ended, and what it has found does not count: it is asked for once more. */
void domain_look_again(struct queue *q, struct domain *domain);

/* ---- lookups.c ---- */

void lookups_init(struct queue *q);
void lookups_fini(struct queue *q); /* none waits */
/* It wants a lookup for the sake of this line; or none any more. */
void domain_ask(struct queue *q, struct domain *domain, const struct line *line);
void domain_withdraw(struct queue *q, struct domain *domain);
/* The same, while its tenant is still counted as who asked. */
void domain_asks_no_more(struct domain *domain);
/* Which is next; NULL: none may. */
struct domain *lookup_next(struct queue *q, bool urgent, int64_t now_ms);
void domain_lookup_begins(struct queue *q, struct domain *domain, int64_t now_ms);
void domain_lookup_ends(struct queue *q, struct domain *domain);
/* How soon its questions are asked, of those of a tenant: party_turns.h. `arrival`: of its mail. */
uint64_t domain_merit(const struct domain *domain, int64_t arrival);
/* Those that take long by now; and when there will be more of them, or INT64_MAX. */
void lookups_get_late(struct queue *q, int64_t now_ms);
int64_t lookups_get_late_at(const struct queue *q);

/* ---- answers.c ---- */

void answers_init(struct queue *q);
void answers_fini(struct queue *q);
/* This tenant pays for it from now on: it is looked up for its mail. */
void answer_pays(struct queue *q, struct domain *domain, struct tenant *tenant);
/* The same: it was unused, and its mail found it there. */
void answer_is_found(struct queue *q, struct domain *domain, struct tenant *tenant);
/* It takes so much now; and nothing any more. */
void answer_came(struct queue *q, struct domain *domain, size_t bytes);
void answer_gone(struct queue *q, struct domain *domain);
/* It leads to a lane, or to that one no more: the first one there pays for what a lane takes now.
 */
void answer_joins_lane(struct queue *q, struct domain *domain, struct lane *lane);
void answer_leaves_lane(struct queue *q, struct domain *domain, struct lane *lane);
/* The shell has copied so much of an answer for a connection, or has let go of it again. */
void answer_copied(struct queue *q, struct tenant *tenant, size_t bytes);
void answer_copy_gone(struct queue *q, struct tenant *tenant, size_t bytes);
void answer_is_unused(struct queue *q, struct domain *domain, bool unused);
/* May another domain be looked up for this tenant? */
bool answer_may_come(const struct queue *q, const struct tenant *tenant, bool urgent);
/* The next one that is too much; NULL: none. */
struct domain *answer_too_much(const struct queue *q);

/* ---- answer_turns.c ---- */

/* What is too much is forgotten, and what keeps others from being looked up. */
void answers_sweep(struct queue *q, int64_t now_ms);

#endif
