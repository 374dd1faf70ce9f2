// SPDX-License-Identifier: BSD-2-Clause
/* rejects.h - Connections that were refused, or closed, before anybody had logged in: counted, and
 * told by network in one line a minute. A flood can be seen, and fills no log. */
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
