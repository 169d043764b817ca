/* Modes, and the state saved and reset with them: the cursor, the alternate screen, keyboard flags. */
#include "vt_state.h"

#include <string.h>

#define DEFAULT_MODES (VT_M_WRAP | VT_M_CURSOR | VT_M_GRAPHEMES)
#define SOFT_DEFAULT_MODES (VT_M_WRAP | VT_M_CURSOR)
#define SOFT_RESET_MODES                                                                                   \
    (VT_M_APP_CURSOR | VT_M_ORIGIN | VT_M_MARGINS | VT_M_APP_KEYPAD | VT_M_INSERT | VT_M_REVERSE_WRAP       \
     | VT_M_REVERSE_WRAP_ANY)
#define XTERM_JS_SOFT_RESET_MODES (VT_M_FOCUS | VT_M_PASTE | VT_M_SYNC) /* which it resets besides */

const vt_dec_mode vt_dec_modes[VT_DEC_MODE_COUNT] = {
    {1, VT_M_APP_CURSOR},   {5, VT_M_REVERSE},       {6, VT_M_ORIGIN},          {7, VT_M_WRAP},
    {9, VT_M_MOUSE_X10},    {12, VT_M_BLINK},        {25, VT_M_CURSOR},         {45, VT_M_REVERSE_WRAP},
    {66, VT_M_APP_KEYPAD},  {69, VT_M_MARGINS},      {1000, VT_M_MOUSE},        {1002, VT_M_MOUSE_DRAG},
    {1003, VT_M_MOUSE_ANY}, {1004, VT_M_FOCUS},      {1005, VT_M_MOUSE_UTF8},   {1006, VT_M_MOUSE_SGR},
    {1007, VT_M_ALT_SCROLL}, {1015, VT_M_MOUSE_URXVT}, {1016, VT_M_MOUSE_PIXELS}, {2004, VT_M_PASTE},
    {2026, VT_M_SYNC},      {2031, VT_M_COLOUR_SCHEME}, {2027, VT_M_GRAPHEMES},   {2048, VT_M_RESIZES},
    {80, VT_M_SIXEL_DISPLAY}, {8452, VT_M_SIXEL_RIGHT}, {4, VT_M_SMOOTH},        {18, VT_M_FORM_FEED},
    {19, VT_M_PRINT_ALL},   {40, VT_M_COLUMNS},      {41, VT_M_TAB_WRAP},       {42, VT_M_NATIONAL},
    {1045, VT_M_REVERSE_WRAP_ANY},
};

const char *const vt_mode_names[VT_MODE_COUNT] = {
    "application-cursor", "reverse-screen", "origin", "wrap", "cursor-blink", "cursor-visible", "margins", "mouse-x10",
    "mouse", "mouse-drag", "mouse-any", "focus", "mouse-utf8", "mouse-sgr", "mouse-urxvt", "mouse-pixels",
    "alternate-scroll", "bracketed-paste", "synchronized-output", "application-keypad", "insert", "newline",
    "reverse-wrap", "colour-scheme", "grapheme-clusters", "in-band-resize", "reverse-wrap-any", "tab-wrap",
    "smooth-scroll", "print-form-feed", "print-all", "column-switch", [33] = "national-charsets",
    [44] = "sixel-display", "sixel-right",
};

/* ---- the saved cursor and the alternate screen ---- */

static int link_or_underline(const vt_style *s) { return s->link || s->ul || s->attrs & VT_UNDERLINE; }

void vt_save_cursor(vt *t)
{
    vt_saved *saved = &t->s->saved;
    saved->top = vt_top(t);
    saved->row = t->row;
    saved->col = t->col;
    saved->pending = t->pending;
    saved->origin = !!(t->modes & VT_M_ORIGIN);
    saved->pen = t->pen;
    saved->pen.link = 0;
    saved->protect = t->protect;
    memcpy(saved->charsets, t->charsets, sizeof saved->charsets);
    saved->gl = t->gl;
    saved->gr = t->gr;
}

void vt_protect(vt *t, int on, int guard)
{
    t->protect = (uint8_t)on;
    t->guarded = (uint8_t)guard;
    t->pen_dirty = 1;
}

/* xterm.js leaves origin mode and charsets as they are, ends a link, mixes up both pens' underlines, and lets the saved
   cursor scroll with its line. It does not bring a pending wrap back. */
static int differs_to_restore(const vt *t, const vt_saved *saved)
{
    return saved->origin || t->modes & VT_M_ORIGIN || link_or_underline(&t->pen) || link_or_underline(&saved->pen)
           || saved->pending || saved->top != vt_top(t) || saved->gl != t->gl || memcmp(saved->charsets, t->charsets, sizeof saved->charsets);
}

void vt_restore_cursor(vt *t)
{
    const vt_saved *saved = &t->s->saved;
    uint16_t link = t->pen.link;
    if (differs_to_restore(t, saved))
        vt_viewer_differs(t);
    t->modes = saved->origin ? t->modes | VT_M_ORIGIN : t->modes & ~VT_M_ORIGIN;
    t->pen = saved->pen;
    t->pen.link = link;
    t->protect = saved->protect;
    t->pen_dirty = 1;
    memcpy(t->charsets, saved->charsets, sizeof t->charsets);
    t->gl = saved->gl;
    t->gr = saved->gr;
    vt_go(t, saved->row, saved->col);
    t->pending = saved->pending;
}

static void reset_saved(vt_screen *s)
{
    memset(&s->saved, 0, sizeof s->saved);
    memset(s->saved.charsets, 'B', sizeof s->saved.charsets);
    s->saved.gr = 2;
}

/* In xterm.js each screen has its own tab stops and its own region, and a link ends. */
static void change_screens(vt *t, vt_screen *to)
{
    if (t->shadow.tabs_set || t->pen.link || t->top > 0 || t->bottom < t->rows - 1)
        vt_viewer_differs(t);
    if (t->pictures)
        vt_pictures_leave(t);
    t->shadow.screens++;
    t->s = to;
    t->events |= VT_POINTER;
}

/* Also erases what SPA protects. */
static void clear_alternate(vt *t)
{
    const uint8_t guarded = t->guarded;
    t->guarded = 0;
    vt_erase_display(t, 2, 0);
    t->guarded = guarded;
}

/* Modes 47, 1047 and 1049. Only 1049 on and 1047 off clear the alternate screen, which otherwise keeps its text while it
   is hidden. xterm.js clears it whenever it comes from the main screen. */
static void show_alternate(vt *t, int mode)
{
    const int fresh = t->s == &t->main;
    if (!t->alt.base && vt_screen_init(t, &t->alt))
        return;
    t->budget -= t->rows;
    if (mode == 1049 ? !fresh || t->pending : fresh && (t->pen.bg || !vt_screen_blank(t, &t->alt)))
        vt_viewer_differs(t);
    if (fresh)
        change_screens(t, &t->alt);
    if (mode == 1049)
        clear_alternate(t);
}

static void show_main(vt *t, int mode)
{
    if (t->s == &t->main)
        return;
    if (mode == 1047)
        clear_alternate(t);
    change_screens(t, &t->main);
    vt_stay_in_row(t);
}

/* ---- modes ---- */

static uint64_t dec_mode(int mode)
{
    for (int i = 0; i < VT_DEC_MODE_COUNT; i++)
        if (vt_dec_modes[i].number == mode)
            return vt_dec_modes[i].bit;
    return 0;
}

/* xterm.js has no UTF-8 and no urxvt encoding of the mouse, and a reset of one that is not on ends the other. */
static int encodes_otherwise(uint64_t modes, uint64_t bit, int on)
{
    if (bit & (VT_M_MOUSE_UTF8 | VT_M_MOUSE_URXVT))
        return on || modes & bit;
    return bit & VT_MOUSE_ENCODING && !on && modes & VT_MOUSE_ENCODING & ~bit;
}

void vt_set_dec_mode(vt *t, int mode, int on)
{
    uint64_t bit = dec_mode(mode), modes = t->modes;
    t->budget -= VT_STEP_COST;
    if (bit == VT_M_MARGINS && t->level < 4)
        return;
    if (bit) {
        /* Of the ways to track the mouse only the last one set counts, and so with its encodings. */
        if (bit & VT_MOUSE_TRACKING)
            modes &= ~VT_MOUSE_TRACKING;
        else if (bit & VT_MOUSE_ENCODING && on)
            modes &= ~VT_MOUSE_ENCODING;
        if (bit & (VT_M_ORIGIN | VT_M_REVERSE_WRAP) || encodes_otherwise(t->modes, bit, on))
            vt_viewer_differs(t);
        t->modes = on ? modes | bit : modes & ~bit;
        if (bit == VT_M_RESIZES && on)
            vt_report_size(t);
        if (bit == VT_M_ORIGIN)
            vt_move_to(t, 0, 0);
        if (bit == VT_M_MARGINS && on)
            vt_single_rows(t);
        if (bit == VT_M_MARGINS && !on) {
            t->left = 0;
            t->right = t->cols - 1;
        }
        return;
    }
    switch (mode) {
    case 2:
        if (on)
            memset(t->charsets, 'B', sizeof t->charsets);
        break;
    case 1048:
        if (on)
            vt_save_cursor(t);
        else
            vt_restore_cursor(t);
        break;
    case 47:
    case 1047:
    case 1049:
        if (on) {
            if (mode == 1049)
                vt_save_cursor(t);
            show_alternate(t, mode);
        } else {
            show_main(t, mode);
            vt_viewer_inexact(t);
            if (mode == 1049)
                vt_restore_cursor(t);
        }
        break;
    }
}

void vt_set_mode(vt *t, int mode, int on)
{
    uint64_t bit = mode == 4 ? VT_M_INSERT : mode == 20 ? VT_M_NEWLINE : 0;
    t->modes = on ? t->modes | bit : t->modes & ~bit;
}

enum { UNKNOWN, SET, RESET, ALWAYS_SET, ALWAYS_RESET };

int vt_report_mode(const vt *t, int mode)
{
    switch (mode) {
    case 4:
        return t->modes & VT_M_INSERT ? SET : RESET;
    case 12: /* SRM: the terminal never echoes what it sends */
        return ALWAYS_SET;
    case 20:
        return t->modes & VT_M_NEWLINE ? SET : RESET;
    case 6:
    case 8:
    case 9:
        return UNKNOWN;
    }
    return mode >= 1 && mode <= 19 ? ALWAYS_RESET : UNKNOWN; /* 2 is KAM: no program can lock the keyboard */
}

int vt_report_dec_mode(const vt *t, int mode)
{
    switch (mode) {
    case 2:    /* DECANM: there is no VT52 mode */
    case 8:    /* DECARM */
    case 1036: /* Alt sends ESC before a character */
    case 1039:
        return ALWAYS_SET;
    case 3: /* DECCOLM */
        return t->cols == 132 ? SET : RESET;
    case 60: /* DECHCCM: there is no page wider than the screen */
    case 67: /* DECBKM */
        return ALWAYS_RESET;
    case 47:
    case 1047:
    case 1049:
        return t->s == &t->alt ? SET : RESET;
    case 1048:
        return SET;
    }
    uint64_t bit = dec_mode(mode);
    if (bit == VT_M_MARGINS && t->level < 4)
        return UNKNOWN;
    return !bit ? UNKNOWN : t->modes & bit ? SET : RESET;
}

/* ---- kitty's keyboard flags: a stack for each screen ---- */

#define KITTY_FLAGS 31
#define KITTY_DEPTH ((int)sizeof((vt_screen *)0)->kitty)

void vt_kitty_push(vt *t, int flags)
{
    vt_screen *s = t->s;
    if (s->kitty_n == KITTY_DEPTH - 1)
        memmove(s->kitty, s->kitty + 1, sizeof s->kitty - 1);
    else
        s->kitty_n++;
    s->kitty[s->kitty_n] = flags & KITTY_FLAGS;
}

void vt_kitty_pop(vt *t, int n)
{
    vt_screen *s = t->s;
    s->kitty_n -= n;
    if (s->kitty_n < 0) {
        s->kitty_n = 0;
        s->kitty[0] = 0;
    }
}

void vt_kitty_set(vt *t, int flags, int how)
{
    uint8_t *now = &t->s->kitty[t->s->kitty_n];
    flags &= KITTY_FLAGS;
    *now = (uint8_t)(how == 3 ? *now & ~flags : how == 2 ? *now | flags : flags);
}

/* ---- how modified keys are sent ---- */

#define OTHER_KEYS 4

void vt_modify_keys(vt *t, int resource, int value)
{
    if (resource < 0 || resource == OTHER_KEYS)
        t->modify_other_keys = (int8_t)vt_min(value, 2);
}

/* As xterm tells it: -1 is 65535. The others keep the values that xterm has at first. */
int vt_modified_keys(const vt *t, int resource)
{
    static const int8_t values[OTHER_KEYS] = {0, 2, 2, 0};
    return resource == OTHER_KEYS ? (uint16_t)t->modify_other_keys : resource < OTHER_KEYS ? values[resource] : -1;
}

/* ---- resets, beginning and end ---- */

static void reset_pen(vt *t)
{
    memset(&t->pen, 0, sizeof t->pen);
    t->pen_dirty = 1;
    t->protect = 0;
    memset(t->charsets, 'B', sizeof t->charsets);
    t->gl = t->single_shift = t->prepended = 0;
    t->gr = 2;
    t->guarded = 0;
}

/* What a program has put aside, and how it is answered. */
static void reset_aside(vt *t)
{
    t->saved_modes = 0;
    t->pens_n = 0;
    t->checksum = t->extent = t->title_modes = 0;
}

/* Resets what VT510 and xterm do. The cursor and a pending wrap stay where they are. */
void vt_soft_reset(vt *t)
{
    if (t->modes & XTERM_JS_SOFT_RESET_MODES)
        vt_viewer_differs(t);
    reset_pen(t);
    t->modes = (t->modes & ~SOFT_RESET_MODES) | SOFT_DEFAULT_MODES;
    t->shape = 0;
    t->modify_other_keys = 0;
    vt_full_margins(t);
    reset_saved(t->s);
    reset_aside(t);
}

/* `control`: 1 asks for answers with C1 controls of two bytes, 0 and 2 for one byte. Level 1 has none of these. */
void vt_set_level(vt *t, int level, int control)
{
    if (level < 61 || level > 65)
        return;
    vt_viewer_differs(t);
    vt_soft_reset(t);
    t->level = (uint8_t)vt_min(level - 60, 4);
    if (t->level == 1)
        t->eight_bit = 0;
    else if (control <= 2)
        t->eight_bit = control != 1;
}

void vt_reset(vt *t)
{
    if (t->modes & VT_M_NEWLINE)
        vt_viewer_differs(t); /* xterm.js keeps it */
    t->s = &t->main;
    t->shadow.screens++; /* the hidden one is reset too */
    t->shadow.tabs_set = 0;
    vt_pictures_free(t);
    vt_scrollback_clear(t);
    for (int row = 0; row < t->rows; row++) {
        vt_row_clear(t->main.rows[row], VT_BLANK);
        if (t->alt.base)
            vt_row_clear(t->alt.rows[row], VT_BLANK);
    }
    reset_pen(t);
    t->modes = DEFAULT_MODES;
    t->shape = 0;
    vt_full_margins(t);
    memset(t->tabs, 1, sizeof t->tabs); /* bit 0 of each byte: every eighth column */
    reset_saved(&t->main);
    reset_saved(&t->alt);
    reset_aside(t);
    t->level = 4;
    t->eight_bit = 0;
    t->main.kitty_n = t->alt.kitty_n = 0;
    t->main.kitty[0] = t->alt.kitty[0] = 0;
    t->modify_other_keys = 0;
    t->row = t->col = t->pending = 0;
    t->last_char = 0;
    t->command_line = -1;
    t->command.n = 0;
    if (t->notice)
        memset(t->notice, 0, sizeof *t->notice);
    t->progress = t->percent = 0;
    memset(t->main.pointers, 0, sizeof t->main.pointers);
    memset(t->alt.pointers, 0, sizeof t->alt.pointers);
    t->events |= VT_PROGRESS | VT_POINTER;
    t->budget -= 4 * VT_STEP_COST + 4 * t->rows;
}

uint64_t vt_modes(const vt *t) { return t->modes; }
uint32_t vt_kitty_flags(const vt *t) { return t->s->kitty[t->s->kitty_n]; }
