// SPDX-License-Identifier: BSD-2-Clause
/* survey.h - DNS as its own servers have it, beside what a resolver still remembers.
 *
 * For each of some names the zone it is in is found, and each server of that zone is asked by
 * itself. `truth` is what the first server that answers says, and the resolver for all other names.
 */
#ifndef SURVEY_H
#define SURVEY_H

#include "config.h"
#include "dns.h"

enum { SURVEY_NAMES_MAX = 6, SURVEY_SERVERS_MAX = 24 };

struct survey_server {
    char zone[DNS_NAME_MAX + 1], name[DNS_NAME_MAX + 1], ip[46];
    const struct dns *dns;
};

struct survey {
    const struct dns *resolver;
    struct dns truth;
    struct survey_server servers[SURVEY_SERVERS_MAX];
    size_t count;
};

/* Is this server one of those that answer for the name? With several zones, the nearest one's. */
bool survey_answers_for(const struct survey *s, const struct survey_server *server,
                        const char *name);

/* Blocking: the servers of the names' zones are found, then `step` is called until it returns true,
 * and what it asked for is fetched in between. Each call begins without memory. */
typedef bool survey_step(void *context, const struct survey *survey);
MUST_CHECK bool engine_survey(const struct config *config, const char *const *names, size_t count,
                              survey_step *step, void *context, struct err *err);

#endif
