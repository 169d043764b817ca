/* The texts inside of an OSC or DCS string: parts, numbers, digits, text without control characters, base64. */
#ifndef VT_STRING_H
#define VT_STRING_H

#include "vt_state.h"

#include <string.h>

typedef struct {
    const char *p;
    size_t n;
} text;

/* The part before the next `by`; the rest stays in `from`. */
static inline text split(text *from, char by)
{
    text first = *from;
    const char *at = from->n ? memchr(from->p, by, from->n) : NULL;
    if (at) {
        first.n = (size_t)(at - from->p);
        from->p = at + 1;
        from->n -= first.n + 1;
    } else {
        from->p += from->n;
        from->n = 0;
    }
    return first;
}

static inline int is(text t, const char *word) { return t.n == strlen(word) && !memcmp(t.p, word, t.n); }

static inline int starts(text t, const char *word) { return t.n >= strlen(word) && !memcmp(t.p, word, strlen(word)); }

/* A decimal number of at most 9 digits and nothing else, or -1. */
static inline int decimal(text t)
{
    int value = 0;
    if (!t.n || t.n > 9)
        return -1;
    for (size_t i = 0; i < t.n; i++) {
        if (t.p[i] < '0' || t.p[i] > '9')
            return -1;
        value = 10 * value + (t.p[i] - '0');
    }
    return value;
}

static inline int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Line ends and tabs, which are spaces in prose, and marks that change the direction of the text around them. */
static inline int is_prose_space(uint32_t c) { return c == '\t' || c == '\n' || c == 0x85 || c == 0x2028 || c == 0x2029; }
static inline int turns_text(uint32_t c)
{
    return c == 0x061C || c == 0x200E || c == 0x200F || (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069);
}

/* Copy as much of a text as there is room for, without control characters; invalid UTF-8 becomes U+FFFD. `prose`: a
   person reads it beside other texts, so it is one line, and turns none of them round. */
static inline size_t clean_text(uint8_t *to, size_t room, text from, int prose)
{
    size_t used = 0;
    const uint8_t *p = (const uint8_t *)from.p, *end = p + from.n;
    while (p < end) {
        uint32_t code = 0xFFFD;
        const uint8_t *begin = p;
        int valid = vt_utf8_decode(p, end, &code);
        p += valid ? valid : vt_utf8_part(p, end);
        if (prose && is_prose_space(code)) {
            if (used == room)
                break;
            to[used++] = ' ';
            continue;
        }
        if (prose && turns_text(code))
            continue;
        if (valid && (code < 0x20 || (code >= 0x7F && code < 0xA0)))
            continue;
        size_t size = valid ? (size_t)valid : 3;
        if (used + size > room)
            break;
        memcpy(to + used, valid ? begin : (const uint8_t *)"\xEF\xBF\xBD", size);
        used += size;
    }
    return used;
}

static inline size_t clean(uint8_t *to, size_t room, text from) { return clean_text(to, room, from, 0); }

static inline int base64_digit(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Decode base64 in place, in a string that is not used afterwards. -1: it is not base64. */
static inline long decode_base64(uint8_t *p, size_t n)
{
    size_t out = 0, digits = 0;
    uint32_t bits = 0;
    while (n && p[n - 1] == '=')
        n--;
    for (size_t i = 0; i < n; i++) {
        int digit = base64_digit(p[i]);
        if (digit < 0)
            return -1;
        bits = bits << 6 | (uint32_t)digit;
        if (++digits % 4 != 1)
            p[out++] = (uint8_t)(bits >> (6 - 2 * ((digits - 1) % 4)));
    }
    return digits % 4 == 1 ? -1 : (long)out;
}

#endif
