// SPDX-License-Identifier: BSD-2-Clause
/* links.h - What a copy carries so that its recipient can end the stream. */
#ifndef LINKS_H
#define LINKS_H

#include "shard.h"

/* The stream that a message belongs to, as it is configured now; NULL when it is none. */
const struct stream *links_stream(const struct settings *settings, const struct mail *mail);
/* Does each recipient get a copy of its own? */
bool links_needed(const struct settings *settings, const struct mail *mail);
/* Append the URL and the Feedback-ID for one recipient; nothing when none are needed. */
void links_make(const struct settings *settings, const struct mail *mail, const char *recipient,
                struct buf *url, struct buf *feedback_id);

#endif
