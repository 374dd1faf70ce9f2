// SPDX-License-Identifier: BSD-2-Clause
/* stream.c - The table of classes and their retry schedules; streams by name. */
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
    int64_t late; /* ms after which it has not come as soon as expected */
} classes[STREAM_CLASSES] = {
    [STREAM_SECURITY] = {"security", &login, 5 * MINUTES},
    [STREAM_CONFIRMATION] = {"confirmation", &ordinary, 1 * HOURS},
    [STREAM_NOTIFICATION] = {"notification", &ordinary, 4 * HOURS},
    [STREAM_INVITATION] = {"invitation", &ordinary, 4 * HOURS},
    [STREAM_DIGEST] = {"digest", &ordinary, 24 * HOURS},
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

const char *stream_title(const struct stream *s, enum language language)
{
    if (s->titles[language][0])
        return s->titles[language];
    return s->titles[LANGUAGE_EN][0] ? s->titles[LANGUAGE_EN] : s->name;
}

const struct stream *stream_find(const struct stream *streams, size_t count, struct span name)
{
    for (size_t i = 0; i < count; i++)
        if (span_equal(name, span_of(streams[i].name)))
            return &streams[i];
    return NULL;
}

int64_t stream_delay_ms(const struct stream *s, enum stream_class class, unsigned failed)
{
    CHECK(class < STREAM_CLASSES && failed > 0);
    const struct schedule *usual = classes[class].schedule;
    if (s && s->retry_count > 0)
        return s->retries_ms[(failed < s->retry_count ? failed : s->retry_count) - 1];
    for (size_t i = 0; i < COUNT_OF(usual->first) && usual->first[i] > 0; i++)
        if (i + 1 == failed)
            return usual->first[i];
    return usual->then;
}

int64_t stream_late_ms(const struct stream *s, enum stream_class class)
{
    CHECK(class < STREAM_CLASSES);
    if (s && s->delay_notice_ms > 0)
        return s->delay_notice_ms;
    int64_t half = stream_lifetime_ms(s, class) / 2;
    return classes[class].late < half ? classes[class].late : half;
}

int64_t stream_lifetime_ms(const struct stream *s, enum stream_class class)
{
    CHECK(class < STREAM_CLASSES);
    return s && s->lifetime_ms > 0 ? s->lifetime_ms : classes[class].schedule->lifetime;
}
