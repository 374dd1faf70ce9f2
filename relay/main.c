// SPDX-License-Identifier: BSD-2-Clause
/* main.c - Entry point of the program. */
#include "command.h"
#include "sandbox.h"

int main(int argc, char **argv)
{
    sandbox_begin();
    return command_main(argc, argv);
}
