// SPDX-License-Identifier: BSD-2-Clause
/* sockets.c - The kernel's words for what is said here in ours. */
#include "sockets.h"

#include "check.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <uv.h>

struct sockaddr_storage sockets_address(const struct endpoint *to)
{
    struct sockaddr_storage address = {0};
    char text[IP_TEXT];
    ip_print(&to->ip, text);
    CHECK((to->ip.v6 ? uv_ip6_addr(text, (int)to->port, (struct sockaddr_in6 *)&address)
                     : uv_ip4_addr(text, (int)to->port, (struct sockaddr_in *)&address)) == 0);
    return address;
}

void sockets_peer(int fd, char text_r[SOCKETS_PEER])
{
    struct sockaddr_storage address = {0};
    socklen_t len = sizeof(address);
    snprintf(text_r, SOCKETS_PEER, "unknown");
    if (getpeername(fd, (struct sockaddr *)&address, &len) == 0)
        uv_ip_name((struct sockaddr *)&address, text_r, SOCKETS_PEER);
    if (strncmp(text_r, "::ffff:", 7) == 0)
        memmove(text_r, text_r + 7, strlen(text_r + 7) + 1);
}

size_t sockets_unacknowledged(int fd)
{
    int in_kernel = 0;
    return ioctl(fd, TIOCOUTQ, &in_kernel) == 0 ? (size_t)in_kernel : 0; /* or nobody knows */
}

bool sockets_error_is_ours(int error)
{
    static const int codes[] = {UV_ENETUNREACH,  UV_ENETDOWN, UV_EADDRNOTAVAIL,
                                UV_EAFNOSUPPORT, UV_EMFILE,   UV_ENFILE};
    for (size_t i = 0; i < COUNT_OF(codes); i++)
        if (error == codes[i])
            return true;
    return false;
}
