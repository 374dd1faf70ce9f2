// SPDX-License-Identifier: BSD-2-Clause
/* sent.h - Inside the store: what each recipient has had lately, by names that tell nothing about
 * whom they are of. */
#ifndef SENT_H
#define SENT_H

#include "db.h"

enum { SENT_MAC = 16, SENT_KNOWN_DAYS = 400, SENT_ONCE_MS = 24 * 3600 * 1000 };

/* Of a row. */
struct sent_name {
    unsigned char name[SENT_WHOM + SENT_MESSAGE];
    size_t len;
    unsigned char older[SENT_MAC]; /* in the tables from before there was `sent` */
};

/* What is counted of `whom`; `what` is one of few: the limit, and whose it is. */
void sent_name_count(struct database *db, const char *whom, const char *what,
                     struct sent_name *name_r);
/* A message to `whom`: `text` says which; frees it. */
void sent_name_message(struct database *db, const char *whom, struct buf *text,
                       struct sent_name *name_r);
struct span sent_span(const struct sent_name *name);
struct span sent_older(const struct sent_name *name);

/* Zeros when there is none; `older` reads the same from a table of before. */
MUST_CHECK bool sent_find(struct database *db, const struct sent_name *name, enum sql older,
                          struct sent_row *row_r, struct err *err);
MUST_CHECK bool sent_set(struct database *db, const struct sent_name *name,
                         const struct sent_row *row, struct err *err);
MUST_CHECK bool sent_drop(struct database *db, const struct sent_name *name, struct err *err);

/* Times of rows are of a clock that was never set, so that a step of the real one neither frees nor
 * locks anybody. 0 stays 0: never used. */
int64_t sent_moved(int64_t time_ms, int64_t step_ms);

/* Forget some of the rows that no longer count, beginning behind the last ones looked at; true when
 * there are more. */
bool sent_sweep(struct database *db, int64_t now_ms);

#endif
