/* Pictures on the screen: into cells of their own, or over the text, and where the cursor is afterwards. */
#include "vt_pictures.h"

/* A row of tiles at the cursor's row, from `col` on. */
static void print_row(vt *t, int col, int row, int cols)
{
    t->col = col;
    t->pending = 0;
    for (int i = 0; i < cols; i++) {
        vt_print_code(t, VT_TILE);
        vt_print_code(t, vt_tile_marks[row]);
        vt_print_code(t, vt_tile_marks[i]);
    }
    vt_cursor_row(t)->wrapped = 0;
}

/* Print the cells of a placement at the cursor. The screen scrolls for rows that do not fit, unless they are cut off by
   DECSDM. Invisible: a terminal that does not know them shows blanks. */
void vt_place_tiles(vt *t, vt_placement *p, int rows, int cols)
{
    const int col = t->col, scrolls = !(t->modes & VT_M_SIXEL_DISPLAY) || p->how != VT_IN_TILES;
    const int room = (t->col <= t->right ? t->right + 1 : t->cols) - col;
    const uint64_t modes = t->modes;
    const vt_style pen = t->pen;
    const uint8_t protect = t->protect;
    cols = vt_min(vt_min(cols, room), VT_MARKS);
    rows = vt_min(vt_min(rows, VT_MARKS), vt_max(1, VT_PICTURE_CELLS / cols));
    if (!scrolls)
        rows = vt_min(rows, t->rows - t->row);
    t->modes &= ~(VT_M_INSERT | VT_M_WRAP);
    t->pen = (vt_style){.fg = VT_RGB | p->number, .attrs = VT_INVISIBLE};
    t->protect = 0;
    t->pen_dirty = 1;
    for (int row = 0; row < rows; row++) {
        if (row && scrolls)
            vt_index(t);
        else if (row)
            t->row++;
        print_row(t, col, row, cols);
    }
    t->pen = pen;
    t->protect = protect;
    t->pen_dirty = 1;
    t->modes = modes;
    t->last_char = 0;
    t->pending = 0;
    t->col = col;
}

/* Kitty's: the cursor moves to the last row, and past the last column, unless C=1 keeps it `still`. */
void vt_place_direct(vt *t, vt_placement *p, int still)
{
    if (still)
        return;
    for (int row = 1; row < p->rows; row++)
        vt_index(t);
    t->pending = 0;
    t->col = vt_min(t->col + p->cols, t->col <= t->right ? t->right : t->cols - 1);
}
