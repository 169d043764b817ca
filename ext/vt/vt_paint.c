/* Lines and screens as terminal bytes: pen, text, blanks and wraps, without any other state of the terminal. */
#include "vt_paint.h"
#include "vt_sgr.h"
#include "vt_unicode.h"

#include <string.h>

#define SGR_MAX 128   /* bytes of the longest SGR that vt_paint_pen() writes, DECSCA included */
#define LINKS_BYTES (4 << 20) /* bytes of links in one output: each cell may have its own link of 2 KiB */

/* ---- the pen ---- */

void vt_paint_csi(vt_painter *w, const char *prefix, int a, int b, const char *final)
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
        p = vt_write_number(p, (unsigned)a);
    if (b >= 0) {
        *p++ = ';';
        p = vt_write_number(p, (unsigned)b);
    }
    while (*final)
        *p++ = (uint8_t)*final++;
    w->out->n += (size_t)(p - begin);
}

static uint8_t *put_sgr(uint8_t *p, const vt_style *from, const vt_style *to)
{
    static const vt_style none;
    *p++ = 0x1B;
    *p++ = '[';
    /* Attributes are only turned off all together: the parameters for one of them (21, 22) differ between terminals. */
    if ((from->attrs & ~to->attrs & 0xFF) || (from->attrs & VT_UNDERLINE && (from->attrs ^ to->attrs) & VT_UNDERLINE)
        || (!to->fg && !to->bg && !to->ul && !to->attrs)) {
        *p++ = '0';
        *p++ = ';';
        from = &none;
    }
    p = vt_sgr_put_attributes(p, to->attrs & ~(unsigned)from->attrs);
    if (from->fg != to->fg)
        p = vt_sgr_put_colour(p, to->fg, VT_SGR_FOREGROUND, ';');
    if (from->bg != to->bg)
        p = vt_sgr_put_colour(p, to->bg, VT_SGR_BACKGROUND, ';');
    if (from->ul != to->ul)
        p = vt_sgr_put_colour(p, to->ul, VT_SGR_UNDERLINE, ':'); /* terminals that do not know it ignore the whole */
    p[-1] = 'm';
    return p;
}

static void paint_link(vt_painter *w, const char *link, uint16_t id_n, uint16_t uri_n)
{
    uint8_t *p = vt_room(w->out, 16 + (size_t)id_n + uri_n);
    if (!p)
        return;
    uint8_t *begin = p;
    p = vt_write_string(p, "\x1b]8;");
    if (link && id_n) {
        p = vt_write_string(p, "id=");
        memcpy(p, link, id_n);
        p += id_n;
    }
    *p++ = ';';
    if (link) {
        memcpy(p, link + id_n, uri_n);
        p += uri_n;
    }
    p = vt_write_string(p, "\x1b\\");
    w->out->n += (size_t)(p - begin);
    w->link = link;
    w->id_n = id_n;
    w->uri_n = uri_n;
    w->link_bytes += (size_t)id_n + uri_n;
}

void vt_paint_pen(vt_painter *w, const vt_style *style, int protect)
{
    int styled = !vt_same_style(&w->style, style);
    if (!styled && (!w->protecting || protect == w->protect))
        return;
    uint8_t *p = vt_room(w->out, SGR_MAX);
    if (!p)
        return;
    uint8_t *begin = p;
    if (styled)
        p = put_sgr(p, &w->style, style);
    /* xterm.js forgets the protection at SGR 0, so it is set again after each. */
    if (w->protecting && (protect != w->protect || (styled && protect)))
        p = vt_write_string(p, protect ? "\x1b[1\"q" : "\x1b[0\"q");
    w->out->n += (size_t)(p - begin);
    w->style = *style;
    w->protect = protect;
}

void vt_paint_run_pen(vt_painter *w, const vt_run *r)
{
    vt_paint_pen(w, &r->style, w->protecting ? r->protect : 0);
    if (r->link && w->link_bytes < LINKS_BYTES) {
        if (!vt_same_link(r->link, r->id_n, r->uri_n, w->link, w->id_n, w->uri_n))
            paint_link(w, r->link, r->id_n, r->uri_n);
    } else if (w->link) {
        paint_link(w, NULL, 0, 0);
    }
}

static const vt_style plain;

void vt_paint_plain(vt_painter *w)
{
    vt_paint_pen(w, &plain, 0);
    if (w->link)
        paint_link(w, NULL, 0, 0);
}

/* ---- rows ---- */

/* Whether erasing makes blanks of this style: it keeps nothing but the background. */
static int erasable(const vt_style *s) { return !s->fg && !s->ul && !s->attrs; }

/* Whether erasing makes the blanks of this run. Others, left by half of a wide character, become spaces. */
static int can_erase(const vt_painter *w, const vt_run *r)
{
    return w->skipping && erasable(&r->style) && !r->link && !(w->protecting && r->protect);
}

/* n blanks in the pen's style. The row was blank before, so the cursor skips blanks without a background. */
static void put_blanks(vt_painter *w, const vt_run *r, int n)
{
    if (!can_erase(w, r)) {
        vt_put_spaces(w->out, n);
        return;
    }
    if (r->style.bg)
        vt_paint_csi(w, "", n, -1, "X");
    vt_paint_csi(w, "", n, -1, "C");
}

/* How a row joins the rows before and after it. */
typedef struct {
    int continued;      /* the line before is wrapped: the cursor only comes here when the first cell is printed */
    int scrolled;       /* and that scrolls: the new row has the background of that cell */
    const vt_run *mend; /* the last cell of the line before, if it was blank and was printed as a space for the wrap */
    int gap;            /* the last column is the gap of the next line's wide character, which leaves it again */
} row_join;

/* Whether the cell's text is a wide character that a variation selector makes narrow. Readers do not have to take that
   back: they are told before it, as there may be no room for a wide one, and xterm.js would leave its cursor behind it. */
static int is_narrowed(const uint8_t *text, const uint8_t *end)
{
    uint32_t code;
    if (end[-1] != VT_NARROW)
        return 0;
    vt_utf8_next(text, end, &code);
    return (vt_properties(code) & VT_VS_BASE) != 0;
}

/* How a reader takes a cell's text when it makes grapheme clusters of it: its columns, or 0 if that is more than one cell.
   `state`: what follows. */
static int columns_in_clusters(const uint8_t *text, const uint8_t *end, int *state)
{
    int width = 0, base = 0, narrow = is_narrowed(text, end);
    *state = VT_AFTER_NONE;
    for (int codes = 0; text < end; codes++) {
        uint32_t code;
        text += vt_is_mark(*text);
        if (text == end)
            break;
        text += vt_utf8_next(text, end, &code);
        uint8_t properties = vt_properties(code);
        int kind = VT_CLASS_OF(properties);
        if (codes && properties & 3 && !VT_JOINS(*state, properties))
            return 0;
        if (kind != VT_CLASS_TEXT && kind != VT_CLASS_EMOJI)
            width = vt_min(width + (codes || !narrow ? properties & 3 : 1), 2);
        else if (codes == 1 && base)
            width = kind == VT_CLASS_TEXT ? 1 : 2;
        base = properties & VT_VS_BASE && !narrow;
        *state = VT_FOLLOWS(*state, properties);
    }
    return width;
}

/* What may be before a text: anything, but text that joins whatever follows ends with a NUL. */
#define UNKNOWN ((1 << 12) - 1 - (1 << VT_AFTER_NONE) - (1 << VT_AFTER_OTHER) - (1 << VT_AFTER_PREPEND))

/* The first byte that is not ASCII, or is a mark or a NUL. */
static const uint8_t *end_of_ascii(const uint8_t *p, const uint8_t *end)
{
    for (; end - p >= 8; p += 8) {
        uint64_t word;
        memcpy(&word, p, sizeof word);
        if ((word | (word - 0x0404040404040404u)) & 0x8080808080808080u)
            break;
    }
    while (p < end && (uint8_t)(*p - 4) < 0x80 - 4)
        p++;
    return p;
}

void vt_paint_text(vt_painter *w, const uint8_t *text, const uint8_t *end, int clusters)
{
    const uint8_t *from = text; /* not written yet */
    unsigned before = UNKNOWN;  /* states that the text may follow, as bits */
    while (text < end) {
        const uint8_t *p = end_of_ascii(text, end);
        if (p < end && p > text) /* it may be the first of a cell that goes on */
            p--;
        int width = 1, after = VT_AFTER_OTHER, same = 1, marks = 0, joins = before == 1u << VT_AFTER_PREPEND;
        if (p == text) {
            uint32_t code;
            p += vt_character(p, end, &width);
            same = (columns_in_clusters(text, p, &after) == width) == clusters;
            for (const uint8_t *q = text; q < p; q++)
                marks |= vt_is_mark(*q);
            vt_utf8_next(text, p, &code);
            joins = (vt_unicode_joins[VT_CLASS_OF(vt_properties(code))] & before) != 0;
        }
        if (!joins && same && !marks) {
            before = 1u << after;
            text = p;
            continue;
        }
        vt_put(w->out, from, (size_t)(text - from));
        if (joins && clusters) /* a NUL does nothing, and parts what was printed apart */
            vt_put_byte(w->out, 0);
        if (!same)
            vt_put_string(w->out, clusters ? "\x1b[?2027l" : "\x1b[?2027h");
        if (is_narrowed(text, p))
            vt_put_string(w->out, VT_NEXT_IS_NARROW);
        uint8_t *room = vt_room(w->out, (size_t)(p - text));
        if (room)
            w->out->n += (size_t)(vt_plain_text(room, text, (size_t)(p - text)) - room);
        if (!same)
            vt_put_string(w->out, clusters ? "\x1b[?2027h" : "\x1b[?2027l");
        before = 1u << (same ? after : VT_AFTER_NONE);
        from = text = p;
    }
    vt_put(w->out, from, (size_t)(text - from));
    if (before == 1u << VT_AFTER_PREPEND && clusters)
        vt_put_byte(w->out, 0);
}

/* Print the first cell of a row that continues the row above, and correct what that did. Returns the bytes of the run
   that are done. */
static uint32_t put_first(vt_painter *w, const vt_run *r, const row_join *j)
{
    uint32_t n = 0;
    int width = 1, blank = !r->n || !*r->text;
    vt_paint_run_pen(w, r);
    if (blank) {
        vt_put_spaces(w->out, 1);
        n = r->n != 0;
    } else {
        n = vt_character(r->text, r->text + r->n, &width);
        vt_paint_text(w, r->text, r->text + n, 1);
    }
    if (width >= w->cols) /* a wrap is pending now, and a moved cursor could not get it back */
        return n;
    if (j->scrolled && r->style.bg) {
        vt_paint_plain(w);
        vt_put_string(w->out, "\x1b[K");
    }
    if (blank && can_erase(w, r)) {
        vt_paint_run_pen(w, r);
        vt_put_string(w->out, "\r\x1b[X\x1b[C");
    }
    if (j->mend) {
        vt_paint_run_pen(w, j->mend);
        vt_paint_csi(w, "", -1, -1, "A");
        vt_paint_csi(w, "", w->cols, -1, "G");
        vt_put_string(w->out, "\x1b[X\x1b[B");
        vt_paint_csi(w, "", width + 1, -1, "G");
    }
    return n;
}

static void paint_run(vt_painter *w, const vt_run *r, const uint8_t *text, const uint8_t *end, int wrapped)
{
    vt_paint_run_pen(w, r);
    if (end_of_ascii(text, end) == end) { /* as vt_paint_text() would do it */
        vt_put(w->out, text, (size_t)(end - text));
        return;
    }
    while (text < end) {
        const uint8_t *nul = memchr(text, 0, (size_t)(end - text)), *stop = nul ? nul : end;
        vt_paint_text(w, text, stop, 1);
        for (text = stop; text < end && !*text; text++)
            ;
        if (text == stop)
            continue;
        int blanks = (int)(text - stop);
        if (wrapped && text == end) { /* only after a printed cell is a wrap pending */
            if (blanks > 1)
                put_blanks(w, r, blanks - 1);
            vt_put_spaces(w->out, 1);
        } else {
            put_blanks(w, r, blanks);
        }
    }
}

/* Write a line. The cursor is in its first column, or at the end of the line that it continues. */
static void paint_line(vt_painter *w, const vt_line *line, const row_join *j)
{
    vt_run tail = {.style = line->tail};
    int rest = w->cols - line->cols;
    uint32_t done = 0;
    if (line->size && !j->continued && line->cols <= vt_half(w->cols)) {
        static const char *const sizes[] = {"", "\x1b#6", "\x1b#3", "\x1b#4"};
        vt_put_string(w->out, sizes[line->size]);
    }
    if (j->continued) {
        done = put_first(w, line->n ? &line->runs[0] : &tail, j);
        rest -= !line->n;
    }
    for (int i = 0; i < line->n; i++) {
        const vt_run *r = &line->runs[i];
        const uint8_t *text = r->text + (i ? 0 : done), *end = r->text + r->n;
        int last = line->wrapped && i == line->n - 1 && !rest;
        if (text < end)
            paint_run(w, r, text, end - (last && j->gap), last && !j->gap);
    }
    if (rest <= 0)
        return;
    if (line->wrapped) {
        vt_paint_run_pen(w, &tail);
        if (rest > 1)
            put_blanks(w, &tail, rest - 1);
        vt_put_spaces(w->out, 1);
    } else if (!vt_is_plain(&tail.style)) {
        vt_paint_run_pen(w, &tail);
        if (erasable(&tail.style))
            vt_put_string(w->out, "\x1b[K");
        else
            vt_put_spaces(w->out, rest);
    }
}

/* The last cell of a wrapped line if it is a blank that paint_line() printed as a space, and that can be erased again.
   `tail`: memory for the blanks after the runs. NULL: it is not such a blank. */
static const vt_run *blank_end(const vt_painter *w, const vt_line *line, vt_run *tail)
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

/* Whether printing the next line's first character leaves the gap at this line's end again: as it was, which is a
   default blank, or in xterm.js with the character's style. */
static int leaves_gap(const vt_line *line, const vt_line *next, int cols)
{
    static const vt_run none;
    return line->cols >= cols && vt_line_gap(line, vt_line_begins_wide(next), cols)
           && vt_same_run(&line->runs[line->n - 1], &none) && vt_same_run(&next->runs[0], &none);
}

int vt_line_pair_init(vt_line_pair *l, const vt *t)
{
    memset(l, 0, sizeof *l);
    return vt_line_init(&l->a, t->cols) || vt_line_init(&l->b, t->cols) ? -1 : 0;
}

void vt_line_pair_free(vt_line_pair *l)
{
    vt_line_free(&l->a);
    vt_line_free(&l->b);
}

void vt_paint_screen(vt_painter *w, const vt *t, const vt_screen *s, vt_line_pair *l, uint32_t before)
{
    int rows = t->rows;
    if (!before) /* nothing has to scroll, so blank rows at the end are left out */
        for (; rows && !s->rows[rows - 1]->len && s->rows[rows - 1]->tail == VT_BLANK && !s->rows[rows - 1]->size; rows--)
            if (rows > 1 && s->rows[rows - 2]->wrapped)
                break;
    vt_paint_rows(w, t, s, l, before, 0, rows);
}

void vt_paint_rows(vt_painter *w, const vt *t, const vt_screen *s, vt_line_pair *l, uint32_t before, int first, int rows)
{
    int64_t n = (int64_t)before + rows;
    if (before)
        vt_scrollback_seek(t, &l->reader, t->scrollback.count - before);
    vt_line *line = &l->a, *next = &l->b;
    row_join j = {0};
    vt_run mend, tail;
    for (int64_t i = -1; i < n; i++) {
        /* `line` is line i, `next` the one after it: how that begins decides how a wrapped line is written. */
        int more = i + 1 < n;
        if (more) {
            if (i + 1 < before) {
                vt_scrollback_next(&l->reader, next);
            } else {
                vt_line_row(t, next, s->rows[first + i + 1 - before], t->cols);
                if (first + i + 1 - before == t->rows - 1)
                    next->wrapped = 0; /* no line follows */
            }
            vt_line_trim(next, 0);
        }
        if (i >= 0) {
            if (!more || next->size) /* a double row is a line of its own */
                line->wrapped = 0;
            j.gap = more && leaves_gap(line, next, t->cols);
            j.scrolled = i >= t->rows;
            paint_line(w, line, &j);
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
                /* A row that scrolls in gets the pen's background. */
                if (i + 1 >= t->rows && w->style.bg)
                    vt_paint_plain(w);
                vt_put_string(w->out, "\r\n");
            }
        }
        vt_line *swap = line;
        line = next;
        next = swap;
    }
}

uint32_t vt_lines(const vt *t, vt_buf *out, int64_t first, int64_t last)
{
    int64_t oldest = (int64_t)t->scrollback.dropped, end = oldest + (int64_t)t->scrollback.count + t->rows;
    if (first < oldest)
        first = oldest;
    if (last > end)
        last = end;
    if (first >= last)
        return 0;
    vt_line_pair l;
    if (vt_line_pair_init(&l, t)) {
        vt_line_pair_free(&l);
        out->failed = 1;
        return 0;
    }
    vt_painter w = {.out = out, .cols = t->cols};
    vt_line *line = &l.a, *next = &l.b;
    /* The reader prints more lines than fit on its screen, so each row may have scrolled in. */
    row_join j = {.scrolled = 1};
    if (vt_line_at(t, line, &l.reader, first - 1))
        j.continued = line->wrapped;
    vt_line_at(t, line, &l.reader, first);
    vt_line_trim(line, 1);
    for (int64_t i = first; i < last; i++) {
        int more = vt_line_at(t, next, &l.reader, i + 1);
        if (more)
            vt_line_trim(next, 1);
        vt_put_string(out, "\x1b[0m");
        w.style = plain;
        j.gap = more && leaves_gap(line, next, t->cols);
        paint_line(&w, line, &j);
        j.continued = line->wrapped;
        if (w.link)
            paint_link(&w, NULL, 0, 0);
        if (!line->wrapped) {
            if (w.style.bg)
                vt_paint_plain(&w);
            vt_put_string(out, "\r\n");
        }
        vt_line *swap = line;
        line = next;
        next = swap;
    }
    vt_line_pair_free(&l);
    return (uint32_t)(last - first);
}
