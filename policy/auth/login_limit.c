// SPDX-License-Identifier: BSD-2-Clause
/* login_limit.c - Leaky buckets in a table of sets of eight. The set is chosen by a keyed MAC, so
 * that an attacker cannot choose which bucket to fill.
 *
 * A successful login does not empty a bucket: otherwise whoever has one account could guess at
 * others in between. A name that has logged in from an address has a bucket of its own there, so
 * that other people's guesses do not lock it out.
 */
#include "login_limit.h"

#include "check.h"
#include "secret.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    WAYS = 8,
    FIRST_DELAY_MS = 500,
    LAST_DELAY_MS = 8000,
    FIRST_LOCK_MS = 15 * 60 * 1000,
    LAST_LOCK_MS = 4 * 3600 * 1000,
    KNOWN_FACTOR = 10, /* so many more failures lock an address that somebody has logged in from */
    KNOWN_ADDRESS = LOGIN_LIMIT_KINDS + 1
};
static const int64_t day_ms = (int64_t)24 * 3600 * 1000;

/* How many failures lock, and how long one of them is remembered. */
static const struct measure {
    const char *name;
    unsigned locks_at;
    int64_t leak_ms;
    int bits4, bits6;
} measures[] = {
    [LOGIN_LIMIT_NAME] = {"name", 20, 3 * 60 * 1000, 0, 0},
    [LOGIN_LIMIT_ADDRESS] = {"address", 10, 60 * 1000, 32, 64},
    [LOGIN_LIMIT_NETWORK] = {"network", 60, 15 * 1000, 24, 48},
    [LOGIN_LIMIT_WIDE] = {"wide network", 400, 3 * 1000, 16, 32},
    [LOGIN_LIMIT_PAIR] = {"name at address", 10, 6 * 1000, 32, 64},
};

struct slot {
    unsigned char mac[16];
    char text[LOGIN_LIMIT_TEXT];
    unsigned char
        kind; /* LOGIN_LIMIT_KINDS: a name that logged in there; KNOWN_ADDRESS: somebody did */
    unsigned char locks;
    bool used;
    uint16_t failures;
    int64_t leaked_ms; /* failures are counted down to this time; a login: its time */
    int64_t locked_ms; /* until when */
    int64_t last_lock_ms;
};

struct login_limit {
    size_t sets;
    struct secret_keyed *keyed;
    struct slot slots[];
};

struct login_limit *login_limit_new(size_t slots)
{
    CHECK(slots > 0 && slots % WAYS == 0);
    char key[32];
    struct login_limit *g = xcalloc(1, sizeof(*g) + slots * sizeof(g->slots[0]));
    g->sets = slots / WAYS;
    secret_random(key, sizeof(key));
    g->keyed = secret_keyed_new((struct span){key, sizeof(key)});
    secret_clear(key, sizeof(key));
    return g;
}

void login_limit_free(struct login_limit *g)
{
    if (!g)
        return;
    secret_keyed_free(g->keyed);
    free(g);
}

const char *login_limit_kind_name(enum login_limit_kind kind)
{
    return measures[kind].name;
}

/* ---- names of buckets ---- */

static void mask(unsigned char *bytes, size_t len, int bits)
{
    for (size_t i = 0; i < len; i++, bits -= 8)
        bytes[i] &= (unsigned char)(bits >= 8 ? 0xff : bits <= 0 ? 0 : 0xff << (8 - bits));
}

void login_limit_network(const char *address, enum login_limit_kind kind, char *text_r)
{
    unsigned char bytes[16];
    char text[INET6_ADDRSTRLEN] = "";
    int family = inet_pton(AF_INET, address, bytes) == 1    ? AF_INET
                 : inet_pton(AF_INET6, address, bytes) == 1 ? AF_INET6
                                                            : AF_UNSPEC;
    int bits = family == AF_INET ? measures[kind].bits4 : measures[kind].bits6;
    if (family == AF_UNSPEC || kind == LOGIN_LIMIT_NAME) {
        snprintf(text_r, LOGIN_LIMIT_TEXT, "%s", address);
        return;
    }
    mask(bytes, family == AF_INET ? 4 : 16, bits);
    inet_ntop(family, bytes, text, sizeof(text));
    if (bits == 32 && family == AF_INET)
        snprintf(text_r, LOGIN_LIMIT_TEXT, "%s", text);
    else
        snprintf(text_r, LOGIN_LIMIT_TEXT, "%s/%d", text, bits);
}

/* A name from outside may be anything; what is kept of it can be shown. */
static void name_text(struct span name, char *text_r)
{
    size_t used = 0;
    for (size_t i = 0; i < name.len && used + 1 < LOGIN_LIMIT_TEXT; i++) {
        unsigned char c = (unsigned char)name.ptr[i];
        text_r[used++] = c < ' ' || c >= 0x7f ? '?' : (char)c;
    }
    text_r[used] = '\0';
}

/* ---- slots ---- */

struct place {
    unsigned char mac[16];
    unsigned char kind;
};

static struct place place_of(const struct login_limit *g, unsigned kind, struct span a,
                             const char *b)
{
    struct place p = {.kind = (unsigned char)kind};
    struct buf text;
    buf_init(&text, 4096);
    buf_addf(&text, "%u\n%.*s\n%s", kind, SPAN_ARG(span_first(a, 1024)), b);
    secret_keyed_mac(g->keyed, buf_span(&text), p.mac);
    buf_fini(&text);
    return p;
}

static struct slot *set_of(struct login_limit *g, const struct place *p)
{
    uint64_t number = 0;
    memcpy(&number, p->mac, sizeof(number));
    return &g->slots[number % g->sets * WAYS];
}

static struct slot *find(struct login_limit *g, const struct place *p)
{
    struct slot *set = set_of(g, p);
    for (size_t i = 0; i < WAYS; i++)
        if (set[i].used && memcmp(set[i].mac, p->mac, sizeof(p->mac)) == 0)
            return &set[i];
    return NULL;
}

/* What may be forgotten first: a bucket with few failures; a login only after all those; what is
 * locked last. */
static int64_t worth(const struct slot *s)
{
    if (!s->used)
        return -1;
    int64_t rank = s->kind >= LOGIN_LIMIT_KINDS ? UINT16_MAX : s->failures;
    return (rank + (s->locked_ms ? UINT16_MAX : 0)) << 44 | (s->leaked_ms >> 8 & 0xfffffffffff);
}

static struct slot *take(struct login_limit *g, const struct place *p, const char *text,
                         int64_t now_ms)
{
    struct slot *found = find(g, p);
    if (found)
        return found;
    struct slot *set = set_of(g, p);
    found = set;
    for (size_t i = 1; i < WAYS; i++)
        if (worth(&set[i]) < worth(found))
            found = &set[i];
    *found = (struct slot){.used = true, .kind = p->kind, .leaked_ms = now_ms};
    memcpy(found->mac, p->mac, sizeof(p->mac));
    snprintf(found->text, sizeof(found->text), "%s", text);
    return found;
}

static void leak(struct slot *s, int64_t now_ms)
{
    int64_t out = (now_ms - s->leaked_ms) / measures[s->kind].leak_ms;
    if (out >= s->failures) {
        s->failures = 0;
        s->leaked_ms = now_ms;
    } else if (out > 0) {
        s->failures = (uint16_t)(s->failures - out);
        s->leaked_ms += out * measures[s->kind].leak_ms;
    }
}

/* ---- what is asked ---- */

static struct slot *known(struct login_limit *g, unsigned kind, struct span name,
                          const char *address)
{
    char network[LOGIN_LIMIT_TEXT];
    login_limit_network(address, LOGIN_LIMIT_ADDRESS, network);
    struct place p = place_of(g, kind, name, network);
    return find(g, &p);
}

static bool is_known(struct login_limit *g, struct span name, const char *address, int64_t now_ms)
{
    const struct slot *s = known(g, LOGIN_LIMIT_KINDS, name, address);
    return s && now_ms - s->leaked_ms < LOGIN_LIMIT_KNOWN_DAYS * day_ms;
}

bool login_limit_knows(struct login_limit *g, const char *address, int64_t now_ms)
{
    const struct slot *s = known(g, KNOWN_ADDRESS, SPAN_NONE, address);
    return s && now_ms - s->leaked_ms < LOGIN_LIMIT_KNOWN_DAYS * day_ms;
}

static struct place bucket(const struct login_limit *g, enum login_limit_kind kind,
                           struct span name, const char *address, char text_r[LOGIN_LIMIT_TEXT])
{
    char network[LOGIN_LIMIT_TEXT];
    login_limit_network(address, kind, network);
    name_text(name, text_r);
    if (kind == LOGIN_LIMIT_NAME)
        return place_of(g, kind, name, "");
    if (kind == LOGIN_LIMIT_PAIR) {
        size_t room = LOGIN_LIMIT_TEXT - strlen(network) - sizeof(" from ");
        size_t len = strlen(text_r) < room ? strlen(text_r) : room;
        snprintf(text_r + len, LOGIN_LIMIT_TEXT - len, " from %s", network);
        return place_of(g, kind, name, network);
    }
    memcpy(text_r, network, sizeof(network));
    return place_of(g, kind, SPAN_NONE, network);
}

/* The owner has no lock: one more may be tried when one failure has leaked away. */
static int64_t owner_waits_ms(struct login_limit *g, struct span name, const char *address,
                              int64_t now_ms)
{
    char text[LOGIN_LIMIT_TEXT];
    struct place p = bucket(g, LOGIN_LIMIT_PAIR, name, address, text);
    struct slot *s = find(g, &p);
    if (!s)
        return 0;
    leak(s, now_ms);
    if (s->failures < measures[LOGIN_LIMIT_PAIR].locks_at)
        return 0;
    return s->leaked_ms + measures[LOGIN_LIMIT_PAIR].leak_ms - now_ms;
}

struct login_limit_judgement login_limit_judge(struct login_limit *g, struct span name,
                                               const char *address, int64_t now_ms)
{
    char text[LOGIN_LIMIT_TEXT];
    struct login_limit_judgement j = {.owner = is_known(g, name, address, now_ms)};
    if (j.owner) {
        j.wait_ms = owner_waits_ms(g, name, address, now_ms);
        return j;
    }
    for (unsigned kind = 0; kind < LOGIN_LIMIT_KINDS; kind++) {
        struct place p = bucket(g, (enum login_limit_kind)kind, name, address, text);
        const struct slot *s = find(g, &p);
        if (s && s->locked_ms - now_ms > j.wait_ms)
            j.wait_ms = s->locked_ms - now_ms;
    }
    return j;
}

static int64_t lock(struct slot *s, int64_t now_ms)
{
    int64_t for_ms = FIRST_LOCK_MS;
    s->locks = now_ms - s->last_lock_ms > day_ms || s->last_lock_ms == 0 ? 0 : s->locks;
    for (unsigned i = 0; i < s->locks && for_ms < LAST_LOCK_MS; i++)
        for_ms *= 2;
    s->locks = (unsigned char)(s->locks < 10 ? s->locks + 1 : s->locks);
    s->last_lock_ms = now_ms;
    s->locked_ms = now_ms + for_ms;
    s->failures = 0;
    s->leaked_ms = now_ms;
    return for_ms;
}

static int64_t delay_after(unsigned failures)
{
    int64_t delay_ms = FIRST_DELAY_MS;
    for (unsigned i = 1; i < failures && delay_ms < LAST_DELAY_MS; i++)
        delay_ms *= 2;
    return delay_ms;
}

/* Whose mistakes fill what: the owner's own only theirs; at an address where nobody has logged in,
 * there are no pairs to tell apart. */
static bool fills(enum login_limit_kind kind, bool owner, bool known_address)
{
    return kind == LOGIN_LIMIT_PAIR ? known_address : !owner;
}

static unsigned locks_at(enum login_limit_kind kind, bool known_address)
{
    return measures[kind].locks_at *
           (kind == LOGIN_LIMIT_ADDRESS && known_address ? KNOWN_FACTOR : 1);
}

struct login_limit_outcome login_limit_failed(struct login_limit *g, struct span name,
                                              const char *address, int64_t now_ms)
{
    struct login_limit_outcome o = {.delay_ms = FIRST_DELAY_MS};
    bool owner = is_known(g, name, address, now_ms);
    bool known_address = owner || login_limit_knows(g, address, now_ms);
    for (unsigned i = 0; i < LOGIN_LIMIT_KINDS; i++) {
        enum login_limit_kind kind = (enum login_limit_kind)i;
        char text[LOGIN_LIMIT_TEXT];
        if (!fills(kind, owner, known_address))
            continue;
        struct place p = bucket(g, kind, name, address, text);
        struct slot *s = take(g, &p, text, now_ms);
        leak(s, now_ms);
        if (!owner || s->failures < measures[kind].locks_at) /* one may always be tried soon */
            s->failures++;
        bool delays = kind == LOGIN_LIMIT_NAME || kind == LOGIN_LIMIT_PAIR ||
                      (kind == LOGIN_LIMIT_ADDRESS && !known_address);
        if (delays && delay_after(s->failures) > o.delay_ms)
            o.delay_ms = delay_after(s->failures);
        if (s->failures < locks_at(kind, known_address) || s->locked_ms > now_ms)
            continue;
        bool again = owner && now_ms - s->last_lock_ms < FIRST_LOCK_MS && s->last_lock_ms != 0;
        if (owner)
            s->last_lock_ms = again ? s->last_lock_ms : now_ms;
        if (again)
            continue;
        snprintf(o.locked[o.count].text, LOGIN_LIMIT_TEXT, "%s", text);
        o.locked[o.count++].for_ms = owner ? 0 : lock(s, now_ms);
    }
    return o;
}

void login_limit_remember(struct login_limit *g, struct span name, const char *network,
                          int64_t at_ms)
{
    struct place p = place_of(g, LOGIN_LIMIT_KINDS, name, network);
    struct place address = place_of(g, KNOWN_ADDRESS, SPAN_NONE, network);
    take(g, &p, network, at_ms)->leaked_ms = at_ms;
    struct slot *s = take(g, &address, network, at_ms);
    s->leaked_ms = at_ms > s->leaked_ms ? at_ms : s->leaked_ms;
}

bool login_limit_succeeded(struct login_limit *g, struct span name, const char *address,
                           int64_t now_ms)
{
    char network[LOGIN_LIMIT_TEXT];
    const struct slot *s = known(g, LOGIN_LIMIT_KINDS, name, address);
    if (s && now_ms - s->leaked_ms < LOGIN_LIMIT_SAVE_MS)
        return false;
    login_limit_network(address, LOGIN_LIMIT_ADDRESS, network);
    login_limit_remember(g, name, network, now_ms);
    return true;
}

static bool open_one(struct login_limit *g, enum login_limit_kind kind, struct span name,
                     const char *address)
{
    char text[LOGIN_LIMIT_TEXT];
    struct place p = bucket(g, kind, name, address, text);
    struct slot *s = find(g, &p);
    bool was = s && (s->failures > 0 || s->locked_ms > 0);
    if (s)
        *s = (struct slot){0};
    return was;
}

/* Is the text of a pair "what from …" or "… from what", or all of it? */
static bool speaks_of(const char *text, const char *what)
{
    size_t len = strlen(text);
    size_t part = strlen(what);
    bool begins =
        part + 6 < len && memcmp(text, what, part) == 0 && memcmp(text + part, " from ", 6) == 0;
    bool ends = part + 6 < len && memcmp(text + len - part, what, part) == 0 &&
                memcmp(text + len - part - 6, " from ", 6) == 0;
    return begins || ends || strcmp(text, what) == 0;
}

static bool open_pairs(struct login_limit *g, const char *what)
{
    bool any = false;
    for (size_t i = 0; i < g->sets * WAYS; i++) {
        struct slot *s = &g->slots[i];
        if (!s->used || s->kind != LOGIN_LIMIT_PAIR || !speaks_of(s->text, what))
            continue;
        any = any || s->failures > 0 || s->locked_ms > 0;
        *s = (struct slot){0};
    }
    return any;
}

bool login_limit_unlock(struct login_limit *g, const char *what)
{
    char address[LOGIN_LIMIT_TEXT];
    bool any = false;
    snprintf(address, sizeof(address), "%.*s", (int)strcspn(what, "/"), what);
    any = open_one(g, LOGIN_LIMIT_NAME, span_of(what), "");
    any = open_one(g, LOGIN_LIMIT_ADDRESS, SPAN_NONE, address) || any;
    any = open_one(g, LOGIN_LIMIT_NETWORK, SPAN_NONE, address) || any;
    any = open_pairs(g, what) || any;
    return open_one(g, LOGIN_LIMIT_WIDE, SPAN_NONE, address) || any;
}

void login_limit_list(const struct login_limit *g, int64_t now_ms, login_limit_on_row *on_row,
                      void *context)
{
    for (size_t i = 0; i < g->sets * WAYS; i++) {
        struct slot s = g->slots[i];
        if (!s.used || s.kind >= LOGIN_LIMIT_KINDS)
            continue;
        leak(&s, now_ms);
        struct login_limit_row row = {.kind = (enum login_limit_kind)s.kind,
                                      .text = s.text,
                                      .failures = s.failures,
                                      .locked_ms = s.locked_ms > now_ms ? s.locked_ms - now_ms : 0};
        if (row.failures > 0 || row.locked_ms > 0)
            on_row(context, &row);
    }
}
