// SPDX-License-Identifier: BSD-2-Clause
/* return_path.h - The sender that is said at MAIL, where a domain has a return path of its own. */
#ifndef RETURN_PATH_H
#define RETURN_PATH_H

#include "mail.h"
#include "settings.h"

/* Has each recipient a sender of its own? Mail of the null sender has not, and what we make. */
bool return_path_needed(const struct settings *settings, const struct mail *mail);
/* Has this one? Of a message to very many not all have (returns_token.h). */
bool return_path_has(const struct settings *settings, const struct mail *mail, size_t recipient);
/* What is said at MAIL for one recipient; the sender as it is, where it has none of its own. */
void return_path_make(const struct settings *settings, const struct mail *mail, size_t recipient,
                      char sender_r[ADDRESS_MAX + 1]);

#endif
