/* Printing: text of a program into cells.

   One loop over a row stores a run. Characters with special rules (at the margin, in insert mode, combining) take
   vt_print_code(). A character that overwrites half of a wide one erases the other half. */
#include "vt_state.h"
#include "vt_unicode.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define CODE_COST 6 /* cells' worth of a character that vt_print_code() prints */

/* The first column that cannot be printed to before a wrap. */
static inline int limit(const vt *t)
{
    int stop = t->col <= t->right ? t->right + 1 : t->cols;
    return vt_max(vt_min(stop, vt_row_cols(t, vt_cursor_row(t))), t->col + 1);
}

/* Move to the next row, in which the line continues. */
static void wrap(vt *t)
{
    vt_row *r = vt_cursor_row(t);
    int row = t->row;
    if (r->size)
        vt_viewer_differs(t); /* xterm.js has no double rows, which end in the middle */
    r->wrapped = (uint8_t)(vt_whole_width(t) && !r->size && (row == t->bottom || row < t->rows - 1));
    vt_down(t);
    if (vt_cursor_row(t)->size) /* it did not scroll in: a double row is a line of its own */
        r->wrapped = 0;
    t->col = t->left;
    t->pending = 0;
}

/* What half of a wide character becomes when the other half is overwritten. xterm.js gives it the whole pen. */
static __attribute__((noinline)) vt_cell torn(vt *t)
{
    if (t->pen.fg | t->pen.ul | t->pen.attrs | t->pen.link)
        vt_viewer_differs(t);
    return vt_erased(t);
}

/* Before cells from `col` on are overwritten: erase a left half whose right half is there, or store cells up to there.
   */
static inline void mend_before(vt *t, vt_row *r, int col)
{
    if (col > r->len)
        vt_row_widen(r, col);
    else if (col < r->len && !VT_WIDTH(r->cells[col]))
        r->cells[col - 1] = torn(t);
}

/* Afterwards: erase a right half whose left half was overwritten. */
static inline void mend_after(vt *t, vt_row *r, int col)
{
    if (col < r->len && !VT_WIDTH(r->cells[col]))
        r->cells[col] = torn(t);
}

/* Whether the right half of a wide character is in that column of the cursor's row. */
static inline int is_half(const vt *t, int col)
{
    return col < vt_cursor_row(t)->len && !VT_WIDTH(vt_cursor_row(t)->cells[col]);
}

static inline void advance(vt *t, int col, int stop)
{
    t->pending = col == stop;
    t->col = t->pending ? stop - 1 : col;
}

/* ---- clusters ---- */

/* Columns of a cell once the code point joins it. A variation selector counts only after the character's first code
   point. */
static inline int joined_width(vt_cell cell, uint8_t properties)
{
    int width = VT_WIDTH(cell), kind = VT_CLASS_OF(properties);
    if (kind == VT_CLASS_TEXT || kind == VT_CLASS_EMOJI) {
        if (cell & VT_CLUSTER || !(vt_properties(VT_CODE(cell)) & VT_VS_BASE))
            return width;
        return kind == VT_CLASS_TEXT ? 1 : 2;
    }
    return vt_min(width + (properties & 3), 2);
}

/* The column of the character before the cursor, or -1. */
static int column_before(const vt *t, vt_row *r)
{
    int col = t->pending ? t->col : t->col - 1;
    if (col >= r->len && VT_CODE(r->tail))
        vt_row_widen(r, col + 1); /* one of the E's of DECALN */
    if (col < 0 || col >= r->len)
        return -1;
    return VT_WIDTH(r->cells[col]) ? col : col - 1;
}

/* What the next code point follows: the character before the cursor, if nothing came in between. xterm.js has the same
   rule. */
static inline int state_before(const vt *t)
{
    if (t->last_char < 0x80)
        return t->last_char ? VT_AFTER_OTHER : VT_AFTER_NONE;
    int col = column_before(t, vt_cursor_row(t));
    if (col < 0)
        return VT_AFTER_NONE;
    vt_cell cell = vt_cursor_row(t)->cells[col];
    return cell & VT_CLUSTER ? t->clusters[VT_CODE(cell)].state : VT_FOLLOWS(VT_AFTER_NONE, vt_properties(VT_CODE(cell)));
}

/* Join a code point of width 0 to the character left of the cursor, which a sequence may have moved there; without one
   it is lost. */
static void combine(vt *t, uint32_t code)
{
    vt_row *r = vt_cursor_row(t);
    int col = column_before(t, r);
    if (col < 0 || !VT_CODE(r->cells[col])) {
        vt_viewer_differs(t); /* xterm.js gives it a column */
        return;
    }
    if (VT_WIDTH(r->cells[col]) == 2 && !t->pending && col == t->col - 1)
        vt_viewer_differs(t); /* the cursor is on the right half: xterm.js blanks the left one */
    int state = t->last_char ? VT_FOLLOWS(VT_AFTER_NONE, vt_properties(code)) : VT_AFTER_NONE;
    if (!vt_cluster_add(t, &r->cells[col], code, VT_WIDTH(r->cells[col]), state))
        vt_viewer_differs(t); /* its characters have no bound */
}

/* A character of one column gets a second one. In the last column it moves to the next row, as a wide one would. */
static void widen(vt *t, int col, uint32_t code, int state)
{
    vt_row *r = vt_cursor_row(t);
    const vt_cell blank = t->pen_cell | VT_BLANK;
    vt_cell cell = r->cells[col];
    int stop = limit(t);
    if (t->pending && !(t->modes & VT_M_WRAP)) { /* there is no room */
        vt_viewer_differs(t);
        if (vt_width_of(code)) /* it is lost, as a wide character is that does not fit */
            t->last_char = 0;
        else
            vt_cluster_add(t, &r->cells[col], code, 1, state);
        return;
    }
    t->hold++; /* no row has the cell for a while */
    if (!vt_cluster_add(t, &cell, code, 2, state)) {
        vt_viewer_differs(t);
    } else {
        if (t->pending) {
            r->cells[col] = blank;
            wrap(t);
            r = vt_cursor_row(t);
            col = t->col;
            stop = limit(t);
            mend_before(t, r, col);
        }
        if (r->len < col + 2)
            r->len = (uint16_t)(col + 2);
        else
            mend_after(t, r, col + 2);
        r->cells[col] = cell;
        r->cells[col + 1] = cell & (VT_STYLE_BITS(UINT32_MAX) | VT_PROTECTED);
        advance(t, col + 2, stop);
    }
    t->hold--;
}

/* Join a code point to the character that was just printed. */
static void join(vt *t, uint32_t code, uint8_t properties, int state)
{
    vt_row *r = vt_cursor_row(t);
    int col = column_before(t, r), next = VT_FOLLOWS(state, properties);
    if (col < 0)
        return;
    int was = VT_WIDTH(r->cells[col]), width = joined_width(r->cells[col], properties);
    t->last_char = code;
    t->prepended = next == VT_AFTER_PREPEND;
    if (width > was) {
        widen(t, col, code, next);
        return;
    }
    if (width < was)
        vt_viewer_differs(t); /* xterm.js leaves its cursor as after the wide one */
    if (!vt_cluster_add(t, &r->cells[col], code, width, next)) {
        vt_viewer_differs(t); /* its characters have no bound */
    } else if (width < was) {
        r->cells[col + 1] = t->pen_cell | VT_BLANK;
        t->col = col + 1;
        t->pending = 0;
    }
}

/* Whether a code point belongs to the character before the cursor, which it then has joined. */
static int joined(vt *t, uint32_t code, uint8_t properties)
{
    if (!(t->modes & VT_M_GRAPHEMES))
        return 0;
    const int state = state_before(t);
    if (state == VT_AFTER_NONE || (properties & 3 && !VT_JOINS(state, properties)))
        return 0;
    t->budget -= CODE_COST;
    join(t, code, properties, state);
    return 1;
}

/* A regional indicator or an emoji of one column: only a cluster can have another width than its code point. */
static void make_narrow(vt *t, vt_cell *cell, uint32_t code)
{
    uint8_t text[8], *end = vt_utf8_put(text, code);
    *end++ = VT_NARROW;
    uint32_t id = vt_cluster_id(t, text, (int)(end - text), 1, VT_FOLLOWS(VT_AFTER_NONE, vt_properties(code)));
    *cell = (*cell & ~(vt_cell)0x1FFFFF) | (id ? VT_CLUSTER | id : '?');
}

/* Print a code point that does not join the character before the cursor. */
static void print_apart(vt *t, uint32_t code, uint8_t properties)
{
    int width = properties & 3, clusters = (t->modes & VT_M_GRAPHEMES) != 0;
    t->budget -= CODE_COST;
    if (!clusters && VT_CLASS_OF(properties) == VT_CLASS_REGIONAL)
        width = 1; /* so that two of them, a flag, have two columns */
    else if (t->single_shift == VT_SHIFT_NARROW && properties & VT_VS_BASE)
        width = 1;
    if (!width) {
        if (!t->last_char)
            vt_viewer_differs(t); /* xterm.js gives it a column of its own */
        combine(t, code);
        return;
    }
    if (t->pen_dirty)
        vt_pen_intern(t);
    t->single_shift = 0;
    t->last_char = code;
    t->prepended = clusters && VT_CLASS_OF(properties) == VT_CLASS_PREPEND;
    int stop = limit(t);
    if (t->pending || t->col + width > stop) {
        if (t->pen.link)
            vt_viewer_differs(t); /* see scroll_line(); here the gap is not yet there */
        if (t->modes & VT_M_WRAP) {
            /* The gap, if a wide character does not fit into the last column, stays as it is. xterm.js blanks it. */
            if (!t->pending && vt_at(vt_cursor_row(t), t->col) != (t->pen_cell | VT_BLANK))
                vt_viewer_differs(t);
            wrap(t);
            stop = limit(t);
        } else {
            if (width == 2 || is_half(t, stop - 1))
                vt_viewer_differs(t); /* xterm.js leaves the left half of the character there */
            t->pending = 0;
            if (t->col + width > stop) { /* it is lost, and xterm.js would put what joins it elsewhere */
                t->last_char = 0;
                return;
            }
        }
    }
    vt_row *r = vt_cursor_row(t);
    int col = t->col;
    if (t->modes & VT_M_INSERT && col >= t->left && col <= t->right) {
        vt_cell fill = is_half(t, col) || is_half(t, stop - width) ? torn(t) : vt_erased(t);
        vt_row_insert(t, r, col, stop, width, fill);
    }
    mend_before(t, r, col);
    if (r->len < col + width)
        r->len = (uint16_t)(col + width);
    else
        mend_after(t, r, col + width);
    r->cells[col] = t->pen_cell | VT_WIDTH_BITS(width) | code;
    if (width == 2)
        r->cells[col + 1] = t->pen_cell;
    if (width != (properties & 3))
        make_narrow(t, &r->cells[col], code);
    advance(t, col + width, stop);
}

void vt_print_code(vt *t, uint32_t code)
{
    const uint8_t properties = vt_properties(code);
    if (!joined(t, code, properties))
        print_apart(t, code, properties);
}

/* ---- runs ---- */

static uint32_t translated(vt *t, uint8_t c)
{
    uint8_t set = vt_set(t, vt_gl(t));
    /* xterm.js has no single shifts, other national sets or none of these, and no blank in line drawing. */
    if (t->single_shift || (set != 'B' && set != 'A' && (set != '0' || c == '_')))
        vt_viewer_differs(t);
    return vt_translate(set, c);
}

void vt_print_del(vt *t) { vt_print_code(t, translated(t, 0x7F)); }

static inline void store8(vt_cell *restrict cells, const uint8_t *restrict p, vt_cell pen)
{
#ifdef __SSE2__
    const __m128i zero = _mm_setzero_si128(), style = _mm_set1_epi64x((long long)pen);
    __m128i codes = _mm_unpacklo_epi8(_mm_loadl_epi64((const __m128i *)(const void *)p), zero);
    for (int i = 0; i < 2; i++, cells += 4) {
        __m128i four = i ? _mm_unpackhi_epi16(codes, zero) : _mm_unpacklo_epi16(codes, zero);
        _mm_storeu_si128((__m128i *)(void *)cells, _mm_or_si128(_mm_unpacklo_epi32(four, zero), style));
        _mm_storeu_si128((__m128i *)(void *)(cells + 2), _mm_or_si128(_mm_unpackhi_epi32(four, zero), style));
    }
#else
    for (int i = 0; i < 8; i++)
        cells[i] = pen | p[i];
#endif
}

/* Store exactly `n` cells; if `n` is not a multiple of eight, some are stored twice. */
static inline void store(vt_cell *restrict cells, const uint8_t *restrict p, int n, vt_cell pen)
{
    if (n >= 8) {
        for (int i = 0; i < n - 8; i += 8)
            store8(cells + i, p + i, pen);
        store8(cells + n - 8, p + n - 8, pen);
        return;
    }
    for (int i = 0; i < n; i++)
        cells[i] = pen | p[i];
}

static __attribute__((noinline)) void print_runs(vt *t, const uint8_t *p, size_t n)
{
    if (t->prepended) {
        t->prepended = 0;
        vt_print_code(t, translated(t, *p++));
        if (!--n)
            return;
    }
    if (t->charsets[t->gl] != 'B' || t->single_shift || t->modes & VT_M_INSERT) {
        for (size_t i = 0; i < n; i++) {
            t->parser.begin = p + i;
            vt_print_code(t, translated(t, p[i]));
        }
        return;
    }
    const vt_cell pen = t->pen_cell | VT_BLANK;
    t->budget -= (int64_t)n;
    t->last_char = p[n - 1];
    while (n) {
        t->parser.begin = p;
        if (t->pending) {
            t->pending = 0;
            if (t->modes & VT_M_WRAP) {
                wrap(t);
            } else if (t->col + 1 == limit(t)) { /* each overwrites the last column: only the last one counts */
                if (is_half(t, t->col))
                    vt_viewer_differs(t);
                p += n - 1;
                n = 1;
            }
        }
        vt_row *r = vt_cursor_row(t);
        int stop = limit(t), col = t->col;
        int k = n < (size_t)(stop - col) ? (int)n : stop - col;
        mend_before(t, r, col);
        if (col + k >= r->len)
            r->len = (uint16_t)(col + k);
        else
            mend_after(t, r, col + k);
        store(r->cells + col, p, k, pen);
        advance(t, col + k, stop);
        p += k;
        n -= (size_t)k;
    }
}

void vt_print_text(vt *t, const uint8_t *p, size_t n, const uint8_t *end)
{
    vt_row *r = vt_cursor_row(t);
    const int col = t->col, most = t->right - col; /* one less than there is room for: no wrap becomes pending */
    if (t->pen_dirty)
        vt_pen_intern(t);
    if (t->charsets[t->gl] != 'B' || t->single_shift | t->pending | t->prepended || t->modes & VT_M_INSERT
        || (int64_t)n > most || r->size) {
        print_runs(t, p, n);
        return;
    }
    const vt_cell pen = t->pen_cell | VT_BLANK;
    const int k = (int)n;
    if (col == r->len && end - p >= k + 7) { /* at the row's end, excess cells are never read */
        for (int i = 0; i < k; i += 8)
            store8(r->cells + col + i, p + i, pen);
        r->len = (uint16_t)(col + k);
    } else {
        mend_before(t, r, col);
        if (col + k >= r->len)
            r->len = (uint16_t)(col + k);
        else
            mend_after(t, r, col + k);
        store(r->cells + col, p, k, pen);
    }
    t->budget -= k;
    t->last_char = p[k - 1];
    t->col = col + k;
}

/* The next character of a run of non-ASCII, with single ASCII characters in it. Returns its bytes, or 0 at the end. */
static inline int next_in_run(const uint8_t *p, const uint8_t *end, int ascii, uint32_t *code)
{
    if (end - p < 2 || *p >= 0x80) {
        int n = p < end && *p >= 0x80 ? vt_utf8_decode(p, end, code) : 0;
        return n && *code >= 0xA0 && *code != 0xFEFF ? n : 0; /* the parser handles C1 and byte order marks */
    }
    *code = *p;
    return ascii && p[1] >= 0x80 && *p >= 0x20 && *p < 0x7F;
}

const uint8_t *vt_print_utf8(vt *t, const uint8_t *p, const uint8_t *end)
{
    if (vt_takes_bytes(t))
        return p;
    while (p < end && *p >= 0x80 && t->budget > 0) {
        uint32_t code;
        int n = next_in_run(p, end, 0, &code);
        if (!n)
            return p;
        uint8_t step, properties = vt_properties(code);
        int width = properties & 3;
        t->parser.begin = p;
        if (joined(t, code, properties)) {
            p += n;
            continue;
        }
        const int special = t->pending | t->single_shift || t->modes & VT_M_INSERT || !(t->modes & VT_M_GRAPHEMES);
        const int stop = limit(t);
        if (!width || special || t->col + width > stop) {
            print_apart(t, code, properties);
            p += n;
            continue;
        }
        if (t->pen_dirty)
            vt_pen_intern(t);
        const vt_cell pen = t->pen_cell;
        vt_row *r = vt_cursor_row(t);
        const int ascii = t->charsets[t->gl] == 'B';
        mend_before(t, r, t->col);
        vt_cell *at = r->cells + t->col, *last;
        const vt_cell *const edge = r->cells + stop;
        step = VT_STEP(VT_AFTER_NONE, properties);
        do {
            last = at;
            at[0] = pen | VT_WIDTH_BITS(width) | code;
            at[1] = width == 2 ? pen : at[1]; /* no branch: it could not be predicted */
            at += width;
            p += n;
            n = next_in_run(p, end, ascii, &code);
            if (!n)
                break;
            properties = vt_properties(code);
            width = properties & 3;
            step = VT_STEP(step & VT_STEP_STATE, properties);
        } while (width && !(step & VT_STEP_JOINS) && at + width <= edge);
        const int col = (int)(at - r->cells);
        t->budget -= col - t->col;
        t->last_char = VT_CODE(*last);
        t->prepended = VT_CLASS_OF(vt_properties(t->last_char)) == VT_CLASS_PREPEND;
        if (col >= r->len)
            r->len = (uint16_t)col;
        else
            mend_after(t, r, col);
        advance(t, col, stop);
    }
    return p;
}

/* Print a cell's text again, as a character of its own. */
static void print_again(vt *t, const uint8_t *text, int n)
{
    uint32_t code;
    t->last_char = 0;
    for (const uint8_t *p = text, *end = text + n; p < end;) {
        int mark = vt_is_mark(*p);
        p += mark ? 1 : vt_utf8_next(p, end, &code);
        if (!mark)
            vt_print_code(t, code);
    }
}

/* Print the character `what`, whose text is given too, up to `n` times. Stops at the margin; returns how often. */
static int fill(vt *t, vt_cell what, const uint8_t *text, int text_n, int n)
{
    if (t->pending && t->modes & VT_M_WRAP)
        wrap(t);
    const int width = VT_WIDTH(what), stop = limit(t), room = t->pending ? 0 : (stop - t->col) / width;
    const vt_cell pen = t->pen_cell, cell = pen | what;
    if (!room && t->modes & VT_M_WRAP) {
        print_again(t, text, text_n);
        return 1;
    }
    if (!room) { /* each overwrites the last column; of wide ones, which do not fit, only marks join a cell */
        for (int i = 0; i < n && i < VT_CELL_CODES; i++)
            print_again(t, text, text_n);
        return n;
    }
    if (n > room)
        n = room;
    vt_row *r = vt_cursor_row(t);
    int col = t->col;
    if (width == 1 && n == t->cols && !(cell & (VT_PROTECTED | VT_CLUSTER))) {
        r->len = 0; /* the whole row, as DECALN does it */
        r->tail = cell;
        t->budget -= CODE_COST;
    } else {
        int end = col + n * width;
        mend_before(t, r, col);
        if (end >= r->len)
            r->len = (uint16_t)end;
        else
            mend_after(t, r, end);
        const vt_cell second = width == 2 ? pen : cell;
        vt_cell *cells = r->cells + col;
        for (int i = 0; i + 1 < n * width; i += 2) {
            cells[i] = cell;
            cells[i + 1] = second;
        }
        if (n * width & 1)
            cells[n - 1] = cell;
        t->budget -= n * width;
    }
    advance(t, col + n * width, stop);
    return n;
}

/* REP, as in xterm.js: only directly after a character, and with the marks that joined it. */
void vt_repeat(vt *t, int n)
{
    if (!t->last_char)
        return;
    const int state = state_before(t);
    const vt_row *r = vt_cursor_row(t);
    int col = t->pending ? t->col : t->col - 1;
    if (col < 0 || col >= r->len)
        return;
    if (!VT_WIDTH(r->cells[col]))
        col--;
    vt_cell cell = r->cells[col];
    if (!VT_CODE(cell))
        return;
    /* It is printed again, and so through the charset. */
    if (!(cell & VT_CLUSTER) && VT_CODE(cell) >= 0x20 && VT_CODE(cell) < 0x7F)
        cell = (cell & ~(vt_cell)0x7F) | translated(t, (uint8_t)VT_CODE(cell));
    uint8_t again[VT_CELL_TEXT + 4];
    int again_n = (int)(vt_cell_text(t, again, cell) - again);
    if (cell & VT_CLUSTER)
        t->clusters[VT_CODE(cell)].shared = 1;
    uint32_t first;
    vt_utf8_next(again, again + again_n, &first);
    if (VT_JOINS(state, vt_properties(first)))
        vt_viewer_differs(t); /* xterm.js joins them, two regional indicators for example */
    if (t->pen.link || (VT_WIDTH(cell) == 2 && !(t->modes & VT_M_WRAP)))
        vt_viewer_differs(t); /* as in vt_print_code(), but before the first one */
    vt_viewer_inexact(t);
    /* More than a screen and a row would only scroll equal rows out of sight: whole rows of the excess are left out.
       The first row may be longer than the others, outside the margins. */
    int each = (t->right - t->left + 1) / VT_WIDTH(cell), most = t->cols + (t->rows + 1) * each;
    if (n > most)
        n -= (n - most) / each * each;
    if (t->modes & VT_M_INSERT) {
        for (; n > 0; n--)
            print_again(t, again, again_n);
        return;
    }
    if (t->pen_dirty)
        vt_pen_intern(t);
    t->hold++; /* the cluster must survive even if its cell is overwritten */
    while (n > 0)
        n -= fill(t, cell & (VT_CLUSTER | VT_WIDTH_BITS(3) | 0x1FFFFF), again, again_n, n);
    t->hold--;
}
