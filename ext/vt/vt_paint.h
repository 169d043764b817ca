/* Writing lines as terminal bytes, for vt_paint.c and vt_redraw.c. The reader is the terminal that gets the bytes. */
#ifndef VT_PAINT_H
#define VT_PAINT_H

#include "vt_state.h"

/* A line and the next one: how a wrapped line is written depends on both. */
typedef struct {
    vt_line a, b;
    vt_scrollback_reader reader;
} vt_line_pair;

#define VT_NEXT_IS_NARROW "\x1b[>1N" /* see VT_SHIFT_NARROW */

typedef struct {
    vt_buf *out;
    int cols;
    int protecting;   /* whether DECSCA is written */
    int skipping;     /* whether the rows were blank before, so that blanks may be skipped */
    vt_style style;   /* the reader's pen now, without its link */
    int protect;
    const char *link; /* NULL: none */
    uint16_t id_n, uri_n;
    vt_line_pair *pair; /* memory for a cell; NULL: a cell that makes a wrap pending is left out */
    size_t link_bytes; /* written so far: after LINKS_BYTES text goes without links */
} vt_painter;

int vt_line_pair_init(vt_line_pair *, const vt *);     /* 0, or -1: out of memory */
void vt_line_pair_free(vt_line_pair *);

void vt_paint_csi(vt_painter *, const char *prefix, int a, int b, const char *final); /* `a`, `b` < 0: left out */
void vt_paint_pen(vt_painter *, const vt_style *, int protect); /* all but the link */
void vt_paint_run_pen(vt_painter *, const vt_run *);   /* the link too */
void vt_paint_plain(vt_painter *);                     /* the default style, without a link */
/* Text of a line, without blanks. `clusters`: whether the reader has grapheme clusters on, as it has for whole rows. */
void vt_paint_text(vt_painter *, const uint8_t *text, const uint8_t *end, int clusters);
/* A screen from its top, where the cursor is; `before` lines of scrollback come first. */
void vt_paint_screen(vt_painter *, const vt *, const vt_screen *, vt_line_pair *, uint32_t before);
/* `rows` blank rows from `first` on, in which the cursor is. `before`: as above, and then `first` is 0. */
void vt_paint_rows(vt_painter *, const vt *, const vt_screen *, vt_line_pair *, uint32_t before, int first, int rows);

#endif
