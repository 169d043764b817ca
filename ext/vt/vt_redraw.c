/* The terminal as bytes: what brings any other of its size to the same state, whatever state that one is in.

   The order is that of docs/terminal.md. Rows are written with nothing set that changes where text goes (margins,
   origin, insert mode, charsets); what the program has set comes after them. */
#include "vt_state.h"

#include <stdlib.h>
#include <string.h>

#define SGR_MAX 128   /* bytes of the longest SGR that set_pen() writes, DECSCA included */
#define LINKS_BYTES (4 << 20) /* bytes of links in one piece of output: a cell may have one of 2 KiB, again and again */
#define KITTY_POP "\x1b[<99u\x1b[=0u"

uint8_t *vt_room(vt_buf *b, size_t n)
{
    if (b->size - b->n >= n)
        return b->data + b->n;
    size_t size = b->size * 2 > b->n + n ? b->size * 2 : b->n + n;
    if (size < 1024)
        size = 1024;
    uint8_t *data = b->failed ? NULL : realloc(b->data, size);
    if (!data) {
        b->failed = 1;
        return NULL;
    }
    b->data = data;
    b->size = size;
    return data + b->n;
}

int vt_decode(const uint8_t *p, const uint8_t *end, uint32_t *code)
{
    int n = *p < 0x80 ? 1 : *p < 0xE0 ? 2 : *p < 0xF0 ? 3 : 4;
    if (n > end - p) { /* cannot be: all text here was encoded by us */
        *code = 0xFFFD;
        return (int)(end - p);
    }
    switch (n) {
    case 1: *code = p[0]; break;
    case 2: *code = (p[0] & 0x1Fu) << 6 | (p[1] & 0x3Fu); break;
    case 3: *code = (p[0] & 0x0Fu) << 12 | (p[1] & 0x3Fu) << 6 | (p[2] & 0x3Fu); break;
    default: *code = (p[0] & 0x07u) << 18 | (p[1] & 0x3Fu) << 12 | (p[2] & 0x3Fu) << 6 | (p[3] & 0x3Fu);
    }
    return n;
}

/* ---- a pen, and what changes it ---- */

typedef struct {
    vt_buf *out;
    int cols;
    int protecting;   /* whether DECSCA is written at all */
    int skipping;     /* whether the rows were blank before, so that blanks may be skipped */
    vt_style style;   /* what the reader's pen is now, its link aside */
    int protect;
    const char *link; /* NULL: none */
    uint16_t id_n, uri_n;
    size_t link_bytes; /* written so far: from LINKS_BYTES on text goes without */
} writer;

static void put(writer *w, const char *s) { vt_put(w->out, s, strlen(s)); }

static inline uint8_t *put_number(uint8_t *p, unsigned n)
{
    if (n >= 10000)
        *p++ = (uint8_t)('0' + n / 10000 % 10);
    if (n >= 1000)
        *p++ = (uint8_t)('0' + n / 1000 % 10);
    if (n >= 100)
        *p++ = (uint8_t)('0' + n / 100 % 10);
    if (n >= 10)
        *p++ = (uint8_t)('0' + n / 10 % 10);
    *p++ = (uint8_t)('0' + n % 10);
    return p;
}

/* CSI prefix n final; `a`, `b` below 0 are left out. */
static void csi(writer *w, const char *prefix, int a, int b, const char *final)
{
    uint8_t *p = vt_room(w->out, 32);
    if (!p)
        return;
    uint8_t *begin = p;
    *p++ = 0x1B;
    *p++ = '[';
    while (*prefix)
        *p++ = (uint8_t)*prefix++;
    if (a >= 0)
        p = put_number(p, (unsigned)a);
    if (b >= 0) {
        *p++ = ';';
        p = put_number(p, (unsigned)b);
    }
    while (*final)
        *p++ = (uint8_t)*final++;
    w->out->n += (size_t)(p - begin);
}

static uint8_t *put_text(uint8_t *p, const char *s)
{
    while (*s)
        *p++ = (uint8_t)*s++;
    return p;
}

/* A colour as parameters; `base` 30, 40 or 58. */
static uint8_t *put_colour(uint8_t *p, uint32_t colour, int base)
{
    unsigned n = colour & 0xFF;
    if (base == 58) { /* with colons: who does not know it ignores all of it */
        if (!colour)
            return put_text(p, "59;");
        if (colour & VT_PALETTE) {
            p = put_text(p, "58:5:");
        } else {
            p = put_text(p, "58:2::");
            p = put_number(p, colour >> 16 & 0xFF);
            *p++ = ':';
            p = put_number(p, colour >> 8 & 0xFF);
            *p++ = ':';
        }
        p = put_number(p, n);
    } else if (!colour) {
        p = put_number(p, (unsigned)base + 9);
    } else if (colour & VT_RGB) {
        p = put_number(p, (unsigned)base + 8);
        p = put_text(p, ";2;");
        p = put_number(p, colour >> 16 & 0xFF);
        *p++ = ';';
        p = put_number(p, colour >> 8 & 0xFF);
        *p++ = ';';
        p = put_number(p, n);
    } else if (n < 8) {
        p = put_number(p, (unsigned)base + n);
    } else if (n < 16) {
        p = put_number(p, (unsigned)base + 60 + n - 8);
    } else {
        p = put_number(p, (unsigned)base + 8);
        p = put_text(p, ";5;");
        p = put_number(p, n);
    }
    *p++ = ';';
    return p;
}

static inline int same_style(const vt_style *a, const vt_style *b)
{
    return a->fg == b->fg && a->bg == b->bg && a->ul == b->ul && a->attrs == b->attrs;
}

static uint8_t *put_sgr(uint8_t *p, const vt_style *from, const vt_style *to)
{
    static const vt_style none;
    *p++ = 0x1B;
    *p++ = '[';
    /* Attributes are turned off all together only: their single ends differ between terminals (21, 22). */
    if ((from->attrs & ~to->attrs & 0xFF) || (from->attrs & VT_UNDERLINE && (from->attrs ^ to->attrs) & VT_UNDERLINE)
        || (!to->fg && !to->bg && !to->ul && !to->attrs)) {
        *p++ = '0';
        *p++ = ';';
        from = &none;
    }
    unsigned on = to->attrs & ~(unsigned)from->attrs;
    if (on) {
        if (on & VT_BOLD)
            p = put_text(p, "1;");
        if (on & VT_DIM)
            p = put_text(p, "2;");
        if (on & VT_ITALIC)
            p = put_text(p, "3;");
        if (on & VT_BLINK)
            p = put_text(p, "5;");
        if (on & VT_INVERSE)
            p = put_text(p, "7;");
        if (on & VT_INVISIBLE)
            p = put_text(p, "8;");
        if (on & VT_STRIKE)
            p = put_text(p, "9;");
        if (on & VT_OVERLINE)
            p = put_text(p, "53;");
        if (on & VT_UNDERLINE) {
            unsigned kind = (to->attrs & VT_UNDERLINE) >> VT_UNDERLINE_SHIFT;
            *p++ = '4';
            if (kind > 1) {
                *p++ = ':';
                *p++ = (uint8_t)('0' + kind);
            }
            *p++ = ';';
        }
    }
    if (from->fg != to->fg)
        p = put_colour(p, to->fg, 30);
    if (from->bg != to->bg)
        p = put_colour(p, to->bg, 40);
    if (from->ul != to->ul)
        p = put_colour(p, to->ul, 58);
    p[-1] = 'm';
    return p;
}

static void set_link(writer *w, const char *link, uint16_t id_n, uint16_t uri_n)
{
    uint8_t *p = vt_room(w->out, 16 + (size_t)id_n + uri_n);
    if (!p)
        return;
    uint8_t *begin = p;
    p = put_text(p, "\x1b]8;");
    if (link && id_n) {
        p = put_text(p, "id=");
        memcpy(p, link, id_n);
        p += id_n;
    }
    *p++ = ';';
    if (link) {
        memcpy(p, link + id_n, uri_n);
        p += uri_n;
    }
    p = put_text(p, "\x1b\\");
    w->out->n += (size_t)(p - begin);
    w->link = link;
    w->id_n = id_n;
    w->uri_n = uri_n;
    w->link_bytes += (size_t)id_n + uri_n;
}

static void set_pen(writer *w, const vt_style *style, int protect)
{
    int styled = !same_style(&w->style, style);
    if (!styled && (!w->protecting || protect == w->protect))
        return;
    uint8_t *p = vt_room(w->out, SGR_MAX);
    if (!p)
        return;
    uint8_t *begin = p;
    if (styled)
        p = put_sgr(p, &w->style, style);
    /* xterm.js forgets the protection at SGR 0, so it is said again behind one. */
    if (w->protecting && (protect != w->protect || (styled && protect)))
        p = put_text(p, protect ? "\x1b[1\"q" : "\x1b[0\"q");
    w->out->n += (size_t)(p - begin);
    w->style = *style;
    w->protect = protect;
}

static int same_link(const char *a, uint16_t a_id_n, uint16_t a_uri_n, const char *b, uint16_t b_id_n, uint16_t b_uri_n)
{
    return a == b || (a && b && a_id_n == b_id_n && a_uri_n == b_uri_n && !memcmp(a, b, (size_t)a_id_n + a_uri_n));
}

static int same_run(const vt_run *a, const vt_run *b)
{
    return same_style(&a->style, &b->style) && a->protect == b->protect
           && same_link(a->link, a->id_n, a->uri_n, b->link, b->id_n, b->uri_n);
}

static void set_run_pen(writer *w, const vt_run *r)
{
    set_pen(w, &r->style, w->protecting ? r->protect : 0);
    if (r->link && w->link_bytes < LINKS_BYTES) {
        if (!same_link(r->link, r->id_n, r->uri_n, w->link, w->id_n, w->uri_n))
            set_link(w, r->link, r->id_n, r->uri_n);
    } else if (w->link) {
        set_link(w, NULL, 0, 0);
    }
}

static const vt_style plain;

static void set_plain(writer *w)
{
    set_pen(w, &plain, 0);
    if (w->link)
        set_link(w, NULL, 0, 0);
}

/* ---- rows ---- */

/* Whether blanks of this style can be made by erasing: that leaves the background alone. */
static int erasable(const vt_style *s) { return !s->fg && !s->ul && !s->attrs; }

static void put_spaces(writer *w, int n)
{
    uint8_t *p = n > 0 ? vt_room(w->out, (size_t)n) : NULL;
    if (!p)
        return;
    memset(p, ' ', (size_t)n);
    w->out->n += (size_t)n;
}

/* Whether blanks of this run can be made by erasing. Others (half of a wide character left them) become spaces. */
static int can_erase(const writer *w, const vt_run *r)
{
    return w->skipping && erasable(&r->style) && !r->link && !(w->protecting && r->protect);
}

/* n blanks in the pen's style. The row was blank before: those without a background are just passed by. */
static void put_blanks(writer *w, const vt_run *r, int n)
{
    if (!can_erase(w, r)) {
        put_spaces(w, n);
        return;
    }
    if (r->style.bg)
        csi(w, "", n, -1, "X");
    csi(w, "", n, -1, "C");
}

/* How a line hangs together with those around it. */
typedef struct {
    int continued;      /* the line before is wrapped: only printing the first cell brings the cursor here */
    int scrolled;       /* ... and scrolls, so that this row has that cell's background */
    const vt_run *mend; /* ... and its last cell was a blank, printed as a space for the wrap's sake */
    int gap;            /* the last column is what a wide character leaves that does not fit: printing that does it */
} joint;

/* The first cell of a row that continues the one above: printed, whatever it is, and then put right. Returns the bytes
   of it that need no printing any more. */
static uint32_t put_first(writer *w, const vt_run *r, const joint *j)
{
    uint32_t n = 0, code;
    int width = 1, blank = !r->n || !*r->text;
    set_run_pen(w, r);
    if (blank) {
        put_spaces(w, 1);
        n = r->n != 0;
    } else {
        const uint8_t *end = r->text + r->n;
        n = (uint32_t)vt_decode(r->text, end, &code);
        width = code >= 0x80 && vt_width(code) == 2 ? 2 : 1;
        while (r->text + n < end && r->text[n] >= 0x80) {
            int k = vt_decode(r->text + n, end, &code);
            if (vt_width(code))
                break;
            n += (uint32_t)k;
        }
        vt_put(w->out, r->text, n);
    }
    if (width >= w->cols) /* the cursor waits behind the last column: it could not be brought back there */
        return n;
    if (j->scrolled && r->style.bg) {
        set_plain(w);
        put(w, "\x1b[K");
    }
    if (blank && can_erase(w, r)) {
        set_run_pen(w, r);
        put(w, "\r\x1b[X\x1b[C");
    }
    if (j->mend) {
        set_run_pen(w, j->mend);
        csi(w, "", -1, -1, "A");
        csi(w, "", w->cols, -1, "G");
        put(w, "\x1b[X\x1b[B");
        csi(w, "", width + 1, -1, "G");
    }
    return n;
}

static void put_text_run(writer *w, const vt_run *r, const uint8_t *text, const uint8_t *end, int wrapped)
{
    set_run_pen(w, r);
    while (text < end) {
        const uint8_t *nul = memchr(text, 0, (size_t)(end - text)), *stop = nul ? nul : end;
        vt_put(w->out, text, (size_t)(stop - text));
        for (text = stop; text < end && !*text; text++)
            ;
        if (text == stop)
            continue;
        int blanks = (int)(text - stop);
        if (wrapped && text == end) { /* the wrap is pending behind a printed cell only */
            if (blanks > 1)
                put_blanks(w, r, blanks - 1);
            put_spaces(w, 1);
        } else {
            put_blanks(w, r, blanks);
        }
    }
}

/* Writes a line from the first column on; the cursor is there, or at the end of the line that it continues. */
static void put_line(writer *w, const vt_line *line, const joint *j)
{
    vt_run tail = {.style = line->tail};
    int rest = w->cols - line->cols;
    uint32_t done = 0;
    if (j->continued) {
        done = put_first(w, line->n ? &line->runs[0] : &tail, j);
        rest -= !line->n;
    }
    for (int i = 0; i < line->n; i++) {
        const vt_run *r = &line->runs[i];
        const uint8_t *text = r->text + (i ? 0 : done), *end = r->text + r->n;
        int last = line->wrapped && i == line->n - 1 && !rest;
        if (text < end)
            put_text_run(w, r, text, end - (last && j->gap), last && !j->gap);
    }
    if (rest <= 0)
        return;
    if (line->wrapped) {
        set_run_pen(w, &tail);
        if (rest > 1)
            put_blanks(w, &tail, rest - 1);
        put_spaces(w, 1);
    } else if (!same_style(&tail.style, &plain)) {
        set_run_pen(w, &tail);
        if (erasable(&tail.style))
            put(w, "\x1b[K");
        else
            put_spaces(w, rest);
    }
}

/* The last cell of a wrapped line when it is a blank that put_line() has to print as a space. `tail`: room for what
   there is behind the runs. NULL: it is no such blank, or has to stay a space. */
static const vt_run *blank_end(const writer *w, const vt_line *line, vt_run *tail)
{
    const vt_run *r = line->n ? &line->runs[line->n - 1] : NULL;
    if (line->cols < w->cols) {
        *tail = (vt_run){.style = line->tail};
        r = tail;
    } else if (!r || r->text[r->n - 1]) {
        return NULL;
    }
    return can_erase(w, r) ? r : NULL;
}

static int begins_wide(const vt_line *line)
{
    uint32_t code;
    if (!line->n || line->runs[0].text[0] < 0x80)
        return 0;
    vt_decode(line->runs[0].text, line->runs[0].text + line->runs[0].n, &code);
    return vt_width(code) == 2;
}

/* Whether the last column of a wrapped line is what a wide character left there that is now the first of the next:
   printing that character leaves it again, in its own style. */
static int has_gap(const vt_line *line, const vt_line *next, int cols)
{
    if (!line->wrapped || line->cols < cols || !begins_wide(next))
        return 0;
    const vt_run *r = &line->runs[line->n - 1];
    return !r->text[r->n - 1] && same_run(r, &next->runs[0]);
}

typedef struct {
    vt_line a, b;
    vt_history_reader reader;
} lines;

static int lines_init(lines *l, const vt *t)
{
    memset(l, 0, sizeof *l);
    return vt_line_init(&l->a, t->cols) || vt_line_init(&l->b, t->cols) ? -1 : 0;
}

static void lines_free(lines *l)
{
    vt_line_free(&l->a);
    vt_line_free(&l->b);
}

/* A screen from its top, which is where the cursor is; `before` lines of scrollback first. */
static void put_screen(writer *w, const vt *t, const vt_screen *s, lines *l, uint32_t before)
{
    int rows = t->rows;
    if (!before) /* nothing has to scroll: blank rows at the end need not be gone to */
        for (; rows && !s->rows[rows - 1]->len && s->rows[rows - 1]->tail == VT_BLANK; rows--)
            if (rows > 1 && s->rows[rows - 2]->wrapped)
                break;
    int64_t n = (int64_t)before + rows;
    if (before)
        vt_history_seek(t, &l->reader, t->history.count - before);
    vt_line *line = &l->a, *next = &l->b;
    joint j = {0};
    vt_run mend, tail;
    for (int64_t i = -1; i < n; i++) {
        /* `line` is i, `next` the one after it: a wrapped line needs to know how that begins */
        int more = i + 1 < n;
        if (more) {
            if (i + 1 < before) {
                vt_history_next(&l->reader, next);
            } else {
                vt_line_row(t, next, s->rows[i + 1 - before], t->cols);
                if (i + 1 - before == t->rows - 1)
                    next->wrapped = 0; /* it goes on nowhere */
            }
            vt_line_trim(next, 0);
        }
        if (i >= 0) {
            if (!more)
                line->wrapped = 0;
            j.gap = more && has_gap(line, next, t->cols);
            j.scrolled = i >= t->rows;
            put_line(w, line, &j);
            j.continued = line->wrapped;
            j.mend = NULL;
            if (j.continued && !j.gap && t->rows > 1) {
                const vt_run *blank = blank_end(w, line, &tail);
                if (blank) {
                    mend = *blank;
                    j.mend = &mend;
                }
            }
            if (more && !j.continued) {
                /* A row that scrolls in takes the pen's background. */
                if (i + 1 >= t->rows && w->style.bg)
                    set_plain(w);
                put(w, "\r\n");
            }
        }
        vt_line *swap = line;
        line = next;
        next = swap;
    }
}

uint32_t vt_lines(const vt *t, vt_buf *out, int64_t first, int64_t last)
{
    int64_t oldest = (int64_t)t->history.dropped, end = oldest + (int64_t)t->history.count + t->rows;
    if (first < oldest)
        first = oldest;
    if (last > end)
        last = end;
    if (first >= last)
        return 0;
    lines l;
    if (lines_init(&l, t)) {
        lines_free(&l);
        out->failed = 1;
        return 0;
    }
    writer w = {.out = out, .cols = t->cols};
    vt_line *line = &l.a, *next = &l.b;
    /* Whoever reads this prints more lines than fit on a screen, so any row may have scrolled in. */
    joint j = {.scrolled = 1};
    if (vt_line_at(t, line, &l.reader, first - 1))
        j.continued = line->wrapped;
    vt_line_at(t, line, &l.reader, first);
    vt_line_trim(line, 1);
    for (int64_t i = first; i < last; i++) {
        int more = vt_line_at(t, next, &l.reader, i + 1);
        if (more)
            vt_line_trim(next, 1);
        put(&w, "\x1b[0m");
        w.style = plain;
        j.gap = more && has_gap(line, next, t->cols);
        put_line(&w, line, &j);
        j.continued = line->wrapped;
        if (w.link)
            set_link(&w, NULL, 0, 0);
        if (!line->wrapped) {
            if (w.style.bg)
                set_plain(&w);
            put(&w, "\r\n");
        }
        vt_line *swap = line;
        line = next;
        next = swap;
    }
    lines_free(&l);
    return (uint32_t)(last - first);
}

/* ---- state ---- */

static void put_charsets(writer *w, const uint8_t *charsets, int gl, int all)
{
    for (int i = 0; i < 4; i++)
        if (all || charsets[i] != 'B') {
            char s[4] = {0x1B, "()*+"[i], (char)charsets[i], 0};
            put(w, s);
        }
    static const char *const shifts[4] = {"\x0f", "\x0e", "\x1bn", "\x1bo"};
    if (all || gl)
        put(w, shifts[gl & 3]);
}

static const uint8_t ascii[4] = {'B', 'B', 'B', 'B'};

/* Brings about what a screen has saved, with `save` (ESC 7, or 1049 on), and goes back to modes and charsets that
   change nothing. */
static void put_saved(writer *w, const vt_saved *s, const char *save)
{
    if (s->origin)
        put(w, "\x1b[?6h");
    set_pen(w, &s->pen, s->protect);
    csi(w, "", s->row + 1, s->col + 1, "H");
    put_charsets(w, s->charsets, s->gl, 0);
    put(w, save);
    if (s->gl || memcmp(s->charsets, ascii, 4))
        put_charsets(w, ascii, 0, 1);
    if (s->origin)
        put(w, "\x1b[?6l");
}

static void put_kitty(writer *w, const vt_screen *s)
{
    put(w, KITTY_POP);
    for (int i = 0; i <= s->kitty_n && i < (int)sizeof s->kitty; i++) {
        if (i)
            csi(w, ">", s->kitty[i], -1, "u");
        else if (s->kitty[0])
            csi(w, "=", s->kitty[0], 1, "u");
    }
}

static void put_margins(writer *w, const vt *t, int top, int bottom, int left, int right)
{
    if (top || bottom != t->rows - 1)
        csi(w, "", top + 1, bottom + 1, "r");
    if (left || right != t->cols - 1) /* only there with DECLRMM on: otherwise it saves the cursor */
        csi(w, "", left + 1, right + 1, "s");
}

static void put_tabs(writer *w, const vt *t)
{
    put(w, "\x1b[3g\r");
    int at = 0;
    for (int i = 0; i < t->cols; i++)
        if (t->tabs[i / 8] >> i % 8 & 1) {
            if (i > at)
                csi(w, "", i - at, -1, "C");
            put(w, "\x1bH");
            at = i;
        }
}

static void put_osc(writer *w, const char *number, const uint8_t *text, size_t n)
{
    put(w, "\x1b]");
    put(w, number);
    vt_put(w->out, text, n);
    put(w, "\x1b\\");
}

static void put_titles(writer *w, const vt *t)
{
    for (int i = 0; i < VT_TITLES; i++) /* whatever the reader has pushed */
        put(w, "\x1b[23;2t");
    size_t at = 0;
    for (int i = 0; i < t->titles_n && at + 2 <= t->titles.n; i++) {
        size_t n = t->titles.data[at] | (size_t)t->titles.data[at + 1] << 8;
        put_osc(w, "2;", t->titles.data + at + 2, n);
        put(w, "\x1b[22;2t");
        at += 2 + n;
    }
    put_osc(w, "2;", t->title, t->title_n);
    put_osc(w, "7;", t->cwd, t->cwd_n);
}

static uint8_t *put_rgb(uint8_t *p, uint32_t rgb)
{
    static const char hex[] = "0123456789abcdef";
    p = put_text(p, "rgb:");
    for (int shift = 16; shift >= 0; shift -= 8) {
        *p++ = (uint8_t)hex[rgb >> shift >> 4 & 15];
        *p++ = (uint8_t)hex[rgb >> shift & 15];
        *p++ = '/';
    }
    return p - 1;
}

static void put_palette(writer *w, const vt *t)
{
    put(w, "\x1b]104\x1b\\\x1b]110\x1b\\\x1b]111\x1b\\\x1b]112\x1b\\");
    for (unsigned i = 0; t->palette && i < 259; i++) {
        if (!t->palette[i])
            continue;
        uint8_t *p = vt_room(w->out, 32), *begin = p;
        if (!p)
            return;
        p = put_text(p, "\x1b]");
        if (i < 256) {
            p = put_text(p, "4;");
            p = put_number(p, i);
        } else {
            p = put_number(p, 10 + i - 256);
        }
        *p++ = ';';
        p = put_rgb(p, t->palette[i]);
        p = put_text(p, "\x1b\\");
        w->out->n += (size_t)(p - begin);
    }
}

/* Modes that neither move the cursor nor change what is printed; of the mouse's only the last that is set may stay. */
static const struct { uint32_t bit; uint16_t number; } modes[] = {
    {VT_M_APP_CURSOR, 1},     {VT_M_REVERSE, 5},       {VT_M_BLINK, 12},         {VT_M_CURSOR, 25},
    {VT_M_REVERSE_WRAP, 45},  {VT_M_FOCUS, 1004},      {VT_M_ALT_SCROLL, 1007},  {VT_M_PASTE, 2004},
    {VT_M_COLOUR_SCHEME, 2031}, {VT_M_MOUSE_X10, 9},   {VT_M_MOUSE, 1000},       {VT_M_MOUSE_DRAG, 1002},
    {VT_M_MOUSE_ANY, 1003},   {VT_M_MOUSE_UTF8, 1005}, {VT_M_MOUSE_SGR, 1006},   {VT_M_MOUSE_URXVT, 1015},
    {VT_M_MOUSE_PIXELS, 1016}, {VT_M_SYNC, 2026},
};

/* CSI ? ... `final` for the modes above that are on, or off; all of the mouse's are turned off first. */
static void put_some_modes(writer *w, uint32_t which, char final)
{
    uint8_t *p = vt_room(w->out, 8 + 5 * sizeof modes / sizeof *modes), *begin = p;
    if (!p)
        return;
    p = put_text(p, "\x1b[?");
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
        if (which & modes[i].bit) {
            p = put_number(p, modes[i].number);
            *p++ = ';';
        }
    if (p[-1] != ';')
        return;
    p[-1] = (uint8_t)final;
    w->out->n += (size_t)(p - begin);
}

#define MOUSE \
    (VT_M_MOUSE_X10 | VT_M_MOUSE | VT_M_MOUSE_DRAG | VT_M_MOUSE_ANY | VT_M_MOUSE_UTF8 | VT_M_MOUSE_SGR           \
     | VT_M_MOUSE_URXVT | VT_M_MOUSE_PIXELS)

static void put_modes(writer *w, const vt *t)
{
    csi(w, "", t->shape, -1, " q"); /* before 12, which it may change */
    put_some_modes(w, ~t->modes | MOUSE, 'l');
    put_some_modes(w, t->modes, 'h');
    put(w, t->modes & VT_M_APP_KEYPAD ? "\x1b=" : "\x1b>");
    put(w, t->modes & VT_M_NEWLINE ? "\x1b[20h" : "\x1b[20l");
}

/* Whether columns [0, col] were never written and have one background: as after erasing all of them. */
static int all_blank(const vt_row *r, int col)
{
    vt_cell first = vt_at(r, 0);
    if (VT_CODE(first) || first & VT_CLUSTER || first & VT_PROTECTED || VT_WIDTH(first) != 1)
        return 0;
    for (int i = 1; i <= col && i < r->len + 1; i++)
        if (vt_at(r, i) != first)
            return 0;
    return 1;
}

/* The pen, the cursor, and what must not be set before they stand. */
static void put_cursor(writer *w, const vt *t, lines *l)
{
    vt_run pen;
    memset(&pen, 0, sizeof pen);
    pen.style = t->pen;
    pen.style.link = 0;
    pen.protect = t->protect;
    if (t->pen.link && t->pen.link < t->links_n) {
        const vt_link *link = &t->links[t->pen.link];
        pen.link = link->text;
        pen.id_n = link->id_n;
        pen.uri_n = link->uri_n;
    }

    /* No sequence sets a pending wrap: the cell it is pending behind is printed again. So is the cell before the cursor
       when a character was the last thing that came: REP would refer to it, and any sequence ends that. */
    const vt_row *r = t->s->rows[t->row];
    int col = t->pending ? t->col : t->last_char ? t->col - 1 : -1;
    if (col > 0 && !VT_WIDTH(vt_at(r, col)))
        col--;
    int insert = (t->modes & VT_M_INSERT) != 0;
    const char *shift = "";
    int own = 0; /* whether the cell has another pen than the cursor */
    if (col >= 0) {
        vt_row *one = (vt_row *)l->b.text; /* any room will do */
        vt_cell c = vt_at(r, col);
        one->len = 1;
        one->wrapped = 0;
        one->tail = VT_BLANK;
        one->cells[0] = c;
        vt_line_row(t, &l->a, one, 1);
        own = !same_run(&l->a.runs[0], &pen);
        /* Printed through another charset by a single shift, which it then needs again. */
        uint8_t set = t->charsets[t->gl & 3], text = l->a.text[0];
        if ((set == '0' && text >= 0x60 && text < 0x7F) || (set == 'A' && text == '#')) {
            shift = t->charsets[2] == 'B' ? "\x1bN" : t->charsets[3] == 'B' ? "\x1bO" : "";
            own |= !*shift;
        }
        if (!t->pending && (own || col + l->a.cols != t->col || (insert && (col < t->left || col > t->right))))
            col = -1;
    }
    int early = t->pending && (own || !t->last_char);

    if (t->modes & VT_M_ORIGIN)
        put(w, "\x1b[?6h");
    int row = t->row + 1, to = (col >= 0 ? col : t->col) + 1;
    if (t->modes & VT_M_ORIGIN) {
        row -= t->top;
        to -= t->left;
    }
    uint8_t text[40];
    size_t text_n = 0;
    if (col >= 0) {
        vt_run *cell = &l->a.runs[0];
        for (uint32_t i = 0; i < cell->n && i < sizeof text; i++)
            text[text_n++] = cell->text[i] ? cell->text[i] : ' ';
        if (early)
            set_run_pen(w, cell);
    }
    csi(w, "", row > 0 ? row : 1, to > 0 ? to : 1, "H");
    if (early) {
        vt_put(w->out, text, text_n);
        if (all_blank(r, col)) /* the pending wrap stays, and the row is blank again */
            put(w, "\x1b[1K");
    }
    set_run_pen(w, &pen);
    /* After a cell that was printed for its pending wrap alone some sequence has to follow, or REP would repeat it. */
    if (early || !(t->modes & VT_M_WRAP))
        put(w, t->modes & VT_M_WRAP ? "\x1b[?7h" : "\x1b[?7l");
    if (insert)
        put(w, "\x1b[4h");
    put_charsets(w, t->charsets, t->gl, 0);
    if (col >= 0 && !early) {
        if (insert && !t->pending) /* it is inserted: taken out first */
            csi(w, "", l->a.cols, -1, "P");
        put(w, shift);
        vt_put(w->out, text, text_n);
    }
    if (t->single_shift)
        put(w, t->single_shift == 2 ? "\x1bN" : "\x1bO");
}

void vt_redraw(const vt *t, vt_buf *out, uint32_t scrollback_lines)
{
    lines l;
    if (lines_init(&l, t)) {
        lines_free(&l);
        out->failed = 1;
        return;
    }
    uint32_t before = scrollback_lines < t->history.count ? scrollback_lines : (uint32_t)t->history.count;
    writer w = {.out = out, .cols = t->cols, .protecting = 1, .skipping = 1};

    /* Nothing may move or change what is printed now. A single shift is used up by the space, which is erased again. */
    put(&w, "\x18\x1b[!p\x1b[0m\x1b[0\"q\x1b]8;;\x1b\\");
    put(&w, "\x1b[?2026l\x1b[?1047l\x1b[?69l\x1b[r\x1b[?6l\x1b[?7h\x1b[4l\x1b[20l");
    put_charsets(&w, ascii, 0, 1);
    int on_alt = t->s == &t->alt;
    if (!on_alt) {
        /* What the alternate screen keeps while it is hidden: its rows are not among it. */
        put(&w, "\x1b[?1047h");
        put_kitty(&w, &t->alt);
        put_saved(&w, &t->alt.saved, "\x1b" "7");
        set_plain(&w);
        put(&w, "\x1b[?1047l");
    }
    put(&w, "\x1b[H \x1b[2J\r");
    if (scrollback_lines)
        put(&w, "\x1b[3J");
    put_screen(&w, t, &t->main, &l, before);
    set_plain(&w);
    put_kitty(&w, &t->main);
    if (on_alt) {
        const vt_screen *m = &t->main;
        if (m->top || m->bottom != t->rows - 1 || m->left || m->right != t->cols - 1) {
            /* 1049 saves the cursor too, but what is saved may be outside of these margins. */
            put_saved(&w, &m->saved, "\x1b" "7");
            put(&w, "\x1b[?69h");
            put_margins(&w, t, m->top, m->bottom, m->left, m->right);
            put(&w, "\x1b[?1047h\x1b[?69l");
        } else {
            put_saved(&w, &m->saved, "\x1b[?1049h");
        }
        set_plain(&w);
        put(&w, "\x1b[H\x1b[2J");
        put_screen(&w, t, &t->alt, &l, 0);
        set_plain(&w);
        put_kitty(&w, &t->alt);
    }
    put_saved(&w, &t->s->saved, "\x1b" "7");
    set_plain(&w);
    put_tabs(&w, t);
    put_palette(&w, t);
    put_titles(&w, t);
    if (t->modes & VT_M_MARGINS)
        put(&w, "\x1b[?69h");
    put_margins(&w, t, t->top, t->bottom, t->left, t->right);
    put_modes(&w, t);
    put_cursor(&w, t, &l);
    vt_partial(t, out);
    lines_free(&l);
}
