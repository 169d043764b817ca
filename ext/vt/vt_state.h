/* What is inside a terminal: for vt_*.c only. */
#ifndef VT_STATE_H
#define VT_STATE_H

#include "vt.h"

/* A cell: what stands there, its width, its style.
   bits  0..20  code point; 0: never written (blank). With VT_CLUSTER: index into vt.clusters
   bit   21     VT_CLUSTER
   bits 22..23  width in columns: 1, 2, or 0 for the right half of a wide character (and for a blank: 1)
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
#define VT_COLOUR_KIND 0xFF000000u

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

/* A line of a screen. Cells from `len` on are `tail`: a blank with a style (ED, EL with a background), or a character
   of one column that fills the row (DECALN, REP). */
typedef struct {
    uint16_t len;
    uint8_t wrapped;     /* goes on in the next row: that row's text belongs to this line */
    vt_cell tail;
    vt_cell cells[];     /* vt.cols of them, and VT_PAD; a right half always has its left half before it */
} vt_row;
#define VT_PAD 8         /* cells behind a row's last: who works on eight at a time need not look for the end */

/* DECSC. A pending wrap is not saved (as xterm.js), nor the link of the pen. */
typedef struct {
    int row, col;
    int origin;
    vt_style pen;
    uint8_t protect;
    uint8_t charsets[4], gl;
} vt_saved;

/* Row pointers in an array four screens long: a full-screen scroll recycles the top row and moves `first`. */
typedef struct {
    vt_row **base;
    int base_n;
    vt_row **rows;       /* base + some; rows[0..vt.rows) are the screen */
    vt_saved saved;
    int top, bottom, left, right; /* its margins while the other screen is shown (as xterm.js); else see vt */
    uint8_t kitty[16];   /* stack of flags, */
    int kitty_n;         /* kitty[kitty_n] is in force */
} vt_screen;

typedef struct {
    uint8_t n;
    uint8_t shared;      /* by cells that REP has filled: what combines with one of them makes a new one */
    uint32_t codes[8];
} vt_cluster;

typedef struct {
    uint32_t hash;
    uint16_t id_n, uri_n;
    char *text;          /* id, then URI, no terminator */
    uint16_t next;       /* of those that vt.link_hash has in one place */
} vt_link;
#define VT_LINK_HASH 256

/* A block of scrollback: encoded lines one behind the other. vt_scrollback.c knows the form. */
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
    vt_block *spare;     /* of the largest size, and in no list: the one that was dropped last */
    uint64_t count;      /* lines */
    uint32_t excess;     /* lines at the front of the oldest block that are dropped and not counted any more */
    uint64_t dropped;    /* lines that are not kept any more: the absolute number of the oldest */
    uint64_t left_out;   /* of a copy: lines that its original has beside these */
    size_t bytes;        /* allocated */
    int failed;          /* lines were lost because there was no memory */
} vt_history;

#define VT_STRING_MAX (64 * 1024) /* bytes of an OSC or DCS string that are kept; of a longer one nothing is used */
#define VT_PARTIAL_MAX 4096       /* bytes of an unfinished sequence that a redraw can carry */
#define VT_PARAMS 32
#define VT_TITLES 10              /* pushed titles (CSI 22 t) */
#define VT_COLOURS 259            /* of the palette, then foreground, background, cursor */

struct vt {
    int rows, cols;
    vt_limits limits;

    vt_screen main, alt; /* alt.base is NULL until it is first used */
    vt_screen *s;        /* the one that is shown */
    int row, col;        /* cursor; col < cols */
    int pending;         /* a character stands in the last column: the next one wraps */
    int top, bottom;     /* scroll region, both inside; DECSTBM */
    int left, right;     /* DECSLRM, both inside */
    uint32_t modes;
    int shape;           /* DECSCUSR */

    vt_style pen;
    vt_cell pen_cell;    /* style and protection bits of the pen; valid when !pen_dirty */
    int pen_dirty;
    uint8_t protect;
    uint8_t charsets[4]; /* G0..G3: 'B' ASCII, '0' line drawing, 'A' UK */
    uint8_t gl, single_shift; /* which of them is in use; single_shift: 2 or 3 for the next character, or 0 */
    uint8_t tabs[(VT_MAX_COLS + 7) / 8];

    vt_cell erase_cell;  /* a blank with the background erase_bg, the pen's when something was last erased */
    uint32_t erase_bg;

    vt_style *styles;    /* interned; [0] is the default */
    uint32_t styles_n, styles_size;
    uint32_t styles_free; /* the first of a list through .fg of those given up; 0: none */
    uint32_t styles_mark; /* collect before there are more than these */
    uint32_t *style_hash; /* open addressing, id + 1; a power of two of slots */
    uint32_t style_hash_size;
    vt_cluster *clusters; /* [0] unused */
    uint32_t clusters_n, clusters_size;
    uint32_t clusters_free, clusters_mark; /* as of styles; the list is through .codes[0] */
    vt_link *links;      /* [0] unused; .text is NULL where one was given up */
    uint32_t links_n, links_size;
    uint32_t links_from; /* before it none was given up */
    uint16_t link_hash[VT_LINK_HASH]; /* the first of a list each; 0: none */
    uint32_t links_wait; /* so many links more are refused before another collection is tried */

    vt_history history;

    /* parser */
    uint8_t state;
    uint8_t prefix;      /* private marker of a CSI or DCS: < = > ?, or 0 */
    uint8_t final;       /* of a DCS whose string is being read */
    uint8_t intermediates[2], intermediates_n; /* 3: more than two, so that no sequence has them */
    uint16_t params[VT_PARAMS + 1]; /* the last takes what is too much */
    uint64_t colons;     /* bit i: params[i] was begun by a colon */
    uint64_t given;      /* bit i: params[i] has a digit */
    int param;           /* index of the parameter that is being read */
    uint8_t utf8[4], utf8_n, utf8_need; /* an unfinished character */
    uint32_t last_char;  /* the character printed just before, nothing else between (REP); 0: none */
    vt_buf string;       /* of OSC, DCS, APC... */
    int string_over;     /* it was longer than VT_STRING_MAX: nothing of it is used */
    uint64_t sequence;   /* offset at which the string being read began */
    const uint8_t *chunk; /* what vt_feed() was given: `offset` is that of its first byte while it runs */

    /* what others ask for */
    uint64_t offset, generation;
    uint8_t changed;     /* this vt_feed() did what can be seen */
    uint32_t events, bells;
    int muted;
    vt_buf replies, records;
    uint8_t title[512], cwd[1024];
    uint16_t title_n, cwd_n;
    vt_buf titles;       /* pushed: u16 length and text each, the newest last */
    int titles_n;
    uint32_t *palette;   /* 256 + foreground, background, cursor: 0 or VT_RGB | rgb; NULL: nothing was set */
    int64_t command_line; /* absolute line and column of the last OSC 133;B, or -1 */
    int command_col;

    int64_t work;        /* left of this vt_feed(); negative when the last step took more */
    int hold;            /* while set no style, cluster or link is collected: rows are about that no screen holds */
};

/* vt_intern.c: what cells refer to by number */
uint32_t vt_style_id(vt *, const vt_style *); /* interns; collects what no screen uses when full; 0 if no memory */
uint32_t vt_cluster_id(vt *, const vt_cluster *);      /* a new one, of one cell only at first; 0 if no memory */
uint16_t vt_link_id(vt *, const char *id, size_t id_n, const char *uri, size_t uri_n); /* 0 if there is no room */
int vt_intern_init(vt *);                              /* 0, or -1: out of memory */
void vt_intern_free(vt *);
void vt_pen_intern(vt *);                              /* brings pen_cell up to date */

/* vt_screen.c: rows, the cursor, and what sequences do to them. Counts may be anything from 0 up. */
vt_row *vt_row_new(vt *);
void vt_row_clear(vt_row *, vt_cell tail);
int vt_screen_init(vt *, vt_screen *);                 /* 0, or -1: out of memory */
void vt_screen_free(vt *, vt_screen *);
static inline vt_cell vt_at(const vt_row *r, int col) { return col < r->len ? r->cells[col] : r->tail; }
/* Write cells out up to `col`, so that all before it may be written to. */
static inline void vt_row_widen(vt_row *r, int col)
{
    for (int i = r->len; i < col; i++)
        r->cells[i] = r->tail;
    if (r->len < col)
        r->len = (uint16_t)col;
}
void vt_row_insert(vt *, vt_row *, int col, int end, int n, vt_cell fill); /* n blanks; what passes `end` is lost */
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
void vt_move_to(vt *, int row, int col);               /* 0-based, from the margins in origin mode */
void vt_move_row(vt *, int row);
void vt_move_col(vt *, int col);
void vt_move_up(vt *, int n);
void vt_move_down(vt *, int n);
void vt_move_forward(vt *, int n);
void vt_move_back(vt *, int n);
void vt_move_by(vt *, int rows, int cols);             /* HPR, VPR: margins do not stop it */
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
void vt_save_cursor(vt *);
void vt_restore_cursor(vt *);
void vt_set_mode(vt *, int mode, int on);
void vt_set_dec_mode(vt *, int mode, int on);
int vt_report_mode(const vt *, int mode); /* as DECRPM says it: 0 unknown, 1 set, 2 reset, 3 and 4 always so */
int vt_report_dec_mode(const vt *, int mode);
void vt_kitty_push(vt *, int flags);
void vt_kitty_pop(vt *, int n);
void vt_kitty_set(vt *, int flags, int how);
void vt_alignment(vt *);                               /* DECALN */
void vt_soft_reset(vt *);                              /* DECSTR */
void vt_reset(vt *);                                   /* RIS, all but the parser */

/* vt_print.c: text */
int vt_width(uint32_t code);                           /* columns of a code point: 0 combining, 1, 2; by vt_width.h */
void vt_print_text(vt *, const uint8_t *, size_t n, const uint8_t *end); /* ASCII, n > 0; up to `end` may be read */
const uint8_t *vt_print_utf8(vt *, const uint8_t *, const uint8_t *end); /* whole characters, up to no text */
void vt_print_code(vt *, uint32_t code);
void vt_repeat(vt *, int n);

/* vt_osc.c: OSC and DCS strings, complete in vt.string. `end`: offset behind the sequence. `bel`: it ended in one.
   */
void vt_osc(vt *, uint64_t end, int bel);
void vt_dcs(vt *);
void vt_push_title(vt *);
void vt_pop_title(vt *);
uint32_t vt_colour(const vt *, int index); /* in force: VT_RGB | rgb; 256 foreground, 257 background, 258 cursor */

/* vt_reply.c: answers to queries */
void vt_answer(vt *, const char *format, ...) __attribute__((format(printf, 2, 3)));
void vt_answer_style(vt *);                            /* DECRQSS of SGR */

/* vt_parse.c: the bytes of the sequence or character that the output stopped inside of, or other ones to the same
   effect, at most VT_PARTIAL_MAX; nothing when it stopped between two. Of a longer string: the beginning of one that is
   swallowed. */
void vt_partial(const vt *, vt_buf *);

/* vt_scrollback.c: lines that have scrolled off the main screen */
size_t vt_history_memory(const vt_history *);         /* bytes allocated */
void vt_history_push(vt *, const vt_row *); /* encodes a row behind the newest line; drops what is too much */
void vt_history_unwrap(vt *);                          /* the newest line does not go on in the screen's first row */
int vt_history_pop(vt *, vt_row *); /* decodes the newest line into a row and forgets it; 0: none left */
void vt_history_clear(vt *);                           /* ED 3, RIS */
typedef struct { const vt_block *block; uint32_t at, skipped; uint64_t left; } vt_history_reader;
/* Start at line `index` (0: the oldest kept), going forward. */
void vt_history_seek(const vt *, vt_history_reader *, uint64_t index);

/* A line of either kind, taken apart for those who write it out: stretches of one style, style and link by value. Text
   is UTF-8 with a NUL for each cell that was never written; a code point of width 0 belongs to the cell before it. */
typedef struct {
    vt_style style;          /* its link is 0: the link is `uri` */
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
    vt_style tail;           /* of the blanks behind the runs */
    uint8_t *text;
    size_t text_n;
    int room;                /* columns there is room for */
} vt_line;

/* vt_scrollback.c */
int vt_line_init(vt_line *, int cols);                 /* 0, or -1: out of memory; room for lines of `cols` columns */
void vt_line_free(vt_line *);
void vt_line_clear(vt_line *);
void vt_line_row(const vt *, vt_line *, const vt_row *, int cols);      /* clears, then takes a row of a screen apart */
void vt_line_add(vt_line *, const vt_run *, const uint8_t *, uint32_t n, int cols); /* copies a run's piece behind it */
void vt_line_trim(vt_line *, int spaces); /* drops default blanks at an unwrapped line's end, and spaces if asked */
void vt_line_cells(vt *, const vt_line *, vt_row *);   /* the other way: fills a row, as wide as the screen */
int vt_history_next(vt_history_reader *, vt_line *);   /* takes the next line apart; 0: there is none */
void vt_history_put(vt *, vt_history *, const vt_line *);               /* behind the newest of any history */
void vt_history_put_row(vt *, vt_history *, const vt_row *, int cols);
void vt_history_pass(vt *, vt_history *, const vt_history_reader *);    /* the reader's next line, as it is */
int vt_history_copy(const vt *, vt *to, uint64_t lines);                /* the newest ones; 0, or -1: out of memory */
void vt_history_free(vt_history *);                    /* all blocks; count and dropped stay */
void vt_history_trim(vt *, uint64_t lines);            /* forgets the newest `lines` lines */
/* The line with that absolute number, wherever it is (the shown screen's from vt_top() on). The reader is for the
   next call, with the next number; begin with a zeroed one. 0: there is no such line. */
int vt_line_at(const vt *, vt_line *, vt_history_reader *, int64_t number);

/* vt_redraw.c */
uint8_t *vt_room(vt_buf *, size_t n); /* where n bytes may be written (then add to `n`), or NULL and `failed` */
int vt_decode(const uint8_t *, const uint8_t *end, uint32_t *code);     /* bytes of the UTF-8 character there, 1 to 4 */

#endif
