// SPDX-License-Identifier: BSD-2-Clause
/* queue_meant_test.c - Which parts of a destination's name stand for it, as a table. */
#include "table.h"

#include "queue_view.h"

#define LONG "relay.example:587 verify smarthost login-682fbae2"
#define PAIR "mx1.club.example,mx2.club.example:25"

static const struct {
    const char *label, *name, *given;
    bool meant;
} rows[] = {
    {"itself", LONG, LONG, true},
    {"its host", LONG, "relay.example", true},
    {"with port", LONG, "Relay.Example:587", true},
    {"another port", LONG, "relay.example:25", false},
    {"a beginning of a word", LONG, "relay.example login-68", true},
    {"two", LONG, "relay.example log ver", true},
    {"a word it lacks", LONG, "relay.example require", false},
    {"a word alone", LONG, "login-682", true},
    {"too short to tell alone", LONG, "log", false},
    {"no part of a host", LONG, "relay", false},
    {"a domain above its host", PAIR, "club.example", false},
    {"its second host", PAIR, "mx2.club.example", true},
    {"with port", PAIR, "mx2.club.example:25", true},
    {"both", PAIR, "mx1.club.example,mx2.club.example", true},
    {"a provider", "google:25 verify", "google", true},
    {"nothing", PAIR, "", false},
    {"a blank", PAIR, " ", false},
    {"a port", PAIR, ":25", false},
    {"a comma", PAIR, ",", false},
    {"blanks behind it", PAIR, "mx1.club.example ", true},
    {"an address", "[2001:db8::1]:25", "[2001:db8::1]", true},
};

static void parts_of_names_stand_for_them(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        EXPECT(queue_destination_is_meant(rows[i].name, rows[i].given) == rows[i].meant,
               rows[i].label);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(parts_of_names_stand_for_them)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
