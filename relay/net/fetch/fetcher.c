// SPDX-License-Identifier: BSD-2-Clause
/* fetcher.c - Finds the program, and starts it with one end of a socket and nothing else. */
#include "fetcher.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SOCKET = 3 };

/* From the folder of this program. */
static const char *const places[] = {"sealpost-fetcher", "../libexec/sealpost/sealpost-fetcher"};

bool fetcher_find(char *path_r, size_t size, struct err *err)
{
    char own[PATH_MAX];
    ssize_t len = readlink("/proc/self/exe", own, sizeof(own) - 1);
    own[len > 0 ? len : 0] = '\0';
    char *slash = strrchr(own, '/');
    if (!slash)
        return err_set(err, ERR_SYSTEM, "finding this program in /proc: %s", strerror(errno));
    slash[1] = '\0';
    for (size_t i = 0; i < COUNT_OF(places); i++)
        if ((size_t)snprintf(path_r, size, "%s%s", own, places[i]) < size &&
            access(path_r, X_OK) == 0)
            return true;
    return err_set(err, ERR_SYSTEM,
                   "the program sealpost-fetcher is not in %.200s../libexec/sealpost: install "
                   "Sealpost as a whole",
                   own);
}

/* What of the environment it needs: OpenSSL's own (X509_get_default_cert_file(3)). */
static void keep_environment(char *kept_r[3])
{
    size_t count = 0;
    for (char **entry = environ; *entry && count < 2; entry++)
        if (strncmp(*entry, "SSL_CERT_FILE=", 14) == 0 || strncmp(*entry, "SSL_CERT_DIR=", 13) == 0)
            kept_r[count++] = *entry;
    kept_r[count] = NULL;
}

static _Noreturn void become_fetcher(char *path, int socket)
{
    char *arguments[] = {path, NULL};
    char *environment[3];
    keep_environment(environment);
    if (dup2(socket, SOCKET) >= 0 && fcntl(SOCKET, F_SETFD, 0) == 0 &&
        close_range(SOCKET + 1, ~0U, 0) == 0)
        execve(path, arguments, environment);
    _exit(127);
}

bool fetcher_start(int *fd_r, struct err *err)
{
    char path[PATH_MAX];
    int ends[2];
    if (!fetcher_find(path, sizeof(path), err))
        return false;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return err_set(err, ERR_SYSTEM, "making the fetcher's socket: %s", strerror(errno));
    pid_t pid = _Fork(); /* as the helper */
    if (pid == 0)
        become_fetcher(path, ends[1]);
    close(ends[1]);
    *fd_r = ends[0];
    if (pid > 0)
        return true;
    close(ends[0]);
    *fd_r = -1;
    return err_set(err, ERR_SYSTEM, "making the fetcher: %s", strerror(errno));
}
