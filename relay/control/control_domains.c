// SPDX-License-Identifier: BSD-2-Clause
/* control_domains.c - Verbs about sending domains and their keys. */
#include "accounts.h"
#include "address.h"
#include "clock.h"
#include "control_parts.h"
#include "queued.h"

#include <stdio.h>
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

enum { HELD_AT_ONCE = 20000 };

/* What waits of a domain that was there before would be signed by a key that nobody finds in DNS:
 * it is held as what is accepted from now on is, and in the same transaction. */
static bool hold_waiting(struct database *db, struct control *c, struct err *err)
{
    struct database_filter filter = {
        .author = control_text(c, "name"), .state = -1, .after.number = -1};
    char text[300];
    int64_t held = 0;
    if (!control_text(c, "captured"))
        return true;
    if (!database_queue_change(db, &filter, HELD_AT_ONCE, DATABASE_HOLD, "", &held, err))
        return false;
    if (held == HELD_AT_ONCE) /* others' mail would wait for long; all of it is undone */
        return err_set(
            err, ERR_USAGE,
            "%d recipients or more of mail of %.100s wait: hold them first, by 'sealpost "
            "queue hold --sender @%.100s'",
            HELD_AT_ONCE, filter.author, filter.author);
    snprintf(text, sizeof(text),
             "%lld recipients of mail of %.100s waited, and are held, as the domain's new keys are "
             "not in DNS yet: 'sealpost queue list --held' lists them, 'queue release' sends them",
             (long long)held, filter.author);
    if (held > 0)
        control_warn(c, text);
    return true;
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
           database_add_domain(db, &domain, err) && add_keys(db, c, KEY_ACTIVE, err) &&
           hold_waiting(db, c, err);
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

/* Credentials that may send as a domain. */
struct senders {
    const char *domain;
    struct buf names;
    size_t count;
};

static void add_sender(void *context, const struct database_user *u)
{
    enum { NAMED_MAX = 10 };
    struct senders *s = context;
    bool may = false;
    for (struct span rest = span_of(u->identity.allowed); rest.len > 0;) {
        struct span domain = span_take(&rest, ' ');
        struct span local = span_take(&domain, '@');
        may = may || span_equal_nocase(domain.len > 0 ? domain : local, span_of(s->domain));
    }
    if (may && s->count++ < NAMED_MAX)
        buf_addf(&s->names, "%s%s", s->count > 1 ? ", " : "", u->identity.name);
    if (may && s->count == NAMED_MAX + 1)
        buf_addf(&s->names, " and others");
}

/* Whose mail is refused from now on. */
static bool tell_senders(struct database *db, struct control *c, struct err *err)
{
    char text[900];
    struct senders s = {.domain = control_text(c, "name")};
    buf_init(&s.names, 700);
    bool ok = database_users(db, add_sender, &s, err);
    snprintf(text, sizeof(text),
             "%.100s may still be named by credentials, whose mail is refused: %s", s.domain,
             buf_text(&s.names));
    if (ok && s.count > 0)
        control_warn(c, text);
    buf_fini(&s.names);
    return ok;
}

/* What is in the queue can be signed no more. */
static bool tell_waiting(struct database *db, struct control *c, struct err *err)
{
    const struct database_filter filter = {
        .author = control_text(c, "name"), .state = MAIL_WAITING, .after.number = -1};
    char text[400];
    int64_t count = 0;
    if (!database_queue_count(db, &filter, &count, err))
        return false;
    snprintf(text, sizeof(text),
             "%lld recipients of mail of %.100s are in the queue, and wait as nothing signs it: "
             "'queue bounce' returns it, and 'sealpost domain add %.100s' makes new keys, "
             "which are to be published",
             (long long)count, filter.author, filter.author);
    if (count > 0)
        control_warn(c, text);
    return true;
}

bool control_domain_remove(struct database *db, struct control *c, struct err *err)
{
    return control_needs(c, "name", err) &&
           database_delete_domain(db, control_text(c, "name"), err) && tell_waiting(db, c, err) &&
           tell_senders(db, c, err);
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
