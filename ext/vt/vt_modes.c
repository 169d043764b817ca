/* Modes, and the state saved and reset with them: the cursor, the alternate screen, keyboard flags. */
#include "vt_state.h"

#include <string.h>

#define DEFAULT_MODES (VT_M_WRAP | VT_M_CURSOR)
#define SOFT_RESET_MODES                                                                                   \
    (VT_M_APP_CURSOR | VT_M_ORIGIN | VT_M_MARGINS | VT_M_FOCUS | VT_M_PASTE | VT_M_SYNC | VT_M_APP_KEYPAD   \
     | VT_M_INSERT | VT_M_REVERSE_WRAP)

const vt_dec_mode vt_dec_modes[VT_DEC_MODE_COUNT] = {
    {1, VT_M_APP_CURSOR},   {5, VT_M_REVERSE},       {6, VT_M_ORIGIN},          {7, VT_M_WRAP},
    {9, VT_M_MOUSE_X10},    {12, VT_M_BLINK},        {25, VT_M_CURSOR},         {45, VT_M_REVERSE_WRAP},
    {66, VT_M_APP_KEYPAD},  {69, VT_M_MARGINS},      {1000, VT_M_MOUSE},        {1002, VT_M_MOUSE_DRAG},
    {1003, VT_M_MOUSE_ANY}, {1004, VT_M_FOCUS},      {1005, VT_M_MOUSE_UTF8},   {1006, VT_M_MOUSE_SGR},
    {1007, VT_M_ALT_SCROLL}, {1015, VT_M_MOUSE_URXVT}, {1016, VT_M_MOUSE_PIXELS}, {2004, VT_M_PASTE},
    {2026, VT_M_SYNC},      {2031, VT_M_COLOUR_SCHEME},
};

const char *const vt_mode_names[VT_MODE_COUNT] = {
    "application-cursor", "reverse-screen", "origin", "wrap", "cursor-blink", "cursor-visible", "margins", "mouse-x10",
    "mouse", "mouse-drag", "mouse-any", "focus", "mouse-utf8", "mouse-sgr", "mouse-urxvt", "mouse-pixels",
    "alternate-scroll", "bracketed-paste", "synchronized-output", "application-keypad", "insert", "newline",
    "reverse-wrap", "colour-scheme",
};

/* ---- the saved cursor and the alternate screen ---- */

void vt_save_cursor(vt *t)
{
    vt_saved *saved = &t->s->saved;
    saved->row = t->row;
    saved->col = t->col;
    saved->origin = !!(t->modes & VT_M_ORIGIN);
    saved->pen = t->pen;
    saved->pen.link = 0;
    saved->protect = t->protect;
    memcpy(saved->charsets, t->charsets, sizeof saved->charsets);
    saved->gl = t->gl;
}

void vt_restore_cursor(vt *t)
{
    const vt_saved *saved = &t->s->saved;
    uint16_t link = t->pen.link;
    t->modes = saved->origin ? t->modes | VT_M_ORIGIN : t->modes & ~VT_M_ORIGIN;
    t->pen = saved->pen;
    t->pen.link = link;
    t->protect = saved->protect;
    t->pen_dirty = 1;
    memcpy(t->charsets, saved->charsets, sizeof t->charsets);
    t->gl = saved->gl;
    vt_go(t, saved->row, saved->col);
}

static void reset_saved(vt_screen *s)
{
    memset(&s->saved, 0, sizeof s->saved);
    memset(s->saved.charsets, 'B', sizeof s->saved.charsets);
}

/* As in xterm.js, the alternate screen is blank whenever it comes, and each screen has its own margins. */
static void show_alternate(vt *t)
{
    if (t->s == &t->alt || (!t->alt.base && vt_screen_init(t, &t->alt)))
        return;
    t->main.top = t->top;
    t->main.bottom = t->bottom;
    t->main.left = t->left;
    t->main.right = t->right;
    t->s = &t->alt;
    t->events |= VT_POINTER;
    vt_full_margins(t);
    for (int row = 0; row < t->rows; row++)
        vt_row_clear(t->s->rows[row], vt_erased(t));
    t->budget -= VT_STEP_COST + 2 * t->rows;
}

static void show_main(vt *t)
{
    if (t->s == &t->main)
        return;
    for (int row = 0; row < t->rows; row++) /* or its styles would stay in use */
        vt_row_clear(t->s->rows[row], VT_BLANK);
    t->s = &t->main;
    t->events |= VT_POINTER;
    t->top = t->main.top;
    t->bottom = t->main.bottom;
    t->left = t->main.left;
    t->right = t->main.right;
    vt_settle_wrap(t);
    t->budget -= VT_STEP_COST + 2 * t->rows;
}

/* ---- modes ---- */

static uint64_t dec_mode(int mode)
{
    for (int i = 0; i < VT_DEC_MODE_COUNT; i++)
        if (vt_dec_modes[i].number == mode)
            return vt_dec_modes[i].bit;
    return 0;
}

void vt_set_dec_mode(vt *t, int mode, int on)
{
    uint64_t bit = dec_mode(mode), modes = t->modes;
    t->budget -= VT_STEP_COST;
    if (bit) {
        /* Of the ways to track the mouse only the last one set counts, and so with its encodings. */
        if (bit & VT_MOUSE_TRACKING)
            modes &= ~VT_MOUSE_TRACKING;
        else if (bit & VT_MOUSE_ENCODING)
            modes &= ~VT_MOUSE_ENCODING;
        t->modes = on ? modes | bit : modes & ~bit;
        if (bit == VT_M_ORIGIN)
            vt_move_to(t, 0, 0);
        if (bit == VT_M_MARGINS && !on) {
            t->left = 0;
            t->right = t->cols - 1;
            vt_settle_wrap(t);
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
            show_alternate(t);
        } else {
            show_main(t);
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
    case 2: /* KAM */
        return ALWAYS_RESET;
    case 4:
        return t->modes & VT_M_INSERT ? SET : RESET;
    case 12: /* SRM */
        return ALWAYS_SET;
    case 20:
        return t->modes & VT_M_NEWLINE ? SET : RESET;
    }
    return UNKNOWN;
}

int vt_report_dec_mode(const vt *t, int mode)
{
    switch (mode) {
    case 8: /* DECARM */
        return ALWAYS_SET;
    case 67:   /* DECBKM */
    case 1005: /* stored, but xterm.js has no such encoding */
    case 1015:
        return ALWAYS_RESET;
    case 47:
    case 1047:
    case 1049:
        return t->s == &t->alt ? SET : RESET;
    case 1048:
        return SET;
    }
    uint64_t bit = dec_mode(mode);
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

/* ---- resets, beginning and end ---- */

static void reset_pen(vt *t)
{
    memset(&t->pen, 0, sizeof t->pen);
    t->pen_dirty = 1;
    t->protect = 0;
    memset(t->charsets, 'B', sizeof t->charsets);
    t->gl = t->single_shift = 0;
}

/* Resets what xterm.js does: bracketed paste too, but not mouse, tabs or title. */
void vt_soft_reset(vt *t)
{
    reset_pen(t);
    t->modes = (t->modes & ~SOFT_RESET_MODES) | DEFAULT_MODES;
    t->shape = 0;
    vt_full_margins(t);
    reset_saved(t->s);
}

void vt_reset(vt *t)
{
    show_main(t);
    vt_scrollback_clear(t);
    for (int row = 0; row < t->rows; row++)
        vt_row_clear(t->main.rows[row], VT_BLANK);
    reset_pen(t);
    t->modes = DEFAULT_MODES;
    t->shape = 0;
    vt_full_margins(t);
    memset(t->tabs, 1, sizeof t->tabs); /* bit 0 of each byte: every eighth column */
    reset_saved(&t->main);
    reset_saved(&t->alt);
    t->main.kitty_n = t->alt.kitty_n = 0;
    t->main.kitty[0] = t->alt.kitty[0] = 0;
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
    t->budget -= 4 * VT_STEP_COST + 2 * t->rows;
}

uint64_t vt_modes(const vt *t) { return t->modes; }
uint32_t vt_kitty_flags(const vt *t) { return t->s->kitty[t->s->kitty_n]; }
