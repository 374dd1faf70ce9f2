// SPDX-License-Identifier: BSD-2-Clause
/* ownership.c - Changes the owner of a directory tree. The tree is walked from one open directory
 * to the next, so that no name in it can lead elsewhere: a symbolic link itself gets the new owner,
 * and a file with more than one link is not changed. */
#include "sandbox.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool acting; /* commands have one thread */

void sandbox_as_owner(const char *state_dir)
{
    struct stat s;
    if (geteuid() != 0 || stat(state_dir, &s) != 0 || s.st_uid == 0)
        return;
    acting = setegid(s.st_gid) == 0 && seteuid(s.st_uid) == 0;
}

void sandbox_as_self(void)
{
    if (acting && (seteuid(getuid()) != 0 || setegid(getgid()) != 0))
        _exit(1); /* cannot be */
    acting = false;
}

static bool give_below(int directory, uid_t uid, gid_t gid, struct err *err);

static bool fault(struct err *err, const char *name)
{
    return err_set(err, ERR_SYSTEM, "giving %.120s away: %s", name, strerror(errno));
}

/* `fd` is the thing itself, whatever its name means now. */
static bool give_one(int fd, const char *name, uid_t uid, gid_t gid, struct err *err)
{
    struct stat s;
    if (fstat(fd, &s) != 0)
        return fault(err, name);
    if (S_ISREG(s.st_mode) && s.st_nlink > 1 && s.st_uid != uid)
        return err_set(err, ERR_SYSTEM,
                       "%.120s has another name somewhere (a hard link): it keeps its owner; "
                       "remove it and try again",
                       name);
    if (fchownat(fd, "", uid, gid, AT_EMPTY_PATH) != 0)
        return fault(err, name);
    if (!S_ISDIR(s.st_mode))
        return true;
    int directory = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return directory >= 0 ? give_below(directory, uid, gid, err) : fault(err, name);
}

/* Closes `directory`. */
static bool give_below(int directory, uid_t uid, gid_t gid, struct err *err)
{
    const struct dirent *entry;
    DIR *dir = fdopendir(directory);
    if (!dir) {
        close(directory);
        return fault(err, "a directory");
    }
    bool ok = true;
    while (ok && (entry = readdir(dir))) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        int fd = openat(directory, entry->d_name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        ok = fd >= 0 ? give_one(fd, entry->d_name, uid, gid, err) : fault(err, entry->d_name);
        if (fd >= 0)
            close(fd);
    }
    closedir(dir);
    return ok;
}

bool sandbox_is_ours(const char *path, struct err *err)
{
    struct stat s;
    if (lstat(path, &s) != 0 || !S_ISLNK(s.st_mode) || s.st_uid == geteuid())
        return true;
    return err_set(err, ERR_SYSTEM,
                   "%.150s is somebody else's symbolic link: name the directory it leads to", path);
}

bool sandbox_give(const char *path, const char *user, struct err *err)
{
    const struct passwd *account = getpwnam(user);
    if (!account)
        return err_set(err, ERR_USAGE, "there is no account %s: make it with adduser --system",
                       user);
    if (!sandbox_is_ours(path, err))
        return false;
    int fd = open(path, O_PATH | O_CLOEXEC);
    if (fd < 0)
        return fault(err, path);
    bool ok = give_one(fd, path, account->pw_uid, account->pw_gid, err);
    close(fd);
    return ok;
}
