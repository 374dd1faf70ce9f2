// SPDX-License-Identifier: BSD-2-Clause
/* unsubscribe_form_test.c - What a posted form asks for: of mail programs, of our own page, and of whoever sends
 * something else. Only a pair that is one of ours, whole, asks for anything.
 */
#include "table.h"

#include "unsubscribe_page.h"

#include <stdlib.h>

#define URLENCODED "application/x-www-form-urlencoded"
#define BLANKS_50 "++++++++++++++++++++++++++++++++++++++++++++++++++"

static void pairs(void **state)
{
    static const struct {
        const char *label, *body;
        enum unsubscribe_action want;
    } rows[] = {
        {"a mail program's, as RFC 8058 has it", "List-Unsubscribe=One-Click", UNSUBSCRIBE_ONE_CLICK},
        {"with a line end", "List-Unsubscribe=One-Click\r\n", UNSUBSCRIBE_ONE_CLICK},
        {"in other letters", "list-unsubscribe=one-click", UNSUBSCRIBE_ONE_CLICK},
        {"encoded", "List%2DUnsubscribe=One%2dClick", UNSUBSCRIBE_ONE_CLICK},
        {"with blanks around it", "+List-Unsubscribe+=+One-Click%20", UNSUBSCRIBE_ONE_CLICK},
        {"behind others", "a=b&&=&x&List-Unsubscribe=One-Click", UNSUBSCRIBE_ONE_CLICK},
        {"the page's buttons", "action=stream", UNSUBSCRIBE_STREAM},
        {"all", "action=all", UNSUBSCRIBE_ALL},
        {"flood", "action=flood", UNSUBSCRIBE_FLOOD},
        {"undo", "action=undo", UNSUBSCRIBE_UNDO},
        {"of two the first counts", "action=all&action=undo", UNSUBSCRIBE_ALL},
        {"an unknown one before it", "action=none&action=flood", UNSUBSCRIBE_FLOOD},
        {"nothing", "", UNSUBSCRIBE_NOTHING},
        {"only blanks", " \r\n\t ", UNSUBSCRIBE_NOTHING},
        {"a name alone", "action", UNSUBSCRIBE_NOTHING},
        {"a name without a value", "action=", UNSUBSCRIBE_NOTHING},
        {"a value without a name", "=stream", UNSUBSCRIBE_NOTHING},
        {"the wrong value for the name", "action=One-Click", UNSUBSCRIBE_NOTHING},
        {"the wrong name for the value", "List-Unsubscribe=all", UNSUBSCRIBE_NOTHING},
        {"the beginning of a value", "action=al", UNSUBSCRIBE_NOTHING},
        {"more than a value", "action=all.", UNSUBSCRIBE_NOTHING},
        {"two equal signs", "action==all", UNSUBSCRIBE_NOTHING},
        {"encoded twice", "action=%2561ll", UNSUBSCRIBE_NOTHING},
        {"half an encoded octet", "action=all%", UNSUBSCRIBE_NOTHING},
        {"the other half is missing", "action=all%6", UNSUBSCRIBE_NOTHING},
        {"no hexadecimal digit", "action=%g1ll", UNSUBSCRIBE_NOTHING},
        {"a zero in it", "action=all%00", UNSUBSCRIBE_NOTHING},
        {"separated by semicolons", "x=1;action=all", UNSUBSCRIBE_NOTHING},
        {"JSON", "{\"action\":\"all\"}", UNSUBSCRIBE_NOTHING},
        {"what is cut at a limit is not the value",
         "action=all" BLANKS_50 BLANKS_50 BLANKS_50 BLANKS_50 "x", UNSUBSCRIBE_NOTHING},
        {"nor the name", "action" BLANKS_50 BLANKS_50 BLANKS_50 BLANKS_50 "x=all", UNSUBSCRIBE_NOTHING},
        {"and the next is read as if it had not been",
         "action=x" BLANKS_50 BLANKS_50 BLANKS_50 BLANKS_50 "&action=all", UNSUBSCRIBE_ALL},
    };
    static const char *const types[] = {URLENCODED, "", "text/plain", "multipart"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        for (size_t k = 0; k < COUNT_OF(types); k++)
            EXPECT(unsubscribe_form(span_of(types[k]), span_of(rows[i].body)) == rows[i].want, rows[i].label);
}

#define MULTIPART "multipart/form-data; boundary=\"b b\""
#define PART(head, value) "--b b\r\n" head "\r\n\r\n" value "\r\n"
#define END "--b b--\r\n"

static void parts(void **state)
{
    static const struct {
        const char *label, *type, *body;
        enum unsubscribe_action want;
    } rows[] = {
        {"a mail program's", MULTIPART,
         PART("Content-Disposition: form-data; name=\"List-Unsubscribe\"", "One-Click") END, UNSUBSCRIBE_ONE_CLICK},
        {"a type in other letters", "Multipart/Form-Data; Boundary=\"b b\"",
         PART("content-disposition: form-data; NAME=\"List-Unsubscribe\"", "One-Click") END, UNSUBSCRIBE_ONE_CLICK},
        {"a name without quotes", MULTIPART, PART("Content-Disposition: form-data; name=action", "all") END,
         UNSUBSCRIBE_ALL},
        {"among others", MULTIPART,
         PART("Content-Disposition: form-data; name=\"x\"", "y")
             PART("Content-Disposition: form-data; name=action", "undo") END,
         UNSUBSCRIBE_UNDO},
        {"without an end", MULTIPART, PART("Content-Disposition: form-data; name=action", "stream"), UNSUBSCRIBE_STREAM},
        {"the name of a file is no name", MULTIPART,
         PART("Content-Disposition: form-data; filename=\"action\"", "all") END, UNSUBSCRIBE_NOTHING},
        {"nor does it hide the name", MULTIPART,
         PART("Content-Disposition: form-data; filename=\"x\"; name=\"action\"", "all") END, UNSUBSCRIBE_ALL},
        {"a name in another field is none", MULTIPART, PART("Content-Type: text/plain; name=\"action\"", "all") END,
         UNSUBSCRIBE_NOTHING},
        {"no name", MULTIPART, PART("Content-Disposition: form-data", "all") END, UNSUBSCRIBE_NOTHING},
        {"no header", MULTIPART, "--b b\r\n\r\nall\r\n" END, UNSUBSCRIBE_NOTHING},
        {"a quote that does not end goes to the end", MULTIPART,
         PART("Content-Disposition: form-data; name=\"action", "all") END, UNSUBSCRIBE_ALL},
        {"another boundary", "multipart/form-data; boundary=c",
         PART("Content-Disposition: form-data; name=action", "all") END, UNSUBSCRIBE_NOTHING},
        {"no boundary", "multipart/form-data", PART("Content-Disposition: form-data; name=action", "all") END,
         UNSUBSCRIBE_NOTHING},
        {"a type that goes on in another line", "multipart/form-data; boundary=\"b b\"\r\nX: y",
         PART("Content-Disposition: form-data; name=action", "all") END, UNSUBSCRIBE_ALL},
        {"nothing", MULTIPART, "", UNSUBSCRIBE_NOTHING},
        {"it says multipart and is a pair", MULTIPART, "action=all", UNSUBSCRIBE_NOTHING},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        EXPECT(unsubscribe_form(span_of(rows[i].type), span_of(rows[i].body)) == rows[i].want, rows[i].label);
}

/* Whatever bytes come, cut anywhere: it is read to its end and no further, and asks for nothing or for what it says. */
static void any_bytes(void **state)
{
    static const char form[] = PART("Content-Disposition: form-data; name=\"action\"", "all") END;
    unsigned seed = 1;
    char noise[300];
    (void)state;
    for (size_t len = 0; len < sizeof(form); len++) {
        char *exact = malloc(len + 1); /* so that the sanitizer sees each octet too many */
        assert_non_null(exact);
        memcpy(exact, form, len);
        enum unsubscribe_action a = unsubscribe_form(SPAN(MULTIPART), (struct span){exact, len});
        assert_true(a == UNSUBSCRIBE_NOTHING || a == UNSUBSCRIBE_ALL);
        free(exact);
    }
    for (int round = 0; round < 2000; round++) {
        for (size_t i = 0; i < sizeof(noise); i++) {
            seed = seed * 1103515245 + 12345;
            noise[i] = "%&=+\r\n-b \"; \0\xff."[seed >> 16 & 15];
        }
        struct span bytes = {noise, seed >> 8 & 255};
        assert_int_equal(unsubscribe_form(SPAN(MULTIPART), bytes), UNSUBSCRIBE_NOTHING);
        assert_int_equal(unsubscribe_form(bytes, bytes), UNSUBSCRIBE_NOTHING);
    }
}

static void names(void **state)
{
    static const char *const all[] = {"nothing", "one-click", "stream", "all", "flood", "undo"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(all); i++)
        assert_string_equal(unsubscribe_action_name((enum unsubscribe_action)i), all[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pairs),
        cmocka_unit_test(parts),
        cmocka_unit_test(any_bytes),
        cmocka_unit_test(names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
