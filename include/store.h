// SPDX-License-Identifier: BSD-2-Clause
/* store.h - Durable state: one thread, one inbox, one transaction for all that waits (group
 * commit).
 *
 * A job (store_jobs.h) is handed over with store_put() and comes back, decided and durable. See the
 * head of relay/store/store.c for what is guaranteed.
 */
#ifndef STORE_H
#define STORE_H

#include "directory.h"
#include "store_jobs.h"

struct store;

/* What those who keep the queue in memory are told; called on the store's thread, after a commit.
 */
struct store_events {
    /* Here due_ms and expires_ms are clock_steady_ms()'s: no step of the wall clock changes it. */
    void (*due)(void *context, const struct database_due *due, size_t count);
    /* The system's clock has been set, and what waits in the store has been moved along. */
    void (*stepped)(void *context, int64_t step_ms);
    /* An account: the directory knows already, and whoever asked for it does not yet. */
    void (*changed)(void *context, enum database_changed what, const char *name);
    void *context;
};

/* Lock the state directory, open what is there, begin the thread. A state directory that another
 * process holds is refused. `events->due` is also called, here, for all that waits from before.
 */
MUST_CHECK bool store_start(const char *state_dir, const struct store_events *events,
                            struct store **store_r, struct err *err);
/* How the store makes reports, from now on; without it none are made, and they stay owed. From any
 * thread. */
void store_set_reports(struct store *store, const char *hostname,
                       const struct throttle_settings *throttle);
/* Do all that is in the inbox, end the thread, free. False when an outcome was not recorded. */
bool store_stop(struct store *store);

/* From now on outcomes that cannot be recorded are answered STORE_GIVEN_UP and not tried again;
 * each message is in the log. From any thread. */
void store_give_up(struct store *store);

/* Takes `job`; from any thread. */
void store_put(struct store *store, struct store_job *job);
/* Put a store_tell that nobody waits for. From any thread. */
void store_tell(struct store *store, const struct database_event *event);

/* A message that was accepted a moment ago, as the database has it: with its rows, nobody of it
 * suppressed, all of it due. Once; owned by the caller. NULL: ask the database. From any thread. */
struct mail *store_recent(struct store *store, int64_t id);

/* A new message id, later than any before; from any thread. */
int64_t store_new_id(struct store *store);
/* CONTENT_KEY bytes, the same for the life of the state directory: what contents are digested
 * with (content.h). Borrowed. */
const unsigned char *store_content_key(const struct store *store);
/* A number for a segment of its own; from any thread. */
int64_t store_new_segment(struct store *store);

/* Credentials, domains and the rows of their keys; as long as the store is there. */
struct directory *store_directory(const struct store *store);

/* The disk of the state directory, in bytes. */
struct store_disk {
    uint64_t free_bytes;
    uint64_t kept_bytes; /* for outcomes: with no more than that free, new mail is refused */
};
/* False: that cannot be found out. From any thread. */
bool store_disk(const struct store *store, struct store_disk *disk_r);

/* Where it lies; borrowed. From any thread. */
const char *store_state_dir(const struct store *store);

/* From now on `db`, which reads the same state directory, sees what is counted as it is, and not as
 * the disk has it, which may be ahead. `db` is closed before the store is stopped. From any
 * thread. */
void store_lend_counts(const struct store *store, struct database *db);

/* Another number whenever there is something new for endpoints, or an endpoint has been changed.
 * From any thread. */
uint64_t store_outbox_news(const struct store *store);

/* Outcomes cannot be recorded just now: deliver nothing (C5). From any thread. */
bool store_paused(struct store *store);

/* Run `run` as one transaction without a thread, holding the lock, for the command line when no
 * daemon runs. ERR_UNREACHABLE when a daemon holds the lock.
 */
MUST_CHECK bool store_run_alone(const char *state_dir, store_on_change *run, void *context,
                                struct err *err);

/* Make the directories and the empty database. */
MUST_CHECK bool store_create(const char *state_dir, struct err *err);

#endif
