// SPDX-License-Identifier: BSD-2-Clause
/* ticket_use.h - Which clients come back with the TLS session tickets that they are given: to seal
 * one costs a sixth of a handshake, and many clients throw it away. A pure machine, of one thread.
 *
 * What is known is known of an address, and of TICKET_USE_PLACES of them: another one may take the
 * place, and each begins anew. All that hangs on it is whether a handshake is whole or resumed.
 */
#ifndef TICKET_USE_H
#define TICKET_USE_H

#include <stdbool.h>

enum { TICKET_USE_PLACES = 256, TICKET_USE_ADDRESS = 64 };

struct ticket_use {
    struct {
        char address[TICKET_USE_ADDRESS];
        unsigned in_vain;        /* whole handshakes since one was resumed */
    } places[TICKET_USE_PLACES]; /* zeros at the beginning */
};

/* A client at `address` has done its handshake: is a ticket worth it? Who has resumed a session is
 * always given one. Of those who have not, the first TICKET_USE_FIRST are, and then one of
 * TICKET_USE_EACH: somebody may begin to resume. */
enum { TICKET_USE_FIRST = 16, TICKET_USE_EACH = 16 };
bool ticket_use_next(struct ticket_use *u, const char *address, bool resumed);

#endif
