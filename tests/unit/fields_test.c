// SPDX-License-Identifier: BSD-2-Clause
/* fields_test.c - The content rules: one header field each beside a good From, and the words of the refusal. */
#include "table.h"

#include "admit.h"

struct row {
    const char *field; /* without its CRLF */
    const char *words; /* in the refusal; NULL: accepted */
};

static bool smtputf8; /* the client has said so */

static struct verdict check(const char *fields, const char *allowed)
{
    char header[8192];
    struct identity identity = {.name = "app"};
    struct admission a;
    snprintf(identity.allowed, sizeof(identity.allowed), "%s", allowed);
    snprintf(header, sizeof(header), "%s\r\n", fields);
    struct admit_input in = {.identity = &identity, .sender = SPAN("a@club.test"), .header = span_of(header),
                             .smtputf8 = smtputf8};
    return admit_message(&in, &a);
}

static void check_rows(const struct row *rows, size_t count, const char *before)
{
    for (size_t i = 0; i < count; i++) {
        char fields[8000];
        snprintf(fields, sizeof(fields), "%s%s", before, rows[i].field);
        struct verdict v = check(fields, "club.test *.club.test");
        if (!rows[i].words && v.what != VERDICT_ACCEPT)
            fail_msg("%s: refused: %s", rows[i].field, v.text);
        if (rows[i].words && v.what == VERDICT_ACCEPT)
            fail_msg("%s: accepted", rows[i].field);
        if (rows[i].words && !strstr(v.text, rows[i].words))
            fail_msg("%s: %s", rows[i].field, v.text);
        if (rows[i].words)
            assert_true(v.code == 550 && strlen(v.text) < sizeof(v.text) - 1);
    }
}

#define OTHERS "From: <a@club.test>\r\n"

static void dates(void **state)
{
    static const struct row rows[] = {
        {"Date: Thu, 26 Nov 2026 14:36:47 +0000", NULL},
        {"Date: 26 Nov 2026 14:36 -0130", NULL},
        {"Date: Thu,26 Nov 2026 14:36:47 +0100 (CET)", NULL},
        {"Date: Thu, 26 Nov 2026 14:36:47 +0100(Central (European) time)", NULL},
        {"Date: thu, 26 NOV 2026 14:36:47 gmt", NULL},
        {"Date: Thu,\r\n 26 Nov 2026\r\n\t14:36:47 +0000", NULL},
        {"Date: Tue, 3 Nov 2026 14:36:60 -0000", NULL},
        {"Date: Thu, 29 Feb 2024 00:00:00 +0000", NULL},
        {"Date: Tue, 29 Feb 2000 00:00:00 EST", NULL},
        {"Date: Thu, 26 Nov 2026 14:36:47", "Header field Date has no zone, as +0000, behind the time"},
        {"Date: Thu, 26 Nov 2026 14:36:47 UTC", "has no zone"},
        {"Date: Thu, 26 Nov 2026 14:36:47 Z", "has no zone"},
        {"Date: Thu, 26 Nov 2026 14:36:47 +01:00", "has no zone"},
        {"Date: Thu, 26 Nov 2026 14:36:47 0100", "has no zone"},
        {"Date: Thu, 26 Nov 2026 14:36:47 +0160", "has no zone"},
        {"Date: Thu, 26 Nov 2026 14:36:47 Europe/Berlin", "has no zone"},
        {"Date: 2026-11-26T14:36:47Z", "has no day of the month"},
        {"Date: 2026-11-26 14:36:47 +0100", "has no day of the month"},
        {"Date: Do, 26 Nov 2026 14:36:47 +0100", "does not begin with an English day of the week"},
        {"Date: Do., 26. Nov. 2026 14:36:47 +0100", "does not begin with an English day of the week"},
        {"Date: Donnerstag, 26. November 2026 14:36:47 +0100", "does not begin with an English day of the week"},
        {"Date: jeu., 26 nov. 2026 14:36:47 +0100", "does not begin with an English day of the week"},
        {"Date: 26. Nov 2026 14:36:47 +0100", "has no day of the month"},
        {"Date: 26 nov. 2026 14:36:47 +0100", "has no English month"},
        {"Date: Thu, 26 November 2026 14:36:47 +0100", "has no English month"},
        {"Date: Thu, Nov 26 2026 14:36:47 +0100", "has no day of the month"},
        {"Date: Thu Nov 26 14:36:47 2026", "has no day of the month"},
        {"Date: 11/26/2026 14:36:47 +0100", "has no day of the month"},
        {"Date: 1795703807", "has no day of the month"},
        {"Date: Thu, 26 Nov 26 14:36:47 +0100", "has no year of four digits"},
        {"Date: Thu, 26 Nov 02026 14:36:47 +0100", "has no year of four digits"},
        {"Date: Thu, 26 Nov 1826 14:36:47 +0100", "has no year of four digits"},
        {"Date: Tue, 31 Feb 2026 14:36:47 +0100", "names a day that its month does not have"},
        {"Date: Sun, 29 Feb 2026 14:36:47 +0100", "names a day that its month does not have"},
        {"Date: Thu, 29 Feb 1900 14:36:47 +0100", "names a day that its month does not have"},
        {"Date: Thu, 0 Nov 2026 14:36:47 +0100", "names a day that its month does not have"},
        {"Date: Mon, 26 Nov 2026 14:36:47 +0100", "names a day of the week that its date does not have"},
        {"Date: Thu, 26 Nov 2026 24:00:00 +0100", "has no time of day"},
        {"Date: Thu, 26 Nov 2026 14:60:00 +0100", "has no time of day"},
        {"Date: Thu, 26 Nov 2026 2:36:47 PM +0100", "has no time of day"},
        {"Date: Thu, 26 Nov 2026 02:36:47 PM +0100", "has no zone"},
        {"Date: Thu, 26 Nov 2026 14.36.47 +0100", "has no time of day"},
        {"Date: Thu, 26 Nov 2026 14:36:47.123 +0100", "has no time of day"},
        {"Date: Thu, 26 Nov 2026 +0100", "has no time of day"},
        {"Date: Thu, 26 Nov 2026 14:36:47 +0000 x", "has something after the zone"},
        {"Date: Thu, 26 Nov 2026 14:36:47 +0000 (x", "a comment that does not end"},
        {"Date:", "Header field Date has no day"},
        {"Date: {{ date }}", "write it as \"Thu, 26 Nov 2026 14:36:47 +0000\", or leave the field out (RFC 5322 3.3)"},
        {"Resent-From: a@club.test\r\nResent-Date: today", "Header field Resent-Date has no day"},
    };
    (void)state;
    check_rows(rows, COUNT_OF(rows), OTHERS);
}

static void every_day_of_the_week(void **state)
{
    static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    (void)state;
    for (int64_t day = -25000; day < 60000; day += 7) {
        char text[40];
        char value[64];
        const char *why = NULL;
        size_t good = 0;
        message_date(day * 86400000, text);
        assert_true(message_date_valid(span_of(text), &why));
        for (size_t i = 0; i < COUNT_OF(days); i++) {
            snprintf(value, sizeof(value), "%s%s", days[i], text + 3);
            good += message_date_valid(span_of(value), &why);
        }
        assert_true(good == 1);
    }
}

static void message_ids(void **state)
{
    static const struct row rows[] = {
        {"Message-ID: <a@b>", NULL},
        {"Message-ID:<a@b>", NULL},
        {"Message-ID: <a@b> (comment)", NULL},
        {"Message-ID: (one) <a@b>(two (three))", NULL},
        {"Message-ID:\r\n <a@b>\r\n (comment)", NULL},
        {"Message-ID: <20261126.1@[192.0.2.1]>", NULL},
        {"Message-ID: <1@[IPv6:2001:db8::1]>", NULL},
        {"Message-ID: <a.b/c=d+e$f{g}|~h!i#k%l&m'n*o?p^q_r`@host_name>", NULL},
        {"Message-ID: <\"quoted\"@b.test>", NULL},
        {"Message-ID: <CAF+x=Yz_-1@mail.club.test>", NULL},
        {"Message-ID: <a@x@y>", "Header field Message-ID must be one <left@right>"},
        {"Message-ID: <<a@b>>", "must be one <left@right>"},
        {"Message-ID: <a@b", "must be one <left@right>"},
        {"Message-ID: a@b>", "must be one <left@right>"},
        {"Message-ID: a@b", "must be one <left@right>"},
        {"Message-ID: <a>", "must be one <left@right>"},
        {"Message-ID: <@b>", "must be one <left@right>"},
        {"Message-ID: <a@>", "must be one <left@right>"},
        {"Message-ID: <a@b>x", "must be one <left@right>"},
        {"Message-ID: <a@b> <c@d>", "must be one <left@right>"},
        {"Message-ID: <a @b>", "must be one <left@right>"},
        {"Message-ID: <a@b c>", "must be one <left@right>"},
        {"Message-ID: <a\r\n b@c>", "must be one <left@right>"},
        {"Message-ID: <a@b,c>", "must be one <left@right>"},
        {"Message-ID: <a@[b@c]>", NULL},
        {"Message-ID: <a@[b[c]>", "must be one <left@right>"},
        {"Message-ID: <a..b@c>", "must be one <left@right>"},
        {"Message-ID: <a@b.>", "must be one <left@right>"},
        {"Message-ID: <\"a b\"@c>", "must be one <left@right>"},
        {"Message-ID: <a@b> (comment", "must be one <left@right>"},
        {"Message-ID:", "or be left out: then it is added (RFC 5322 3.6.4)"},
        {"Resent-From: a@club.test\r\nResent-Message-ID: x", "Header field Resent-Message-ID must be one"},
        {"In-Reply-To: your message of yesterday", NULL},
        {"In-Reply-To:", NULL},
        {"References: ", NULL},
    };
    (void)state;
    check_rows(rows, COUNT_OF(rows), OTHERS);
}

static void address_lists(void **state)
{
    static const struct row rows[] = {
        {"To: b@d.test", NULL},
        {"To: <b@d.test>,c@d.test, D <d@d.test>", NULL},
        {"To: \"Smith, J.\" <b@d.test>, =?utf-8?q?M=C3=BCller?= <c@d.test>", NULL},
        {"To: John Q. Public <b@d.test>", NULL},
        {"To: b@d.test <b@d.test>", NULL},
        {"To: b@d.test (Bob <the builder>)", NULL},
        {"To: undisclosed-recipients:;", NULL},
        {"To: undisclosed-recipients: ;", NULL},
        {"To: A Group: b@d.test, C <c@d.test>; , d@d.test", NULL},
        {"To: b@d.test,, c@d.test,", NULL},
        {"To: b@[192.0.2.1], c@[IPv6:2001:db8::1]", NULL},
        {"To: \"a b\"@d.test, \"b@c\"@d.test", NULL},
        {"To: o'brien+x=y@d.test", NULL},
        {"To: b@localhost", NULL},
        {"To:\r\n b@d.test,\r\n c@d.test", NULL},
        {"Reply-To: reply+AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA@reply.test", NULL},
        {"Cc:", NULL},
        {"Cc: ", NULL},
        {"Cc: (nobody)", NULL},
        {"Cc:\r\n\t(nobody)", NULL},
        {"Bcc:", NULL},
        {"Bcc: whatever this is", NULL},
        {"To:", "Header field To is empty: put an address in, or leave the field out (RFC 5322 3.6.3)"},
        {"To: ,", "Header field To is empty"},
        {"To: (nobody)", "Header field To is empty"},
        {"Reply-To:", "Header field Reply-To is empty"},
        {"Reply-To: <>", "Header field Reply-To holds something that is not an address"},
        {"Sender:", "Header field Sender is empty"},
        {"Disposition-Notification-To: ", "Header field Disposition-Notification-To is empty"},
        {"To: a@@b", "Header field To holds something that is not an address local@domain"},
        {"To: b", "is not an address local@domain"},
        {"To: Smith, John <b@d.test>", "a display name that has a comma in it"},
        {"To: b@d.test; c@d.test", "must have ',' between two addresses"},
        {"To: b@d.test c@d.test", "is not an address local@domain"},
        {"To: <b@d.test> <c@d.test>", "must have ',' between two addresses"},
        {"To: Re: you <b@d.test>", "holds a group that does not end with ';'"},
        {"To: a: b: c@d.test;;", "holds a group inside a group"},
        {"To: g: b@d.test; c@d.test", "must have ',' between two addresses"},
        {"To: : b@d.test;", "holds a ':' that begins no group"},
        {"To: <b@d.test", "holds a '<' without '>'"},
        {"To: b@d.test>", "holds a character that must be quoted"},
        {"To: Smith [Sales] <b@d.test>", "holds a character that must be quoted"},
        {"To: \"Smith <b@d.test>", "holds a broken quoted string"},
        {"To: <@x.test:b@d.test>", "is not an address local@domain"},
        {"To: b@d.test (", "holds a comment that does not end"},
        {"To: b@d_.-test", "is not an address local@domain"},
        {"To: b@d.test.", "is not an address local@domain"},
        {"Cc: b", "Header field Cc holds something that is not an address"},
        {"Reply-To: b@@d", "Header field Reply-To holds something that is not an address"},
        {"Resent-From: a@club.test\r\nResent-To: b@@d", "Header field Resent-To holds something that is not an address"},
        {"Resent-From: a@club.test\r\nResent-To:", "Header field Resent-To is empty"},
        {"From alice@club.test Thu Nov 26 14:36:47 2026", "is a separator of mbox files: leave it out"},
        {">From alice@club.test Thu Nov 26 14:36:47 2026", "is a separator of mbox files: leave it out"},
        {"From : a@club.test", "is not a header field"},
    };
    (void)state;
    check_rows(rows, COUNT_OF(rows), OTHERS);
}

/* An mbox line in front of everything, and what is left of a header behind it. */
static void separators(void **state)
{
    (void)state;
    struct verdict v = check("From alice@club.test Thu Nov 26 14:36:47 2026\r\nFrom: <a@club.test>", "club.test");
    assert_non_null(strstr(v.text, "Header line \"From alice@club.test Thu Nov 26 14:36:47\" is a separator of mbox"));
    v = check("\r\nFrom: <a@club.test>", "club.test");
    assert_true(v.what == VERDICT_REJECT);
}

static void who_sends(void **state)
{
    static const struct row rows[] = {
        {"From: <a@club.test>\r\nSender: b@club.test", NULL},
        {"From: <a@club.test>\r\nSender: \"B\" <b@mail.club.test>", NULL},
        {"From: a@club.test (Club)", NULL},
        {"From: (Club) a@club.test (the (good) one)", NULL},
        {"From: <a@club.test>\r\nResent-From: <b@club.test>\r\nResent-Sender: c@club.test", NULL},
        {"From: \"a@club.test\" <a@club.test>", NULL},
        {"From: \"b@mail.club.test via the club\" <a@club.test>", NULL},
        {"From: \"Club @ home\" <a@club.test>", NULL},
        {"From: \"@club\" <a@club.test>", NULL},
        {"From: \"me@home\" <a@club.test>", NULL},
        {"From: =?utf-8?q?Club_=40_home?= <a@club.test>", NULL},
        {"From: <a@club.test>\r\nReply-To: \"v@gmail.test\" <v@gmail.test>", NULL},
        {"From: <a@club.test>\r\nTo: \"v@gmail.test\" <v@gmail.test>", NULL},

        {"From: a@evil.test", "From field a@evil.test is not allowed for \"app\", which may use: club.test"},
        {"From: <a@club.test>\r\nSender: a@evil.test", "Sender field a@evil.test is not allowed for \"app\""},
        {"From: <a@club.test>\r\nSender: a@club.test, b@club.test", "Header field Sender must hold exactly one"},
        {"From: <a@club.test>\r\nSender: a@club.test\r\nSender: a@club.test", "Header field Sender occurs more than once"},
        {"From: <a@club.test>\r\nResent-From: a@evil.test", "Resent-From field a@evil.test is not allowed"},
        {"From: <a@club.test>\r\nResent-Sender: a@evil.test", "Resent-Sender field a@evil.test is not allowed"},
        {"Resent-From: a@club.test\r\nFrom: <a@club.test>\r\nResent-From: a@evil.test", "Resent-From field a@evil.test"},
        {"Resent-Sender: a@evil.test\r\nResent-From: a@club.test\r\nFrom: <a@club.test>", "Resent-Sender field a@evil.test"},
        {"From: <a@club.test>\r\nRESENT-FROM: a@evil.test", "RESENT-FROM field a@evil.test"},
        {"From: <a@club.test>\r\nResent-From: a@club.test, b@evil.test", "Header field Resent-From"},

        {"From: <a@club.test> (<b@evil.test>)", "Header field From holds a comment with '@', '<' or '>'"},
        {"From: a@club.test (b@evil.test)", "holds a comment with '@', '<' or '>'"},
        {"From: (b@evil.test) a@club.test", "holds a comment with '@', '<' or '>'"},
        {"From: Club (<x) <a@club.test>", "holds a comment with '@', '<' or '>'"},
        {"From: Club (x>) <a@club.test>", "holds a comment with '@', '<' or '>'"},
        {"From: Club (\\<x\\>) <a@club.test>", "holds a comment with '@', '<' or '>'"},
        {"From: <a@club.test>\r\nSender: a@club.test (b@evil.test)", "Header field Sender holds a comment"},
        {"From: <a@club.test>\r\nResent-From: a@club.test (b@evil.test)", "Header field Resent-From holds a comment"},
        {"From: a@club.test (=?utf-8?q?ceo=40bank.test?=)", "shows ceo@bank.test"},

        {"From: \"ceo@bank.test\" <a@club.test>",
         "Header field From shows ceo@bank.test in the display name, which is all that many readers see; \"app\" may use: "
         "club.test *.club.test. An address to answer to belongs into Reply-To"},
        {"From: \"The boss (ceo@bank.test)\" <a@club.test>", "shows ceo@bank.test"},
        {"From: \"a@club.test ceo@bank.test\" <a@club.test>", "shows ceo@bank.test"},
        {"From: \"ceo\\@bank.test\" <a@club.test>", "shows ceo@bank.test"},
        {"From: =?utf-8?q?ceo=40bank=2Etest?= <a@club.test>", "shows ceo@bank.test"},
        {"From: =?utf-8?B?Y2VvQGJhbmsudGVzdA==?= <a@club.test>", "shows ceo@bank.test"},
        {"From: =?utf-8?q?ceo=40?=\r\n =?utf-8?q?bank.test?= <a@club.test>", "shows ceo@bank.test"},
        {"From: =?utf-16be?B?AGMAZQBvAEAAYgBhAG4AawAuAHQAZQBzAHQ=?= <a@club.test>", "shows ceo@bank.test"},
        {"From: =?utf-8?q?ceo=EF=BC=A0bank=EF=BC=8Etest?= <a@club.test>", "shows ceo@bank.test"},
        {"From: \"=?utf-8?q?ceo=40bank.test?=\" <a@club.test>", "shows ceo@bank.test"},
        {"From: \"CEO@BANK.test.\" <a@club.test>", "shows ceo@bank.test"},
        {"From: <a@club.test>\r\nSender: \"ceo@bank.test\" <a@club.test>", "Header field Sender shows ceo@bank.test"},
        {"From: \"a@club.test@bank.test\" <a@club.test>", "shows "},
        {"From: \"a@club.test.bank.test\" <a@club.test>", "shows a@club.test.bank.test"},

        /* pieces that readers put side by side */
        {"From: \"ceo\" \"@\" \"bank.test\" <a@club.test>", "shows ceo@bank.test"},
        {"From: \"ceo\"\t\"@\"\r\n \"bank\" \".\" \"test\" <a@club.test>", "shows ceo@bank.test"},
        {"From: \"ceo @ bank.test\" <a@club.test>", "shows ceo@bank.test"},
        {"From: \"The boss ceo  @bank . test\" <a@club.test>", "shows ceo@bank.test"},
        {"From: =?utf-8?q?ceo?= =?utf-8?q?=E3=80=80=EF=BC=A0=C2=A0bank=EF=BC=8Etest?= <a@club.test>", "shows ceo@bank.test"},
        {"From: \"a @ club.test\" <a@club.test>", NULL},
        {"From: \"J. R. Smith @ Acme Inc. Sales\" <a@club.test>", NULL},

        /* what turns the order round */
        {"From: =?utf-8?q?=E2=80=AEtset=2Eknab=40oec?= <a@club.test>", "Header field From has a display name with U+202E"},
        {"From: =?utf-8?q?Club_=E2=80=ADx?= <a@club.test>", "with U+202D"},
        {"From: =?utf-8?q?=E2=81=A7ceo=E2=81=A9=40bank=2Etest?= <a@club.test>", "shows ceo@bank.test"},
        {"From: =?utf-8?q?=E2=80=8F=D7=9E=D7=95=D7=A2=D7=93=D7=95=D7=9F?= <a@club.test>", NULL},

        /* what only some can read */
        {"From: =?utf-7?q?ceo+AEA-bank.test?= <a@club.test>", "Header field From has a display name in the charset utf-7"},
        {"From: =?IBM037?B?g4WWfIKBlZJLo4Wioyc=?= <a@club.test>", "in the charset IBM037"},
        {"From: =?hz-gb-2312?q?x?= <a@club.test>", "in the charset hz-gb-2312"},
        {"From: =?iso-8859-1*de?q?S=FCd?= <a@club.test>", NULL},
        {"From: =?ISO-2022-JP?B?GyRCJDMbKEI=?= <a@club.test>", NULL},
    };
    (void)state;
    check_rows(rows, COUNT_OF(rows), "");
    assert_true(check("From: \"ceo@bank.test\" <a@club.test>", "*").what == VERDICT_ACCEPT);
    assert_true(check("From: \"a b\"@club.test", "\"a\" club.test").what == VERDICT_ACCEPT);
    assert_true(check("From: <a@club.test>\r\nSender: b@club.test", "a@club.test").what == VERDICT_REJECT);
}

/* Taken for another domain by whoever normalises it, and for itself by others. */
static void domains_that_become_others(void **state)
{
    static const struct row rows[] = {
        {"From: <a@club\xe2\x80\x8b.test>", "From field a@club???.test: its domain becomes club.test when it is normalised"},
        {"From: <a@\xef\xbd\x83lub.test>", "its domain becomes club.test"},
        {"From: <a@club\xe3\x80\x82test>", "its domain becomes club.test"},
        {"From: <a@clu\xc2\xad" "b.test>", "its domain becomes club.test"},
        {"From: <a@\xe2\x84\x82lub.test>", "its domain becomes club.test"},
        {"From: <a@evil\xe2\x80\x8b.test>", "its domain becomes evil.test"},
        {"From: <a@club.test>\r\nSender: <a@mail\xe2\x81\xa0.club.test>", "Sender field a@mail???.club.test: its domain becomes mail.club.test"},
        {"From: <a@b\xc3\xbc" "cher.club.test>", NULL},
        {"From: <a@B\xc3\x9c" "CHER.CLUB.test>", NULL},
        {"From: <a@bu\xcc\x88" "cher.club.test>", NULL},
        {"From: <a@xn--bcher-kva.club.test>", NULL},
        {"From: <a@stra\xc3\x9f" "e.club.test>", NULL},
        {"From: <a@\xce\xa3\xce\xaf\xcf\x83\xcf\x85\xcf\x86\xce\xbf\xcf\x82.club.test>", NULL},
        {"From: \xe2\x80\xaetset.knab@oec <a@club.test>", "holds an unquoted '@'"},
        {"From: \"\xe2\x80\xaetset.knab@oec\" <a@club.test>", "has a display name with U+202E"},
    };
    (void)state;
    smtputf8 = true;
    check_rows(rows, COUNT_OF(rows), "");
    smtputf8 = false;
}

static void what_leaves(void **state)
{
    static const struct {
        const char *field;
        bool leaves;
    } rows[] = {
        {"Cc:", false},       {"Cc: (c)", false},         {"Cc: a@b.test", true}, {"In-Reply-To: ", false},
        {"References:", false}, {"References: <a@b>", true}, {"Subject:", true},     {"Bcc: a@b.test", false},
        {"X-Empty:", true},   {"sealpost-metadata-x: 1", false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char raw[80];
        struct field f;
        snprintf(raw, sizeof(raw), "%s\r\n", rows[i].field);
        struct span rest = span_of(raw);
        assert_true(message_next_field(&rest, &f));
        EXPECT(message_leaves(&f) == rows[i].leaves, rows[i].field);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dates),         cmocka_unit_test(every_day_of_the_week), cmocka_unit_test(message_ids),
        cmocka_unit_test(address_lists), cmocka_unit_test(separators),            cmocka_unit_test(who_sends),
        cmocka_unit_test(domains_that_become_others),
        cmocka_unit_test(what_leaves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
