// SPDX-License-Identifier: BSD-2-Clause
/* stream.c - The classes and their retry schedules, as one table. */
#include "stream.h"

enum { SECONDS = 1000, MINUTES = 60 * SECONDS, HOURS = 60 * MINUTES };

static const struct schedule {
    int64_t first[6]; /* ms after the n-th failure; 0 ends the list */
    int64_t then;
    int64_t lifetime;
} login = {{15 * SECONDS, 30 * SECONDS, 1 * MINUTES, 2 * MINUTES, 5 * MINUTES},
           5 * MINUTES,
           30 * MINUTES},
  ordinary = {{1 * MINUTES, 5 * MINUTES, 15 * MINUTES, 30 * MINUTES, 1 * HOURS},
              2 * HOURS,
              INT64_C(72) * HOURS};

static const struct {
    const char *name;
    const struct schedule *schedule;
} classes[STREAM_CLASSES] = {
    [STREAM_SECURITY] = {"security", &login},
    [STREAM_CONFIRMATION] = {"confirmation", &ordinary},
    [STREAM_NOTIFICATION] = {"notification", &ordinary},
    [STREAM_INVITATION] = {"invitation", &ordinary},
    [STREAM_DIGEST] = {"digest", &ordinary},
};

const char *stream_class_name(enum stream_class class)
{
    CHECK(class < STREAM_CLASSES);
    return classes[class].name;
}

bool stream_class_parse(struct span name, enum stream_class *class_r)
{
    for (size_t i = 0; i < STREAM_CLASSES; i++) {
        if (span_equal(name, span_of(classes[i].name))) {
            *class_r = (enum stream_class)i;
            return true;
        }
    }
    return false;
}

static const char *const on_limit_names[] = {
    [STREAM_PACE] = "pace", [STREAM_DEFER] = "defer", [STREAM_REJECT] = "reject"};

bool stream_on_limit_parse(struct span name, enum stream_on_limit *on_limit_r)
{
    size_t i = 0;
    bool found = span_among(name, on_limit_names, COUNT_OF(on_limit_names), &i);
    if (found)
        *on_limit_r = (enum stream_on_limit)i;
    return found;
}

const char *stream_on_limit_name(enum stream_on_limit on_limit)
{
    CHECK((unsigned)on_limit < COUNT_OF(on_limit_names));
    return on_limit_names[on_limit];
}

const struct stream *stream_find(const struct stream *streams, size_t count, struct span name)
{
    for (size_t i = 0; i < count; i++)
        if (span_equal(name, span_of(streams[i].name)))
            return &streams[i];
    return NULL;
}

int64_t stream_delay_ms(enum stream_class class, unsigned failed)
{
    CHECK(class < STREAM_CLASSES && failed > 0);
    const struct schedule *s = classes[class].schedule;
    for (size_t i = 0; i < COUNT_OF(s->first) && s->first[i] > 0; i++)
        if (i + 1 == failed)
            return s->first[i];
    return s->then;
}

int64_t stream_lifetime_ms(enum stream_class class)
{
    CHECK(class < STREAM_CLASSES);
    return classes[class].schedule->lifetime;
}
