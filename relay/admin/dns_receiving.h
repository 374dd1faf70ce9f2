// SPDX-License-Identifier: BSD-2-Clause
/* dns_receiving.h - What dns --check says of mail to the domain. */
#ifndef DNS_RECEIVING_H
#define DNS_RECEIVING_H

#include "dns_work.h"

/* Ask as senders do, blocking; a row for each finding (reception.h), none where the domain takes no
 * mail. False: nothing could be asked. */
MUST_CHECK bool dns_receiving(const struct dns_work *w, const struct config *config,
                              json_t **rows_r, struct err *err);
/* Is something wrong, and not only missing? */
bool dns_receiving_wrong(const json_t *rows);
void dns_receiving_print(const struct dns_work *w, const json_t *rows);

#endif
