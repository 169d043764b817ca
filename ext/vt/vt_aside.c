/* Modes and pens that a program puts aside and takes back: XTSAVE, XTRESTORE, XTPUSHSGR, XTPOPSGR. */
#include "vt_state.h"

#include <string.h>

static uint64_t saved_bit(int mode)
{
    if (mode == 47 || mode == 1047 || mode == 1049)
        return VT_M_ALTERNATE;
    for (int i = 0; i < VT_DEC_MODE_COUNT; i++)
        if (vt_dec_modes[i].number == mode)
            return vt_dec_modes[i].bit;
    return 0;
}

void vt_save_mode(vt *t, int mode)
{
    uint64_t bit = saved_bit(mode);
    if (mode == 1048) {
        vt_viewer_differs(t); /* xterm.js knows no XTSAVE */
        vt_save_cursor(t);
    }
    int on = bit == VT_M_ALTERNATE ? t->s == &t->alt : !!(t->modes & bit);
    t->saved_modes = on ? t->saved_modes | bit : t->saved_modes & ~bit;
}

/* As in xterm, a mode that was never saved is turned off. The alternate screen comes and goes as with mode 47. */
void vt_restore_mode(vt *t, int mode)
{
    uint64_t bit = saved_bit(mode);
    vt_viewer_differs(t);
    if (mode == 1048)
        vt_restore_cursor(t);
    else if (bit)
        vt_set_dec_mode(t, bit == VT_M_ALTERNATE ? 47 : mode, !!(t->saved_modes & bit));
}

/* ---- pens ---- */

/* The bits of an underline are one part, which stands for its kind too. */
uint16_t vt_pen_part(int number)
{
    static const struct { uint8_t number; uint16_t part; } parts[] = {
        {1, VT_BOLD},       {2, VT_DIM},    {3, VT_ITALIC},     {4, VT_UNDERLINE},        {5, VT_BLINK},
        {7, VT_INVERSE},    {8, VT_INVISIBLE}, {9, VT_STRIKE},  {21, VT_UNDERLINE},       {30, VT_PART_FOREGROUND},
        {31, VT_PART_BACKGROUND}, {53, VT_OVERLINE},
    };
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (parts[i].number == number)
            return parts[i].part;
    return 0;
}

void vt_push_pen(vt *t, uint16_t parts)
{
    if (t->pens_n < VT_PENS) {
        t->pens[t->pens_n] = t->pen;
        t->pens[t->pens_n].link = 0;
        t->pens_parts[t->pens_n] = parts;
    }
    if (t->pens_n < VT_PUSHES)
        t->pens_n++;
}

void vt_pop_pen(vt *t)
{
    if (!t->pens_n || --t->pens_n >= VT_PENS)
        return;
    const vt_style *pushed = &t->pens[t->pens_n];
    uint16_t parts = t->pens_parts[t->pens_n], attrs = parts & (VT_UNDERLINE | 0xFF);
    vt_viewer_differs(t);
    t->pen.attrs = (uint16_t)((t->pen.attrs & ~attrs) | (pushed->attrs & attrs));
    if (parts & VT_PART_FOREGROUND)
        t->pen.fg = pushed->fg;
    if (parts & VT_PART_BACKGROUND)
        t->pen.bg = pushed->bg;
    if (parts & VT_UNDERLINE)
        t->pen.ul = pushed->ul;
    t->pen_dirty = 1;
}
