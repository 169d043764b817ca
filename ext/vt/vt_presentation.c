/* The cursor and the tab stops as data: reported (DECCIR, DECTABSR), and restored from a report (DECRSPS).

   A report gives flags as characters from '@' on, a bit each. */
#include "vt_state.h"

#include <string.h>

enum { CURSOR = 1, TABS = 2 };
enum { FLAG_ORIGIN = 1, FLAG_SS2 = 2, FLAG_SS3 = 4, FLAG_WRAP = 8 };
enum { STYLE_BOLD = 1, STYLE_UNDERLINE = 2, STYLE_BLINK = 4, STYLE_INVERSE = 8 };

static void report_cursor(vt *t)
{
    unsigned attrs = t->pen.attrs;
    int style = (attrs & VT_BOLD ? STYLE_BOLD : 0) | (attrs & VT_UNDERLINE ? STYLE_UNDERLINE : 0)
                | (attrs & VT_BLINK ? STYLE_BLINK : 0) | (attrs & VT_INVERSE ? STYLE_INVERSE : 0);
    int flags = (t->modes & VT_M_ORIGIN ? FLAG_ORIGIN : 0) | (t->single_shift == 2 ? FLAG_SS2 : 0)
                | (t->single_shift == 3 ? FLAG_SS3 : 0) | (t->pending ? FLAG_WRAP : 0);
    uint8_t sets[9], *p = sets;
    for (int g = 0; g < 4; g++) {
        if (t->charsets[g] == VT_PORTUGUESE)
            *p++ = '%';
        *p++ = t->charsets[g] == VT_PORTUGUESE ? '6' : t->charsets[g] == VT_LATIN_1 ? 'A'
               : t->charsets[g] == VT_ASCII_BUT ? 'B' : t->charsets[g];
    }
    *p = 0;
    vt_answer(t, "\033P1$u%d;%d;1;%c;%c;%c;%d;%d;O;%s\033\\", t->row + 1, t->col + 1, '@' + style, '@' + !!t->protect,
              '@' + flags, t->gl & 3, t->gr & 3, (const char *)sets);
}

static void report_tabs(vt *t)
{
    uint8_t text[8 + 5 * VT_MAX_COLS], *p = vt_write_string(text, "\033P2$u");
    t->budget -= t->cols;
    for (int col = 0; col < t->cols; col++)
        if (t->tabs[col / 8] >> col % 8 & 1) {
            p = vt_write_number(p, (unsigned)col + 1);
            *p++ = '/';
        }
    p -= p[-1] == '/';
    p = vt_write_string(p, "\033\\");
    vt_answer_bytes(t, text, (size_t)(p - text));
}

void vt_report_presentation(vt *t, int what)
{
    if (what == CURSOR)
        report_cursor(t);
    else if (what == TABS)
        report_tabs(t);
}

/* ---- restoring ---- */

/* A number of at most five digits before `stop` or the end; moves beyond the stop. -1: it is none. */
static int number_before(const uint8_t **p, const uint8_t *end, uint8_t stop)
{
    int value = 0, digits = 0;
    for (; *p < end && **p >= '0' && **p <= '9' && digits < 6; digits++)
        value = 10 * value + *(*p)++ - '0';
    if (!digits || digits > 5 || (*p < end && *(*p)++ != stop))
        return -1;
    return value;
}

/* One character from '@' on before a semicolon or the end: its low four bits. -1: it is something else. */
static int flags_before(const uint8_t **p, const uint8_t *end)
{
    if (*p == end || **p < '@' || **p >= 0x7F || (end - *p > 1 && (*p)[1] != ';'))
        return -1;
    int flags = **p & 15;
    *p += vt_min(2, (int)(end - *p));
    return flags;
}

/* The sets that a report ends with, for G0 to G3: each a final character, perhaps after a "%". */
static void restore_sets(vt *t, const uint8_t *p, const uint8_t *end)
{
    for (int g = 0; g < 4 && p < end; g++) {
        const uint8_t intermediates[2] = {(uint8_t)"()*+"[g], *p};
        const int n = *p == '%' && end - p > 1 ? 2 : 1;
        vt_designate(t, intermediates, n, p[n - 1]);
        p += n;
    }
}

/* As in xterm, the fields count up to the first one that is not valid. Row and column count from the screen's corner, also
   in origin mode. */
static void restore_fields(vt *t, const uint8_t *p, const uint8_t *end)
{
    int row = number_before(&p, end, ';');
    if (row < 1 || row > t->rows)
        return;
    vt_viewer_differs(t);
    t->row = row - 1;
    t->pending = 0;
    int col = number_before(&p, end, ';');
    if (col >= 1 && col <= t->cols)
        t->col = col - 1;
    if (col < 1 || col > t->cols || number_before(&p, end, ';') != 1) /* there is one page */
        return;
    int style = flags_before(&p, end);
    if (style < 0)
        return;
    unsigned attrs = t->pen.attrs & ~(unsigned)(VT_BOLD | VT_BLINK | VT_INVERSE);
    attrs |= (style & STYLE_BOLD ? VT_BOLD : 0u) | (style & STYLE_BLINK ? VT_BLINK : 0u)
             | (style & STYLE_INVERSE ? VT_INVERSE : 0u);
    if (!(style & STYLE_UNDERLINE))
        attrs &= ~(unsigned)VT_UNDERLINE;
    else if (!(attrs & VT_UNDERLINE))
        attrs |= 1u << VT_UNDERLINE_SHIFT;
    t->pen.attrs = (uint16_t)attrs;
    t->pen_dirty = 1;
    int protect = flags_before(&p, end);
    if (protect < 0)
        return;
    t->protect = protect & 1;
    int flags = flags_before(&p, end);
    if (flags < 0)
        return;
    t->modes = flags & FLAG_ORIGIN ? t->modes | VT_M_ORIGIN : t->modes & ~VT_M_ORIGIN;
    t->pending = !!(flags & FLAG_WRAP);
    t->single_shift = flags & FLAG_SS2 ? 2 : flags & FLAG_SS3 ? 3 : 0;
    int gl = number_before(&p, end, ';');
    if (gl < 0 || gl > 3)
        return;
    t->gl = (uint8_t)gl;
    const int gr = number_before(&p, end, ';');
    if (gr > 0 && gr < 4)
        t->gr = (uint8_t)gr;
    if (gr >= 0 && flags_before(&p, end) >= 0) /* the sizes of the sets */
        restore_sets(t, p, end);
}

/* Unlike in xterm, the cursor stays in a region in origin mode, and in the half of a double row. */
static void restore_cursor_report(vt *t, const uint8_t *p, const uint8_t *end)
{
    restore_fields(t, p, end);
    const int pending = t->pending;
    vt_go(t, t->row, t->col);
    t->pending = pending;
}

static void restore_tabs(vt *t, const uint8_t *p, const uint8_t *end)
{
    vt_viewer_differs(t);
    t->shadow.tabs_set = 1;
    memset(t->tabs, 0, sizeof t->tabs);
    while (p < end) {
        int col = number_before(&p, end, '/');
        if (col < 1)
            return;
        if (col <= VT_MAX_COLS)
            t->tabs[(col - 1) / 8] |= (uint8_t)(1 << (col - 1) % 8);
    }
}

void vt_restore_presentation(vt *t, int what, const uint8_t *data, size_t n)
{
    if (what == CURSOR)
        restore_cursor_report(t, data, data + n);
    else if (what == TABS)
        restore_tabs(t, data, data + n);
}
