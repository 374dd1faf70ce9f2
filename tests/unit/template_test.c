// SPDX-License-Identifier: BSD-2-Clause
/* template_test.c - Blocks of a template, one in the other; words at each end of a line; what is escaped and what is not. */
#include "table.h"

#include "template.h"

/* A view is a word's value: "x" is empty at first, "list" has two, "none" has none. */
static void insert(const void *view, struct span word, struct buf *out)
{
    if (span_equal(word, SPAN("x")))
        buf_add(out, span_of(view));
    else
        buf_addf(out, "(%.*s)", SPAN_ARG(word));
}

static void plain(struct buf *out, struct span text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] == '&')
            buf_add(out, SPAN("&amp;"));
        else
            buf_add_char(out, text.ptr[i]);
}

static void each(const void *view, struct span list, template_visit *visit, void *context)
{
    (void)view;
    if (!span_equal(list, SPAN("list")))
        return;
    visit("1", context);
    visit("2", context);
}

static const struct template words = {.open = '{', .close = '}', .insert = insert, .each = each};

static const struct {
    const char *label, *x, *text, *printed;
} rows[] = {
    {"nothing", "", "", ""},
    {"no word", "", "a\nb\n", "a\nb\n"},
    {"words at both ends", "v", "{x}-{y}\n", "v-(y)\n"},
    {"a word that does not end", "v", "a{x", "av\n"},
    {"an empty line", "", "\n\n", "\n\n"},
    {"a comment", "", "@ never {x}\na\n", "a\n"},
    {"anything", "v", "@if x\na\n@else\nb\n@end\n", "a\n"},
    {"nothing of it", "", "@if x\na\n@else\nb\n@end\n", "b\n"},
    {"unless", "", "@unless x\na\n@end\nz\n", "a\nz\n"},
    {"one of the texts", "v", "@if x u v\na\n@end\n", "a\n"},
    {"none of the texts", "v", "@if x u w\na\n@end\n@unless x u w\nb\n@end\n", "b\n"},
    {"only the first that holds", "v", "@if x u\na\n@elif x v\nb\n@elif x v\nc\n@else\nd\n@end\n", "b\n"},
    {"a block in one that does not hold", "", "@if x\n@unless x\na\n@else\nb\n@end\nc\n@end\nz\n", "z\n"},
    {"a list", "v", "@each list\n{x}\n@end\n{x}\n", "1\n2\nv\n"},
    {"a list of none", "v", "@each none\n{x}\n@end\nz\n", "z\n"},
    {"a list in a list", "", "@each list\n@each list\n{x}\n@end\n@if x 2\nb\n@end\n@end\n", "1\n2\n1\n2\nb\n"},
    {"a list in what does not hold", "", "@if x\n@each list\n{x}\n@end\n@end\nz\n", "z\n"},
    {"any of two lists", "", "@if any none list\na\n@end\n@if none none\nb\n@end\n", "a\nb\n"},
    {"no newline at the end", "", "a\nb", "a\nb\n"},
};

static void blocks(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct buf out;
        buf_init(&out, 1000);
        template_print(&words, rows[i].x, span_of(rows[i].text), &out);
        if (strcmp(buf_text(&out), rows[i].printed) != 0)
            fail_msg("%s: %s", rows[i].label, buf_text(&out));
        buf_fini(&out);
    }
}

static void the_text_between_words(void **state)
{
    const struct template escaping = {.open = '<', .close = '>', .insert = insert, .plain = plain};
    struct buf out;
    (void)state;
    buf_init(&out, 1000);
    template_fill(&escaping, "&", SPAN("@if <x> & {x}\n&<x>"), &out);
    assert_string_equal(buf_text(&out), "@if & &amp; {x}\n&amp;&");
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks),
        cmocka_unit_test(the_text_between_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
