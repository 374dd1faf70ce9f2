// SPDX-License-Identifier: BSD-2-Clause
/* message_ids.h - Inside the store: numbers for new messages, each later than any before. */
#ifndef MESSAGE_IDS_H
#define MESSAGE_IDS_H

#include <stdint.h>

struct message_ids {
    _Atomic int64_t last;
};

/* From any thread. */
int64_t message_ids_new(struct message_ids *ids);

/* What is numbered at that time has this number or a greater one. */
int64_t message_ids_at(int64_t at_ms);

#endif
