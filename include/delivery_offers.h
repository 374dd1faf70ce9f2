// SPDX-License-Identifier: BSD-2-Clause
/* delivery_offers.h - What a server has offered in its answer to EHLO, as far as we use it. */
#ifndef DELIVERY_OFFERS_H
#define DELIVERY_OFFERS_H

#include <stdbool.h>
#include <stdint.h>

/* How to log in, the best first. */
enum delivery_mechanism {
    DELIVERY_OAUTHBEARER, /* a token, by RFC 7628 */
    DELIVERY_XOAUTH2,     /* the same as it was before */
    DELIVERY_PLAIN,
    DELIVERY_LOGIN,
    DELIVERY_MECHANISMS
};

struct delivery_offers {
    bool pipelining, eightbitmime, smtputf8, dsn, starttls, size;
    unsigned mechanisms; /* of AUTH, as bits: see enum delivery_mechanism */
    uint64_t size_max;   /* 0: no limit said */
    unsigned rcpt_max, mail_max, rcpt_domain_max; /* RFC 9422; 0: not said */
    bool requiretls, unsure; /* unsure: it hung up at EHLO, and may offer what is not here, too */
};

#endif
