// SPDX-License-Identifier: BSD-2-Clause
/* host_lists.h - The hosts of an answer, and how they are called. */
#ifndef HOST_LISTS_H
#define HOST_LISTS_H

#include "buf.h"
#include "queue.h"

/* Longer texts are not printed whole. */
enum { HOST_LEN_MAX = 255, HOST_LIST_TEXT = 500 };
/* Room for one that is printed whole before it is called otherwise. */
enum { HOST_LIST_ROOM = QUEUE_HOSTS_MAX * (HOST_LEN_MAX + 2) };

struct ranked_host {
    char name[HOST_LEN_MAX + 1]; /* in lower case, without a dot at its end */
    unsigned preference;
};

/* By preference; each once, at its best. */
struct host_list {
    struct ranked_host all[QUEUE_HOSTS_MAX];
    size_t count;
};

void host_list_read(const struct queue_answer *answer, struct host_list *list_r);
/* "mx1.club.example,mx2.club.example": sorted by name; or, where that is longer than
 * HOST_LIST_TEXT, its first host with a digest of all. `text` holds HOST_LIST_ROOM. */
void host_list_print_set(const struct host_list *list, struct buf *text);
/* "mx2.club.example;mx1.club.example": by preference, ";" before each that is worse; the same when
 * it is long. Only those whose hosts are the same in the same order may carry each other's
 * messages. */
void host_list_print_order(const struct host_list *list, struct buf *text);
/* Sorted by name, as many of them as HOST_LIST_TEXT has room for. */
void host_list_print_some(const struct host_list *list, struct buf *text);
/* Does its name say all of them? */
bool host_list_has_room(const struct host_list *list);
/* What stands for each of them, in the order of their names. Returns how many. */
size_t host_list_marks(const struct host_list *list, uint64_t marks_r[QUEUE_HOSTS_MAX]);

#endif
