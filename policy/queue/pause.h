// SPDX-License-Identifier: BSD-2-Clause
/* pause.h - One pause: pauses.c says when it begins and ends, paused.c what it holds back,
 * kept_pauses.c what is known of it after a restart. */
#ifndef PAUSE_H
#define PAUSE_H

#include "queue_moves.h"
#include "queue_pause.h"

enum { PAUSE_MAX_MS = 2 * 60 * 60 * 1000, PAUSE_FORGET_MS = 24 * 60 * 60 * 1000 };
enum { PAUSE_PROBE_MS = 60 * 1000, PAUSES_MAX = 256, PAUSE_GROWN = 20, PAUSE_TEXT = 800 };

struct pause {
    struct pause *next, *prev; /* tenant->pauses, or queue.pauses: the oldest first */
    struct destination *destination;
    struct tenant *tenant; /* NULL: everybody's mail */
    enum queue_pause_kind kind;
    enum queue_pause_state state;
    const char *domain; /* of recipients; "": all there */
    char *about, *row, *why;
    uint32_t place; /* queue.pause_wakes */
    int64_t wake_ms, since_ms, until_ms, for_ms;
    uint64_t serial;  /* since when its state is so: what was carried before says nothing of it */
    uint64_t by;      /* of everybody's, while it asks: over whose mail it was met; 0: nobody's */
    uint64_t refused; /* when it last began to rest, as `serial` */
    uint64_t probe;   /* SENDER: what tries, as `carried` of its connection */
    unsigned count;   /* COUNTS: how often it was met; else how often it has rested in a row */
    unsigned allowed;
    bool changed; /* since it was taken to be kept */
};

/* What it is about, to be found by. */
struct pause_key {
    const struct tenant *tenant; /* or NULL */
    enum queue_pause_kind kind;
    const char *domain, *about;
};
struct pause *pause_find(const struct destination *d, const struct pause_key *key);

/* It holds back mail, or tries whether it has to. */
static inline bool pause_is_active(const struct pause *p)
{
    return p->state == QUEUE_PAUSE_RESTS || p->state == QUEUE_PAUSE_ASKS ||
           p->state == QUEUE_PAUSE_GROWS;
}

/* The same, and people are shown it. */
static inline bool pause_is_shown(const struct pause *p)
{
    return pause_is_active(p) && p->kind != QUEUE_PAUSE_ALARM;
}

struct pause *pause_add(struct queue *q, struct destination *d, const struct pause_key *key);
void pause_move(struct queue *q, struct pause *p, enum queue_pause_state state, int64_t wake_ms);
void pause_drop(struct queue *q, struct pause *p);
/* As events have it: whose mail, from where and where to, and why. */
void pause_print(const struct pause *p, char text_r[PAUSE_TEXT]);
/* To be kept anew. */
static inline void pause_changed(struct queue *q, struct pause *p)
{
    p->changed = q->pauses_changed = true;
}

#endif
