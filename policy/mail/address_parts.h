// SPDX-License-Identifier: BSD-2-Clause
/* address_parts.h - Tokens of the address grammar, for the parsers of header fields (RFC 5322
 * sections 3.2 and 3.4). */
#ifndef ADDRESS_PARTS_H
#define ADDRESS_PARTS_H

#include "address.h"

/* Many senders put longer tokens than RCPT takes into Reply-To. */
enum { ADDRESS_WRITTEN_LOCAL_MAX = 255 };

bool address_is_atext(unsigned char c);
bool address_is_dot_string(struct span s);
/* How long the quoted string at the front is, quotes included; 0 when it does not end or holds
 * control bytes. */
size_t address_quoted_length(struct span s);
/* "[192.0.2.1]": printable ASCII between two brackets (RFC 5322 section 3.4.1). */
bool address_is_literal(struct span text);
/* local@domain or local@[literal], as it may stand in a field that is not about who sends. */
bool address_is_written(struct span text);

#endif
