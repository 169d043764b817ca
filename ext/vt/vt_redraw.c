/* The redraw: the terminal as bytes that bring any other terminal of its size to the same state. The damage: bytes that
   do this for a terminal whose state is known, with what has changed since.

   docs/terminal.md has the order and the reasons. Rows are written while nothing is set that changes where text goes
   (margins, origin, insert mode, charsets); the program's settings follow. The reader is the terminal that gets the
   bytes. */
#include "vt_paint.h"
#include "vt_pictures.h"

#include <string.h>

#define KITTY_POP "\x1b[<99u\x1b[=0u"

static void put_charsets(vt_painter *w, const uint8_t *charsets, int gl, int gr, int all)
{
    for (int i = 0; i < 4; i++)
        if (all || charsets[i] != 'B') {
            uint8_t s[24];
            vt_put(w->out, s, (size_t)(vt_put_designation(s, i, charsets[i]) - s));
        }
    static const char *const left[4] = {"\x0f", "\x0e", "\x1bn", "\x1bo"}, *const right[4] = {"", "\x1b~", "\x1b}", "\x1b|"};
    const int shifts = all || gr != 2;
    if (shifts)
        vt_put_string(w->out, right[gr & 3]);
    if (shifts || gl) /* after GR: in xterm.js each of them changes GL */
        vt_put_string(w->out, left[gl & 3]);
}

static const uint8_t ascii[4] = {'B', 'B', 'B', 'B'};

/* Take one cell of a row apart, into l->a: its first run. Of the right half of a wide character the left half; `*col`
   then moves there. */
static const vt_run *take_cell(const vt *t, vt_line_pair *l, const vt_row *r, int *col)
{
    if (*col > 0 && !VT_WIDTH(vt_at(r, *col)))
        --*col;
    vt_row *one = (vt_row *)l->b.text; /* used as memory for a row of one cell */
    one->len = 1;
    one->wrapped = 0;
    one->tail = VT_BLANK;
    one->cells[0] = vt_at(r, *col);
    vt_line_row(t, &l->a, one, 1);
    return &l->a.runs[0];
}

/* The text of a cell, printable. Returns its bytes, at most VT_CELL_TEXT. */
static size_t cell_text(const vt_run *cell, uint8_t *text)
{
    size_t n = 0;
    for (; n < cell->n && n < VT_CELL_TEXT; n++)
        text[n] = cell->text[n] ? cell->text[n] : ' ';
    return n;
}

static void put_kitty(vt_painter *w, const vt_screen *s)
{
    vt_put_string(w->out, KITTY_POP);
    for (int i = 0; i <= s->kitty_n && i < (int)sizeof s->kitty; i++) {
        if (i)
            vt_paint_csi(w, ">", s->kitty[i], -1, "u");
        else if (s->kitty[0])
            vt_paint_csi(w, "=", s->kitty[0], 1, "u");
    }
}

/* All places of the stack, so that nothing of the reader's is left. */
static void put_pointers(vt_painter *w, const vt_screen *s)
{
    static const char commas[VT_POINTERS] = ",,,,,,,,,,,,,,,";
    int from = 0;
    vt_put_string(w->out, "\x1b]22;>");
    for (int i = 0; i < VT_POINTERS; i++)
        if (s->pointers[i]) {
            vt_put(w->out, commas, (size_t)(i - from));
            vt_put_string(w->out, s->pointers[i]);
            from = i;
        }
    vt_put(w->out, commas, (size_t)(VT_POINTERS - 1 - from));
    vt_put_string(w->out, "\x1b\\");
}

static void put_progress(vt_painter *w, const vt *t)
{
    vt_put_string(w->out, "\x1b]9;4;");
    vt_put_number(w->out, t->progress);
    vt_put_byte(w->out, ';');
    vt_put_number(w->out, t->percent);
    vt_put_string(w->out, "\x1b\\");
}
static void put_shown_kitty(vt_painter *w, const vt *t) { put_kitty(w, t->s); }

static void put_margins(vt_painter *w, const vt *t, int top, int bottom, int left, int right)
{
    if (top || bottom != t->rows - 1)
        vt_paint_csi(w, "", top + 1, bottom + 1, "r");
    if (left || right != t->cols - 1) /* margins exist only with DECLRMM on; else `s` would save the cursor */
        vt_paint_csi(w, "", left + 1, right + 1, "s");
}

/* The column in which the cursor's row makes a wrap pending. */
static int wrap_col(const vt *t)
{
    int last = vt_row_cols(t, t->s->rows[t->row]) - 1;
    return t->col <= t->right ? vt_min(t->right, last) : last;
}

/* Whether a wrap is pending elsewhere: the cursor then has to go back from there, by a tab. */
static int wraps_elsewhere(const vt *t) { return t->pending && t->col != wrap_col(t); }

/* From `from`, where a wrap became pending, back to `to`, where the reader has a tab stop now. CBT keeps it pending. */
static void put_tab_back(vt_painter *w, const vt *t, int from, int to)
{
    int n = 1;
    for (int i = to + 1; i < from; i++)
        n += vt_is_tab(t, i);
    vt_paint_csi(w, "", n, -1, "Z");
}

/* The stop at which the cursor stands was for put_tab_back() alone, if the terminal has none there. */
static void drop_stop(vt_painter *w, const vt *t, int col)
{
    if (!vt_is_tab(t, col))
        vt_put_string(w->out, "\x1b[g");
}

/* A row in whose whole width the cursor can move, or -1. */
static int single_row(const vt *t)
{
    for (int row = 0; row < t->rows; row++)
        if (t->s->rows[row]->size == VT_SINGLE)
            return row;
    return -1;
}

/* The cursor is in a row of single width. */
static void put_tabs(vt_painter *w, const vt *t)
{
    vt_put_string(w->out, "\x1b[3g\r");
    if (vt_is_tab(t, 0))
        vt_put_string(w->out, "\x1bH");
    for (int i = 1, at = 0; i < t->cols; i++) {
        if (!(i & 7) && !t->tabs[i >> 3])
            i += 7;
        else if (vt_is_tab(t, i)) {
            vt_paint_csi(w, "", i - at, -1, "C\x1bH");
            at = i;
        }
    }
    vt_put_string(w->out, "\r");
}

/* Append bytes that were written before. */
static void put_again(vt_buf *out, size_t from, size_t n)
{
    uint8_t *p = vt_room(out, n);
    if (!p)
        return;
    memcpy(p, out->data + from, n);
    out->n += n;
}

/* Make the reader save what the shown screen has saved, with `save` (ESC 7, or 1049 on); then back to neutral modes and
   charsets. A pending wrap is made as put_cursor() makes it, with a tab stop if it is not in the last column;
   without `l` its cell is left out. */
static void put_saved(vt_painter *w, const vt *t, const vt_screen *screen, vt_line_pair *l, const char *save)
{
    const vt_saved *s = &screen->saved;
    const int last = s->pending ? vt_row_cols(t, screen->rows[s->row]) - 1 : t->cols - 1; /* an unused screen has no rows */
    const int back = s->pending && s->col < last;
    int col = s->col;
    if (s->origin)
        vt_put_string(w->out, "\x1b[?6h");
    if (s->pending) {
        uint8_t text[VT_CELL_TEXT + 4];
        col = last;
        if (back)
            vt_paint_csi(w, "", s->row + 1, s->col + 1, "H\x1bH");
        const vt_run *cell = l ? take_cell(t, l, screen->rows[s->row], &col) : NULL;
        if (cell)
            vt_paint_run_pen(w, cell);
        vt_paint_csi(w, "", s->row + 1, col + 1, "H");
        if (cell)
            vt_paint_text(w, text, text + cell_text(cell, text), 1);
        if (back)
            put_tab_back(w, t, last, s->col);
        vt_paint_plain(w);
    }
    vt_paint_pen(w, &s->pen, s->protect);
    if (!s->pending)
        vt_paint_csi(w, "", s->row + 1, s->col + 1, "H");
    put_charsets(w, s->charsets, s->gl, s->gr, 0);
    vt_put_string(w->out, save);
    if (back)
        drop_stop(w, t, s->col);
    if (s->gl || s->gr != 2 || memcmp(s->charsets, ascii, 4))
        put_charsets(w, ascii, 0, 2, 1);
    if (s->origin)
        vt_put_string(w->out, "\x1b[?6l");
}

static void put_shown_saved(vt_painter *w, const vt *t)
{
    put_saved(w, t, t->s, w->pair, "\x1b" "7");
    vt_paint_plain(w);
}

static void put_osc(vt_painter *w, const char *number, const uint8_t *text, size_t n)
{
    vt_put_string(w->out, "\x1b]");
    vt_put_string(w->out, number);
    vt_put(w->out, text, n);
    vt_put_string(w->out, "\x1b\\");
}

/* One of the two titles of a pushed entry. Returns its size. */
static size_t put_pushed(vt_painter *w, const char *number, const uint8_t *p)
{
    size_t n = p[0] | (size_t)p[1] << 8;
    put_osc(w, number, p + 2, n);
    return 2 + n;
}

static void put_titles(vt_painter *w, const vt *t)
{
    static const char pops[] = "\x1b[23t\x1b[23t\x1b[23t\x1b[23t\x1b[23t\x1b[23t\x1b[23t\x1b[23t\x1b[23t\x1b[23t";
    _Static_assert(sizeof pops == 5 * VT_TITLES + 1, "one for each title that the reader may have pushed");
    size_t at = 0;
    vt_put_string(w->out, pops);
    for (int i = 0; i < t->titles_n && at + 2 <= t->titles.n; i++) {
        at += put_pushed(w, "1;", t->titles.data + at);
        at += put_pushed(w, "2;", t->titles.data + at);
        vt_put_string(w->out, "\x1b[22t");
    }
    put_osc(w, "1;", t->icon, t->icon_n);
    put_osc(w, "2;", t->title, t->title_n);
    put_osc(w, "7;", t->cwd, t->cwd_n);
    if (t->title_modes & 1) /* from here on titles come in hexadecimal */
        vt_put_string(w->out, "\x1b[>0t");
    if (t->title_modes & 2)
        vt_put_string(w->out, "\x1b[>1t");
}

static uint8_t *put_rgb(uint8_t *p, uint32_t rgb)
{
    static const char hex[] = "0123456789abcdef";
    p = vt_write_string(p, "rgb:");
    for (int shift = 16; shift >= 0; shift -= 8) {
        *p++ = (uint8_t)hex[rgb >> shift >> 4 & 15];
        *p++ = (uint8_t)hex[rgb >> shift & 15];
        *p++ = '/';
    }
    return p - 1;
}

static void put_attribute_colours(vt_painter *w, const vt *t)
{
    vt_put_string(w->out, "\x1b]105\x1b\\");
    for (unsigned i = 0; i < VT_ATTRIBUTE_COLOURS; i++)
        if (t->attribute_colours[i]) {
            uint8_t text[32], *p = vt_write_string(text, "\x1b]5;");
            p = vt_write_number(p, i);
            *p++ = ';';
            p = put_rgb(p, t->attribute_colours[i]);
            p = vt_write_string(p, "\x1b\\");
            vt_put(w->out, text, (size_t)(p - text));
        }
}

static void put_palette(vt_painter *w, const vt *t)
{
    vt_put_string(w->out, "\x1b]104\x1b\\\x1b]110\x1b\\\x1b]111\x1b\\\x1b]112\x1b\\\x1b]113\x1b\\\x1b]114\x1b\\"
                          "\x1b]115\x1b\\\x1b]116\x1b\\\x1b]117\x1b\\\x1b]118\x1b\\\x1b]119\x1b\\");
    for (unsigned i = 0; t->palette && i < VT_COLOURS; i++) {
        if (!t->palette[i])
            continue;
        uint8_t *p = vt_room(w->out, 32), *begin = p;
        if (!p)
            return;
        p = vt_write_string(p, "\x1b]");
        if (i < VT_DYNAMIC) {
            p = vt_write_string(p, "4;");
            p = vt_write_number(p, i);
        } else {
            p = vt_write_number(p, 10 + i - VT_DYNAMIC);
        }
        *p++ = ';';
        p = put_rgb(p, t->palette[i]);
        p = vt_write_string(p, "\x1b\\");
        w->out->n += (size_t)(p - begin);
    }
}

/* Modes that move the cursor, change printing, or have a sequence of their own. The others can be set together. */
#define SET_APART (VT_M_ORIGIN | VT_M_WRAP | VT_M_MARGINS | VT_M_APP_KEYPAD | VT_M_NATIONAL)

/* CSI ? ... `final` for the modes in `which`. */
static void put_dec_modes(vt_painter *w, uint64_t which, char final)
{
    uint8_t *p = vt_room(w->out, 8 + 5 * VT_DEC_MODE_COUNT), *begin = p;
    if (!p)
        return;
    p = vt_write_string(p, "\x1b[?");
    for (int i = 0; i < VT_DEC_MODE_COUNT; i++)
        if (which & vt_dec_modes[i].bit & ~SET_APART) {
            p = vt_write_number(p, vt_dec_modes[i].number);
            *p++ = ';';
        }
    if (p[-1] != ';')
        return;
    p[-1] = (uint8_t)final;
    w->out->n += (size_t)(p - begin);
}

/* As put_dec_modes(), those that are on. The page makes UTF-8 and urxvt reports of the SGR ones of xterm.js. */
static void put_modes_on(vt_painter *w, uint64_t which)
{
    if (which & (VT_M_MOUSE_UTF8 | VT_M_MOUSE_URXVT))
        vt_put_string(w->out, "\x1b[?1006h");
    put_dec_modes(w, which, 'h');
}

static void put_modify_other_keys(vt_painter *w, const vt *t)
{
    if (t->modify_other_keys < 0)
        vt_put_string(w->out, "\x1b[>4n");
    else
        vt_paint_csi(w, ">4;", t->modify_other_keys, -1, "m");
}

static void put_modes(vt_painter *w, const vt *t)
{
    vt_paint_csi(w, "", t->shape, -1, " q"); /* before mode 12, which it may change */
    put_dec_modes(w, ~t->modes | VT_MOUSE_TRACKING | VT_MOUSE_ENCODING, 'l'); /* at most one of each is on */
    put_modes_on(w, t->modes);
    vt_put_string(w->out, t->modes & VT_M_APP_KEYPAD ? "\x1b=" : "\x1b>");
    vt_put_string(w->out, t->modes & VT_M_NEWLINE ? "\x1b[20h" : "\x1b[20l");
    put_modify_other_keys(w, t);
}

/* The modes that XTSAVE has kept: each is set, saved, and off again. The alternate screen was saved where it is on. */
static void put_saved_modes(vt_painter *w, const vt *t)
{
    for (int i = 0; i < VT_DEC_MODE_COUNT; i++)
        if (t->saved_modes & vt_dec_modes[i].bit) {
            vt_paint_csi(w, "?", vt_dec_modes[i].number, -1, "h");
            vt_paint_csi(w, "?", vt_dec_modes[i].number, -1, "s");
            vt_paint_csi(w, "?", vt_dec_modes[i].number, -1, "l");
        }
    if (t->saved_modes)
        vt_put_string(w->out, "\x1b[?7h");
}

/* The pens that XTPUSHSGR has kept. Of more pushes than are kept only the number counts. */
static void put_pens(vt_painter *w, const vt *t)
{
    for (int i = 0; i < t->pens_n; i++) {
        if (i < VT_PENS)
            vt_paint_pen(w, &t->pens[i], 0);
        vt_put_string(w->out, "\x1b[");
        if (i < VT_PENS && t->pens_parts[i] != VT_PART_ALL) {
            vt_put_string(w->out, "0");
            for (int number = 1; number < 100; number++)
                if (number != 21 && vt_pen_part(number) && (t->pens_parts[i] & vt_pen_part(number))) {
                    vt_put_string(w->out, ";");
                    vt_put_number(w->out, number);
                }
        }
        vt_put_string(w->out, "#{");
    }
}

/* While bytes are no UTF-8: the byte that prints `code`, and what shifts its set in. 0: there is none. */
static uint8_t byte_of(const vt *t, uint32_t code, const char **shift)
{
    static const char *const shifts[] = {"", "\x1bN", "\x1bO"};
    for (int i = 0; i < 3; i++) {
        const int g = i ? i + 1 : t->gl, last = t->charsets[g] == VT_LATIN_1 ? 0x7F : 0x7E;
        *shift = shifts[i];
        for (int c = 0x20; c <= last; c++)
            if (vt_translate(vt_set(t, g), (uint8_t)c) == code)
                return (uint8_t)c;
    }
    *shift = "";
    for (int c = 0xA0; c < 0x100; c++)
        if (vt_right(t, (uint8_t)c) == code)
            return (uint8_t)c;
    return 0;
}

/* The cursor, the pen, and settings that must not come before them. */
static void put_cursor(vt_painter *w, const vt *t, vt_line_pair *l)
{
    vt_run pen;
    memset(&pen, 0, sizeof pen);
    pen.style = t->pen;
    pen.style.link = 0;
    pen.protect = t->protect;
    if (t->pen.link && t->pen.link < t->links_n) {
        const vt_link *link = &t->links[t->pen.link];
        pen.link = link->text;
        pen.id_n = link->id_n;
        pen.uri_n = link->uri_n;
    }

    /* No sequence sets a pending wrap, so the cell before it is printed again. The cell before the cursor is printed
       again too if a character was the last thing that came: REP would repeat it, and any sequence ends that. */
    const vt_row *r = t->s->rows[t->row];
    int col = t->pending ? wrap_col(t) : t->last_char ? t->col - 1 : -1;
    int insert = (t->modes & VT_M_INSERT) != 0;
    const char *shift = "";
    int own = 0; /* whether the cell's style differs from the pen */
    uint8_t byte = 0; /* that prints the cell, if its UTF-8 would not */
    if (col >= 0) {
        own = !vt_same_run(take_cell(t, l, r, &col), &pen);
        /* A character that the charset in use cannot print came through a single shift, and needs one again. */
        uint8_t set = vt_set(t, t->gl & 3), text = l->a.text[0];
        if (vt_takes_bytes(t)) {
            byte = byte_of(t, t->last_char, &shift);
            own |= !byte;
        } else if (text >= 0x20 && text < 0x7F && vt_translate(set, text) != text) {
            shift = vt_translate(vt_set(t, 2), text) == text   ? "\x1bN"
                    : vt_translate(vt_set(t, 3), text) == text ? "\x1bO"
                                                                 : "";
            own |= !*shift;
        }
        if (!t->pending && (own || col + l->a.cols != t->col || (insert && (col < t->left || col > t->right))))
            col = -1;
    }
    int early = t->pending && (own || !t->last_char || wraps_elsewhere(t));

    if (t->modes & VT_M_ORIGIN)
        vt_put_string(w->out, "\x1b[?6h");
    int left = t->modes & VT_M_ORIGIN ? t->left : 0;
    int row = vt_max(t->row + 1 - (t->modes & VT_M_ORIGIN ? t->top : 0), 1);
    uint8_t text[VT_CELL_TEXT + 4];
    size_t text_n = 0;
    int clusters = (t->modes & VT_M_GRAPHEMES) != 0;
    if (col >= 0) {
        text_n = cell_text(&l->a.runs[0], text);
        if (early)
            vt_paint_run_pen(w, &l->a.runs[0]);
    }
    if (wraps_elsewhere(t))
        vt_paint_csi(w, "", row, vt_max(t->col + 1 - left, 1), "H\x1bH");
    vt_paint_csi(w, "", row, vt_max((col >= 0 ? col : t->col) + 1 - left, 1), "H");
    if (early) {
        vt_paint_text(w, text, text + text_n, clusters);
        if (wraps_elsewhere(t)) {
            put_tab_back(w, t, wrap_col(t), t->col);
            drop_stop(w, t, t->col);
        }
    }
    vt_paint_run_pen(w, &pen);
    if (t->guarded)
        vt_put_string(w->out, t->protect ? "\x1bV" : "\x1bV\x1bW");
    /* A cell printed only for its pending wrap must be followed by a sequence, or REP would repeat the cell. */
    if (early || !(t->modes & VT_M_WRAP))
        vt_put_string(w->out, t->modes & VT_M_WRAP ? "\x1b[?7h" : "\x1b[?7l");
    if (insert)
        vt_put_string(w->out, "\x1b[4h");
    put_charsets(w, t->charsets, t->gl, t->gr, 0);
    vt_put_string(w->out, t->modes & VT_M_NATIONAL ? "\x1b[?42h" : "\x1b[?42l");
    if (col >= 0 && !early) {
        if (insert && !t->pending) { /* its first code point will be inserted: delete as much first */
            uint32_t first;
            vt_utf8_next(text, text + text_n, &first);
            vt_paint_csi(w, "", first < 0x80 || text[text_n - 1] == VT_NARROW ? 1 : clusters ? vt_max(vt_width(first), 1) : l->a.cols, -1, "P");
        }
        vt_put_string(w->out, shift);
        if (byte)
            vt_put_byte(w->out, byte);
        else
            vt_paint_text(w, text, text + text_n, clusters);
    }
    if (t->single_shift)
        vt_put_string(w->out, t->single_shift == VT_SHIFT_NARROW ? VT_NEXT_IS_NARROW
                              : t->single_shift == 2             ? "\x1bN"
                                                                 : "\x1bO");
}

static void put_pictures(vt_painter *w, const vt *t) { vt_put_pictures(t, w->out); }

/* State that is not of one row, of the shown screen or of both. The tab stops are first: a saved cursor may need them. */
static void (*const settings[VT_SETTINGS])(vt_painter *, const vt *) = {
    put_tabs, put_shown_saved, put_shown_kitty, put_palette, put_titles, put_pictures,
};

/* `differs`: the reader is a viewer that cannot do what is set now. It gets damage next, so only the cursor can be seen. */
static void put_redraw(const vt *t, vt_buf *out, uint32_t scrollback_lines, int differs)
{
    vt_line_pair l;
    if (vt_line_pair_init(&l, t)) {
        vt_line_pair_free(&l);
        out->failed = 1;
        return;
    }
    uint32_t before = scrollback_lines < t->scrollback.count ? scrollback_lines : (uint32_t)t->scrollback.count;
    vt_painter w = {.out = out, .cols = t->cols, .protecting = 1, .skipping = 1, .pair = &l};

    /* Nothing may change printing from here on. The space below uses up a single shift, and is erased. */
    vt_put_string(out, "\x18\x1b[6");
    vt_put_number(out, t->level);
    vt_put_string(out, ";1\"p\x1b[!p\x1b[0m\x1b[0\"q\x1b]8;;\x1b\\");
    vt_put_string(out, "\x1b[?42l\x1b[?2026l\x1b[?1047l\x1b[?69l\x1b[r\x1b[?6l\x1b[?7h\x1b[?2027h\x1b[4l\x1b[20l");
    put_charsets(&w, ascii, 0, 2, 1);
    int on_alt = t->s == &t->alt;
    if (!on_alt)
        vt_put_string(out, "\x1b[?1047h");
    vt_put_string(out, "\x1b[H \x1b[2J\r");
    /* Tab stops while no row is double, which would stop the cursor in its middle, and before a saved cursor, which may
       need them. xterm.js has one set for each screen. */
    const size_t tabs = out->n;
    put_tabs(&w, t);
    const size_t tabs_n = out->n - tabs;
    if (!on_alt) {
        if (!vt_screen_blank(t, &t->alt))
            vt_paint_screen(&w, t, &t->alt, &l, 0);
        vt_paint_plain(&w);
        put_kitty(&w, &t->alt);
        put_pointers(&w, &t->alt);
        put_saved(&w, t, &t->alt, &l, "\x1b" "7");
        vt_paint_plain(&w);
        if (t->saved_modes & VT_M_ALTERNATE)
            vt_put_string(out, "\x1b[?1047s");
        vt_put_string(out, "\x1b[?47l\x1b[H \x1b[2J\r");
        put_again(out, tabs, tabs_n);
    }
    if (scrollback_lines)
        vt_put_string(out, "\x1b[3J");
    vt_paint_screen(&w, t, &t->main, &l, before);
    vt_paint_plain(&w);
    if (on_alt) {
        put_kitty(&w, &t->main);
        put_pointers(&w, &t->main);
        put_saved(&w, t, &t->main, &l, "\x1b[?1049h");
        vt_paint_plain(&w);
        vt_put_string(out, "\x1b[H\x1b[2J");
        put_again(out, tabs, tabs_n);
        vt_paint_screen(&w, t, &t->alt, &l, 0);
        vt_paint_plain(&w);
        if (t->saved_modes & VT_M_ALTERNATE)
            vt_put_string(out, "\x1b[?1047s");
    }
    for (int i = 1; i < VT_SETTINGS; i++) /* all but the tab stops */
        settings[i](&w, t);
    put_pointers(&w, t->s);
    put_attribute_colours(&w, t);
    put_pens(&w, t);
    vt_paint_plain(&w);
    put_progress(&w, t);
    put_saved_modes(&w, t);
    if (t->checksum)
        vt_paint_csi(&w, "", t->checksum, -1, "#y");
    if (t->extent)
        vt_paint_csi(&w, "", t->extent, -1, "*x");
    if (!differs) {
        if (t->modes & VT_M_MARGINS)
            vt_put_string(out, "\x1b[?69h");
        put_margins(&w, t, t->top, t->bottom, t->left, t->right);
    }
    put_modes(&w, t);
    if (t->eight_bit)
        vt_put_string(out, "\x1b G");
    if (differs) {
        vt_paint_csi(&w, "", t->row + 1, t->col + 1, "H");
    } else {
        put_cursor(&w, t, &l);
        vt_partial(t, out);
    }
    vt_line_pair_free(&l);
}

void vt_redraw(const vt *t, vt_buf *out, uint32_t scrollback_lines) { put_redraw(t, out, scrollback_lines, 0); }

/* ---- damage ---- */

#define DAMAGE_LINES 256 /* lines that have scrolled off and are printed: with more, a redraw takes less */

/* Note which settings have changed, by what a redraw writes for them. */
static void mark_settings(vt *t, vt_buf *out)
{
    vt_painter w = {.out = out, .cols = t->cols, .protecting = 1, .skipping = 1};
    size_t n = out->n;
    for (int i = 0; i < VT_SETTINGS; i++) {
        settings[i](&w, t);
        if (!out->failed)
            vt_viewer_mark(&t->shadow.settings[i], vt_viewer_hash(out->data + n, out->n - n), vt_shown(t));
        out->n = n;
    }
}

/* Nothing may change printing from here on, and an unfinished sequence ends. */
static void put_neutral(vt_painter *w)
{
    vt_put_string(w->out, "\x18\x1b[0m\x1b[0\"q\x1b]8;;\x1b\\");
    vt_put_string(w->out, "\x1b[>N\x1b[?42l\x1b[?69l\x1b[r\x1b[?6l\x1b[?7h\x1b[?2027h\x1b[4l\x1b[20l");
    put_charsets(w, ascii, 0, 2, 1);
}

/* The viewer will show the present state. The buffer is for work, and unchanged. */
static void move_viewer(vt *t, vt_buf *out, vt_viewer *v)
{
    if (t->shadow.rows)
        mark_settings(t, out);
    vt_viewer_sync(t);
    vt_viewer_now(t, v);
}

void vt_viewer_redraw(vt *t, vt_buf *out, uint32_t scrollback_lines, vt_viewer *v)
{
    move_viewer(t, out, v);
    v->offset = t->offset;
    v->raw = t->shadow.differs; /* `s` for margins may have saved the cursor: all settings are written again */
    put_redraw(t, out, scrollback_lines, t->shadow.differs);
}

/* Make rows [row, end) blank, and go to the first. `joined`: it continues the line above, as EL would make it forget.
   `since`: the viewer's offset. */
static void blank_rows(vt_painter *w, const vt *t, int row, int end, int joined, uint64_t since)
{
    vt_paint_plain(w);
    if (end == t->rows && end - row > 2) {
        vt_paint_csi(w, "", row + 2, -1, "H");
        vt_put_string(w->out, "\x1b[J");
        end = row + 1;
    }
    while (end-- > row) {
        vt_paint_csi(w, "", end + 1, -1, t->shadow.rows[end].doubled >= since ? "H\x1b#5" : "H");
        if (end == row && joined)
            vt_paint_csi(w, "", t->cols, -1, "X");
        else
            vt_put_string(w->out, "\x1b[2K");
    }
}

static int is_wrapped(const vt *t, vt_line_pair *l, int64_t number)
{
    vt_scrollback_reader reader = {0};
    return t->s == &t->main && vt_line_at(t, &l->a, &reader, number) && l->a.wrapped;
}

/* Write the lines that have rows with changes. The rows of a wrapped line are written together. */
static void put_changed_rows(vt_painter *w, const vt *t, vt_line_pair *l, uint64_t since)
{
    vt_row **rows = t->s->rows;
    for (int row = 0, end; row < t->rows; row = end) {
        int changed = t->shadow.rows[row].changed > since;
        for (end = row + 1; end < t->rows && rows[end - 1]->wrapped; end++)
            changed |= t->shadow.rows[end].changed > since;
        if (!changed)
            continue;
        blank_rows(w, t, row, end, !row && is_wrapped(t, l, vt_top(t) - 1), since);
        vt_paint_rows(w, t, t->s, l, 0, row, end - row);
        if (end < t->rows)
            vt_put_string(w->out, "\n"); /* the next row does not continue this line */
    }
    vt_paint_plain(w);
}

static void put_changed_modes(vt_painter *w, const vt *t, const vt_viewer *v)
{
    uint64_t changed = (v->modes ^ t->modes) | (~t->modes & VT_M_GRAPHEMES); /* put_neutral() has set that one */
    if (v->shape != t->shape) {
        vt_paint_csi(w, "", t->shape, -1, " q");
        changed |= VT_M_BLINK;
    }
    if (changed & VT_MOUSE_ENCODING)
        changed |= VT_MOUSE_ENCODING; /* xterm.js may have SGR where the engine has not */
    put_dec_modes(w, changed & ~t->modes, 'l');
    put_modes_on(w, changed & t->modes);
    if (changed & VT_M_APP_KEYPAD)
        vt_put_string(w->out, t->modes & VT_M_APP_KEYPAD ? "\x1b=" : "\x1b>");
    if (t->modes & VT_M_NEWLINE)
        vt_put_string(w->out, "\x1b[20h");
    if (v->modify_other_keys != t->modify_other_keys)
        put_modify_other_keys(w, t);
}

int vt_damage(vt *t, vt_buf *out, vt_viewer *v)
{
    const vt_viewer was = *v;
    move_viewer(t, out, v);
    int64_t scrolled = v->top - (was.top > vt_oldest(t) ? was.top : vt_oldest(t));
    vt_line_pair l;
    if (!t->shadow.rows || was.offset < t->shadow.since || was.screens != v->screens || scrolled > DAMAGE_LINES)
        return 0;
    int with_tabs = was.raw || t->shadow.settings[0].changed > was.offset;
    if (with_tabs && single_row(t) < 0)
        return 0;
    if (vt_line_pair_init(&l, t)) {
        vt_line_pair_free(&l);
        return 0;
    }
    vt_painter w = {.out = out, .cols = t->cols, .protecting = 1, .skipping = 1, .pair = &l};
    put_neutral(&w);
    if (was.bells != v->bells)
        vt_put_byte(out, '\a');
    if (was.clears != v->clears)
        vt_put_string(out, "\x1b[3J");
    if (scrolled > 0) {
        blank_rows(&w, t, 0, t->rows, is_wrapped(t, &l, v->top - scrolled - 1), was.offset);
        vt_paint_rows(&w, t, t->s, &l, (uint32_t)scrolled, 0, t->rows);
        vt_paint_plain(&w);
    } else {
        put_changed_rows(&w, t, &l, was.offset);
    }
    if (with_tabs)
        vt_paint_csi(&w, "", single_row(t) + 1, -1, "H");
    for (int i = 0; i < VT_SETTINGS; i++)
        if (was.raw || t->shadow.settings[i].changed > was.offset)
            settings[i](&w, t);
    put_changed_modes(&w, t, &was);
    if (t->shadow.differs) {
        vt_paint_csi(&w, "", t->row + 1, t->col + 1, "H");
    } else {
        if (t->modes & VT_M_MARGINS)
            vt_put_string(out, "\x1b[?69h");
        put_margins(&w, t, t->top, t->bottom, t->left, t->right);
        put_cursor(&w, t, &l);
        vt_partial(t, out);
        if (!out->failed)
            out->n -= t->parser.utf8_n; /* vt_shown() */
    }
    vt_line_pair_free(&l);
    return 1;
}
