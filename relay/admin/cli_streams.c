// SPDX-License-Identifier: BSD-2-Clause
/* cli_streams.c - A typo in a stream's name is no error, as its section may follow; without a word
 * what was ordered would never happen. */
#include "cli_streams.h"

#include <stdio.h>

bool cli_lacks_stream(const struct cli *cli, struct span name, char text_r[CLI_LACKS_STREAM])
{
    const struct config *c = cli->config;
    if (!c || name.len == 0 || span_equal(name, SPAN("*")) ||
        stream_find(c->streams, c->stream_count, name))
        return false;
    snprintf(text_r, CLI_LACKS_STREAM,
             "stream \"%.*s\" is not in the config file: mail that names it is refused",
             SPAN_ARG(span_first(name, 64)));
    return true;
}

void cli_warn_of_streams(const struct cli *cli, const char *option)
{
    char text[CLI_LACKS_STREAM];
    const char *given = NULL;
    for (size_t i = 0; (given = cli_option(cli, option, i)); i++)
        for (struct span rest = span_of(given); rest.len > 0;)
            if (cli_lacks_stream(cli, span_take(&rest, ','), text))
                fprintf(stderr, "sealpost: warning: %s\n", text);
}
