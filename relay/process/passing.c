// SPDX-License-Identifier: BSD-2-Clause
/* passing.c - sendmsg() and recvmsg() with a control message of a fixed size. */
#include "passing.h"

#include "check.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

bool pass_files(int socket, const struct iovec *parts, size_t part_count, const int *files,
                size_t count)
{
    char room[CMSG_SPACE(sizeof(int) * PASSING_MAX)] = {0};
    struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)parts, .msg_iovlen = part_count};
    size_t len = 0;
    CHECK(count <= PASSING_MAX);
    if (count > 0) {
        message.msg_control = room;
        message.msg_controllen = CMSG_SPACE(sizeof(int) * count);
        struct cmsghdr *c = CMSG_FIRSTHDR(&message);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int) * count);
        memcpy(CMSG_DATA(c), files, sizeof(int) * count);
    }
    for (size_t i = 0; i < part_count; i++)
        len += parts[i].iov_len;
    return sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)len;
}

ssize_t take_files(int socket, const struct iovec *parts, size_t part_count,
                   int files_r[PASSING_MAX])
{
    char room[CMSG_SPACE(sizeof(int) * PASSING_MAX)];
    struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)parts,
                             .msg_iovlen = part_count,
                             .msg_control = room,
                             .msg_controllen = sizeof(room)};
    ssize_t got = 0;
    for (size_t i = 0; i < PASSING_MAX; i++)
        files_r[i] = -1;
    do
        got = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    while (got < 0 && errno == EINTR);
    const struct cmsghdr *c = got > 0 ? CMSG_FIRSTHDR(&message) : NULL;
    if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
        memcpy(files_r, CMSG_DATA(c), c->cmsg_len - CMSG_LEN(0));
    return got;
}
