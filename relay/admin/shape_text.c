// SPDX-License-Identifier: BSD-2-Clause
/* shape_text.c - What `shape explain` found, for people: a line for each limit with where it is
 * from, what rests, and what each class may do. */
#include "cli_shape.h"

#include <stdio.h>
#include <string.h>

static void begin_line(const char *title)
{
    printf("\n  %-12s ", title);
}

static void print_text(const char *before, const char *text)
{
    fputs(before, stdout);
    cli_print_safe(text);
}

/* ---- where it goes ---- */

static void print_place(const json_t *shape)
{
    begin_line("goes to");
    if (*json_row_get(shape, "leads_to"))
        cli_print_safe(json_row_get(shape, "leads_to"));
    else
        print_text("no host: ", json_row_get(shape, "mx"));
    if (*json_row_get(shape, "mx_why"))
        print_text(": ", json_row_get(shape, "mx_why"));
    if (!*json_row_get(shape, "leads_to"))
        fputs("; its mail waits, or is returned", stdout);
    else if (!json_row_is(shape, "running"))
        fputs("; no relay is running: what holds just now is not known", stdout);
    else if (!json_row_is(shape, "known"))
        fputs("; the relay knows nothing of it, this is what would hold", stdout);
    else if (json_row_is(shape, "looked_up"))
        fputs("; the relay has no mail for this domain just now, but knows the destination",
              stdout);
    if (strcmp(json_row_get(shape, "state"), "unresolvable") == 0)
        print_text("; the relay has found no host: ", json_row_get(shape, "why"));
    begin_line("route");
    if (json_object_get(shape, "route")) {
        print_text("\"", json_row_get(shape, "route"));
        print_text("\": ", json_row_get(shape, "route_from"));
    } else {
        fputs("none in the config file: by the domain's MX records", stdout);
    }
}

/* ---- limits ---- */

static const struct {
    const char *limit, *title, *what;
} titles[] = {
    {"connections", "connections", "at most"},
    {"messages_a_connection", "messages", "on one connection"},
    {"provider_connections", "provider", "connections at most, of all its destinations"},
    {"window", "window", "connections now"},
    {"address_connections", "address", "connections at most to one address"},
    {"tenant_connections", "tenant", "connections at most while others want some"},
    {"kept_for_security", "reserve", "kept for class security here"},
    {"relay_connections", "relay", "connections at most to all destinations"},
    {"relay_kept_for_security", "", "of them kept for class security"},
};

static void print_limit(const json_t *row)
{
    for (size_t i = 0; i < COUNT_OF(titles); i++)
        if (strcmp(titles[i].limit, json_row_get(row, "limit")) == 0) {
            begin_line(titles[i].title);
            printf("%lld %s", (long long)json_row_int(row, "value"), titles[i].what);
        }
    if (json_object_get(row, "in_use"))
        printf(", %lld in use", (long long)json_row_int(row, "in_use"));
    if (*json_row_get(row, "from")) {
        print_text(" (", json_row_get(row, "from"));
        putchar(')');
    }
    if (*json_row_get(row, "why"))
        print_text(": ", json_row_get(row, "why"));
}

static void print_whose(const json_t *row)
{
    if (*json_row_get(row, "tenant"))
        print_text(" for mail of tenant ", json_row_get(row, "tenant"));
    else
        fputs(" for all mail", stdout);
}

static void print_speed(const json_t *speed)
{
    if (!speed)
        return;
    begin_line("speed");
    printf("%lld messages a minute", (long long)json_row_int(speed, "messages_a_minute"));
    print_whose(speed);
    fputs(", since ", stdout);
    cli_print_time(json_row_int(speed, "since"));
    if (*json_row_get(speed, "reply"))
        print_text(", by the reply: ", json_row_get(speed, "reply"));
    begin_line("");
    if (json_row_is(speed, "closed"))
        fputs("nothing was taken lately: one message asks each minute", stdout);
    else if (json_row_int(speed, "refused_a_minute") == 0)
        fputs("more is tried while that is taken", stdout);
    else if (json_row_int(speed, "more_in_s") == 0)
        printf("%lld were too many; that is tried again when what is below it was taken",
               (long long)json_row_int(speed, "refused_a_minute"));
    else
        printf("%lld were too many, which is tried again in %lld s at the earliest",
               (long long)json_row_int(speed, "refused_a_minute"),
               (long long)json_row_int(speed, "more_in_s"));
}

/* ---- rests ---- */

static const char *who_of(const char *by)
{
    static const struct {
        const char *by, *text;
    } who[] = {{"operator", "paused by an operator"},
               {"failure", "no connection works"},
               {"hosts", "no connection to this domain's hosts works"},
               {"refused", "refused at MAIL"},
               {"broken", "the server ended connections over it"},
               {"paused", "refused for what it is"}};
    for (size_t i = 0; i < COUNT_OF(who); i++)
        if (strcmp(who[i].by, by) == 0)
            return who[i].text;
    return by;
}

static void print_rest(const json_t *row)
{
    bool ceiling = json_object_get(row, "connections") != NULL;
    begin_line(ceiling ? "ceiling" : "rests");
    if (ceiling)
        printf("%lld connections", (long long)json_row_int(row, "connections"));
    else
        fputs(who_of(json_row_get(row, "by")), stdout);
    print_whose(row);
    if (json_row_int(row, "rests_s") > 0) {
        printf(", for %lld s, until ", (long long)json_row_int(row, "rests_s"));
        cli_print_time(json_row_int(row, "until"));
    } else {
        fputs(", and one message asks just now whether that is over", stdout);
    }
    if (*json_row_get(row, "why"))
        print_text(": ", json_row_get(row, "why"));
}

static void print_rests(const json_t *shape)
{
    json_t *rests = json_object_get(shape, "rests");
    long long more = (long long)json_row_int(shape, "rests_total");
    for (size_t i = 0; i < json_array_size(rests); i++, more--)
        print_rest(json_array_get(rests, i));
    if (more > 0) {
        begin_line("");
        printf("and %lld more; --tenant shows those of one tenant", more);
    }
    if (json_row_is(shape, "known") && json_array_size(rests) == 0) {
        begin_line("rests");
        fputs("no", stdout);
    }
}

static void print_avoided(const json_t *shape)
{
    json_t *avoided = json_object_get(shape, "avoided");
    for (size_t i = 0; i < json_array_size(avoided); i++) {
        const json_t *one = json_array_get(avoided, i);
        begin_line("avoided");
        cli_print_safe(json_row_get(one, "host"));
        printf("[%s] for %lld s: %s, failures in a row: %lld", json_row_get(one, "ip"),
               (long long)json_row_int(one, "for_s"), json_row_get(one, "why"),
               (long long)json_row_int(one, "failures"));
    }
}

/* ---- classes ---- */

static void print_classes(const json_t *shape)
{
    json_t *classes = json_object_get(shape, "classes");
    bool of_one = *json_row_get(shape, "tenant") != '\0';
    if (json_array_size(classes) > 0 && !of_one) {
        begin_line("classes");
        fputs("for a tenant that has no mail here; --tenant T shows those of one:", stdout);
    }
    const json_t *waiting =
        json_object_get(json_object_get(shape, "destination"), "waiting_by_class");
    for (size_t i = 0; i < json_array_size(classes); i++) {
        const json_t *one = json_array_get(classes, i);
        const char *class = json_row_get(one, "class");
        begin_line(i == 0 && of_one ? "classes" : "");
        printf("%-12s %s%s", class, json_row_is(one, "may_go") ? "" : "waits for ",
               json_row_get(one, "text"));
        if (json_row_int(one, "for_s") > 0)
            printf(" (%lld s)", (long long)json_row_int(one, "for_s"));
        if (json_row_int(waiting, class) > 0)
            printf("; %lld due here, of all tenants", (long long)json_row_int(waiting, class));
    }
}

void shape_text_print(const json_t *shape)
{
    json_t *limits = json_object_get(shape, "limits");
    cli_print_safe(json_row_get(shape, "domain"));
    if (*json_row_get(shape, "tenant"))
        print_text(", mail of tenant ", json_row_get(shape, "tenant"));
    print_place(shape);
    for (size_t i = 0; i < json_array_size(limits); i++)
        print_limit(json_array_get(limits, i));
    print_speed(json_object_get(json_object_get(shape, "destination"), "speed"));
    print_rests(shape);
    print_avoided(shape);
    print_classes(shape);
    putchar('\n');
}
