// SPDX-License-Identifier: BSD-2-Clause
/* cli_streams.h - A stream that a command names. */
#ifndef CLI_STREAMS_H
#define CLI_STREAMS_H

#include "cli.h"

enum { CLI_LACKS_STREAM = 160 };

/* Is it in none of the config file's sections? Then `text_r` says so. "*", and nothing at all, are
 * there; and so is each before a config file is read. */
bool cli_lacks_stream(const struct cli *cli, struct span name, char text_r[CLI_LACKS_STREAM]);
/* After the relay has been asked: a line on standard error for each that an option lists, with
 * commas between them. */
void cli_warn_of_streams(const struct cli *cli, const char *option);

#endif
