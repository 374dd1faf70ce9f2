// SPDX-License-Identifier: BSD-2-Clause
/* access.c - Sessions end when their credential is not what it was when they logged in, or when a
 * domain that it names was removed.
 *
 * - the next command finds out by itself, before it is run (one atomic number)
 * - who is idle is told by the main thread (sessions_check_access)
 * - who is sending a message has a second to end it; it is refused
 * - a message that is with the store meanwhile is looked at there once more
 */
#include "session_parts.h"

#include "accounts.h"
#include "auth.h"
#include "log.h"

#include <string.h>

enum { LAST_WORDS_MS = 1000 };

static const char changed[] =
    "this credential or a domain of it was changed or removed: log in again";

void session_note_access(struct session *s, const struct auth_answer *answer)
{
    s->accounts = answer->accounts;
    memcpy(s->mark, answer->mark, sizeof(s->mark));
    s->domains = database_user_domains(s->home->worker->reader, answer->identity);
}

static bool holds(struct session *s)
{
    const struct identity *i = &s->submission.identity;
    uint64_t now = store_accounts(s->home->worker->store);
    if (s->accounts == now)
        return true;
    s->accounts = now; /* what is read from here on is no older */
    return database_user_holds(s->home->worker->reader, i->name, s->mark) &&
           database_user_domains(s->home->worker->reader, i) >= s->domains;
}

/* In the middle of a message the client does not listen: it may come to the end of it. */
static void hurry(struct session *s)
{
    if (s->hurried || s->submission.phase != SUBMISSION_DATA)
        return;
    s->hurried = true;
    connection_set_deadline(s->connection, LAST_WORDS_MS);
}

void session_check_access(struct session *s)
{
    struct submission *sub = &s->submission;
    if (sub->authenticated && !sub->ends && sub->want != SUBMISSION_CLOSE && !holds(s)) {
        log_end(log_text(log_text(log_begin(LOG_WARN, "session_ended"), "user", sub->identity.name),
                         "peer", s->peer));
        submission_end(sub, changed);
    }
    if (sub->ends)
        hurry(s);
}
