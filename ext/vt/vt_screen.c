/* The screen: what control functions do to rows and to the cursor.

   Erasing up to a row's end moves `len` and sets `tail`, so that a whole row is erased in two stores whatever its
   background; a scroll moves row pointers. Since `wrapped` says that a row's line continues in the next row, a change
   to a row's first cell may also have to clear `wrapped` in the row above. Each function subtracts the cells or rows
   that it touches from `budget`. */
#include "vt_state.h"

#include <stdlib.h>
#include <string.h>

#define SPARE_SCREENS 4  /* screens of row pointers: full-screen scrolls move them back once in three screens */

static inline int between_margins(const vt *t) { return t->col >= t->left && t->col <= t->right; }
static inline int in_region(const vt *t) { return t->row >= t->top && t->row <= t->bottom && between_margins(t); }

static int clamp(int at, int low, int high) { return vt_max(low, vt_min(at, high)); }

/* Keep the cursor in the half of a double row that can be used. */
void vt_stay_in_row(vt *t)
{
    if (vt_cursor_row(t)->size && t->col >= vt_half(t->cols)) {
        vt_viewer_differs(t); /* xterm.js has no such rows */
        t->col = vt_half(t->cols) - 1;
    }
}

/* ---- scrolling ---- */

/* Move rows [top, bottom] n up or down, between the left and right margins only. */
static void scroll_box(vt *t, int top, int bottom, int n, int up, vt_cell fill)
{
    int end = t->right + 1;
    for (int row = top; row <= bottom; row++) {
        vt_row_widen(t->s->rows[row], end);
        vt_row_cut(t->s->rows[row], t->left, fill);
        vt_row_cut(t->s->rows[row], end, fill);
    }
    size_t bytes = (size_t)(end - t->left) * sizeof(vt_cell);
    for (int i = 0; i <= bottom - top - n; i++) {
        vt_row *to = t->s->rows[up ? top + i : bottom - i];
        const vt_row *from = t->s->rows[up ? top + i + n : bottom - i - n];
        memcpy(to->cells + t->left, from->cells + t->left, bytes);
    }
    for (int i = 0; i < n; i++)
        vt_row_erase(t, t->s->rows[up ? bottom - i : top + i], t->left, end, fill);
    t->budget -= (int64_t)(bottom - top + 1) * (end - t->left);
}

/* Move rows [top, bottom] n up or down; rows that pass the edge are lost. */
static void scroll_rows(vt *t, int top, int bottom, int n, int up, vt_cell fill)
{
    n = vt_min(n, bottom - top + 1);
    if (!vt_whole_width(t)) {
        scroll_box(t, top, bottom, n, up, fill);
        return;
    }
    if (t->pen.link)
        vt_viewer_differs(t); /* xterm.js forgets a link when its line has gone */
    if (t->pictures)
        vt_pictures_scroll(t, top, bottom);
    vt_row *spare[VT_MAX_ROWS];
    vt_row **rows = t->s->rows + top;
    int kept = bottom - top + 1 - n;
    vt_end_line_above(t, top);
    t->s->rows[bottom]->wrapped = 0;
    memcpy(spare, up ? rows : rows + kept, (size_t)n * sizeof *rows);
    memmove(up ? rows : rows + n, up ? rows + n : rows, (size_t)kept * sizeof *rows);
    memcpy(up ? rows + kept : rows, spare, (size_t)n * sizeof *rows);
    for (int i = 0; i < n; i++)
        vt_row_clear(spare[i], fill);
    t->s->rows[bottom]->wrapped = 0;
    t->budget -= VT_STEP_COST + (bottom - top) / 2 + 2 * n;
    if (t->pictures)
        vt_pictures_scrolled(t, top, bottom, up ? n : -n, 0);
}

/* Whether rows that leave the region's top have left the screen, at its whole width. */
static int leaves_screen(const vt *t) { return t->top == 0 && vt_whole_width(t); }

/* Scroll the region by one row for output that passes its end. A row that leaves the main screen's top goes into
   scrollback, also if the region ends above the screen's end. */
static void scroll_line(vt *t)
{
    vt_cell fill = vt_erased(t);
    if (!leaves_screen(t)) {
        int wrapped = vt_cursor_row(t)->wrapped; /* the last row's line may continue in the new row */
        scroll_rows(t, t->top, t->bottom, 1, 1, fill);
        if (t->bottom > t->top)
            t->s->rows[t->bottom - 1]->wrapped = (uint8_t)wrapped;
        return;
    }
    if (t->pen.link)
        vt_viewer_differs(t);
    vt_screen *s = t->s;
    if (t->pictures && !(s == &t->main && t->bottom == t->rows - 1))
        vt_pictures_scroll(t, 0, t->bottom);
    vt_row *r = s->rows[0];
    t->budget -= VT_STEP_COST;
    if (s == &t->main) {
        vt_scrollback_push(t, r);
        t->budget -= VT_STEP_COST + r->len + (VT_CODE(r->tail) ? t->cols / 2 : 0);
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
        t->budget -= t->bottom / 4;
    }
    s->rows[t->bottom] = r;
    vt_row_clear(r, fill);
    if (t->pictures)
        vt_pictures_scrolled(t, 0, t->bottom, 1, s == &t->main);
}

/* Rows that leave the main screen's top go into scrollback; in xterm.js they are lost. */
void vt_scroll_up(vt *t, int n)
{
    if (t->s != &t->main || !leaves_screen(t)) {
        scroll_rows(t, t->top, t->bottom, n, 1, vt_erased(t));
        vt_stay_in_row(t);
        return;
    }
    vt_viewer_differs(t);
    t->s->rows[t->bottom]->wrapped = 0; /* it and the row below the region part */
    for (n = vt_min(n, t->bottom + 1); n > 0; n--)
        scroll_line(t);
    vt_stay_in_row(t);
}

/* xterm.js scrolls default blanks in. */
void vt_scroll_down(vt *t, int n)
{
    if (t->pen.bg)
        vt_viewer_differs(t);
    scroll_rows(t, t->top, t->bottom, n, 0, vt_erased(t));
    vt_stay_in_row(t);
}

/* Whether IL and DL take effect. Where they do not, a pending wrap stays; xterm.js takes it back. */
static int edits_lines(vt *t)
{
    int edits = in_region(t);
    if (edits)
        t->pending = 0;
    else if (t->pending)
        vt_viewer_differs(t);
    return edits;
}

void vt_insert_lines(vt *t, int n)
{
    if (!edits_lines(t))
        return;
    scroll_rows(t, t->row, t->bottom, n, 0, vt_erased(t));
    t->col = t->left;
}

void vt_delete_lines(vt *t, int n)
{
    if (!edits_lines(t))
        return;
    if (t->row == 0)
        vt_scroll_up(t, n);
    else
        scroll_rows(t, t->row, t->bottom, n, 1, vt_erased(t));
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
        vt_stay_in_row(t);
    }
}

void vt_line_feed(vt *t)
{
    vt_cursor_row(t)->wrapped = 0;
    vt_down(t); /* first: left of the left margin nothing scrolls */
    t->pending = 0;
    if (t->modes & VT_M_NEWLINE)
        vt_carriage_return(t);
}

void vt_new_line(vt *t)
{
    vt_carriage_return(t);
    vt_line_feed(t);
}

void vt_index(vt *t)
{
    if (t->row == t->bottom)
        vt_cursor_row(t)->wrapped = 0;
    vt_down(t);
    t->pending = 0;
}

void vt_reverse_index(vt *t)
{
    t->pending = 0;
    if (t->row != t->top)
        t->row = vt_max(t->row - 1, 0);
    else if (between_margins(t))
        scroll_rows(t, t->top, t->bottom, 1, 0, vt_erased(t));
    vt_stay_in_row(t);
}

void vt_next_line(vt *t)
{
    vt_index(t); /* first: left of the left margin nothing scrolls */
    vt_carriage_return(t);
}

/* As xterm does it: a pending wrap stays, and from beyond the right margin the cursor comes back to it. With mode 41 a
   pending wrap is carried out first, which old versions of curses and more(1) needed. */
void vt_tab(vt *t, int n)
{
    if (t->pending && t->modes & VT_M_TAB_WRAP && t->modes & VT_M_WRAP) {
        vt_viewer_differs(t);
        vt_index(t);
        t->col = 0;
    }
    for (int moved = 1; moved && n > 0; n--) {
        int to = t->col + 1;
        while (to < t->right && !vt_is_tab(t, to))
            to++;
        to = vt_min(to, t->right);
        moved = to > t->col;
        t->budget -= moved ? to - t->col : 0;
        t->col = to;
    }
    vt_stay_in_row(t);
}

/* A pending wrap stays here too; in xterm.js CBT does nothing then. */
void vt_back_tab(vt *t, int n)
{
    int edge = t->modes & VT_M_ORIGIN ? t->left : 0, from = t->col;
    if (t->pending)
        vt_viewer_differs(t);
    while (n-- > 0 && t->col > edge)
        while (--t->col > edge && !vt_is_tab(t, t->col))
            ;
    t->budget -= from - t->col;
}

/* With a pending wrap xterm.js has the cursor, and so the stop, beyond the last column. */
void vt_tab_set(vt *t)
{
    t->shadow.tabs_set = 1;
    if (t->pending)
        vt_viewer_differs(t);
    t->tabs[t->col >> 3] |= (uint8_t)(1 << (t->col & 7));
}

void vt_tab_clear(vt *t, int what)
{
    t->shadow.tabs_set = 1;
    if (what == 0 && t->pending)
        vt_viewer_differs(t);
    if (what == 0)
        t->tabs[t->col >> 3] &= (uint8_t) ~(1 << (t->col & 7));
    else if (what == 3)
        memset(t->tabs, 0, sizeof t->tabs);
}

static inline int has_origin(const vt *t) { return (t->modes & VT_M_ORIGIN) != 0; }

void vt_go(vt *t, int row, int col)
{
    const int origin = has_origin(t);
    t->row = clamp(row, origin ? t->top : 0, origin ? t->bottom : t->rows - 1);
    t->col = clamp(col, origin ? t->left : 0, origin ? t->right : t->cols - 1);
    t->pending = 0;
    vt_stay_in_row(t);
}

void vt_move_to(vt *t, int row, int col)
{
    const int origin = has_origin(t);
    vt_go(t, origin ? t->top + row : row, origin ? t->left + col : col);
}
void vt_move_row(vt *t, int row) { vt_go(t, has_origin(t) ? t->top + row : row, t->col); }
void vt_move_col(vt *t, int col) { vt_go(t, t->row, has_origin(t) ? t->left + col : col); }
void vt_move_by(vt *t, int rows, int cols) { vt_go(t, t->row + rows, t->col + cols); }

void vt_move_up(vt *t, int n)
{
    int edge = t->row >= t->top ? t->top : 0;
    vt_go(t, vt_max(t->row - n, edge), t->col);
}

void vt_move_down(vt *t, int n)
{
    int edge = t->row <= t->bottom ? t->bottom : t->rows - 1;
    vt_go(t, vt_min(t->row + n, edge), t->col);
}

void vt_move_forward(vt *t, int n)
{
    int edge = t->col <= t->right ? t->right : t->cols - 1;
    vt_go(t, t->row, vt_min(t->col + n, edge));
}

/* The rows between the margins, one after another as a circle, are what a reverse wrap moves in. From the region's first
   cell it goes to the last one, however far. */
static void wrap_back(vt *t, int n, int edge)
{
    const int cols = t->right - edge + 1;
    int at = t->row * cols + t->col - edge - n;
    if (t->row == t->top && t->col == t->left)
        at = (t->bottom + 1) * cols - 1;
    else if (at < 0)
        at = cols * t->rows - 1 - (-1 - at) % (cols * t->rows);
    t->row = at / cols;
    t->col = at % cols + edge;
    vt_stay_in_row(t);
}

/* BS and CUB. Reverse wrap is that of xterm before patch 383: modes 45 and 1045 are the same. It needs autowrap, and a
   pending wrap is then one step. In xterm.js only BS wraps, within a line, without autowrap too. */
void vt_move_back(vt *t, int n)
{
    const int edge = t->col >= t->left ? t->left : 0;
    const int reverse = (t->modes & (VT_M_REVERSE_WRAP | VT_M_REVERSE_WRAP_ANY)) != 0;
    if (reverse && (t->pending || n > t->col - edge))
        vt_viewer_differs(t);
    if (reverse && t->modes & VT_M_WRAP) {
        n -= t->pending;
        if (n > t->col - edge) {
            t->pending = 0;
            wrap_back(t, n, edge);
            return;
        }
    }
    t->col = vt_max(t->col - n, edge);
    t->pending = 0;
}

void vt_backspace(vt *t) { vt_move_back(t, 1); }

void vt_set_region(vt *t, int top, int bottom)
{
    top = vt_max(top, 1);
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
    left = vt_max(left, 1);
    if (right < 1 || right > t->cols)
        right = t->cols;
    vt_viewer_differs(t); /* xterm.js saves the cursor, whatever the margins are */
    if (left >= right)
        return;
    t->left = left - 1;
    t->right = right - 1;
    vt_move_to(t, 0, 0);
}

/* ---- erasing and editing ---- */

/* EL and ED take a pending wrap back. xterm.js keeps it, and its EL 0 and ED 0 then erase nothing of the row. */
static void drop_wrap(vt *t)
{
    if (t->pending)
        vt_viewer_differs(t);
    t->pending = 0;
}

static void erase_part(vt *t, vt_row *r, int from, int to, int selective)
{
    if (selective)
        vt_row_erase_selectively(t, r, from, vt_min(to, vt_row_cols(t, r)), vt_erased(t));
    else
        vt_row_erase(t, r, from, to, vt_erased(t));
    t->budget -= VT_STEP_COST + (to < t->cols ? to - from : 0);
}

/* Whether ED, EL and ECH spare protected cells. xterm.js's never do, end DECSCA's protection at SGR 0, and forget a link
   when its line has gone. */
static int spares(vt *t, int selective)
{
    if (selective || t->guarded || t->pen.link)
        vt_viewer_differs(t);
    return selective || t->guarded;
}

void vt_erase_line(vt *t, int what, int selective)
{
    vt_row *r = vt_cursor_row(t);
    selective = spares(t, selective);
    if (what <= 2)
        drop_wrap(t);
    if (what == 0) {
        r->wrapped = 0;
        if (t->col == 0)
            vt_end_line_above(t, t->row);
        erase_part(t, r, t->col, t->cols, selective);
    } else if (what == 1) {
        erase_part(t, r, 0, t->col + 1, selective);
    } else if (what == 2) {
        r->wrapped = 0;
        vt_end_line_above(t, t->row);
        erase_part(t, r, 0, t->cols, selective);
    }
}

static void erase_rows(vt *t, int from, int to, int selective)
{
    vt_cell fill = vt_erased(t);
    for (int row = from; row < to; row++) {
        if (selective)
            vt_row_erase_selectively(t, t->s->rows[row], 0, t->cols, fill);
        else
            vt_row_clear(t->s->rows[row], fill);
        t->s->rows[row]->wrapped = t->s->rows[row]->size = 0;
    }
    if (from == 0 && to > 0)
        vt_end_line_above(t, 0);
    t->budget -= VT_STEP_COST + 2 * (to - from);
}

void vt_erase_display(vt *t, int what, int selective)
{
    selective = spares(t, selective);
    if (t->pictures && !selective && (what == 2 || (what == 0 && !(t->row | t->col))))
        vt_pictures_erased(t);
    if (what <= 2)
        drop_wrap(t);
    if (what == 0) {
        vt_erase_line(t, 0, selective);
        erase_rows(t, t->row + 1, t->rows, selective);
    } else if (what == 1) {
        if (t->col == t->cols - 1)
            vt_viewer_differs(t); /* xterm.js takes another row for the one below, and throws if there is none */
        vt_end_line_above(t, t->row);
        erase_rows(t, 0, t->row, selective);
        vt_erase_line(t, 1, selective);
        if (t->col == t->cols - 1)
            vt_cursor_row(t)->wrapped = 0;
    } else if (what == 2) {
        erase_rows(t, 0, t->rows, selective);
    } else if (what == 3 && t->s == &t->main) {
        vt_scrollback_clear(t);
        t->main.saved.top = -1; /* xterm.js counts the saved row from the oldest line */
        t->command_line = -1;
    }
}

void vt_erase_chars(vt *t, int n)
{
    t->pending = 0;
    int end = vt_min(t->col + n, vt_row_cols(t, vt_cursor_row(t)));
    erase_part(t, vt_cursor_row(t), t->col, end, spares(t, 0));
}

void vt_touch_row(vt *t, int row, int from, int to)
{
    if (from == 0)
        vt_end_line_above(t, row);
    if (to == t->cols)
        t->s->rows[row]->wrapped = 0;
}

void vt_cut_row(vt *t, int row, int col) { vt_row_cut(t->s->rows[row], col, vt_erased(t)); }

static void insert_blanks(vt *t, vt_row *r, int col, int n, vt_cell fill)
{
    int end = vt_min(t->right + 1, vt_row_cols(t, r));
    if (col < end)
        vt_row_insert(t, r, col, end, n, fill);
}

static void close_up(vt *t, vt_row *r, int col, int n, vt_cell fill)
{
    int end = vt_min(t->right + 1, vt_row_cols(t, r));
    if (col < end)
        vt_row_delete(t, r, col, end, n, fill);
}

void vt_insert_chars(vt *t, int n)
{
    if (t->col < vt_cursor_row(t)->len && !VT_WIDTH(vt_cursor_row(t)->cells[t->col]))
        vt_viewer_differs(t); /* in xterm.js the right half of the character that it parts keeps its look */
    t->pending = 0;
    if (between_margins(t))
        insert_blanks(t, vt_cursor_row(t), t->col, n, vt_erased(t));
}

/* Outside the margins it does nothing, and a pending wrap stays; ICH takes it back even there. */
void vt_delete_chars(vt *t, int n)
{
    if (!between_margins(t))
        return;
    t->pending = 0;
    close_up(t, vt_cursor_row(t), t->col, n, vt_erased(t));
}

/* DECIC, SR. Lines of the region no longer continue in the next row: their cells have moved apart. */
void vt_insert_cols(vt *t, int col, int n)
{
    if (!in_region(t))
        return;
    vt_cell fill = vt_erased(t);
    vt_end_line_above(t, t->top);
    for (int row = t->top; row <= t->bottom; row++) {
        insert_blanks(t, t->s->rows[row], col, n, fill);
        t->s->rows[row]->wrapped = 0;
    }
    t->budget -= 2 * (t->bottom - t->top + 1);
}

/* DECDC, SL. */
void vt_delete_cols(vt *t, int col, int n)
{
    if (!in_region(t))
        return;
    vt_cell fill = vt_erased(t);
    vt_end_line_above(t, t->top);
    for (int row = t->top; row <= t->bottom; row++) {
        close_up(t, t->s->rows[row], col, n, fill);
        t->s->rows[row]->wrapped = 0;
    }
    t->budget -= 2 * (t->bottom - t->top + 1);
}

void vt_full_margins(vt *t)
{
    t->top = t->left = 0;
    t->bottom = t->rows - 1;
    t->right = t->cols - 1;
}

/* In the default style. Margins, origin mode and the pen's attributes go; in xterm.js they stay, and the pen counts. */
void vt_alignment(vt *t)
{
    if (t->pen.fg | t->pen.bg | t->pen.attrs || t->protect || t->modes & VT_M_ORIGIN || t->top > 0
        || t->bottom < t->rows - 1)
        vt_viewer_differs(t);
    t->modes &= ~VT_M_ORIGIN;
    t->pen.attrs = 0;
    t->pen_dirty = 1;
    vt_full_margins(t);
    for (int row = 0; row < t->rows; row++)
        vt_row_clear(t->s->rows[row], VT_BLANK | 'E');
    vt_end_line_above(t, 0);
    vt_move_to(t, 0, 0);
    t->budget -= VT_STEP_COST + 2 * t->rows;
}

void vt_single_rows(vt *t)
{
    for (int row = 0; row < t->rows; row++) {
        t->main.rows[row]->size = VT_SINGLE;
        if (t->alt.base)
            t->alt.rows[row]->size = VT_SINGLE;
    }
    t->budget -= t->rows;
}

/* Of a row that becomes double, the right half is lost (VT510). With left and right margins there are no such rows. */
void vt_set_row_size(vt *t, int size)
{
    vt_row *r = vt_cursor_row(t);
    if (t->modes & VT_M_MARGINS)
        return;
    vt_viewer_differs(t);
    if (size && !r->size) {
        vt_row_erase(t, r, vt_half(t->cols), t->cols, VT_BLANK);
        r->wrapped = 0;
        vt_end_line_above(t, t->row);
    }
    r->size = (uint8_t)size;
    vt_stay_in_row(t);
}

/* ---- a screen's memory ---- */

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
    return 0;
}

int vt_screen_blank(const vt *t, const vt_screen *s)
{
    for (int row = 0; s->base && row < t->rows; row++)
        if (s->rows[row]->len || s->rows[row]->tail != VT_BLANK)
            return 0;
    return 1;
}

void vt_screen_free(vt *t, vt_screen *s)
{
    for (int row = 0; s->base && row < t->rows; row++)
        free(s->rows[row]);
    free(s->base);
    s->base = s->rows = NULL;
}
