// SPDX-License-Identifier: BSD-2-Clause
/* where.c - From domains and from people's words to destinations.
 *
 * The queue forgets where a domain leads soon after nothing is due there. Then the host that
 * answered last tells, where it belongs to one destination only.
 */
#include "where.h"

#include "destinations.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HINTS_MAX = 3 };

struct where {
    const struct control_relay *relay;
    json_t *by_host; /* its destination's name; null: it belongs to more than one */
};

static struct span hosts_of(const char *name)
{
    struct span words = span_of(name);
    struct span head = span_take(&words, ' ');
    return span_first(head, span_find(head, ':'));
}

/* "a.test,b.test:25 verify": each of its hosts leads there. */
static void add_hosts(json_t *by_host, const char *name)
{
    char key[ADDRESS_DOMAIN_MAX + 1];
    struct span hosts = hosts_of(name);
    while (hosts.len > 0) {
        if (!span_copy(span_take(&hosts, ','), key, sizeof(key)))
            continue;
        bool known = json_object_get(by_host, key) != NULL;
        json_object_set_new(by_host, key, known ? json_null() : json_row_text(name));
    }
}

struct where *where_new(const struct control *c)
{
    struct destinations_list list;
    if (!c->relay)
        return NULL;
    struct where *w = xcalloc(1, sizeof(*w));
    w->relay = c->relay;
    w->by_host = json_object();
    w->relay->calls->read_known(w->relay->dispatch, &list);
    for (size_t i = 0; i < list.count; i++)
        add_hosts(w->by_host, list.rows[i].name);
    destinations_list_fini(&list);
    return w;
}

void where_free(struct where *w)
{
    if (!w)
        return;
    json_decref(w->by_host);
    free(w);
}

static bool leads(const struct control_relay *relay, const char *domain, char *name_r, size_t size)
{
    struct destinations_list list;
    relay->calls->find_domain(relay->dispatch, domain, &list);
    bool found = list.count > 0;
    if (found)
        snprintf(name_r, size, "%s", list.rows[0].name);
    destinations_list_fini(&list);
    return found;
}

bool where_find(struct where *w, const char *domain, const char *remote, char *name_r, size_t size)
{
    char host[ADDRESS_DOMAIN_MAX + 1];
    struct span answered = span_of(remote);
    if (!w || leads(w->relay, domain, name_r, size))
        return w != NULL;
    if (!span_copy(span_first(answered, span_find(answered, '[')), host, sizeof(host)))
        return false;
    const char *name = json_string_value(json_object_get(w->by_host, host));
    if (name)
        snprintf(name_r, size, "%s", name);
    return name != NULL;
}

bool where_domain_of(const char *recipient, char domain_r[ADDRESS_DOMAIN_MAX + 1])
{
    struct address parsed;
    return address_parse(span_of(recipient), &parsed) &&
           address_domain_ascii(parsed.domain, domain_r);
}

bool where_share(const char *name, const char *other)
{
    struct span hosts = hosts_of(name);
    while (hosts.len > 0) {
        struct span host = span_take(&hosts, ',');
        struct span others = hosts_of(other);
        while (others.len > 0)
            if (span_equal(span_take(&others, ','), host))
                return true;
    }
    return false;
}

/* ---- what a person means ---- */

static void add_hint(char *text, size_t size, const char *begin, const char *name, size_t nth)
{
    size_t len = strlen(text);
    snprintf(text + len, size - len, "%s\"%.60s\"", nth == 0 ? begin : ", ", name);
}

static bool not_found(const struct destinations_list *known, const char *given, struct err *err)
{
    char hint[240] = "";
    size_t hints = 0;
    for (size_t i = 0; i < known->count && *given && hints < HINTS_MAX; i++)
        if (strcasestr(known->rows[i].name, given))
            add_hint(hint, sizeof(hint), "; did you mean ", known->rows[i].name, hints++);
    return err_set(err, ERR_NOT_FOUND, "no destination \"%.60s\"%s%s", given,
                   hints > 0 ? hint : " is known just now: see 'sealpost destination list'",
                   hints > 0 ? "?" : "");
}

/* Its name, or what means exactly one. */
static bool find_meant(const struct destinations_list *known, const char *given, char *name_r,
                       size_t size, struct err *err)
{
    char several[240] = "";
    size_t found = 0;
    for (size_t i = 0; i < known->count; i++) {
        const char *name = known->rows[i].name;
        if (strcmp(name, given) == 0) {
            snprintf(name_r, size, "%s", name);
            return true;
        }
        if (!queue_destination_is_meant(name, given))
            continue;
        if (found == 0)
            snprintf(name_r, size, "%s", name);
        if (found < HINTS_MAX)
            add_hint(several, sizeof(several), "", name, found);
        found++;
    }
    if (found > 1)
        return err_set(err, ERR_USAGE, "\"%.60s\" means more than one destination: %s", given,
                       several);
    return found == 1;
}

bool where_meant(const struct control *c, const char *given, char *name_r, size_t size,
                 struct err *err)
{
    struct destinations_list known;
    char domain[ADDRESS_DOMAIN_MAX + 1];
    c->relay->calls->read_known(c->relay->dispatch, &known);
    bool found = find_meant(&known, given, name_r, size, err);
    if (!found && err->kind == ERR_NONE)
        found =
            address_domain_ascii(span_of(given), domain) && leads(c->relay, domain, name_r, size);
    if (!found && err->kind == ERR_NONE)
        found = not_found(&known, given, err);
    destinations_list_fini(&known);
    return found;
}
