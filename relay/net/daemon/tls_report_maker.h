// SPDX-License-Identifier: BSD-2-Clause
/* tls_report_maker.h - Makes TLS reports of what was counted, off the loop and one at a time: of
 * the threads that check passwords and sign messages reports never take more than one. */
#ifndef TLS_REPORT_MAKER_H
#define TLS_REPORT_MAKER_H

#include "tlsrpt_gather.h"
#include "tlsrpt_report.h"

#include <uv.h>

struct tls_report_making;

typedef void tls_report_on_made(void *context, struct tls_report_making *m);

struct tls_report_making {
    /* To be filled in. */
    struct tlsrpt_gather *counts; /* owned, and NULL when it is made */
    char *organization, *contact; /* owned */
    char id[TLSRPT_ID_MAX];       /* as tlsrpt_report_id() */
    int64_t day;                  /* since 1970, UTC */
    /* What has become of it. */
    bool made;                   /* else it did not fit */
    struct tlsrpt_report report; /* without policies */
    struct buf packed;           /* owned; as tlsrpt_report_packed() */

    tls_report_on_made *done;
    void *context;
    struct tls_report_making *prev, *next;
};

/* Zero, but for the loop. */
struct tls_report_maker {
    uv_loop_t *loop;
    uv_work_t work;
    struct tls_report_making *waiting; /* list; the first is under way */
};

/* `m` must be there until it is done, or was taken back. In the order in which they come: whoever
 * asks has few under way for each tenant, so that nobody waits for more than those.
 * `done` is called on the loop, and never from inside. */
void tls_report_maker_ask(struct tls_report_maker *maker, struct tls_report_making *m,
                          tls_report_on_made *done, void *context);
/* False: it is under way, and will be done. */
bool tls_report_maker_take_back(struct tls_report_maker *maker, struct tls_report_making *m);
/* What is packed, to be posted; `copy_r` is the caller's. */
void tls_report_making_copy(const struct tls_report_making *m, struct buf *copy_r);
/* Frees what `m` owns. */
void tls_report_making_fini(struct tls_report_making *m);

#endif
