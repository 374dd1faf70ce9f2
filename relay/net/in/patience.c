// SPDX-License-Identifier: BSD-2-Clause
/* patience.c - Clients that keep a connection busy with next to nothing. The connection's own timer
 * knows silence; one byte a minute is no silence, but it is no command and no message either. */
#include "session_parts.h"

#include "log.h"

enum { HANDSHAKE_S = 60, DATA_WINDOW_S = 120 };

/* Since the last look but one: something whole, or enough of a message? */
static bool is_slow(struct session *s, uint64_t now_ms)
{
    const struct config *c = s->settings->config;
    bool data = s->started && s->submission.phase == SUBMISSION_DATA;
    unsigned window_s = c->idle_s < DATA_WINDOW_S ? c->idle_s : DATA_WINDOW_S;
    uint64_t passed_s = (now_ms - s->then_ms) / 1000;
    bool leaves = s->started && s->submission.want == SUBMISSION_CLOSE;
    bool moved =
        s->asking || leaves || data != s->then_data || s->submission.lines != s->then_lines;
    bool slow = data ? passed_s >= window_s && s->bytes - s->then_bytes < passed_s * c->rate
                     : passed_s >= (s->started ? c->idle_s : HANDSHAKE_S);
    if (slow && !moved)
        return true;
    if (moved || (data && passed_s >= window_s)) {
        s->then_ms = now_ms;
        s->then_bytes = s->bytes;
        s->then_lines = s->submission.lines;
        s->then_data = data;
    }
    return false;
}

void session_end_slow(struct shard *shard)
{
    struct session *s;
    struct session *next;
    HASH_ITER (hh, shard->sessions, s, next) {
        if (!is_slow(s, uv_now(&shard->loop)))
            continue;
        log_event(LOG_INFO, "too_slow", "peer", s->peer);
        if (s->started) {
            submission_hang_up(&s->submission, "client too slow: closing connection");
            session_pump(s);
        } else {
            connection_close(s->connection, "handshake took too long");
        }
    }
}
