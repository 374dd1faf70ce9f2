// SPDX-License-Identifier: BSD-2-Clause
/* fetcher_main.c - The program sealpost-fetcher. The relay starts it with a socket as descriptor 3;
 * nobody else does. It is a program of its own so that the relay, whose commands start often, need
 * not load libcurl, and so that nothing of the relay's memory is here. */
#include "fetch_serve.h"
#include "log.h"
#include "sandbox.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SOCKET = 3, AFTER_MAIL = 3 };

int main(void)
{
    static const char *const names[] = {"SSL_CERT_FILE", "SSL_CERT_DIR"};
    const char *authorities[COUNT_OF(names)];
    size_t count = 0;
    struct err err = {0};
    int kind = 0;
    socklen_t len = sizeof(kind);
    if (getsockopt(SOCKET, SOL_SOCKET, SO_TYPE, &kind, &len) != 0 || kind != SOCK_SEQPACKET) {
        fprintf(stderr, "sealpost-fetcher: this program is run by 'sealpost serve' only\n");
        return 2;
    }
    (void)setpriority(PRIO_PROCESS, 0, AFTER_MAIL);  /* where it may not be said, it is as urgent */
    prctl(PR_SET_NAME, "sealpost-fetcher", 0, 0, 0); /* run by a descriptor it has none */
    sandbox_begin();
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (getenv(names[i]))
            authorities[count++] = getenv(names[i]);
    bool ready = close_range(SOCKET + 1, ~0U, 0) == 0 && curl_global_init(CURL_GLOBAL_SSL) == 0;
    if (!ready)
        err_set(&err, ERR_SYSTEM, "the fetcher cannot begin: libcurl or the kernel is too old");
    if (!ready || !sandbox_become_fetcher(authorities, count, &err)) {
        log_fault("fetcher_failed", &err);
        return 1;
    }
    fetch_serve(SOCKET);
    return 0;
}
