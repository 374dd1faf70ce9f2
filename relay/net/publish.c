// SPDX-License-Identifier: BSD-2-Clause
/* publish.c - What nsupdate is told. Nothing of it comes from outside. */
#include "publish.h"

#include "records_format.h"

static void write_commands(struct buf *commands, const struct config *config, const char *name,
                           const char *text)
{
    const struct config_dkim *d = &config->dkim;
    buf_addf(commands, "server %s %u\nzone %s.\nupdate delete %s. IN TXT\n", d->server, d->port,
             d->zone, name);
    buf_addf(commands, "update add %s. %u IN TXT ", name, d->ttl_s);
    records_quote(span_of(text), commands);
    buf_add(commands, SPAN("\nsend\n"));
}

struct errand *publish_start(uv_loop_t *loop, int helper, const struct config *config,
                             const char *name, const char *text, errand_on_done *done,
                             void *context)
{
    struct buf commands;
    buf_init(&commands, 64 * 1024);
    write_commands(&commands, config, name, text);
    return errand_start(loop, helper, HELPER_NSUPDATE, config->dkim.tsig_key, &commands, done,
                        context);
}
