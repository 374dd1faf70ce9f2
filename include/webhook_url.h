// SPDX-License-Identifier: BSD-2-Clause
/* webhook_url.h - What may be an endpoint's address, wherever somebody names one. */
#ifndef WEBHOOK_URL_H
#define WEBHOOK_URL_H

#include "err.h"
#include "span.h"

enum { WEBHOOK_URL_MAX = 1000 };

/* "https://HOST[:PORT][/PATH][?QUERY]": of RFC 3986 what can be posted to, with a host that is a
 * name or an address as they are usually written, and no user name. Without `private` no clear
 * text, and no address that is not a public host's (what a name leads to is seen when it is
 * posted). ERR_USAGE: why not, in one line. */
MUST_CHECK bool webhook_url_check(struct span url, bool private, struct err *err);

#endif
