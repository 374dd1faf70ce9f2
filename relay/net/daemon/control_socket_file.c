// SPDX-License-Identifier: BSD-2-Clause
/* control_socket_file.c - The control socket in the file system: created with access for its owner
 * only, then opened to the accounts that the settings name. */
#include "control_socket_file.h"

#include "control.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

bool control_socket_file_open_to(const char *state_dir, bool others, struct err *err)
{
    static const char *const private[] = {"state.db", "state.db-wal", "state.db-shm", "keys",
                                          "spool"};
    char path[4200];
    struct stat about;
    bool ok = true;
    for (size_t i = 0; others && i < COUNT_OF(private); i++) {
        snprintf(path, sizeof(path), "%s/%s", state_dir, private[i]);
        if (stat(path, &about) == 0)
            ok = ok && chmod(path, about.st_mode & 0700) == 0;
    }
    control_path(state_dir, path);
    ok = ok && chmod(path, others ? 0666 : 0600) == 0;
    if (others)
        ok = ok && chmod(state_dir, 0711) == 0;
    else if (stat(state_dir, &about) == 0 && (about.st_mode & 0777) == 0711)
        ok = ok && chmod(state_dir, 0700) == 0;
    return ok || err_set(err, ERR_SYSTEM, "permissions of the control socket in %s: %s", state_dir,
                         strerror(errno));
}

int control_socket_file_bind(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if ((size_t)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path) >=
        sizeof(address.sun_path)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    mode_t mask = umask(0177);
    bool bound = fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
    umask(mask);
    if (bound || fd < 0)
        return fd;
    close(fd);
    return -1;
}
