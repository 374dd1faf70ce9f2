// SPDX-License-Identifier: BSD-2-Clause
/* session_state.c - Session ids, by which answers find their session, and the settings of a
 * session. */
#include "session_parts.h"

struct session *session_find(struct sessions *home, uint64_t id)
{
    struct session *s = NULL;
    HASH_FIND(hh, home->all, &id, sizeof(id), s);
    return s;
}

const struct submission_settings *session_settings(const struct session *s)
{
    return s->implicit_tls ? &s->settings->implicit : &s->settings->starttls;
}

bool session_follow_settings(struct session *s)
{
    struct settings *fresh = s->home->worker->settings;
    if (s->settings == fresh || s->asking || !s->started || s->submission.want == SUBMISSION_TLS)
        return false;
    if (s->settings->config->idle_s != fresh->config->idle_s && !s->hurried)
        connection_set_timeout(s->connection, fresh->config->idle_s);
    settings_drop(s->settings);
    s->settings = settings_hold(fresh);
    submission_change_settings(&s->submission, session_settings(s));
    return true;
}
