/* SGR (CSI m): the attributes of a style, and how they and colours are written as parameters. */
#ifndef VT_SGR_H
#define VT_SGR_H

#include "vt_state.h"

/* Attribute, the parameter that turns it on, its bit in a snapshot (0: it has none), its name in JSON. */
#define VT_SGR_ATTRIBUTES(X)              \
    X(VT_BOLD, 1, 0x01, "bold")           \
    X(VT_DIM, 2, 0x08, "dim")             \
    X(VT_ITALIC, 3, 0x02, "italic")       \
    X(VT_BLINK, 5, 0, "blink")            \
    X(VT_INVERSE, 7, 0x10, "inverse")     \
    X(VT_INVISIBLE, 8, 0x20, "invisible") \
    X(VT_STRIKE, 9, 0x40, "strike")       \
    X(VT_OVERLINE, 53, 0, "overline")

/* The parameters that turn attributes off. */
#define VT_SGR_ENDS(X)       \
    X(VT_BOLD | VT_DIM, 22)  \
    X(VT_ITALIC, 23)         \
    X(VT_UNDERLINE, 24)      \
    X(VT_BLINK, 25)          \
    X(VT_INVERSE, 27)        \
    X(VT_INVISIBLE, 28)      \
    X(VT_STRIKE, 29)         \
    X(VT_OVERLINE, 55)

/* The first palette colour of each kind. + 8: a colour by number or RGB follows; + 9: the default. Underlines have only
   these two, 58 and 59. */
enum { VT_SGR_FOREGROUND = 30, VT_SGR_BACKGROUND = 40, VT_SGR_UNDERLINE = 50 };

static inline int vt_underline(const vt_style *s) { return (s->attrs & VT_UNDERLINE) >> VT_UNDERLINE_SHIFT; }

/* The parameters that turn `attrs` on, each ended by a semicolon. */
static inline uint8_t *vt_sgr_put_attributes(uint8_t *p, unsigned attrs)
{
#define PUT(attribute, number, snapshot, name) \
    if (attrs & attribute)                     \
        p = vt_write_string(p, #number ";");
    VT_SGR_ATTRIBUTES(PUT)
#undef PUT
    unsigned kind = (attrs & VT_UNDERLINE) >> VT_UNDERLINE_SHIFT;
    if (kind) {
        *p++ = '4';
        if (kind > 1) {
            *p++ = ':';
            *p++ = (uint8_t)('0' + kind);
        }
        *p++ = ';';
    }
    return p;
}

/* A colour, ended by a semicolon. `separator`: ';' or ':' between its parts. */
static inline uint8_t *vt_sgr_put_colour(uint8_t *p, uint32_t colour, unsigned base, char separator)
{
    unsigned n = colour & 0xFF;
    if (!colour) {
        p = vt_write_number(p, base + 9);
    } else if (colour & VT_PALETTE && n < 16 && base != VT_SGR_UNDERLINE) {
        p = vt_write_number(p, n < 8 ? base + n : base + 60 + n - 8);
    } else {
        p = vt_write_number(p, base + 8);
        *p++ = (uint8_t)separator;
        if (colour & VT_PALETTE) {
            *p++ = '5';
            *p++ = (uint8_t)separator;
        } else {
            *p++ = '2';
            *p++ = (uint8_t)separator;
            if (separator == ':') /* an empty colour space */
                *p++ = ':';
            p = vt_write_number(p, colour >> 16 & 0xFF);
            *p++ = (uint8_t)separator;
            p = vt_write_number(p, colour >> 8 & 0xFF);
            *p++ = (uint8_t)separator;
        }
        p = vt_write_number(p, n);
    }
    *p++ = ';';
    return p;
}

#endif
