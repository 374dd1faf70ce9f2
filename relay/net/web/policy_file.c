// SPDX-License-Identifier: BSD-2-Clause
/* policy_file.c - A policy host has one file, and it can only be read. */
#include "policy_file.h"

#include <string.h>

unsigned policy_file_answer(const struct config_domain *domain, const char *method,
                            const char *path, struct span *text_r)
{
    bool reads = strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
    *text_r = SPAN("Nothing is here.\n");
    if (strcmp(path, "/.well-known/mta-sts.txt") != 0)
        return POLICY_FILE_NOT_FOUND;
    *text_r = reads ? span_of(domain->mta_sts_text) : SPAN("It can only be read.\n");
    return reads ? POLICY_FILE_OK : POLICY_FILE_NOT_ALLOWED;
}
