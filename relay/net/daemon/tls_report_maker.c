// SPDX-License-Identifier: BSD-2-Clause
/* tls_report_maker.c - One report after the other, on a thread of the pool. */
#include "tls_report_maker.h"

#include "check.h"
#include "fetch_order.h"

#include <stdlib.h>
#include <utlist.h>

/* On a thread of its own: nobody else has `m` meanwhile. */
static void make(uv_work_t *work)
{
    struct tls_report_making *m = work->data;
    const int64_t begin_s = m->day * (TLSRPT_DAY_MS / 1000);
    m->report = (struct tlsrpt_report){.organization = m->organization,
                                       .contact = m->contact,
                                       .id = m->id,
                                       .begin_s = begin_s,
                                       .end_s = begin_s + TLSRPT_DAY_MS / 1000 - 1};
    tlsrpt_gather_report(m->counts, &m->report);
    buf_init(&m->packed, FETCH_POST_MAX);
    m->made = tlsrpt_report_packed(&m->report, &m->packed);
    m->report.policies = NULL;
    m->report.policy_count = 0;
    tlsrpt_gather_free(m->counts);
    m->counts = NULL;
}

static void on_made(uv_work_t *work, int status);

static void start(struct tls_report_maker *maker)
{
    maker->work.data = maker->waiting;
    CHECK(uv_queue_work(maker->loop, &maker->work, make, on_made) == 0);
}

static void on_made(uv_work_t *work, int status)
{
    struct tls_report_maker *maker = OWNER_OF(work, struct tls_report_maker, work);
    struct tls_report_making *m = work->data;
    (void)status; /* what is under way is not cancelled */
    DL_DELETE(maker->waiting, m);
    if (maker->waiting)
        start(maker);
    m->done(m->context, m);
}

void tls_report_maker_ask(struct tls_report_maker *maker, struct tls_report_making *m,
                          tls_report_on_made *done, void *context)
{
    bool idle = !maker->waiting;
    m->done = done;
    m->context = context;
    DL_APPEND(maker->waiting, m);
    if (idle)
        start(maker);
}

bool tls_report_maker_take_back(struct tls_report_maker *maker, struct tls_report_making *m)
{
    if (maker->waiting == m)
        return false;
    DL_DELETE(maker->waiting, m);
    return true;
}

void tls_report_making_copy(const struct tls_report_making *m, struct buf *copy_r)
{
    buf_init(copy_r, FETCH_POST_MAX);
    CHECK(buf_add(copy_r, buf_span(&m->packed)));
}

void tls_report_making_fini(struct tls_report_making *m)
{
    tlsrpt_gather_free(m->counts);
    free(m->organization);
    free(m->contact);
    buf_fini(&m->packed);
}
