// SPDX-License-Identifier: BSD-2-Clause
/* certificates.h - The relay's certificates and keys, from their files. */
#ifndef CERTIFICATES_H
#define CERTIFICATES_H

#include "config.h"
#include "opener.h"

/* Read all that the config names and make a context of them; the err names the file, and what is
 * wrong with it. */
MUST_CHECK bool certificates_load(const struct config *config, const struct opener *opener,
                                  struct tls_context **context_r, struct err *err);
/* Does one of them expire soon, or has? `text_r` says which, when, and what to do. */
bool certificates_expire(struct tls_context *context, int64_t now_s, char *text_r, size_t size);
/* A number that changes when one of the files does. */
uint64_t certificates_mark(const struct config *config, const struct opener *opener);

#endif
