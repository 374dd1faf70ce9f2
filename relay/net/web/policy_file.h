// SPDX-License-Identifier: BSD-2-Clause
/* policy_file.h - What the policy host of a domain answers (RFC 8461 section 3.3). */
#ifndef POLICY_FILE_H
#define POLICY_FILE_H

#include "config.h"

enum { POLICY_FILE_OK = 200, POLICY_FILE_NOT_FOUND = 404, POLICY_FILE_NOT_ALLOWED = 405 };

/* The status of HTTP. `text_r` is borrowed from the settings. */
unsigned policy_file_answer(const struct config_domain *domain, const char *method,
                            const char *path, struct span *text_r);

#endif
