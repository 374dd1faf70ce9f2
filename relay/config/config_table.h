// SPDX-License-Identifier: BSD-2-Clause
/* config_table.h - All settings as one table: to add one is to add a row.
 *
 * The row says how the value is written, what it may be, what it is when the file does not say it,
 * which member of which struct it goes to, whether a reload may change it, and what it is for. All
 * else comes from the row: libconfuse's options, the checks and what they say, config show, the
 * comparison at a reload, and the test that the manual page knows the setting.
 */
#ifndef CONFIG_TABLE_H
#define CONFIG_TABLE_H

#include "config.h"

/* What is written, and the member that takes it. */
enum config_type {
    CONFIG_TEXT,         /* char[] */
    CONFIG_TEXTS,        /* a list: const char *const *, and how many */
    CONFIG_WORD,         /* one of `words`: its index, in a bool or an enum */
    CONFIG_COLOR,        /* uint32_t */
    CONFIG_NUMBER,       /* these go to an integer of 4 or 8 bytes */
    CONFIG_SECONDS,      /* with a unit, as 5m */
    CONFIG_MILLISECONDS, /* the same, counted in thousandths */
    CONFIG_DAYS,
    CONFIG_BYTES, /* with a unit, as 25M */
    CONFIG_MEBIBYTES,
    CONFIG_TIMES /* a list of times: an array int64_t[] in milliseconds, and how many */
};

/* RELOAD: sessions and deliveries take the new value at their next step. */
enum config_change {
    CONFIG_RELOAD,
    CONFIG_RESTART,
    CONFIG_KNOWN /* a text: by a restart, unless it is empty or one of the sections had it */
};

enum {
    CONFIG_QUIET = 1,  /* not shown while it has no value */
    CONFIG_SECRET = 2, /* shown without its value */
    CONFIG_BESIDE = 4  /* the member is in the section's second struct */
};

struct config_setting {
    const char *name;
    enum config_type type;
    size_t at, size;          /* of the member */
    const char *fallback;     /* as a file would say it; NULL: the member stays as it is */
    int64_t min, max;         /* in the setting's own unit; of words: the first that is allowed */
    const char *about;        /* one line */
    size_t count_at;          /* of a list; of texts there are `max` at most, 0 any number */
    const char *const *words; /* NULL ends them; also of texts */
    const char *(*fault)(const char *); /* NULL: it is good; else what is allowed */
    enum config_change change;
    unsigned flags;
};

/* A section. One that may stand several times has its elements in an array, whose pointer and
 * count are members of struct config; each begins with its title. */
struct config_section {
    const char *name; /* "" all that is in no section */
    const struct config_setting *settings;
    bool several;
    size_t array_at, count_at, size; /* 0: the settings are members of struct config itself */
    size_t first;                    /* so many elements come before those of the file */
    size_t title_size;
    size_t beside_at, beside_size; /* an array of second structs */
    /* Where there is no array: by title; and all titles. */
    struct throttle_limit *(*named)(struct throttle_settings *, struct span);
    const char *const *(*names)(void);
};

enum { CONFIG_MOST = 999999999 };

extern const struct config_section config_sections[];
extern const size_t config_section_count;

#endif
