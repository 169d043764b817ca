/* The screen: its rows, the cursor, and what control functions do to them.

   Erasing what reaches a row's end moves `len` and sets `tail`, so that a whole row is erased in two stores whatever
   its background; a scroll moves row pointers. A row's `wrapped` says that its line goes on in the next row, so what
   touches a row's beginning has the row above to think of. Each function takes the cells or rows it touches off `work`.
   */
#include "vt_state.h"

#include <stdlib.h>
#include <string.h>

#define STEP_WORK 8      /* cells' worth of a sequence that touches next to none */
#define SPARE_SCREENS 4  /* screens of row pointers: a full-screen scroll moves them once in so many screens less one */
#define DEFAULT_MODES (VT_M_WRAP | VT_M_CURSOR)
#define MOUSE_TRACKING (VT_M_MOUSE_X10 | VT_M_MOUSE | VT_M_MOUSE_DRAG | VT_M_MOUSE_ANY)
#define MOUSE_ENCODING (VT_M_MOUSE_UTF8 | VT_M_MOUSE_SGR | VT_M_MOUSE_URXVT | VT_M_MOUSE_PIXELS)
#define SOFT_RESET_MODES                                                                                   \
    (VT_M_APP_CURSOR | VT_M_ORIGIN | VT_M_MARGINS | VT_M_FOCUS | VT_M_PASTE | VT_M_SYNC | VT_M_APP_KEYPAD   \
     | VT_M_INSERT | VT_M_REVERSE_WRAP)

static inline int min(int a, int b) { return a < b ? a : b; }
static inline int max(int a, int b) { return a > b ? a : b; }
static inline vt_row *line(const vt *t) { return t->s->rows[t->row]; }
static inline int whole_width(const vt *t) { return t->left == 0 && t->right == t->cols - 1; }
static inline int between_margins(const vt *t) { return t->col >= t->left && t->col <= t->right; }
static inline int in_region(const vt *t) { return t->row >= t->top && t->row <= t->bottom && between_margins(t); }

static void set_modes(vt *t, uint32_t modes)
{
    if (t->modes != modes)
        t->events |= VT_MODES;
    t->modes = modes;
}

/* ---- rows ---- */

vt_row *vt_row_new(vt *t)
{
    vt_row *r = malloc(sizeof *r + (size_t)(t->cols + VT_PAD) * sizeof *r->cells);
    if (r)
        vt_row_clear(r, VT_BLANK);
    return r;
}

void vt_row_clear(vt_row *r, vt_cell tail)
{
    r->len = 0;
    r->wrapped = 0;
    r->tail = tail;
}

/* What is erased gets the pen's background, and nothing else of it. */
static vt_cell erased(vt *t)
{
    if (t->erase_bg != t->pen.bg) {
        const vt_style style = {.bg = t->pen.bg};
        t->erase_cell = VT_BLANK | VT_STYLE_BITS(vt_style_id(t, &style));
        t->erase_bg = t->pen.bg;
    }
    return t->erase_cell;
}

/* Cut between `col` - 1 and `col`: a wide character that stands across it becomes two blanks. */
static void cut(vt_row *r, int col, vt_cell fill)
{
    if (col > 0 && col < r->len && !VT_WIDTH(r->cells[col]))
        r->cells[col - 1] = r->cells[col] = fill;
}

static void erase(const vt *t, vt_row *r, int from, int to, vt_cell fill)
{
    if (from >= to)
        return;
    cut(r, from, fill);
    cut(r, to, fill);
    if (to < r->len || (to < t->cols && fill != r->tail)) {
        vt_row_widen(r, to);
        for (int col = from; col < to; col++)
            r->cells[col] = fill;
        return;
    }
    if (fill != r->tail)
        vt_row_widen(r, from);
    r->len = (uint16_t)min(r->len, from);
    if (to == t->cols)
        r->tail = fill;
}

/* Whether something is protected there; `*narrow`: whether no wide character is there or reaches into it. */
static int is_protected(const vt_row *r, int from, int to, int *narrow)
{
    vt_cell any = r->tail, all = VT_WIDTH_BITS(1);
    for (int col = from, end = min(to, r->len); col < end; col++) {
        any |= r->cells[col];
        all &= r->cells[col];
    }
    *narrow = all && (to >= r->len || VT_WIDTH(r->cells[to]));
    return !!(any & VT_PROTECTED);
}

/* The same, but for what DECSCA protects. */
static void erase_selectively(vt *t, vt_row *r, int from, int to, vt_cell fill)
{
    if (from >= to)
        return;
    t->work -= min(r->len, to - from) / 4;
    int narrow;
    if (!is_protected(r, from, to, &narrow)) {
        erase(t, r, from, to, fill);
        return;
    }
    if (fill != r->tail)
        vt_row_widen(r, to);
    if (narrow)
        for (int col = from, end = min(to, r->len); col < end; col++) {
            vt_cell keep = 0 - (r->cells[col] / VT_PROTECTED & 1);
            r->cells[col] = (r->cells[col] & keep) | (fill & ~keep);
        }
    for (int col = from, end = narrow ? 0 : min(to, r->len); col < end; col++) {
        if (r->cells[col] == fill || r->cells[col] & VT_PROTECTED)
            continue;
        cut(r, col, fill);
        cut(r, col + 1, fill);
        r->cells[col] = fill;
    }
    if (to == t->cols)
        r->tail = fill;
    t->work -= (to - from) / 2;
}

void vt_row_insert(vt *t, vt_row *r, int col, int end, int n, vt_cell fill)
{
    n = min(n, end - col);
    if (col >= r->len && fill == r->tail)
        return;
    if (end < t->cols)
        vt_row_widen(r, end);
    cut(r, col, fill);
    cut(r, end, fill);
    cut(r, end - n, fill);
    vt_row_widen(r, col);
    int stop = min(r->len, end); /* what is moved ends here */
    int len = end < t->cols ? r->len : min(t->cols, r->len + n);
    int moved = min(stop, end - n) - col;
    if (moved > 0)
        memmove(r->cells + col + n, r->cells + col, (size_t)moved * sizeof *r->cells);
    for (int i = col; i < col + n; i++)
        r->cells[i] = fill;
    r->len = (uint16_t)len;
    t->work -= len - col;
}

static void row_delete(vt *t, vt_row *r, int col, int end, int n, vt_cell fill)
{
    n = min(n, end - col);
    if (end < t->cols || fill != r->tail)
        vt_row_widen(r, end);
    else if (col >= r->len)
        return;
    cut(r, col, fill);
    cut(r, col + n, fill);
    cut(r, end, fill);
    int stop = min(r->len, end);
    int moved = stop - col - n;
    if (moved > 0)
        memmove(r->cells + col, r->cells + col + n, (size_t)moved * sizeof *r->cells);
    t->work -= stop - col;
    if (end == t->cols) {
        r->len = (uint16_t)(col + max(moved, 0));
        r->tail = fill;
        return;
    }
    for (int i = end - n; i < end; i++)
        r->cells[i] = fill;
}

/* The line that ends in the row above `row` does not go on in it. */
static void end_line_above(vt *t, int row)
{
    if (row > 0)
        t->s->rows[row - 1]->wrapped = 0;
    else if (t->s == &t->main)
        vt_history_unwrap(t);
}

/* ---- scrolling ---- */

/* Rows [top, bottom] n up or down, between the left and right margins only. */
static void scroll_box(vt *t, int top, int bottom, int n, int up, vt_cell fill)
{
    int end = t->right + 1;
    for (int row = top; row <= bottom; row++) {
        vt_row_widen(t->s->rows[row], end);
        cut(t->s->rows[row], t->left, fill);
        cut(t->s->rows[row], end, fill);
    }
    size_t bytes = (size_t)(end - t->left) * sizeof(vt_cell);
    for (int i = 0; i <= bottom - top - n; i++) {
        vt_row *to = t->s->rows[up ? top + i : bottom - i];
        const vt_row *from = t->s->rows[up ? top + i + n : bottom - i - n];
        memcpy(to->cells + t->left, from->cells + t->left, bytes);
    }
    for (int i = 0; i < n; i++)
        erase(t, t->s->rows[up ? bottom - i : top + i], t->left, end, fill);
    t->work -= (int64_t)(bottom - top + 1) * (end - t->left);
}

/* Rows [top, bottom] up or down by n; what passes the edge is lost. */
static void scroll_rows(vt *t, int top, int bottom, int n, int up, vt_cell fill)
{
    n = min(n, bottom - top + 1);
    if (!whole_width(t)) {
        scroll_box(t, top, bottom, n, up, fill);
        return;
    }
    vt_row *spare[VT_MAX_ROWS];
    vt_row **rows = t->s->rows + top;
    int kept = bottom - top + 1 - n;
    end_line_above(t, top);
    t->s->rows[bottom]->wrapped = 0;
    memcpy(spare, up ? rows : rows + kept, (size_t)n * sizeof *rows);
    memmove(up ? rows : rows + n, up ? rows + n : rows, (size_t)kept * sizeof *rows);
    memcpy(up ? rows + kept : rows, spare, (size_t)n * sizeof *rows);
    for (int i = 0; i < n; i++)
        vt_row_clear(spare[i], fill);
    t->s->rows[bottom]->wrapped = 0;
    t->work -= STEP_WORK + (bottom - top) / 2 + 2 * n;
}

/* The region one row up because something passes its end. What leaves the main screen's top goes into scrollback, as in
   xterm.js also when the region ends above the screen's end. */
static void scroll_line(vt *t)
{
    vt_cell fill = erased(t);
    if (t->top > 0 || !whole_width(t)) {
        int wrapped = line(t)->wrapped; /* the last row's line may go on in the row that comes */
        scroll_rows(t, t->top, t->bottom, 1, 1, fill);
        if (t->bottom > t->top)
            t->s->rows[t->bottom - 1]->wrapped = (uint8_t)wrapped;
        return;
    }
    vt_screen *s = t->s;
    vt_row *r = s->rows[0];
    t->work -= STEP_WORK;
    if (s == &t->main) {
        vt_history_push(t, r);
        t->work -= STEP_WORK + r->len + (VT_CODE(r->tail) ? t->cols / 2 : 0);
    }
    if (t->bottom == t->rows - 1) {
        if (s->rows + t->rows == s->base + s->base_n) {
            memmove(s->base, s->rows + 1, (size_t)(t->rows - 1) * sizeof *s->rows);
            s->rows = s->base;
        } else {
            s->rows++;
        }
    } else {
        memmove(s->rows, s->rows + 1, (size_t)t->bottom * sizeof *s->rows);
        t->work -= t->bottom / 4;
    }
    s->rows[t->bottom] = r;
    vt_row_clear(r, fill);
}

void vt_scroll_up(vt *t, int n) { scroll_rows(t, t->top, t->bottom, n, 1, erased(t)); }

/* SD brings default blanks, as in xterm.js. */
void vt_scroll_down(vt *t, int n) { scroll_rows(t, t->top, t->bottom, n, 0, VT_BLANK); }

void vt_insert_lines(vt *t, int n)
{
    t->pending = 0;
    if (!in_region(t))
        return;
    scroll_rows(t, t->row, t->bottom, n, 0, erased(t));
    t->col = t->left;
}

void vt_delete_lines(vt *t, int n)
{
    t->pending = 0;
    if (!in_region(t))
        return;
    scroll_rows(t, t->row, t->bottom, n, 1, erased(t));
    t->col = t->left;
}

/* ---- the cursor ---- */

void vt_carriage_return(vt *t)
{
    t->col = t->col >= t->left || t->modes & VT_M_ORIGIN ? t->left : 0;
    t->pending = 0;
}

void vt_down(vt *t)
{
    if (t->row == t->bottom) {
        if (between_margins(t))
            scroll_line(t);
    } else if (t->row < t->rows - 1) {
        t->row++;
    }
}

void vt_line_feed(vt *t)
{
    line(t)->wrapped = 0;
    if (t->modes & VT_M_NEWLINE)
        vt_carriage_return(t);
    vt_down(t);
    t->pending = 0;
}

void vt_new_line(vt *t)
{
    vt_carriage_return(t);
    vt_line_feed(t);
}

void vt_index(vt *t)
{
    if (t->row == t->bottom)
        line(t)->wrapped = 0;
    vt_down(t);
    t->pending = 0;
}

void vt_reverse_index(vt *t)
{
    t->pending = 0;
    if (t->row != t->top)
        t->row = max(t->row - 1, 0);
    else if (between_margins(t))
        scroll_rows(t, t->top, t->bottom, 1, 0, erased(t));
}

void vt_next_line(vt *t)
{
    vt_carriage_return(t);
    vt_index(t);
}

/* Reverse wrap (?45): from a row's beginning back to the end of the row that it continues. */
static void wrap_back(vt *t)
{
    vt_row *above = t->row > t->top && t->row <= t->bottom ? t->s->rows[t->row - 1] : NULL;
    if (!above || !above->wrapped)
        return;
    above->wrapped = 0;
    t->row--;
    t->col = t->right;
    if (!VT_CODE(vt_at(above, t->col)) && VT_WIDTH(vt_at(above, t->col))) /* a wide character did not fit there */
        t->col--;
}

void vt_backspace(vt *t)
{
    int edge = t->col >= t->left ? t->left : 0;
    if (t->pending && t->modes & VT_M_REVERSE_WRAP)
        t->pending = 0;
    else if (t->col > edge)
        t->col--;
    else if (t->modes & VT_M_REVERSE_WRAP)
        wrap_back(t);
    t->pending = 0;
}

static int is_tab(const vt *t, int col) { return t->tabs[col >> 3] >> (col & 7) & 1; }

/* A tab out of a pending wrap goes nowhere. */
void vt_tab(vt *t, int n)
{
    int edge = t->col <= t->right ? t->right : t->cols - 1, from = t->col;
    while (!t->pending && n-- > 0 && t->col < edge)
        while (++t->col < edge && !is_tab(t, t->col))
            ;
    t->work -= t->col - from;
}

void vt_back_tab(vt *t, int n)
{
    int edge = t->modes & VT_M_ORIGIN ? t->left : 0, from = t->col;
    while (!t->pending && n-- > 0 && t->col > edge)
        while (--t->col > edge && !is_tab(t, t->col))
            ;
    t->work -= from - t->col;
}

void vt_tab_set(vt *t)
{
    if (!t->pending)
        t->tabs[t->col >> 3] |= (uint8_t)(1 << (t->col & 7));
}

void vt_tab_clear(vt *t, int what)
{
    if (what == 0 && !t->pending)
        t->tabs[t->col >> 3] &= (uint8_t) ~(1 << (t->col & 7));
    else if (what == 3)
        memset(t->tabs, 0, sizeof t->tabs);
}

static int clamp(int at, int low, int high) { return max(low, min(at, high)); }

static void go(vt *t, int row, int col)
{
    int origin = !!(t->modes & VT_M_ORIGIN);
    t->row = clamp(row, origin ? t->top : 0, origin ? t->bottom : t->rows - 1);
    t->col = clamp(col, origin ? t->left : 0, origin ? t->right : t->cols - 1);
    t->pending = 0;
}

static int origin_row(const vt *t) { return t->modes & VT_M_ORIGIN ? t->top : 0; }
static int origin_col(const vt *t) { return t->modes & VT_M_ORIGIN ? t->left : 0; }

void vt_move_to(vt *t, int row, int col) { go(t, origin_row(t) + row, origin_col(t) + col); }
void vt_move_row(vt *t, int row) { go(t, origin_row(t) + row, t->col); }
void vt_move_col(vt *t, int col) { go(t, t->row, origin_col(t) + col); }
void vt_move_by(vt *t, int rows, int cols) { go(t, t->row + rows, t->col + cols); }
void vt_move_up(vt *t, int n) { go(t, max(t->row - n, t->row >= t->top ? t->top : 0), t->col); }
void vt_move_down(vt *t, int n) { go(t, min(t->row + n, t->row <= t->bottom ? t->bottom : t->rows - 1), t->col); }
void vt_move_forward(vt *t, int n) { go(t, t->row, min(t->col + n, t->col <= t->right ? t->right : t->cols - 1)); }
void vt_move_back(vt *t, int n) { go(t, t->row, max(t->col - n, t->col >= t->left ? t->left : 0)); }

void vt_set_region(vt *t, int top, int bottom)
{
    top = max(top, 1);
    if (bottom < 1 || bottom > t->rows)
        bottom = t->rows;
    if (top >= bottom)
        return;
    t->top = top - 1;
    t->bottom = bottom - 1;
    vt_move_to(t, 0, 0);
}

void vt_set_margins(vt *t, int left, int right)
{
    left = max(left, 1);
    if (right < 1 || right > t->cols)
        right = t->cols;
    if (left >= right)
        return;
    t->left = left - 1;
    t->right = right - 1;
    vt_move_to(t, 0, 0);
}

/* ---- erasing and editing ---- */

/* Where erasing to the right begins: behind the last column when a wrap is pending, as in xterm.js. */
static int erase_from(const vt *t) { return t->col + t->pending; }

static void erase_part(vt *t, vt_row *r, int from, int to, int selective)
{
    if (selective)
        erase_selectively(t, r, from, to, erased(t));
    else
        erase(t, r, from, to, erased(t));
    t->work -= STEP_WORK + (to < t->cols ? to - from : 0);
}

void vt_erase_line(vt *t, int what, int selective)
{
    vt_row *r = line(t);
    if (what == 0) {
        int from = erase_from(t);
        if (from < t->cols)
            r->wrapped = 0;
        if (from == 0)
            end_line_above(t, t->row);
        erase_part(t, r, from, t->cols, selective);
    } else if (what == 1) {
        erase_part(t, r, 0, t->col + 1, selective);
    } else if (what == 2) {
        r->wrapped = 0;
        end_line_above(t, t->row);
        erase_part(t, r, 0, t->cols, selective);
    }
}

static void erase_rows(vt *t, int from, int to, int selective)
{
    vt_cell fill = erased(t);
    for (int row = from; row < to; row++) {
        if (selective)
            erase_selectively(t, t->s->rows[row], 0, t->cols, fill);
        else
            vt_row_clear(t->s->rows[row], fill);
        t->s->rows[row]->wrapped = 0;
    }
    if (from == 0 && to > 0)
        end_line_above(t, 0);
    t->work -= STEP_WORK + 2 * (to - from);
}

void vt_erase_display(vt *t, int what, int selective)
{
    if (what == 0) {
        vt_erase_line(t, 0, selective);
        line(t)->wrapped = 0;
        erase_rows(t, t->row + 1, t->rows, selective);
    } else if (what == 1) {
        end_line_above(t, t->row);
        erase_rows(t, 0, t->row, selective);
        vt_erase_line(t, 1, selective);
        if (t->col == t->cols - 1)
            line(t)->wrapped = 0;
    } else if (what == 2) {
        erase_rows(t, 0, t->rows, selective);
    } else if (what == 3 && t->s == &t->main) {
        vt_history_clear(t);
        t->command_line = -1;
    }
}

void vt_erase_chars(vt *t, int n)
{
    t->pending = 0;
    erase_part(t, line(t), t->col, min(t->col + n, t->cols), 0);
}

void vt_insert_chars(vt *t, int n)
{
    t->pending = 0;
    if (between_margins(t))
        vt_row_insert(t, line(t), t->col, t->right + 1, n, erased(t));
}

void vt_delete_chars(vt *t, int n)
{
    t->pending = 0;
    if (between_margins(t))
        row_delete(t, line(t), t->col, t->right + 1, n, erased(t));
}

/* DECIC, SR. The lines of the region are no longer what was printed as one: none goes on in the next row. */
void vt_insert_cols(vt *t, int col, int n)
{
    if (!in_region(t))
        return;
    vt_cell fill = erased(t);
    end_line_above(t, t->top);
    for (int row = t->top; row <= t->bottom; row++) {
        vt_row_insert(t, t->s->rows[row], col, t->right + 1, n, fill);
        t->s->rows[row]->wrapped = 0;
    }
    t->work -= 2 * (t->bottom - t->top + 1);
}

/* DECDC, SL. */
void vt_delete_cols(vt *t, int col, int n)
{
    if (!in_region(t))
        return;
    vt_cell fill = erased(t);
    end_line_above(t, t->top);
    for (int row = t->top; row <= t->bottom; row++) {
        row_delete(t, t->s->rows[row], col, t->right + 1, n, fill);
        t->s->rows[row]->wrapped = 0;
    }
    t->work -= 2 * (t->bottom - t->top + 1);
}

/* A wrap is pending behind the right margin or the last column: where neither is there any more, the cursor goes on. */
static void settle(vt *t)
{
    if (t->pending && t->col != t->right && t->col < t->cols - 1) {
        t->pending = 0;
        t->col++;
    }
}

static void full_margins(vt *t)
{
    t->top = t->left = 0;
    t->bottom = t->rows - 1;
    t->right = t->cols - 1;
    settle(t);
}

/* As xterm.js: in the pen, but for underline and link. */
void vt_alignment(vt *t)
{
    vt_style style = {.fg = t->pen.fg, .bg = t->pen.bg, .attrs = (uint16_t)(t->pen.attrs & ~VT_UNDERLINE)};
    const vt_cell fill = VT_BLANK | VT_STYLE_BITS(vt_style_id(t, &style)) | 'E';
    full_margins(t);
    for (int row = 0; row < t->rows; row++)
        vt_row_clear(t->s->rows[row], fill);
    end_line_above(t, 0);
    vt_move_to(t, 0, 0);
    t->work -= STEP_WORK + 2 * t->rows;
}

/* ---- saving, modes, the alternate screen ---- */

void vt_save_cursor(vt *t)
{
    vt_saved *saved = &t->s->saved;
    saved->row = t->row;
    saved->col = t->col;
    saved->origin = !!(t->modes & VT_M_ORIGIN);
    saved->pen = t->pen;
    saved->pen.link = 0;
    saved->protect = t->protect;
    memcpy(saved->charsets, t->charsets, sizeof saved->charsets);
    saved->gl = t->gl;
}

void vt_restore_cursor(vt *t)
{
    const vt_saved *saved = &t->s->saved;
    uint16_t link = t->pen.link;
    set_modes(t, saved->origin ? t->modes | VT_M_ORIGIN : t->modes & ~VT_M_ORIGIN);
    t->pen = saved->pen;
    t->pen.link = link;
    t->protect = saved->protect;
    t->pen_dirty = 1;
    memcpy(t->charsets, saved->charsets, sizeof t->charsets);
    t->gl = saved->gl;
    go(t, saved->row, saved->col);
}

static void reset_saved(vt_screen *s)
{
    memset(&s->saved, 0, sizeof s->saved);
    memset(s->saved.charsets, 'B', sizeof s->saved.charsets);
}

/* As in xterm.js the alternate screen is always blank when it is shown, and each screen has margins of its own. */
static void show_alternate(vt *t)
{
    if (t->s == &t->alt || (!t->alt.base && vt_screen_init(t, &t->alt)))
        return;
    t->main.top = t->top;
    t->main.bottom = t->bottom;
    t->main.left = t->left;
    t->main.right = t->right;
    t->s = &t->alt;
    full_margins(t);
    for (int row = 0; row < t->rows; row++)
        vt_row_clear(t->s->rows[row], erased(t));
    t->events |= VT_ALT;
    t->work -= STEP_WORK + 2 * t->rows;
}

static void show_main(vt *t)
{
    if (t->s == &t->main)
        return;
    for (int row = 0; row < t->rows; row++) /* so that no style of it is kept */
        vt_row_clear(t->s->rows[row], VT_BLANK);
    t->s = &t->main;
    t->top = t->main.top;
    t->bottom = t->main.bottom;
    t->left = t->main.left;
    t->right = t->main.right;
    settle(t);
    t->events |= VT_ALT;
    t->work -= STEP_WORK + 2 * t->rows;
}

static const struct {
    uint16_t number;
    uint32_t bit;
} DEC_MODES[] = {
    {1, VT_M_APP_CURSOR}, {5, VT_M_REVERSE},         {6, VT_M_ORIGIN},         {7, VT_M_WRAP},
    {9, VT_M_MOUSE_X10},  {12, VT_M_BLINK},          {25, VT_M_CURSOR},        {45, VT_M_REVERSE_WRAP},
    {66, VT_M_APP_KEYPAD}, {69, VT_M_MARGINS},       {1000, VT_M_MOUSE},       {1002, VT_M_MOUSE_DRAG},
    {1003, VT_M_MOUSE_ANY}, {1004, VT_M_FOCUS},      {1005, VT_M_MOUSE_UTF8},  {1006, VT_M_MOUSE_SGR},
    {1007, VT_M_ALT_SCROLL}, {1015, VT_M_MOUSE_URXVT}, {1016, VT_M_MOUSE_PIXELS}, {2004, VT_M_PASTE},
    {2026, VT_M_SYNC},    {2031, VT_M_COLOUR_SCHEME},
};

static uint32_t dec_mode(int mode)
{
    for (size_t i = 0; i < sizeof DEC_MODES / sizeof *DEC_MODES; i++)
        if (DEC_MODES[i].number == mode)
            return DEC_MODES[i].bit;
    return 0;
}

void vt_set_dec_mode(vt *t, int mode, int on)
{
    uint32_t bit = dec_mode(mode), modes = t->modes;
    t->work -= STEP_WORK;
    if (bit) {
        /* A mouse has one way to be followed and one to be encoded: the last set. */
        if (bit & MOUSE_TRACKING)
            modes &= ~(uint32_t)MOUSE_TRACKING;
        else if (bit & MOUSE_ENCODING)
            modes &= ~(uint32_t)MOUSE_ENCODING;
        set_modes(t, on ? modes | bit : modes & ~bit);
        if (bit == VT_M_ORIGIN)
            vt_move_to(t, 0, 0);
        if (bit == VT_M_MARGINS && !on) {
            t->left = 0;
            t->right = t->cols - 1;
            settle(t);
        }
        return;
    }
    switch (mode) {
    case 2:
        if (on)
            memset(t->charsets, 'B', sizeof t->charsets);
        break;
    case 1048:
        if (on)
            vt_save_cursor(t);
        else
            vt_restore_cursor(t);
        break;
    case 47:
    case 1047:
    case 1049:
        if (on) {
            if (mode == 1049)
                vt_save_cursor(t);
            show_alternate(t);
        } else {
            show_main(t);
            if (mode == 1049)
                vt_restore_cursor(t);
        }
        break;
    }
}

void vt_set_mode(vt *t, int mode, int on)
{
    uint32_t bit = mode == 4 ? VT_M_INSERT : mode == 20 ? VT_M_NEWLINE : 0;
    set_modes(t, on ? t->modes | bit : t->modes & ~bit);
}

enum { UNKNOWN, SET, RESET, ALWAYS_SET, ALWAYS_RESET };

int vt_report_mode(const vt *t, int mode)
{
    switch (mode) {
    case 2: /* KAM */
        return ALWAYS_RESET;
    case 4:
        return t->modes & VT_M_INSERT ? SET : RESET;
    case 12: /* SRM */
        return ALWAYS_SET;
    case 20:
        return t->modes & VT_M_NEWLINE ? SET : RESET;
    }
    return UNKNOWN;
}

int vt_report_dec_mode(const vt *t, int mode)
{
    switch (mode) {
    case 8: /* DECARM */
        return ALWAYS_SET;
    case 67:   /* DECBKM */
    case 1005: /* kept, but xterm.js encodes no mouse that way */
    case 1015:
        return ALWAYS_RESET;
    case 47:
    case 1047:
    case 1049:
        return t->s == &t->alt ? SET : RESET;
    case 1048:
        return SET;
    }
    uint32_t bit = dec_mode(mode);
    return !bit ? UNKNOWN : t->modes & bit ? SET : RESET;
}

/* ---- kitty's keyboard flags: a stack for each screen ---- */

#define KITTY_FLAGS 31
#define KITTY_DEPTH ((int)sizeof((vt_screen *)0)->kitty)

void vt_kitty_push(vt *t, int flags)
{
    vt_screen *s = t->s;
    if (s->kitty_n == KITTY_DEPTH - 1)
        memmove(s->kitty, s->kitty + 1, sizeof s->kitty - 1);
    else
        s->kitty_n++;
    s->kitty[s->kitty_n] = flags & KITTY_FLAGS;
    t->events |= VT_MODES;
}

void vt_kitty_pop(vt *t, int n)
{
    vt_screen *s = t->s;
    s->kitty_n -= n;
    if (s->kitty_n < 0) {
        s->kitty_n = 0;
        s->kitty[0] = 0;
    }
    t->events |= VT_MODES;
}

void vt_kitty_set(vt *t, int flags, int how)
{
    uint8_t *now = &t->s->kitty[t->s->kitty_n];
    flags &= KITTY_FLAGS;
    *now = (uint8_t)(how == 3 ? *now & ~flags : how == 2 ? *now | flags : flags);
    t->events |= VT_MODES;
}

/* ---- resets, beginning and end ---- */

static void reset_pen(vt *t)
{
    memset(&t->pen, 0, sizeof t->pen);
    t->pen_dirty = 1;
    t->protect = 0;
    memset(t->charsets, 'B', sizeof t->charsets);
    t->gl = t->single_shift = 0;
}

/* What xterm.js resets: bracketed paste too, but no mouse, tabs or title. */
void vt_soft_reset(vt *t)
{
    reset_pen(t);
    set_modes(t, (t->modes & ~(uint32_t)SOFT_RESET_MODES) | DEFAULT_MODES);
    t->shape = 0;
    full_margins(t);
    reset_saved(t->s);
}

void vt_reset(vt *t)
{
    show_main(t);
    vt_history_clear(t);
    for (int row = 0; row < t->rows; row++)
        vt_row_clear(t->main.rows[row], VT_BLANK);
    reset_pen(t);
    set_modes(t, DEFAULT_MODES);
    t->shape = 0;
    full_margins(t);
    memset(t->tabs, 1, sizeof t->tabs); /* every eighth column */
    reset_saved(&t->main);
    reset_saved(&t->alt);
    t->main.kitty_n = t->alt.kitty_n = 0;
    t->main.kitty[0] = t->alt.kitty[0] = 0;
    t->row = t->col = t->pending = 0;
    t->last_char = 0;
    t->command_line = -1;
    t->work -= 4 * STEP_WORK + 2 * t->rows;
}

int vt_screen_init(vt *t, vt_screen *s)
{
    s->base_n = SPARE_SCREENS * t->rows;
    s->base = calloc((size_t)s->base_n, sizeof *s->base);
    s->rows = s->base;
    if (!s->base)
        return -1;
    for (int row = 0; row < t->rows; row++)
        if (!(s->rows[row] = vt_row_new(t))) {
            vt_screen_free(t, s);
            return -1;
        }
    s->bottom = t->rows - 1;
    s->right = t->cols - 1;
    return 0;
}

void vt_screen_free(vt *t, vt_screen *s)
{
    for (int row = 0; s->base && row < t->rows; row++)
        free(s->rows[row]);
    free(s->base);
    s->base = s->rows = NULL;
}

vt *vt_new(int rows, int cols, const vt_limits *limits)
{
    if (rows < VT_MIN_ROWS || rows > VT_MAX_ROWS || cols < VT_MIN_COLS || cols > VT_MAX_COLS)
        return NULL;
    vt *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    t->rows = rows;
    t->cols = cols;
    t->limits = *limits;
    t->s = &t->main;
    t->erase_cell = VT_BLANK;
    if (vt_intern_init(t) || vt_screen_init(t, &t->main)) {
        vt_free(t);
        return NULL;
    }
    vt_reset(t);
    t->events = 0;
    return t;
}

void vt_free(vt *t)
{
    if (!t)
        return;
    vt_screen_free(t, &t->main);
    vt_screen_free(t, &t->alt);
    vt_intern_free(t);
    vt_history_free(&t->history);
    vt_buf_free(&t->string);
    vt_buf_free(&t->replies);
    vt_buf_free(&t->records);
    vt_buf_free(&t->titles);
    free(t->palette);
    free(t);
}

/* ---- what others ask for ---- */

static size_t screen_memory(const vt *t, const vt_screen *s)
{
    size_t row = sizeof(vt_row) + (size_t)(t->cols + VT_PAD) * sizeof(vt_cell);
    return s->base ? (size_t)s->base_n * sizeof *s->base + (size_t)t->rows * row : 0;
}

size_t vt_memory(const vt *t)
{
    size_t n = sizeof *t + screen_memory(t, &t->main) + screen_memory(t, &t->alt) + vt_history_memory(&t->history);
    n += t->styles_size * sizeof *t->styles + t->style_hash_size * sizeof *t->style_hash;
    n += t->clusters_size * sizeof *t->clusters + t->links_size * sizeof *t->links;
    for (uint32_t i = 1; i < t->links_n; i++)
        n += t->links[i].text ? (size_t)t->links[i].id_n + t->links[i].uri_n + 1 : 0;
    n += t->string.size + t->replies.size + t->records.size + t->titles.size;
    return n + (t->palette ? VT_COLOURS * sizeof *t->palette : 0);
}

uint64_t vt_offset(const vt *t) { return t->offset; }
void vt_set_offset(vt *t, uint64_t offset) { t->offset = offset; }
uint64_t vt_generation(const vt *t) { return t->generation; }
int vt_rows(const vt *t) { return t->rows; }
int vt_cols(const vt *t) { return t->cols; }
int vt_alternate(const vt *t) { return t->s == &t->alt; }
int64_t vt_top(const vt *t) { return (int64_t)(t->history.dropped + t->history.count); }
int64_t vt_oldest(const vt *t) { return (int64_t)t->history.dropped; }
int64_t vt_original_oldest(const vt *t) { return (int64_t)(t->history.dropped - t->history.left_out); }
uint32_t vt_modes(const vt *t) { return t->modes; }
uint32_t vt_kitty_flags(const vt *t) { return t->s->kitty[t->s->kitty_n]; }

void vt_get_cursor(const vt *t, vt_cursor *cursor)
{
    *cursor = (vt_cursor){t->row, t->col, !!(t->modes & VT_M_CURSOR), t->pending, t->shape};
}

uint32_t vt_events(vt *t)
{
    uint32_t events = t->events;
    t->events = 0;
    return events;
}

uint32_t vt_bells(vt *t)
{
    uint32_t bells = t->bells;
    t->bells = 0;
    return bells;
}

const uint8_t *vt_title(const vt *t, size_t *n)
{
    *n = t->title_n;
    return t->title;
}

const uint8_t *vt_cwd(const vt *t, size_t *n)
{
    *n = t->cwd_n;
    return t->cwd;
}
