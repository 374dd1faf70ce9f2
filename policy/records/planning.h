// SPDX-License-Identifier: BSD-2-Clause
/* planning.h - What the files share that make a plan. */
#ifndef PLANNING_H
#define PLANNING_H

#include "records.h"

/* Does this record mean what the item wants? Must it go when the item's is published? */
bool records_same(const struct records_item *item, const struct dns_rr *rr);
bool records_replaces(const struct records_item *item, const struct dns_rr *rr);

struct planning {
    const struct records_input *in;
    const struct dns *dns;
    struct records_plan *plan;
    bool offline; /* nothing is known of what stands in DNS */
};

/* Ask; NULL while it is pending, which the plan then is too. */
const struct dns_answer *planning_ask(struct planning *p, const char *name, enum dns_type type);
/* A new item, its name and type; NULL when the name is none or the plan is full. */
struct records_item *planning_item(struct planning *p, enum records_role role,
                                   enum records_need need, enum dns_type type, const char *format,
                                   ...) PRINTF_LIKE(5, 6);
/* The zone that its name is in. */
void planning_find_zone(struct planning *p, struct records_item *item);
/* Its value is known: find out how it stands. */
void planning_settle(struct planning *p, struct records_item *item);
void planning_warn(struct planning *p, const char *format, ...) PRINTF_LIKE(2, 3);

/* What somebody should know of the item. */
void planning_note(struct records_item *item, const char *format, ...) PRINTF_LIKE(2, 3);
/* The same name, type and value. */
bool planning_same(const struct record *a, const struct record *b);
/* A record as DNS has it; false: it cannot be written down. */
bool planning_take(struct record *record_r, const char *name, enum dns_type type,
                   const struct dns_rr *rr);
/* What others have published is theirs to decide: the first record of the kind is taken over.
 * False: there is none. */
bool planning_respects(struct planning *p, struct records_item *item);

/* An SPF record at the item's name; `fresh` as for spf_merge(). */
void planning_spf(struct planning *p, struct records_item *item, const char *fresh);

#endif
