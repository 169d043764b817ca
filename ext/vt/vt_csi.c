/* The meaning of C0 controls, escape sequences and CSI sequences. */
#include "vt_pictures.h"
#include "vt_sgr.h"

#include <string.h>

/* ---- C0 and ESC ---- */

void vt_control(vt *t, uint8_t c)
{
    t->last_char = 0;
    t->budget--;
    switch (c) {
    case '\a':
        if (!t->muted && t->bells < UINT32_MAX) {
            t->shadow.bells++;
            t->bells++;
            t->events |= VT_BELL;
        }
        break;
    case '\b':
        vt_backspace(t);
        break;
    case '\t':
        vt_tab(t, 1);
        break;
    case '\n':
    case '\v':
    case '\f':
        vt_line_feed(t);
        break;
    case '\r':
        vt_carriage_return(t);
        break;
    case 0x0E:
        t->gl = 1;
        break;
    case 0x0F:
        t->gl = 0;
        break;
    }
}


void vt_escape(vt *t, uint8_t final)
{
    t->budget -= VT_STEP_COST;
    t->last_char = 0;
    if (t->parser.intermediates_n) {
        if (strchr("-./", t->parser.intermediates[0]) && final != 'A')
            vt_viewer_differs(t); /* xterm.js takes an unknown set of 96 characters for one of 94 */
        if (t->parser.intermediates_n < 3 && strchr("()*+-./", t->parser.intermediates[0]))
            vt_designate(t, t->parser.intermediates, t->parser.intermediates_n, final);
        if (t->parser.intermediates_n > 1)
            return;
        switch (t->parser.intermediates[0]) {
        case '%':
            if (final == '@' || final == 'G') {
                t->gl = 0;
                t->charsets[0] = 'B';
            }
            break;
        case '#':
            if (final == '8')
                vt_alignment(t);
            else if (final >= '3' && final <= '6')
                vt_set_row_size(t, final == '3'   ? VT_DOUBLE_TOP
                                   : final == '4' ? VT_DOUBLE_BOTTOM
                                   : final == '6' ? VT_DOUBLE_WIDTH
                                                  : VT_SINGLE);
            break;
        case ' ': /* S7C1T, S8C1T */
            if ((final == 'F' || final == 'G') && t->level > 1)
                t->eight_bit = final == 'G';
            break;
        }
        return;
    }
    switch (final) {
    case '6':
        if (t->level >= 4)
            vt_back_index(t);
        break;
    case '9':
        if (t->level >= 4)
            vt_forward_index(t);
        break;
    case 'V': /* SPA */
        vt_protect(t, 1, 1);
        break;
    case 'W': /* EPA */
        vt_protect(t, 0, t->guarded);
        break;
    case '7':
        vt_save_cursor(t);
        break;
    case '8':
        vt_restore_cursor(t);
        break;
    case '=':
        vt_set_dec_mode(t, 66, 1);
        break;
    case '>':
        vt_set_dec_mode(t, 66, 0);
        break;
    case 'D':
        vt_index(t);
        break;
    case 'E':
        vt_next_line(t);
        break;
    case 'H':
        vt_tab_set(t);
        break;
    case 'M':
        vt_reverse_index(t);
        break;
    case 'N':
        vt_viewer_differs(t);
        t->single_shift = 2;
        break;
    case 'O':
        vt_viewer_differs(t);
        t->single_shift = 3;
        break;
    case 'Z':
        vt_identify(t);
        break;
    case 'c':
        vt_reset(t);
        break;
    case 'n':
        t->gl = 2;
        break;
    case 'o':
        t->gl = 3;
        break;
    case '~': /* LS1R, LS2R, LS3R: in xterm.js they change GL */
    case '}':
    case '|':
        vt_viewer_differs(t);
        t->gr = (uint8_t)('~' - final + 1);
        break;
    }
}

/* ---- CSI ---- */

static inline int arg(const vt *t, int i) { return i <= t->parser.param ? t->parser.params[i] : 0; }

/* A count or position: 0 means 1. */
static inline int count(const vt *t, int i) { return arg(t, i) ? arg(t, i) : 1; }

/* The colour of SGR 38, 48 or 58 at `i`, which moves to the colour's last parameter: 5:n, 2:r:g:b or 2:space:r:g:b, with
   semicolons instead of colons too. As in xterm, what is empty between semicolons, missing among subparameters or above
   255 makes no colour; what the whole sequence is too short for is 0. xterm.js takes each as 0, and values modulo 256. */
static __attribute__((noinline)) void any_colour(vt *t, int *i, uint32_t *colour)
{
    int at = *i + 1, end = at + 1, mode = arg(t, at), n = mode == 5 ? 1 : mode == 2 ? 3 : 0;
    int colons = (t->parser.colons >> at | t->parser.colons >> end) & 1;
    if (colons)
        while (end <= t->parser.param && t->parser.colons >> end & 1)
            end++;
    else
        end += n;
    *i = end - 1;
    const int space = colons && end - at > 4;
    if (n ? n == 3 && colons && !space : at <= t->parser.param)
        vt_viewer_differs(t); /* xterm.js always expects the colour space, and ends at a kind that it does not know */
    if (!n)
        return;
    at += space ? 2 : 1;
    uint32_t value = 0;
    for (int k = at; k < at + n; k++) {
        int missing = colons ? k >= end : k <= t->parser.param && !(t->parser.given >> k & 1);
        if (missing || arg(t, k) > 255) {
            vt_viewer_differs(t);
            return;
        }
        value = value << 8 | (uint32_t)arg(t, k);
    }
    *colour = (n == 1 ? VT_PALETTE : VT_RGB) | value;
}

/* The same, without a look at anything twice, for the common spellings: 5;n and 2;r;g;b. */
static inline void colour(vt *t, int *i, uint32_t *colour)
{
    const int at = *i + 1;
    const uint16_t *p = t->parser.params + at;
    const uint64_t given = t->parser.given >> at;
    if (!t->parser.colons && *p == 2 && at + 3 <= t->parser.param && (given & 14) == 14 && (p[1] | p[2] | p[3]) < 256) {
        *colour = VT_RGB | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
        *i = at + 3;
    } else if (!t->parser.colons && *p == 5 && at < t->parser.param && given & 2 && p[1] < 256) {
        *colour = VT_PALETTE | p[1];
        *i = at + 1;
    } else {
        any_colour(t, i, colour);
    }
}

static void set_underline(vt_style *pen, int style)
{
    pen->attrs = (uint16_t)((pen->attrs & ~VT_UNDERLINE) | (style > 5 ? 1 : style) << VT_UNDERLINE_SHIFT);
}

/* Of 4:n the n, which would be parameter `i`; of 4 alone 1. */
static int underline_kind(const vt *t, int i)
{
    return t->parser.colons >> i & t->parser.given >> i & 1 ? t->parser.params[i] : 1;
}

static void sgr(vt *t)
{
    vt_style *pen = &t->pen;
    t->pen_dirty = 1;
    for (int i = 0; i <= t->parser.param; i++) {
        unsigned p = t->parser.params[i];
        if (p - VT_SGR_FOREGROUND < 8) {
            pen->fg = VT_PALETTE | (p - VT_SGR_FOREGROUND);
        } else if (p - VT_SGR_BACKGROUND < 8) {
            pen->bg = VT_PALETTE | (p - VT_SGR_BACKGROUND);
        } else if (p - (VT_SGR_FOREGROUND + 60) < 8) {
            pen->fg = VT_PALETTE | (p - (VT_SGR_FOREGROUND + 60) + 8);
        } else if (p - (VT_SGR_BACKGROUND + 60) < 8) {
            pen->bg = VT_PALETTE | (p - (VT_SGR_BACKGROUND + 60) + 8);
        } else {
            switch (p) {
            case 0:
                pen->fg = pen->bg = pen->ul = 0;
                pen->attrs = 0;
                break;
#define ON(attribute, number, snapshot, name) \
    case number:                              \
        pen->attrs |= attribute;              \
        break;
                VT_SGR_ATTRIBUTES(ON)
#undef ON
#define OFF(attributes, number)                    \
    case number:                                   \
        pen->attrs &= (uint16_t) ~(attributes);    \
        break;
                VT_SGR_ENDS(OFF)
#undef OFF
            case 4:
                set_underline(pen, underline_kind(t, i + 1));
                break;
            case 21:
                set_underline(pen, 2);
                break;
            case VT_SGR_FOREGROUND + 8:
                colour(t, &i, &pen->fg);
                break;
            case VT_SGR_FOREGROUND + 9:
                pen->fg = 0;
                break;
            case VT_SGR_BACKGROUND + 8:
                colour(t, &i, &pen->bg);
                break;
            case VT_SGR_BACKGROUND + 9:
                pen->bg = 0;
                break;
            case VT_SGR_UNDERLINE + 8:
                colour(t, &i, &pen->ul);
                break;
            case VT_SGR_UNDERLINE + 9:
                pen->ul = 0;
                break;
            }
        }
        while (t->parser.colons >> (i + 1) & 1) /* subparameters without a meaning */
            i++;
    }
}

/* Only SGR uses subparameters; other functions get the parameters without them. */
static void drop_subparameters(vt *t)
{
    int kept = 0;
    for (int i = 0; i <= t->parser.param; i++)
        if (!(t->parser.colons >> i & 1))
            t->parser.params[kept++] = t->parser.params[i];
    t->parser.param = kept - 1;
}

/* `page`: what DECXCPR adds, the number of the only page. */
static void cursor_report(vt *t, const char *prefix, const char *page)
{
    int origin = !!(t->modes & VT_M_ORIGIN);
    int row = t->row + 1 - (origin ? t->top : 0), col = t->col + 1 - (origin ? t->left : 0);
    vt_answer(t, "\033[%s%d;%d%sR", prefix, row, col, page);
}

static void window_operation(vt *t)
{
    int second = arg(t, 1);
    int which = second == 0 ? VT_WINDOW_TITLE | VT_ICON_TITLE : second == 1 ? VT_ICON_TITLE : VT_WINDOW_TITLE;
    switch (arg(t, 0)) {
    case 14: /* of the text, or of the window: there is no other part of it */
        vt_answer(t, "\033[4;%d;%dt", t->rows * t->cell_height, t->cols * t->cell_width);
        break;
    case 15:
        vt_answer(t, "\033[5;%d;%dt", t->rows * t->cell_height, t->cols * t->cell_width);
        break;
    case 16:
        vt_answer(t, "\033[6;%d;%dt", t->cell_height, t->cell_width);
        break;
    case 18:
        vt_answer(t, "\033[8;%d;%dt", t->rows, t->cols);
        break;
    case 19:
        vt_answer(t, "\033[9;%d;%dt", t->rows, t->cols);
        break;
    case 20:
        vt_report_title(t, VT_ICON_TITLE);
        break;
    case 21:
        vt_report_title(t, VT_WINDOW_TITLE);
        break;
    case 22:
        if (second <= 2)
            vt_push_title(t, which);
        break;
    case 23:
        if (second <= 2)
            vt_pop_title(t, which);
        break;
    }
}

/* A CSI without private marker and intermediate. */
static inline void plain_function(vt *t, uint8_t final)
{
    int first = arg(t, 0), n = count(t, 0);
    switch (final) {
    case '@':
        vt_insert_chars(t, n);
        break;
    case 'A':
        vt_move_up(t, n);
        break;
    case 'B':
        vt_move_down(t, n);
        break;
    case 'C':
        vt_move_forward(t, n);
        break;
    case 'D':
        vt_move_back(t, n);
        break;
    case 'E':
        vt_move_down(t, n);
        vt_carriage_return(t);
        break;
    case 'F':
        vt_move_up(t, n);
        vt_carriage_return(t);
        break;
    case 'G':
    case '`':
        vt_move_col(t, n - 1);
        break;
    case 'H':
    case 'f':
        vt_move_to(t, n - 1, count(t, 1) - 1);
        break;
    case 'I':
        vt_tab(t, n);
        break;
    case 'J':
        vt_erase_display(t, first, 0);
        break;
    case 'K':
        vt_erase_line(t, first, 0);
        break;
    case 'L':
        vt_insert_lines(t, n);
        break;
    case 'M':
        vt_delete_lines(t, n);
        break;
    case 'P':
        vt_delete_chars(t, n);
        break;
    case 'S':
        vt_scroll_up(t, n);
        break;
    case 'T':
        if (t->parser.param || (!first && t->parser.given & 1)) /* the mouse tracking of old, which xterm.js has not */
            vt_viewer_differs(t);
        else
            vt_scroll_down(t, n);
        break;
    case '^': /* SD, as a misprint in ECMA-48 has it */
        vt_viewer_differs(t);
        vt_scroll_down(t, n);
        break;
    case 'X':
        vt_erase_chars(t, n);
        break;
    case 'Z':
        vt_back_tab(t, n);
        break;
    case 'a':
        vt_move_by(t, 0, n);
        break;
    case 'b':
        vt_repeat(t, n);
        break;
    case 'c':
        if (!first)
            vt_identify(t);
        break;
    case 'd':
        vt_move_row(t, n - 1);
        break;
    case 'e':
        vt_move_by(t, n, 0);
        break;
    case 'g':
        vt_tab_clear(t, first);
        break;
    case 'h':
    case 'l':
        for (int i = 0; i <= t->parser.param; i++) {
            vt_set_mode(t, arg(t, i), final == 'h');
            vt_viewer_inexact(t);
        }
        break;
    case 'n':
        if (first == 5)
            vt_answer(t, "\033[0n");
        else if (first == 6)
            cursor_report(t, "", "");
        break;
    case 'r':
        vt_set_region(t, first, arg(t, 1));
        break;
    case 's':
        if (t->modes & VT_M_MARGINS)
            vt_set_margins(t, first, arg(t, 1));
        else
            vt_save_cursor(t);
        break;
    case 't':
        window_operation(t);
        break;
    case 'u':
        vt_restore_cursor(t);
        break;
    case 'x':
        if (first <= 1)
            vt_answer(t, "\033[%d;1;1;128;128;1;0x", first + 2);
        break;
    }
}

/* XTSMGRAPHICS: what a picture may have. Nothing can be set; asking for what is in force or for the most is the same. */
static void graphics_report(vt *t, int item, int action)
{
    int width = vt_min(t->cols, VT_MARKS) * t->cell_width, height = vt_min(t->rows, VT_MARKS) * t->cell_height;
    if (item != 1 && item != 2)
        vt_answer(t, "\033[?%d;1S", item);
    else if (action != 1 && action != 2 && action != 4)
        vt_answer(t, "\033[?%d;2S", item);
    else if (item == 1)
        vt_answer(t, "\033[?1;0;%dS", VT_SIXEL_COLOURS);
    else
        vt_answer(t, "\033[?2;0;%d;%dS", vt_min(width, VT_PICTURE_SIDE), vt_min(height, VT_PICTURE_SIDE));
}

#define KEY VT_KEY

static void extended_function(vt *t, uint8_t final)
{
    int args[VT_PARAMS] = {0};
    for (int i = 0; i <= t->parser.param; i++)
        args[i] = arg(t, i);
    vt_extended(t, KEY(t->parser.prefix, t->parser.intermediates_n ? t->parser.intermediates[0] : 0, final), args,
                t->parser.param + 1);
}

/* A CSI with a private marker or an intermediate. */
static void other_function(vt *t, uint8_t final)
{
    int first = arg(t, 0), n = count(t, 0);
    switch (KEY(t->parser.prefix, t->parser.intermediates_n ? t->parser.intermediates[0] : 0, final)) {
    case KEY(0, ' ', '@'):
        vt_delete_cols(t, t->left, n);
        break;
    case KEY(0, ' ', 'A'):
        vt_insert_cols(t, t->left, n);
        break;
    case KEY('?', 0, 'J'):
        vt_erase_display(t, first, 1);
        break;
    case KEY('?', 0, 'K'):
        vt_erase_line(t, first, 1);
        break;
    case KEY('>', 0, 'c'):
        if (!first && !t->parser.param) /* the answer itself has parameters: a program that echoes it is not answered */
            vt_answer(t, "\033[>41;379;0c");
        break;
    case KEY('=', 0, 'c'):
        if (!first)
            vt_answer(t, "\033P!|00000000\033\\");
        break;
    case KEY('?', 0, 'S'):
        graphics_report(t, first, arg(t, 1));
        break;
    case KEY('?', 0, 'h'):
    case KEY('?', 0, 'l'):
        for (int i = 0; i <= t->parser.param; i++) {
            vt_set_dec_mode(t, arg(t, i), final == 'h');
            vt_viewer_inexact(t);
        }
        break;
    case KEY('?', 0, 'n'):
        if (first == 6)
            cursor_report(t, "?", t->level > 1 ? ";1" : "");
        else if (first == 996)
            vt_report_theme(t);
        else
            vt_report_status(t, first, arg(t, 1));
        break;
    case KEY(0, '!', 'p'):
        vt_soft_reset(t);
        break;
    case KEY(0, '$', 'p'):
        if (t->level >= 3)
            vt_answer(t, "\033[%d;%d$y", first, vt_report_mode(t, first));
        break;
    case KEY('?', '$', 'p'):
        if (t->level >= 3)
            vt_answer(t, "\033[?%d;%d$y", first, vt_report_dec_mode(t, first));
        break;
    case KEY(0, ' ', 'q'):
        if (first <= 6)
            t->shape = first;
        break;
    case KEY(0, '"', 'q'):
        if (first <= 2)
            vt_protect(t, first == 1, 0);
        break;
    case KEY('>', 0, 'q'):
        if (!first)
            vt_answer(t, "\033P>|vibetunnel\033\\");
        break;
    case KEY('>', 0, 'm'):
        vt_modify_keys(t, first || t->parser.param ? first : -1, arg(t, 1));
        break;
    case KEY('>', 0, 'n'):
        if (first)
            vt_modify_keys(t, first, -1);
        break;
    case KEY('?', 0, 'm'):
        if (vt_modified_keys(t, first) >= 0)
            vt_answer(t, "\033[>%d;%dm", first, vt_modified_keys(t, first));
        break;
    case KEY('?', 0, 'u'):
        vt_answer(t, "\033[?%uu", vt_kitty_flags(t));
        break;
    case KEY('>', 0, 'u'):
        vt_kitty_push(t, first);
        break;
    case KEY('<', 0, 'u'):
        vt_kitty_pop(t, n);
        break;
    case KEY('=', 0, 'u'):
        vt_kitty_set(t, first, count(t, 1));
        break;
    case KEY(0, '\'', '}'):
        if (t->level >= 4)
            vt_insert_cols(t, t->col, n);
        break;
    case KEY(0, '\'', '~'):
        if (t->level >= 4)
            vt_delete_cols(t, t->col, n);
        break;
    default:
        extended_function(t, final);
    }
}

static inline void dispatch(vt *t, uint8_t final, int plain)
{
    t->budget -= VT_STEP_COST;
    if (t->parser.colons)
        drop_subparameters(t);
    if (plain)
        plain_function(t, final);
    else if (t->parser.intermediates_n < 2)
        other_function(t, final);
}

void vt_csi(vt *t, uint8_t final, int plain)
{
    t->parser.state = VT_GROUND;
    if (t->parser.param == VT_PARAMS)
        t->parser.param--;
    if (final == 'm' && plain) {
        t->budget -= VT_STEP_COST / 2;
        sgr(t);
    } else {
        dispatch(t, final, plain);
    }
    t->last_char = 0;
}
