// SPDX-License-Identifier: BSD-2-Clause
/* roles.h - The parts of a plan beside the sending domain's own records. */
#ifndef ROLES_H
#define ROLES_H

#include "planning.h"

/* The records of the relay's own host. */
void planning_host(struct planning *p);
/* The unsubscribe page's host; and what helps beside all that. */
void planning_page(struct planning *p);
void planning_around(struct planning *p);
/* MTA-STS, where the domain takes mail or its policy is said. */
void planning_policy(struct planning *p);

#endif
