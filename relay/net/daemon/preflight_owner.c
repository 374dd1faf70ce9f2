// SPDX-License-Identifier: BSD-2-Clause
/* preflight_owner.c - What root may do in the state directory, with the files of the settings, and
 * on the way to them, and the relay may not. */
#include "preflight_owner.h"

#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

/* May an account that has no right of root's do this with it? */
static bool allows(const char *path, const struct stat *s, const struct stat *owner, unsigned need)
{
    unsigned shift = s->st_uid == owner->st_uid ? 6 : s->st_gid == owner->st_gid ? 3 : 0;
    return (s->st_mode >> shift & need) == need ||
           getxattr(path, "system.posix_acl_access", NULL, 0) > 0;
}

bool preflight_owner_may(const struct config *c, const char *part, unsigned need,
                         const struct stat *owner, struct err *err)
{
    char path[CONFIG_PATH_MAX + NAME_MAX + 16];
    char names[2][ACCOUNT_TEXT];
    struct stat s;
    snprintf(path, sizeof(path), "%s%s", c->state_dir, part);
    if (stat(path, &s) != 0)
        return true;
    if (need == 0)
        need = S_ISDIR(s.st_mode) ? W_OK | X_OK : R_OK | W_OK;
    if (allows(path, &s, owner, need))
        return true;
    const char *becomes = account_name(owner->st_uid, names[0]);
    return err_set(err, ERR_CONFIG,
                   "state_dir: %.300s belongs to %s with mode %o, and the relay becomes %s, the "
                   "owner of the state directory, with no right of root's: chown -R the directory "
                   "to the relay's account",
                   path, account_name(s.st_uid, names[1]), (unsigned)s.st_mode & 0777, becomes);
}

/* Of one directory above a file: `end` bytes of `path`. */
static bool may_pass(const char *setting, const char *path, size_t end, const struct stat *owner,
                     struct err *err)
{
    char parent[PATH_MAX];
    char names[2][ACCOUNT_TEXT];
    struct stat s;
    snprintf(parent, sizeof(parent), "%.*s", (int)(end > 0 ? end : 1), path);
    if (stat(parent, &s) != 0 || allows(parent, &s, owner, X_OK))
        return true;
    bool state = strcmp(setting, "state_dir") == 0;
    return err_set(err, ERR_CONFIG,
                   "%s: %.300s, which leads to it, belongs to %s with mode %o: the relay's "
                   "account %s cannot pass it; let it (chmod o+x), or move the %s",
                   setting, parent, account_name(s.st_uid, names[0]), (unsigned)s.st_mode & 0777,
                   account_name(owner->st_uid, names[1]), state ? "state directory" : "file");
}

static bool passes(const char *setting, const char *named, const struct stat *owner,
                   struct err *err)
{
    char real[PATH_MAX];
    const char *path = realpath(named, real) ? real : named;
    bool ok = true;
    for (size_t i = 0; ok && path[i]; i++)
        if (path[i] == '/')
            ok = may_pass(setting, path, i, owner, err);
    return ok;
}

bool preflight_owner_passes(const struct config *c, const struct stat *owner, struct err *err)
{
    return passes("state_dir", c->state_dir, owner, err);
}

bool preflight_owner_uses(const struct config *c, const char *setting, const char *path,
                          unsigned need, struct err *err)
{
    char names[2][ACCOUNT_TEXT];
    struct stat owner;
    struct stat s;
    if (geteuid() != 0 || stat(c->state_dir, &owner) != 0 || stat(path, &s) != 0)
        return true;
    if (allows(path, &s, &owner, need))
        return passes(setting, path, &owner, err);
    return err_set(err, ERR_CONFIG,
                   "%s %.300s belongs to %s with mode %o, and the relay becomes %s, the owner of "
                   "the state directory: chmod o+%s it, or give it to that account",
                   setting, path, account_name(s.st_uid, names[0]), (unsigned)s.st_mode & 0777,
                   account_name(owner.st_uid, names[1]), need == X_OK ? "x" : "r");
}

bool preflight_owner_alone(const struct config *c, struct err *err)
{
    struct stat s;
    if (stat(c->state_dir, &s) != 0 || (s.st_mode & S_IWOTH) == 0)
        return true;
    return err_set(err, ERR_CONFIG,
                   "state_dir: %.300s has mode %o: all users of this machine can take its files "
                   "away and put others there: chmod o-rwx",
                   c->state_dir, (unsigned)s.st_mode & 07777);
}
