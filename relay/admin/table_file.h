// SPDX-License-Identifier: BSD-2-Clause
/* table_file.h - Rows of text as CSV (RFC 4180) or JSON, in and out. */
#ifndef TABLE_FILE_H
#define TABLE_FILE_H

#include "buf.h"
#include "err.h"

#include <jansson.h>

/* A list of objects: from CSV whose first line names the columns, one of them `key`, or which is
 * one column of it without a name; or from a JSON array. Rows of CSV have a member "line", which
 * says where they begin. An apostrophe before what a spreadsheet would take for a formula is taken
 * off. ERR_USAGE names the line. Free with json_decref(). */
MUST_CHECK bool table_file_read(struct span text, bool json, const char *key, json_t **rows_r,
                                struct err *err);
/* One CSV line of these members of `row`; the names themselves when it is NULL. */
void table_file_line(json_t *row, const char *const *columns, size_t count, struct buf *out);

/* ISO 8601 in UTC, "2026-11-23T10:20:30Z"; empty for 0. `text_r` holds 32 bytes. */
void table_file_time(int64_t ms, char *text_r);
/* The same, or a day alone, back; empty is 0. */
MUST_CHECK bool table_file_parse_time(const char *text, int64_t *ms_r);

#endif
