// SPDX-License-Identifier: BSD-2-Clause
/* returns_kind.h - What kind of mail it is that came back. */
#ifndef RETURNS_KIND_H
#define RETURNS_KIND_H

#include "returns.h"
#include "returns_lines.h"
#include "returns_parts.h"

/* The kind of a message without a machine's part. `lines` are those of its text, `sender` has sent
 * it by the envelope. */
enum returns_kind returns_kind_of(const struct returns_parts *parts,
                                  const struct returns_lines *lines, enum returns_sender sender);
/* Is it a complaint that has no machine's part: the message alone, as Microsoft and AOL sent it? */
bool returns_kind_is_complaint(const struct returns_parts *parts);
/* Does a text say that delivery is tried again? */
bool returns_kind_is_delay(const struct returns_lines *lines);
/* Is it marked as written by a program (RFC 3834 section 5)? */
bool returns_kind_is_automatic(struct span header);

#endif
