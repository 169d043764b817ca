/* The parser: bytes in, text and control functions out; DEC's state machine (vt100.net/emu/dec_ansi_parser) over UTF-8.

   All state is in the struct, so that a chunk may end anywhere. Text is found by a scan for what is not printable
   ASCII; a CSI is read by one loop. As in xterm.js, C1 controls are the code points U+0080..9F (two bytes in UTF-8) and
   not the raw bytes, a character that no control function can contain ends one without being printed, and invalid UTF-8
   is U+FFFD, one for each maximal subpart. */
#include "vt_state.h"

#include <stdio.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define RUN_MAX 4096     /* bytes of text printed between two looks at the work that is left */
#define STEP_WORK 8      /* cells' worth of a control function, besides what it touches */
#define PARAM_MAX 65535
#define PARTIAL_HEAD 256 /* bytes that the introducer of a string can have: 33 parameters */
#define STRING_KEEP 4096 /* bytes of the string buffer that are kept for the next string */

enum {
    GROUND,
    ESCAPE,
    ESCAPE_INTERMEDIATE,
    CSI_ENTRY,
    CSI_PARAM,
    CSI_INTERMEDIATE,
    CSI_IGNORE,
    DCS_ENTRY,
    DCS_PARAM,
    DCS_INTERMEDIATE,
    DCS_IGNORE,
    DCS_STRING,
    OSC_STRING,
    OTHER_STRING, /* SOS, PM, APC: read and forgotten */
};

enum { BEL = 7, CAN = 0x18, SUB = 0x1A, ESC = 0x1B, DEL = 0x7F };

/* ---- control functions ---- */

static void control(vt *t, uint8_t c)
{
    t->last_char = 0;
    t->work--;
    t->changed |= c >= '\b' && c <= '\r';
    switch (c) {
    case BEL:
        if (!t->muted && t->bells < UINT32_MAX) {
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

static void full_reset(vt *t)
{
    vt_reset(t);
    t->state = GROUND;
}

static void identify(vt *t) { vt_answer(t, "\033[?1;2c"); }

/* National sets are as good as ASCII here; of a set that nobody knows nothing is changed. */
static void designate(vt *t, int set, uint8_t final)
{
    if (strchr("0AB45CRQKYE6ZH7=", final))
        t->charsets[set] = final == '0' || final == 'A' ? final : 'B';
}

static void escape(vt *t, uint8_t final)
{
    t->work -= STEP_WORK;
    t->last_char = 0;
    t->changed = 1;
    if (t->intermediates_n) {
        if (t->intermediates_n > 1)
            return;
        switch (t->intermediates[0]) {
        case '(':
        case ')':
        case '*':
        case '+':
            designate(t, t->intermediates[0] - '(', final);
            break;
        case '%':
            if (final == '@' || final == 'G') {
                t->gl = 0;
                t->charsets[0] = 'B';
            }
            break;
        case '#':
            if (final == '8')
                vt_alignment(t);
            break;
        }
        return;
    }
    switch (final) {
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
        t->single_shift = 2;
        break;
    case 'O':
        t->single_shift = 3;
        break;
    case 'Z':
        identify(t);
        break;
    case 'c':
        full_reset(t);
        break;
    case 'n':
        t->gl = 2;
        break;
    case 'o':
        t->gl = 3;
        break;
    }
}

/* ---- CSI ---- */

static inline int arg(const vt *t, int i) { return i <= t->param ? t->params[i] : 0; }

/* A count or position, of which 0 means 1. */
static inline int count(const vt *t, int i) { return arg(t, i) ? arg(t, i) : 1; }

/* SGR 38, 48, 58 at `i`: the colour, and `i` on the last parameter that belongs to it. With colons: 5:n, 2:r:g:b or
   2:space:r:g:b; what is missing is 0. */
static int colour(const vt *t, int *i, uint32_t *colour)
{
    int at = *i + 1, end = at, colons = t->colons >> at & 1;
    int mode = arg(t, at);
    if (colons)
        while (end <= t->param && t->colons >> end & 1)
            end++;
    else
        end = at + (mode == 2 ? 4 : mode == 5 ? 2 : 1);
    *i = end - 1;
    if (mode == 5) {
        *colour = VT_PALETTE | (arg(t, at + 1) & 255);
        return 1;
    }
    if (mode != 2)
        return 0;
    at += colons && end - at > 4 ? 2 : 1;
    uint32_t rgb = 0;
    for (int k = at; k < at + 3; k++)
        rgb = rgb << 8 | (k < end ? arg(t, k) & 255 : 0);
    *colour = VT_RGB | rgb;
    return 1;
}

static void set_underline(vt_style *pen, int style)
{
    pen->attrs = (uint16_t)((pen->attrs & ~VT_UNDERLINE) | (style > 5 ? 1 : style) << VT_UNDERLINE_SHIFT);
}

static void sgr(vt *t)
{
    vt_style *pen = &t->pen;
    t->pen_dirty = 1;
    for (int i = 0; i <= t->param; i++) {
        unsigned p = t->params[i];
        if (p - 30 < 8) {
            pen->fg = VT_PALETTE | (p - 30);
        } else if (p - 40 < 8) {
            pen->bg = VT_PALETTE | (p - 40);
        } else if (p - 90 < 8) {
            pen->fg = VT_PALETTE | (p - 90 + 8);
        } else if (p - 100 < 8) {
            pen->bg = VT_PALETTE | (p - 100 + 8);
        } else {
            switch (p) {
            case 0:
                pen->fg = pen->bg = pen->ul = 0;
                pen->attrs = 0;
                break;
            case 1:
                pen->attrs |= VT_BOLD;
                break;
            case 2:
                pen->attrs |= VT_DIM;
                break;
            case 3:
                pen->attrs |= VT_ITALIC;
                break;
            case 4:
                set_underline(pen, t->colons >> (i + 1) & t->given >> (i + 1) & 1 ? t->params[i + 1] : 1);
                break;
            case 5:
                pen->attrs |= VT_BLINK;
                break;
            case 7:
                pen->attrs |= VT_INVERSE;
                break;
            case 8:
                pen->attrs |= VT_INVISIBLE;
                break;
            case 9:
                pen->attrs |= VT_STRIKE;
                break;
            case 21:
                set_underline(pen, 2);
                break;
            case 22:
                pen->attrs &= (uint16_t) ~(VT_BOLD | VT_DIM);
                break;
            case 23:
                pen->attrs &= (uint16_t)~VT_ITALIC;
                break;
            case 24:
                set_underline(pen, 0);
                break;
            case 25:
                pen->attrs &= (uint16_t)~VT_BLINK;
                break;
            case 27:
                pen->attrs &= (uint16_t)~VT_INVERSE;
                break;
            case 28:
                pen->attrs &= (uint16_t)~VT_INVISIBLE;
                break;
            case 29:
                pen->attrs &= (uint16_t)~VT_STRIKE;
                break;
            case 38:
                if (t->params[i + 1] == 2 && i + 4 <= t->param && !t->colons) {
                    pen->fg = VT_RGB | (t->params[i + 2] & 255u) << 16 | (t->params[i + 3] & 255u) << 8
                              | (t->params[i + 4] & 255u);
                    i += 4;
                } else {
                    colour(t, &i, &pen->fg);
                }
                break;
            case 39:
                pen->fg = 0;
                break;
            case 48:
                colour(t, &i, &pen->bg);
                break;
            case 49:
                pen->bg = 0;
                break;
            case 53:
                pen->attrs |= VT_OVERLINE;
                break;
            case 55:
                pen->attrs &= (uint16_t)~VT_OVERLINE;
                break;
            case 58:
                colour(t, &i, &pen->ul);
                break;
            case 59:
                pen->ul = 0;
                break;
            }
        }
        while (t->colons >> (i + 1) & 1) /* subparameters of what has none */
            i++;
    }
}

/* Subparameters mean something to SGR alone: others see the parameters without them. */
static void drop_subparameters(vt *t)
{
    int kept = 0;
    for (int i = 0; i <= t->param; i++)
        if (!(t->colons >> i & 1))
            t->params[kept++] = t->params[i];
    t->param = kept - 1;
}

static void cursor_report(vt *t, const char *prefix)
{
    int origin = !!(t->modes & VT_M_ORIGIN);
    vt_answer(t, "\033[%s%d;%dR", prefix, t->row + 1 - (origin ? t->top : 0), t->col + 1 - (origin ? t->left : 0));
}

static void window_operation(vt *t)
{
    int second = arg(t, 1);
    switch (arg(t, 0)) {
    case 18:
        vt_answer(t, "\033[8;%d;%dt", t->rows, t->cols);
        break;
    case 19:
        vt_answer(t, "\033[9;%d;%dt", t->rows, t->cols);
        break;
    case 22:
        if (second == 0 || second == 2)
            vt_push_title(t);
        break;
    case 23:
        if (second == 0 || second == 2)
            vt_pop_title(t);
        break;
    }
}

/* 1: the screen or the cursor may have changed. */
static inline int plain_function(vt *t, uint8_t final)
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
            identify(t);
        return 0;
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
        for (int i = 0; i <= t->param; i++)
            vt_set_mode(t, arg(t, i), final == 'h');
        break;
    case 'n':
        if (first == 5)
            vt_answer(t, "\033[0n");
        else if (first == 6)
            cursor_report(t, "");
        return 0;
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
        return 0;
    case 'u':
        vt_restore_cursor(t);
        break;
    case 'x':
        if (first <= 1)
            vt_answer(t, "\033[%d;1;1;128;128;1;0x", first + 2);
        return 0;
    default:
        return 0;
    }
    return 1;
}

#define KEY(prefix, intermediate, final) ((prefix) << 16 | (intermediate) << 8 | (final))

/* The same for those with a private marker or an intermediate. */
static int other_function(vt *t, uint8_t final)
{
    int first = arg(t, 0), n = count(t, 0);
    switch (KEY(t->prefix, t->intermediates_n ? t->intermediates[0] : 0, final)) {
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
        if (!first && !t->param) /* the answer itself, come back, has parameters */
            vt_answer(t, "\033[>0;276;0c");
        return 0;
    case KEY('=', 0, 'c'):
        if (!first)
            vt_answer(t, "\033P!|00000000\033\\");
        return 0;
    case KEY('?', 0, 'h'):
    case KEY('?', 0, 'l'):
        for (int i = 0; i <= t->param; i++)
            vt_set_dec_mode(t, arg(t, i), final == 'h');
        break;
    case KEY('?', 0, 'n'):
        if (first == 6)
            cursor_report(t, "?");
        else if (first == 996)
            vt_answer(t, "\033[?997;1n"); /* dark, as the colours that OSC 4, 10 and 11 tell */
        return 0;
    case KEY(0, '!', 'p'):
        vt_soft_reset(t);
        break;
    case KEY(0, '$', 'p'):
        vt_answer(t, "\033[%d;%d$y", first, vt_report_mode(t, first));
        return 0;
    case KEY('?', '$', 'p'):
        vt_answer(t, "\033[?%d;%d$y", first, vt_report_dec_mode(t, first));
        return 0;
    case KEY(0, ' ', 'q'):
        if (first <= 6)
            t->shape = first;
        break;
    case KEY(0, '"', 'q'):
        if (first <= 2) {
            t->protect = first == 1;
            t->pen_dirty = 1;
        }
        break;
    case KEY('>', 0, 'q'):
        if (!first)
            vt_answer(t, "\033P>|vibetunnel\033\\");
        return 0;
    case KEY('?', 0, 'u'):
        vt_answer(t, "\033[?%uu", vt_kitty_flags(t));
        return 0;
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
        vt_insert_cols(t, t->col, n);
        break;
    case KEY(0, '\'', '~'):
        vt_delete_cols(t, t->col, n);
        break;
    default:
        return 0;
    }
    return 1;
}

static inline void dispatch(vt *t, uint8_t final, int plain)
{
    t->work -= STEP_WORK;
    if (t->colons)
        drop_subparameters(t);
    if (plain)
        t->changed |= plain_function(t, final);
    else if (t->intermediates_n < 2)
        t->changed |= other_function(t, final);
}

/* `plain`: without private marker and intermediate, which callers may know sooner than they can be read back. */
static void finish_csi(vt *t, uint8_t final, int plain)
{
    t->state = GROUND;
    if (t->param == VT_PARAMS)
        t->param--;
    if (final == 'm' && plain) {
        t->work -= STEP_WORK / 2;
        sgr(t);
    } else {
        dispatch(t, final, plain);
    }
    t->last_char = 0;
}

/* ---- strings ---- */

static void begin_parameters(vt *t, int state)
{
    t->state = (uint8_t)state;
    t->prefix = 0;
    t->intermediates_n = 0;
    t->param = 0;
    t->params[0] = 0;
    t->colons = t->given = 0;
}

static void begin_string(vt *t, int state)
{
    t->state = (uint8_t)state;
    t->string.n = 0;
    t->string_over = 0;
}

static void put_string(vt *t, const uint8_t *p, size_t n)
{
    if (t->state == OTHER_STRING || t->string_over)
        return;
    if (t->string.n + n > VT_STRING_MAX || vt_put(&t->string, p, n)) {
        vt_buf_free(&t->string);
        t->string_over = 1;
    }
}

/* `end` is the offset behind the sequence. */
static void finish_string(vt *t, uint64_t end, int bel)
{
    if (t->state != OTHER_STRING)
        t->last_char = 0;
    if (t->state == OSC_STRING && !t->string_over)
        vt_osc(t, end, bel);
    else if (t->state == DCS_STRING && !t->string_over)
        vt_dcs(t);
    if (t->string.size > STRING_KEEP)
        vt_buf_free(&t->string);
    t->state = GROUND;
}

static uint64_t offset_of(const vt *t, const uint8_t *p) { return t->offset + (uint64_t)(p - t->chunk); }

/* ---- UTF-8 that no fast path takes, and C1 ---- */

/* A C1 control; `end` is the offset behind it. It ends whatever is being read; only ST completes a string. */
static void c1(vt *t, uint32_t code, uint64_t end)
{
    if (code == 0x9C)
        finish_string(t, end, 0);
    t->state = GROUND;
    t->last_char = 0;
    t->changed = 1;
    t->work -= STEP_WORK;
    switch (code) {
    case 0x84:
        vt_index(t);
        break;
    case 0x85:
        vt_next_line(t);
        break;
    case 0x88:
        vt_tab_set(t);
        break;
    case 0x90:
        begin_parameters(t, DCS_ENTRY);
        break;
    case 0x9B:
        begin_parameters(t, CSI_ENTRY);
        break;
    case 0x9D:
        t->sequence = end - 2;
        begin_string(t, OSC_STRING);
        break;
    case 0x98:
    case 0x9E:
    case 0x9F:
        t->final = (uint8_t)(code - 0x40); /* as the ESC that a redraw begins it with */
        begin_string(t, OTHER_STRING);
        break;
    }
}

static void character(vt *t, uint32_t code, uint64_t end)
{
    if (code == 0xFEFF) /* a byte order mark is nowhere printed */
        return;
    if (code >= 0x80 && code < 0xA0)
        c1(t, code, end);
    else if (t->state == GROUND) {
        vt_print_code(t, code);
        t->changed = 1;
    } else if (t->state != CSI_IGNORE && t->state != DCS_IGNORE)
        t->state = GROUND;
}

static uint32_t assembled(const uint8_t *p, int n)
{
    static const uint8_t mask[] = {0, 0, 0x1F, 0x0F, 0x07};
    uint32_t code = p[0] & mask[n];
    for (int i = 1; i < n; i++)
        code = code << 6 | (p[i] & 0x3F);
    return code;
}

/* Take one byte of a character that is not ASCII, outside of strings; or leave it, when it cannot go on the one that
   has begun. The bounds of second bytes leave out what is overlong, a surrogate or too large (Unicode, table 3-7). */
static const uint8_t *utf8_byte(vt *t, const uint8_t *p)
{
    uint8_t c = *p;
    if (!t->utf8_n) {
        t->utf8_need = c < 0xC2 ? 0 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : c < 0xF5 ? 4 : 0;
        if (!t->utf8_need) {
            character(t, 0xFFFD, offset_of(t, p + 1));
        } else {
            t->utf8[0] = c;
            t->utf8_n = 1;
        }
        return p + 1;
    }
    uint8_t low = 0x80, high = 0xBF;
    if (t->utf8_n == 1) {
        switch (t->utf8[0]) {
        case 0xE0:
            low = 0xA0;
            break;
        case 0xED:
            high = 0x9F;
            break;
        case 0xF0:
            low = 0x90;
            break;
        case 0xF4:
            high = 0x8F;
            break;
        }
    }
    if (c < low || c > high) {
        t->utf8_n = 0;
        character(t, 0xFFFD, offset_of(t, p));
        return p;
    }
    t->utf8[t->utf8_n++] = c;
    if (t->utf8_n == t->utf8_need) {
        t->utf8_n = 0;
        character(t, assembled(t->utf8, t->utf8_need), offset_of(t, p + 1));
    }
    return p + 1;
}

/* ---- states ---- */

/* What may come in every state. 1: it was that. */
static int anywhere(vt *t, uint8_t c, const uint8_t *p)
{
    if (c == ESC) {
        t->state = ESCAPE;
        t->intermediates_n = 0;
        t->sequence = offset_of(t, p);
        return 1;
    }
    if (c == CAN || c == SUB) {
        t->state = GROUND;
        t->last_char = 0;
        return 1;
    }
    return 0;
}

static void collect(vt *t, uint8_t c)
{
    if (t->intermediates_n < 2)
        t->intermediates[t->intermediates_n] = c;
    if (t->intermediates_n < 3)
        t->intermediates_n++;
}

static void escape_byte(vt *t, uint8_t c)
{
    if (c < 0x20) {
        control(t, c);
    } else if (c < 0x30) {
        collect(t, c);
        t->state = ESCAPE_INTERMEDIATE;
    } else if (c == DEL) {
        return;
    } else if (t->state == ESCAPE && c == '[') {
        begin_parameters(t, CSI_ENTRY);
    } else if (t->state == ESCAPE && c == ']') {
        begin_string(t, OSC_STRING);
    } else if (t->state == ESCAPE && c == 'P') {
        begin_parameters(t, DCS_ENTRY);
    } else if (t->state == ESCAPE && (c == 'X' || c == '^' || c == '_')) {
        begin_string(t, OTHER_STRING);
        t->final = c;
    } else {
        t->state = GROUND;
        escape(t, c);
    }
}

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
/* The number that begins at `p`, of which 8 bytes may be read: its digits, and its value if they are at most four. How
   many there are cannot be guessed, so there is no branch. */
static inline int number(const uint8_t *p, uint32_t *value)
{
    uint64_t bytes;
    memcpy(&bytes, p, 8);
    bytes ^= 0x3030303030303030u; /* a digit is less than 10 now */
    uint64_t others = (bytes | (bytes + 0x7676767676767676u)) & 0x8080808080808080u;
    int bits = others ? __builtin_ctzll(others) & 0x78 : 64;
    uint32_t digits = (uint32_t)((bytes & UINT32_MAX) << ((32 - bits) & 63)); /* with zeros before them, if need be */
    digits = (digits * 10 + (digits >> 8)) & 0x00FF00FF;
    *value = (digits & 0xFF) * 100 + (digits >> 16);
    return bits / 8;
}
#endif

/* Parameters of a CSI or DCS, as far as they go; returns at the first byte that is none. */
static inline const uint8_t *parameters(vt *t, const uint8_t *p, const uint8_t *end)
{
    int i = t->param;
    uint32_t value = t->params[i];
    uint64_t given = t->given;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    while (end - p >= 8 && !(given >> i & 1)) {
        int n = number(p, &value);
        if (n > 4) {
            value = 0;
            break;
        }
        given |= (uint64_t)(n > 0) << i;
        p += n;
        if (*p != ';' && *p != ':')
            goto end;
        t->params[i] = (uint16_t)value;
        value = 0;
        if (i < VT_PARAMS)
            i++;
        if (*p++ == ':')
            t->colons |= (uint64_t)1 << i;
    }
#endif
    while (p < end) {
        uint32_t digit = (uint32_t)*p - '0';
        if (digit < 10) {
            given |= (uint64_t)1 << i;
            do {
                value = value * 10 + digit;
                if (value > PARAM_MAX)
                    value = PARAM_MAX;
            } while (++p < end && (digit = (uint32_t)*p - '0') < 10);
            if (p == end)
                break;
        }
        if (*p != ';' && *p != ':')
            break;
        t->params[i] = (uint16_t)value;
        value = 0;
        if (i < VT_PARAMS)
            i++;
        if (*p++ == ':')
            t->colons |= (uint64_t)1 << i;
    }
end:
    t->given = given;
    t->params[i] = (uint16_t)value;
    t->param = i;
    return p;
}

/* The byte behind parameters. CSI and DCS have one grammar; what differs is where it leads to. */
static void parameter_end(vt *t, uint8_t c)
{
    int csi = t->state < DCS_ENTRY, entry = t->state == CSI_ENTRY || t->state == DCS_ENTRY;
    int intermediate = t->state == CSI_INTERMEDIATE || t->state == DCS_INTERMEDIATE;
    int ignore = t->state == CSI_IGNORE || t->state == DCS_IGNORE;
    if (c < 0x20) {
        if (csi)
            control(t, c);
    } else if (c == DEL) {
        return;
    } else if (c >= 0x40) {
        if (ignore && csi) {
            t->state = GROUND;
        } else if (csi) {
            finish_csi(t, c, !(t->prefix | t->intermediates_n));
        } else if (!ignore) {
            t->final = c;
            begin_string(t, DCS_STRING);
        }
    } else if (ignore) {
        return;
    } else if (c < 0x30) {
        collect(t, c);
        t->state = csi ? CSI_INTERMEDIATE : DCS_INTERMEDIATE;
    } else if (entry && c >= 0x3C) {
        t->prefix = c;
        t->state = csi ? CSI_PARAM : DCS_PARAM;
    } else if (intermediate || c >= 0x3C) {
        t->state = csi ? CSI_IGNORE : DCS_IGNORE;
    }
}

static const uint8_t *parameter_bytes(vt *t, const uint8_t *p, const uint8_t *end)
{
    if (t->state == CSI_ENTRY || t->state == CSI_PARAM || t->state == DCS_ENTRY || t->state == DCS_PARAM) {
        const uint8_t *stop = parameters(t, p, end);
        if (stop > p)
            t->state = t->state < DCS_ENTRY ? CSI_PARAM : DCS_PARAM;
        p = stop;
        if (p == end)
            return p;
    }
    if (*p >= 0x80)
        return utf8_byte(t, p);
    if (!anywhere(t, *p, p))
        parameter_end(t, *p);
    return p + 1;
}

/* Bytes of a string up to its end. U+0080..9F is found by its first byte, which stands nowhere else in UTF-8. */
static const uint8_t *string_bytes(vt *t, const uint8_t *p, const uint8_t *end)
{
    if (t->utf8_n) { /* C2 was the last byte of the chunk before */
        t->utf8_n = 0;
        if (*p >= 0x80 && *p < 0xA0) {
            c1(t, *p, offset_of(t, p + 1));
            return p + 1;
        }
        put_string(t, t->utf8, 1);
    }
    const uint8_t *from = p;
    while (p < end && *p >= 0x20 && *p != 0xC2)
        p++;
    t->work -= (p - from) / 8;
    put_string(t, from, (size_t)(p - from));
    if (p == end)
        return p;
    uint8_t c = *p++;
    if (c == 0xC2) {
        if (p == end) {
            t->utf8[0] = c;
            t->utf8_n = 1;
        } else if (*p >= 0x80 && *p < 0xA0) {
            c1(t, *p, offset_of(t, p + 1));
            p++;
        } else {
            put_string(t, &c, 1);
        }
    } else if (c == ESC) {
        finish_string(t, offset_of(t, p + 1), 0); /* a backslash follows, or should */
        anywhere(t, c, p - 1);
    } else if (c == CAN || c == SUB) {
        anywhere(t, c, p - 1);
    } else if (c == BEL && t->state == OSC_STRING) {
        finish_string(t, offset_of(t, p), 1);
    } else if (t->state == DCS_STRING) {
        put_string(t, &c, 1);
    }
    return p;
}

/* The first byte at or behind `p` that is not printable ASCII. */
static inline const uint8_t *skip_text(const uint8_t *p, const uint8_t *end)
{
#ifdef __SSE2__
    const __m128i space = _mm_set1_epi8(0x20), del = _mm_set1_epi8(DEL);
    for (; end - p >= 16; p += 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)p);
        /* Signed: what is 0x80 and up is less than a space too. */
        int stop = _mm_movemask_epi8(_mm_or_si128(_mm_cmplt_epi8(bytes, space), _mm_cmpeq_epi8(bytes, del)));
        if (stop)
            return p + __builtin_ctz((unsigned)stop);
    }
#else
    for (; end - p >= 8; p += 8) {
        const uint64_t ones = 0x0101010101010101u, high = 0x80 * ones;
        uint64_t bytes;
        memcpy(&bytes, p, 8);
        uint64_t low = bytes - 0x20 * ones, del = (bytes ^ DEL * ones) - ones;
        if ((bytes | low | del) & high) /* wrong, perhaps, about bytes behind the first: that one is looked for below */
            break;
    }
#endif
    while (p < end && *p >= 0x20 && *p < DEL)
        p++;
    return p;
}

/* Everything up to a sequence that the chunk does not complete. */
static const uint8_t *ground(vt *t, const uint8_t *p, const uint8_t *end)
{
    while (p < end && t->work > 0) {
        uint8_t c = *p;
        if (c >= 0x20 && c < DEL) {
            const uint8_t *stop = skip_text(p + 1, end - p > RUN_MAX ? p + RUN_MAX : end);
            vt_print_text(t, p, (size_t)(stop - p), end);
            t->changed = 1;
            p = stop;
        } else if (c == ESC) {
            if (end - p < 2 || p[1] != '[') {
                anywhere(t, c, p);
                return p + 1;
            }
            begin_parameters(t, CSI_ENTRY);
            p += 2;
            int plain = p == end || *p < 0x3C || *p >= 0x40;
            if (!plain)
                t->prefix = *p++;
            p = parameters(t, p, end);
            if (p < end && *p >= 0x40 && *p < DEL) {
                finish_csi(t, *p++, plain);
            } else {
                t->state = p[-1] == '[' ? CSI_ENTRY : CSI_PARAM;
                return p;
            }
        } else if (c == '\n') {
            t->last_char = 0;
            t->work--;
            vt_line_feed(t);
            t->changed = 1;
            p++;
        } else if (c == '\r') {
            t->last_char = 0;
            t->work--;
            t->changed = 1;
            if (++p < end && *p == '\n') {
                vt_new_line(t);
                p++;
            } else {
                vt_carriage_return(t);
            }
        } else if (c >= 0x80) {
            const uint8_t *stop = vt_print_utf8(t, p, end);
            if (stop == p)
                return utf8_byte(t, p);
            t->changed = 1;
            p = stop;
        } else {
            if (c == CAN || c == SUB)
                t->last_char = 0;
            else if (c != DEL)
                control(t, c);
            p++;
        }
    }
    return p;
}

size_t vt_feed(vt *t, const uint8_t *data, size_t n, size_t work)
{
    if (!n)
        return 0;
    const uint8_t *p = data, *end = data + n;
    t->work = work > INT32_MAX ? INT32_MAX : work ? (int64_t)work : 1;
    t->chunk = data;
    t->changed = 0;
    uint32_t events = t->events;
    while (p < end && (t->work > 0 || p == data)) {
        if (t->work <= 0) /* a character broken off cost it all, and its next byte is still to be taken */
            t->work = 1;
        if (t->state >= DCS_STRING)
            p = string_bytes(t, p, end);
        else if (t->utf8_n)
            p = utf8_byte(t, p);
        else if (t->state == GROUND)
            p = ground(t, p, end);
        else if (t->state >= CSI_ENTRY)
            p = parameter_bytes(t, p, end);
        else if (*p >= 0x80)
            p = utf8_byte(t, p);
        else {
            if (!anywhere(t, *p, p))
                escape_byte(t, *p);
            p++;
        }
    }
    t->offset += (uint64_t)(p - data);
    t->generation += t->changed;
    t->chunk = NULL;
    if (t->muted)
        t->events = events;
    return (size_t)(p - data);
}

/* ---- the unfinished sequence ---- */

static void put_parameters(const vt *t, vt_buf *out)
{
    char text[8];
    if (t->prefix)
        vt_put(out, &t->prefix, 1);
    for (int i = 0; i <= t->param; i++) {
        int n = 0;
        if (i)
            text[n++] = t->colons >> i & 1 ? ':' : ';';
        if (t->given >> i & 1)
            n += snprintf(text + n, sizeof text - (size_t)n, "%u", t->params[i]);
        vt_put(out, text, (size_t)n);
    }
}

void vt_partial(const vt *t, vt_buf *out)
{
    static const char *const begin[] = {"",      "\033",  "\033",  "\033[", "\033[", "\033[", "\033[0<",
                                        "\033P", "\033P", "\033P", "\033P0<", "\033P", "\033]", "\033"};
    if ((t->state == OSC_STRING || t->state == DCS_STRING)
        && (t->string_over || t->string.n > VT_PARTIAL_MAX - PARTIAL_HEAD)) {
        const char *unknown = t->state == OSC_STRING ? "\033]9999;" : "\033Pz"; /* nothing knows these */
        vt_put(out, unknown, strlen(unknown));
        vt_put(out, t->utf8, t->utf8_n);
        return;
    }
    vt_put(out, begin[t->state], strlen(begin[t->state]));
    if (t->state >= CSI_ENTRY && t->state <= DCS_STRING && t->state != CSI_IGNORE && t->state != DCS_IGNORE)
        put_parameters(t, out);
    if (t->state == ESCAPE_INTERMEDIATE || t->state == CSI_INTERMEDIATE || t->state == DCS_INTERMEDIATE
        || t->state == DCS_STRING) {
        const uint8_t *last = &t->intermediates[1];
        vt_put(out, t->intermediates, t->intermediates_n < 2 ? t->intermediates_n : 2);
        if (t->intermediates_n > 2)
            vt_put(out, last, 1);
    }
    if (t->state == DCS_STRING || t->state == OTHER_STRING)
        vt_put(out, &t->final, 1);
    if (t->state == DCS_STRING || t->state == OSC_STRING) {
        vt_put(out, t->string.data, t->string.n);
    }
    vt_put(out, t->utf8, t->utf8_n);
}
