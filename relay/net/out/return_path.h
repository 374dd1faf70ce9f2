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
/* What is said at RCPT of reports (RFC 3461 section 4.1): with a return path, of failures
 * only. Reports of success would come there, and not to who has asked for them: so that is
 * reported as for a hop without DSN (section 5.2.2), and delays as for any. */
unsigned return_path_notify(const struct settings *settings, const struct mail *mail,
                            size_t recipient);
/* And at MAIL of what comes back (section 4.3): the header is enough, if nobody has said. */
enum envelope_return return_path_report(const struct settings *settings, const struct mail *mail,
                                        size_t recipient);

#endif
