// SPDX-License-Identifier: BSD-2-Clause
/* standing.h - The state of a running relay: since when it runs, its settings, and the result of
 * the last reload. For use from any thread. */
#ifndef STANDING_H
#define STANDING_H

#include "dns_outage.h"
#include "err.h"

#include <stdint.h>

struct standing;

/* The relay has started now. From here on any thread may use it. */
struct standing *standing_new(int64_t now_ms);
void standing_free(struct standing *s); /* NULL is allowed */

/* These settings are in force from now on: as config_print() prints them, of this file. */
void standing_settings(struct standing *s, const char *file, const char *text, int64_t now_ms);
/* How DNSSEC stands: a word, as control's `status` has it, and the trust anchor. Literal and
 * copied. */
void standing_dnssec(struct standing *s, const char *state, const char *trust_anchor);
/* DNS is silent, or answers now (dns_outage.h). `by`, `after_ms` and `since_ms_r` as there, by
 * clock_steady_ms(). */
enum dns_outage_news standing_dns(struct standing *s, const void *by, bool silent, bool wanted,
                                  int64_t after_ms, int64_t *since_ms_r);
/* What it has said could not be told: it says it again. */
void standing_dns_untold(struct standing *s);
/* A reload was refused; the settings stay. */
void standing_refused(struct standing *s, const char *why, int64_t now_ms);

struct standing_copy {
    int64_t started_ms, loaded_ms, refused_ms; /* refused_ms: 0: the last reload was not */
    char *file, *text;
    char refused[400];
    const char *dnssec; /* literal */
    char trust_anchor[400];
    struct dns_outage dns;
};
/* Free with standing_copy_fini(). */
void standing_read(struct standing *s, struct standing_copy *copy_r);
void standing_copy_fini(struct standing_copy *copy);

#endif
