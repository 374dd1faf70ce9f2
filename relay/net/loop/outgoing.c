// SPDX-License-Identifier: BSD-2-Clause
/* outgoing.c - A socket that is bound to an address takes no port before it connects: so there may
 * be as many connections from that address to each server as there are ports, and not to all
 * servers together. */
#include "outgoing.h"

#include "sockets.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

static int leave_from(uv_tcp_t *tcp, const struct ip *from)
{
    const struct endpoint local = {.ip = *from};
    const struct sockaddr_storage address = sockets_address(&local);
    const int yes = 1;
    int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return uv_translate_sys_error(errno);
    (void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &yes, sizeof(yes)); /* or with one */
    int status = uv_tcp_open(tcp, fd);
    if (status != 0) {
        close(fd);
        return status;
    }
    return uv_tcp_bind(tcp, (const struct sockaddr *)&address, 0);
}

int outgoing_connect(uv_connect_t *request, uv_tcp_t *tcp, const struct endpoint *to,
                     const struct ip *from, uv_connect_cb on_connected)
{
    const struct sockaddr_storage address = sockets_address(to);
    int status = from ? leave_from(tcp, from) : 0;
    if (status == 0)
        status = uv_tcp_connect(request, tcp, (const struct sockaddr *)&address, on_connected);
    return status;
}
