/* UTF-8: one encoder, one decoder, and the rule for characters that come byte by byte. */
#ifndef VT_UTF8_H
#define VT_UTF8_H

#include <stdint.h>

/* Write `bytes` from the lowest on: always four, so that there is no branch. */
static inline void vt_utf8_put_four(uint8_t *p, uint32_t bytes)
{
    p[0] = (uint8_t)bytes;
    p[1] = (uint8_t)(bytes >> 8);
    p[2] = (uint8_t)(bytes >> 16);
    p[3] = (uint8_t)(bytes >> 24);
}

/* Returns the end of the character, which may be before the four bytes that are written. */
static inline uint8_t *vt_utf8_put(uint8_t *p, uint32_t c)
{
    if (c - 0x800 < 0xF800) {
        vt_utf8_put_four(p, 0x8080E0 | c >> 12 | (c << 2 & 0x3F00) | (c & 63) << 16);
        return p + 3;
    }
    if (c < 0x800) {
        vt_utf8_put_four(p, c < 0x80 ? c : 0x80C0 | c >> 6 | (c & 63) << 8);
        return p + (c < 0x80 ? 1 : 2);
    }
    vt_utf8_put_four(p, 0x808080F0 | c >> 18 | (c >> 4 & 0x3F00) | (c << 10 & 0x3F0000) | (c & 63) << 24);
    return p + 4;
}

/* The character at `p`: its bytes, 1 to 4, and its code point; 0 if it is not whole or not valid. */
static inline int vt_utf8_decode(const uint8_t *p, const uint8_t *end, uint32_t *code)
{
    uint32_t c = p[0];
    if (c < 0x80) {
        *code = c;
        return 1;
    }
    if (c >= 0xE0 && c < 0xF0) {
        if (end - p < 3 || (p[1] & 0xC0) != 0x80 || (p[2] & 0xC0) != 0x80)
            return 0;
        c = (c & 15) << 12 | (p[1] & 63u) << 6 | (p[2] & 63u);
        *code = c;
        return c >= 0x800 && c - 0xD800 >= 0x800 ? 3 : 0;
    }
    if (c >= 0xC2 && c < 0xE0) {
        if (end - p < 2 || (p[1] & 0xC0) != 0x80)
            return 0;
        *code = (c & 31) << 6 | (p[1] & 63u);
        return 2;
    }
    if (c < 0xF0 || end - p < 4 || (p[1] & 0xC0) != 0x80 || (p[2] & 0xC0) != 0x80 || (p[3] & 0xC0) != 0x80)
        return 0;
    c = (c & 15) << 18 | (p[1] & 63u) << 12 | (p[2] & 63u) << 6 | (p[3] & 63u);
    *code = c;
    return p[0] < 0xF8 && c >= 0x10000 && c < 0x110000 ? 4 : 0;
}

/* The same for text that the engine has encoded, which is always valid. Never 0, so that no loop can stand still. */
static inline int vt_utf8_next(const uint8_t *p, const uint8_t *end, uint32_t *code)
{
    int n = vt_utf8_decode(p, end, code);
    if (n)
        return n;
    *code = 0xFFFD;
    return 1;
}

/* Bytes of a character that begins with `lead`: 1 to 4, or 0 if none does (Unicode, table 3-7). */
static inline int vt_utf8_size(uint8_t lead)
{
    return lead < 0x80 ? 1 : lead < 0xC2 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : lead < 0xF5 ? 4 : 0;
}

/* Whether `byte` may be byte number `at`, from 1 on, of a character that begins with `lead`. The bounds of second bytes
   leave out overlong forms, surrogates and numbers that are too large. */
static inline int vt_utf8_continues(uint8_t lead, int at, uint8_t byte)
{
    uint8_t low = 0x80, high = 0xBF;
    if (at == 1) {
        switch (lead) {
        case 0xE0:
            low = 0xA0;
            break;
        case 0xED:
            high = 0x9F;
            break;
        case 0xF0:
            low = 0x90;
            break;
        case 0xF4:
            high = 0x8F;
            break;
        }
    }
    return byte >= low && byte <= high;
}

/* Bytes of the invalid or unfinished character at `p`: its maximal part, which one U+FFFD stands for. */
static inline int vt_utf8_part(const uint8_t *p, const uint8_t *end)
{
    int n = 1, size = vt_utf8_size(*p);
    while (n < size && n < end - p && vt_utf8_continues(*p, n, p[n]))
        n++;
    return n;
}

#endif
