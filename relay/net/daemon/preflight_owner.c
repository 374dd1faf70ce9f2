// SPDX-License-Identifier: BSD-2-Clause
/* preflight_owner.c - What root may do in the state directory, and the relay may not. */
#include "preflight_owner.h"

#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { ACCOUNT_TEXT = 40 };

static const char *account_name(uid_t uid, char text_r[ACCOUNT_TEXT])
{
    const struct passwd *account = getpwuid(uid); /* until the next one is asked for */
    snprintf(text_r, ACCOUNT_TEXT, "%u", (unsigned)uid);
    if (account)
        snprintf(text_r, ACCOUNT_TEXT, "%s", account->pw_name);
    return text_r;
}

bool preflight_owner_may(const struct config *c, const char *part, unsigned need,
                         const struct stat *owner, struct err *err)
{
    char path[CONFIG_PATH_MAX + NAME_MAX + 16];
    char names[2][ACCOUNT_TEXT];
    struct stat s;
    snprintf(path, sizeof(path), "%s%s", c->state_dir, part);
    if (stat(path, &s) != 0 || getxattr(path, "system.posix_acl_access", NULL, 0) > 0)
        return true;
    if (need == 0)
        need = S_ISDIR(s.st_mode) ? W_OK | X_OK : R_OK | W_OK;
    unsigned shift = s.st_uid == owner->st_uid ? 6 : s.st_gid == owner->st_gid ? 3 : 0;
    if ((s.st_mode >> shift & need) == need)
        return true;
    const char *becomes = account_name(owner->st_uid, names[0]);
    return err_set(err, ERR_CONFIG,
                   "state_dir: %.300s belongs to %s with mode %o, and the relay becomes %s, the "
                   "owner of the state directory, with no right of root's: chown -R the directory "
                   "to the relay's account",
                   path, account_name(s.st_uid, names[1]), (unsigned)s.st_mode & 0777, becomes);
}
