// SPDX-License-Identifier: BSD-2-Clause
/* meaning.h - Classifies refusals whose code says that they concern the message although their text
 * says otherwise. */
#ifndef MEANING_H
#define MEANING_H

#include "err.h"

/* Does a 5yz ask for TLS? `by_policy`: 5.7.x alone says so; else only 530, 5.7.10 and words do. */
bool meaning_wants_tls(const struct verdict *v, bool by_policy);
/* It comes to a session that is in clear text by exception: what is said instead of it. */
struct verdict meaning_without_tls(const struct verdict *v);
/* Does a 5yz ask for a login? */
bool meaning_wants_login(const struct verdict *v);
/* Does a 5yz say that we may not relay through it? To a client that it does not know it says so of
 * each recipient, and means none of them. */
bool meaning_denies_relay(const struct verdict *v);
/* Does a refusal of MAIL speak of the sender, so that another connection would change nothing? */
bool meaning_is_sender(const struct verdict *v);

#endif
