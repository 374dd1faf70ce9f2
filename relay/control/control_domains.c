// SPDX-License-Identifier: BSD-2-Clause
/* control_domains.c - Verbs about sending domains and their keys. */
#include "accounts.h"
#include "address.h"
#include "clock.h"
#include "control_parts.h"

#include <string.h>

/* ---- domains ---- */

static void add_domain(void *context, const struct database_domain *d)
{
    control_add_row(context, ROW(FIELD("name", d->name), FIELD("tenant", d->tenant),
                                 FIELD("created", d->created_ms),
                                 FLAG("captured", d->captured != DOMAIN_SENDS),
                                 FLAG("by_hand", d->captured == DOMAIN_HELD_BY_HAND)));
}

bool control_domain_list(struct database *db, struct control *c, struct err *err)
{
    control_rows(c);
    return database_domains(db, add_domain, c, err);
}

static bool read_key(const char *domain, const json_t *from, struct database_key *key_r)
{
    const char *selector = json_string_value(json_object_get(from, "selector"));
    const char *algorithm = json_string_value(json_object_get(from, "algorithm"));
    const char *public_key = json_string_value(json_object_get(from, "public"));
    const char *delegated = json_string_value(json_object_get(from, "delegated"));
    struct rotation_key *life = &key_r->life;
    *key_r = (struct database_key){.life.created_ms = clock_now_ms()};
    life->since_ms = life->created_ms;
    return selector && algorithm && public_key &&
           span_copy(span_of(domain), key_r->domain, sizeof(key_r->domain)) &&
           span_copy(span_of(selector), life->selector, sizeof(life->selector)) &&
           span_copy(span_of(public_key), key_r->public_key, sizeof(key_r->public_key)) &&
           span_copy(span_of(delegated ? delegated : ""), key_r->delegated,
                     sizeof(key_r->delegated)) &&
           key_algorithm_parse(span_of(algorithm), &life->algorithm);
}

static bool add_keys(struct database *db, struct control *c, enum key_state state, struct err *err)
{
    json_t *keys = json_object_get(c->request, "keys");
    for (size_t i = 0; i < json_array_size(keys); i++) {
        struct database_key key;
        if (!read_key(control_text(c, "name"), json_array_get(keys, i), &key))
            return err_set(err, ERR_USAGE, "request has a malformed key");
        key.life.state = state;
        if (!database_add_key(db, &key, err))
            return false;
    }
    return true;
}

/* As DNS has it: whoever writes to the socket may not be our own command. */
static bool needs_domain(const struct control *c, struct err *err)
{
    char form[ADDRESS_DOMAIN_MAX + 1];
    if (!control_needs(c, "name", err))
        return false;
    return (address_domain_ascii(span_of(control_text(c, "name")), form) &&
            strcmp(form, control_text(c, "name")) == 0) ||
           err_set(err, ERR_USAGE, "\"%.80s\": not a domain name in lower-case A-labels",
                   control_text(c, "name"));
}

bool control_domain_add(struct database *db, struct control *c, struct err *err)
{
    const char *tenant = control_text(c, "tenant");
    const struct database_domain domain = {
        .name = control_text(c, "name"),
        .tenant = tenant ? tenant : "default",
        .created_ms = clock_now_ms(),
        .captured = control_text(c, "captured") ? DOMAIN_HAS_NO_RECORDS : DOMAIN_SENDS};
    return needs_domain(c, err) && control_needs_name(c, "tenant", "default", err) &&
           database_add_domain(db, &domain, err) && add_keys(db, c, KEY_ACTIVE, err);
}

/* "captured": there to begin, absent to end. */
bool control_domain_capture(struct database *db, struct control *c, struct err *err)
{
    return control_needs(c, "name", err) &&
           database_set_captured(db, control_text(c, "name"), DOMAIN_HELD_BY_HAND, err);
}

bool control_domain_release(struct database *db, struct control *c, struct err *err)
{
    return control_needs(c, "name", err) &&
           database_set_captured(db, control_text(c, "name"), DOMAIN_SENDS, err);
}

bool control_domain_remove(struct database *db, struct control *c, struct err *err)
{
    return control_needs(c, "name", err) &&
           database_delete_domain(db, control_text(c, "name"), err);
}

/* ---- keys ---- */

static void add_key(void *context, const struct database_key *k)
{
    control_add_row(context,
                    ROW(FIELD("domain", k->domain), FIELD("selector", k->life.selector),
                        FIELD("algorithm", key_algorithm_name(k->life.algorithm)),
                        FIELD("state", key_state_name(k->life.state)),
                        FIELD("public", k->public_key), FIELD("delegated", k->delegated),
                        FIELD("created", k->life.created_ms), FIELD("since", k->life.since_ms),
                        FIELD("seen", k->life.seen_ms), FIELD("wait", k->life.wait_s)));
}

bool control_key_list(struct database *db, struct control *c, struct err *err)
{
    control_rows(c);
    return database_keys(db, control_text(c, "domain"), add_key, c, err);
}

struct found {
    const char *selector;
    struct database_key key;
    bool is_there;
    size_t active;
};

static void find_key(void *context, const struct database_key *k)
{
    struct found *f = context;
    f->active += k->life.state == KEY_ACTIVE;
    if (strcmp(k->life.selector, f->selector) != 0)
        return;
    f->key = *k;
    f->is_there = true;
}

/* One whose selector was used before, and is over, takes its place. */
bool control_key_add(struct database *db, struct control *c, struct err *err)
{
    const char *selector = json_string_value(
        json_object_get(json_array_get(json_object_get(c->request, "keys"), 0), "selector"));
    struct found f = {.selector = selector ? selector : ""};
    if (!control_needs(c, "name", err) ||
        !database_keys(db, control_text(c, "name"), find_key, &f, err))
        return false;
    if (f.is_there && f.key.life.state == KEY_RETIRED &&
        !database_delete_key(db, f.key.domain, selector, err))
        return false;
    return add_keys(db, c, KEY_PENDING, err);
}

/* What was never used is forgotten, and so is what is over or was revoked before. */
bool control_key_retire(struct database *db, struct control *c, struct err *err)
{
    const char *domain = control_text(c, "name");
    struct found f = {.selector = control_text(c, "selector")};
    if (!control_needs(c, "name", err) || !control_needs(c, "selector", err) ||
        !database_keys(db, domain, find_key, &f, err))
        return false;
    if (!f.is_there)
        return err_set(err, ERR_NOT_FOUND, "%.100s has no key %.60s: see 'key list'", domain,
                       f.selector);
    if (f.key.life.state == KEY_ACTIVE && f.active == 1)
        return err_set(err, ERR_USAGE,
                       "%.60s is the only key that signs for %.100s: 'key rotate' first",
                       f.selector, domain);
    bool forget = f.key.life.state != KEY_ACTIVE && f.key.life.state != KEY_RETIRING;
    PUT(c->answer, FLAG("forgotten", forget));
    if (forget)
        return database_delete_key(db, domain, f.selector, err);
    f.key.life.state = KEY_REVOKED;
    f.key.life.since_ms = clock_now_ms();
    return database_key_step(db, &f.key, err);
}
