// SPDX-License-Identifier: BSD-2-Clause
/* state_lock.c - One process at a time has a state directory: its lock, and what a command does to
 * it without the store's thread, which is to make it, or to run one change on it.
 */
#include "state_lock.h"

#include "db.h"
#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

bool state_lock_take(const char *state_dir, int *fd_r, struct err *err)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/lock", state_dir);
    *fd_r = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (*fd_r < 0)
        return err_set(err, ERR_SYSTEM,
                       "state directory %s is not writable for user %u: %s; it belongs to the "
                       "relay's account (chown), which can pass what leads to it",
                       state_dir, (unsigned)geteuid(), strerror(errno));
    if (flock(*fd_r, LOCK_EX | LOCK_NB) == 0)
        return true;
    close(*fd_r);
    *fd_r = -1;
    return err_set(err, ERR_UNREACHABLE,
                   "state directory %s is in use by another process: the relay itself, or another "
                   "command; try again when it has ended",
                   state_dir);
}

bool state_lock_run_alone(const char *state_dir, store_on_change *run, void *context,
                          struct err *err)
{
    int fd = -1;
    struct database *db = NULL;
    bool ok = state_lock_take(state_dir, &fd, err) &&
              database_open(state_dir, DATABASE_WRITE, &db, err) &&
              rows_simple(db, SQL_BEGIN, err) && run(db, context, err) &&
              rows_simple(db, SQL_COMMIT, err);
    database_close(db); /* without the commit: undone */
    if (fd >= 0)
        close(fd);
    return ok;
}

bool state_lock_create(const char *state_dir, struct err *err)
{
    static const char *const parts[] = {"", "/spool", "/keys"};
    char path[4096];
    struct database *db = NULL;
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        snprintf(path, sizeof(path), "%s%s", state_dir, parts[i]);
        if (!sandbox_is_ours(path, err))
            return false;
        if (mkdir(path, 0700) != 0 && errno != EEXIST)
            return err_set(err, ERR_SYSTEM, "making %s: %s", path, strerror(errno));
    }
    snprintf(path, sizeof(path), "%s/state.db", state_dir);
    if (access(path, F_OK) == 0)
        return err_set(err, ERR_USAGE, "there is already a relay in %s", state_dir);
    mode_t mask = umask(0077);
    bool ok = database_open(state_dir, DATABASE_CREATE, &db, err);
    database_close(db);
    umask(mask);
    return ok;
}
