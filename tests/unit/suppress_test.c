// SPDX-License-Identifier: BSD-2-Clause
/* suppress_test.c - Which answers speak of the mailbox; what keeps back what. */
#include "table.h"

#include "suppress.h"

/* At once, or when it is said again. */
static bool is_hard(const struct verdict *v, const struct suppress_sides *sides)
{
    struct reply_input in = {.answer = v, .stage = REPLY_AT_RCPT, .provider = SPAN_NONE};
    struct reply_judgement j = reply_judge(&in);
    return suppress_after(&j, v, sides) > 0;
}

static void answers(void **state)
{
    static const struct {
        int code;
        const char *enhanced, *text;
        bool hard;
    } rows[] = {
        {550, "5.1.1", "The email account that you tried to reach does not exist", true},
        {550, "5.1.1", "bob@x.test: Recipient address rejected: User unknown in virtual mailbox table", true},
        {550, "5.2.1", "The email account that you tried to reach is inactive", true},
        {550, "5.2.1", "The user you are trying to contact is receiving mail at a rate that prevents delivery", false},
        {450, "4.2.1", "receiving mail too quickly", false},
        {553, "5.1.2", "We weren't able to find the recipient domain", true},
        {553, "5.1.3", "The recipient address is not a valid RFC 5321 address", true},
        {452, "4.2.2", "The recipient's inbox is out of storage space", false},
        {552, "5.2.2", "The recipient's inbox is full and inactive", false},
        {550, "5.7.1", "Our system has detected that this message is likely unsolicited mail", false},
        {550, "5.7.26", "This mail is unauthenticated", false},
        {550, "5.7.28", "Our system has detected an unusual rate of unsolicited mail", false},
        {550, "5.7.515", "Access denied, sending domain does not meet the required authentication level", false},
        {550, "5.5.0", "Requested action not taken: mailbox unavailable", true},
        {550, "5.7.1", "Unfortunately, messages from [192.0.2.1] weren't sent (S3140)", false},
        {550, "5.1.10", "RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup", true},
        {550, "5.4.1", "Recipient address rejected: Access denied", false},
        {554, "", "delivery error: dd This user doesn't have a yahoo.com account", true},
        {554, "", "delivery error: dd Not a valid recipient", true},
        {550, "", "No such user here", true},
        {550, "", "5.1.1-ish text without a code: mailbox not found", true},
        {550, "5.1.1", "blocked by policy: user unknown", false},
        {550, "5.6.0", "Message malformed", false},
        {554, "5.4.6", "Too many hops", false},
        {421, "5.1.1", "User unknown", false},
        {550, "5.1.1", "too many messages to this recipient", false},
        {550, "5.1.1", "Rate limited", false},
        {550, "5.1.1", "You have exceeded what you may send per hour", false},
        {550, "5.1.1", "Sender unknown", false},
        {550, "5.1.1", "<hello@CLUB.test>: user unknown", false},
        {550, "", "Domain of sender address hello@club.test does not exist", false},
        {550, "", "Callout verification: no such user", false},
        {550, "5.1.1", "unknown user in MAIL FROM", false},
        {550, "5.1.7", "Bad address: no such user", false},
        {550, "5.1.8", "Domain does not exist", false},
        {550, "5.1.1", "User unknown, please try again later", false},
        {550, "5.1.1", "<full@tls.limit.test>: user unknown", true}, /* its own words say nothing */
        {550, "5.1.1", "FULL@TLS.limit.test does not exist", true},
        {550, "", "Reverse DNS lookup: 192.0.2.10 does not exist", false},
        {550, "", "The domain club.test does not exist", false},
        {550, "5.1.1", "RBL: 192.0.2.10", false},
        {550, "", "[2001:db8::25] does not exist", false},
        {550, "5.1.1", "No such user, relay=[198.51.100.1]", true}, /* who knows whose it is */
        {550, "5.1.1", "198.51.100.7: unknown", false},
        {550, "5.1.1", "RBL hit", false},
        {550, "5.1.2", "Host helo name mail.club.test does not exist", false},
        {550, "5.1.2", "Host MAIL.CLUB.TEST. does not exist", false},
        {550, "5.1.1", "tls required", false},
        {550, "5.1.1", "TLS: required", false},
        {550, "5.1.1", "No PTR, user unknown", false},
        {550, "5.1.1", "Bad HELO", false},
        {550, "5.1.1", "You are listed by zen", false},
        {550, "5.1.2", "DNS of club.test gives no answer", false},
        {550, "5.1.1", "mail.club.test does not resolve", false},
        {550, "5.1.1", "Message rejected: content", false},
        {554, "5.1.1", "Connection refused: mail server mail.other.test not permitted", false},
        {550, "5.1.1", "myclub.test has no such user", true}, /* another domain */
        {550, "5.1.1", "no such user (version 1.2.3, build 4:5)", true},
        {550, "5.1.1", "The helosmith list has no such user", true},
        /* The kind: 5.1.x is said of whatever a server will not take at RCPT. */
        {550, "5.1.1", "Insufficient mailbox storage", false},
        {550, "5.1.1", "Recipient over storage allocation", false},
        {550, "5.1.1", "No space left for this mailbox", false},
        {550, "5.1.1", "Postfach voll", false},
        {550, "5.1.1", "boite pleine", false},
        {550, "5.1.1", "Casella piena", false},
        {550, "5.1.1", "Vollmer: no such user", true},
        {550, "5.1.1", "Unsolicited mail refused", false},
        {550, "5.1.1", "This message was classified as junk", false},
        {550, "5.1.1", "Message contains a virus", false},
        {550, "5.1.1", "Attachment type is forbidden", false},
        {550, "5.1.1", "No mail accepted from this network", false},
        {550, "5.1.1", "We do not accept mail from dynamic addresses", false},
        {550, "5.1.1", "You are not allowed to send to this recipient", false},
        {550, "5.1.1", "Administrative prohibition", false},
        {550, "5.1.1", "Access denied", false},
        {550, "5.1.1", "Not authorised", false},
        {550, "5.1.1", "Closed group, members only", false},
        {550, "5.1.1", "Recipient only accepts mail from contacts", false},
        {550, "", "Requested action not taken: user unknown to us as a friend", false},
        {550, "5.1.1", "Connection not secure", false},
        {550, "5.1.1", "Directory lookup failure", false},
        {550, "5.1.1", "LDAP: cannot bind", false},
        {550, "5.1.1", "Maintenance in progress", false},
        {550, "5.1.2", "DNS lookup failure", false},
        {550, "5.1.10", "Recipient not found by SMTP address lookup", true},
        {550, "5.1.1", "recipient mailbox unallocated", true},
        {250, "2.1.5", "OK", false},
    };
    static const char *const ips[] = {"2001:db8::7", "198.51.100.7"};
    const struct suppress_sides sides = {.sender = SPAN("hello@club.test"), .from_domain = SPAN("club.test"),
                                         .hostname = SPAN("mail.club.test"), .recipient = SPAN("full@tls.limit.test"), .ips = ips, .ip_count = 2};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct verdict v = verdict_make(rows[i].code, rows[i].enhanced, "%s", rows[i].text);
        EXPECT(is_hard(&v, &sides) == rows[i].hard, rows[i].text);
    }
}

/* Mail within a domain: naming it says nothing of the sender. */
static void within_a_domain(void **state)
{
    const struct suppress_sides sides = {.sender = SPAN("hello@club.test"), .from_domain = SPAN("club.test"),
                                         .hostname = SPAN("mail.club.test"), .recipient = SPAN("bob@club.test")};
    struct verdict v = verdict_make(550, "5.1.1", "bob: no such user at club.test");
    (void)state;
    assert_true(is_hard(&v, &sides));
    v = verdict_make(550, "5.1.1", "mail.club.test does not resolve");
    assert_false(is_hard(&v, &sides));
}

/* Whatever the entry says of a stream, a login code is stopped by two reasons only, and an entry of another tenant by nothing. */
static void what_applies(void **state)
{
    (void)state;
    for (unsigned reason = 0; reason < SUPPRESS_REASONS; reason++) {
        bool hard = reason == SUPPRESS_BOUNCE || reason == SUPPRESS_MANUAL;
        struct suppress_entry e = {
            .reason = (enum suppress_reason)reason, .created_ms = 1, .answers = 2};
        for (unsigned class = 0; class < STREAM_CLASSES; class++) {
            enum stream_class c = (enum stream_class)class;
            e.stream[0] = e.tenant[0] = '\0';
            bool wanted = class >= STREAM_NOTIFICATION || hard || (class == STREAM_CONFIRMATION && (reason == SUPPRESS_FLOOD || reason == SUPPRESS_COMPLAINT));
            assert_int_equal(suppress_applies(&e, "t", "s", c, 5), wanted);
            e.expires_ms = 5;
            assert_false(suppress_applies(&e, "t", "s", c, 5));
            e.expires_ms = 0;
            memcpy(e.tenant, "other", 6);
            assert_false(suppress_applies(&e, "t", "s", c, 5));
            memcpy(e.tenant, "t", 2);
            memcpy(e.stream, "s", 2);
            assert_int_equal(suppress_applies(&e, "t", "s", c, 5), class != STREAM_SECURITY || hard);
            e.answers = 1;
            bool once = reason == SUPPRESS_BOUNCE && class == STREAM_SECURITY;
            assert_int_equal(suppress_applies(&e, "t", "s", c, 5),
                             !once && (class != STREAM_SECURITY || hard));
            e.answers = 2;
            assert_false(suppress_applies(&e, "t", "", c, 5));
            assert_false(suppress_applies(&e, "t", "S", c, 5));
        }
        struct verdict v = suppress_verdict(&e);
        assert_int_equal(v.code, 550);
        assert_string_equal(v.enhanced, "5.7.1");
        assert_non_null(strstr(v.text, "1970-01-01"));
    }
}

static void a_domain_that_is_not_there_is_kept_back_for_a_month_at_most(void **state)
{
    const int64_t day = 24 * INT64_C(3600000);
    (void)state;
    assert_int_equal(suppress_for_ms(REPLY_MAILBOX_UNKNOWN, 90), 90 * day);
    assert_int_equal(suppress_for_ms(REPLY_DOMAIN_UNKNOWN, 90), 30 * day);
    assert_int_equal(suppress_for_ms(REPLY_DOMAIN_UNKNOWN, 7), 7 * day);
    assert_int_equal(suppress_for_ms(REPLY_MAILBOX_UNKNOWN, 36500), 36500 * day);
}

/* Two answers count for two only on different days, whatever midnight lies between them. */
static void days(void **state)
{
    static const int64_t hour = INT64_C(3600) * 1000;
    (void)state;
    assert_false(suppress_is_another_day(0, 0));
    assert_false(suppress_is_another_day(hour, 23 * hour));
    assert_false(suppress_is_another_day(23 * hour, 25 * hour));
    assert_true(suppress_is_another_day(23 * hour, 35 * hour));
    assert_true(suppress_is_another_day(hour, 24 * hour));
    assert_false(suppress_is_another_day(30 * hour, hour));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(answers), cmocka_unit_test(within_a_domain), cmocka_unit_test(what_applies),
                                       cmocka_unit_test(a_domain_that_is_not_there_is_kept_back_for_a_month_at_most),
        cmocka_unit_test(days)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
