// SPDX-License-Identifier: BSD-2-Clause
/* connection_limits_test.c - Who gets a place among the clients, and who gives one up for that. */
#include "table.h"

#include "connection_limits.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct connection_bounds bounds = {.all = 40, .reserve = 10, .per_address = 20, .per_network = 30};

static bool come(struct connection_limits *c, const char *address, bool known, struct connection_place *place)
{
    bool replaces = false;
    bool ok = connection_limits_enter(c, address, known, &bounds, &replaces, place);
    if (ok && replaces) { /* who has to go goes */
        connection_limits_made_room(c, place);
        connection_limits_leave(c, place->name[0] ? place->name : address, known && !place->unknown, NULL);
    }
    return ok;
}

/* One that logs in; whoever gives way for it leaves. True: somebody did. */
static bool log_in(struct connection_limits *c, const char *address, const char *tenant, struct connection_place *place)
{
    struct connection_place ignored;
    assert_true(come(c, address, true, &ignored));
    return connection_limits_settle(c, address, true, tenant, &bounds, place);
}

static void names(char *text, unsigned i)
{
    snprintf(text, 32, "192.0.%u.1", i);
}

static void the_tenant_with_most_gives_way(void **state)
{
    struct connection_limits *c = connection_limits_new();
    struct connection_place place;
    char address[32];
    (void)state;
    for (unsigned i = 0; i < 36; i++) { /* a tenth is for those who have not logged in */
        names(address, i);
        assert_false(log_in(c, address, i < 20 ? "eve" : "bob", &place));
    }
    assert_true(log_in(c, "192.0.100.1", "carl", &place));
    assert_string_equal(place.tenant, "eve");
    assert_string_equal(place.name, "");
    assert_int_equal(place.held, 20);
    assert_int_equal(place.limit, 40);
    connection_limits_made_room(c, &place);
    for (unsigned i = 0; i < 4; i++) { /* until there are as many of bob's: then the newcomer's own */
        names(address, i);
        connection_limits_leave(c, address, true, "eve");
    }
    for (unsigned i = 0; i < 3; i++)
        assert_false(log_in(c, "192.0.101.1", "carl", &place));
    assert_true(log_in(c, "192.0.101.1", "bob", &place));
    assert_string_equal(place.tenant, "bob");
    connection_limits_free(c);
}

/* The kind: all choose by what was before any of them. */
static void many_who_log_in_at_once_take_the_places_of_more_than_one(void **state)
{
    enum { MANY = 4 };
    struct connection_limits *c = connection_limits_new();
    struct connection_place places[MANY];
    char address[32];
    (void)state;
    for (unsigned i = 0; i < 36; i++) {
        names(address, i);
        assert_false(log_in(c, address, i < 19 ? "eve" : "bob", &places[0]));
    }
    unsigned eves = 0;
    for (unsigned i = 0; i < (unsigned)MANY; i++) {
        names(address, 100 + i);
        assert_true(log_in(c, address, "carl", &places[i]));
        eves += strcmp(places[i].tenant, "eve") == 0;
    }
    assert_int_equal(eves, 3); /* 19 and 17 of bob's: until both have 16 */
    for (unsigned i = 0; i < (unsigned)MANY; i++) { /* none was there, or it has left */
        connection_limits_made_room(c, &places[i]);
        names(address, 100 + i);
        connection_limits_leave(c, address, true, "carl");
    }
    assert_true(log_in(c, "192.0.100.1", "carl", &places[0])); /* as before */
    assert_string_equal(places[0].tenant, "eve");
    assert_int_equal(places[0].held, 19);
    connection_limits_free(c);
}

/* Who has to leave an address leaves the network and all places, too: that makes room there. */
static void who_goes_is_gone_from_all_that_it_is_in(void **state)
{
    static const char *const sources[][2] = {{"192.0.2.1", "192.0.2.2"}, {"2001:db8::1", "2001:db8:0:2::1"}};
    struct connection_place place;
    struct connection_place other;
    (void)state;
    for (unsigned i = 0; i < COUNT_OF(sources); i++) {
        struct connection_limits *c = connection_limits_new();
        for (unsigned k = 0; k < 18; k++)
            assert_false(log_in(c, sources[i][0], "eve", &place));
        for (unsigned k = 0; k < 9; k++)
            assert_false(log_in(c, sources[i][1], "eve", &place));
        EXPECT(log_in(c, sources[i][0], "bob", &place), sources[i][0]);
        connection_limits_leave(c, sources[i][1], true, "eve");
        EXPECT(!log_in(c, sources[i][1], "bob", &other), "27 in the network, without the one that goes");
        connection_limits_leave(c, sources[i][0], true, "eve");
        connection_limits_made_room(c, &place);
        EXPECT(log_in(c, sources[i][1], "bob", &other), "27, and it has gone");
        connection_limits_free(c);
    }
}

static void an_address_is_shared_as_well(void **state)
{
    struct connection_limits *c = connection_limits_new();
    struct connection_place place;
    (void)state;
    for (unsigned i = 0; i < 18; i++)
        assert_false(log_in(c, "192.0.2.1", "eve", &place));
    assert_true(log_in(c, "192.0.2.1", "bob", &place));
    assert_string_equal(place.tenant, "eve");
    assert_string_equal(place.name, "192.0.2.1");
    assert_true(connection_limits_is_place(&place, "192.0.2.1", true));
    assert_false(connection_limits_is_place(&place, "192.0.2.2", true));
    connection_limits_made_room(c, &place);
    connection_limits_leave(c, "192.0.2.1", true, "eve");
    for (unsigned i = 0; i < 9; i++) /* the network: 27 of 30 */
        assert_false(log_in(c, "192.0.2.2", "eve", &place));
    assert_true(log_in(c, "192.0.2.3", "bob", &place));
    assert_string_equal(place.name, "192.0.2.0/24");
    assert_string_equal(place.tenant, "eve");
    connection_limits_free(c);
}

static void there_is_always_a_place_to_log_in_on(void **state)
{
    struct connection_limits *c = connection_limits_new();
    struct connection_place place;
    char address[32];
    (void)state;
    for (unsigned i = 0; i < 36; i++) {
        names(address, i);
        assert_false(log_in(c, address, "eve", &place));
    }
    for (unsigned i = 0; i < 50; i++) {
        names(address, 100 + i);
        EXPECT(come(c, address, false, &place), address);
        EXPECT(come(c, "198.51.100.1", true, &place), address);
    }
    connection_limits_free(c);
}

/* Of strangers the oldest of the address with most goes, whoever comes. */
static void one_address_takes_no_strangers_place(void **state)
{
    struct connection_limits *c = connection_limits_new();
    struct connection_place place;
    char address[32];
    (void)state;
    for (unsigned i = 0; i < 15; i++)
        assert_true(come(c, "198.51.100.1", false, &place));
    for (unsigned i = 0; i < 15; i++) {
        names(address, i);
        assert_true(come(c, address, false, &place));
        assert_string_equal(place.name, "");
    }
    assert_true(come(c, "203.0.113.1", false, &place));
    assert_string_equal(place.name, "198.51.100.1");
    assert_int_equal(place.kind, LOGIN_LIMIT_ADDRESS);
    assert_true(come(c, "198.51.100.1", false, &place));
    assert_string_equal(place.name, "198.51.100.1");
    connection_limits_free(c);
}

/* ---- strangers that come faster than others leave ---- */

enum { CLIENTS = 4000, WAITING = 400 };

struct client {
    char address[32];
    bool known, stays, settled;
};

struct crowd {
    struct connection_limits *limits;
    struct client clients[CLIENTS];
    struct connection_place waiting[WAITING]; /* to be made room at */
    unsigned count, waiting_count, staying;
    uint64_t random;
};

static unsigned draw(struct crowd *c, unsigned below)
{
    c->random = c->random * 6364136223846793005U + 1442695040888963407U;
    return (unsigned)(c->random >> 33) % below;
}

static void somebody_comes(struct crowd *c)
{
    struct client *n = &c->clients[c->count];
    bool replaces = false;
    unsigned from = draw(c, 30); /* the lower, the more come from there */
    snprintf(n->address, sizeof(n->address), "192.0.%u.%u", from < 10 ? draw(c, 3) : from, draw(c, 2));
    n->known = from >= 15;
    struct connection_place *place = &c->waiting[c->waiting_count];
    if (!connection_limits_enter(c->limits, n->address, n->known, &bounds, &replaces, place))
        return;
    n->stays = true;
    c->waiting_count += replaces;
    c->staying++;
    c->count++;
}

static void leave(struct crowd *c, struct client *n)
{
    n->stays = false;
    c->staying--;
    connection_limits_leave(c->limits, n->address, n->known, n->settled ? "eve" : NULL);
}

/* One that is there goes, or logs in: it may be the one whose place somebody has. */
static void somebody_moves(struct crowd *c)
{
    struct connection_place ignored;
    struct client *n = c->count ? &c->clients[draw(c, c->count)] : NULL;
    if (!n || !n->stays)
        return;
    if (n->settled || draw(c, 2)) {
        leave(c, n);
        return;
    }
    n->settled = true;
    if (connection_limits_settle(c->limits, n->address, n->known, "eve", &bounds, &ignored))
        connection_limits_made_room(c->limits, &ignored); /* here it stays: these are about strangers */
}

static void room_is_made(struct crowd *c)
{
    if (c->waiting_count == 0)
        return;
    unsigned at = draw(c, c->waiting_count);
    struct connection_place place = c->waiting[at];
    c->waiting[at] = c->waiting[--c->waiting_count];
    for (unsigned i = 0; i < c->count; i++) {
        struct client *n = &c->clients[i];
        if (!n->stays || n->settled || !connection_limits_is_place(&place, n->address, n->known))
            continue;
        connection_limits_made_room(c->limits, &place);
        leave(c, n);
        return;
    }
    if (connection_limits_look_again(c->limits, &place))
        c->waiting[c->waiting_count++] = place;
}

static unsigned strangers(const struct crowd *c)
{
    unsigned count = 0;
    for (unsigned i = 0; i < c->count; i++)
        count += c->clients[i].stays && !c->clients[i].settled;
    return count;
}

/* The kind: many choose who has to leave by what was before any of them left. However the turns fall, when all is done there
 * are no more than there may be, unless nobody is left who has not logged in. */
static void however_many_come_at_once_there_are_no_more_than_may_be(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 100; seed++) {
        struct crowd *c = xcalloc(1, sizeof(*c));
        unsigned haste = seed % 8;
        char text[64];
        c->limits = connection_limits_new();
        c->random = seed;
        for (unsigned i = 0; i < CLIENTS && c->waiting_count + 1 < WAITING; i++) {
            unsigned what = draw(c, 10 + haste);
            if (what < 3)
                somebody_moves(c);
            else if (what < 6)
                room_is_made(c);
            else
                somebody_comes(c);
        }
        for (unsigned i = 0; i < 10 * WAITING && c->waiting_count > 0; i++)
            room_is_made(c);
        snprintf(text, sizeof(text), "seed %u: %u stay, %u wait", seed, c->staying, c->waiting_count);
        EXPECT(c->waiting_count == 0 && (c->staying <= bounds.all || strangers(c) == 0), text);
        for (unsigned i = 0; i < c->count; i++)
            if (c->clients[i].stays)
                leave(c, &c->clients[i]);
        connection_limits_free(c->limits);
        free(c);
    }
}

static void what_is_left_leaves_nothing_behind(void **state)
{
    struct connection_limits *c = connection_limits_new();
    struct connection_place place;
    (void)state;
    for (unsigned round = 0; round < 100; round++) {
        for (unsigned i = 0; i < 18; i++)
            assert_false(log_in(c, "2001:db8::1", "eve", &place));
        for (unsigned i = 0; i < 18; i++)
            connection_limits_leave(c, "2001:db8::1", true, "eve");
    }
    connection_limits_free(c);
}

/* Whoever is served keeps its place: of those alone, the newcomer is refused. */
static void who_is_served_keeps_its_place(void **state)
{
    struct connection_limits *c = connection_limits_new();
    const struct connection_bounds few = {.all = 4, .per_address = 3, .per_network = 4};
    struct connection_place place;
    bool replaces = false;
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        assert_true(connection_limits_enter(c, "192.0.2.1", false, &few, &replaces, &place));
        assert_false(replaces);
        connection_limits_serve(c, "192.0.2.1", false, true);
    }
    assert_false(connection_limits_enter(c, "192.0.2.1", false, &few, &replaces, &place));
    assert_true(connection_limits_enter(c, "192.0.3.1", false, &few, &replaces, &place));
    assert_false(replaces);
    connection_limits_serve(c, "192.0.2.1", false, false);
    assert_true(connection_limits_enter(c, "192.0.2.1", false, &few, &replaces, &place));
    assert_true(replaces);
    connection_limits_made_room(c, &place);
    connection_limits_leave(c, "192.0.2.1", false, NULL);
    for (unsigned i = 0; i < 2; i++)
        connection_limits_serve(c, "192.0.2.1", false, false);
    for (unsigned i = 0; i < 3; i++)
        connection_limits_leave(c, "192.0.2.1", false, NULL);
    connection_limits_leave(c, "192.0.3.1", false, NULL);
    connection_limits_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_tenant_with_most_gives_way),
        cmocka_unit_test(many_who_log_in_at_once_take_the_places_of_more_than_one),
        cmocka_unit_test(who_goes_is_gone_from_all_that_it_is_in),
        cmocka_unit_test(an_address_is_shared_as_well),
        cmocka_unit_test(there_is_always_a_place_to_log_in_on),
        cmocka_unit_test(one_address_takes_no_strangers_place),
        cmocka_unit_test(however_many_come_at_once_there_are_no_more_than_may_be),
        cmocka_unit_test(who_is_served_keeps_its_place),
        cmocka_unit_test(what_is_left_leaves_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
