// SPDX-License-Identifier: BSD-2-Clause
/* reader.h - The store's second thread, which only reads. */
#ifndef READER_H
#define READER_H

#include "store_read.h"

struct leases;
struct reader;

/* The store is there, and its schema is the newest. `leases` is borrowed. */
MUST_CHECK bool reader_start(const char *state_dir, struct leases *leases, struct reader **reader_r,
                             struct err *err);
/* Takes `q`; from any thread, until reader_stop(). */
void reader_ask(struct reader *reader, struct store_question *q);
/* Answer all that has been asked, end the thread, free. NULL is allowed. */
void reader_stop(struct reader *reader);

#endif
