// SPDX-License-Identifier: BSD-2-Clause
/* returns_phrases.h - The words of phrases.txt, by which mail that comes back is told apart. */
#ifndef RETURNS_PHRASES_H
#define RETURNS_PHRASES_H

#include "buf.h"

#define RETURNS_PHRASES(X)                    \
    X(DAEMON, "daemon")                       \
    X(NOTICE_SUBJECT, "notice-subject")       \
    X(BOUNCE_SUBJECT, "bounce-subject")       \
    X(COMPLAINT_SUBJECT, "complaint-subject") \
    X(FAILURE, "failure")                     \
    X(DELAY, "delay")                         \
    X(ORIGINAL, "original")                   \
    X(RECIPIENT_LABEL, "recipient-label")     \
    X(OTHER_LINE, "other-line")               \
    X(REASON_LABEL, "reason-label")           \
    X(AUTO_SUBJECT, "auto-subject")           \
    X(AUTO_TEXT, "auto-text")                 \
    X(CHALLENGE, "challenge")

#define RETURNS_PHRASE_ENUM(name, word) RETURNS_PHRASE_##name,
enum returns_phrases { RETURNS_PHRASES(RETURNS_PHRASE_ENUM) RETURNS_PHRASE_LISTS };
#undef RETURNS_PHRASE_ENUM

/* Append the text in lower case, with one blank for white space of any kind, as the lists have it.
 */
void returns_fold(struct span text, struct buf *out);

/* Is one of the list's phrases in it? It is folded. */
bool returns_phrase_in(enum returns_phrases list, struct span folded);
/* Does it begin with one? */
bool returns_phrase_begins(enum returns_phrases list, struct span folded);
/* Does it end with one, which begins a word? */
bool returns_phrase_ends(enum returns_phrases list, struct span folded);

#endif
