// SPDX-License-Identifier: BSD-2-Clause
/* config_tls.c - The relay's certificates: the one of section "tls" comes first, then those of the
 * sections "certificate".
 */
#include "config_tls.h"

#include <stdlib.h>

cfg_opt_t *config_tls_options(void)
{
    static cfg_opt_t options[] = {CFG_STR("certificate", "", CFGF_NONE),
                                  CFG_STR("key", "", CFGF_NONE), CFG_END()};
    return options;
}

cfg_opt_t *config_certificate_options(void)
{
    static cfg_opt_t options[] = {CFG_STR("file", "", CFGF_NONE), CFG_STR("key", "", CFGF_NONE),
                                  CFG_STR("server", "", CFGF_NONE), CFG_END()};
    return options;
}

void config_tls_read(struct config_reading *r)
{
    struct config *c = r->config;
    unsigned count = cfg_size(r->cfg, "certificate");
    c->certificates = xcalloc(count + 1, sizeof(*c->certificates));
    c->certificate_count = count + 1;
    cfg_t *tls = cfg_getsec(r->cfg, "tls");
    config_take(r, tls, "certificate", c->certificates[0].file, sizeof(c->certificates[0].file));
    config_take(r, tls, "key", c->certificates[0].key, sizeof(c->certificates[0].key));
    if (cfg_size(r->cfg, "listener") > 0 &&
        (!config_says(r, tls, "certificate") || !config_says(r, tls, "key")))
        config_fault(r, tls, NULL, "needs certificate and key, both in PEM");
    for (unsigned i = 0; i < count; i++) {
        cfg_t *section = cfg_getnsec(r->cfg, "certificate", i);
        struct tls_certificate *to = &c->certificates[i + 1];
        config_take_title(r, section, to->name, sizeof(to->name));
        config_take(r, section, "file", to->file, sizeof(to->file));
        config_take(r, section, "key", to->key, sizeof(to->key));
        config_take(r, section, "server", to->server, sizeof(to->server));
        if (!config_says(r, section, "file") || !config_says(r, section, "key"))
            config_fault(r, section, NULL, "needs file and key, both in PEM");
    }
}

void config_tls_print(const struct config *c, struct buf *out)
{
    const struct tls_certificate *main = &c->certificates[0];
    buf_addf(out, "tls { certificate = \"%s\"  key = \"%s\" }\n", main->file, main->key);
    for (size_t i = 1; i < c->certificate_count; i++)
        buf_addf(out, "certificate \"%s\" { file = \"%s\"  key = \"%s\"  server = \"%s\" }\n",
                 c->certificates[i].name, c->certificates[i].file, c->certificates[i].key,
                 c->certificates[i].server);
}
