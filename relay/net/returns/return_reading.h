// SPDX-License-Identifier: BSD-2-Clause
/* return_reading.h - Reads a message that came back, and has what it means written down. */
#ifndef RETURN_READING_H
#define RETURN_READING_H

#include "came_back.h"
#include "return_line.h"

/* To whom it came. */
struct return_target {
    const struct unsubscribe_keys *keys; /* of the settings */
    struct returns_subject subject;      /* not of the address for complaints */
    bool of_complaints;
    enum returns_sender sender; /* from whom */
    char address[ADDRESS_MAX + 1];
    char domain[256]; /* of the address */
    char tenant[64];  /* whose mail it was, where that is known */
};

struct return_answer {
    enum {
        RETURN_TAKEN,    /* it is on the disk, or was before */
        RETURN_DROPPED,  /* nothing follows from it */
        RETURN_PERSONAL, /* somebody wants it to be read */
        RETURN_UNKNOWN,  /* its message is not known any more */
        RETURN_OLD,      /* the same of a complaint: nothing follows from it */
        RETURN_NOT_WRITTEN
    } what;
};

typedef void return_reading_on_done(void *context, const struct return_answer *answer);

/* Takes the bytes of `message`, which came from `peer`, and reads it when its turn has come.
 * `settings` are held until `done` is called, on this thread and never from inside. */
void return_reading_start(struct return_sessions *home, struct settings *settings,
                          const struct return_target *target, const char *peer, struct buf *message,
                          return_reading_on_done *done, void *context);
/* All that wait are answered: it cannot be written down just now. */
void return_reading_drop_line(struct return_sessions *home);

#endif
