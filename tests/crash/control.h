// SPDX-License-Identifier: BSD-2-Clause
/* control.h - The page through which tests/crash/run says what is to go wrong, and when.
 *
 * Mapped by the shim inside the relay, by the counting sinks, and by the driver, which knows its
 * layout: eight-byte numbers, in this order.
 */
#ifndef CONTROL_PAGE_H
#define CONTROL_PAGE_H

#include <stdatomic.h>
#include <stdint.h>

enum control_point {
    CONTROL_NOWHERE,
    CONTROL_SEGMENT_CREATE,
    CONTROL_SEGMENT_WRITE,
    CONTROL_SEGMENT_SYNC,
    CONTROL_SEGMENT_UNLINK,
    CONTROL_DIRECTORY_SYNC,
    CONTROL_LOG_WRITE,        /* state.db-wal: frames */
    CONTROL_LOG_SYNC,         /* state.db-wal: the commit */
    CONTROL_CHECKPOINT_WRITE, /* state.db */
    CONTROL_CHECKPOINT_SYNC,
    CONTROL_REMOTE_250, /* a sink says it */
    CONTROL_POINTS
};

enum control_action {
    CONTROL_NOTHING,
    CONTROL_KILL_BEFORE,
    CONTROL_KILL_AFTER,
    CONTROL_EIO,
    CONTROL_ENOSPC,
    CONTROL_KILL_AMID /* when a part of a write is done; else as after it */
};

struct control {
    _Atomic int64_t pid;       /* of the relay */
    _Atomic int64_t clock_ms;  /* added to the wall clock */
    _Atomic int64_t point;     /* enum control_point */
    _Atomic int64_t action;    /* enum control_action */
    _Atomic int64_t countdown; /* the hit that does it: 1 is the next */
    _Atomic int64_t times;     /* how many hits fail from then on */
    _Atomic int64_t hits[CONTROL_POINTS];
};

#endif
