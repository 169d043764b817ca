/* The sequences of a VT420 and of xterm that have an intermediate or a private marker, and that xterm.js does not know:
   rectangles, reports, what is put aside, conformance. */
#include "vt_state.h"

/* ---- rectangles: from level 4 on ---- */

/* Attributes as DECCARA changes them, from parameter `i` on. Colours and the others stay. */
static void change_attributes(vt *t, const vt_rectangle *r, const int *args, int i, int n)
{
    const unsigned all = VT_BOLD | VT_UNDERLINE | VT_BLINK | VT_INVERSE, underlined = 1u << VT_UNDERLINE_SHIFT;
    unsigned off = 0, on = 0;
    for (; i < n; i++) {
        unsigned mask = 0, value = 0;
        switch (args[i]) {
        case 0: mask = all; break;
        case 1: mask = value = VT_BOLD; break;
        case 4: mask = VT_UNDERLINE; value = underlined; break;
        case 5: mask = value = VT_BLINK; break;
        case 7: mask = value = VT_INVERSE; break;
        case 22: mask = VT_BOLD; break;
        case 24: mask = VT_UNDERLINE; break;
        case 25: mask = VT_BLINK; break;
        case 27: mask = VT_INVERSE; break;
        }
        off |= mask;
        on = (on & ~mask) | value;
    }
    if (off)
        vt_change_rectangle(t, r, (uint16_t)off, (uint16_t)on, 0);
}

static void reverse_attributes(vt *t, const vt_rectangle *r, const int *args, int i, int n)
{
    unsigned flip = 0;
    for (; i < n; i++)
        flip ^= args[i] == 1   ? VT_BOLD
                : args[i] == 4 ? 1u << VT_UNDERLINE_SHIFT
                : args[i] == 5 ? VT_BLINK
                : args[i] == 7 ? VT_INVERSE
                               : 0u;
    if (flip)
        vt_change_rectangle(t, r, 0, 0, (uint16_t)flip);
}

static int can_fill(int code)
{
    return (code >= 0x20 && code < 0x7F) || (code >= 0xA0 && !(code >= 0xD800 && code < 0xE000));
}

static void report_common_style(vt *t, const vt_rectangle *r)
{
    vt_style style = {0};
    uint8_t text[128];
    if (r)
        vt_common_style(t, r, &style);
    uint8_t *p = vt_style_parameters(text, &style);
    vt_answer(t, "\033[%.*sm", (int)(p - text), text);
}

static void rectangle_function(vt *t, uint32_t key, const int *args, int n)
{
    vt_rectangle r;
    const int *four = key == VT_KEY(0, '$', 'x') ? args + 1 : key == VT_KEY(0, '*', 'y') ? args + 2 : args;
    int found = vt_rectangle_of(t, four, &r);
    switch (key) {
    case VT_KEY(0, '*', 'x'): /* DECSACE */
        if (*args <= 2)
            t->extent = (uint8_t)*args;
        return;
    case VT_KEY(0, '#', 'y'): /* XTCHECKSUM */
        t->checksum = (uint8_t)*args;
        return;
    case VT_KEY(0, '*', 'y'): /* DECRQCRA */
        vt_answer(t, "\033P%d!~%04X\033\\", *args, found ? vt_checksum(t, &r) : 0);
        return;
    case VT_KEY(0, '#', '|'): /* XTREPORTSGR */
        report_common_style(t, found ? &r : NULL);
        return;
    }
    if (!found)
        return;
    switch (key) {
    case VT_KEY(0, '$', 'r'): /* DECCARA */
        change_attributes(t, &r, args, 4, n);
        break;
    case VT_KEY(0, '$', 't'): /* DECRARA */
        reverse_attributes(t, &r, args, 4, n);
        break;
    case VT_KEY(0, '$', 'v'): /* DECCRA; there is one page */
        vt_copy_rectangle(t, &r, args[5], args[6]);
        break;
    case VT_KEY(0, '$', 'x'): /* DECFRA */
        if (can_fill(*args))
            vt_fill_rectangle(t, &r, (uint32_t)*args);
        break;
    case VT_KEY(0, '$', 'z'): /* DECERA */
        vt_fill_rectangle(t, &r, ' '); /* as in xterm, with the whole pen */
        break;
    case VT_KEY(0, '$', '{'): /* DECSERA */
        vt_erase_rectangle(t, &r);
        break;
    }
}

/* ---- others ---- */

static uint16_t pen_parts(const vt *t, const int *args, int n)
{
    uint16_t parts = 0;
    if (!(t->parser.given & 1) && n == 1)
        return VT_PART_ALL;
    for (int i = 0; i < n; i++)
        parts |= vt_pen_part(args[i]);
    return parts;
}

static void set_title_modes(vt *t, const int *args, int n, int on)
{
    for (int i = 0; i < n; i++)
        if (args[i] <= 1)
            t->title_modes = (uint8_t)((t->title_modes & ~(1 << args[i])) | on << args[i]);
}

void vt_extended(vt *t, uint32_t key, const int *args, int n)
{
    switch (key) {
    case VT_KEY('?', 0, 's'): /* XTSAVE, XTRESTORE */
        for (int i = 0; i < n; i++)
            vt_save_mode(t, args[i]);
        break;
    case VT_KEY('?', 0, 'r'):
        for (int i = 0; i < n; i++)
            vt_restore_mode(t, args[i]);
        break;
    case VT_KEY(0, '#', '{'): /* XTPUSHSGR, XTPOPSGR */
    case VT_KEY(0, '#', 'p'):
        vt_push_pen(t, pen_parts(t, args, n));
        break;
    case VT_KEY(0, '#', '}'):
    case VT_KEY(0, '#', 'q'):
        vt_pop_pen(t);
        break;
    case VT_KEY('>', 0, 'N'): /* of our own: redraws write it */
        vt_viewer_differs(t);
        t->single_shift = args[0] == 1 ? VT_SHIFT_NARROW : 0;
        break;
    case VT_KEY(0, '"', 'p'): /* DECSCL */
        vt_set_level(t, args[0], args[1]);
        break;
    case VT_KEY('>', 0, 't'): /* XTSMTITLE */
        set_title_modes(t, args, n, 1);
        break;
    case VT_KEY('>', 0, 'T'):
        set_title_modes(t, args, n, 0);
        break;
    case VT_KEY(0, '$', 'w'): /* DECRQPSR */
        if (t->level >= 3)
            vt_report_presentation(t, args[0]);
        break;
    case VT_KEY(0, '"', 'v'): /* DECRQDE: the whole of the only page shows */
        vt_answer(t, "\033[%d;%d;1;1;1\"w", t->rows, t->cols);
        break;
    default:
        if (t->level >= 4)
            rectangle_function(t, key, args, n);
    }
}
