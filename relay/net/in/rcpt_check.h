// SPDX-License-Identifier: BSD-2-Clause
/* rcpt_check.h - May a recipient get mail at all? */
#ifndef RCPT_CHECK_H
#define RCPT_CHECK_H

#include "sessions.h"
#include "submission.h"

/* Answer SUBMISSION_LIMIT. */
void rcpt_check_judge(struct sessions *home, struct settings *settings, struct submission *sub);
/* Somebody was refused mail of that user: from now on, for a while, recipients are looked at. It is
 * written into the audit trail. */
void rcpt_check_flooded(struct sessions *home, const char *recipient, const char *user);

#endif
