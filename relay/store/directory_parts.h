// SPDX-License-Identifier: BSD-2-Clause
/* directory_parts.h - Inside the store: how the directory comes to know. On the store's thread, or
 * before it runs.
 */
#ifndef DIRECTORY_PARTS_H
#define DIRECTORY_PARTS_H

#include "changes.h"
#include "directory.h"

/* All that the database has. */
MUST_CHECK bool directory_open(struct database *db, struct directory **directory_r,
                               struct err *err);
void directory_free(struct directory *d);

/* What has been committed. Nobody else's state is touched. */
void directory_follow(struct directory *d, const struct changes *changes);

/* Is the credential what that row says? Only of one that is not over. */
bool credential_equals(const struct credential *c, const struct database_user *user);

#endif
