// SPDX-License-Identifier: BSD-2-Clause
/* cli_pages.h - Answers that come page by page. */
#ifndef CLI_PAGES_H
#define CLI_PAGES_H

#include "cli.h"

/* The rows of a page; borrowed. */
typedef void cli_on_rows(void *context, json_t *rows);

/* All pages of the answer to `request`, which is taken; the exit code. */
int cli_each_page(struct cli *cli, json_t *request, cli_on_rows *rows, void *context);
/* The same as a table, which is not ended where a page was not to be had. */
int cli_print_pages(struct cli *cli, json_t *request, const struct cli_column *columns,
                    size_t count);

#endif
