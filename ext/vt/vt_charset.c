/* Character sets of ISO 2022: what an ASCII character means while another set is in use, and a byte from 0x80 on while
   a set other than ASCII is in GR. */
#include "vt_state.h"

/* DEC's special graphics, for 0x5F to 0x7E. */
static const uint16_t line_drawing[] = {
    ' ',
    0x25C6, 0x2592, 0x2409, 0x240C, 0x240D, 0x240A, 0x00B0, 0x00B1, 0x2424, 0x240B, 0x2518,
    0x2510, 0x250C, 0x2514, 0x253C, 0x23BA, 0x23BB, 0x2500, 0x23BC, 0x23BD, 0x251C, 0x2524,
    0x2534, 0x252C, 0x2502, 0x2264, 0x2265, 0x03C0, 0x2260, 0x00A3, 0x00B7,
};

#define UNDEFINED 0x2E2E /* a mirrored question mark, as in xterm */

/* DEC's technical set, for 0x20 to 0x7E; 0: undefined. */
static const uint16_t technical[] = {
    ' ',    0x23B7, 0x250C, 0x2500, 0x2320, 0x2321, 0x2502, 0x23A1, 0x23A3, 0x23A4, 0x23A6, 0x23A7, 0x23A9, 0x23AB,
    0x23AD, 0x23A8, 0x23AC, 0,      0,      0,      0,      0,      0,      0,      0,      0,      0,      0,
    0x2264, 0x2260, 0x2265, 0x222B, 0x2234, 0x221D, 0x221E, 0x00F7, 0x0394, 0x2207, 0x03A6, 0x0393, 0x223C, 0x2243,
    0x0398, 0x00D7, 0x039B, 0x21D4, 0x21D2, 0x2261, 0x03A0, 0x03A8, 0,      0x03A3, 0,      0,      0x221A, 0x03A9,
    0x039E, 0x03A5, 0x2282, 0x2283, 0x2229, 0x222A, 0x2227, 0x2228, 0x00AC, 0x03B1, 0x03B2, 0x03C7, 0x03B4, 0x03B5,
    0x03C6, 0x03B3, 0x03B7, 0x03B9, 0x03B8, 0x03BA, 0x03BB, 0,      0x03BD, 0x2202, 0x03C0, 0x03C8, 0x03C1, 0x03C3,
    0x03C4, 0,      0x0192, 0x03C9, 0x03BE, 0x03C5, 0x03B6, 0x2190, 0x2191, 0x2192, 0x2193,
};

/* National sets (VT220 manual): what takes the places of these characters. */
static const char places[] = "#@[\\]^_`{|}~";
static const struct { uint8_t set; uint16_t codes[sizeof places - 1]; } national[] = {
    {'4', {0xA3, 0xBE, 0x133, 0xBD, '|', '^', '_', '`', 0xA8, 0x192, 0xBC, 0xB4}},        /* Dutch */
    {'5', {'#', '@', 0xC4, 0xD6, 0xC5, 0xDC, '_', 0xE9, 0xE4, 0xF6, 0xE5, 0xFC}},         /* Finnish */
    {'R', {0xA3, 0xE0, 0xB0, 0xE7, 0xA7, '^', '_', '`', 0xE9, 0xF9, 0xE8, 0xA8}},         /* French */
    {'Q', {'#', 0xE0, 0xE2, 0xE7, 0xEA, 0xEE, '_', 0xF4, 0xE9, 0xF9, 0xE8, 0xFB}},        /* French Canadian */
    {'K', {'#', 0xA7, 0xC4, 0xD6, 0xDC, '^', '_', '`', 0xE4, 0xF6, 0xFC, 0xDF}},          /* German */
    {'Y', {0xA3, 0xA7, 0xB0, 0xE7, 0xE9, '^', '_', 0xF9, 0xE0, 0xF2, 0xE8, 0xEC}},        /* Italian */
    {'E', {'#', 0xC4, 0xC6, 0xD8, 0xC5, 0xDC, '_', 0xE4, 0xE6, 0xF8, 0xE5, 0xFC}},        /* Norwegian, Danish */
    {VT_PORTUGUESE, {'#', '@', 0xC3, 0xC7, 0xD5, '^', '_', '`', 0xE3, 0xE7, 0xF5, '~'}},
    {'Z', {0xA3, 0xA7, 0xA1, 0xD1, 0xBF, '^', '_', '`', 0xB0, 0xF1, 0xE7, '~'}},          /* Spanish */
    {'H', {'#', 0xC9, 0xC4, 0xD6, 0xC5, 0xDC, '_', 0xE9, 0xE4, 0xF6, 0xE5, 0xFC}},        /* Swedish */
    {'=', {0xF9, 0xE0, 0xE9, 0xE7, 0xEA, 0xEE, 0xE8, 0xF4, 0xE4, 0xF6, 0xFC, 0xFB}},      /* Swiss */
};

static uint32_t in_national(uint8_t set, uint8_t c)
{
    for (size_t i = 0; i < sizeof national / sizeof *national; i++)
        for (size_t k = 0; national[i].set == set && places[k]; k++)
            if (places[k] == c)
                return national[i].codes[k];
    return c;
}

static uint32_t supplemental(uint8_t c)
{
    switch (c) {
    case 0x24: case 0x26: case 0x2C: case 0x2D: case 0x2E: case 0x2F: case 0x34: case 0x38: case 0x3E: case 0x50:
    case 0x5E: case 0x70: case 0x7E: case 0x7F:
        return UNDEFINED;
    case 0x28:
        return 0xA4;
    case 0x57:
        return 0x152;
    case 0x77:
        return 0x153;
    case 0x5D:
        return 0x178;
    case 0x7D:
        return 0xFF;
    }
    return c | 0x80;
}

uint32_t vt_translate(uint8_t set, uint8_t c)
{
    switch (set) {
    case 'B':
    case VT_ASCII_BUT:
        return c;
    case '0':
        return c >= 0x5F ? line_drawing[c - 0x5F] : c;
    case 'A':
        return c == '#' ? 0xA3 : c;
    case VT_LATIN_1:
        return c | 0x80;
    case '<':
        return supplemental(c);
    case '>':
        return technical[c - 0x20] ? technical[c - 0x20] : UNDEFINED;
    }
    return in_national(set, c);
}

/* As in xterm, "A" is Latin-1, of 94 characters or of 96, until national sets are allowed or at level 1. */
uint8_t vt_set(const vt *t, int g)
{
    const uint8_t set = t->charsets[g];
    if (set != 'A' && set != VT_LATIN_1)
        return set;
    return t->modes & VT_M_NATIONAL || (set == 'A' && t->level == 1) ? 'A' : VT_LATIN_1;
}

int vt_has_del(const vt *t)
{
    return t->charsets[vt_gl(t)] == VT_LATIN_1 && !(t->modes & VT_M_NATIONAL);
}

uint32_t vt_right(const vt *t, uint8_t c)
{
    const uint8_t set = vt_set(t, t->gr), seven = c & 0x7F;
    if (set == 'B' || set == VT_ASCII_BUT || set == VT_LATIN_1)
        return c;
    if (seven == 0x7F)
        return set == '<' ? UNDEFINED : 0;
    return set == '0' && seven == '_' ? '_' : vt_translate(set, seven);
}

/* The letter of a national set, which may have several final characters. 0: the set is unknown. */
static uint8_t national_set(uint8_t final)
{
    static const char same[][2] = {{'C', '5'}, {'f', 'R'}, {'9', 'Q'}, {'6', 'E'}, {'`', 'E'}, {'7', 'H'}};
    for (size_t i = 0; i < sizeof same / sizeof *same; i++)
        if (same[i][0] == final)
            final = (uint8_t)same[i][1];
    for (size_t i = 0; i < sizeof national / sizeof *national; i++)
        if (national[i].set == final && final != VT_PORTUGUESE)
            return final;
    return 0;
}

void vt_designate(vt *t, const uint8_t *intermediates, int n, uint8_t final)
{
    static const char sets_94[] = "()*+", sets_96[] = "-./";
    for (int g = 0; g < 4; g++) {
        uint8_t set = 0;
        if (n == 1 && g && intermediates[0] == sets_96[g - 1]) {
            set = final == 'A' ? VT_LATIN_1 : 0;
        } else if (intermediates[0] != sets_94[g]) {
            continue;
        } else if (n == 2) {
            set = intermediates[1] != '%' ? 0 : final == '5' ? '<' : final == '6' ? VT_PORTUGUESE : 0;
        } else if (final == 'B' || final == '0' || final == 'A' || final == '<' || final == '>') {
            set = final;
        } else {
            set = national_set(final);
        }
        /* Without DECNRCM a national set is ASCII; xterm.js has it nevertheless. */
        if (set == VT_PORTUGUESE || national_set(set))
            set = t->modes & VT_M_NATIONAL ? set : VT_ASCII_BUT;
        if (set)
            t->charsets[g] = set;
    }
}

uint8_t *vt_put_designation(uint8_t *p, int g, uint8_t set)
{
    int national = set == VT_PORTUGUESE || national_set(set);
    if (national)
        p = vt_write_string(p, "\x1b[?42h");
    *p++ = 0x1B;
    *p++ = (uint8_t)(set == VT_LATIN_1 ? "--./"[g] : "()*+"[g]);
    if (set == VT_PORTUGUESE)
        *p++ = '%';
    *p++ = set == VT_PORTUGUESE ? '6' : set == VT_LATIN_1 ? 'A' : set == VT_ASCII_BUT ? 'B' : set;
    return national ? vt_write_string(p, "\x1b[?42l") : p;
}
