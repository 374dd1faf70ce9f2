// SPDX-License-Identifier: BSD-2-Clause
/* store_read.h - Questions to the store that change nothing: asked from any thread, answered from
 * the database by the store's reader, which has a thread of its own, so that no loop waits for a
 * disk.
 *
 * A question is handed over with store_ask() and comes back through its `answer`, which is called
 * on the reader's thread and must only pass it on. Each comes back exactly once, before
 * store_stop() returns.
 */
#ifndef STORE_READ_H
#define STORE_READ_H

#include "store.h"

enum store_asked {
    STORE_FETCH,  /* a message, and who does not want it */
    STORE_GLANCE, /* what can be said of a recipient at RCPT */
    STORE_READ    /* anything else that is read at once */
};

struct store_question {
    struct store_question *next;
    enum store_asked what;
    bool urgent;     /* for class security: before all others */
    char tenant[64]; /* whose turn it takes; "": of what is asked for no tenant */

    /* FETCH: this message with its recipients of any state, as of one moment. For those of
     * `numbers` that wait, `suppressed` says beside mail->envelope.rcpts why it is kept back from
     * them; code 0: it is not. What we make ourselves is kept back from nobody. */
    int64_t message;
    unsigned *numbers; /* owned */
    size_t number_count;
    struct mail *mail;          /* the answer; owned, may be taken */
    struct verdict *suppressed; /* the answer; owned, may be taken */

    /* GLANCE: see database_glance(). */
    const struct throttle_settings *throttle; /* borrowed until it is answered */
    char domain[ADDRESS_DOMAIN_MAX + 1];
    char *recipient; /* owned */
    struct throttle_decision decision;

    /* READ: run this on the reader's thread, in its transaction. */
    bool (*run)(struct database *db, void *context, struct err *err);
    void *context;

    /* The answer. */
    bool ok;
    struct err err; /* ERR_NOT_FOUND: the message is settled or unknown */
    void (*answer)(struct store_question *q);
    void *owner; /* for the one who asked */
    uint64_t session;
};

/* `numbers` is copied; with none of them nobody's suppression is looked up. */
struct store_question *store_fetch(int64_t message, const unsigned *numbers, size_t count);
struct store_question *store_glance(const struct throttle_settings *throttle, const char *tenant,
                                    const char *recipient, const char *domain);
/* What it looks through others have to wait for. */
struct store_question *store_read(bool (*run)(struct database *db, void *context, struct err *err),
                                  void *context);
void store_question_free(struct store_question *q);

/* Takes `q`; from any thread. */
void store_ask(struct store *store, struct store_question *q);

/* Grows when mail that waits, or who is to get it, may have been changed by something else than its
 * delivery, before whoever has changed it is answered. What was fetched under another number may be
 * out of date. From any thread. */
uint64_t store_revision(const struct store *store);

#endif
