// SPDX-License-Identifier: BSD-2-Clause
/* log.h - One event, one line, to stderr: the level, the event word, then key=value (logfmt).
 *
 *   info delivered id=… rcpt=… mx=… tls="TLSv1.3 …" code=250 dsn=2.0.0 reply="…" delay_ms=…
 *
 * Values are quoted and escaped here, never by callers: what peers say is hostile. Secrets never
 * come here. Keys: id from rcpt mx tls verified code dsn reply delay_ms tries due user peer helo
 * domain selector file size count what listener site limit hop route message_id stream tenant
 * tls_policy tls_result category rule.
 */
#ifndef LOG_H
#define LOG_H

#include "check.h"
#include "err.h"
#include "span.h"

#include <stdint.h>

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

struct log_line; /* one line being made, on this thread */

/* From here on a line never makes its thread wait. Before there are threads and a sandbox. */
void log_open(void);
/* From here on what this thread says, warnings and errors excepted, is put out by
 * log_end_of_turn(), which it calls before it waits. */
void log_turns(void);
void log_end_of_turn(void);
/* Write what could not be written before; now and then, from any thread. */
void log_flush(void);
/* The last lines: wait for them, but not long. */
void log_close(void);

/* What is less than that is not written. From any thread. */
void log_set_level(enum log_level level);

/* Begin a line, add to it, write it. A line that is not wanted costs next to nothing. */
struct log_line *log_begin(enum log_level level, const char *event);
struct log_line *log_text(struct log_line *line, const char *key, const char *value);
struct log_line *log_span(struct log_line *line, const char *key, struct span value);
struct log_line *log_number(struct log_line *line, const char *key, int64_t value);
struct log_line *log_id(struct log_line *line, int64_t id);
void log_end(struct log_line *line);

/* A line with one value. */
void log_event(enum log_level level, const char *event, const char *key, const char *value);
/* A line with what went wrong, if anything did: for work that nobody waits for the end of. */
void log_fault(const char *event, const struct err *err);

#endif
