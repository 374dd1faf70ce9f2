// SPDX-License-Identifier: BSD-2-Clause
/* cli_shape.h - The commands about what limits mail. */
#ifndef CLI_SHAPE_H
#define CLI_SHAPE_H

#include "cli.h"

int cli_shape_list(struct cli *cli);
int cli_shape_explain(struct cli *cli);

/* shape_text.c: what holds for a domain's mail, as people read it. */
void shape_text_print(const json_t *shape);

#endif
