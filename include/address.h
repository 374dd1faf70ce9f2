// SPDX-License-Identifier: BSD-2-Clause
/* address.h - Mailboxes and domains: one grammar, one normal form, used by every check.
 *
 * A mailbox is `local@domain` (RFC 5321 section 4.1.2, with the UTF-8 of RFC 6531). Nothing is
 * repaired: what does not fit the grammar is refused, so that no two readers can see two different
 * addresses in the same bytes.
 */
#ifndef ADDRESS_H
#define ADDRESS_H

#include "buf.h"
#include "check.h"
#include "span.h"

enum { ADDRESS_LOCAL_MAX = 64, ADDRESS_DOMAIN_MAX = 253, ADDRESS_MAX = 320 };
/* Folding can make a local part longer. */
enum { ADDRESS_CANONICAL_LOCAL_MAX = 1200, ADDRESS_CANONICAL_MAX = 1500 };

struct address {
    struct span text; /* the whole mailbox, borrowed from the input */
    struct span local;
    struct span domain; /* as given; address_domain_ascii() gives the normal form */
};

/* Parse `local@domain`. A domain literal, a trailing dot, comments and blanks are refused. */
MUST_CHECK bool address_parse(struct span text, struct address *address_r);

/* The domain's normal form: lower-case A-labels (RFC 5891), at most 253 octets, labels of 1 to 63.
 * `ascii_r` holds at least ADDRESS_DOMAIN_MAX + 1 bytes. False when it is not a domain name, or an
 * xn-- label does not round-trip.
 */
MUST_CHECK bool address_domain_ascii(struct span domain, char *ascii_r);

/* Is its normal form another domain than the one that is written, apart from case and composition:
 * was something left out or mapped, as U+200B, or full-width letters? Then `ascii_r` is what
 * becomes of it. */
bool address_domain_changes(struct span domain, char *ascii_r);

/* May a server pass mail for it on to another address than it says, by what the local part holds:
 * '%', '!' or an '@' (RFC 5321 appendix F.2 and section 3.7)? Postfix does as it comes:
 * bob%club.example@club.example, club.example!bob@… and "bob@club.example"@… are all one mailbox,
 * and there is no end of such forms. */
bool address_is_routed(const struct address *address);

/* A host name or an EHLO argument's domain: letters, digits, hyphens and dots; not one that ends in
 * a number, as 127.1 or 0x7f000001, which some programs take for an address. */
bool address_is_host(struct span text);

/* The single mailbox of a From field's value (RFC 5322 section 3.4): `addr`, `<addr>` or `phrase
 * <addr>`, comments allowed outside the address if nothing in them looks like one. Lists, groups,
 * route addresses and a bare '@' beside the angle brackets are refused: `why_r` then says what was
 * wrong. `address_r` borrows from `value`.
 */
MUST_CHECK bool address_from_field(struct span value, struct address *address_r,
                                   const char **why_r);

/* Is it a list of mailboxes and groups (RFC 5322 section 3.4), as in To? Empty members between
 * commas may stand (section 4.4), one address or group must. `why_r` says what is wrong. */
MUST_CHECK bool address_list_field(struct span value, const char **why_r);

/* Append the one form that stands for all ways of writing this mailbox: domain in normal form and
 * without provider aliases, local part unquoted, NFKC and case folded, without "+tag", at Gmail
 * without dots. For counting and comparing, never for delivery. At most ADDRESS_CANONICAL_MAX
 * octets. False when it cannot be made.
 */
MUST_CHECK bool address_canonical(const struct address *address, struct buf *out);
/* The one form of exactly this mailbox: domain in normal form, local part without needless quotes,
 * ASCII in lower case. Nothing is left out that a receiver could tell apart, except that case: a
 * server may (RFC 5321 section 2.4), but Postfix, Exim, Exchange, Dovecot and the large providers
 * all fold it, and who unsubscribes as Bob@ means bob@ as well. Other letters stay as their octets
 * are: what is said of one that looks the same, and that anybody may name, is not said of this one.
 * False when it has no such form: then it stands for itself. */
bool address_same_form(const char *text, char form_r[ADDRESS_CANONICAL_MAX + 1]);
/* As address_canonical(), of a text. False when it has no such form: then it counts as it is. */
bool address_counted_as(const char *text, char form_r[ADDRESS_CANONICAL_MAX + 1]);
/* Both of one text. */
struct address_forms {
    char same[ADDRESS_CANONICAL_MAX + 1], counted[ADDRESS_CANONICAL_MAX + 1];
};
void address_forms_make(const char *text, struct address_forms *forms_r);

/* Skip blanks and comments at the front (RFC 5322 section 3.2.2). False: a comment does not end. */
MUST_CHECK bool address_skip_cfws(struct span *s);

#endif
