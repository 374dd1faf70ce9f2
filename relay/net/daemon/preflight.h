// SPDX-License-Identifier: BSD-2-Clause
/* preflight.h - Checks whether everything exists that the settings name. See server_check(). */
#ifndef PREFLIGHT_H
#define PREFLIGHT_H

#include "server.h"

bool preflight_makes_links(const struct config *c);
/* Of what is used later only. */
MUST_CHECK bool preflight_anchor(const struct config *c, struct err *err);
MUST_CHECK bool preflight_command(const struct config *c, struct err *err);
MUST_CHECK bool preflight_fetcher(const struct config *c, struct err *err);
/* For DNS; `opener`: NULL, or a running relay's. */
MUST_CHECK bool preflight_key(const struct config *c, const struct opener *opener, struct err *err);
MUST_CHECK bool preflight_state(const struct config *c, struct err *err);
/* Whom we trust for receivers' certificates. */
MUST_CHECK bool preflight_authorities(const struct config *c, struct tls_context **client_r,
                                      struct err *err);
/* What is allowed and hardly meant, and dangerous: in the log. */
void preflight_tell(const struct config *c);
/* The same and more, for config check. `server` may be NULL: its certificates could
 * not be read. */
void preflight_notes(const struct config *c, struct tls_context *server,
                     struct config_report *report);

#endif
