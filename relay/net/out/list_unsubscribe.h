// SPDX-License-Identifier: BSD-2-Clause
/* list_unsubscribe.h - List-Unsubscribe and related fields of an outgoing copy. */
#ifndef LIST_UNSUBSCRIBE_H
#define LIST_UNSUBSCRIBE_H

#include "mail.h"
#include "settings.h"

/* The stream that a message belongs to, as it is configured now; NULL when it is none. */
const struct stream *list_unsubscribe_stream(const struct settings *settings,
                                             const struct mail *mail);
/* Does each recipient get a copy of its own? */
bool list_unsubscribe_needed(const struct settings *settings, const struct mail *mail);
/* Append the URL and the Feedback-ID for one recipient; nothing when none are needed. */
void list_unsubscribe_make(const struct settings *settings, const struct mail *mail,
                           const char *recipient, struct buf *url, struct buf *feedback_id);

#endif
