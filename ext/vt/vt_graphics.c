/* Strings of pictures: sixel (DCS q), kitty's (APC G), iTerm2's (OSC 1337 File=) and those of a redraw (OSC 7717).

   The parser keeps the head of such a string, and gives the bytes after it to vt_picture_more() as they come: nothing
   waits for the end of a string, so that no single byte of output costs more than others. */
#include "vt_pictures.h"

#include <string.h>

typedef struct {
    const char *p;
    size_t n;
} words;

static words head_of(const vt *t)
{
    return (words){t->parser.string.n ? (const char *)t->parser.string.data : "", t->parser.string.n};
}

static int begins_with(words w, const char *with) { return w.n >= strlen(with) && !memcmp(w.p, with, strlen(with)); }

/* The part before the next `by`; the rest stays in `from`. */
static words next(words *from, char by)
{
    words first = *from;
    const char *at = from->n ? memchr(from->p, by, from->n) : NULL;
    first.n = at ? (size_t)(at - from->p) : from->n;
    from->p += first.n + (at != NULL);
    from->n -= first.n + (at != NULL);
    return first;
}

/* A number with digits of `base` 10 or 16 in front; what follows stays in `w`. */
static uint64_t take_number(words *w, unsigned base)
{
    uint64_t value = 0;
    for (; w->n; w->p++, w->n--) {
        unsigned digit = (unsigned)*w->p - '0';
        if (base == 16 && digit >= 10)
            digit = (*w->p | 0x20) >= 'a' ? (unsigned)(*w->p | 0x20) - 'a' + 10 : base;
        if (digit >= base || value > UINT64_MAX / 16)
            break;
        value = value * base + digit;
    }
    return value;
}

/* ---- sixel and iTerm2: tiles ---- */

static uint32_t scaled(uint64_t pixels, int cell)
{
    uint64_t n = pixels * VT_CELL / (uint64_t)cell;
    return n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
}

static int cells_of(uint64_t pixels, int cell)
{
    uint64_t n = (pixels + (uint64_t)cell - 1) / (uint64_t)cell;
    return n > VT_MAX_COLS ? VT_MAX_COLS : (int)n;
}

/* Draw what has come in at the cursor, `wide` x `high` pixels large. Returns the columns that it takes. */
static int show(vt *t, vt_picture *picture, uint64_t wide, uint64_t high)
{
    picture->n = picture->data ? picture->data->n : 0;
    picture->key = vt_picture_digest(picture);
    t->budget -= (int64_t)(picture->n / 4);
    if (t->pictures)
        vt_pictures_purge(t);
    const vt_picture *added = vt_picture_add(t, picture);
    if (!added || !wide || !high)
        return 0;
    vt_placement placement = {.picture = added->number, .how = VT_IN_TILES, .alternate = t->s == &t->alt, .col = t->col,
                              .rows = cells_of(high, t->cell_height), .cols = cells_of(wide, t->cell_width),
                              .width = picture->width, .height = picture->height,
                              .wide = scaled(wide, t->cell_width), .high = scaled(high, t->cell_height)};
    placement.line = (placement.alternate ? 0 : vt_top(t)) + t->row;
    placement.last = placement.rows;
    vt_placement *kept = vt_placement_add(t, &placement);
    if (!kept)
        return 0;
    placement = *kept;
    vt_viewer_differs(t);
    vt_place_tiles(t, &placement, placement.rows, placement.cols);
    return placement.cols;
}

/* As xterm: the cursor goes to the picture's last row, to the column where it began, or with 8452 to its right. With
   DECSDM the picture is in the screen's corner, and the cursor stays. */
static void end_sixel(vt *t)
{
    vt_incoming *in = &t->pictures->incoming;
    vt_sixel_measure(&in->size, (const uint8_t *)"$", 1);
    vt_picture picture = {.kind = VT_PICTURE_SIXEL, .transparent = t->parser.param && t->parser.params[1] == 1,
                          .width = in->size.width, .height = in->size.height};
    const int row = t->row, col = t->col, pending = t->pending;
    if (!picture.width || !picture.height)
        return;
    if (vt_picture_fits(picture.width, picture.height))
        picture.data = vt_incoming_take(t);
    if (!picture.data)
        picture.kind = VT_PICTURE_NONE;
    if (t->modes & VT_M_SIXEL_DISPLAY)
        t->row = t->col = 0;
    int cols = show(t, &picture, picture.width, picture.height);
    if (t->modes & VT_M_SIXEL_DISPLAY) {
        t->row = row;
        t->col = col;
        t->pending = pending;
    } else if (t->modes & VT_M_SIXEL_RIGHT) {
        t->col = vt_min(t->col + cols, t->col <= t->right ? t->right : t->cols - 1);
    }
}

/* `N` cells, `Npx`, `N%` or `auto`. */
static vt_extent extent_of(words w)
{
    vt_extent e = {'a', 0};
    if (!w.n || *w.p < '0' || *w.p > '9')
        return e;
    uint64_t n = take_number(&w, 10);
    e.n = n > VT_PICTURE_SIDE ? VT_PICTURE_SIDE : (uint32_t)n;
    e.unit = !w.n ? 'c' : *w.p == '%' ? '%' : 'x';
    return e;
}

static void read_file_keys(vt_file *file, words keys)
{
    *file = (vt_file){.width.unit = 'a', .height.unit = 'a'};
    while (keys.n) {
        words key = next(&keys, ';');
        words name = next(&key, '=');
        int on = begins_with(key, "1");
        if (begins_with(name, "inline"))
            file->shown = (uint8_t)on;
        else if (begins_with(name, "preserveAspectRatio"))
            file->stretched = (uint8_t)!on;
        else if (begins_with(name, "doNotMoveCursor"))
            file->still = (uint8_t)on;
        else if (begins_with(name, "width"))
            file->width = extent_of(key);
        else if (begins_with(name, "height"))
            file->height = extent_of(key);
    }
}

/* Pixels that an extent asks for; 0: the picture's own. */
static uint64_t wanted(vt_extent e, int cell, int screen)
{
    uint64_t n = e.unit == 'c' ? (uint64_t)e.n * (unsigned)cell : e.unit == '%' ? (uint64_t)e.n * (unsigned)(cell * screen) / 100 : e.n;
    uint64_t most = (uint64_t)cell * VT_MAX_COLS;
    return e.unit == 'a' ? 0 : n > most ? most : n;
}

/* The size in pixels that a file is shown in: within the screen's width, and in its own shape unless that is given up. */
static void fit(const vt *t, const vt_file *file, const vt_picture *picture, uint64_t *wide, uint64_t *high)
{
    const uint64_t w = picture->width, h = picture->height, screen = (uint64_t)t->cols * t->cell_width;
    *wide = wanted(file->width, t->cell_width, t->cols);
    *high = wanted(file->height, t->cell_height, t->rows);
    if (!*wide && !*high) {
        *wide = w;
        *high = h;
    } else if (!*wide) {
        *wide = *high * w / h;
    } else if (!*high) {
        *high = *wide * h / w;
    } else if (!file->stretched) {
        if (*wide * h > *high * w)
            *wide = *high * w / h;
        else
            *high = *wide * h / w;
    }
    if (*wide > screen) {
        *high = *high * screen / *wide;
        *wide = screen;
    }
    *wide = *wide ? *wide : 1;
    *high = *high ? *high : 1;
}

/* The cursor goes to the last row of the picture, to its right, as in iTerm2. A file that is not shown is ignored: it
   would be a download. */
static void end_file(vt *t)
{
    vt_incoming *in = &t->pictures->incoming;
    const vt_file file = in->file;
    vt_picture picture = {0};
    uint64_t wide, high;
    if (!file.shown)
        return;
    int lost = in->lost;
    picture.data = vt_incoming_take(t);
    if (picture.data)
        picture.kind = (uint8_t)vt_image_size(picture.data->bytes, picture.data->n, &picture.width, &picture.height);
    if (!picture.kind) { /* a file that is no picture shows nothing; one that is too large has its place */
        if (!lost && !(picture.width && picture.height)) {
            vt_picture_release(picture.data);
            return;
        }
        vt_picture_release(picture.data);
        picture.data = NULL;
        picture.width = picture.width ? picture.width : 16 * t->cell_width;
        picture.height = picture.height ? picture.height : 4 * t->cell_height;
    }
    fit(t, &file, &picture, &wide, &high);
    const int row = t->row, col = t->col;
    int cols = show(t, &picture, wide, high);
    if (file.still) {
        t->row = row;
        t->col = col;
    } else {
        t->col = vt_min(t->col + cols, t->col <= t->right ? t->right : t->cols - 1);
    }
}

/* ---- a redraw's ---- */

/* The fields of a list that is separated by semicolons. Returns how many there are. */
static int fields(words w, int64_t *to, int most)
{
    int n = 0;
    for (; w.n && n < most; n++) {
        words one = next(&w, ';');
        int negative = begins_with(one, "-");
        one.p += negative;
        one.n -= (size_t)negative;
        uint64_t value = take_number(&one, n == 1 && most == 10 ? 16 : 10); /* a picture's second field is its key */
        to[n] = negative ? -(int64_t)(value & INT32_MAX) : (int64_t)value;
    }
    return n;
}

static int64_t within(int64_t n, int64_t low, int64_t high) { return n < low ? low : n > high ? high : n; }

/* NUMBER;KEY;KIND;ZLIB;TRANSPARENT;WIDTH;HEIGHT;BYTES;ID;NAMED */
static void read_picture(vt_picture *picture, words w)
{
    int64_t f[10] = {0};
    fields(w, f, 10);
    *picture = (vt_picture){.number = (uint32_t)f[0], .key = (uint64_t)f[1], .kind = (uint8_t)within(f[2], 0, VT_PICTURE_KINDS - 1),
                            .zlib = f[3] == 1, .transparent = f[4] == 1,
                            .width = (uint32_t)within(f[5], 0, 2 * VT_PICTURE_SIDE),
                            .height = (uint32_t)within(f[6], 0, 2 * VT_PICTURE_SIDE),
                            .n = (size_t)within(f[7], 0, VT_PICTURE_BYTES), .id = (uint32_t)f[8], .named = (uint32_t)f[9]};
}

/* Take a listed picture, whose bytes came with it, or are here, or are nowhere. */
static void restore_picture(vt *t, vt_picture *picture)
{
    vt_pictures *p = vt_pictures_of(t);
    for (int i = p ? p->n - 1 : -1; i >= 0 && !picture->data; i--)
        if (p->all[i].key == picture->key && p->all[i].data) {
            picture->data = p->all[i].data;
            __atomic_add_fetch(&picture->data->shared, 1, __ATOMIC_RELAXED);
        }
    if (p && picture->number) {
        vt_picture_forget(t, picture->number, 0);
        vt_picture_add(t, picture);
        p->last = picture->number > p->last ? picture->number : p->last;
    } else {
        vt_picture_release(picture->data);
    }
}

/* Bytes are believed, not what was said about them. */
static void end_restored(vt *t)
{
    vt_picture picture = t->pictures->incoming.restored;
    picture.data = vt_incoming_take(t);
    if (picture.data) {
        uint32_t width, height;
        size_t least = (size_t)picture.width * picture.height * (picture.kind == VT_PICTURE_RGB ? 3 : 4);
        int kind = vt_image_size(picture.data->bytes, picture.data->n, &width, &height);
        int valid = vt_picture_fits(picture.width, picture.height);
        if (picture.kind >= VT_PICTURE_PNG)
            valid = valid && kind == picture.kind && width == picture.width && height == picture.height;
        else if (picture.kind == VT_PICTURE_NONE || (picture.kind != VT_PICTURE_SIXEL && !picture.zlib && picture.data->n < least))
            valid = 0;
        picture.n = picture.data->n;
        if (!valid || vt_picture_digest(&picture) != picture.key) {
            vt_picture_release(picture.data);
            picture.data = NULL;
        }
    }
    restore_picture(t, &picture);
}

/* NUMBER;PICTURE;ID;HOW;ALTERNATE;ROW;COL;ROWS;COLS;FIRST;LAST;X;Y;WIDTH;HEIGHT;LEFT;TOP;WIDE;HIGH;Z. ROW counts from
   the screen's top, up into the scrollback. */
static void restore_placement(vt *t, words w)
{
    int64_t f[20];
    if (fields(w, f, 20) != 20 || !vt_pictures_of(t) || f[0] < 1 || f[0] > UINT32_MAX)
        return;
    vt_placement placement = {
        .number = (uint32_t)f[0], .picture = (uint32_t)f[1], .id = (uint32_t)f[2], .how = (uint8_t)within(f[3], 0, VT_DIRECT),
        .alternate = f[4] == 1, .line = within(f[5], -INT32_MAX, 2 * VT_MAX_ROWS), .col = (int)within(f[6], 0, VT_MAX_COLS),
        .rows = (int)within(f[7], 1, VT_MAX_ROWS), .cols = (int)within(f[8], 1, VT_MAX_COLS),
        .first = (int)within(f[9], 0, VT_MAX_ROWS), .last = (int)within(f[10], 0, VT_MAX_ROWS), .x = (uint32_t)f[11],
        .y = (uint32_t)f[12], .width = (uint32_t)f[13], .height = (uint32_t)f[14], .left = (uint32_t)f[15],
        .top = (uint32_t)f[16], .wide = (uint32_t)f[17], .high = (uint32_t)f[18], .z = (int32_t)within(f[19], INT32_MIN, INT32_MAX),
    };
    placement.line += placement.alternate ? 0 : vt_top(t);
    vt_placement_add(t, &placement);
    if (t->pictures->last_placed < placement.number && placement.number <= 0xFFFFFF)
        t->pictures->last_placed = placement.number;
}

static void restored_command(vt *t, words w)
{
    words what = next(&w, ';');
    vt_pictures *p = t->pictures;
    if (what.n != 1)
        return;
    switch (*what.p) {
    case 'b': /* a list begins: nothing else is placed, and pictures that it leaves out are no longer there */
        vt_incoming_stop(t);
        if (!p)
            break;
        p->placed_n = 0;
        p->last = p->last_placed = 0;
        for (int i = 0; i < p->n; i++)
            p->all[i].stale = 1;
        break;
    case 'i': {
        vt_picture picture;
        read_picture(&picture, w);
        restore_picture(t, &picture);
        break;
    }
    case 'p':
        restore_placement(t, w);
        break;
    case 'e': {
        int64_t f[2] = {0};
        fields(w, f, 2);
        if (!p)
            break;
        for (int i = p->n - 1; i >= 0; i--)
            if (p->all[i].stale)
                vt_picture_forget(t, p->all[i].number, 0);
        p->last = (uint32_t)f[0];
        p->last_placed = (uint32_t)f[1] & 0xFFFFFF;
        break;
    }
    }
}

/* ---- strings ---- */

/* More of a kitty picture? The chunks after the first have no keys but m and q. */
static int goes_on(const vt *t, const vt_kitty *k)
{
    const vt_incoming *in = &t->pictures->incoming;
    return in->protocol == VT_BY_KITTY && k->a == 't' && (!k->i || k->i == in->kitty.i);
}

static void begin_kitty(vt *t, words head)
{
    vt_kitty k;
    if (!vt_pictures_of(t))
        return;
    vt_kitty_read(&k, (const uint8_t *)head.p + 1, head.n - 1);
    int more = goes_on(t, &k);
    vt_incoming_begin(t, VT_BY_KITTY, more);
    vt_kitty *kept = &t->pictures->incoming.kitty;
    if (!more)
        *kept = k;
    kept->m = k.m;
    kept->q = k.q > kept->q ? k.q : kept->q;
    kept->bad |= k.bad;
}

static void end_kitty(vt *t)
{
    vt_incoming *in = &t->pictures->incoming;
    vt_incoming_end(t);
    if (in->kitty.m == 1 && !in->kitty.bad)
        return;
    vt_kitty_run(t, &in->kitty);
    vt_incoming_stop(t);
}

int vt_picture_begins(vt *t)
{
    words head = head_of(t);
    const int kitty = t->parser.state == VT_OTHER_STRING && begins_with(head, "G");
    const int file = t->parser.state == VT_OSC_STRING && (begins_with(head, "1337;File=") || begins_with(head, "1337;FilePart="));
    const int restored = t->parser.state == VT_OSC_STRING && begins_with(head, "7717;i;");
    if (t->parser.state == VT_DCS_STRING) {
        vt_incoming_begin(t, VT_BY_SIXEL, 0);
        return t->pictures != NULL;
    }
    if (!(kitty | file | restored))
        return 0;
    words rest = head;
    if (head.n > VT_PICTURE_HEAD)
        return 0;
    if (file && begins_with(head, "1337;FilePart=")) { /* its bytes come at once */
        next(&rest, '=');
        head = (words){head.p, head.n - rest.n};
        if (!t->pictures || t->pictures->incoming.protocol != VT_BY_ITERM)
            return 0;
        vt_incoming_begin(t, VT_BY_ITERM, 1);
    } else {
        const char *at = memchr(head.p, kitty ? ';' : ':', head.n);
        if (!at)
            return 0;
        rest = (words){at + 1, head.n - (size_t)(at + 1 - head.p)};
        head.n = (size_t)(at - head.p);
        if (kitty)
            begin_kitty(t, head);
        else
            vt_incoming_begin(t, file ? VT_BY_ITERM : VT_BY_REDRAW, 0);
        if (!t->pictures)
            return 0;
        next(&head, kitty ? ';' : file ? '=' : ';');
        if (file)
            read_file_keys(&t->pictures->incoming.file, head);
        else if (restored)
            read_picture(&t->pictures->incoming.restored, (next(&head, ';'), head));
    }
    vt_picture_more(t, (const uint8_t *)rest.p, rest.n);
    return 1;
}

void vt_picture_more(vt *t, const uint8_t *p, size_t n)
{
    vt_incoming *in = &t->pictures->incoming;
    vt_incoming_bytes(t, p, n, in->protocol != VT_BY_SIXEL);
    if (in->protocol == VT_BY_SIXEL)
        vt_sixel_measure(&in->size, p, n);
}

void vt_picture_broken(vt *t)
{
    vt_incoming *in = &t->pictures->incoming;
    t->parser.picture = 0;
    if (in->data.n > in->kept)
        in->data.n = in->kept;
    in->bad = in->was_bad;
    vt_incoming_end(t);
    if (in->protocol == VT_BY_SIXEL || in->protocol == VT_BY_REDRAW || (in->protocol == VT_BY_ITERM && !in->parts))
        vt_incoming_stop(t);
}

void vt_picture_ends(vt *t)
{
    words head = head_of(t);
    if (t->parser.state == VT_OTHER_STRING) {
        if (!t->parser.picture && !begins_with(head, "G"))
            return;
        if (!t->parser.picture)
            begin_kitty(t, head);
        if (t->pictures)
            end_kitty(t);
        return;
    }
    if (t->parser.picture) {
        vt_incoming *in = &t->pictures->incoming;
        vt_incoming_end(t);
        if (in->protocol == VT_BY_ITERM && in->parts)
            return; /* FileEnd comes after the last part */
        if (in->protocol == VT_BY_SIXEL)
            end_sixel(t);
        else if (in->protocol == VT_BY_ITERM)
            end_file(t);
        else
            end_restored(t);
        vt_incoming_stop(t);
    } else if (begins_with(head, "1337;MultipartFile=")) {
        vt_incoming_begin(t, VT_BY_ITERM, 0);
        vt_incoming_end(t);
        if (!t->pictures)
            return;
        next(&head, '=');
        read_file_keys(&t->pictures->incoming.file, head);
        t->pictures->incoming.parts = 1;
    } else if (begins_with(head, "1337;FileEnd") && t->pictures && t->pictures->incoming.protocol == VT_BY_ITERM) {
        end_file(t);
        vt_incoming_stop(t);
    } else if (begins_with(head, "7717;")) {
        next(&head, ';');
        restored_command(t, head);
    }
}
