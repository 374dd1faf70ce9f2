// SPDX-License-Identifier: BSD-2-Clause
/* config_sections.c - Gives the table to libconfuse as options, and reads the values of each row.
 */
#include "config_sections.h"

#include "config_values.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *at(const struct config *c, size_t offset)
{
    return (char *)(uintptr_t)c + offset;
}

static size_t index_of(const struct config_section *section)
{
    return (size_t)(section - config_sections);
}

/* ---- options ---- */

static cfg_opt_t option_of(const struct config_setting *s)
{
    return config_is_list(s)
               ? (cfg_opt_t)CFG_STR_LIST(s->name, (char *)(uintptr_t)s->fallback, CFGF_NONE)
               : (cfg_opt_t)CFG_STR(s->name, NULL, CFGF_NODEFAULT);
}

static cfg_opt_t *options_of(const struct config_section *section, size_t more)
{
    size_t count = 0;
    while (section->settings[count].name)
        count++;
    cfg_opt_t *options = xcalloc(count + more + 1, sizeof(*options));
    for (size_t i = 0; i < count; i++)
        options[i] = option_of(&section->settings[i]);
    options[count + more] = (cfg_opt_t)CFG_END();
    return options;
}

cfg_t *config_sections_options(void)
{
    cfg_opt_t *all = options_of(&config_sections[0], config_section_count - 1);
    cfg_opt_t *next = all;
    while (next->name)
        next++;
    for (size_t i = 1; i < config_section_count; i++)
        *next++ = (cfg_opt_t)CFG_SEC(
            config_sections[i].name, options_of(&config_sections[i], 0),
            config_sections[i].several ? CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES : CFGF_NONE);
    cfg_t *cfg = cfg_init(all, CFGF_NONE); /* which makes copies */
    CHECK(cfg != NULL);
    for (cfg_opt_t *option = all; option->name; option++)
        free(option->subopts);
    free(all);
    return cfg;
}

/* ---- reading ---- */

static void *element(const struct config *c, const struct config_section *section, size_t nth)
{
    if (section->named)
        return section->named((struct throttle_settings *)(uintptr_t)&c->throttle,
                              span_of(section->names()[nth]));
    if (section->size == 0)
        return at(c, 0);
    return *(char **)at(c, section->array_at) + (section->first + nth) * section->size;
}

void *config_sections_base(const struct config *c, const struct config_section *section,
                           const struct config_setting *s, size_t nth)
{
    return s->flags & CONFIG_BESIDE
               ? *(char **)at(c, section->beside_at) + nth * section->beside_size
               : element(c, section, nth);
}

/* With room for one more, which the file does not say. */
static void make_room(struct config_reading *r, const struct config_section *section)
{
    struct config *c = r->config;
    size_t said = section->several ? cfg_size(r->cfg, section->name) : 1;
    c->said[index_of(section)] = said;
    if (!section->several || section->named)
        return;
    *(void **)at(c, section->array_at) = xcalloc(section->first + said + 1, section->size);
    *(size_t *)at(c, section->count_at) = section->first + said;
    if (section->beside_size == 0)
        return;
    void *beside = xcalloc(said + 1, section->beside_size);
    memset(beside, 0xff, (said + 1) * section->beside_size); /* nothing is said */
    *(void **)at(c, section->beside_at) = beside;
}

static void read_setting(struct config_reading *r, cfg_t *cfg, const struct config_setting *s,
                         void *base)
{
    char why[CONFIG_WHY_MAX];
    bool good = cfg_size(cfg, s->name) > 0;
    for (unsigned i = 0; i < cfg_size(cfg, s->name); i++)
        if (!config_value_take(s, base, cfg_getnstr(cfg, s->name, i), why)) {
            config_fault(r, cfg, s->name, "%s", why);
            good = false;
        }
    if (!good)
        config_value_take_default(s, base);
}

static void read_title(struct config_reading *r, cfg_t *cfg, char *title, size_t size)
{
    struct span text = span_of(cfg_title(cfg));
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.ptr[i] < ' ' || text.ptr[i] == 0x7f) {
            config_fault(r, cfg, NULL, "the name holds a control character");
            return;
        }
    if (!span_copy(text, title, size))
        config_fault(r, cfg, NULL, "the name is longer than %zu bytes", size - 1);
}

static void read_limit_name(struct config_reading *r, cfg_t *cfg,
                            const struct config_section *section)
{
    struct buf names;
    buf_init(&names, 1000);
    for (const char *const *name = section->names(); *name; name++)
        buf_addf(&names, "%s\"%s\"", names.len == 0 ? "" : name[1] ? ", " : " or ", *name);
    config_fault(r, cfg, NULL, "the name of a %s is %s", section->name, buf_text(&names));
    buf_fini(&names);
}

static void read_section(struct config_reading *r, const struct config_section *section, size_t nth)
{
    cfg_t *cfg = section->name[0] ? cfg_getnsec(r->cfg, section->name, (unsigned)nth) : r->cfg;
    void *named =
        section->named ? section->named(&r->config->throttle, span_of(cfg_title(cfg))) : NULL;
    if (section->named && !named) {
        read_limit_name(r, cfg, section);
        return;
    }
    if (section->title_size > 0)
        read_title(r, cfg, element(r->config, section, nth), section->title_size);
    for (const struct config_setting *s = section->settings; s->name; s++)
        read_setting(r, cfg, s, named ? named : config_sections_base(r->config, section, s, nth));
}

/* ---- what is said twice ---- */

static void free_list(void *base, const struct config_setting *s)
{
    char **list = *(char ***)((char *)base + s->at);
    for (size_t i = 0; i < *(size_t *)((char *)base + s->count_at); i++)
        free(list[i]);
    free(list);
}

static const struct config_setting *setting_of(const struct config_statements *all,
                                               const struct config_statement *said)
{
    struct span section = said->parent == SIZE_MAX ? SPAN_NONE : all->list[said->parent].name;
    for (size_t i = 0; i < config_section_count; i++)
        for (const struct config_setting *s = config_sections[i].settings;
             s->name && span_equal(section, span_of(config_sections[i].name)); s++)
            if (span_equal(said->name, span_of(s->name)))
                return s;
    return NULL;
}

/* One that a later one takes the place of has to be right all the same. */
static void check_replaced(struct config_reading *r, const struct config_statement *said)
{
    char why[CONFIG_WHY_MAX];
    const struct config_setting *s = setting_of(&r->text.statements, said);
    if (!s)
        return;
    cfg_opt_t options[] = {option_of(s), CFG_END()};
    cfg_t *cfg = cfg_init(options, CFGF_NONE);
    struct buf text;
    buf_init(&text, r->text.all.limit);
    buf_add(&text, (struct span){r->text.copy + said->begin, said->end - said->begin});
    void *base = xcalloc(1, s->at + s->size + s->count_at + sizeof(size_t));
    if (cfg_parse_buf(cfg, buf_text(&text)) == CFG_SUCCESS)
        for (unsigned i = 0; i < cfg_size(cfg, s->name); i++)
            if (!config_value_take(s, base, cfg_getnstr(cfg, s->name, i), why))
                config_fault_at(r, said, why);
    if (s->type == CONFIG_TEXTS)
        free_list(base, s);
    free(base);
    buf_fini(&text);
    cfg_free(cfg);
}

static void check_statements(struct config_reading *r)
{
    const struct config_statements *all = &r->text.statements;
    for (size_t i = 0; i < all->count; i++)
        if (config_statements_replaced(all, i) &&
            !isspace((unsigned char)r->text.all.ptr[all->list[i].begin])) /* not dropped */
            check_replaced(r, &all->list[i]);
}

/* ---- all of it ---- */

void config_sections_read(struct config_reading *r)
{
    for (size_t i = 0; i < config_section_count; i++)
        make_room(r, &config_sections[i]);
    for (size_t i = 0; i < config_section_count; i++)
        for (size_t nth = 0; nth < r->config->said[i]; nth++)
            read_section(r, &config_sections[i], nth);
    check_statements(r);
}

static void free_lists(struct config *c, const struct config_section *section)
{
    size_t count = section->several ? c->said[index_of(section)] : 1;
    for (const struct config_setting *s = section->settings; s->name; s++)
        for (size_t nth = 0; s->type == CONFIG_TEXTS && nth < count; nth++)
            free_list(config_sections_base(c, section, s, nth), s);
}

void config_sections_free(struct config *c)
{
    for (const struct config_section *section = config_sections;
         section < config_sections + config_section_count; section++) {
        free_lists(c, section);
        if (section->several && section->size > 0)
            free(*(void **)at(c, section->array_at));
        if (section->beside_size > 0)
            free(*(void **)at(c, section->beside_at));
    }
}

/* ---- what is there ---- */

size_t config_sections_count(const struct config *c, const struct config_section *section)
{
    size_t count = 0;
    if (!section->named)
        return c->said[index_of(section)];
    while (section->names()[count])
        count++;
    return count;
}

const char *config_sections_title(const struct config *c, const struct config_section *section,
                                  size_t nth)
{
    return section->named            ? section->names()[nth]
           : section->title_size > 0 ? element(c, section, nth)
                                     : NULL;
}
