// SPDX-License-Identifier: BSD-2-Clause
/* capture.c - Holding the mail of a domain whose DNS records are not right yet. It is decided in
 * the transaction that accepts: the very next message goes once `dns --check` has ended it. */
#include "capture.h"

#include "accounts.h"
#include "events.h"
#include "queue_rows.h"

#include <stdio.h>
#include <string.h>

bool capture_look(struct database *db, struct store_accept *a, struct err *err)
{
    if (!a->may_capture)
        return true;
    a->capture = database_capture_of(db, a->mail->from_domain, err);
    return err->kind == ERR_NONE;
}

bool capture_holds(const struct store_accept *a, size_t i)
{
    char form[ADDRESS_CANONICAL_MAX + 1];
    (void)address_counted_as(a->mail->envelope.rcpts[i].address, form);
    for (size_t k = 0; k < a->operator_count; k++)
        if (strcmp(a->operators[k], form) == 0)
            return false;
    return true;
}

bool capture_note(struct database *db, const struct store_accept *a, size_t i, struct err *err)
{
    static const struct verdict taken = {.code = 250, .enhanced = "2.0.0"};
    char text[ADDRESS_DOMAIN_MAX + 100];
    snprintf(text, sizeof(text),
             a->capture == DOMAIN_HELD_BY_HAND
                 ? "captured: whoever runs the relay holds the mail of %s"
                 : "captured: the DNS records of %s are not right yet",
             a->mail->from_domain);
    return rows_waits_for(db, a->mail, i, text, err) &&
           rows_mail_event(db, a->mail, i, "held", &taken, text, err);
}
