// SPDX-License-Identifier: BSD-2-Clause
/* settings.h - The settings from one reading of the config file, and what was made from them.
 *
 * Settings never change. A reload makes new ones; a delivery that has begun keeps its own, a
 * session switches to the new ones at its next step, and the old ones are freed when nobody holds
 * them any more.
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
    struct submission_settings starttls, implicit, returns;
};

/* From any thread. Whoever holds settings already, or is given them by somebody who does, may hold
 * them once more. */
struct settings *settings_hold(struct settings *s);
void settings_drop(struct settings *s); /* NULL is allowed */

#endif
