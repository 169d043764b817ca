/* What the viewer that owns the size has stated: its theme and the size of its cells; and the reports of both.

   They are not the program's, so neither a redraw nor a reset contains them. Colours that a program sets are in
   vt.palette and count before these. */
#include "vt_state.h"

/* The dark theme and the cells of the web client, for a terminal whose viewers have stated none. */
static const vt_theme DARK = {
    .dark = 1,
    .palette = {0x2A2D33, 0xF4736E, 0x5FC98A, 0xE3B85C, 0x6BA5F7, 0xC792EA, 0x5CC8D7, 0xC9CCD1,
                0x7D838D, 0xFF9792, 0x8BE0AC, 0xF3D287, 0x95C0FF, 0xDCB3F7, 0x8BE0EA, 0xFFFFFF},
    .foreground = 0xE3E5E8,
    .background = 0x0E0F11,
    .cursor = 0xE3E5E8,
};
#define CELL_HEIGHT 17
#define CELL_WIDTH 8

uint32_t vt_theme_colour(const vt *t, int index)
{
    if (index < 16)
        return t->theme.palette[index];
    if (index < VT_DYNAMIC)
        return vt_fixed_colour((unsigned)index);
    switch (index - VT_DYNAMIC) {
    case 1: /* background; of the pointer and of Tektronix; highlighted text */
    case 4:
    case 6:
    case 9:
        return t->theme.background;
    case 2: /* cursor, of Tektronix too */
    case 8:
        return t->theme.cursor;
    }
    return t->theme.foreground;
}

void vt_report_theme(vt *t) { vt_answer(t, "\033[?997;%dn", t->theme.dark ? 1 : 2); }

void vt_set_theme(vt *t, const vt_theme *theme)
{
    int dark = t->theme.dark;
    t->theme = theme ? *theme : DARK;
    if (t->modes & VT_M_COLOUR_SCHEME && !t->theme.dark != !dark)
        vt_report_theme(t);
}

void vt_report_size(vt *t)
{
    vt_answer(t, "\033[48;%d;%d;%d;%dt", t->rows, t->cols, t->rows * t->cell_height, t->cols * t->cell_width);
}

void vt_set_pixels(vt *t, int cell_height, int cell_width)
{
    int stated = cell_height > 0 && cell_width > 0;
    int before = t->cell_height << 16 | t->cell_width;
    t->cell_height = (uint16_t)(stated ? vt_min(cell_height, VT_MAX_CELL) : CELL_HEIGHT);
    t->cell_width = (uint16_t)(stated ? vt_min(cell_width, VT_MAX_CELL) : CELL_WIDTH);
    if (t->modes & VT_M_RESIZES && before != (t->cell_height << 16 | t->cell_width))
        vt_report_size(t);
}
