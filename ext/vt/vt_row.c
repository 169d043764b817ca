/* Rows: their cells cleared, erased, inserted and deleted. No half of a wide character is left alone. */
#include "vt_state.h"

#include <stdlib.h>
#include <string.h>

vt_row *vt_row_new(vt *t)
{
    vt_row *r = malloc(sizeof *r + (size_t)(t->cols + VT_PAD) * sizeof *r->cells);
    if (r)
        vt_row_clear(r, VT_BLANK);
    return r;
}

void vt_erase_intern(vt *t)
{
    const vt_style style = {.bg = t->pen.bg};
    t->erase_cell = VT_BLANK | VT_STYLE_BITS(vt_style_id(t, &style));
    t->erase_bg = t->pen.bg;
}

/* Cut between `col` - 1 and `col`: a wide character across the cut becomes two blanks. */
void vt_row_cut(vt_row *r, int col, vt_cell fill)
{
    if (col > 0 && col < r->len && !VT_WIDTH(r->cells[col]))
        r->cells[col - 1] = r->cells[col] = fill;
}

void vt_row_erase(const vt *t, vt_row *r, int from, int to, vt_cell fill)
{
    if (from >= to)
        return;
    vt_row_cut(r, from, fill);
    vt_row_cut(r, to, fill);
    if (to < r->len || (to < t->cols && fill != r->tail)) {
        vt_row_widen(r, to);
        for (int col = from; col < to; col++)
            r->cells[col] = fill;
        return;
    }
    if (fill != r->tail)
        vt_row_widen(r, from);
    r->len = (uint16_t)vt_min(r->len, from);
    if (to == t->cols)
        r->tail = fill;
}

/* Whether a cell of [from, to) is protected. `*narrow`: whether no wide character stands there or reaches into it. */
static int is_protected(const vt_row *r, int from, int to, int *narrow)
{
    vt_cell any = r->tail, all = VT_WIDTH_BITS(1);
    for (int col = from, end = vt_min(to, r->len); col < end; col++) {
        any |= r->cells[col];
        all &= r->cells[col];
    }
    *narrow = all && (to >= r->len || VT_WIDTH(r->cells[to]));
    return !!(any & VT_PROTECTED);
}

/* The same, except for cells that DECSCA protects. */
void vt_row_erase_selectively(vt *t, vt_row *r, int from, int to, vt_cell fill)
{
    if (from >= to)
        return;
    t->budget -= vt_min(r->len, to - from) / 4;
    int narrow;
    if (!is_protected(r, from, to, &narrow)) {
        vt_row_erase(t, r, from, to, fill);
        return;
    }
    if (fill != r->tail)
        vt_row_widen(r, to);
    if (narrow)
        for (int col = from, end = vt_min(to, r->len); col < end; col++) {
            vt_cell keep = 0 - (r->cells[col] / VT_PROTECTED & 1);
            r->cells[col] = (r->cells[col] & keep) | (fill & ~keep);
        }
    for (int col = from, end = narrow ? 0 : vt_min(to, r->len); col < end; col++) {
        if (r->cells[col] == fill || r->cells[col] & VT_PROTECTED)
            continue;
        vt_row_cut(r, col, fill);
        vt_row_cut(r, col + 1, fill);
        r->cells[col] = fill;
    }
    if (to == t->cols)
        r->tail = fill;
    t->budget -= (to - from) / 2;
}

void vt_row_insert(vt *t, vt_row *r, int col, int end, int n, vt_cell fill)
{
    n = vt_min(n, end - col);
    if (col >= r->len && fill == r->tail)
        return;
    if (end < t->cols)
        vt_row_widen(r, end);
    vt_row_cut(r, col, fill);
    vt_row_cut(r, end, fill);
    vt_row_cut(r, end - n, fill);
    vt_row_widen(r, col);
    int stop = vt_min(r->len, end); /* the cells to move end here */
    int len = end < t->cols ? r->len : vt_min(t->cols, r->len + n);
    int moved = vt_min(stop, end - n) - col;
    if (moved > 0)
        memmove(r->cells + col + n, r->cells + col, (size_t)moved * sizeof *r->cells);
    for (int i = col; i < col + n; i++)
        r->cells[i] = fill;
    r->len = (uint16_t)len;
    t->budget -= len - col;
}

void vt_row_delete(vt *t, vt_row *r, int col, int end, int n, vt_cell fill)
{
    n = vt_min(n, end - col);
    if (end < t->cols || fill != r->tail)
        vt_row_widen(r, end);
    else if (col >= r->len)
        return;
    vt_row_cut(r, col, fill);
    vt_row_cut(r, col + n, fill);
    vt_row_cut(r, end, fill);
    int stop = vt_min(r->len, end);
    int moved = stop - col - n;
    if (moved > 0)
        memmove(r->cells + col, r->cells + col + n, (size_t)moved * sizeof *r->cells);
    t->budget -= stop - col;
    if (end == t->cols) {
        r->len = (uint16_t)(col + vt_max(moved, 0));
        r->tail = fill;
        return;
    }
    for (int i = end - n; i < end; i++)
        r->cells[i] = fill;
}

/* The line of the row above `row` no longer continues in `row`. */
void vt_end_line_above(vt *t, int row)
{
    if (row > 0)
        t->s->rows[row - 1]->wrapped = 0;
    else if (t->s == &t->main)
        vt_scrollback_unwrap(t);
}
