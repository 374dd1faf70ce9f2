// SPDX-License-Identifier: BSD-2-Clause
/* throttle.h - Decides whether a recipient may get mail now, and if not, when.
 *
 * A key (a tenant and a recipient, a recipient, a tenant …) has a bucket: two theoretical arrival
 * times of GCRA, in integer milliseconds, one for the short limit and one for the day. Buckets are
 * plain values: the caller stores them and passes the time in. All keys of a message are evaluated
 * together, and the strictest decides; nothing is charged for mail that is refused.
 */
#ifndef THROTTLE_H
#define THROTTLE_H

#include "err.h"
#include "stream.h"

/* In the order in which a refusal names them. */
enum throttle_key {
    THROTTLE_CLASS,                         /* tenant, recipient, class */
    THROTTLE_TENANT,                        /* tenant, recipient */
    THROTTLE_RECIPIENT,                     /* recipient, for the whole relay */
    THROTTLE_DOMAIN,                        /* tenant, domain; large providers are exempt */
    THROTTLE_RATE,                          /* tenant */
    THROTTLE_FLOOD,                         /* tenant, recipient: what was refused */
    THROTTLE_BUCKETS,                       /* what follows is counted in another way */
    THROTTLE_FIRST_TIME = THROTTLE_BUCKETS, /* tenant: recipients it has never written to before */
    THROTTLE_REPORT,                        /* recipient: what we ourselves tell it of its mail */
    THROTTLE_KEYS
};
const char *throttle_key_name(enum throttle_key key);

enum throttle_mode { THROTTLE_OFF, THROTTLE_OBSERVE, THROTTLE_ENFORCE };

/* `burst` at once, then one each `every_ms`; never more than `per_day` in 24 hours. */
struct throttle_limit {
    int64_t every_ms; /* 0: unlimited */
    uint32_t burst;   /* at least 1 */
    uint32_t per_day; /* 0: unlimited */
    uint32_t reserve; /* so many of `burst` only the security class may use */
    int64_t hold_ms;  /* wait so long for a slot rather than refuse */
};

/* A stream that has a limit of its own in place of its class's. */
struct throttle_stream {
    char name[64];
    struct throttle_limit limit;
};

struct throttle_settings {
    enum throttle_mode mode;
    struct throttle_stream *streams; /* owned by whoever has made the settings */
    size_t stream_count;
    struct throttle_limit classes[STREAM_CLASSES];
    struct throttle_limit tenant, recipient, domain, rate;
    struct throttle_limit alike; /* mail that says the same within `every_ms` waits only once */
    struct throttle_limit
        first_time;               /* only `per_day` counts, see struct throttle_new_recipients */
    struct throttle_limit report; /* `reserve` is for failures; they wait up to `hold_ms` */
};

/* The proposal's numbers. */
void throttle_defaults(struct throttle_settings *settings_r);
/* Which limit holds for a key of a message of this class. */
struct throttle_limit throttle_limit_of(const struct throttle_settings *s, enum throttle_key key,
                                        enum stream_class class);
/* The limit of that name; NULL: there is none. */
struct throttle_limit *throttle_limit_named(struct throttle_settings *s, struct span name);
/* The names of all limits, in the order in which they are shown; NULL ends the list. */
const char *const *throttle_limit_names(void);
/* The settings for a message of this stream (empty: none) and class. `own_r`: its limit is counted
 * apart from its class's. */
struct throttle_settings throttle_for_stream(const struct throttle_settings *s, const char *stream,
                                             enum stream_class class, bool *own_r);
/* Is it so large a provider that THROTTLE_DOMAIN says nothing? In normal form. */
bool throttle_is_large(const char *domain);

struct throttle_bucket {
    int64_t tat_ms, day_ms; /* 0: never used */
};

/* How long until one more conforms; 0: now. `security`: may use the reserve. A bucket that is far
 * in the future, as after a clock was set back, counts as one full window; the decisions below
 * bring it back to that, so that the window passes.
 */
int64_t throttle_wait_ms(const struct throttle_bucket *b, const struct throttle_limit *limit,
                         bool security, int64_t now_ms);
/* Charge one. */
void throttle_take(struct throttle_bucket *b, const struct throttle_limit *limit, int64_t now_ms);
/* How many would conform now. */
uint32_t throttle_left(const struct throttle_bucket *b, const struct throttle_limit *limit,
                       bool security, int64_t now_ms);
/* How many of a limit may be counted before they come, so that they need not be written down one by
 * one: what is lost of these in a crash is no more than a quarter of what may come at once. 0: each
 * is to be written. */
uint32_t throttle_lease(const struct throttle_limit *limit);
/* The bucket with so many more. */
struct throttle_bucket throttle_ahead(const struct throttle_bucket *b,
                                      const struct throttle_limit *limit, uint32_t count);
/* From this time on the bucket is as if it had never been used. */
int64_t throttle_expires_ms(const struct throttle_bucket *b);

enum throttle_what {
    THROTTLE_PASS,
    THROTTLE_PACE,
    THROTTLE_DEFER,
    THROTTLE_REJECT,
    THROTTLE_REPEATED,  /* has got this message already: not sent again */
    THROTTLE_COLLAPSED, /* will get one that says the same: not sent */
    THROTTLE_REPLACES,  /* goes in the place of one that says the same */
    THROTTLE_SUPPRESSED /* does not want it, or cannot get it */
};
struct throttle_decision {
    enum throttle_what what;
    enum throttle_key key; /* the strictest, unless it passes */
    int64_t wait_ms;       /* PACE, REPLACES: until its slot; DEFER: until one conforms */
    int64_t other;         /* REPEATED, COLLAPSED: the message that goes; REPLACES: that does not */
    unsigned number;       /* REPLACES: which recipient of it */
    bool daily;            /* `key`\'s limit for a day is what is used up */
    bool first_time;       /* its tenant has never written to this recipient */
    bool first;            /* the first refusal of this pair in a window: worth an event */
};

/* Is it DEFER, REJECT or SUPPRESSED? */
bool throttle_refuses(const struct throttle_decision *d);
/* Is it REPEATED or COLLAPSED: nothing is sent, and nothing is wrong? */
bool throttle_repeats(const struct throttle_decision *d);

/* How many recipients a tenant has written to for the first time. Days are counted from 1970, in
 * UTC. */
struct throttle_new_recipients {
    int64_t since_day;    /* the first day that was counted; 0: none yet */
    uint32_t today, most; /* of the seven days before, on the one with the most */
};
int64_t throttle_day(int64_t now_ms);
/* How many there may be today: first_time.per_day, or three times what the week before has seen; 0:
 * no limit, as there is none or the tenant is new and brings all its recipients along. */
uint32_t throttle_new_recipients_limit(const struct throttle_settings *s,
                                       const struct throttle_new_recipients *n, int64_t now_ms);
/* How long until there may be another; 0: now. */
int64_t throttle_new_recipients_wait_ms(const struct throttle_settings *s,
                                        const struct throttle_new_recipients *n, int64_t now_ms);

/* Decide about one message to one recipient and charge the buckets: all of them when it may go,
 * only THROTTLE_FLOOD when not. The buckets that have changed are to be stored in either case. */
struct throttle_decision throttle_decide(const struct throttle_settings *s, enum stream_class class,
                                         enum stream_on_limit on_limit,
                                         struct throttle_bucket buckets[THROTTLE_BUCKETS],
                                         int64_t now_ms);

/* Of one that is repeated, or refused for another reason: only THROTTLE_RATE, which counts what a
 * tenant asks for. Charged unless it is used up: THROTTLE_DEFER. */
struct throttle_decision throttle_charge_rate(const struct throttle_settings *s,
                                              enum stream_class class, struct throttle_bucket *rate,
                                              int64_t now_ms);

/* What is said of a recipient that was refused when others of the same message were not. */
#define THROTTLE_REFUSED "Over a limit on mail to this recipient: refused at submission"

/* What can be said before the message and its class are known: would the mildest class be refused?
 * Nothing is charged but THROTTLE_FLOOD. */
struct throttle_decision throttle_glance(const struct throttle_settings *s,
                                         struct throttle_bucket buckets[THROTTLE_BUCKETS],
                                         int64_t now_ms);

/* The answer for a recipient that is refused. */
struct verdict throttle_verdict(const struct throttle_settings *s, enum stream_class class,
                                const struct throttle_decision *d);
/* The same, with the recipient that it is about in front. */
struct verdict throttle_about(const struct verdict *v, const struct throttle_decision *d,
                              const char *recipient);

#endif
