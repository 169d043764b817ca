/* Widths and grapheme clusters, Unicode 18.0.0: written by make_unicode.py, do not edit. */
#ifndef VT_UNICODE_H
#define VT_UNICODE_H

#include <stdint.h>

enum { /* classes of code points */
    VT_CLASS_OTHER = 0,
    VT_CLASS_BREAK = 1,
    VT_CLASS_IGNORED = 2,
    VT_CLASS_EXTEND = 3,
    VT_CLASS_INCB_EXTEND = 4,
    VT_CLASS_LINKER = 5,
    VT_CLASS_ZWJ = 6,
    VT_CLASS_SPACING = 7,
    VT_CLASS_PREPEND = 8,
    VT_CLASS_REGIONAL = 9,
    VT_CLASS_L = 10,
    VT_CLASS_V = 11,
    VT_CLASS_T = 12,
    VT_CLASS_LV = 13,
    VT_CLASS_LVT = 14,
    VT_CLASS_PICTOGRAPH = 15,
    VT_CLASS_TONE = 16,
    VT_CLASS_CONSONANT = 17,
    VT_CLASS_TEXT = 18,
    VT_CLASS_EMOJI = 19,
};

enum { /* what the next code point follows */
    VT_AFTER_NONE = 0,
    VT_AFTER_OTHER = 1,
    VT_AFTER_PREPEND = 2,
    VT_AFTER_REGIONAL = 3,
    VT_AFTER_L = 4,
    VT_AFTER_V = 5,
    VT_AFTER_T = 6,
    VT_AFTER_PICTOGRAPH = 7,
    VT_AFTER_PICTOGRAPH_ZWJ = 8,
    VT_AFTER_LINKED = 9,
    VT_AFTER_LINKED_PICTOGRAPH = 10,
    VT_AFTER_LINKED_PICTOGRAPH_ZWJ = 11,
};

#pragma GCC visibility push(hidden) /* no address has to be looked up */
extern const uint8_t vt_unicode_index[8704]; /* the block of 128 code points */
extern const uint8_t vt_unicode_blocks[][128];   /* a byte a code point, as below */
extern const uint16_t vt_unicode_joins[20];    /* the states that a class joins, as bits */
extern const uint8_t vt_unicode_steps[12][32]; /* by state and class: VT_STEP_... */
#pragma GCC visibility pop

/* Of a code point below 0x110000: width (bits 0, 1), class (bits 2 to 6), VT_VS_BASE. */
static inline uint8_t vt_properties(uint32_t code)
{
    return vt_unicode_blocks[vt_unicode_index[code / 128]][code % 128];
}
static inline int vt_width_of(uint32_t code) { return vt_properties(code) & 3; }
#define VT_CLASS_OF(properties) ((properties) >> 2 & 31)
#define VT_VS_BASE 128 /* a variation selector changes the width */
#define VT_STEP(state, properties) (vt_unicode_steps[state][VT_CLASS_OF(properties)])
#define VT_STEP_STATE 15 /* of a step: the next state */
#define VT_STEP_JOINS 16
#define VT_JOINS(state, properties) (VT_STEP(state, properties) & VT_STEP_JOINS)
#define VT_FOLLOWS(state, properties) (VT_STEP(state, properties) & VT_STEP_STATE)

#endif
