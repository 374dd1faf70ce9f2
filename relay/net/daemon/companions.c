// SPDX-License-Identifier: BSD-2-Clause
/* companions.c - In this order: the opener, who keeps what root may read; then privileges are given
 * up; then the helper and the fetcher, who have none; then files and calls are limited. */
#include "companions.h"

#include "fetcher.h"
#include "helper.h"
#include "readable.h"
#include "sandbox.h"

#include <unistd.h>

bool companions_start(struct companions *p, const struct config *c, struct err *err)
{
    struct readable readable;
    readable_init(&readable, c);
    bool ok =
        opener_start(c->state_dir, &readable.secret, &p->opener, err) &&
        sandbox_become_owner(c->state_dir, err) &&
        helper_start(c->alert_command, &p->helper, err) && fetcher_start(&p->fetcher, err) &&
        sandbox_files(c->state_dir, readable.places, readable.place_count, &p->landlock, err) &&
        sandbox_calls(SANDBOX_RELAY, err);
    readable_fini(&readable);
    return ok;
}

void companions_stop(struct companions *p)
{
    if (p->helper >= 0)
        close(p->helper);
    if (p->fetcher >= 0)
        close(p->fetcher);
    opener_close(p->opener);
}
