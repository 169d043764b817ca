/* Printing: text of a program into cells.

   One loop over a row stores a run. Characters with special rules (at the margin, in insert mode, combining) take
   vt_print_code(). A character that overwrites half of a wide one leaves a blank of its own style in the other half. */
#include "vt_state.h"
#include "vt_width.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define CLUSTER_MAX ((int)(sizeof((vt_cluster *)0)->codes / sizeof *((vt_cluster *)0)->codes))
#define CODE_COST 6 /* cells' worth of a character that vt_print_code() prints */

/* The first column that cannot be printed to before a wrap. */
static inline int limit(const vt *t) { return t->col <= t->right ? t->right + 1 : t->cols; }

/* Move to the next row, in which the line continues. */
static void wrap(vt *t)
{
    vt_row *r = vt_cursor_row(t);
    int row = t->row;
    r->wrapped = (uint8_t)(vt_whole_width(t) && (row == t->bottom || row < t->rows - 1));
    vt_down(t);
    t->col = t->left;
    t->pending = 0;
}

/* Before cells from `col` on are overwritten: blank a left half whose right half is there, or store cells up to there.
   */
static inline void mend_before(vt_row *r, int col, vt_cell blank)
{
    if (col > r->len)
        vt_row_widen(r, col);
    else if (col < r->len && !VT_WIDTH(r->cells[col]))
        r->cells[col - 1] = blank;
}

/* Afterwards: blank a right half whose left half was overwritten. */
static inline void mend_after(vt_row *r, int col, vt_cell blank)
{
    if (col < r->len && !VT_WIDTH(r->cells[col]))
        r->cells[col] = blank;
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

/* Join a code point of width 0 to a cell; a cell that was never written takes none. */
static void join(vt *t, vt_cell *cell, uint32_t code)
{
    if (!VT_CODE(*cell))
        return;
    vt_cluster cluster; /* not zeroed: only its first codes are used */
    cluster.n = 1;
    cluster.codes[0] = VT_CODE(*cell);
    if (*cell & VT_CLUSTER) {
        vt_cluster *old = &t->clusters[VT_CODE(*cell)];
        if (old->n == CLUSTER_MAX)
            return;
        if (!old->shared) {
            old->codes[old->n++] = code;
            return;
        }
        cluster = *old;
    }
    cluster.codes[cluster.n++] = code;
    uint32_t id = vt_cluster_id(t, &cluster);
    if (id)
        *cell = (*cell & ~(vt_cell)0x1FFFFF) | VT_CLUSTER | id;
}

/* Join it to the character left of the cursor; without one it is lost. */
static void combine(vt *t, uint32_t code)
{
    int col = t->pending ? t->col : t->col - 1;
    vt_row *r = vt_cursor_row(t);
    if (col < 0)
        return;
    if (col >= r->len) {
        if (!VT_CODE(r->tail))
            return;
        vt_row_widen(r, col + 1); /* one of the E's of DECALN */
    }
    if (!VT_WIDTH(r->cells[col]))
        col--;
    join(t, &r->cells[col], code);
}

void vt_print_code(vt *t, uint32_t code)
{
    int width = vt_width(code);
    t->budget -= CODE_COST;
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
    const vt_cell blank = t->pen_cell | VT_BLANK;
    int stop = limit(t);
    if (t->pending || t->col + width > stop) {
        if (t->pen.link)
            vt_viewer_differs(t); /* see scroll_line(); here the gap is not yet there */
        if (t->modes & VT_M_WRAP) {
            if (!t->pending) { /* a wide character does not fit into the last column: the gap */
                mend_before(vt_cursor_row(t), t->col, blank);
                vt_row_widen(vt_cursor_row(t), stop);
                vt_cursor_row(t)->cells[t->col] = blank;
                mend_after(vt_cursor_row(t), stop, blank);
            }
            wrap(t);
            stop = limit(t);
        } else {
            if (width == 2 || is_half(t, stop - 1))
                vt_viewer_differs(t); /* xterm.js leaves the left half of the character there */
            t->col = stop - 1;
            t->pending = 0;
            if (width == 2)
                return;
        }
    }
    vt_row *r = vt_cursor_row(t);
    int col = t->col;
    if (t->modes & VT_M_INSERT)
        vt_row_insert(t, r, col, stop, width, blank);
    mend_before(r, col, blank);
    if (r->len < col + width)
        r->len = (uint16_t)(col + width);
    else
        mend_after(r, col + width, blank);
    r->cells[col] = t->pen_cell | VT_WIDTH_BITS(width) | code;
    if (width == 2)
        r->cells[col + 1] = t->pen_cell;
    advance(t, col + width, stop);
}

/* ---- runs ---- */

static const uint16_t LINE_DRAWING[] = { /* for 0x60 to 0x7e: DEC's special graphics */
    0x25C6, 0x2592, 0x2409, 0x240C, 0x240D, 0x240A, 0x00B0, 0x00B1, 0x2424, 0x240B, 0x2518,
    0x2510, 0x250C, 0x2514, 0x253C, 0x23BA, 0x23BB, 0x2500, 0x23BC, 0x23BD, 0x251C, 0x2524,
    0x2534, 0x252C, 0x2502, 0x2264, 0x2265, 0x03C0, 0x2260, 0x00A3, 0x00B7,
};

static uint32_t translated(const vt *t, uint8_t c)
{
    uint8_t set = t->charsets[t->single_shift ? t->single_shift : t->gl];
    if (set == '0' && c >= 0x60)
        return LINE_DRAWING[c - 0x60];
    return set == 'A' && c == '#' ? 0xA3 : c;
}

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
            if (t->modes & VT_M_WRAP) {
                wrap(t);
            } else { /* each overwrites the last column: only the last one counts */
                if (is_half(t, t->col))
                    vt_viewer_differs(t);
                t->pending = 0;
                p += n - 1;
                n = 1;
            }
        }
        vt_row *r = vt_cursor_row(t);
        int stop = limit(t), col = t->col;
        int k = n < (size_t)(stop - col) ? (int)n : stop - col;
        mend_before(r, col, pen);
        if (col + k >= r->len)
            r->len = (uint16_t)(col + k);
        else
            mend_after(r, col + k, pen);
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
    if (t->charsets[t->gl] != 'B' || t->single_shift | t->pending || t->modes & VT_M_INSERT || (int64_t)n > most) {
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
        mend_before(r, col, pen);
        if (col + k >= r->len)
            r->len = (uint16_t)(col + k);
        else
            mend_after(r, col + k, pen);
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
    while (p < end && *p >= 0x80 && t->budget > 0) {
        uint32_t code, last = 0;
        int n = next_in_run(p, end, 0, &code);
        if (!n)
            return p;
        int width = vt_width_of(code);
        if (!width || t->pending || t->single_shift || t->modes & VT_M_INSERT || t->col + width > limit(t)) {
            t->parser.begin = p;
            vt_print_code(t, code);
            p += n;
            continue;
        }
        if (t->pen_dirty)
            vt_pen_intern(t);
        const vt_cell pen = t->pen_cell;
        vt_row *r = vt_cursor_row(t);
        const int stop = limit(t), ascii = t->charsets[t->gl] == 'B';
        int col = t->col, from = col;
        mend_before(r, col, pen | VT_BLANK);
        vt_cell *restrict cells = r->cells;
        do {
            if (width) {
                from = col;
                cells[col] = pen | VT_WIDTH_BITS(width) | code;
                cells[col + 1] = width == 2 ? pen : cells[col + 1]; /* no branch: it could not be predicted */
                last = code;
                col += width;
            } else {
                if (r->len < col) /* interning may collect: the row must be complete */
                    r->len = (uint16_t)col;
                join(t, &cells[from], code);
                t->budget -= CODE_COST;
            }
            p += n;
            n = next_in_run(p, end, ascii, &code);
            if (!n)
                break;
            width = code < 0x80 ? 1 : vt_width_of(code);
        } while (col + width <= stop && (width || col < stop));
        t->budget -= col - t->col;
        t->last_char = last;
        if (col >= r->len)
            r->len = (uint16_t)col;
        else
            mend_after(r, col, pen | VT_BLANK);
        advance(t, col, stop);
    }
    return p;
}

static void print_again(vt *t, const vt_cluster *cluster)
{
    for (int i = 0; i < cluster->n; i++)
        vt_print_code(t, cluster->codes[i]);
}

/* Print the character `what`, whose code points are in `text`, up to `n` times. Stops at the margin; returns how often.
   */
static int fill(vt *t, vt_cell what, const vt_cluster *text, int n)
{
    if (t->pending && t->modes & VT_M_WRAP)
        wrap(t);
    const int width = VT_WIDTH(what), stop = limit(t), room = t->pending ? 0 : (stop - t->col) / width;
    const vt_cell pen = t->pen_cell, cell = pen | what;
    if (!room && t->modes & VT_M_WRAP) {
        print_again(t, text);
        return 1;
    }
    if (!room) { /* each overwrites the last column; of wide ones, which do not fit, only marks join a cell */
        for (int i = 0; i < n && i < CLUSTER_MAX; i++)
            print_again(t, text);
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
        mend_before(r, col, pen | VT_BLANK);
        if (end >= r->len)
            r->len = (uint16_t)end;
        else
            mend_after(r, end, pen | VT_BLANK);
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
    vt_cluster again = {.n = 1, .codes = {VT_CODE(cell)}};
    if (cell & VT_CLUSTER) {
        again = t->clusters[VT_CODE(cell)];
        t->clusters[VT_CODE(cell)].shared = 1;
    }
    if (t->pen.link || (VT_WIDTH(cell) == 2 && !(t->modes & VT_M_WRAP)))
        vt_viewer_differs(t); /* as in vt_print_code(), but before the first one */
    vt_viewer_inexact(t);
    /* More than a screen and a row would only scroll equal rows out of sight: whole rows of the excess are left out. */
    int each = (t->right - t->left + 1) / VT_WIDTH(cell), most = (t->rows + 1) * each;
    if (n > most)
        n -= (n - most) / each * each;
    if (t->modes & VT_M_INSERT) {
        for (; n > 0; n--)
            print_again(t, &again);
        return;
    }
    if (t->pen_dirty)
        vt_pen_intern(t);
    t->hold++; /* the cluster must survive even if its cell is overwritten */
    while (n > 0)
        n -= fill(t, cell & (VT_CLUSTER | VT_WIDTH_BITS(3) | 0x1FFFFF), &again, n);
    t->hold--;
}
