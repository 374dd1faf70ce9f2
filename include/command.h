// SPDX-License-Identifier: BSD-2-Clause
/* command.h - The command line: one program, its subcommands in one table. */
#ifndef COMMAND_H
#define COMMAND_H

/* Run the command that the arguments name; returns the exit code: 0 yes or done, 1 no or problems
 * found, 2 wrong usage, 3 daemon not reachable.
 */
int command_main(int argc, char **argv);

#endif
