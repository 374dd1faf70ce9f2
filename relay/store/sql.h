// SPDX-License-Identifier: BSD-2-Clause
/* sql.h - Every statement that the relay can say to its database, by name, and the steps of its
 * schema. They are the files of sql/ and schema/, which the build embeds (contrib/embed.cmake): the
 * statement behind "-- :name ADD_MESSAGE" is SQL_ADD_MESSAGE, its comments are not part of it.
 */
#ifndef SQL_H
#define SQL_H

#include "sql_names.h" /* made by the build: enum sql, SQL_SCHEMA_VERSION */

extern const char *const sql_texts[SQL_COUNT];
/* [n] makes version n + 1 of version n; 0 is an empty database. */
extern const char *const sql_schema[SQL_SCHEMA_VERSION];

#endif
