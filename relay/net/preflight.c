// SPDX-License-Identifier: BSD-2-Clause
/* preflight.c - What the relay needs besides a config file that can be read, looked at before it is
 * needed: by serve, by a reload, and by config check. */
#include "engine.h"

#include "certificates.h"

bool engine_check(const struct config *config, int64_t *expires_s_r, struct err *err)
{
    struct tls_context *server = NULL;
    struct tls_context *client = NULL;
    bool ok = certificates_load(config, NULL, &server, err) &&
              tls_client_context(config->ca_file[0] ? config->ca_file : NULL, &client, err);
    if (ok)
        *expires_s_r = tls_expiry(server);
    tls_context_free(server);
    tls_context_free(client);
    return ok;
}
