/* The redraw: the terminal as bytes that bring any other terminal of its size to the same state.

   docs/terminal.md has the order and the reasons. Rows are written while nothing is set that changes where text goes
   (margins, origin, insert mode, charsets); the program's settings follow. The reader is the terminal that gets the
   bytes. */
#include "vt_paint.h"

#include <string.h>

#define KITTY_POP "\x1b[<99u\x1b[=0u"

static void put_charsets(vt_painter *w, const uint8_t *charsets, int gl, int all)
{
    for (int i = 0; i < 4; i++)
        if (all || charsets[i] != 'B') {
            char s[4] = {0x1B, "()*+"[i], (char)charsets[i], 0};
            vt_put_string(w->out, s);
        }
    static const char *const shifts[4] = {"\x0f", "\x0e", "\x1bn", "\x1bo"};
    if (all || gl)
        vt_put_string(w->out, shifts[gl & 3]);
}

static const uint8_t ascii[4] = {'B', 'B', 'B', 'B'};

/* Make the reader save what the screen has saved, with `save` (ESC 7, or 1049 on); then back to neutral modes and
   charsets. */
static void put_saved(vt_painter *w, const vt_saved *s, const char *save)
{
    if (s->origin)
        vt_put_string(w->out, "\x1b[?6h");
    vt_paint_pen(w, &s->pen, s->protect);
    vt_paint_csi(w, "", s->row + 1, s->col + 1, "H");
    put_charsets(w, s->charsets, s->gl, 0);
    vt_put_string(w->out, save);
    if (s->gl || memcmp(s->charsets, ascii, 4))
        put_charsets(w, ascii, 0, 1);
    if (s->origin)
        vt_put_string(w->out, "\x1b[?6l");
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
    vt_put_string(w->out, "\x1b]22;>");
    for (int i = 0; i < VT_POINTERS; i++) {
        if (i)
            vt_put_byte(w->out, ',');
        if (s->pointers[i])
            vt_put_string(w->out, s->pointers[i]);
    }
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

static void put_margins(vt_painter *w, const vt *t, int top, int bottom, int left, int right)
{
    if (top || bottom != t->rows - 1)
        vt_paint_csi(w, "", top + 1, bottom + 1, "r");
    if (left || right != t->cols - 1) /* margins exist only with DECLRMM on; else `s` would save the cursor */
        vt_paint_csi(w, "", left + 1, right + 1, "s");
}

static void put_tabs(vt_painter *w, const vt *t)
{
    vt_put_string(w->out, "\x1b[3g\r");
    int at = 0;
    for (int i = 0; i < t->cols; i++)
        if (t->tabs[i / 8] >> i % 8 & 1) {
            if (i > at)
                vt_paint_csi(w, "", i - at, -1, "C");
            vt_put_string(w->out, "\x1bH");
            at = i;
        }
}

static void put_osc(vt_painter *w, const char *number, const uint8_t *text, size_t n)
{
    vt_put_string(w->out, "\x1b]");
    vt_put_string(w->out, number);
    vt_put(w->out, text, n);
    vt_put_string(w->out, "\x1b\\");
}

static void put_titles(vt_painter *w, const vt *t)
{
    for (int i = 0; i < VT_TITLES; i++) /* titles that the reader may have pushed */
        vt_put_string(w->out, "\x1b[23;2t");
    size_t at = 0;
    for (int i = 0; i < t->titles_n && at + 2 <= t->titles.n; i++) {
        size_t n = t->titles.data[at] | (size_t)t->titles.data[at + 1] << 8;
        put_osc(w, "2;", t->titles.data + at + 2, n);
        vt_put_string(w->out, "\x1b[22;2t");
        at += 2 + n;
    }
    put_osc(w, "2;", t->title, t->title_n);
    put_osc(w, "7;", t->cwd, t->cwd_n);
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

static void put_palette(vt_painter *w, const vt *t)
{
    vt_put_string(w->out, "\x1b]104\x1b\\\x1b]110\x1b\\\x1b]111\x1b\\\x1b]112\x1b\\");
    for (unsigned i = 0; t->palette && i < VT_COLOURS; i++) {
        if (!t->palette[i])
            continue;
        uint8_t *p = vt_room(w->out, 32), *begin = p;
        if (!p)
            return;
        p = vt_write_string(p, "\x1b]");
        if (i < 256) {
            p = vt_write_string(p, "4;");
            p = vt_write_number(p, i);
        } else {
            p = vt_write_number(p, 10 + i - 256);
        }
        *p++ = ';';
        p = put_rgb(p, t->palette[i]);
        p = vt_write_string(p, "\x1b\\");
        w->out->n += (size_t)(p - begin);
    }
}

/* Modes that move the cursor, change printing, or have a sequence of their own. The others can be set together. */
#define SET_APART (VT_M_ORIGIN | VT_M_WRAP | VT_M_MARGINS | VT_M_APP_KEYPAD)

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

static void put_modes(vt_painter *w, const vt *t)
{
    vt_paint_csi(w, "", t->shape, -1, " q"); /* before mode 12, which it may change */
    put_dec_modes(w, ~t->modes | VT_MOUSE_TRACKING | VT_MOUSE_ENCODING, 'l'); /* at most one of each is on */
    put_dec_modes(w, t->modes, 'h');
    vt_put_string(w->out, t->modes & VT_M_APP_KEYPAD ? "\x1b=" : "\x1b>");
    vt_put_string(w->out, t->modes & VT_M_NEWLINE ? "\x1b[20h" : "\x1b[20l");
}

/* Whether columns [0, col] look erased: never written, with one background. */
static int all_blank(const vt_row *r, int col)
{
    vt_cell first = vt_at(r, 0);
    if (VT_CODE(first) || first & VT_CLUSTER || first & VT_PROTECTED || VT_WIDTH(first) != 1)
        return 0;
    for (int i = 1; i <= col && i < r->len + 1; i++)
        if (vt_at(r, i) != first)
            return 0;
    return 1;
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
    int col = t->pending ? t->col : t->last_char ? t->col - 1 : -1;
    if (col > 0 && !VT_WIDTH(vt_at(r, col)))
        col--;
    int insert = (t->modes & VT_M_INSERT) != 0;
    const char *shift = "";
    int own = 0; /* whether the cell's style differs from the pen */
    if (col >= 0) {
        vt_row *one = (vt_row *)l->b.text; /* used as memory for a row of one cell */
        vt_cell c = vt_at(r, col);
        one->len = 1;
        one->wrapped = 0;
        one->tail = VT_BLANK;
        one->cells[0] = c;
        vt_line_row(t, &l->a, one, 1);
        own = !vt_same_run(&l->a.runs[0], &pen);
        /* A character that the charset in use cannot print came through a single shift, and needs one again. */
        uint8_t set = t->charsets[t->gl & 3], text = l->a.text[0];
        if ((set == '0' && text >= 0x60 && text < 0x7F) || (set == 'A' && text == '#')) {
            shift = t->charsets[2] == 'B' ? "\x1bN" : t->charsets[3] == 'B' ? "\x1bO" : "";
            own |= !*shift;
        }
        if (!t->pending && (own || col + l->a.cols != t->col || (insert && (col < t->left || col > t->right))))
            col = -1;
    }
    int early = t->pending && (own || !t->last_char);

    if (t->modes & VT_M_ORIGIN)
        vt_put_string(w->out, "\x1b[?6h");
    int row = t->row + 1, to = (col >= 0 ? col : t->col) + 1;
    if (t->modes & VT_M_ORIGIN) {
        row -= t->top;
        to -= t->left;
    }
    uint8_t text[40];
    size_t text_n = 0;
    if (col >= 0) {
        vt_run *cell = &l->a.runs[0];
        for (uint32_t i = 0; i < cell->n && i < sizeof text; i++)
            text[text_n++] = cell->text[i] ? cell->text[i] : ' ';
        if (early)
            vt_paint_run_pen(w, cell);
    }
    vt_paint_csi(w, "", row > 0 ? row : 1, to > 0 ? to : 1, "H");
    if (early) {
        vt_put(w->out, text, text_n);
        if (all_blank(r, col)) /* the wrap stays pending, and the row is blank again */
            vt_put_string(w->out, "\x1b[1K");
    }
    vt_paint_run_pen(w, &pen);
    /* A cell printed only for its pending wrap must be followed by a sequence, or REP would repeat the cell. */
    if (early || !(t->modes & VT_M_WRAP))
        vt_put_string(w->out, t->modes & VT_M_WRAP ? "\x1b[?7h" : "\x1b[?7l");
    if (insert)
        vt_put_string(w->out, "\x1b[4h");
    put_charsets(w, t->charsets, t->gl, 0);
    if (col >= 0 && !early) {
        if (insert && !t->pending) /* it will be inserted: delete it first */
            vt_paint_csi(w, "", l->a.cols, -1, "P");
        vt_put_string(w->out, shift);
        vt_put(w->out, text, text_n);
    }
    if (t->single_shift)
        vt_put_string(w->out, t->single_shift == 2 ? "\x1bN" : "\x1bO");
}

void vt_redraw(const vt *t, vt_buf *out, uint32_t scrollback_lines)
{
    vt_line_pair l;
    if (vt_line_pair_init(&l, t)) {
        vt_line_pair_free(&l);
        out->failed = 1;
        return;
    }
    uint32_t before = scrollback_lines < t->scrollback.count ? scrollback_lines : (uint32_t)t->scrollback.count;
    vt_painter w = {.out = out, .cols = t->cols, .protecting = 1, .skipping = 1};

    /* Nothing may change printing from here on. The space below uses up a single shift, and is erased. */
    vt_put_string(out, "\x18\x1b[!p\x1b[0m\x1b[0\"q\x1b]8;;\x1b\\");
    vt_put_string(out, "\x1b[?2026l\x1b[?1047l\x1b[?69l\x1b[r\x1b[?6l\x1b[?7h\x1b[4l\x1b[20l");
    put_charsets(&w, ascii, 0, 1);
    int on_alt = t->s == &t->alt;
    if (!on_alt) {
        /* The alternate screen keeps these while it is hidden, but not its rows. */
        vt_put_string(out, "\x1b[?1047h");
        put_kitty(&w, &t->alt);
        put_pointers(&w, &t->alt);
        put_saved(&w, &t->alt.saved, "\x1b" "7");
        vt_paint_plain(&w);
        vt_put_string(out, "\x1b[?1047l");
    }
    vt_put_string(out, "\x1b[H \x1b[2J\r");
    if (scrollback_lines)
        vt_put_string(out, "\x1b[3J");
    vt_paint_screen(&w, t, &t->main, &l, before);
    vt_paint_plain(&w);
    put_kitty(&w, &t->main);
    put_pointers(&w, &t->main);
    if (on_alt) {
        const vt_screen *m = &t->main;
        if (m->top || m->bottom != t->rows - 1 || m->left || m->right != t->cols - 1) {
            /* 1049 would save the cursor too, but the saved one may be outside of these margins. */
            put_saved(&w, &m->saved, "\x1b" "7");
            vt_put_string(out, "\x1b[?69h");
            put_margins(&w, t, m->top, m->bottom, m->left, m->right);
            vt_put_string(out, "\x1b[?1047h\x1b[?69l");
        } else {
            put_saved(&w, &m->saved, "\x1b[?1049h");
        }
        vt_paint_plain(&w);
        vt_put_string(out, "\x1b[H\x1b[2J");
        vt_paint_screen(&w, t, &t->alt, &l, 0);
        vt_paint_plain(&w);
        put_kitty(&w, &t->alt);
        put_pointers(&w, &t->alt);
    }
    put_saved(&w, &t->s->saved, "\x1b" "7");
    vt_paint_plain(&w);
    put_tabs(&w, t);
    put_palette(&w, t);
    put_titles(&w, t);
    put_progress(&w, t);
    if (t->modes & VT_M_MARGINS)
        vt_put_string(out, "\x1b[?69h");
    put_margins(&w, t, t->top, t->bottom, t->left, t->right);
    put_modes(&w, t);
    put_cursor(&w, t, &l);
    vt_partial(t, out);
    vt_line_pair_free(&l);
}
