// SPDX-License-Identifier: BSD-2-Clause
/* queue_waiting.h - What entries.c and domains.c do for the other files of the core. */
#ifndef QUEUE_WAITING_H
#define QUEUE_WAITING_H

#include "queue_state.h"

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
/* So many are held. */
size_t entries_held(const struct queue *q);
/* Are there so few that nobody is held? */
bool entries_may_stand(const struct queue *q);
/* It stands in its line from now on; or is held. */
void entry_stands(struct queue *q, struct entry *e, int64_t due_ms, int64_t now_ms);
void entry_is_due(struct queue *q, struct entry *e, int64_t due_ms, int64_t now_ms);
/* The next one that is held and may stand; NULL: none. */
struct entry *entry_held(const struct queue *q, bool urgent);
/* Out of the heap it stands in. line_changed() is the caller's. */
void entry_out(struct queue *q, struct entry *e);

/* ---- domains.c ---- */

void domains_init(struct queue *q);
void domains_fini(struct queue *q);
struct tenant *tenant_need(struct queue *q, const char *name);
void tenant_drop(struct queue *q, struct tenant *t);
struct domain *domain_find(const struct queue *q, const char *name);
struct domain *domain_need(struct queue *q, const char *name);
struct line *line_need(struct queue *q, struct domain *domain, struct tenant *tenant,
                       enum stream_class class, bool late);
/* After entries came or went: it stands where its domain's state says, or is freed. */
void line_changed(struct queue *q, struct line *line, int64_t now_ms);
/* It leaves where it stands now; its lines go with it. */
void domain_leads(struct queue *q, struct domain *domain, struct lane *lane, int64_t until_ms,
                  int64_t now_ms);
void domain_unresolvable(struct queue *q, struct domain *domain, int64_t until_ms, int64_t now_ms);
void domain_forget(struct queue *q, struct domain *domain, int64_t now_ms);
void domains_forget_all(struct queue *q, int64_t now_ms);
/* It wants a lookup for the sake of this line. */
void domain_ask(struct queue *q, struct domain *domain, const struct line *line);
void domain_lookup_begins(struct queue *q, struct domain *domain, int64_t now_ms);
void domain_lookup_ends(struct queue *q, struct domain *domain);
void domain_lookup_is_slow(struct queue *q, struct domain *domain);
void domains_sweep(struct queue *q, int64_t now_ms);

#endif
