// SPDX-License-Identifier: BSD-2-Clause
/* normal.c - Unicode normal forms; the only user of libidn2 (domains) and libunistring (text). */
#include "normal.h"

#include <idn2.h>
#include <stdlib.h>
#include <string.h>
#include <unicase.h>
#include <unictype.h>
#include <uninorm.h>
#include <unistr.h>
#include <uniwidth.h>

enum { FOLDS_MAX = 4 };

/* RFC 5891 section 4.4 (U-label to A-label) and 5.4: an xn-- label must decode, and encode to
 * itself. */
bool normal_domain(struct span domain, char *ascii_r)
{
    char text[256];
    char *unicode = NULL;
    char *ascii = NULL;
    if (!span_copy(domain, text, sizeof(text)))
        return false;
    bool ok = idn2_to_unicode_8z8z(text, &unicode, IDN2_NONTRANSITIONAL) == IDN2_OK &&
              idn2_to_ascii_8z(unicode, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) == IDN2_OK &&
              strlen(ascii) <= ADDRESS_DOMAIN_MAX;
    if (ok)
        memcpy(ascii_r, ascii, strlen(ascii) + 1);
    idn2_free(unicode);
    idn2_free(ascii);
    return ok;
}

void normal_character_add(uint32_t c, struct buf *out)
{
    uint8_t octets[8];
    int len = u8_uctomb(octets, c, (ptrdiff_t)sizeof(octets));
    if (len > 0)
        buf_add(out, (struct span){(const char *)octets, (size_t)len});
}

uint32_t normal_lower(uint32_t c)
{
    return uc_tolower(c);
}

/* One character after the other: whether a sigma is the last one is no matter of case here. */
static uint8_t *lower(struct span text, size_t *len_r)
{
    uint8_t room[2 * ADDRESS_MAX];
    size_t used = 0;
    for (size_t n = 0; text.len > 0; text = span_from(text, n)) {
        uint32_t c = 0;
        n = normal_character(text, &c);
        int put = n > 0 && used < sizeof(room)
                      ? u8_uctomb(room + used, uc_tolower(c), (ptrdiff_t)(sizeof(room) - used))
                      : -1;
        if (put <= 0)
            return NULL;
        used += (size_t)put;
    }
    return u8_normalize(UNINORM_NFC, room, used, NULL, len_r);
}

bool normal_domain_stays(struct span domain, const char *ascii)
{
    char *unicode = NULL;
    size_t len = 0;
    uint8_t *plain = lower(domain, &len);
    bool stays = plain && idn2_to_unicode_8z8z(ascii, &unicode, IDN2_NONTRANSITIONAL) == IDN2_OK &&
                 len == strlen(unicode) && memcmp(plain, unicode, len) == 0;
    idn2_free(unicode);
    free(plain);
    return stays;
}

static void lower_ascii(struct span text, char *text_r)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        text_r[i] = (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
    }
}

bool normal_text(struct span text, char *text_r, size_t *len_r)
{
    *len_r = 0;
    if (text.len > ADDRESS_CANONICAL_LOCAL_MAX)
        return false;
    *len_r = text.len;
    if (span_is_ascii(text)) {
        lower_ascii(text, text_r);
        return true;
    }
    bool stable = false;
    memcpy(text_r, text.ptr, text.len);
    for (int i = 0; i < FOLDS_MAX && !stable; i++) {
        size_t len = 0;
        uint8_t *folded =
            u8_casefold((const uint8_t *)text_r, *len_r, NULL, UNINORM_NFKC, NULL, &len);
        if (!folded || len > ADDRESS_CANONICAL_LOCAL_MAX) {
            free(folded);
            return false;
        }
        stable = len == *len_r && memcmp(folded, text_r, len) == 0;
        memcpy(text_r, folded, len);
        *len_r = len;
        free(folded);
    }
    return stable;
}

size_t normal_character(struct span text, uint32_t *c_r)
{
    ucs4_t c = 0;
    int len = u8_mbtoucr(&c, (const uint8_t *)text.ptr, text.len);
    *c_r = c;
    return len > 0 ? (size_t)len : 0;
}

size_t normal_width(struct span text)
{
    if (span_is_ascii(text) || !span_is_utf8(text))
        return text.len;
    int width = u8_width((const uint8_t *)text.ptr, text.len, "UTF-8");
    return width > 0 ? (size_t)width : 0;
}

bool normal_disturbs(uint32_t c)
{
    bool joins = c == 0x200c || c == 0x200d || (c >= 0xfe00 && c <= 0xfe0f);
    return (uc_is_property_default_ignorable_code_point(c) && !joins) ||
           uc_is_property_bidi_control(c) || uc_is_property_not_a_character(c) ||
           uc_is_general_category_withtable(c, UC_CATEGORY_MASK_Cc | UC_CATEGORY_MASK_Zl |
                                                   UC_CATEGORY_MASK_Zp);
}

bool normal_hides(struct span text)
{
    while (text.len > 0) {
        uint32_t c = 0;
        size_t len = normal_character(text, &c);
        if (len == 0 || normal_disturbs(c) || uc_is_property_default_ignorable_code_point(c))
            return true;
        text = span_from(text, len);
    }
    return false;
}
