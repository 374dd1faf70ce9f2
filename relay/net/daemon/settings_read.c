// SPDX-License-Identifier: BSD-2-Clause
/* settings_read.c - Reads the config file and the files that it names: certificates, certificate
 * authorities, keys. */
#include "settings_read.h"

#include "certificates.h"
#include "keyring.h"
#include "preflight.h"

#include <stdlib.h>

enum { ROOM_FROM = 64 * 1024 }; /* less is soon sent */
enum { RETURN_MORE = 1024 * 1024, RETURN_MAILS_MAX = 100 };

static _Atomic uint64_t readings;

/* The largest message that is sent, written anew for seven bits, and what is said of it: many
 * servers return all of it. */
static uint64_t returned_size(const struct config *c)
{
    return c->size_max + c->size_max / 2 + RETURN_MORE;
}

bool settings_read(const char *path, const struct opener *opener, struct settings **settings_r,
                   struct err *err)
{
    struct settings *s = xcalloc(1, sizeof(*s));
    atomic_init(&s->holders, 1);
    s->generation = atomic_fetch_add(&readings, 1) + 1;
    bool ok = config_read(path, opener, &s->config, err) &&
              certificates_load(s->config, opener, &s->server, err) &&
              preflight_authorities(s->config, &s->client, err) &&
              preflight_key(s->config, opener, err) &&
              (!preflight_makes_links(s->config) ||
               keyring_unsubscribe(s->config->state_dir, &s->unsubscribe, err));
    if (!ok) {
        settings_drop(s);
        return false;
    }
    s->starttls = (struct submission_settings){.hostname = s->config->hostname,
                                               .size_max = s->config->size_max,
                                               .rcpt_max = s->config->recipients,
                                               .mail_max = s->config->mails,
                                               .requiretls = s->config->requiretls,
                                               .room_from = ROOM_FROM,
                                               .limited = true};
    s->implicit = s->starttls;
    s->implicit.implicit_tls = true;
    s->returns = (struct submission_settings){.hostname = s->config->hostname,
                                              .size_max = returned_size(s->config),
                                              .rcpt_max = 1,
                                              .mail_max = RETURN_MAILS_MAX,
                                              .limited = true,
                                              .open = true,
                                              .returns = true};
    *settings_r = s;
    return true;
}
