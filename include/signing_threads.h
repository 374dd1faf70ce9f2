// SPDX-License-Identifier: BSD-2-Clause
/* signing_threads.h - Threads that sign while a loop serves others, as long as a core is free.
 *
 * Handing over costs two switches of threads: what computes for less than several of them is not
 * worth it. Where no core is free others pay for it. Two things say so: as many loops and signers
 * are awake as there are cores, or what was handed over lately took much longer than it computed.
 */
#ifndef SIGNING_THREADS_H
#define SIGNING_THREADS_H

#include "err.h"

#include <stdint.h>

struct signing_threads;

struct signing_job {
    struct signing_job *next;
    void (*run)(struct signing_job *job);  /* signs */
    void (*done)(struct signing_job *job); /* on one of the threads; owns the job */
    size_t length;                         /* of the message */
    uint64_t given_ns;
};

/* For a machine of `cores`; with one there are no threads, and nothing is ever taken. */
MUST_CHECK bool signing_threads_new(unsigned cores, struct signing_threads **threads_r,
                                    struct err *err);
/* NULL is allowed. What has been taken is done first. */
void signing_threads_free(struct signing_threads *t);

/* From any thread. A loop has something to do, or waits for it. */
void signing_threads_awake(struct signing_threads *t);
void signing_threads_asleep(struct signing_threads *t);

/* From any thread that is awake. False: it was not worth it, or no core is free; then it is signed
 * here, which tells what others of its length will need. */
MUST_CHECK bool signing_threads_take(struct signing_threads *t, struct signing_job *job);
void signing_threads_sign_here(struct signing_threads *t, struct signing_job *job);

#endif
