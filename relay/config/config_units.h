// SPDX-License-Identifier: BSD-2-Clause
/* config_units.h - Numbers as people write them: "25M", "64K", "90s", "5m", "2h", "30d". Callbacks
 * of libconfuse; without a unit a number counts as its setting has always counted it. */
#ifndef CONFIG_UNITS_H
#define CONFIG_UNITS_H

#include <confuse.h>

int config_units_number(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result);
int config_units_seconds(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result);
int config_units_days(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result);
int config_units_bytes(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result);
int config_units_mebibytes(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result);

#define CONFIG_NUMBER(name, value) CFG_INT_CB(name, value, CFGF_NONE, config_units_number)
#define CONFIG_SECONDS(name, value) CFG_INT_CB(name, value, CFGF_NONE, config_units_seconds)
#define CONFIG_DAYS(name, value) CFG_INT_CB(name, value, CFGF_NONE, config_units_days)
#define CONFIG_BYTES(name, value) CFG_INT_CB(name, value, CFGF_NONE, config_units_bytes)
#define CONFIG_MEBIBYTES(name, value) CFG_INT_CB(name, value, CFGF_NONE, config_units_mebibytes)

#endif
