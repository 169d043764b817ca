/* Rectangles of cells: fill, erase, copy, change attributes, add up; and the index functions that move by columns.

   xterm.js has none of these. No function here moves the cursor or ends a pending wrap, and none stops at margins. */
#include "vt_state.h"

#include <string.h>

/* What the video attributes of a cell add to its checksum, as in DEC's terminals. */
enum { SUM_UNDERLINE = 0x10, SUM_INVERSE = 0x20, SUM_BLINK = 0x40, SUM_BOLD = 0x80 };

/* The bits of XTCHECKSUM: what is left out of DEC's sum. */
enum { SUM_POSITIVE = 1, SUM_PLAIN = 2, SUM_BLANKS = 4, SUM_WRITTEN = 8, SUM_WHOLE_CODE = 16 };

int vt_rectangle_of(const vt *t, const int *four, vt_rectangle *found)
{
    int origin = !!(t->modes & VT_M_ORIGIN);
    int top = origin ? t->top : 0, bottom = origin ? t->bottom : t->rows - 1;
    int left = origin ? t->left : 0, right = origin ? t->right : t->cols - 1;
    found->top = top + vt_max(four[0], 1) - 1;
    found->left = left + vt_max(four[1], 1) - 1;
    found->bottom = four[2] ? vt_min(top + four[2] - 1, bottom) : bottom;
    found->right = four[3] ? vt_min(left + four[3] - 1, right) : right;
    int inside = found->top <= found->bottom && found->left <= found->right;
    found->bottom++;
    found->right++;
    return inside;
}

static int64_t area(const vt_rectangle *r)
{
    return (int64_t)(r->bottom - r->top) * (VT_STEP_COST + r->right - r->left);
}

/* ---- fill, erase, copy ---- */

void vt_fill_rectangle(vt *t, const vt_rectangle *r, uint32_t code)
{
    if (vt_width(code) != 1)
        return;
    vt_viewer_differs(t);
    vt_pen_intern(t);
    const vt_cell fill = t->pen_cell | VT_WIDTH_BITS(1) | code;
    t->budget -= area(r);
    for (int i = r->top; i < r->bottom; i++) {
        vt_row *row = t->s->rows[i];
        vt_touch_row(t, i, r->left, r->right);
        if (r->left == 0 && r->right == t->cols && !row->size) {
            vt_row_clear(row, fill);
            continue;
        }
        const int right = row->size ? vt_min(r->right, vt_half(t->cols)) : r->right; /* a double row stays one, as in xterm */
        if (r->left >= right)
            continue;
        vt_cut_row(t, i, r->left);
        vt_cut_row(t, i, right);
        vt_row_widen(row, right);
        for (int col = r->left; col < right; col++)
            row->cells[col] = fill;
    }
}

/* DECSERA spares what DECSCA protects, and not what SPA does. The cells keep their style. */
void vt_erase_rectangle(vt *t, const vt_rectangle *r)
{
    vt_viewer_differs(t);
    t->budget -= area(r);
    for (int i = r->top; i < r->bottom; i++) {
        vt_row *row = t->s->rows[i];
        vt_touch_row(t, i, r->left, r->right);
        if (VT_CODE(row->tail)) /* an E of DECALN, or what DECFRA, DECERA or REP filled the row with */
            vt_row_widen(row, r->right);
        for (int col = r->left; col < vt_min(r->right, row->len); col++) {
            vt_cell cell = row->cells[col];
            if ((cell & VT_PROTECTED && !t->guarded) || (VT_WIDTH(cell) == 1 && !(VT_CODE(cell) | (cell & VT_CLUSTER))))
                continue;
            const vt_cell blank = (cell & (VT_STYLE_BITS(UINT32_MAX) | VT_PROTECTED)) | VT_WIDTH_BITS(1) | ' ';
            row->cells[col] = blank;
            if (VT_WIDTH(cell) != 1) /* the other half, though it may be outside */
                row->cells[VT_WIDTH(cell) ? col + 1 : col - 1] = blank;
        }
    }
}

void vt_copy_rectangle(vt *t, const vt_rectangle *from, int top, int left)
{
    int origin = !!(t->modes & VT_M_ORIGIN);
    top = vt_max(top, 1) - 1 + (origin ? t->top : 0);
    left = vt_max(left, 1) - 1 + (origin ? t->left : 0);
    int rows = vt_min(from->bottom - from->top, (origin ? t->bottom + 1 : t->rows) - top);
    int cols = vt_min(from->right - from->left, (origin ? t->right + 1 : t->cols) - left);
    if (rows <= 0 || cols <= 0)
        return;
    vt_viewer_differs(t);
    t->budget -= 2 * area(from);
    const vt_cell blank = vt_erased(t);
    vt_cell cells[VT_MAX_COLS];
    for (int i = 0; i < rows; i++) {
        int at = top > from->top ? rows - 1 - i : i; /* a row that is still to be copied is not written to */
        const vt_row *source = t->s->rows[from->top + at];
        for (int col = 0; col < cols; col++) {
            cells[col] = vt_at(source, from->left + col);
            if (cells[col] & VT_CLUSTER && VT_CODE(cells[col]) < t->clusters_n)
                t->clusters[VT_CODE(cells[col])].shared = 1;
        }
        if (!VT_WIDTH(cells[0])) /* halves of wide characters that the rectangle's edges cut */
            cells[0] = blank;
        if (VT_WIDTH(cells[cols - 1]) == 2)
            cells[cols - 1] = blank;
        vt_row *row = t->s->rows[top + at];
        vt_touch_row(t, top + at, left, left + cols);
        vt_cut_row(t, top + at, left);
        vt_cut_row(t, top + at, left + cols);
        vt_row_widen(row, left + cols);
        memcpy(row->cells + left, cells, (size_t)cols * sizeof *cells);
    }
}

/* ---- attributes ---- */

static vt_cell changed(vt *t, vt_cell cell, uint16_t off, uint16_t on, uint16_t flip)
{
    vt_style style = t->styles[VT_STYLE(cell)];
    unsigned attrs = (style.attrs & ~(unsigned)off) ^ flip;
    if (flip & VT_UNDERLINE && style.attrs & VT_UNDERLINE) /* any kind of underline ends */
        attrs &= ~(unsigned)VT_UNDERLINE;
    style.attrs = (uint16_t)(attrs | on);
    return (cell & UINT32_MAX) | VT_STYLE_BITS(vt_style_id(t, &style));
}

static void change_row(vt *t, int i, int from, int to, uint16_t off, uint16_t on, uint16_t flip)
{
    vt_row *row = t->s->rows[i];
    vt_row_widen(row, to < t->cols ? to : from);
    vt_cell before = row->tail, after = changed(t, before, off, on, flip);
    for (int col = from; col < vt_min(to, row->len); col++) {
        vt_cell cell = row->cells[col];
        if (VT_STYLE(cell) != VT_STYLE(before)) {
            before = cell;
            after = changed(t, cell, off, on, flip);
        }
        row->cells[col] = (cell & UINT32_MAX) | VT_STYLE_BITS(VT_STYLE(after));
    }
    if (to == t->cols)
        row->tail = changed(t, row->tail, off, on, flip);
}

/* Unless DECSACE has asked for a rectangle, the cells are those of a text that begins and ends at its corners. */
void vt_change_rectangle(vt *t, const vt_rectangle *r, uint16_t off, uint16_t on, uint16_t flip)
{
    int origin = !!(t->modes & VT_M_ORIGIN), stream = t->extent != 2;
    int left = origin ? t->left : 0, right = origin ? t->right + 1 : t->cols;
    vt_viewer_differs(t);
    t->budget -= 2 * (int64_t)(r->bottom - r->top) * (stream ? right - left : r->right - r->left);
    t->hold++; /* a style that has been read may have no cell any more */
    for (int i = r->top; i < r->bottom; i++)
        change_row(t, i, stream && i > r->top ? left : r->left, stream && i < r->bottom - 1 ? right : r->right, off, on, flip);
    t->hold--;
}

void vt_common_style(vt *t, const vt_rectangle *r, vt_style *common)
{
    int first = 1;
    memset(common, 0, sizeof *common);
    t->budget -= area(r);
    for (int i = r->top; i < r->bottom; i++)
        for (int col = r->left; col < r->right; col++) {
            vt_cell cell = vt_at(t->s->rows[i], col);
            if (!VT_WIDTH(cell) && col)
                cell = vt_at(t->s->rows[i], col - 1);
            const vt_style *style = &t->styles[VT_STYLE(cell)];
            if (first)
                *common = *style;
            common->fg = common->fg == style->fg ? style->fg : 0;
            common->bg = common->bg == style->bg ? style->bg : 0;
            common->ul = common->ul == style->ul ? style->ul : 0;
            if ((common->attrs ^ style->attrs) & VT_UNDERLINE)
                common->attrs &= (uint16_t)~VT_UNDERLINE;
            common->attrs &= style->attrs | VT_UNDERLINE;
            first = 0;
        }
}

/* ---- checksum ---- */

static unsigned attributes_sum(const vt *t, vt_cell cell)
{
    unsigned attrs = t->styles[VT_STYLE(cell)].attrs;
    return (attrs & VT_UNDERLINE ? SUM_UNDERLINE : 0u) + (attrs & VT_INVERSE ? SUM_INVERSE : 0u)
           + (attrs & VT_BLINK ? SUM_BLINK : 0u) + (attrs & VT_BOLD ? SUM_BOLD : 0u);
}

/* An invisible character counts as a space: no program reads it back. */
static uint32_t code_sum(const vt *t, vt_cell cell)
{
    if (t->styles[VT_STYLE(cell)].attrs & VT_INVISIBLE)
        return ' ';
    if (!VT_WIDTH(cell))
        return t->checksum & SUM_WHOLE_CODE ? 0xFFFF : 0xFF; /* xterm's mark of a right half */
    if (!(cell & VT_CLUSTER))
        return VT_CODE(cell) & (t->checksum & SUM_WHOLE_CODE ? 0x1FFFFF : 0xFF);
    uint8_t text[VT_CELL_TEXT + 4];
    const uint8_t *p = text, *end = vt_plain_text(text, text, (size_t)(vt_cell_text(t, text, cell) - text));
    uint32_t sum = 0, code;
    do {
        p += vt_utf8_next(p, end, &code);
        sum += code;
    } while (p < end && t->checksum & SUM_WHOLE_CODE);
    return t->checksum & SUM_WHOLE_CODE ? sum : sum & 0xFF;
}

/* As xterm: a cell that was never written counts as a space, but only as the first one unless SUM_BLANKS asks for all;
   with SUM_WRITTEN these count for nothing. */
uint16_t vt_checksum(vt *t, const vt_rectangle *r)
{
    uint32_t sum = 0;
    int blanks = t->checksum & SUM_BLANKS, first = 1;
    t->budget -= area(r);
    for (int i = r->top; i < r->bottom; i++)
        for (int col = r->left; col < r->right; col++) {
            vt_cell cell = vt_at(t->s->rows[i], col);
            int written = cell & VT_CLUSTER || VT_CODE(cell) || !VT_WIDTH(cell);
            unsigned attributes = t->checksum & SUM_PLAIN ? 0 : attributes_sum(t, cell);
            if (written)
                sum += code_sum(t, cell) + attributes;
            else if (attributes || first || blanks)
                sum += blanks && t->checksum & SUM_WRITTEN ? 0 : ' ' + attributes;
            first = 0;
        }
    return (uint16_t)(t->checksum & SUM_POSITIVE ? sum : 0 - sum);
}

/* ---- indexing by columns ---- */

static int row_in_region(const vt *t) { return t->row >= t->top && t->row <= t->bottom; }

void vt_back_index(vt *t)
{
    vt_viewer_differs(t);
    if (t->col != t->left)
        vt_move_back(t, 1);
    else if (row_in_region(t))
        vt_insert_cols(t, t->left, 1);
}

void vt_forward_index(vt *t)
{
    vt_viewer_differs(t);
    if (t->col != t->right)
        vt_move_forward(t, 1);
    else if (row_in_region(t))
        vt_delete_cols(t, t->left, 1);
}
