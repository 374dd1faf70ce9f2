// SPDX-License-Identifier: BSD-2-Clause
/* config_tls.c - The relay's certificates: the one of section "tls" comes first, then those of the
 * sections "certificate".
 */
#include "config_tls.h"

#include <stdio.h>
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

static void add(struct config *c, const char *server, const char *file, const char *key)
{
    struct tls_certificate *to = &c->certificates[c->certificate_count++];
    snprintf(to->server, sizeof(to->server), "%s", server);
    snprintf(to->file, sizeof(to->file), "%s", file);
    snprintf(to->key, sizeof(to->key), "%s", key);
}

bool config_tls_read(struct config *c, cfg_t *cfg, struct err *err)
{
    unsigned count = cfg_size(cfg, "certificate");
    c->certificates = xcalloc(count + 1, sizeof(*c->certificates));
    add(c, "", cfg_getstr(cfg, "tls|certificate"), cfg_getstr(cfg, "tls|key"));
    for (unsigned i = 0; i < count; i++) {
        cfg_t *section = cfg_getnsec(cfg, "certificate", i);
        const char *file = cfg_getstr(section, "file");
        const char *key = cfg_getstr(section, "key");
        if (!file[0] || !key[0])
            return err_set(err, ERR_CONFIG, "%s: certificate %s needs file and key, both in PEM",
                           c->path, cfg_title(section));
        add(c, cfg_getstr(section, "server"), file, key);
    }
    return true;
}

void config_tls_print(const struct config *c, struct buf *out)
{
    const struct tls_certificate *main = &c->certificates[0];
    buf_addf(out, "tls { certificate = \"%s\"  key = \"%s\" }\n", main->file, main->key);
    for (size_t i = 1; i < c->certificate_count; i++)
        buf_addf(out, "certificate \"%zu\" { file = \"%s\"  key = \"%s\"  server = \"%s\" }\n", i,
                 c->certificates[i].file, c->certificates[i].key, c->certificates[i].server);
}
