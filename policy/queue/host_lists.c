// SPDX-License-Identifier: BSD-2-Clause
/* host_lists.c - How a list of hosts is called.
 *
 * It may be as long as somebody publishes it: thirty names of 253 octets are 8 KB. One that is
 * longer than people would read is called by its first host and a digest, so that nobody can make
 * two lists with one name.
 */
#include "host_lists.h"

#include "pointer_table.h"
#include "queue.h"
#include "secret.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DIGEST = 16 };

static int by_preference(const void *a, const void *b)
{
    const struct ranked_host *x = a;
    const struct ranked_host *y = b;
    return x->preference != y->preference ? (x->preference > y->preference ? 1 : -1)
                                          : strcmp(x->name, y->name);
}

static void read_host(const char *name, unsigned preference, struct ranked_host *host_r)
{
    size_t len = strnlen(name, HOST_LEN_MAX);
    if (len > 1 && name[len - 1] == '.')
        len--;
    for (size_t k = 0; k < len; k++)
        host_r->name[k] = (char)(name[k] >= 'A' && name[k] <= 'Z' ? name[k] - 'A' + 'a' : name[k]);
    host_r->name[len] = '\0';
    host_r->preference = preference;
}

void host_list_read(const struct queue_answer *answer, struct host_list *list_r)
{
    size_t count = answer->host_count < QUEUE_HOSTS_MAX ? answer->host_count : QUEUE_HOSTS_MAX;
    struct ranked_host *all = list_r->all;
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        read_host(answer->hosts[i], answer->preferences ? answer->preferences[i] : 0, &all[i]);
    qsort(all, count, sizeof(all[0]), by_preference);
    for (size_t i = 0; i < count; i++) {
        size_t k = 0;
        while (k < kept && strcmp(all[k].name, all[i].name) != 0)
            k++;
        if (k == kept)
            all[kept++] = all[i];
    }
    list_r->count = kept;
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(const struct ranked_host *const *)a)->name,
                  (*(const struct ranked_host *const *)b)->name);
}

static void sort_by_name(const struct host_list *list, const struct ranked_host **sorted_r)
{
    for (size_t i = 0; i < list->count; i++)
        sorted_r[i] = &list->all[i];
    qsort(sorted_r, list->count, sizeof(const struct ranked_host *), by_name);
}

/* What is too long for a name: "mx1.club.example+29/00112233445566778899aabbccddeeff". */
static void shorten(struct buf *text, const char *first, size_t count)
{
    unsigned char digest[DIGEST];
    char hex[2 * DIGEST + 1];
    if (text->len <= HOST_LIST_TEXT)
        return;
    secret_digest(buf_span(text), digest);
    for (size_t i = 0; i < DIGEST; i++)
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    buf_clear(text);
    CHECK(buf_addf(text, "%s+%zu/%s", first, count - 1, hex));
}

void host_list_print_set(const struct host_list *list, struct buf *text)
{
    const struct ranked_host *sorted[QUEUE_HOSTS_MAX];
    sort_by_name(list, sorted);
    for (size_t i = 0; i < list->count; i++)
        CHECK(buf_addf(text, "%s%s", i > 0 ? "," : "", sorted[i]->name));
    if (list->count > 0)
        shorten(text, sorted[0]->name, list->count);
}

void host_list_print_order(const struct host_list *list, struct buf *text)
{
    const struct ranked_host *all = list->all;
    for (size_t i = 0; i < list->count; i++) {
        bool worse = i > 0 && all[i].preference > all[i - 1].preference;
        CHECK(buf_addf(text, "%s%s", i == 0 ? "" : worse ? ";" : ",", all[i].name));
    }
    if (list->count > 0)
        shorten(text, all[0].name, list->count);
}

void host_list_print_some(const struct host_list *list, struct buf *text)
{
    const struct ranked_host *sorted[QUEUE_HOSTS_MAX];
    sort_by_name(list, sorted);
    for (size_t i = 0; i < list->count; i++) {
        if (i > 0 && text->len + strlen(sorted[i]->name) >= HOST_LIST_TEXT)
            return;
        CHECK(buf_addf(text, "%s%s", i > 0 ? "," : "", sorted[i]->name));
    }
}

bool host_list_has_room(const struct host_list *list)
{
    size_t len = 0;
    for (size_t i = 0; i < list->count; i++)
        len += strlen(list->all[i].name) + (i > 0);
    return len <= HOST_LIST_TEXT;
}

size_t host_list_marks(const struct host_list *list, uint64_t marks_r[QUEUE_HOSTS_MAX])
{
    const struct ranked_host *sorted[QUEUE_HOSTS_MAX];
    sort_by_name(list, sorted);
    for (size_t i = 0; i < list->count; i++)
        marks_r[i] = pointer_table_text(sorted[i]->name);
    return list->count;
}
