// SPDX-License-Identifier: BSD-2-Clause
/* url_shown.h - The address of a webhook, for those who may not use it. */
#ifndef URL_SHOWN_H
#define URL_SHOWN_H

/* As an address is shown to who may only read, and in the audit trail: often its path is all that
 * one needs to speak to the application. The same for the same address. */
enum { URL_SHOWN = 300 };
void url_shown(const char *url, char text_r[URL_SHOWN]);

#endif
