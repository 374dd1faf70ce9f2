// SPDX-License-Identifier: BSD-2-Clause
/* rejects.h - Counts connections that were refused or closed before login, and logs the networks
 * with the most in one line a minute: a flood is visible, and does not fill the log. */
#ifndef REJECTS_H
#define REJECTS_H

struct rejects;

/* `event`: of the line. Free with rejects_free(), which tells what is counted. */
struct rejects *rejects_new(const char *event);
void rejects_free(struct rejects *r);

/* From any thread: one more, from that address. */
void rejects_add(struct rejects *r, const char *peer);
/* Tell what is counted, when its minute is over. */
void rejects_tick(struct rejects *r);

#endif
