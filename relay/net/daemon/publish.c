// SPDX-License-Identifier: BSD-2-Clause
/* publish.c - Writes the commands for nsupdate(1). All values are the relay's own. */
#include "publish.h"

#include "records_format.h"

#include <unistd.h>

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

struct program *publish_start(uv_loop_t *loop, int helper, const struct opener *opener,
                              const struct config *config, const char *name, const char *text,
                              program_on_done *done, void *context)
{
    struct buf commands;
    buf_init(&commands, 64 * 1024);
    write_commands(&commands, config, name, text);
    const char *key = config->dkim.tsig_key;
    int file = key[0] ? opener_open(opener, key) : -1; /* without it nsupdate says what is wrong */
    struct program *program =
        program_start(loop, helper, HELPER_NSUPDATE, key, file, &commands, done, context);
    if (file >= 0)
        close(file);
    return program;
}
