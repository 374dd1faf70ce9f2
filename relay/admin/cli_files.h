// SPDX-License-Identifier: BSD-2-Clause
/* cli_files.h - A table of what the files say that a command names. */
#ifndef CLI_FILES_H
#define CLI_FILES_H

#include "cli.h"
#include "span.h"

/* A file's name as it was given, its bytes, and whether it holds more than these. */
struct cli_file {
    const char *path;
    struct span content;
    bool more;
};
/* Append the file's rows; false: with why. */
typedef bool cli_file_rows(void *context, json_t *rows, const struct cli_file *file,
                           struct err *err);

/*
 * Print the rows of each file that the arguments name, by `columns` of `table` or as JSON, as they
 * are read, and of each file `bytes_max` at most; "-" is stdin. What cannot be read is said on
 * stderr, and the others follow. CLI_OK, or the code of the last file that failed.
 */
int cli_print_files(struct cli_table *table, size_t bytes_max, cli_file_rows *add, void *context);

#endif
