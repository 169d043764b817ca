/* Lines of scrollback as compact bytes and back, for vt_scrollback.c. The form is described in vt_codec.c. */
#ifndef VT_CODEC_H
#define VT_CODEC_H

#include "vt_state.h"

#define VT_CODEC_LONG 0xFFFF
#define VT_CODEC_HEADER 3      /* u16 size and flags */
#define VT_CODEC_LONG_HEADER 7 /* with a u32 of size between them */

/* The source of an encoding: cells, or else a line. */
typedef struct {
    const vt_cell *cells; /* VT_PAD more than `len` may be read */
    int len;
    int times;            /* not 0: the line is the first cell, repeated this often */
    int wrapped;
    int size;             /* of the row */
    const vt_style *tail; /* NULL: the default */
    const vt_line *line;
} vt_encodable;

/* Both return the end of the encoded line, or NULL if [p, end) is too small. */
uint8_t *vt_encode(const vt *, const vt_encodable *, uint8_t *p, const uint8_t *end);
uint8_t *vt_encode_plain(const vt_row *, uint8_t *p, const uint8_t *end); /* NULL also if the row is of another kind */
/* Takes the encoded line at `p` apart into `line`, whose runs then point into it. */
void vt_decode(const uint8_t *p, vt_line *line);
void vt_encoded_unwrap(uint8_t *p);

/* Bytes of the encoded line at `p`, all of it; `header`: of them before the tail or the first run. */
static inline uint32_t vt_encoded_size(const uint8_t *p, int *header)
{
    uint32_t n = p[0] | (uint32_t)p[1] << 8;
    if (n != VT_CODEC_LONG) {
        *header = VT_CODEC_HEADER;
        return n + 2;
    }
    *header = VT_CODEC_LONG_HEADER;
    return (p[2] | (uint32_t)p[3] << 8 | (uint32_t)p[4] << 16 | (uint32_t)p[5] << 24) + 6;
}

#endif
