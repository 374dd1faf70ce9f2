// SPDX-License-Identifier: BSD-2-Clause
/* config_units.c - A number, and a letter of the unit's table. What does not come out even in the
 * setting's own unit is refused, as is what no setting could mean. */
#include "config_units.h"

#include "span.h"

#include <limits.h>
#include <stdint.h>

struct unit {
    const char *name; /* NULL ends a table */
    int64_t times;
};

static const struct unit times[] = {{"s", 1},     {"m", 60},     {"h", 3600},
                                    {"d", 86400}, {"w", 604800}, {NULL, 0}};
static const struct unit sizes[] = {{"K", 1024},
                                    {"KB", 1024},
                                    {"KiB", 1024},
                                    {"M", 1024 * 1024},
                                    {"MB", 1024 * 1024},
                                    {"MiB", 1024 * 1024},
                                    {"G", 1024 * 1024 * 1024},
                                    {"GB", 1024 * 1024 * 1024},
                                    {"GiB", 1024 * 1024 * 1024},
                                    {"B", 1},
                                    {NULL, 0}};
static const struct unit none[] = {{NULL, 0}};

/* `own`: how many of the table's units the setting counts in. */
static bool parse(struct span text, const struct unit *units, int64_t own, int64_t *number_r)
{
    uint64_t number = 0;
    size_t digits = 0;
    while (digits < text.len && text.ptr[digits] >= '0' && text.ptr[digits] <= '9')
        digits++;
    struct span unit = span_trim(span_from(text, digits));
    if (digits == 0 || digits > 10 || !span_number(span_first(text, digits), &number))
        return false;
    *number_r = (int64_t)number;
    for (; unit.len > 0 && units->name; units++) {
        if (!span_equal_nocase(unit, span_of(units->name)))
            continue;
        int64_t all = (int64_t)number * units->times;
        *number_r = all / own;
        return all % own == 0 && *number_r < INT_MAX;
    }
    return unit.len == 0 && *number_r < INT_MAX;
}

static int convert(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result,
                   const struct unit *units, int64_t own, const char *allowed)
{
    int64_t number = 0;
    if (!parse(span_trim(span_of(value)), units, own, &number)) {
        cfg_error(cfg, "setting \"%s\" is \"%s\": allowed is %s", cfg_opt_name(opt), value,
                  allowed);
        return -1;
    }
    *(long *)result = (long)number;
    return 0;
}

int config_units_number(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
    return convert(cfg, opt, value, result, none, 1, "a number");
}

int config_units_seconds(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
    return convert(cfg, opt, value, result, times, 1,
                   "a time: seconds, or a number with s, m, h, d or w, as 5m");
}

int config_units_days(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
    return convert(cfg, opt, value, result, times, 86400,
                   "a time in whole days, as 180, 180d or 26w");
}

int config_units_bytes(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
    return convert(cfg, opt, value, result, sizes, 1,
                   "a size: bytes, or a number with K, M or G, as 25M");
}

int config_units_mebibytes(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
    return convert(cfg, opt, value, result, sizes, 1024 * 1024,
                   "a size in whole MiB, as 512, 512M or 2G");
}
