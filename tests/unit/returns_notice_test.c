// SPDX-License-Identifier: BSD-2-Clause
/* returns_notice_test.c - Bounces as programs write them for people: whose mail it was, and what was said. One text for each way of
 * saying it; the whole messages of public collections are in returns_public_test.c. */
#include "table.h"

#include "buf.h"
#include "returns.h"

#include <stdlib.h>

#define HEADER "Return-Path: <>\nFrom: MAILER-DAEMON@mx.example\nTo: us@club.example\nSubject: Undeliverable mail\n"

struct notice_case {
    const char *label, *text;
    struct {
        const char *address, *status, *reply;
    } want[3];
};

static const struct notice_case cases[] = {
    {.label = "a line for each, with what is said behind it (OpenSMTPD)",
     .text = "\nAn error has occurred for the following recipients:\n\na@far.example: 550 5.1.1 no such user\nb@far.example: Mailbox full\n",
     .want = {{"a@far.example", "5.1.1", "550 5.1.1 no such user"}, {"b@far.example", "", "Mailbox full"}}},
    {.label = "a block for each (Exim)",
     .text = "\nThe following address(es) failed:\n\n  a@far.example\n    host mx.far.example [192.0.2.1]: 550-5.1.1 no such\n"
             "    550 5.1.1 user\n  b@far.example\n    Unrouteable address\n  c@far.example\n    (generated from d@far.example)\n"
             "    retry timeout exceeded\n",
     .want = {{"a@far.example", "5.1.1", "550-5.1.1 no such 550 5.1.1 user"},
              {"b@far.example", "", "Unrouteable address"},
              {"c@far.example", "", "(generated from d@far.example) retry timeout exceeded"}}},
    {.label = "a paragraph for each (qmail)",
     .text = "\n<a@far.example>:\nSorry, no mailbox here by that name. (#5.1.1)\n\n<b@far.example>:\n192.0.2.1 does not like recipient.\n"
             "Remote host said: 552 over quota\nGiving up on 192.0.2.1.\n\n--- Below this line is a copy of the message.\n\nTo: e@far.example\n",
     .want = {{"a@far.example", "5.1.1", "Sorry, no mailbox here by that name. (#5.1.1)"}, {"b@far.example", "", "552 over quota"}}},
    {.label = "folded behind the address (Postfix)",
     .text = "\n<a@far.example>: host mx.far.example[192.0.2.1] said: 550 5.1.1\n    <a@far.example>: unknown (in reply to RCPT TO\n    command)\n",
     .want = {{"a@far.example", "5.1.1",
               "host mx.far.example[192.0.2.1] said: 550 5.1.1 <a@far.example>: unknown (in reply to RCPT TO command)"}}},
    {.label = "a reason in parentheses, and a transcript (sendmail)",
     .text = "\n   ----- The following addresses had permanent fatal errors -----\n<a@far.example>\n    (reason: 550 5.1.1 <a@far.example> unknown)\n"
             "\n   ----- Transcript of session follows -----\n... while talking to mx.far.example.:\n>>> DATA\n<<< 550 5.1.1 <a@far.example> unknown\n",
     .want = {{"a@far.example", "5.1.1", "550 5.1.1 <a@far.example> unknown"}}},
    {.label = "a transcript alone",
     .text = "\n   ----- Transcript of session follows -----\n>>> RCPT To:<a@far.example>\n<<< 550 No such user\n550 <a@far.example>... User unknown\n"
             "554 <b@far.example>... 550 Host unknown\n",
     .want = {{"a@far.example", "", "550 No such user"}, {"b@far.example", "", "550 Host unknown"}}},
    {.label = "quotes, a date, and a code behind a semicolon (Exchange)",
     .text = "\nThe following recipient(s) could not be reached:\n\n      'a@far.example' on 1/2/03 4:05 AM\n"
             "            There was a SMTP communication problem\n            <mx.far.example #5.1.1 smtp;550 5.1.1 no such user>\n",
     .want = {{"a@far.example", "5.1.1", "550 5.1.1 no such user>"}}},
    {.label = "in parentheses on the line (GroupWise)",
     .text = "\nThe message that you sent was undeliverable to the following:\n\ta@far.example (user unknown)\n",
     .want = {{"a@far.example", "", "user unknown"}}},
    {.label = "behind \"because\" (Domino)",
     .text = "\nYour message\n\n  Subject: Hello\n\nwas not delivered to:\n\n  a@far.example\n\nbecause:\n\n  No such person (a@far.example) here\n",
     .want = {{"a@far.example", "", "No such person (a@far.example) here"}}},
    {.label = "a sentence about one",
     .text = "\nUnknown user: a@far.example\n\nOriginal message follows.\n\nSubject: Hello\n",
     .want = {{"a@far.example", "", "Unknown user: a@far.example"}}},
    {.label = "a sentence, and the reason on the next line",
     .text = "\nCould not be delivered to: <a@far.example>\nAs their mailbox is full.\n",
     .want = {{"a@far.example", "", "As their mailbox is full."}}},
    {.label = "labels (MailEnable)",
     .text = "\nMessage Delivery Failed.\n\nRecipient: [SMTP:a@far.example]\nReason: Remote SMTP Server Returned: 550 No such user\n",
     .want = {{"a@far.example", "", "550 No such user"}}},
    {.label = "a session behind an arrow (MDaemon)",
     .text = "\nThe attached message had PERMANENT fatal delivery errors!\n\nFailed address: a@far.example\n\n--- Session Transcript ---\n"
             " --> RCPT To:<a@far.example>\n <-- 550 5.1.1 unknown\n--- End Transcript ---\n",
     .want = {{"a@far.example", "5.1.1", "550 5.1.1 unknown"}}},
    {.label = "a module reports (CommuniGate)",
     .text = "\nFailed to deliver to 'a@far.example'\nSMTP module(domain far.example) reports:\n account is full (quota exceeded)\n",
     .want = {{"a@far.example", "", "account is full (quota exceeded)"}}},
    {.label = "a reason that stands before all",
     .text = "\nYour message could not be delivered because of\n\n550 5.1.1 User unknown\n\nThe following recipients were affected:\n    a@far.example\n",
     .want = {{"a@far.example", "5.1.1", "550 5.1.1 User unknown"}}},
    {.label = "the technical details (Gmail)",
     .text = "\nDelivery to the following recipient failed permanently:\n\n     a@far.example\n\nTechnical details of permanent failure: \n"
             "DNS Error: Domain name not found\n\n----- Original message -----\n\nTo: b@far.example\n",
     .want = {{"a@far.example", "", "DNS Error: Domain name not found"}}},
    {.label = "the header of the message without any heading",
     .text = "\nUnable to deliver to a@far.example: 550 no\n\nReturn-Path: <us@club.example>\nReceived: from b@far.example\n\tby x; today\n"
             "From: us@club.example\nTo: <c@far.example>\n",
     .want = {{"a@far.example", "", "550 no"}}},
    {.label = "a page",
     .text = "Content-Type: text/html\n\n<p>Delivery has failed to these recipients:</p><p><b>&lt;a&#64;far.example&gt;</b><br>550 5.1.1 no &amp; no</p>",
     .want = {{"a@far.example", "5.1.1", "550 5.1.1 no & no"}}},
    {.label = "UTF-16, as base64",
     .text = "Content-Type: text/plain; charset=utf-16le\nContent-Transfer-Encoding: base64\n\n"
             "YQBAAGYAYQByAC4AZQB4AGEAbQBwAGwAZQA6ACAANQA1ADAAIABuAG8AIABzAHUAYwBoACAAdQBzAGUAcgAKAA==\n",
     .want = {{"a@far.example", "", "550 no such user"}}},
    {.label = "fields of a report in the text",
     .text = "\nTechnical report:\n\nAction: failed\nFinal-Recipient: rfc822; a@far.example\nStatus: 5.1.1\nDiagnostic-Code: smtp; 550 5.1.1 no\n",
     .want = {{"a@far.example", "5.1.1", "550 5.1.1 no"}}},
    {.label = "several recipients without an empty line between them",
     .text = "Content-Type: message/delivery-status\n\nFinal-Recipient: rfc822;a@far.example\nAction: failed\nStatus: 5.1.1\n"
             "Final-Recipient: rfc822;b@far.example\nAction: failed\nStatus: 5.2.2\n",
     .want = {{"a@far.example", "5.1.1", ""}, {"b@far.example", "5.2.2", ""}}},
};

static void as_programs_write_it(void **state)
{
    struct returns_reading *r = xcalloc(1, sizeof(*r));
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct notice_case *c = &cases[i];
        char message[2000];
        size_t count = 0;
        snprintf(message, sizeof(message), HEADER "%s", c->text);
        assert_true(returns_read(span_of(message), RETURNS_SENDER_UNSAID, r));
        while (count < COUNT_OF(c->want) && c->want[count].address)
            count++;
        if (r->recipient_count != count)
            fail_msg("%s: %zu recipients, %s", c->label, r->recipient_count, returns_kind_name(r->kind));
        for (size_t k = 0; k < count; k++) {
            const struct returns_recipient *p = &r->recipients[k];
            if (strcmp(p->address, c->want[k].address) != 0 || strcmp(p->status, c->want[k].status) != 0 ||
                strcmp(p->reply, c->want[k].reply) != 0 || p->action != RETURNS_ACTION_FAILED)
                fail_msg("%s: <%s> \"%s\" \"%s\"", c->label, p->address, p->status, p->reply);
        }
    }
    free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_programs_write_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
