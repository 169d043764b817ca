/* Pictures: the bytes of a program (sixel, or a file, or raw pixels) and the places where they show.

   A picture of sixel or of iTerm2 stands in cells of its own: VT_TILE, with the number of its placement as the
   foreground colour, and row and column of the tile as two combining marks. So it scrolls, reflows, is overwritten,
   erased and redrawn as text is. Kitty's placements lie over or under the text, and are anchored to a line. */
#ifndef VT_PICTURES_H
#define VT_PICTURES_H

#include "vt_state.h"

#define VT_PICTURE_BYTES (8u << 20)   /* of one picture: a screen of 200 x 50 cells of 10 x 20 pixels as RGBA */
#define VT_PICTURES_BYTES (16u << 20) /* of all of a session: two of the largest; then the oldest lose their bytes */
#define VT_PICTURE_HEAD 4096          /* of the keys of a string before a picture's bytes */
#define VT_PICTURES 256               /* pictures of a session that are known; then the oldest are forgotten */
#define VT_PLACEMENTS 512             /* likewise */
#define VT_PICTURE_SIDE 10000         /* pixels of width or height, as in kitty */
#define VT_PICTURE_PIXELS (16u << 20) /* pixels: 64 MiB when a viewer decodes it */
#define VT_PICTURE_CELLS 20000        /* of one picture of sixel or iTerm2: a millisecond of work; the rest is cut off */

#define VT_SIXEL_COLOURS 1024         /* registers; XTSMGRAPHICS tells them */

#define VT_TILE 0x10EEEDu             /* our tiles: private use, like kitty's, beside it */
#define VT_KITTY_TILE 0x10EEEEu       /* kitty's Unicode placeholder */
#define VT_TILE_BYTES "\xF4\x8E\xBB"  /* the beginning of both in UTF-8 */
#define VT_MARKS 297                  /* combining marks that number rows and columns */
extern const uint32_t vt_tile_marks[VT_MARKS];

#define VT_CELL 1000                  /* a cell's width or height in the units of a placement */

enum vt_picture_kind {
    VT_PICTURE_NONE, /* too large: only its size is known */
    VT_PICTURE_SIXEL,
    VT_PICTURE_RGB,
    VT_PICTURE_RGBA,
    VT_PICTURE_PNG,
    VT_PICTURE_JPEG,
    VT_PICTURE_GIF,
    VT_PICTURE_WEBP,
    VT_PICTURE_KINDS
};

/* Of a terminal and its copies, which may be freed on other threads. */
typedef struct {
    long shared; /* owners */
    size_t n;
    uint8_t bytes[];
} vt_picture_data;

typedef struct {
    uint32_t number;        /* counted up in a session */
    uint32_t id, named;     /* kitty's i= and I=; 0: none */
    uint64_t key;           /* a digest of the bytes and what they mean: its name in REST */
    uint8_t kind;
    uint8_t zlib;           /* the pixels are compressed */
    uint8_t transparent;    /* of sixel: pixels that are not drawn */
    uint8_t stale;          /* while a redraw is read: not listed yet */
    uint32_t width, height; /* pixels */
    size_t n;               /* bytes, even if they are not here */
    vt_picture_data *data;  /* NULL: dropped, or never here */
} vt_picture;

enum vt_placed { VT_IN_TILES, VT_VIRTUAL, VT_DIRECT }; /* in our cells, in kitty's placeholders, over the text */

/* A part of a picture, scaled into cells. `left` to `high` are in units of VT_CELL. */
typedef struct {
    uint32_t number;        /* counted up; of VT_IN_TILES also the colour of its cells */
    uint32_t picture;
    uint32_t id;            /* kitty's p= */
    uint8_t how;            /* vt_placed */
    uint8_t alternate;      /* on the alternate screen, where `line` is a row */
    int64_t line;           /* absolute */
    int col, rows, cols;
    int first, last;        /* rows of it that are left after scrolling regions: [first, last) */
    uint32_t x, y, width, height;    /* the part of the picture, in pixels */
    uint32_t left, top, wide, high;  /* where it is drawn */
    int32_t z;
} vt_placement;

/* Bounds the pixels that a sixel string draws, as it comes. */
typedef struct {
    uint8_t state;          /* what a number belongs to: the character before it, or 0 */
    uint8_t given;          /* parameters of a raster before this number */
    uint32_t number, raster[4];
    uint32_t repeat, x, y;
    uint32_t width, height; /* drawn or declared so far */
} vt_sixel_size;

/* The keys of a kitty command; single letters as in the protocol. */
typedef struct {
    char a, t, d, o;
    uint32_t f, s, v, i, I, p, q, m, x, y, w, h, X, Y, c, r, C, U, S, O;
    int32_t z;
    uint8_t bad; /* a key or value that is not one */
} vt_kitty;

typedef struct {
    char unit; /* c cells, x pixels, % of the screen, a auto */
    uint32_t n;
} vt_extent;

/* What an OSC 1337 File= says besides the bytes. */
typedef struct {
    uint8_t shown, stretched, still; /* inline=1, preserveAspectRatio=0, doNotMoveCursor=1 */
    vt_extent width, height;
} vt_file;

enum vt_protocol { VT_NO_PICTURE, VT_BY_SIXEL, VT_BY_KITTY, VT_BY_ITERM, VT_BY_REDRAW };

/* The picture that is coming in, in one string or in several. */
typedef struct {
    uint8_t protocol;       /* vt_protocol */
    uint8_t open;           /* a string of it is being read */
    uint8_t lost;           /* too long, or no memory: its bytes are forgotten */
    uint8_t digits, ended;  /* of base64: in the group of four; padding has come */
    uint8_t bad, was_bad;   /* bytes that are not base64; before the open string */
    uint8_t goes_on;        /* the open string is not the first */
    uint8_t parts;          /* of iTerm2: a MultipartFile, which FileEnd ends */
    uint32_t bits;
    vt_buf data;            /* begins with room for the head of vt_picture_data */
    size_t kept;            /* bytes of `data` when the open string began; it may be cut off */
    vt_sixel_size size;
    vt_kitty kitty;
    vt_file file;
    vt_picture restored;
} vt_incoming;

struct vt_pictures {
    vt_picture *all;        /* the oldest first */
    vt_placement *placed;
    int n, placed_n;
    uint32_t last, last_placed; /* numbers */
    size_t bytes;           /* of all pictures here */
    vt_incoming incoming;
};

/* ---- storage ---- */

/* vt_image.c: what a file's first bytes say. Returns vt_picture_kind, or VT_PICTURE_NONE: unknown, or out of bounds. */
int vt_image_size(const uint8_t *, size_t n, uint32_t *width, uint32_t *height);
int vt_picture_fits(uint64_t width, uint64_t height);  /* whether a picture of that many pixels is kept */

/* vt_sixel.c */
void vt_sixel_measure(vt_sixel_size *, const uint8_t *, size_t n);
/* Draw into `rgba`, which has width x height x 4 bytes. */
void vt_sixel_draw(const uint8_t *, size_t n, int transparent, uint8_t *rgba, uint32_t width, uint32_t height);

/* vt_picture.c */
vt_pictures *vt_pictures_of(vt *);                     /* makes them; NULL: no memory */
size_t vt_pictures_memory(const vt *);
int vt_pictures_copy(const vt *, vt *to);              /* 0, or -1: out of memory */
vt_picture *vt_picture_add(vt *, const vt_picture *);  /* owns its data then; NULL: no memory, and it is freed */
vt_picture *vt_picture_find(const vt *, uint32_t number);
vt_picture *vt_picture_by_id(const vt *, uint32_t id, uint32_t named);
void vt_picture_forget(vt *, uint32_t number, int placements_too);
void vt_picture_release(vt_picture_data *);
vt_placement *vt_placement_add(vt *, const vt_placement *);
vt_placement *vt_placement_find(const vt *, uint32_t number);
void vt_placement_remove(vt *, int index);
int vt_placement_row(const vt *, const vt_placement *); /* of its first row that is left, from the screen's top */
void vt_pictures_purge(vt *);                          /* what is no longer in scrollback, and pictures without use */
void vt_incoming_begin(vt *, int protocol, int goes_on); /* a string begins */
void vt_incoming_bytes(vt *, const uint8_t *, size_t n, int base64);
void vt_incoming_end(vt *);                            /* the string is complete, but more may follow */
void vt_incoming_stop(vt *);                           /* nothing follows: forget it */
vt_picture_data *vt_incoming_take(vt *);               /* the bytes; NULL: none, lost, or not base64 */
uint64_t vt_picture_digest(const vt_picture *);

/* ---- screen ---- */

/* vt_place.c: at the cursor */
void vt_place_tiles(vt *, vt_placement *, int rows, int cols); /* prints the cells; the cursor ends in the last row */
void vt_place_direct(vt *, vt_placement *, int still);

/* ---- output ---- */

/* vt_album.c */
typedef struct {
    uint32_t number;        /* of a VT_IN_TILES placement, or of a VT_VIRTUAL one's picture, found */
    const vt_placement *placement;
    int row, col;
} vt_tile;
void vt_put_pictures(const vt *, vt_buf *);            /* what a redraw says about them */
/* The tile at the beginning of `text`, after `before`, which it may continue. Returns its bytes; 0: it is none. */
uint32_t vt_tile_at(const vt *, const vt_run *, const uint8_t *text, const uint8_t *end, const vt_tile *before,
                    vt_tile *);
uint32_t vt_tile_bytes(const uint8_t *text, const uint8_t *end); /* vt_tile_size() of what begins as a tile */
/* Bytes of the tile at `text`; 0: another text is there, which its first byte tells for most. */
static inline uint32_t vt_tile_size(const uint8_t *text, const uint8_t *end)
{
    return text < end && *text == *(const uint8_t *)VT_TILE_BYTES ? vt_tile_bytes(text, end) : 0;
}
void vt_pictures_json(const vt *, vt_buf *);
void vt_pictures_dump(const vt *, vt_buf *, int in_scrollback);

/* ---- parser ---- */

/* vt_kitty.c */
void vt_kitty_read(vt_kitty *, const uint8_t *, size_t n); /* the keys, up to `;` or the end */
void vt_kitty_run(vt *, const vt_kitty *);             /* a command, whose bytes have come in */

/* vt_graphics.c */
int vt_picture_begins(vt *);  /* parser.string is the head of a picture: its bytes come next, to vt_picture_more() */
void vt_picture_more(vt *, const uint8_t *, size_t n);
void vt_picture_ends(vt *);   /* the string is complete */
void vt_picture_broken(vt *); /* it ended too early: what came of it is dropped */

#endif
