// SPDX-License-Identifier: BSD-2-Clause
/* control_tlsrpt.c - The verb that lists TLS reports: what is counted, and what was sent. */
#include "control_parts.h"

#include "mail.h"
#include "tlsrpt_reports.h"

#include <string.h>
#include <time.h>

struct page {
    struct control *control;
    int64_t limit, count, day;
    char domain[DNS_NAME_MAX + 1]; /* of the last row */
};

static void print_day(int64_t day, char text_r[16])
{
    time_t t = (time_t)(day * (TLSRPT_DAY_MS / 1000));
    struct tm tm = {0};
    gmtime_r(&t, &tm);
    strftime(text_r, 16, "%Y-%m-%d", &tm);
}

static void add_row(void *context, const struct tlsrpt_entry *e)
{
    struct page *page = context;
    bool waits = e->state == TLSRPT_COUNTING;
    char day[16];
    char id[MAIL_ID_TEXT] = "";
    print_day(e->day, day);
    if (e->message != 0)
        mail_id_print(e->message, id);
    control_add_row(page->control,
                    ROW(FIELD("day", (const char *)day), FIELD("domain", (const char *)e->domain),
                        FIELD("tenant", (const char *)e->tenant),
                        FIELD("state", tlsrpt_state_name(e->state)), FIELD("successful", e->ok),
                        FIELD("failed", e->bad), FIELD("due", waits ? e->due_ms : 0),
                        FIELD("ended", e->ended_ms), FIELD("tries", e->tries),
                        FIELD("to", (const char *)e->uri), FIELD("id", (const char *)id),
                        FIELD("why", (const char *)e->why)));
    page->count++;
    page->day = e->day;
    memcpy(page->domain, e->domain, sizeof(page->domain));
}

bool control_tlsrpt_list(struct database *db, struct control *c, struct err *err)
{
    struct page page = {.control = c, .limit = control_page(c)};
    const json_t *after = json_object_get(c->request, "after");
    if (!database_tlsrpt_list(db, json_row_int(after, "day"), json_row_get(after, "domain"),
                              json_is_true(json_object_get(c->request, "pending")), page.limit,
                              add_row, &page, err))
        return false;
    control_rows(c);
    if (page.count == page.limit)
        PUT(c->answer, FIELD("after", ROW(FIELD("day", page.day),
                                          FIELD("domain", (const char *)page.domain))));
    return true;
}
