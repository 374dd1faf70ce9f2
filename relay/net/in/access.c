// SPDX-License-Identifier: BSD-2-Clause
/* access.c - Ends sessions whose credential has changed since they logged in, or that use a domain
 * that was removed.
 *
 * - before each command the session checks by itself (one atomic number)
 * - idle sessions, and no others, are told by the main thread (sessions_check_access)
 * - a session that is sending a message has a second to end it; the message is refused
 * - a message that the store is processing is checked there again
 */
#include "session_parts.h"

#include "auth.h"
#include "directory.h"
#include "log.h"

enum { LAST_WORDS_MS = 1000 };

static const char changed[] =
    "this credential or a domain of it was changed or removed: log in again";

void session_note_access(struct session *s, const struct auth_answer *answer)
{
    credential_drop(s->credential);
    s->credential = credential_hold(answer->credential);
}

/* In the middle of a message the client does not listen: it may come to the end of it. */
static void hurry(struct session *s)
{
    if (s->hurried || s->submission.phase != SUBMISSION_DATA)
        return;
    s->hurried = true;
    connection_set_deadline(s->connection, LAST_WORDS_MS);
}

void session_end_soon(struct session *s, const char *reason)
{
    submission_end(&s->submission, reason);
    hurry(s);
}

void session_check_access(struct session *s)
{
    struct submission *sub = &s->submission;
    if (sub->authenticated && !sub->ends && sub->want != SUBMISSION_CLOSE &&
        credential_is_over(s->credential)) {
        log_end(log_text(log_text(log_begin(LOG_WARN, "session_ended"), "user", sub->identity.name),
                         "peer", s->peer));
        submission_end(sub, changed);
    }
    if (sub->ends)
        hurry(s);
}
