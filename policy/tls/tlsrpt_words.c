// SPDX-License-Identifier: BSD-2-Clause
/* tlsrpt_words.c - The words for what is wrong with a TLS report. */
#include "tlsrpt_read.h"

#define WORD(name, word, ...) word,
#define TEXT(name, word, text) text,

static const char *const faults[] = {TLSRPT_FAULTS(WORD)};
static const char *const fault_texts[] = {TLSRPT_FAULTS(TEXT)};
static const char *const warnings[] = {TLSRPT_WARNINGS(WORD)};
static const char *const warning_texts[] = {TLSRPT_WARNINGS(TEXT)};

const char *tlsrpt_fault_name(enum tlsrpt_fault fault)
{
    return faults[fault];
}

const char *tlsrpt_fault_text(enum tlsrpt_fault fault)
{
    return fault_texts[fault];
}

const char *tlsrpt_warning_name(enum tlsrpt_warning warning)
{
    return warnings[warning];
}

const char *tlsrpt_warning_text(enum tlsrpt_warning warning)
{
    return warning_texts[warning];
}
