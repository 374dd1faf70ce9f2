// SPDX-License-Identifier: BSD-2-Clause
/* sandbox.c - Drops capabilities, and restricts access to files by Landlock. */
#include "sandbox.h"

#include "sandbox_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool fault(struct err *err, const char *doing)
{
    return err_set(err, ERR_SYSTEM, "giving up privileges: %s: %s", doing, strerror(errno));
}

/* ---- who we are ---- */

/* While we still may: whoever has become another user may not (CAP_SETPCAP). A unit that never was
 * root has its own (CapabilityBoundingSet). */
static void empty_bounding_set(void)
{
    for (int i = 0; prctl(PR_CAPBSET_READ, i, 0, 0, 0) >= 0; i++)
        if (prctl(PR_CAPBSET_DROP, i, 0, 0, 0) != 0)
            return;
}

static bool drop_capabilities(struct err *err)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0}};
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    return syscall(SYS_capset, &head, none) == 0 || fault(err, "capabilities");
}

static bool core_dumps;

void sandbox_allow_core_dumps(void)
{
    core_dumps = true;
}

/* Becoming another user has made us undumpable. */
static bool set_core_dumps(struct err *err)
{
    struct rlimit core = {0, 0};
    bool ok = !core_dumps || getrlimit(RLIMIT_CORE, &core) == 0;
    core.rlim_cur = core.rlim_max;
    return (ok && setrlimit(RLIMIT_CORE, &core) == 0 &&
            prctl(PR_SET_DUMPABLE, core_dumps, 0, 0, 0) == 0) ||
           fault(err, "core dumps");
}

bool sandbox_become_owner(const char *state_dir, struct err *err)
{
    struct stat s;
    if (stat(state_dir, &s) != 0)
        return err_set(err, ERR_SYSTEM,
                       "state directory %s: %s: make it with 'sealpost init DOMAIN'", state_dir,
                       strerror(errno));
    empty_bounding_set();
    if (geteuid() == 0 && s.st_uid != 0 &&
        (setgroups(0, NULL) != 0 || setresgid(s.st_gid, s.st_gid, s.st_gid) != 0 ||
         setresuid(s.st_uid, s.st_uid, s.st_uid) != 0))
        return fault(err, "becoming the state directory's owner (start as that account, or allow "
                          "CAP_SETUID and CAP_SETGID)");
    if (!drop_capabilities(err))
        return false;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return fault(err, "no_new_privs");
    return sanitized || set_core_dumps(err);
}

static bool keep_reading(const struct stat *owner, struct err *err)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct some[_LINUX_CAPABILITY_U32S_3] = {{0}};
    some[0].effective = some[0].permitted = 1U << CAP_DAC_READ_SEARCH;
    empty_bounding_set();
    return (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) == 0 && setgroups(0, NULL) == 0 &&
            setresgid(owner->st_gid, owner->st_gid, owner->st_gid) == 0 &&
            setresuid(owner->st_uid, owner->st_uid, owner->st_uid) == 0 &&
            syscall(SYS_capset, &head, some) == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
            prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0) ||
           fault(err, "all but reading");
}

/* ---- files ---- */

static const uint64_t to_read = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
static const uint64_t to_write = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_FILE |
                                 LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK;
static const uint64_t rest = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_REMOVE_DIR |
                             LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR |
                             LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK |
                             LANDLOCK_ACCESS_FS_MAKE_SYM;

/* What is not there needs no rule. */
static bool allow(int rules, const char *path, uint64_t access)
{
    struct stat s;
    int fd = open(path, O_PATH | O_CLOEXEC);
    if (fd < 0)
        return true;
    if (fstat(fd, &s) == 0 && !S_ISDIR(s.st_mode))
        access &= LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE;
    struct landlock_path_beneath_attr beneath = {.allowed_access = access, .parent_fd = fd};
    bool ok = syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &beneath, 0) == 0;
    close(fd);
    return ok;
}

static bool allow_around(int rules, const char *file)
{
    char directory[PATH_MAX];
    snprintf(directory, sizeof(directory), "%s", file);
    char *slash = strrchr(directory, '/');
    if (slash == directory) /* not the whole tree */
        return allow(rules, file, to_read);
    *(slash ? slash : directory) = '\0';
    return allow(rules, slash ? directory : ".", to_read);
}

/* A file may be replaced by another one of its name, or the link to it led elsewhere: what lies
 * beside both is readable, too. */
static bool allow_reading(int rules, const char *path)
{
    struct stat s;
    char real[PATH_MAX];
    if (stat(path, &s) != 0 || S_ISDIR(s.st_mode))
        return allow(rules, path, to_read);
    return allow_around(rules, path) && (!realpath(path, real) || allow_around(rules, real));
}

/* `own`: what is read and written; NULL nothing. */
static bool shut_in_files(const char *own, const char *const *places, const char *const *readable,
                          size_t count, struct err *err)
{
    const struct landlock_ruleset_attr all = {.handled_access_fs = to_read | to_write | rest};
    int rules = (int)syscall(SYS_landlock_create_ruleset, &all, sizeof(all), 0);
    bool ok = rules >= 0 && (!own || (allow(rules, own, to_read | to_write) &&
                                      allow(rules, "/dev/null", to_read | to_write)));
    for (; ok && *places; places++)
        ok = allow(rules, *places, to_read);
    for (size_t i = 0; ok && i < count; i++)
        ok = allow_reading(rules, readable[i]);
    ok = ok && syscall(SYS_landlock_restrict_self, rules, 0) == 0;
    if (!ok)
        fault(err, "Landlock");
    if (rules >= 0)
        close(rules);
    return ok;
}

static long landlock_level(void)
{
    return syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
}

bool sandbox_is_incomplete(struct err *err)
{
    bool calls = sandbox_has_calls();
    bool files = landlock_level() > 0;
    if (sanitized || (calls && files))
        return false;
    err_set(err, ERR_SYSTEM,
            "this kernel or container has no %s: %s%s%s; allow it there, or set sandbox = "
            "\"available\"",
            calls   ? "Landlock"
            : files ? "seccomp"
                    : "seccomp and no Landlock",
            calls ? "" : "system calls are not limited", calls || files ? "" : ", ",
            files ? "" : "every file of the account is in reach");
    return true;
}

bool sandbox_files(const char *state_dir, const char *const *readable, size_t count, int *level_r,
                   struct err *err)
{
    /* Libraries, time zones, trusted authorities, the resolver's and OpenSSL's settings. */
    static const char *const places[] = {"/etc",
                                         "/usr",
                                         "/lib",
                                         "/lib64",
                                         "/run/systemd/resolve",
                                         "/proc/sys/vm/overcommit_memory",
                                         "/proc/stat",
                                         "/dev/urandom",
                                         "/sys/devices/system/cpu",
                                         NULL};
    *level_r = 0;
    if (sanitized || landlock_level() < 1)
        return true;
    *level_r = (int)landlock_level();
    return shut_in_files(state_dir, places, readable, count, err);
}

bool sandbox_become_opener(const char *state_dir, const char *const *readable, size_t count,
                           struct err *err)
{
    static const char *const nowhere[] = {NULL};
    struct stat s;
    if (stat(state_dir, &s) != 0)
        return fault(err, state_dir);
    return keep_reading(&s, err) &&
           (sanitized || landlock_level() < 1 ||
            shut_in_files(NULL, nowhere, readable, count, err)) &&
           sandbox_calls(SANDBOX_OPENER, err);
}

bool sandbox_become_fetcher(const char *const *readable, size_t count, struct err *err)
{
    static const char *const places[] = {"/etc/ssl",
                                         "/etc/ca-certificates",
                                         "/etc/resolv.conf",
                                         "/etc/hosts",
                                         "/etc/host.conf",
                                         "/etc/gai.conf",
                                         "/etc/nsswitch.conf",
                                         "/etc/services",
                                         "/etc/ld.so.cache",
                                         "/etc/localtime",
                                         "/usr/lib",
                                         "/usr/share/ca-certificates",
                                         "/usr/local/share/ca-certificates",
                                         "/lib",
                                         "/lib64",
                                         "/run/systemd/resolve",
                                         "/proc/sys/vm/overcommit_memory",
                                         "/dev/urandom",
                                         NULL};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
        return fault(err, "all but fetching");
    return (sanitized || landlock_level() < 1 ||
            shut_in_files(NULL, places, readable, count, err)) &&
           sandbox_calls(SANDBOX_FETCHER, err);
}
