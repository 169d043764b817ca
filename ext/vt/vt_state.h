/* The inside of a terminal: its data, and the functions that vt_*.c share.

   The engine is built in layers. A file uses functions of files before it in this list and no others, which
   tests/engine/test_vt_layers.py checks. docs/terminal.md says what each file is about.

   storage    vt_unicode vt_charset vt_buf vt_intern vt_line vt_codec vt_scrollback vt_numbers vt_viewer
   pictures   vt_image vt_sixel vt_picture
   reports    vt_reply vt_theme
   screen     vt_row vt_screen vt_modes vt_aside vt_print vt_rectangle vt_resize vt_marks vt_place
   output     vt_partial vt_paint vt_album vt_redraw vt_snapshot vt_text vt_html vt_json vt_dump
   strings    vt_titles vt_report vt_presentation vt_record vt_shell vt_notice vt_pointer vt_colour
   parser     vt_kitty vt_graphics vt_osc vt_extended vt_csi vt_parse
   terminal   vt

   This header, vt_pictures.h, vt_unicode.h, vt_utf8.h, vt_sgr.h and vt_string.h are below all of them. */
#ifndef VT_STATE_H
#define VT_STATE_H

#include "vt.h"
#include "vt_utf8.h"

#include <string.h>

/* A cell: its character, its width, its style.
   bits  0..20  code point; 0: never written (blank). With VT_CLUSTER: index into vt.clusters
   bit   21     VT_CLUSTER
   bits 22..23  width in columns: 1, 2, or 0 for the right half of a wide character; a blank has 1. Without VT_CLUSTER
                it is vt_width() of the code point
   bit   24     VT_PROTECTED (DECSCA)
   bits 32..63  style id, an index into vt.styles; 0 is the default style */
typedef uint64_t vt_cell;
#define VT_CODE(c) ((uint32_t)(c) & 0x1FFFFF)
#define VT_CLUSTER ((vt_cell)1 << 21)
#define VT_WIDTH(c) ((int)((c) >> 22) & 3)
#define VT_WIDTH_BITS(w) ((vt_cell)(w) << 22)
#define VT_PROTECTED ((vt_cell)1 << 24)
#define VT_STYLE(c) ((uint32_t)((c) >> 32))
#define VT_STYLE_BITS(id) ((vt_cell)(id) << 32)
#define VT_BLANK VT_WIDTH_BITS(1) /* a blank of the default style */

/* Colours: 0 default; palette and RGB are tagged. */
#define VT_PALETTE 0x01000000u
#define VT_RGB 0x02000000u

/* Palette colours from 16 on, as RGB: a cube of six levels a side, then greys. Those below are the theme's. */
static inline uint32_t vt_fixed_colour(unsigned n)
{
    static const uint32_t level[6] = {0, 95, 135, 175, 215, 255};
    if (n >= 232)
        return (8 + 10 * (n - 232)) * 0x010101u;
    n -= 16;
    return level[n / 36] << 16 | level[n / 6 % 6] << 8 | level[n % 6];
}

enum {
    VT_BOLD = 1,
    VT_DIM = 2,
    VT_ITALIC = 4,
    VT_BLINK = 8,
    VT_INVERSE = 16,
    VT_INVISIBLE = 32,
    VT_STRIKE = 64,
    VT_OVERLINE = 128,
    VT_UNDERLINE_SHIFT = 8, /* 3 bits: 0 none, 1 single, 2 double, 3 curly, 4 dotted, 5 dashed */
    VT_UNDERLINE = 7 << 8,
};

typedef struct {
    uint32_t fg, bg, ul; /* colours */
    uint16_t attrs;
    uint16_t link;       /* index into vt.links; 0: none */
} vt_style;

static inline int vt_same_style(const vt_style *a, const vt_style *b)
{
    return !((a->fg ^ b->fg) | (a->bg ^ b->bg) | (a->ul ^ b->ul) | (uint32_t)(a->attrs ^ b->attrs)
             | (uint32_t)(a->link ^ b->link));
}
static inline int vt_is_plain(const vt_style *s) { return !(s->fg | s->bg | s->ul | s->attrs | s->link); }

/* A row of a screen. Cells from `len` on are `tail`: a blank with a style (ED, EL with a background), or a character of
   one column that fills the row (DECALN, REP). */
typedef struct {
    uint16_t len;
    uint8_t wrapped;     /* its line continues in the next row */
    uint8_t size;        /* VT_SINGLE..: of its characters. Half of the columns of a double row are in use */
    vt_cell tail;
    vt_cell cells[];     /* vt.cols and VT_PAD of them; a right half always follows its left half */
} vt_row;
enum { VT_SINGLE, VT_DOUBLE_WIDTH, VT_DOUBLE_TOP, VT_DOUBLE_BOTTOM }; /* DECSWL, DECDWL, DECDHL: 2 bits */
#define VT_PAD 8         /* cells after a row's last, so that loops over eight at a time need not look for the end */

static inline vt_cell vt_at(const vt_row *r, int col) { return col < r->len ? r->cells[col] : r->tail; }
/* Store the tail up to `col` as cells, so that cells before it can be written to. */
static inline void vt_row_widen(vt_row *r, int col)
{
    for (int i = r->len; i < col; i++)
        r->cells[i] = r->tail;
    if (r->len < col)
        r->len = (uint16_t)col;
}

/* DECSC. The pen's link is not saved. */
typedef struct {
    int row, col;
    int64_t top;         /* vt_top() then: in xterm.js it scrolls with its line */
    int pending;
    int origin;
    vt_style pen;
    uint8_t protect;
    uint8_t charsets[4], gl, gr;
} vt_saved;

#define VT_POINTERS 16 /* as many as kitty's protocol asks for */

/* Row pointers in an array four screens long: a full-screen scroll reuses the top row and moves `rows`. */
typedef struct {
    vt_row **base;
    int base_n;
    vt_row **rows;       /* base + some; rows[0..vt.rows) are the screen */
    vt_saved saved;
    uint8_t kitty[16];   /* keyboard flags, a stack: kitty[kitty_n] is in force */
    int kitty_n;
    const char *pointers[VT_POINTERS]; /* OSC 22, a stack: the last one is in force; NULL: the viewer's choice */
} vt_screen;

static inline const char *vt_pointer_name(const vt_screen *s) /* in force; "": the viewer's choice */
{
    const char *name = s->pointers[VT_POINTERS - 1];
    return name ? name : "";
}

/* A character of several code points, or one whose width is not that of its first code point. Its text is UTF-8 with
   marks, as a vt_line has it: VT_JOINER before each code point that would have columns of its own, and at the end
   VT_NARROW or VT_WIDE if the width is not that of the first code point. */
typedef struct {
    uint32_t next;       /* in the list of free ones */
    uint8_t n;           /* bytes of text; 0: free */
    uint8_t codes;       /* code points */
    uint8_t shared;      /* by the cells that REP filled: a mark that joins one of them makes a new cluster */
    uint8_t state;       /* vt_unicode.h's VT_AFTER_...: what joins it */
    uint8_t *more;       /* the text if `few` is too small for it: VT_CELL_TEXT bytes; else NULL */
    uint8_t few[24];
} vt_cluster;
#define VT_CELL_TEXT 120 /* bytes of text of a cell at most, and few enough for a run of scrollback */
#define VT_CELL_CODES 32 /* code points of a cell at most; further ones are dropped */
#define VT_SHIFT_NARROW 4 /* in place of a single shift: an emoji that VS15 can make narrow is narrow at once (CSI > N) */
enum { VT_JOINER = 1, VT_NARROW = 2, VT_WIDE = 3 };
static inline const uint8_t *vt_cluster_bytes(const vt_cluster *k) { return k->more ? k->more : k->few; }
static inline int vt_is_mark(uint8_t byte) { return byte && byte <= VT_WIDE; }

typedef struct {
    uint32_t hash;
    uint16_t id_n, uri_n;
    char *text;          /* id, then URI, no terminator */
    uint16_t next;       /* link in the same list of vt.link_hash */
} vt_link;
#define VT_LINK_HASH 256

/* A block of scrollback: encoded lines one after the other (vt_codec.h). */
typedef struct vt_block {
    struct vt_block *next, *prev;
    uint32_t lines;
    uint32_t n;          /* bytes used */
    uint32_t last;       /* where the newest line begins */
    uint32_t size;
    uint8_t data[];
} vt_block;

typedef struct {
    vt_block *oldest, *newest;
    vt_block *spare;     /* of the largest size, and in no list: the block that was dropped last */
    uint64_t count;      /* lines */
    uint32_t excess;     /* lines at the front of the oldest block that are dropped and no longer counted */
    uint64_t dropped;    /* lines that are no longer kept: the absolute number of the oldest */
    uint64_t left_out;   /* of a copy: older lines that only its original has */
    size_t bytes;        /* allocated */
    int failed;          /* lines were lost because there was no memory */
} vt_scrollback;

/* A notification whose parts are still coming (OSC 99, d=0), as they came. */
#define VT_NOTICE_ID 64
#define VT_NOTICE_TITLE 256
#define VT_NOTICE_BODY 1024
typedef struct {
    char id[VT_NOTICE_ID];
    uint8_t id_n, urgency;
    uint16_t title_n, body_n;
    char title[VT_NOTICE_TITLE], body[VT_NOTICE_BODY];
} vt_notice;

#define VT_STRING_MAX (64 * 1024) /* bytes of an OSC or DCS string; a longer string is ignored */
#define VT_PARTIAL_MAX 4096       /* bytes of an unfinished sequence that a redraw can carry */
#define VT_PARAMS 32
#define VT_TITLES 10              /* pushed titles (CSI 22 t) */
#define VT_PENS 10                /* pushed pens (CSI # {) */
#define VT_ATTRIBUTE_COLOURS 5    /* of bold, underlined, blinking, inverse, italic text */
#define VT_DYNAMIC 256            /* the first colour after the palette: that of OSC 10, foreground */
#define VT_COLOURS (VT_DYNAMIC + 10) /* OSC 11: background, 12: cursor, 13 to 19 */

/* States of the parser, in the order that comparisons rely on: CSI, DCS, strings. */
enum vt_parser_state {
    VT_GROUND,
    VT_ESCAPE,
    VT_ESCAPE_INTERMEDIATE,
    VT_CSI_ENTRY,
    VT_CSI_PARAM,
    VT_CSI_INTERMEDIATE,
    VT_CSI_IGNORE,
    VT_DCS_ENTRY,
    VT_DCS_PARAM,
    VT_DCS_INTERMEDIATE,
    VT_DCS_IGNORE,
    VT_DCS_STRING,
    VT_OSC_STRING,
    VT_OTHER_STRING, /* SOS, PM, APC: read and forgotten, but for kitty's pictures */
};

typedef struct {
    uint8_t state;   /* vt_parser_state */
    uint8_t prefix;  /* private marker of a CSI or DCS: < = > ?, or 0 */
    uint8_t final;   /* of a DCS whose string is being read */
    uint8_t intermediates[2], intermediates_n; /* 3: more than two, which no known sequence has */
    uint16_t params[VT_PARAMS + 1]; /* the last one takes all further ones */
    uint64_t colons; /* bit i: a colon precedes params[i] */
    uint64_t given;  /* bit i: params[i] has a digit */
    int param;       /* index of the parameter that is being read */
    uint8_t utf8[4], utf8_n, utf8_need; /* an unfinished character */
    vt_buf string;   /* of OSC, DCS, APC... */
    int string_over; /* it was longer than VT_STRING_MAX and is ignored */
    int picture;     /* what follows are the bytes of a picture; `string` has only the first of them */
    uint64_t sequence; /* offset at which the sequence being read began */
    const uint8_t *chunk; /* the argument of vt_feed(): `offset` is that of its first byte while it runs */
    const uint8_t *begin; /* in the chunk: where the text or sequence being read began; NULL: at `sequence` */
} vt_parser;

/* What viewers are shown (vt_viewer.c). Output before `raw` was partly damage; from there to `from` it is raw. A stretch
   that differs begins at `from`, and after it output is raw again from `to` on, or `differs` is set. */
#define VT_UNKNOWN UINT64_MAX /* an offset */
#define VT_SETTINGS 6
typedef struct {
    uint64_t hash;
    uint64_t changed;    /* viewers that are before this offset have another one */
    uint64_t doubled;    /* of a row: viewers that are not after this offset may have a double one */
} vt_mark;
typedef struct {
    int differs;
    int tabs_set;        /* tab stops were changed since the last reset: xterm.js has a set for each screen */
    uint64_t raw, from, last, to; /* viewers at from..last have only the first part of the sequence at `from` */
    vt_viewer start;     /* the state at `from` */
    uint64_t since;      /* the marks tell of changes after this offset */
    int64_t top;         /* when the marks were made, and the number of screens that had been shown */
    uint32_t marked_screens;
    uint32_t screens, clears, bells; /* how often the screen changed or was reset, scrollback was erased, the bell rang */
    vt_mark *rows;       /* NULL: nothing has ever differed, or there is no memory */
    vt_mark settings[VT_SETTINGS];
} vt_shadow;
typedef struct vt_pictures vt_pictures; /* vt_pictures.h */
/* Sets that have no final character of their own. VT_ASCII_BUT is ASCII, which xterm.js takes for a national set. */
enum { VT_LATIN_1 = 'L', VT_PORTUGUESE = 'p', VT_ASCII_BUT = 'b' };

struct vt {
    int rows, cols;
    vt_limits limits;

    vt_screen main, alt; /* alt.base is NULL until it is first used */
    vt_screen *s;        /* the one that is shown */
    int row, col;        /* cursor; col < cols */
    int pending;         /* a wrap: the last column was printed to, and the next character wraps first. In xterm a tab
                            back (CBT) and new margins keep it, so the cursor may stand in any column. */
    int top, bottom;     /* scroll region, both inside; DECSTBM. Both screens share the region and the margins. */
    int left, right;     /* DECSLRM, both inside */
    uint64_t modes;
    int shape;           /* DECSCUSR */

    vt_style pen;
    vt_cell pen_cell;    /* style and protection bits of the pen; valid if !pen_dirty */
    int pen_dirty;
    uint8_t protect;
    uint8_t charsets[4]; /* G0..G3: final characters of ISO 2022, or one of the VT_... below */
    uint8_t gl, gr, single_shift; /* gl, gr: the charsets in use. single_shift: 2 or 3 for the next character, or 0,
                                  or VT_SHIFT_NARROW */
    uint8_t prepended;   /* the last character may be one that joins the next, even ASCII (GB9b) */
    uint8_t tabs[(VT_MAX_COLS + 7) / 8];

    vt_cell erase_cell;  /* a blank with the background erase_bg, which was the pen's at the last erasure */
    uint32_t erase_bg;

    vt_style *styles;    /* interned; [0] is the default */
    uint32_t styles_n, styles_size;
    uint32_t styles_free; /* first of a list of free ones, linked by .fg; 0: none */
    uint32_t styles_mark; /* collect before there are more than this */
    uint32_t *style_hash; /* open addressing, id + 1; a power of two of slots */
    uint32_t style_hash_size;
    vt_cluster *clusters; /* [0] unused */
    uint32_t clusters_n, clusters_size;
    uint32_t clusters_free, clusters_mark; /* as for styles; the list is linked by .next */
    vt_link *links;      /* [0] unused; .text of a free one is NULL */
    uint32_t links_n, links_size;
    uint32_t links_from; /* none before it is free */
    uint16_t link_hash[VT_LINK_HASH]; /* first link of each list; 0: none */
    uint32_t links_wait; /* links to refuse before the next collection is tried */

    vt_scrollback scrollback;

    uint32_t last_char;  /* for REP: the last thing that came, if it was a printed character; else 0 */
    vt_parser parser;

    uint64_t offset;
    uint32_t events, bells;
    int muted;
    vt_buf replies, records;
    uint8_t title[512], cwd[1024];
    uint16_t title_n, cwd_n;
    vt_buf titles;       /* pushed, the newest last: u16 length and text of the icon's title, then of the window's */
    int titles_n;
    uint32_t *palette;   /* VT_COLOURS that the program set: 0 or VT_RGB | rgb; NULL: nothing was set */
    vt_theme theme;      /* of the viewer that owns the size */
    uint16_t cell_height, cell_width; /* in its pixels */
    int8_t modify_other_keys; /* XTMODKEYS 4: 0 to 2; -1: off, by its own sequence */
    int64_t command_line; /* absolute line and column of the last OSC 133;B, or -1 */
    int command_col;
    vt_buf command;      /* command line of OSC 633;E, for the mark C that follows it */
    uint32_t notices;    /* notifications and variables since the last vt_records() */
    vt_notice *notice;   /* unfinished; NULL: there never was one */
    uint8_t progress, percent; /* VT_PROGRESS_...; the percentage stays while the state has none */

    vt_shadow shadow;
    vt_pictures *pictures; /* NULL: there never was one */

    int64_t budget;      /* left of this vt_feed(); negative when the last step took more */
    int hold;            /* while set, no style, cluster or link is collected: some rows are not on a screen */

    uint8_t guarded;     /* SPA came after the last DECSCA: ED, EL and ECH spare protected cells too */
    uint8_t level;       /* conformance: 1 to 4; DECSCL */
    uint8_t eight_bit;   /* answers have C1 controls of one byte: S8C1T */
    uint8_t checksum;    /* XTCHECKSUM: what DECRQCRA adds up */
    uint8_t extent;      /* DECSACE: 0, 1 a stream of cells, 2 a rectangle */
    uint8_t title_modes; /* XTSMTITLE: bit 0 titles come in hexadecimal, bit 1 they are reported so */
    uint64_t saved_modes; /* XTSAVE; VT_M_ALTERNATE too. What was never saved is off */
    vt_style pens[VT_PENS]; /* XTPUSHSGR, the newest last; links are 0 */
    uint16_t pens_parts[VT_PENS]; /* vt_pen_part: what XTPOPSGR gives back */
    uint8_t pens_n;      /* may count more pushes than are kept: the newest of them hold nothing */
    uint32_t attribute_colours[VT_ATTRIBUTE_COLOURS]; /* OSC 5: 0 or VT_RGB | rgb */
    uint8_t icon[512];   /* the icon's title: OSC 1 */
    uint16_t icon_n;
};

#define VT_STEP_COST 8 /* cells' worth of a control function, besides the cells that it touches */

static inline int vt_min(int a, int b) { return a < b ? a : b; }
static inline int vt_max(int a, int b) { return a > b ? a : b; }

/* Called before an effect that the web client's library (xterm.js) lacks or does otherwise: its viewers then get the
   rows that changed from this engine, instead of the bytes. Nothing may have changed since the sequence or character
   began that is being read; else vt_viewer_inexact() must have been called. */
void vt_viewer_begin(vt *);
static inline void vt_viewer_differs(vt *t)
{
    if (!t->shadow.differs)
        vt_viewer_begin(t);
}
/* A part of the sequence being read has taken effect: if it differs later, viewers get a redraw. */
static inline void vt_viewer_inexact(vt *t)
{
    t->parser.begin = NULL;
    t->parser.sequence = VT_UNKNOWN;
}

/* ---- storage ---- */

/* vt_charset.c: character sets */
uint8_t vt_set(const vt *, int g);                     /* the set that Gg stands for: of the sets "A" one depends on modes */
int vt_has_del(const vt *);                            /* whether the set of the next ASCII character has a graphic 0x7F */
uint32_t vt_right(const vt *, uint8_t c);              /* what a byte from 0xA0 on means if vt_takes_bytes(); 0: nothing */
uint32_t vt_translate(uint8_t set, uint8_t c);         /* what the ASCII character means in that set */
void vt_designate(vt *, const uint8_t *intermediates, int n, uint8_t final); /* an unknown set changes nothing */
uint8_t *vt_put_designation(uint8_t *, int g, uint8_t set); /* at most 20 bytes; a national set leaves DECNRCM off */

/* The set that the next character from GL is in. */
static inline int vt_gl(const vt *t)
{
    return t->single_shift && t->single_shift != VT_SHIFT_NARROW ? t->single_shift : t->gl;
}

/* Whether bytes from 0x80 on are characters of the set in GR, and not UTF-8. As in xterm they are while that set is not
   ASCII, and while national sets are allowed (DECNRCM). */
static inline int vt_takes_bytes(const vt *t)
{
    const uint8_t set = t->charsets[t->gr];
    return (set != 'B' && set != VT_ASCII_BUT) || t->modes & VT_M_NATIONAL;
}

/* vt_buf.c: buffers that grow */
uint8_t *vt_room_grown(vt_buf *, size_t n);            /* vt_room() of a buffer that has no room left */
static inline uint8_t *vt_room(vt_buf *b, size_t n)    /* room for n bytes (then add to `n`); NULL: `failed` */
{
    return b->size - b->n >= n ? b->data + b->n : vt_room_grown(b, n);
}
static inline void vt_put_string(vt_buf *b, const char *s) { vt_put(b, s, strlen(s)); }
void vt_put_byte(vt_buf *, unsigned byte);
void vt_put_number(vt_buf *, long long n);             /* in decimal */
void vt_put_spaces(vt_buf *, int n);
void vt_put_hex(vt_buf *, const char *before, uint32_t colour, const char *after); /* #rrggbb */
/* Into memory that has room for it; they return its end. */
static inline uint8_t *vt_write_string(uint8_t *p, const char *s)
{
    while (*s)
        *p++ = (uint8_t)*s++;
    return p;
}
static inline uint8_t *vt_write_number(uint8_t *p, unsigned n) /* below 100,000 */
{
    if (n >= 10000)
        *p++ = (uint8_t)('0' + n / 10000 % 10);
    if (n >= 1000)
        *p++ = (uint8_t)('0' + n / 1000 % 10);
    if (n >= 100)
        *p++ = (uint8_t)('0' + n / 100 % 10);
    if (n >= 10)
        *p++ = (uint8_t)('0' + n / 10 % 10);
    *p++ = (uint8_t)('0' + n % 10);
    return p;
}

/* vt_intern.c: styles, clusters and links, which cells refer to by number */
uint32_t vt_style_id(vt *, const vt_style *);          /* interns; collects unused ones if full; 0: no memory */
/* A new cluster of one cell. `text` has its marks. 0: no memory */
uint32_t vt_cluster_id(vt *, const uint8_t *text, int n, int codes, int state);
int vt_cluster_add(vt *, vt_cell *, uint32_t code, int width, int state); /* joins a code point; 0: no room or memory */
uint16_t vt_link_id(vt *, const char *id, size_t id_n, const char *uri, size_t uri_n); /* 0: there is no room */
int vt_intern_init(vt *);                              /* 0, or -1: out of memory */
void vt_intern_free(vt *);
void vt_pen_intern(vt *);                              /* brings pen_cell up to date */
/* The text of a cluster with its marks: at most VT_CELL_TEXT bytes. Returns their end. */
static inline uint8_t *vt_cluster_text(const vt *t, uint8_t *p, vt_cell c)
{
    const vt_cluster *k = VT_CODE(c) < t->clusters_n ? &t->clusters[VT_CODE(c)] : NULL;
    if (!k || !k->n) {
        *p++ = ' ';
        return p;
    }
    const uint8_t *text = vt_cluster_bytes(k);
    for (int i = 0; i < k->n; i++)
        *p++ = text[i];
    return p;
}

static inline uint8_t *vt_cell_text(const vt *t, uint8_t *p, vt_cell c) /* the same for any cell; a blank is a NUL */
{
    return c & VT_CLUSTER ? vt_cluster_text(t, p, c) : vt_utf8_put(p, VT_CODE(c));
}

/* vt_line.c: a line taken apart into stretches of one style, style and link by value */
int vt_width(uint32_t code);                           /* columns of a code point: 0 combining, 1, 2 */
/* Text is UTF-8 with a NUL for each cell that was never written. A code point of width 0, or after a VT_JOINER, belongs
   to the cell before; VT_NARROW or VT_WIDE ends a cell whose width is not that of its first code point. */
typedef struct {
    vt_style style;          /* its link is 0: the link is `link` */
    const uint8_t *text;     /* in vt_line.text, or in a block of the scrollback: valid until either changes */
    uint32_t n;
    uint16_t cols;
    uint8_t protect;
    uint16_t id_n, uri_n;
    const char *link;        /* id, then URI; NULL: none */
} vt_run;

typedef struct {
    vt_run *runs;
    int n;
    int cols;                /* of all runs */
    int wrapped;
    int size;                /* of a row: VT_SINGLE.. */
    vt_style tail;           /* of the blanks after the runs */
    uint8_t *text;
    size_t text_n;
    int room;                /* columns there is room for */
} vt_line;

int vt_line_init(vt_line *, int cols);                 /* 0, or -1: out of memory; room for lines of `cols` columns */
void vt_line_free(vt_line *);
void vt_line_clear(vt_line *);
void vt_line_row(const vt *, vt_line *, const vt_row *, int cols); /* clears, then takes a row of a screen apart */
void vt_line_add(vt_line *, const vt_run *, const uint8_t *, uint32_t n, int cols); /* appends a copy of a run's part */
void vt_line_trim(vt_line *, int spaces); /* drops default blanks at an unwrapped line's end, and spaces if asked */
void vt_line_cells(vt *, const vt_line *, vt_row *);   /* the other way: fills a row, as wide as the screen */
int vt_line_tail(const vt_line *, int cols, vt_run *); /* the blanks after the runs, as a run; 0: there are none */
/* Bytes of the cell at `p` with its marks; `width`: its columns. */
uint32_t vt_character(const uint8_t *p, const uint8_t *end, int *width);
/* Text without its marks, and with spaces for blanks: `to` has room for n bytes. Returns its end. */
uint8_t *vt_plain_text(uint8_t *to, const uint8_t *text, size_t n);
/* The gap that a wide character leaves: it did not fit into a wrapped line's last column, which was therefore never
   written, and it begins the next line. Code that joins the two lines leaves the gap out. 1: there is a gap. */
int vt_line_gap(const vt_line *, int next_wide, int cols);
int vt_line_begins_wide(const vt_line *);
int vt_row_gap(const vt_row *, const vt_row *next, int cols);
int vt_same_link(const char *a, uint16_t a_id_n, uint16_t a_uri_n, const char *b, uint16_t b_id_n, uint16_t b_uri_n);
int vt_same_run(const vt_run *, const vt_run *);       /* but for their text */

/* vt_scrollback.c: lines that have scrolled off the main screen */
size_t vt_scrollback_memory(const vt_scrollback *);    /* bytes allocated */
void vt_scrollback_push(vt *, const vt_row *);         /* appends a row; drops lines beyond the limits */
void vt_scrollback_unwrap(vt *);                       /* the newest line no longer continues on the screen */
void vt_scrollback_clear(vt *);                        /* ED 3, RIS */
typedef struct { const vt_block *block; uint32_t at, skipped; uint64_t left; } vt_scrollback_reader;
void vt_scrollback_seek(const vt *, vt_scrollback_reader *, uint64_t index); /* 0: the oldest line; goes forward */
int vt_scrollback_next(vt_scrollback_reader *, vt_line *); /* takes the next line apart; 0: there is none */
void vt_scrollback_put(vt *, vt_scrollback *, const vt_line *); /* appends to any scrollback */
void vt_scrollback_put_row(vt *, vt_scrollback *, const vt_row *, int cols);
void vt_scrollback_pass(vt *, vt_scrollback *, const vt_scrollback_reader *); /* the reader's next line, as it is */
int vt_scrollback_copy(const vt *, vt *to, uint64_t lines); /* the newest ones; 0, or -1: out of memory */
void vt_scrollback_free(vt_scrollback *);              /* all blocks; count and dropped stay */
void vt_scrollback_trim(vt *, uint64_t lines);         /* forgets the newest `lines` lines */

/* vt_numbers.c: lines by their absolute numbers */
/* The line with that number; from vt_top() on it is a row of the shown screen. The reader makes the next call, with the
   next number, fast; begin with a zeroed one. 0: there is no such line. */
int vt_line_at(const vt *, vt_line *, vt_scrollback_reader *, int64_t number);
typedef struct {
    vt_line line;
    vt_scrollback_reader reader;
    int64_t first, last;
} vt_range;
/* Lines [first, last), clamped to the lines that exist. 0, or -1: out of memory, and `out` has failed. */
int vt_range_init(vt_range *, const vt *, vt_buf *out, int64_t first, int64_t last);

/* ---- reports ---- */

/* vt_reply.c: answers to queries */
void vt_answer(vt *, const char *format, ...) __attribute__((format(printf, 2, 3)));
void vt_answer_bytes(vt *, const uint8_t *, size_t n); /* the same, of any length that fits */
uint8_t *vt_style_parameters(uint8_t *, const vt_style *); /* as SGR has them, from 0 on; at most 128 bytes */

/* vt_theme.c: the theme and the cells of the viewer that owns the size */
uint32_t vt_theme_colour(const vt *, int index);       /* 0xRRGGBB; index: below VT_COLOURS */
void vt_report_theme(vt *);                            /* dark or light */
void vt_report_size(vt *);                             /* mode 2048 */
/* vt_viewer.c: what viewers are shown */
int vt_state_differs(const vt *);                      /* whether what is printed now differs for them */
void vt_viewer_sync(vt *);                             /* marks what has changed; the stretch ends if nothing differs */
void vt_viewer_now(const vt *, vt_viewer *);
void vt_viewer_mark(vt_mark *, uint64_t hash, uint64_t offset);
uint64_t vt_viewer_hash(const uint8_t *, size_t n);
void vt_viewer_forget(vt *);                           /* a new size or offset: viewers need a redraw */
/* vt_picture.c: what happens to pictures when rows do something; called only if there are `pictures` */
void vt_pictures_scroll(vt *, int top, int bottom);    /* before rows [top, bottom] move, unless all of the main screen is pushed */
/* Rows [top, bottom] moved n up (down if negative); the first `pushed` of them became scrollback. Called afterwards. */
void vt_pictures_scrolled(vt *, int top, int bottom, int n, int pushed);
void vt_pictures_erased(vt *);                         /* the whole screen was */
void vt_pictures_resized(vt *, int64_t lines, int reflowed); /* the cursor's line has moved by so many lines */
void vt_pictures_leave(vt *);                          /* the alternate screen comes or goes */
void vt_pictures_free(vt *);                           /* RIS, and the end */

/* ---- screen ---- */

/* vt_row.c: the cells of a row. None leaves half of a wide character. */
vt_row *vt_row_new(vt *);
static inline void vt_row_clear(vt_row *r, vt_cell tail)
{
    r->len = 0;
    r->wrapped = r->size = 0;
    r->tail = tail;
}
void vt_erase_intern(vt *);                            /* brings erase_cell up to date */
static inline vt_cell vt_erased(vt *t)                 /* a blank with the pen's background and no more of its style */
{
    if (t->erase_bg != t->pen.bg)
        vt_erase_intern(t);
    return t->erase_cell;
}
void vt_row_cut(vt_row *, int col, vt_cell fill);      /* a wide character across the cut becomes `fill` */
void vt_row_erase(const vt *, vt_row *, int from, int to, vt_cell fill);
void vt_row_erase_selectively(vt *, vt_row *, int from, int to, vt_cell fill); /* protected cells stay */
void vt_row_insert(vt *, vt_row *, int col, int end, int n, vt_cell fill); /* n blanks; cells past `end` go */
void vt_row_delete(vt *, vt_row *, int col, int end, int n, vt_cell fill);
void vt_end_line_above(vt *, int row);                 /* the line of the row above it no longer continues in it */

/* vt_screen.c: the cursor, scrolling, and what sequences do to them. Counts may be any number from 0 up. */
int vt_screen_init(vt *, vt_screen *);                 /* 0, or -1: out of memory */
void vt_screen_free(vt *, vt_screen *);
int vt_screen_blank(const vt *, const vt_screen *);    /* whether it has no cells and no background */
static inline int vt_is_tab(const vt *t, int col) { return t->tabs[col >> 3] >> (col & 7) & 1; }
static inline vt_row *vt_cursor_row(const vt *t) { return t->s->rows[t->row]; }
static inline int vt_whole_width(const vt *t) { return t->left == 0 && t->right == t->cols - 1; }
void vt_down(vt *);                                    /* a row down, or scroll in the region's last */
void vt_line_feed(vt *);
void vt_new_line(vt *);                                /* CR LF */
void vt_index(vt *);
void vt_reverse_index(vt *);
void vt_next_line(vt *);
void vt_carriage_return(vt *);
void vt_backspace(vt *);
void vt_tab(vt *, int n);
void vt_back_tab(vt *, int n);
void vt_tab_set(vt *);
void vt_tab_clear(vt *, int what);
void vt_go(vt *, int row, int col);                    /* 0-based, from the screen's corner, kept inside the margins */
void vt_move_to(vt *, int row, int col);               /* 0-based, from the margins in origin mode */
void vt_move_row(vt *, int row);
void vt_move_col(vt *, int col);
void vt_move_up(vt *, int n);
void vt_move_down(vt *, int n);
void vt_move_forward(vt *, int n);
void vt_move_back(vt *, int n);
void vt_move_by(vt *, int rows, int cols);             /* HPR, VPR: margins do not stop it */
void vt_cut_row(vt *, int row, int col);                /* a wide character across the cut becomes two blanks */
void vt_touch_row(vt *, int row, int from, int to);    /* cells changed: its line, or the one above, may end there */
void vt_erase_display(vt *, int what, int selective);
void vt_erase_line(vt *, int what, int selective);
void vt_erase_chars(vt *, int n);
void vt_insert_chars(vt *, int n);
void vt_delete_chars(vt *, int n);
void vt_insert_lines(vt *, int n);
void vt_delete_lines(vt *, int n);
void vt_scroll_up(vt *, int n);
void vt_scroll_down(vt *, int n);
void vt_insert_cols(vt *, int col, int n);             /* in every row of the region */
void vt_delete_cols(vt *, int col, int n);
void vt_set_region(vt *, int top, int bottom);         /* DECSTBM, DECSLRM: 1-based, 0 is the default */
void vt_set_margins(vt *, int left, int right);
void vt_full_margins(vt *);                            /* region and margins are the whole screen */
void vt_alignment(vt *);                               /* DECALN */
void vt_set_row_size(vt *, int size);                  /* DECSWL, DECDWL, DECDHL */
void vt_single_rows(vt *);
void vt_stay_in_row(vt *);                             /* keeps the cursor in the columns of its row */
static inline int vt_half(int cols) { return vt_max((cols + 1) / 2, 2); } /* columns of a double row: a wide character fits */
static inline int vt_row_cols(const vt *t, const vt_row *r) { return r->size ? vt_half(t->cols) : t->cols; }

/* vt_modes.c: modes, saved cursors, the alternate screen, keyboard flags, resets */
typedef struct {
    uint16_t number;
    uint64_t bit;
} vt_dec_mode;
#define VT_DEC_MODE_COUNT 33
extern const vt_dec_mode vt_dec_modes[VT_DEC_MODE_COUNT]; /* CSI ? number h */
#define VT_MOUSE_TRACKING (VT_M_MOUSE_X10 | VT_M_MOUSE | VT_M_MOUSE_DRAG | VT_M_MOUSE_ANY)
#define VT_MOUSE_ENCODING (VT_M_MOUSE_UTF8 | VT_M_MOUSE_SGR | VT_M_MOUSE_URXVT | VT_M_MOUSE_PIXELS)
#define VT_MODE_COUNT 46
extern const char *const vt_mode_names[VT_MODE_COUNT]; /* of the bits of vt_modes(), from the lowest on; NULL: unused */
void vt_save_cursor(vt *);
void vt_protect(vt *, int on, int guard);              /* DECSCA, or with `guard` SPA */
void vt_restore_cursor(vt *);
void vt_set_mode(vt *, int mode, int on);
void vt_set_dec_mode(vt *, int mode, int on);
int vt_report_mode(const vt *, int mode); /* DECRPM: 0 unknown, 1 set, 2 reset, 3 always set, 4 always reset */
int vt_report_dec_mode(const vt *, int mode);
uint32_t vt_kitty_flags(const vt *);                   /* in force */
void vt_kitty_push(vt *, int flags);
void vt_kitty_pop(vt *, int n);
void vt_kitty_set(vt *, int flags, int how);
void vt_modify_keys(vt *, int resource, int value);    /* XTMODKEYS; resource < 0: all of them */
int vt_modified_keys(const vt *, int resource);        /* < 0: there is no such resource */
void vt_soft_reset(vt *);                              /* DECSTR */
void vt_reset(vt *);                                   /* RIS, all but the parser */

#define VT_M_ALTERNATE ((uint64_t)1 << 63)             /* of saved_modes alone: the alternate screen */
void vt_set_level(vt *, int level, int control);       /* DECSCL; resets softly */

/* vt_aside.c: modes and pens that a program puts aside: XTSAVE, XTRESTORE, XTPUSHSGR, XTPOPSGR */
void vt_save_mode(vt *, int mode);
void vt_restore_mode(vt *, int mode);
void vt_push_pen(vt *, uint16_t parts);
void vt_pop_pen(vt *);
/* Parts of a pen: attributes as in vt_style, and its colours. That of an underline goes with the underline. */
enum { VT_PART_FOREGROUND = 1 << 12, VT_PART_BACKGROUND = 1 << 13, VT_PART_ALL = 0x37FF };
uint16_t vt_pen_part(int number);                      /* what a parameter of XTPUSHSGR names; 0: nothing */
#define VT_PUSHES 32                                   /* pushes that are counted */

/* vt_print.c: text */
void vt_print_text(vt *, const uint8_t *, size_t n, const uint8_t *end); /* ASCII, n > 0; up to `end` may be read */
const uint8_t *vt_print_utf8(vt *, const uint8_t *, const uint8_t *end); /* whole characters; returns where text ends */
void vt_print_del(vt *);                               /* 0x7F, if vt_has_del() */
void vt_print_code(vt *, uint32_t code);
void vt_repeat(vt *, int n);

/* vt_rectangle.c: rectangles of cells, and indexing by columns. 1-based and inside, from the margins in origin mode;
   0 is the default. */
typedef struct {
    int top, left, bottom, right; /* 0-based, right and bottom outside */
} vt_rectangle;
int vt_rectangle_of(const vt *, const int *four, vt_rectangle *); /* top, left, bottom, right; 0: there is none */
void vt_fill_rectangle(vt *, const vt_rectangle *, uint32_t code);
void vt_erase_rectangle(vt *, const vt_rectangle *);   /* DECSERA */
void vt_copy_rectangle(vt *, const vt_rectangle *, int top, int left);
void vt_change_rectangle(vt *, const vt_rectangle *, uint16_t off, uint16_t on, uint16_t flip); /* attributes */
uint16_t vt_checksum(vt *, const vt_rectangle *);      /* DECRQCRA */
void vt_common_style(vt *, const vt_rectangle *, vt_style *); /* what all of its cells have */
void vt_back_index(vt *);
void vt_forward_index(vt *);

/* ---- output ---- */

/* vt_partial.c: the bytes of an unfinished sequence or character, or others to the same effect: at most VT_PARTIAL_MAX.
   Of a longer string it is the beginning of one that is ignored. */
void vt_partial(const vt *, vt_buf *);

/* ---- parser ---- */

/* vt_colour.c: a colour as XParseColor reads it, as VT_RGB | rgb. 0: it is none */
uint32_t vt_parse_colour(const char *, size_t n);

/* vt_report.c: what the terminal is and how it is set */
void vt_identify(vt *);                                /* DA1 */
void vt_report_status(vt *, int what, int id);         /* CSI ? Ps n */
void vt_report_setting(vt *, const uint8_t *what, size_t n); /* DECRQSS */
int vt_report_capability(vt *, const uint8_t *name, size_t n); /* XTGETTCAP, of one name in hexadecimal; 0: unknown */

/* vt_presentation.c: cursor and tab stops as data: DECRQPSR, DECRSPS */
void vt_report_presentation(vt *, int what);
void vt_restore_presentation(vt *, int what, const uint8_t *, size_t n);

/* vt_titles.c: the titles of window and icon, and a stack of both */
enum { VT_WINDOW_TITLE = 1, VT_ICON_TITLE = 2 };
void vt_set_title(vt *, int which, const uint8_t *, size_t n);
void vt_push_title(vt *, int which);
void vt_pop_title(vt *, int which);
void vt_report_title(vt *, int which);

/* vt_record.c: what is reported with a text and a place; see vt_record. Nothing while muted, or if it does not fit. */
void vt_record_put(vt *, int kind, int32_t value, uint64_t offset, const void *data, size_t n);

/* vt_shell.c: what a shell reports. The texts are parts of an OSC string; `end`: offset after the sequence. */
void vt_shell_folder(vt *, const char *url, size_t n); /* OSC 7 */
void vt_shell_mark(vt *, const char *mark, size_t n, uint64_t end); /* OSC 133 */
void vt_shell_vscode(vt *, const char *, size_t n, uint64_t end); /* OSC 633 */
void vt_shell_iterm(vt *, char *, size_t n, uint64_t end); /* OSC 1337, but for files; decodes in place */

/* vt_notice.c: notifications and progress, for the same texts */
void vt_notice_plain(vt *, const char *, size_t n, uint64_t end); /* OSC 9 */
void vt_notice_urxvt(vt *, const char *, size_t n, uint64_t end); /* OSC 777 */
void vt_notice_kitty(vt *, char *, size_t n, uint64_t end, int bel); /* OSC 99; decodes in place */

/* vt_pointer.c: the shape of the mouse pointer */
void vt_pointer_shape(vt *, const char *, size_t n, int bel); /* OSC 22 */

/* vt_osc.c: complete OSC and DCS strings, in parser.string. `end`: offset after the sequence. `bel`: BEL ended it. */
void vt_osc(vt *, uint64_t end, int bel);
void vt_dcs(vt *);

/* vt_extended.c: sequences that xterm.js does not know; `args`: VT_PARAMS parameters, of which the sequence has n */
#define VT_KEY(prefix, intermediate, final) ((uint32_t)((prefix) << 16 | (intermediate) << 8 | (final)))
void vt_extended(vt *, uint32_t key, const int *args, int n);

/* vt_csi.c: what controls and sequences do */
void vt_control(vt *, uint8_t c);                      /* C0 */
void vt_escape(vt *, uint8_t final);
/* `plain`: no private marker and no intermediate; callers know it before it can be read back from the struct. */
void vt_csi(vt *, uint8_t final, int plain);

#endif
