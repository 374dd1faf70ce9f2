// SPDX-License-Identifier: BSD-2-Clause
/* settings.h - One reading of the config file and what was made of it.
 *
 * Settings never change once made. A reload makes new ones; a delivery that has begun goes on with
 * its own, a session turns to the new ones at its next step, and when nobody holds the old ones any
 * more they are freed.
 */
#ifndef SETTINGS_H
#define SETTINGS_H

#include "config.h"
#include "submission.h"
#include "tls.h"
#include "unsubscribe.h"

#include <stdatomic.h>

struct settings {
    atomic_uint holders;
    uint64_t generation; /* each reading has its own */
    struct config *config;
    struct tls_context *server, *client;
    struct unsubscribe_keys unsubscribe;
    struct submission_settings starttls, implicit;
};

/* From any thread. Whoever holds settings already, or is given them by somebody who does, may hold
 * them once more. */
struct settings *settings_hold(struct settings *s);
void settings_drop(struct settings *s); /* NULL is allowed */

#endif
