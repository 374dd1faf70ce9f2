// SPDX-License-Identifier: BSD-2-Clause
/* commands.h - The server's commands: submission.c passes lines, commands.c executes them. */
#ifndef COMMANDS_H
#define COMMANDS_H

#include "replies.h"
#include "sasl.h"

enum { COMMANDS_LINE_MAX = 12288 }; /* RFC 4954 section 4; shorter for all commands but AUTH */

/* Run one line, without its CRLF. */
enum reply commands_run(struct submission *s, struct span line);
/* The same line as it may be shown, before it is run: nothing of an authentication, and of what is
 * no command nothing, as it may be a secret at the wrong place. */
struct span commands_shown(const struct submission *s, struct span line);

/* Forget the transaction (RFC 5321 section 4.1.1.5), or an unfinished AUTH. */
void commands_end_transaction(struct submission *s);
void commands_end_auth(struct submission *s);
/* Say, or want, what follows a step of AUTH. */
enum reply commands_auth_step(struct submission *s, enum sasl_step step);

#endif
