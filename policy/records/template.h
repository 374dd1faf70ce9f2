// SPDX-License-Identifier: BSD-2-Clause
/* template.h - Where a format's template stands in a plan, and what its words are there. */
#ifndef TEMPLATE_H
#define TEMPLATE_H

#include "records_format.h"

/* One name and type: the items of it, and what stays beside them. */
struct record_set {
    const char *name, *zone;
    enum dns_type type;
    const struct record *records[RECORDS_ITEMS_MAX + RECORDS_STANDING_MAX];
    size_t count; /* 0: none */
};

struct template_view {
    const struct records_plan *plan;
    unsigned ttl_s;
    const char *zone, *name; /* that it is in; NULL: none */
    struct record_set set;
    const struct records_item *item;
    const struct record *record;
    bool cut_anew; /* its TXT, however it stands */
    size_t nth;    /* from 1, in its list */
};

/* Go to the i-th of a list, from a copy of the view around it. False: that is none of the list. */
typedef bool template_enter(struct template_view *v, size_t i);
/* The list of this name, and at most how many it has. */
template_enter *template_list(const struct template_view *v, struct span name, size_t *count_r);

/* Append "field" or "field:filter:filter". */
void template_insert(const struct template_view *v, struct span what, struct buf *out);

#endif
