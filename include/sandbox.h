// SPDX-License-Identifier: BSD-2-Clause
/* sandbox.h - Restricts the process to what it needs after its sockets are bound. Each step is
 * permanent and applies to all threads created later.
 *
 * Builds with a sanitizer take the first two steps only, because the sanitizers' runtimes need
 * more.
 */
#ifndef SANDBOX_H
#define SANDBOX_H

#include "err.h"

#include <stddef.h>

/* The first thing in main(): from here on there is no io_uring. libuv would make a ring with each
 * loop, also with those made before the relay is shut in, and what is done through a ring no filter
 * sees. */
void sandbox_begin(void);

/* Before sandbox_become_owner(): core dumps may be written, and a debugger may look on. They hold
 * mail and secrets. */
void sandbox_allow_core_dumps(void);

/* As root: become the owner of the state directory. Then, whoever we are: give up every capability,
 * and the way to get any back (no_new_privs); write no core dumps, let nobody trace us. */
MUST_CHECK bool sandbox_become_owner(const char *state_dir, struct err *err);

/* As root: become the owner of the state directory who may read any file all the same, but below or
 * beside `readable` only, and may do nothing else. */
MUST_CHECK bool sandbox_become_opener(const char *state_dir, const char *const *readable,
                                      size_t count, struct err *err);

/* The fetcher, which speaks HTTP: sockets, processes of its own, libraries, names of hosts and the
 * certificates of authorities, of which some may lie beside `readable`. No other file is read, none
 * is written, and no program is run. */
MUST_CHECK bool sandbox_become_fetcher(const char *const *readable, size_t count, struct err *err);

/* Is a part of the sandbox missing in this kernel or container? `err` says which, what is open
 * without it, and what to do. */
bool sandbox_is_incomplete(struct err *err);

/* Landlock: files are changed below `state_dir` only, and read there, in the system's places, and
 * below `readable`, or beside it where it is a file. Where there is none `level_r`
 * is 0, else its version. */
MUST_CHECK bool sandbox_files(const char *state_dir, const char *const *readable, size_t count,
                              int *level_r, struct err *err);

/* seccomp: which system calls this thread, and those it makes, may use. SANDBOX_RELAY comes first;
 * in a process that never says it, and where there is no seccomp, the others do nothing. */
enum sandbox_role {
    SANDBOX_RELAY,  /* files and sockets; no program is ever run */
    SANDBOX_STORE,  /* files only */
    SANDBOX_READER, /* open files only */
    SANDBOX_WEB,    /* sockets, and reading open files */
    SANDBOX_OPENER, /* open files for others, nothing else */
    SANDBOX_FETCHER /* sockets, and processes of its own */
};
MUST_CHECK bool sandbox_calls(enum sandbox_role role, struct err *err);

/* For commands run as root while no relay is: what they make in the state directory belongs to its
 * owner. sandbox_as_self() undoes it. */
void sandbox_as_owner(const char *state_dir);
void sandbox_as_self(void);

/* Before root makes something below `path`: it is no symbolic link, unless our own. */
MUST_CHECK bool sandbox_is_ours(const char *path, struct err *err);

/* Make `path`, and all below it, belong to an account; no link in it leads further. */
MUST_CHECK bool sandbox_give(const char *path, const char *user, struct err *err);

#endif
