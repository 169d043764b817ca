/* Resizing: the main screen and its scrollback are reflowed, the alternate screen is cut or padded.

   Reflow joins lines that a wrap had split, and splits them at the new width. A program on the alternate screen redraws
   it after a resize. Every step that may fail comes before the first change. */
#include "vt_state.h"

#include <stdlib.h>
#include <string.h>

/* A place that moves with the text: the cursor, or where a command line began. `now` counts new rows, from the first
   one that has text of the old screen. */
typedef struct {
    int row, col, pending; /* on the old screen; row < 0: no place */
    int64_t now;
    int now_col, now_pending;
    int found;
} place;

/* The main screen of the new size while it fills. Rows that do not stay on it go into scrollback. */
typedef struct {
    vt *t;
    int rows, cols;
    vt_screen screen;
    vt_scrollback reflowed;
    vt_scrollback *scrollback;  /* `reflowed`, or the terminal's own if the width stays */
    vt_row *window[VT_MAX_ROWS]; /* rows of `screen`, the oldest at `first` */
    int first, n;
    int64_t passed;       /* rows that have left the window */
    vt_line open;         /* the end of the scrollback, whose line continues in the window's first row */
    vt_line spare;
    place cursor, mark;
} reflow;

static int is_blank(vt_cell c)
{
    return !(c & (VT_CLUSTER | VT_STYLE_BITS(UINT32_MAX))) && VT_WIDTH(c) == 1 && (!VT_CODE(c) || VT_CODE(c) == ' ');
}

/* Columns up to the last visible cell. */
static int used(const vt_row *r, int cols)
{
    int len = r->len;
    if (!is_blank(r->tail))
        return VT_CODE(r->tail) ? cols : len;
    while (len && is_blank(r->cells[len - 1]))
        len--;
    return len;
}

/* ---- the window ---- */

/* The oldest row of the window becomes scrollback. */
static void pass(reflow *f)
{
    vt_row *r = f->window[f->first];
    if (f->passed == 0 && f->open.cols) {
        vt_line_row(f->t, &f->spare, r, f->cols);
        int skip = f->open.cols; /* blanks were left there for it */
        for (int i = 0; i < f->spare.n; i++) {
            vt_run *run = &f->spare.runs[i];
            int k = (uint32_t)skip < run->n ? skip : (int)run->n;
            vt_line_add(&f->open, run, run->text + k, run->n - (uint32_t)k, run->cols - k);
            skip -= k;
        }
        f->open.wrapped = r->wrapped;
        f->open.tail = f->spare.tail;
        vt_scrollback_put(f->t, f->scrollback, &f->open);
        vt_line_clear(&f->open);
    } else {
        vt_scrollback_put_row(f->t, f->scrollback, r, f->cols);
    }
    f->first = (f->first + 1) % f->rows;
    f->n--;
    f->passed++;
}

/* Append a blank row. NULL: that would push the cursor off the screen. */
static vt_row *next_row(reflow *f)
{
    if (f->n == f->rows) {
        if (f->cursor.found && f->cursor.now == f->passed)
            return NULL;
        pass(f);
    }
    vt_row *r = f->window[(f->first + f->n++) % f->rows];
    vt_row_clear(r, VT_BLANK);
    return r;
}

static int64_t row_number(const reflow *f) { return f->passed + f->n - 1; }

/* The place's character now stands at `col` of the newest row. */
static void found(reflow *f, place *p, int col)
{
    p->found = 1;
    p->now = row_number(f);
    p->now_col = col;
    p->now_pending = 0;
    if (p->pending) {
        if (col == f->cols - 1)
            p->now_pending = 1;
        else
            p->now_col++;
    }
}

/* The place is `beyond` columns after the end of its line, which is at `col` of the newest row. */
static void found_beyond(reflow *f, place *p, int col, int beyond)
{
    p->found = 1;
    p->now = row_number(f);
    p->now_pending = col == f->cols && !beyond;
    p->now_col = col + beyond + (p->pending != 0);
    if (p->now_col > f->cols - 1)
        p->now_col = f->cols - 1;
}

/* ---- reflow ---- */

/* How many erased cells with a background, which becomes `*fill`, end the first `n` columns of an unwrapped row, or follow
   them. They do not wrap. */
static int erased_end(const vt_row *r, int *n, int cols, vt_cell *fill)
{
    int from = *n;
    *fill = r->tail;
    if (*fill != VT_BLANK)
        return VT_CODE(*fill) ? 0 : cols - from;
    if (from && !VT_CODE(r->cells[from - 1]) && VT_WIDTH(r->cells[from - 1]) == 1)
        for (*fill = r->cells[from - 1]; from && r->cells[from - 1] == *fill; from--)
            ;
    int erased = *n - from;
    *n = from;
    return erased;
}

/* Give a row its line's erased background, up to `end`: columns that a wider screen adds are default blanks. */
static void extend_tail(vt_row *r, vt_cell tail, int end, int cols)
{
    r->tail = tail;
    if (end < cols && tail != VT_BLANK) {
        vt_row_widen(r, end);
        r->tail = VT_BLANK;
    }
}

/* Split the lines of the old screen's rows [0, count) again, into the window. */
static void reflow_screen(reflow *f, int count)
{
    vt *t = f->t;
    vt_row *r = NULL;
    int col = 0;
    for (int row = 0; row < count; row++) {
        const vt_row *from = t->main.rows[row];
        int wrapped = from->wrapped && row + 1 < count;
        int n = wrapped ? t->cols - vt_row_gap(from, t->main.rows[row + 1], t->cols) : used(from, t->cols);
        vt_cell fill = VT_BLANK;
        int erased = wrapped ? 0 : erased_end(from, &n, t->cols, &fill);
        if (!r) {
            if (!(r = next_row(f)))
                return;
            col = 0;
            if (!row && f->open.cols) { /* its line began in the scrollback: lay_out() puts the end of that here */
                vt_row_widen(r, f->open.cols);
                col = f->open.cols;
            }
        }
        for (int i = 0; i < n; i++) {
            vt_cell c = vt_at(from, i);
            int width = VT_WIDTH(c);
            if (!width) /* copied with its left half */
                continue;
            if (col + width > f->cols) {
                if (col < f->cols) { /* the gap: a blank of its style, as printing leaves it */
                    r->cells[col] = (c & (VT_STYLE_BITS(UINT32_MAX) | VT_PROTECTED)) | VT_BLANK;
                    r->len = (uint16_t)f->cols;
                }
                r->wrapped = 1;
                if (!(r = next_row(f)))
                    return;
                col = 0;
            }
            for (int k = 0; k < width; k++) {
                r->cells[col] = k ? vt_at(from, i + k) : c;
                r->len = (uint16_t)++col;
                if (f->cursor.row == row && f->cursor.col == i + k)
                    found(f, &f->cursor, col - 1);
                if (f->mark.row == row && f->mark.col == i + k)
                    found(f, &f->mark, col - 1);
            }
        }
        if (f->cursor.row == row && !f->cursor.found)
            found_beyond(f, &f->cursor, col, f->cursor.col - n);
        if (f->mark.row == row && !f->mark.found)
            found_beyond(f, &f->mark, col, f->mark.col - n);
        if (!wrapped) {
            if (erased)
                extend_tail(r, fill, col + erased, f->cols);
            r->size = (uint8_t)(n > vt_half(f->cols) ? VT_SINGLE : from->size);
            r = NULL;
        }
    }
}

/* The same if the width stays. */
static void move_screen(reflow *f, int count)
{
    for (int row = 0; row < count; row++) {
        const vt_row *from = f->t->main.rows[row];
        vt_row *r = next_row(f);
        if (!r)
            return;
        memcpy(r, from, sizeof *r + (size_t)from->len * sizeof *r->cells);
        place *const places[2] = {&f->cursor, &f->mark};
        for (int i = 0; i < 2; i++)
            if (places[i]->row == row)
                found(f, places[i], places[i]->col);
    }
}

/* Append a run of a scrollback line to `open`. Each time that fills a row, it goes to the new scrollback. */
static void reflow_run(reflow *f, const vt_run *run)
{
    const uint8_t *p = run->text, *end = p + run->n;
    int ascii = run->n == run->cols; /* else the text has more bytes than columns */
    while (p < end) {
        int width = 1;
        uint32_t n = 1;
        if (ascii) {
            int room = f->cols - f->open.cols;
            n = end - p < room ? (uint32_t)(end - p) : (uint32_t)room;
            width = (int)n;
        } else {
            n = vt_character(p, end, &width);
        }
        if (!n || f->open.cols + width > f->cols) {
            if (n && f->open.cols < f->cols) /* the gap of a wide character, as above */
                vt_line_add(&f->open, run, (const uint8_t *)"", 1, 1);
            f->open.wrapped = 1;
            vt_scrollback_put(f->t, f->scrollback, &f->open);
            vt_line_clear(&f->open);
            continue;
        }
        vt_line_add(&f->open, run, p, n, width);
        p += n;
    }
}

/* Drop the gap at a wrapped line's end. Returns the blanks that are missing to the line's full length. */
static int close_gap(vt_line *line, int next_wide, int cols)
{
    int gap = vt_line_gap(line, next_wide, cols), rest = cols - line->cols;
    if (rest)
        return rest - gap;
    if (gap) {
        vt_run *last = &line->runs[line->n - 1];
        last->n--;
        last->cols--;
        line->cols--;
        if (!last->n)
            line->n--;
    }
    return 0;
}

/* The same as erased_end() of a line, whose end is cut off. */
static int cut_erased(vt_line *line, int cols, vt_style *fill)
{
    int erased = 0;
    *fill = line->tail;
    if (!vt_is_plain(fill))
        return cols - line->cols;
    if (!line->n)
        return 0;
    vt_run *last = &line->runs[line->n - 1];
    for (; last->n && !last->text[last->n - 1]; last->n--)
        erased++;
    if (erased)
        *fill = last->style;
    last->cols = (uint16_t)(last->cols - erased);
    line->cols -= erased;
    return erased;
}

/* Split all lines of the scrollback again, into f->reflowed. A last line that continues on the screen stays in f->open.
   */
static int reflow_scrollback(reflow *f)
{
    static const uint8_t blanks[VT_MAX_COLS];
    vt *t = f->t;
    vt_scrollback_reader reader;
    vt_line a, b, *line = &a, *next = &b;
    int failed = vt_line_init(&a, t->cols);
    failed |= vt_line_init(&b, t->cols);
    vt_scrollback_seek(t, &reader, 0);
    vt_scrollback_reader before = reader, ahead = reader;
    int more = !failed && vt_scrollback_next(&ahead, line);
    while (more) {
        reader = ahead;
        more = vt_scrollback_next(&ahead, next);
        int extends = f->cols > t->cols && !vt_is_plain(&line->tail); /* extend_tail(), of a line */
        int fits = line->cols <= (line->size ? vt_half(f->cols) : f->cols);
        if (!f->open.cols && !line->wrapped && fits && !extends) {
            vt_scrollback_pass(t, f->scrollback, &before);
        } else {
            int wide = more ? vt_line_begins_wide(next) : VT_WIDTH(vt_at(t->main.rows[0], 0)) == 2;
            vt_style tail;
            int rest = line->wrapped ? close_gap(line, wide, t->cols) : cut_erased(line, t->cols, &tail);
            for (int i = 0; i < line->n; i++)
                reflow_run(f, &line->runs[i]);
            if (line->wrapped) {
                vt_run fill = {.style = line->tail, .text = blanks, .n = (uint32_t)rest, .cols = (uint16_t)rest};
                reflow_run(f, &fill);
            } else {
                f->open.wrapped = 0;
                f->open.tail = tail;
                if (!vt_is_plain(&tail) && f->open.cols + rest < f->cols) {
                    vt_run fill = {.style = tail};
                    vt_line_add(&f->open, &fill, blanks, (uint32_t)rest, rest);
                    f->open.tail = (vt_style){0};
                }
                vt_scrollback_put(t, f->scrollback, &f->open);
                vt_line_clear(&f->open);
            }
        }
        before = reader;
        vt_line *swap = line;
        line = next;
        next = swap;
    }
    vt_line_free(&a);
    vt_line_free(&b);
    return failed || f->scrollback->failed ? -1 : 0;
}

/* ---- the alternate screen ---- */

/* Copy rows from `shift` on into `to`, which has another size. */
static void cut_rows(const vt *t, const vt_screen *from, vt_screen *to, int shift, int rows, int cols)
{
    for (int row = 0; row < rows && row + shift < t->rows; row++) {
        vt_row *old = from->rows[row + shift], *r = to->rows[row];
        int n = old->len < cols ? old->len : cols;
        memcpy(r->cells, old->cells, (size_t)n * sizeof *r->cells);
        r->len = (uint16_t)n;
        extend_tail(r, old->tail, t->cols, cols);
        if (n == cols && n < old->len && !VT_WIDTH(old->cells[n])) /* only half of a wide character fits */
            r->cells[n - 1] = (r->cells[n - 1] & VT_STYLE_BITS(UINT32_MAX)) | VT_BLANK;
        r->wrapped = cols == t->cols && row + 1 < rows && old->wrapped;
        r->size = (uint8_t)(n > vt_half(cols) ? VT_SINGLE : old->size);
    }
}

/* ---- resize ---- */

/* How many rows of the old screen are used: up to the cursor, or to the last row with visible cells. */
static int rows_used(const vt *t, const place *cursor)
{
    int n = t->rows;
    while (n - 1 > cursor->row) {
        const vt_row *r = t->main.rows[n - 1];
        if (used(r, t->cols) || !is_blank(r->tail) || r->size || t->main.rows[n - 2]->wrapped)
            break;
        n--;
    }
    return n;
}

/* Make the window's rows the new screen. `pull`: take lines back from the scrollback if there is room above them. */
static void lay_out(reflow *f, int pull)
{
    vt *t = f->t;
    int extra = 0;
    if (pull)
        while (f->n + extra < f->rows && (uint64_t)extra < t->scrollback.count)
            extra++;
    for (int i = 0; i < f->rows; i++)
        t->main.rows[(i + extra) % f->rows] = f->window[(f->first + i) % f->rows];
    for (int i = f->n + extra; i < f->rows; i++)
        vt_row_clear(t->main.rows[i], VT_BLANK);
    for (int i = 0; i < extra; i++)
        vt_row_clear(t->main.rows[i], VT_BLANK);
    if (f->n)
        t->main.rows[f->n + extra - 1]->wrapped = 0;

    if (f->open.cols && !f->passed) { /* the beginning of the first row came from the scrollback */
        vt_row *r = t->main.rows[extra], *begin = vt_row_new(t);
        if (begin) {
            vt_line_cells(t, &f->open, begin);
            memcpy(r->cells, begin->cells, (size_t)begin->len * sizeof *r->cells);
            free(begin);
        }
    }
    if (extra) {
        vt_scrollback_reader reader;
        vt_scrollback_seek(t, &reader, t->scrollback.count - (uint64_t)extra);
        for (int i = 0; i < extra && vt_scrollback_next(&reader, &f->spare); i++)
            vt_line_cells(t, &f->spare, t->main.rows[i]);
        vt_scrollback_trim(t, (uint64_t)extra);
    }
    f->passed -= extra; /* places now count from the new first row */
}

static void set_place(const reflow *f, const place *p, int *row, int *col)
{
    int64_t now = p->found ? p->now - f->passed : 0;
    *row = now < 0 ? 0 : vt_min((int)now, f->rows - 1);
    *col = vt_min(p->now_col, f->cols - 1);
}

int vt_resize(vt *t, int rows, int cols)
{
    if (rows < VT_MIN_ROWS || rows > VT_MAX_ROWS || cols < VT_MIN_COLS || cols > VT_MAX_COLS)
        return -1;
    const int old_rows = t->rows, old_cols = t->cols, on_alt = t->s == &t->alt;
    if (rows == old_rows && cols == old_cols)
        return 0;
    reflow *f = calloc(1, sizeof *f);
    vt_screen alt = {0};
    if (!f)
        return -1;
    f->t = t;
    f->rows = rows;
    f->cols = cols;
    f->scrollback = cols == old_cols ? &t->scrollback : &f->reflowed;
    f->reflowed.dropped = t->scrollback.dropped;
    t->scrollback.failed = 0;

    /* vt_screen_init() makes screens of the terminal's size. */
    t->rows = rows;
    t->cols = cols;
    int failed = vt_screen_init(t, &f->screen) || (t->alt.base && vt_screen_init(t, &alt));
    t->rows = old_rows;
    t->cols = old_cols;
    int widest = cols > old_cols ? cols : old_cols;
    failed |= vt_line_init(&f->open, widest) | vt_line_init(&f->spare, widest);
    if (!failed && cols != old_cols)
        failed = reflow_scrollback(f);
    if (failed) {
        t->rows = rows;
        vt_screen_free(t, &f->screen);
        vt_screen_free(t, &alt);
        t->rows = old_rows;
        vt_scrollback_free(&f->reflowed);
        vt_line_free(&f->open);
        vt_line_free(&f->spare);
        free(f);
        return -1;
    }

    t->hold++;
    for (int i = 0; i < rows; i++)
        f->window[i] = f->screen.rows[i];
    int64_t top = (int64_t)(t->scrollback.dropped + t->scrollback.count);
    const int64_t cursor_line = top + (on_alt ? t->main.saved.row : t->row);
    const int pending = t->pending && t->col == old_cols - 1; /* elsewhere it does not stand after a character */
    f->cursor = on_alt ? (place){.row = t->main.saved.row, .col = t->main.saved.col}
                       : (place){.row = t->row, .col = t->col, .pending = pending};
    f->mark.row = -1;
    if (t->command_line >= top && t->command_line < top + old_rows)
        f->mark = (place){.row = (int)(t->command_line - top), .col = t->command_col};
    int count = rows_used(t, &f->cursor);
    if (cols == old_cols)
        move_screen(f, count);
    else
        reflow_screen(f, count);

    /* From here on nothing fails. */
    vt_scrollback old = t->scrollback;
    vt_screen old_main = t->main, old_alt = t->alt;
    if (cols != old_cols)
        t->scrollback = f->reflowed;
    t->main.base = f->screen.base;
    t->main.base_n = f->screen.base_n;
    t->main.rows = f->screen.rows;
    int shift = on_alt && t->row >= rows ? t->row - rows + 1 : 0;
    if (alt.base) {
        cut_rows(t, &old_alt, &alt, shift, rows, cols);
        t->alt.base = alt.base;
        t->alt.base_n = alt.base_n;
        t->alt.rows = alt.rows;
    }
    vt_screen_free(t, &old_main);
    if (old_alt.base)
        vt_screen_free(t, &old_alt);
    t->rows = rows;
    t->cols = cols;
    lay_out(f, count == old_rows); /* a screen that was full keeps its last row last */
    if (cols != old_cols)
        vt_scrollback_free(&old);
    t->hold--;

    if (on_alt) {
        set_place(f, &f->cursor, &t->main.saved.row, &t->main.saved.col);
        t->row = vt_min(t->row - shift, rows - 1);
        t->pending = pending && cols == old_cols;
        t->col = vt_min(t->col + (pending && cols > old_cols), cols - 1);
    } else {
        set_place(f, &f->cursor, &t->row, &t->col);
        t->pending = f->cursor.now_pending;
        t->main.saved.row = vt_min(t->main.saved.row, rows - 1);
        t->main.saved.col = vt_min(t->main.saved.col, cols - 1);
    }
    t->alt.saved.row = vt_min(t->alt.saved.row, rows - 1);
    t->alt.saved.col = vt_min(t->alt.saved.col, cols - 1);
    t->main.saved.pending = t->alt.saved.pending = 0;
    if (f->mark.found) {
        t->command_line = (int64_t)(t->scrollback.dropped + t->scrollback.count) + f->mark.now - f->passed;
        t->command_col = f->mark.now_col;
    } else if (cols != old_cols) {
        t->command_line = -1;
    }
    if (t->pictures)
        vt_pictures_resized(t, vt_top(t) + (on_alt ? t->main.saved.row : t->row) - cursor_line, cols != old_cols);
    t->top = t->left = 0;
    t->bottom = rows - 1;
    t->right = cols - 1;
    for (int i = old_cols; i < cols; i++)
        t->tabs[i >> 3] = (uint8_t)((t->tabs[i >> 3] & ~(1 << (i & 7))) | (i % 8 ? 0 : 1 << (i & 7)));
    if (t->col >= vt_row_cols(t, vt_cursor_row(t))) {
        t->col = vt_row_cols(t, vt_cursor_row(t)) - 1;
        t->pending = 0;
    }
    t->last_char = 0;
    vt_viewer_forget(t);
    vt_line_free(&f->open);
    vt_line_free(&f->spare);
    free(f);
    if (t->modes & VT_M_RESIZES)
        vt_report_size(t);
    return 0;
}
