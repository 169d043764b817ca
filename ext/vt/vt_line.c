/* A line taken apart into runs of one style, from a row of a screen or back into one. */
#include "vt_state.h"
#include "vt_unicode.h"

#include <stdlib.h>
#include <string.h>

int vt_width(uint32_t code) { return code < 0x110000 ? vt_width_of(code) : 1; }

int vt_line_init(vt_line *line, int cols)
{
    memset(line, 0, sizeof *line);
    line->room = cols + 2;
    line->runs = malloc((size_t)line->room * sizeof *line->runs);
    line->text = malloc((size_t)line->room * VT_CELL_TEXT);
    if (line->runs && line->text)
        return 0;
    vt_line_free(line);
    return -1;
}

void vt_line_free(vt_line *line)
{
    free(line->runs);
    free(line->text);
    line->runs = NULL;
    line->text = NULL;
}

void vt_line_clear(vt_line *line)
{
    line->n = line->cols = line->wrapped = line->size = 0;
    line->text_n = 0;
    memset(&line->tail, 0, sizeof line->tail);
}

static void set_run_style(const vt *t, vt_run *run, uint32_t id)
{
    run->style = t->styles[id];
    run->link = NULL;
    run->id_n = run->uri_n = 0;
    if (run->style.link) {
        if (run->style.link < t->links_n && t->links[run->style.link].text) {
            const vt_link *link = &t->links[run->style.link];
            run->link = link->text;
            run->id_n = link->id_n;
            run->uri_n = link->uri_n;
        }
        run->style.link = 0;
    }
}

/* Append cells to the line, which has room for them. */
static void add_cells(const vt *t, vt_line *line, const vt_cell *cells, int len)
{
    uint8_t *p = line->text + line->text_n;
    int i = 0;
    while (i < len && line->n < line->room) {
        vt_cell first = cells[i];
        if (!VT_WIDTH(first)) {
            i++;
            continue;
        }
        vt_run *run = &line->runs[line->n++];
        set_run_style(t, run, VT_STYLE(first));
        run->protect = (first & VT_PROTECTED) != 0;
        run->text = p;
        int cols = 0;
        vt_cell base = (first & ~(vt_cell)0x3FFFFF & ~VT_WIDTH_BITS(3)) | VT_WIDTH_BITS(1);
        for (;;) {
            int begin = i;
            for (; i + 8 <= len; i += 8, p += 8) {
                vt_cell odd = 0;
                for (int k = 0; k < 8; k++)
                    odd |= cells[i + k] ^ base;
                if (odd & ~(vt_cell)0x7F)
                    break;
                for (int k = 0; k < 8; k++)
                    p[k] = (uint8_t)cells[i + k];
            }
            for (; i < len && !((cells[i] ^ base) & ~(vt_cell)0x7F); i++)
                *p++ = (uint8_t)cells[i];
            cols += i - begin;
            if (i >= len)
                break;
            vt_cell c = cells[i];
            if (!VT_WIDTH(c)) {
                i++;
                continue;
            }
            if (VT_STYLE(c) != VT_STYLE(first) || ((c ^ first) & VT_PROTECTED))
                break;
            p = vt_cell_text(t, p, c);
            cols += VT_WIDTH(c);
            i++;
        }
        run->n = (uint32_t)(p - run->text);
        run->cols = (uint16_t)cols;
        line->cols += cols;
        line->text_n = (size_t)(p - line->text);
    }
}

void vt_line_row(const vt *t, vt_line *line, const vt_row *r, int cols)
{
    vt_line_clear(line);
    line->wrapped = r->wrapped;
    line->size = r->size;
    add_cells(t, line, r->cells, r->len < cols ? r->len : cols);
    vt_cell tail = r->tail;
    if (VT_CODE(tail)) {
        for (int i = r->len; i < cols; i++)
            add_cells(t, line, &tail, 1);
    } else if (r->len < cols) {
        line->tail = t->styles[VT_STYLE(tail)];
        line->tail.link = 0;
    }
}

int vt_same_link(const char *a, uint16_t a_id_n, uint16_t a_uri_n, const char *b, uint16_t b_id_n, uint16_t b_uri_n)
{
    return a == b || (a && b && a_id_n == b_id_n && a_uri_n == b_uri_n && !memcmp(a, b, (size_t)a_id_n + a_uri_n));
}

int vt_same_run(const vt_run *a, const vt_run *b)
{
    return vt_same_style(&a->style, &b->style) && a->protect == b->protect
           && vt_same_link(a->link, a->id_n, a->uri_n, b->link, b->id_n, b->uri_n);
}

void vt_line_add(vt_line *line, const vt_run *run, const uint8_t *text, uint32_t n, int cols)
{
    if (!n || line->n >= line->room || line->text_n + n > (size_t)line->room * VT_CELL_TEXT)
        return;
    uint8_t *p = line->text + line->text_n;
    memcpy(p, text, n);
    line->text_n += n;
    line->cols += cols;
    if (line->n && vt_same_run(&line->runs[line->n - 1], run)) {
        line->runs[line->n - 1].n += n;
        line->runs[line->n - 1].cols = (uint16_t)(line->runs[line->n - 1].cols + cols);
        return;
    }
    vt_run *to = &line->runs[line->n++];
    *to = *run;
    to->text = p;
    to->n = n;
    to->cols = (uint16_t)cols;
}

void vt_line_trim(vt_line *line, int spaces)
{
    if (line->wrapped || !vt_is_plain(&line->tail))
        return;
    while (line->n) {
        vt_run *r = &line->runs[line->n - 1];
        if (!vt_is_plain(&r->style) || r->link || r->protect)
            return;
        while (r->n && (!r->text[r->n - 1] || (spaces && r->text[r->n - 1] == ' '))) {
            r->n--;
            r->cols--;
            line->cols--;
        }
        if (r->n)
            return;
        line->n--;
    }
}

static int count_codes(const uint8_t *text, int n)
{
    int codes = 0;
    for (int i = 0; i < n; i++)
        codes += text[i] > VT_WIDE && (text[i] & 0xC0) != 0x80;
    return codes;
}

void vt_line_cells(vt *t, const vt_line *line, vt_row *row)
{
    int col = 0;
    row->len = 0;
    row->tail = VT_BLANK;
    /* Interning may collect styles that no screen uses, so the row must be complete before each such call. */
    if (!vt_is_plain(&line->tail))
        row->tail |= VT_STYLE_BITS(vt_style_id(t, &line->tail));
    row->wrapped = (uint8_t)line->wrapped;
    row->size = (uint8_t)(line->cols > vt_half(t->cols) ? VT_SINGLE : line->size);
    for (int i = 0; i < line->n; i++) {
        const vt_run *run = &line->runs[i];
        vt_style style = run->style;
        if (run->link)
            style.link = vt_link_id(t, run->link, run->id_n, run->link + run->id_n, run->uri_n);
        vt_cell base = VT_STYLE_BITS(vt_style_id(t, &style)) | (run->protect ? VT_PROTECTED : 0);
        const uint8_t *p = run->text, *end = p + run->n;
        while (p < end) {
            uint32_t code;
            int width, n = (int)vt_character(p, end, &width), first = vt_utf8_next(p, end, &code);
            if (col + width > t->cols)
                return;
            vt_cell cell = base | VT_WIDTH_BITS(width);
            if (n > first) {
                /* now the row uses the style */
                row->cells[col] = cell;
                row->len = (uint16_t)(col + 1);
                uint32_t id = vt_cluster_id(t, p, n, count_codes(p, n), VT_AFTER_OTHER);
                cell |= id ? VT_CLUSTER | id : code;
            } else {
                cell |= code;
            }
            p += n;
            row->cells[col++] = cell;
            if (width == 2)
                row->cells[col++] = base;
            row->len = (uint16_t)col;
        }
    }
}

int vt_line_tail(const vt_line *line, int cols, vt_run *tail)
{
    static const uint8_t blanks[VT_MAX_COLS];
    if ((vt_is_plain(&line->tail) && !line->wrapped) || line->cols >= cols)
        return 0;
    memset(tail, 0, sizeof *tail);
    tail->style = line->tail;
    tail->text = blanks;
    tail->n = (uint32_t)(cols - line->cols);
    tail->cols = (uint16_t)tail->n;
    return 1;
}

uint32_t vt_character(const uint8_t *p, const uint8_t *end, int *width)
{
    uint32_t code, n = 1;
    *width = 1;
    if (*p >= 0x80) {
        n = (uint32_t)vt_utf8_next(p, end, &code);
        *width = vt_width(code) == 2 ? 2 : 1;
    }
    while (p + n < end && (p[n] >= 0x80 || vt_is_mark(p[n]))) {
        if (vt_is_mark(p[n])) {
            int mark = p[n++];
            if (mark != VT_JOINER) {
                *width = mark == VT_NARROW ? 1 : 2;
                break;
            }
            n += (uint32_t)vt_utf8_next(p + n, end, &code);
        } else {
            int k = vt_utf8_next(p + n, end, &code);
            if (vt_width(code))
                break;
            n += (uint32_t)k;
        }
    }
    return n;
}

uint8_t *vt_plain_text(uint8_t *to, const uint8_t *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!vt_is_mark(text[i]))
            *to++ = text[i] ? text[i] : ' ';
    return to;
}

int vt_line_begins_wide(const vt_line *line)
{
    int width = 1;
    if (line->n && line->runs[0].n)
        vt_character(line->runs[0].text, line->runs[0].text + line->runs[0].n, &width);
    return width == 2;
}

int vt_line_gap(const vt_line *line, int next_wide, int cols)
{
    if (!line->wrapped || !next_wide)
        return 0;
    if (line->cols < cols) /* the blanks after the runs were never written */
        return 1;
    const vt_run *last = &line->runs[line->n - 1];
    return last->n && !last->text[last->n - 1];
}

int vt_row_gap(const vt_row *r, const vt_row *next, int cols)
{
    vt_cell last = vt_at(r, cols - 1);
    return r->wrapped && VT_WIDTH(vt_at(next, 0)) == 2 && !VT_CODE(last) && VT_WIDTH(last) == 1;
}
