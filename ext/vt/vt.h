/* The terminal engine: bytes of a program in, a screen out. C without globals or I/O; one thread at a time.

   Behaviour follows the DEC VT510 manual, ECMA-48 and xterm's control sequence list. Where terminals differ on purpose,
   xterm is the authority (docs/terminal.md). No byte sequence is an error. Rows before cols; sizes are bytes.

   Line numbers are absolute: line 0 was the first line ever at the top of the main screen, vt_top() is the line there
   now, and lines with lower numbers, from vt_oldest() on, are scrollback. A resize that reflows renumbers the lines. */
#ifndef VT_H
#define VT_H

#include <stddef.h>
#include <stdint.h>

#define VT_MIN_ROWS 1
#define VT_MAX_ROWS 1000
#define VT_MIN_COLS 2
#define VT_MAX_COLS 1000

typedef struct vt vt;

typedef struct {
    uint32_t scrollback_lines;
    size_t scrollback_bytes;
} vt_limits;

/* A buffer that grows. `failed` is set when memory ran out; its bytes are then of no use. */
typedef struct {
    uint8_t *data;
    size_t n;    /* bytes used */
    size_t size; /* bytes allocated */
    int failed;
} vt_buf;

void vt_buf_free(vt_buf *);
int vt_put(vt_buf *, const void *, size_t n); /* append; 0, or -1 and `failed` */

vt *vt_new(int rows, int cols, const vt_limits *);               /* NULL: out of memory, or a size out of range */
vt *vt_clone(const vt *, uint32_t scrollback_lines);             /* a copy with the newest scrollback lines; NULL */
void vt_free(vt *);
size_t vt_memory(const vt *);                                    /* bytes allocated */

/* Take output. `budget` bounds what one call may touch (cells, roughly; see VT_BUDGET); returns the bytes consumed,
   less than `n` when the budget is used up: call again with the rest. Consumes at least one byte. */
#define VT_BUDGET 400000 /* about a millisecond */
size_t vt_feed(vt *, const uint8_t *, size_t n, size_t budget);
int vt_resize(vt *, int rows, int cols);                         /* 0; -1: out of memory or range, nothing changed */
void vt_mute(vt *, int on);                                      /* while on: output makes no replies and no events */

/* What the viewer that owns the size looks like. Programs ask for it, and for the size in pixels; some are told of each
   change: vt_reply() may have something after these, and after vt_resize(). */
typedef struct {
    int dark;                                    /* light text on a dark background */
    uint32_t palette[16];                        /* 0xRRGGBB, as the three below */
    uint32_t foreground, background, cursor;
} vt_theme;
#define VT_MAX_CELL 1000                         /* pixels */
void vt_set_theme(vt *, const vt_theme *);       /* NULL: the web client's dark one, as at first */
void vt_set_pixels(vt *, int cell_height, int cell_width); /* 0: those of the web client, as at first */

/* What happened since the last call of vt_events(). */
enum {
    VT_BELL = 1,      /* vt_bells() is the count since its last call */
    VT_TITLE = 2,
    VT_CWD = 4,
    VT_RECORD = 8,    /* vt_records() has some */
    VT_REPLY = 16,    /* vt_reply() has some */
    VT_PROGRESS = 64, /* vt_progress() was set */
    VT_POINTER = 128, /* vt_pointer() may have changed */
};
uint32_t vt_events(vt *);
uint32_t vt_bells(vt *);
const uint8_t *vt_title(const vt *, size_t *n); /* UTF-8 without control characters, at most 512 bytes */
const uint8_t *vt_cwd(const vt *, size_t *n);   /* as OSC 7 sent it (usually a URL), at most 1024 bytes */
/* The progress of what the program does (OSC 9;4): its state, and the percentage in all states but 0 and 3. */
enum { VT_PROGRESS_NONE, VT_PROGRESS_SET, VT_PROGRESS_ERROR, VT_PROGRESS_INDETERMINATE, VT_PROGRESS_PAUSED };
int vt_progress(const vt *, int *percent);
const char *vt_pointer(const vt *); /* the pointer's shape as CSS names it (OSC 22); "": the viewer's choice */

/* Answers to queries, for the PTY; takes all of them. Bounded: answers that do not fit are dropped. Valid until the
   next call of vt_feed(). */
const uint8_t *vt_reply(vt *, size_t *n);

/* A prompt mark (OSC 133, 633), a clipboard request (OSC 52), a notification (OSC 9, 99, 777) or a variable (OSC 1337). `n` bytes
   follow it: for 'C' the command line; for 'c' the data, decoded from base64; for 'n' id, title and body, divided by
   line feeds, all but the id empty if it is withdrawn; for 'v' its name, '=' and its value. `offset` counts bytes of output: before the sequence ('A', 'D') or up to its end ('B',
   'C', 'c'). The output of a command is [C.offset, D.offset). The command line of 'C' is the `cmdline_url=`
   (percent-encoded) or `cmdline=` of the mark, else the text on the screen between B and here. */
#define VT_NO_CODE INT32_MIN
typedef struct __attribute__((packed)) {
    uint8_t kind;    /* 'A' prompt, 'B' command line begins, 'C' output begins, 'D' command done, or c, n, v */
    int32_t value;   /* of 'D' the exit code, else VT_NO_CODE; of 'c' the selection's first letter, or 0; of 'n' urgency 0..2 */
    uint64_t offset;
    int64_t line;    /* absolute number of the cursor's line */
    uint32_t n;
} vt_record;
void vt_records(vt *, vt_buf *out); /* takes them from the queue, oldest first. Bounded: the newest are dropped */

uint64_t vt_offset(const vt *);                                  /* bytes consumed; vt_set_offset() sets it */
void vt_set_offset(vt *, uint64_t);
int vt_rows(const vt *);
int vt_cols(const vt *);
int vt_alternate(const vt *);                                    /* whether the alternate screen is on */
int64_t vt_top(const vt *);
void vt_set_top(vt *, int64_t);                                  /* renumbers the lines */
int64_t vt_oldest(const vt *);
int64_t vt_original_oldest(const vt *);                          /* of a copy: vt_oldest() of its original */

typedef struct {
    int row, col;      /* 0-based; col < cols even if a wrap is pending */
    int visible;
    int pending;       /* the next character wraps first */
    int shape;         /* DECSCUSR: 0..6 */
} vt_cursor;
void vt_get_cursor(const vt *, vt_cursor *);

/* Modes as bits. */
#define VT_M_APP_CURSOR ((uint64_t)1 << 0)            /* DECCKM ?1 */
#define VT_M_REVERSE ((uint64_t)1 << 1)               /* DECSCNM ?5 */
#define VT_M_ORIGIN ((uint64_t)1 << 2)                /* DECOM ?6 */
#define VT_M_WRAP ((uint64_t)1 << 3)                  /* DECAWM ?7, on at first */
#define VT_M_BLINK ((uint64_t)1 << 4)                 /* ?12 */
#define VT_M_CURSOR ((uint64_t)1 << 5)                /* DECTCEM ?25, on at first */
#define VT_M_MARGINS ((uint64_t)1 << 6)               /* DECLRMM ?69 */
#define VT_M_MOUSE_X10 ((uint64_t)1 << 7)             /* ?9 */
#define VT_M_MOUSE ((uint64_t)1 << 8)                 /* ?1000 */
#define VT_M_MOUSE_DRAG ((uint64_t)1 << 9)            /* ?1002 */
#define VT_M_MOUSE_ANY ((uint64_t)1 << 10)            /* ?1003 */
#define VT_M_FOCUS ((uint64_t)1 << 11)                /* ?1004 */
#define VT_M_MOUSE_UTF8 ((uint64_t)1 << 12)           /* ?1005 */
#define VT_M_MOUSE_SGR ((uint64_t)1 << 13)            /* ?1006 */
#define VT_M_MOUSE_URXVT ((uint64_t)1 << 14)          /* ?1015 */
#define VT_M_MOUSE_PIXELS ((uint64_t)1 << 15)         /* ?1016 */
#define VT_M_ALT_SCROLL ((uint64_t)1 << 16)           /* ?1007 */
#define VT_M_PASTE ((uint64_t)1 << 17)                /* ?2004 */
#define VT_M_SYNC ((uint64_t)1 << 18)                 /* ?2026 */
#define VT_M_APP_KEYPAD ((uint64_t)1 << 19)           /* DECKPAM, ?66 */
#define VT_M_INSERT ((uint64_t)1 << 20)               /* IRM 4 */
#define VT_M_NEWLINE ((uint64_t)1 << 21)              /* LNM 20 */
#define VT_M_REVERSE_WRAP ((uint64_t)1 << 22)         /* ?45 */
#define VT_M_COLOUR_SCHEME ((uint64_t)1 << 23)        /* ?2031 */
#define VT_M_GRAPHEMES ((uint64_t)1 << 24)            /* ?2027, on at first */
#define VT_M_RESIZES ((uint64_t)1 << 25)              /* ?2048 */
#define VT_M_REVERSE_WRAP_ANY ((uint64_t)1 << 26)     /* ?1045 */
#define VT_M_TAB_WRAP ((uint64_t)1 << 27)             /* ?41 */
#define VT_M_SMOOTH ((uint64_t)1 << 28)               /* DECSCLM ?4: kept, and without an effect */
#define VT_M_FORM_FEED ((uint64_t)1 << 29)            /* DECPFF ?18, DECPEX ?19: likewise, as there is no printer */
#define VT_M_PRINT_ALL ((uint64_t)1 << 30)
#define VT_M_COLUMNS ((uint64_t)1 << 31)              /* ?40: DECCOLM would be allowed */
#define VT_M_NATIONAL ((uint64_t)1 << 33)             /* DECNRCM ?42: national sets can be designated */
#define VT_M_SIXEL_DISPLAY ((uint64_t)1 << 44)        /* DECSDM ?80: sixel does not scroll */
#define VT_M_SIXEL_RIGHT ((uint64_t)1 << 45)          /* ?8452: the cursor stays right of a sixel picture */
uint64_t vt_modes(const vt *);

/* All of the following functions append to a buffer. */

/* The terminal as bytes that bring any VT of this size to the same state; docs/terminal.md has their order. The newest
   `scrollback_lines` lines are printed first, so that they scroll into the client's own scrollback. */
void vt_redraw(const vt *, vt_buf *, uint32_t scrollback_lines);

/* ---- viewers: terminals that are shown the output, and whose library (xterm.js) does some of it otherwise ---- */

/* What a viewer shows: the terminal as it was at `offset`. Kept for each viewer; its fields belong to vt_viewer.c. */
typedef struct {
    uint64_t offset, modes;
    int64_t top;
    uint32_t screens, clears, bells; /* counts of what happened until then */
    int shape, modify_other_keys;
    int raw; /* it got here by output: what settings it had before is not known */
} vt_viewer;

/* What viewers are shown ends here. It is vt_offset() less an unfinished character, which damage could not end. */
uint64_t vt_shown(const vt *);
/* Output may be sent to a viewer as it is from `offset` up to the offset returned. If that is not above `offset`, but
   vt_shown() is, the viewer needs damage instead. */
uint64_t vt_raw_end(const vt *, uint64_t offset);
int vt_viewer_at(const vt *, uint64_t offset, vt_viewer *); /* it got all output up to `offset`; 0: state not known */
int vt_continues(const vt *, uint64_t offset);           /* whether such a viewer can go on without a redraw */
void vt_viewer_redraw(vt *, vt_buf *, uint32_t scrollback_lines, vt_viewer *); /* append one, note what it shows then */
/* Append the damage: terminal bytes that bring a viewer to the present state, and note that. 0: it needs a redraw. */
int vt_damage(vt *, vt_buf *, vt_viewer *);

/* Lines [first, last) as terminal bytes with SGR, clamped to the lines that exist. Each begins with SGR 0 and ends with
   CR LF, a wrapped one with nothing. Returns the number of lines. */
uint32_t vt_lines(const vt *, vt_buf *, int64_t first, int64_t last);

/* VibeTunnel's "VT" version 1 snapshot, without the session's id: docs/terminal.md. */
void vt_snapshot(const vt *, vt_buf *);

/* Lines [first, last) as UTF-8 text or as one <pre> of HTML, each with a newline and without trailing blanks. `unwrap`:
   a wrapped line has no newline. While the alternate screen is on, the lines from vt_top() on are its rows. */
void vt_text(const vt *, vt_buf *, int64_t first, int64_t last, int unwrap);
void vt_html(const vt *, vt_buf *, int64_t first, int64_t last);

/* Pictures. `key` names one (docs/terminal.md). Its bytes as they came, but sixel and raw pixels as RGB or RGBA, whose
   size is then `width` x `height`; `zlib`: they are compressed. Returns the kind, one of VT_PICTURE_*; 0: it is not here. */
int vt_picture_bytes(const vt *, uint64_t key, vt_buf *out, uint32_t *width, uint32_t *height, int *zlib);
/* Bytes that give another terminal the newest pictures, as many as `most` bytes hold. They come before vt_redraw(). */
void vt_picture_data_of(const vt *, vt_buf *, size_t most);

/* The screen as JSON: docs/terminal.md. */
void vt_json(const vt *, vt_buf *);

/* Everything in which two equal terminals agree, as text, one field a line. For tests. */
void vt_dump(const vt *, vt_buf *);

#endif
