// SPDX-License-Identifier: BSD-2-Clause
/* macs.h - Inside the store: names for rows that tell nothing about whom they are of. */
#ifndef MACS_H
#define MACS_H

#include "buf.h"
#include "database.h"

/* Read what they depend on: the key, and how far the clock has been set. */
MUST_CHECK bool macs_prepare(struct database *db, struct err *err);

/* A name for `text` that tells nothing about it; frees `text`. */
void macs_make(const struct database *db, struct buf *text, unsigned char name_r[16]);

#endif
