// SPDX-License-Identifier: BSD-2-Clause
/* rotation.h - The life cycle of a DKIM key. Decides which step is due; the time and what was seen
 * in DNS are passed in.
 *
 *   pending --seen everywhere for a TTL--> active --another one is active--> retiring
 *   retiring --what it signed has expired--> retired       any --by hand--> revoked
 */
#ifndef ROTATION_H
#define ROTATION_H

#include "key.h"

/* Stored by name. */
enum key_state {
    KEY_PENDING,  /* to be published; signs nothing yet */
    KEY_ACTIVE,   /* signs */
    KEY_RETIRING, /* signs no more; what it has signed may be under way: it stays published */
    KEY_RETIRED,  /* nothing can be under way: its record may be taken out */
    KEY_REVOKED   /* is not to be believed any more: an empty p= in its place */
};
const char *key_state_name(enum key_state state);
MUST_CHECK bool key_state_parse(struct span name, enum key_state *state_r);

struct rotation_key {
    char selector[64];
    enum key_algorithm algorithm;
    enum key_state state;
    int64_t created_ms, since_ms; /* since: in this state */
    bool delegated;               /* its record is in a zone of ours, for us to publish */
    int64_t seen_ms;              /* seen at all servers since then; 0: not yet */
    int64_t wait_s;               /* pending: how long it must have been seen */
};

struct rotation_settings {
    int64_t every_ms;    /* a new key at this age; 0: never by itself */
    int64_t lifetime_ms; /* of a signature */
};

enum rotation_step {
    ROTATION_NOTHING,
    ROTATION_MAKE,   /* the key is old: make the next one */
    ROTATION_LOOK,   /* is the key in DNS? */
    ROTATION_SWITCH, /* it is, for long enough: sign with it */
    ROTATION_RETIRE  /* nothing signed with it is under way any more */
};

/* The first thing that is due for the keys of one domain, and for which of them. */
enum rotation_step rotation_due(const struct rotation_key *keys, size_t count,
                                const struct rotation_settings *settings, int64_t now_ms,
                                size_t *which_r);

/* Somebody has looked for a key: was it at all servers, and how long may the answers be
 * kept? True when this changed the key. */
bool rotation_looked(struct rotation_key *key, bool everywhere, uint32_t ttl_s, int64_t now_ms);

/* The selector of a new key: by date; or the one of two, when the user's DNS has aliases for both.
 * False: both are in use. `selector_r` holds 64 bytes. */
MUST_CHECK bool rotation_selector(const struct rotation_key *keys, size_t count,
                                  enum key_algorithm algorithm, bool delegated, int64_t now_ms,
                                  char *selector_r);

/* The name in a zone of ours that a delegated selector is an alias of. False: it is too long for a
 * name. `name_r` holds 254 bytes. */
MUST_CHECK bool rotation_target(const char *selector, const char *domain, const char *zone,
                                char *name_r);

#endif
