/* The terminal as others want it: VibeTunnel's snapshot, text, HTML, JSON, and a dump for tests. */
#include "vt_state.h"

#include <stdio.h>
#include <string.h>

static void put(vt_buf *out, const char *s) { vt_put(out, s, strlen(s)); }

static void put_byte(vt_buf *out, unsigned byte)
{
    uint8_t *p = vt_room(out, 1);
    if (p) {
        *p = (uint8_t)byte;
        out->n++;
    }
}

static void put_number(vt_buf *out, long long n)
{
    char s[24];
    vt_put(out, s, (size_t)snprintf(s, sizeof s, "%lld", n));
}

static void put_little(vt_buf *out, uint32_t n, int bytes)
{
    for (int i = 0; i < bytes; i++)
        put_byte(out, n >> 8 * i & 0xFF);
}

static const vt_style plain;

static int same_style(const vt_style *a, const vt_style *b)
{
    return a->fg == b->fg && a->bg == b->bg && a->ul == b->ul && a->attrs == b->attrs;
}

/* Bytes of the cell at `p`: a character and what combines with it. Its columns go to `width`. */
static uint32_t cell_size(const uint8_t *p, const uint8_t *end, int *width)
{
    uint32_t code, n = 1;
    *width = 1;
    if (*p >= 0x80) {
        n = (uint32_t)vt_decode(p, end, &code);
        *width = vt_width(code) == 2 ? 2 : 1;
    }
    while (p + n < end && p[n] >= 0x80) {
        int k = vt_decode(p + n, end, &code);
        if (vt_width(code))
            break;
        n += (uint32_t)k;
    }
    return n;
}

/* ---- snapshot ---- */

/* A style in the form of the reference: bits of the cell's type, and the bytes behind its character. Colours are
   numbers there, RGB ones above 255: a dark blue is taken for palette. */
typedef struct {
    uint8_t type, n, ext[7];
} snapshot_style;

static snapshot_style snapshot_style_of(const vt_style *s)
{
    static const struct { uint16_t bit; uint8_t to; } flags[] = {
        {VT_BOLD, 0x01},    {VT_ITALIC, 0x02},    {VT_UNDERLINE, 0x04}, {VT_DIM, 0x08},
        {VT_INVERSE, 0x10}, {VT_INVISIBLE, 0x20}, {VT_STRIKE, 0x40},
    };
    snapshot_style to = {.n = 1};
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        if (s->attrs & flags[i].bit)
            to.ext[0] |= flags[i].to;
    const uint32_t colours[2] = {s->fg, s->bg};
    for (int i = 0; i < 2; i++) {
        if (!colours[i])
            continue;
        int is_rgb = (colours[i] & 0xFFFFFF) > 255;
        to.type |= (uint8_t)((is_rgb ? 0x28 : 0x20) >> i);
        if (is_rgb) {
            to.ext[to.n++] = (uint8_t)(colours[i] >> 16);
            to.ext[to.n++] = (uint8_t)(colours[i] >> 8);
        }
        to.ext[to.n++] = (uint8_t)colours[i];
    }
    if (to.type || to.ext[0])
        to.type |= 0x80;
    else
        to.n = 0;
    return to;
}

#define SNAPSHOT_CELL 48 /* bytes of one at most: type, length, eight code points, style; and what is copied too much */

static inline uint8_t *snapshot_cell(uint8_t *p, const snapshot_style *s, const uint8_t *text, uint32_t n)
{
    if (n == 1 && (!*text || *text == ' ')) {
        *p++ = s->type;
    } else if (n == 1) {
        *p++ = s->type | 0x01;
        *p++ = *text;
    } else {
        *p++ = s->type | 0x42;
        *p++ = (uint8_t)n;
        memcpy(p, text, n);
        p += n;
    }
    memcpy(p, s->ext, sizeof s->ext);
    return p + s->n;
}

/* What a snapshot can show of a style. */
static int snapshot_plain(const vt_style *s)
{
    return !s->fg && !s->bg
           && !(s->attrs & (VT_BOLD | VT_DIM | VT_ITALIC | VT_INVERSE | VT_INVISIBLE | VT_STRIKE | VT_UNDERLINE));
}

/* Columns of the line up to its last cell that shows; `tail` of it stand behind the runs. */
static int snapshot_cols(const vt_line *line, int cols)
{
    if (!snapshot_plain(&line->tail) && line->cols < cols)
        return cols;
    int n = line->cols;
    for (int i = line->n - 1; i >= 0; i--) {
        const vt_run *r = &line->runs[i];
        if (!snapshot_plain(&r->style))
            return n;
        for (uint32_t k = r->n; k; k--, n--)
            if (r->text[k - 1] != 0 && r->text[k - 1] != ' ')
                return n;
    }
    return 0;
}

void vt_snapshot(const vt *t, vt_buf *out)
{
    vt_line line;
    if (vt_line_init(&line, t->cols)) {
        out->failed = 1;
        return;
    }
    int rows = t->rows;
    for (; rows > 1; rows--) {
        vt_line_row(t, &line, t->s->rows[rows - 1], t->cols);
        if (snapshot_cols(&line, t->cols))
            break;
    }
    vt_put(out, "TV\1\0", 4);
    put_little(out, (uint32_t)t->cols, 4);
    put_little(out, (uint32_t)rows, 4);
    put_little(out, t->s == &t->main ? (uint32_t)t->history.count : 0, 4);
    put_little(out, (uint32_t)(t->col + (t->pending != 0)), 4);
    put_little(out, (uint32_t)t->row, 4);
    put_little(out, 0, 4);
    for (int row = 0; row < rows; row++) {
        vt_line_row(t, &line, t->s->rows[row], t->cols);
        int cols = snapshot_cols(&line, t->cols), col = 0;
        if (!cols) {
            vt_put(out, "\xfe\x01", 2);
            continue;
        }
        size_t head = out->n;
        vt_put(out, "\xfd\0\0", 3);
        size_t body = out->n;
        unsigned cells = 0;
        uint8_t *to = vt_room(out, (size_t)cols * SNAPSHOT_CELL);
        if (!to)
            break;
        for (int i = 0; i < line.n && col < cols; i++) {
            const vt_run *r = &line.runs[i];
            const snapshot_style style = snapshot_style_of(&r->style);
            for (const uint8_t *p = r->text, *end = p + r->n; p < end && col < cols;) {
                int width;
                uint32_t n = cell_size(p, end, &width);
                to = snapshot_cell(to, &style, p, n);
                p += n;
                col += width;
                cells++;
            }
        }
        const snapshot_style style = snapshot_style_of(&line.tail);
        for (; col < cols; col++, cells++)
            to = snapshot_cell(to, &style, (const uint8_t *)" ", 1);
        out->n = (size_t)(to - out->data);
        /* A row whose only cell is a space is empty, and to the reference so is one in colour 0. */
        const uint8_t *c = out->data + body;
        size_t n = out->n - body;
        if (cells == 1 && !(c[0] & 3) && (n == 1 || (!c[1] && (n == 2 || !c[2]) && (n <= 3 || !c[3]) && n <= 4
                                                     && !(c[0] & 0x0C)))) {
            out->n = head;
            vt_put(out, "\xfe\x01", 2);
            continue;
        }
        out->data[head + 1] = (uint8_t)cells;
        out->data[head + 2] = (uint8_t)(cells >> 8);
    }
    vt_line_free(&line);
}

/* ---- lines of any kind ---- */

typedef struct {
    vt_line line;
    vt_history_reader reader;
    int64_t first, last;
} range;

static int range_init(range *r, const vt *t, vt_buf *out, int64_t first, int64_t last)
{
    memset(r, 0, sizeof *r);
    int64_t oldest = (int64_t)t->history.dropped, end = oldest + (int64_t)t->history.count + t->rows;
    r->first = first < oldest ? oldest : first;
    r->last = last > end ? end : last;
    if (!vt_line_init(&r->line, t->cols))
        return 0;
    out->failed = 1;
    return -1;
}

/* Whether a wrapped line's last column is what a wide character left that did not fit there. */
static int ends_in_gap(const vt *t, const range *at, int64_t number, int cols)
{
    vt_history_reader reader = at->reader;
    vt_line next;
    if (at->line.cols < cols - 1 || vt_line_init(&next, cols))
        return 0;
    const vt_run *last = at->line.n ? &at->line.runs[at->line.n - 1] : NULL;
    int blank = at->line.cols == cols - 1 || (last && last->n && !last->text[last->n - 1]);
    int wide = 0;
    if (blank && vt_line_at(t, &next, &reader, number + 1) && next.n && next.runs[0].n)
        cell_size(next.runs[0].text, next.runs[0].text + next.runs[0].n, &wide);
    vt_line_free(&next);
    return wide == 2;
}

static void put_spaces(vt_buf *out, int n)
{
    uint8_t *p = n > 0 ? vt_room(out, (size_t)n) : NULL;
    if (p) {
        memset(p, ' ', (size_t)n);
        out->n += (size_t)n;
    }
}

void vt_text(const vt *t, vt_buf *out, int64_t first, int64_t last, int unwrap)
{
    range at;
    if (range_init(&at, t, out, first, last))
        return;
    size_t begin = out->n;
    for (int64_t i = at.first; i < at.last && vt_line_at(t, &at.line, &at.reader, i); i++) {
        const vt_line *line = &at.line;
        for (int k = 0; k < line->n; k++) {
            const vt_run *r = &line->runs[k];
            uint8_t *p = vt_room(out, r->n);
            if (!p)
                break;
            for (uint32_t b = 0; b < r->n; b++)
                p[b] = r->text[b] ? r->text[b] : ' ';
            out->n += r->n;
        }
        if (unwrap && line->wrapped && i + 1 < at.last) {
            int gap = ends_in_gap(t, &at, i, t->cols), rest = t->cols - line->cols;
            if (rest - gap >= 0)
                put_spaces(out, rest - gap);
            else if (!out->failed)
                out->n--;
            continue;
        }
        while (!out->failed && out->n > begin && out->data[out->n - 1] == ' ')
            out->n--;
        put_byte(out, '\n');
        begin = out->n;
    }
    vt_line_free(&at.line);
}

/* ---- HTML ---- */

#define HTML_FG 0xD4D4D4u
#define HTML_BG 0x1E1E1Eu

/* A colour as RGB: the program's own palette, else xterm's. `standard`: that of the default colour. */
static uint32_t rgb(const vt *t, uint32_t colour, int own, uint32_t standard)
{
    static const uint32_t base[16] = {
        0x000000, 0xCD0000, 0x00CD00, 0xCDCD00, 0x0000EE, 0xCD00CD, 0x00CDCD, 0xE5E5E5,
        0x7F7F7F, 0xFF0000, 0x00FF00, 0xFFFF00, 0x5C5CFF, 0xFF00FF, 0x00FFFF, 0xFFFFFF,
    };
    if (colour & VT_RGB)
        return colour & 0xFFFFFF;
    uint32_t n = colour ? colour & 0xFF : (uint32_t)own;
    if (t->palette && t->palette[n])
        return t->palette[n] & 0xFFFFFF;
    if (!colour)
        return standard;
    if (n < 16)
        return base[n];
    if (n >= 232)
        return (8 + 10 * (n - 232)) * 0x010101u;
    n -= 16;
    uint32_t level[3] = {n / 36, n / 6 % 6, n % 6}, all = 0;
    for (int i = 0; i < 3; i++)
        all = all << 8 | (level[i] ? 55 + 40 * level[i] : 0);
    return all;
}

static void put_hex(vt_buf *out, const char *before, uint32_t colour, const char *behind)
{
    char s[16];
    put(out, before);
    vt_put(out, s, (size_t)snprintf(s, sizeof s, "#%06x", colour & 0xFFFFFF));
    put(out, behind);
}

static void html_text(vt_buf *out, const uint8_t *text, size_t n)
{
    for (size_t i = 0; i < n;) {
        size_t begin = i;
        while (i < n && text[i] && !strchr("<>&\"'", text[i]))
            i++;
        vt_put(out, text + begin, i - begin);
        if (i == n)
            break;
        switch (text[i++]) {
        case '<': put(out, "&lt;"); break;
        case '>': put(out, "&gt;"); break;
        case '&': put(out, "&amp;"); break;
        case '"': put(out, "&quot;"); break;
        case '\'': put(out, "&#39;"); break;
        default: put(out, " ");
        }
    }
}

/* Whether a link may be followed from a page: a program chose it, and `javascript:` would run in our origin. */
static int safe_link(const char *uri, size_t n)
{
    static const char *const schemes[] = {"http:", "https:", "mailto:", "ftp:", "file:"};
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        size_t k = 0, length = strlen(schemes[i]);
        while (k < length && k < n && (uri[k] | (uri[k] >= 'A' && uri[k] <= 'Z' ? 0x20 : 0)) == schemes[i][k])
            k++;
        if (k == length)
            return 1;
    }
    return 0;
}

static void html_run(const vt *t, vt_buf *out, const vt_run *r, const uint8_t *text, size_t n)
{
    const vt_style *s = &r->style;
    int linked = r->link && safe_link(r->link + r->id_n, r->uri_n), styled = !same_style(s, &plain);
    if (!n)
        return;
    if (linked) {
        put(out, "<a href=\"");
        html_text(out, (const uint8_t *)r->link + r->id_n, r->uri_n);
        put(out, "\" rel=\"noopener noreferrer\"");
    } else if (styled) {
        put(out, "<span");
    }
    if (styled) {
        put(out, " style=\"");
        int inverse = (s->attrs & VT_INVERSE) != 0;
        uint32_t fg = rgb(t, s->fg, 256, HTML_FG), bg = rgb(t, s->bg, 257, HTML_BG);
        if (inverse || s->fg)
            put_hex(out, "color:", inverse ? bg : fg, ";");
        if (inverse || s->bg)
            put_hex(out, "background:", inverse ? fg : bg, ";");
        if (s->attrs & VT_BOLD)
            put(out, "font-weight:bold;");
        if (s->attrs & VT_DIM)
            put(out, "opacity:.5;");
        if (s->attrs & VT_ITALIC)
            put(out, "font-style:italic;");
        if (s->attrs & VT_INVISIBLE)
            put(out, "visibility:hidden;");
        if (s->attrs & (VT_UNDERLINE | VT_STRIKE | VT_OVERLINE)) {
            static const char *const kinds[8] = {"", "", " double", " wavy", " dotted", " dashed", "", ""};
            put(out, "text-decoration:");
            if (s->attrs & VT_UNDERLINE)
                put(out, " underline");
            if (s->attrs & VT_STRIKE)
                put(out, " line-through");
            if (s->attrs & VT_OVERLINE)
                put(out, " overline");
            put(out, kinds[(s->attrs & VT_UNDERLINE) >> VT_UNDERLINE_SHIFT]);
            if (s->ul)
                put_hex(out, " ", rgb(t, s->ul, 256, HTML_FG), "");
            put(out, ";");
        }
        if (s->attrs & VT_BLINK)
            put(out, "animation:blink 1s step-end infinite;");
        put(out, "\"");
    }
    if (linked || styled)
        put(out, ">");
    html_text(out, text, n);
    if (linked)
        put(out, "</a>");
    else if (styled)
        put(out, "</span>");
}

/* The blanks behind the runs, as a run. */
static int tail_run(const vt_line *line, int cols, vt_run *tail)
{
    static const uint8_t blanks[VT_MAX_COLS];
    if ((same_style(&line->tail, &plain) && !line->wrapped) || line->cols >= cols)
        return 0;
    memset(tail, 0, sizeof *tail);
    tail->style = line->tail;
    tail->text = blanks;
    tail->n = (uint32_t)(cols - line->cols);
    tail->cols = (uint16_t)tail->n;
    return 1;
}

void vt_html(const vt *t, vt_buf *out, int64_t first, int64_t last)
{
    range at;
    if (range_init(&at, t, out, first, last))
        return;
    put_hex(out, "<pre style=\"color:", rgb(t, 0, 256, HTML_FG), ";");
    /* An empty line first, which HTML drops: it would drop the first line of the text when that is empty. */
    put_hex(out, "background:", rgb(t, 0, 257, HTML_BG), "\">\n");
    for (int64_t i = at.first; i < at.last && vt_line_at(t, &at.line, &at.reader, i); i++) {
        at.line.wrapped = 0;
        vt_line_trim(&at.line, 1);
        for (int k = 0; k < at.line.n; k++)
            html_run(t, out, &at.line.runs[k], at.line.runs[k].text, at.line.runs[k].n);
        vt_run tail;
        if (tail_run(&at.line, t->cols, &tail))
            html_run(t, out, &tail, tail.text, tail.n);
        put(out, "\n");
    }
    put(out, "</pre>\n");
    vt_line_free(&at.line);
}

/* ---- JSON ---- */

static void json_string(vt_buf *out, const void *data, size_t n)
{
    const uint8_t *text = data;
    uint8_t *p = vt_room(out, 6 * n + 2), *begin = p;
    if (!p)
        return;
    *p++ = '"';
    for (size_t i = 0; i < n; i++) {
        uint8_t c = text[i] ? text[i] : ' '; /* NUL: a blank */
        if (c == '"' || c == '\\') {
            *p++ = '\\';
            *p++ = c;
        } else if (c < 0x20 || c == 0x7F) {
            memcpy(p, "\\u00", 4);
            p[4] = (uint8_t)('0' + (c >> 4));
            p[5] = (uint8_t)"0123456789abcdef"[c & 15];
            p += 6;
        } else {
            *p++ = c;
        }
    }
    *p++ = '"';
    out->n += (size_t)(p - begin);
}

static void json_colour(vt_buf *out, const char *name, uint32_t colour)
{
    if (!colour)
        return;
    put(out, ",\"");
    put(out, name);
    put(out, "\":");
    if (colour & VT_RGB) {
        put_hex(out, "\"", colour, "\"");
    } else {
        put_number(out, colour & 0xFF);
    }
}

static void json_run(vt_buf *out, const vt_run *r, int first)
{
    static const struct { uint16_t bit; const char *name; } flags[] = {
        {VT_BOLD, "bold"}, {VT_DIM, "dim"}, {VT_ITALIC, "italic"}, {VT_BLINK, "blink"}, {VT_INVERSE, "inverse"},
        {VT_INVISIBLE, "invisible"}, {VT_STRIKE, "strike"}, {VT_OVERLINE, "overline"},
    };
    static const char *const underlines[8] = {"", "single", "double", "curly", "dotted", "dashed", "single", "single"};
    put(out, first ? "{\"text\":" : ",{\"text\":");
    json_string(out, r->text, r->n);
    put(out, ",\"width\":");
    put_number(out, r->cols);
    json_colour(out, "fg", r->style.fg);
    json_colour(out, "bg", r->style.bg);
    json_colour(out, "underline_colour", r->style.ul);
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        if (r->style.attrs & flags[i].bit) {
            put(out, ",\"");
            put(out, flags[i].name);
            put(out, "\":true");
        }
    if (r->style.attrs & VT_UNDERLINE) {
        put(out, ",\"underline\":\"");
        put(out, underlines[(r->style.attrs & VT_UNDERLINE) >> VT_UNDERLINE_SHIFT]);
        put(out, "\"");
    }
    if (r->link) {
        put(out, ",\"link\":");
        json_string(out, r->link + r->id_n, r->uri_n);
    }
    put(out, "}");
}

static const char *const mode_names[] = {
    "application-cursor", "reverse-screen", "origin", "wrap", "cursor-blink", "cursor-visible", "margins", "mouse-x10",
    "mouse", "mouse-drag", "mouse-any", "focus", "mouse-utf8", "mouse-sgr", "mouse-urxvt", "mouse-pixels",
    "alternate-scroll", "bracketed-paste", "synchronized-output", "application-keypad", "insert", "newline",
    "reverse-wrap", "colour-scheme",
};

void vt_json(const vt *t, vt_buf *out)
{
    int64_t top = (int64_t)(t->history.dropped + t->history.count);
    range at;
    if (range_init(&at, t, out, top, top + t->rows))
        return;
    put(out, "{\"rows\":");
    put_number(out, t->rows);
    put(out, ",\"cols\":");
    put_number(out, t->cols);
    put(out, ",\"top\":");
    put_number(out, top);
    put(out, ",\"oldest\":");
    put_number(out, vt_original_oldest(t));
    put(out, ",\"offset\":");
    put_number(out, (long long)t->offset);
    put(out, ",\"title\":");
    json_string(out, t->title, t->title_n);
    put(out, ",\"folder\":");
    json_string(out, t->cwd, t->cwd_n);
    put(out, t->s == &t->alt ? ",\"alternate\":true" : ",\"alternate\":false");
    put(out, ",\"cursor\":{\"row\":");
    put_number(out, t->row);
    put(out, ",\"col\":");
    put_number(out, t->col);
    put(out, t->modes & VT_M_CURSOR ? ",\"visible\":true,\"shape\":\"" : ",\"visible\":false,\"shape\":\"");
    put(out, t->shape >= 5 ? "bar" : t->shape >= 3 ? "underline" : "block");
    int blink = t->shape ? t->shape & 1 : (t->modes & VT_M_BLINK) != 0;
    put(out, blink ? "\",\"blink\":true},\"modes\":[" : "\",\"blink\":false},\"modes\":[");
    int any = 0;
    for (size_t i = 0; i < sizeof mode_names / sizeof *mode_names; i++)
        if (t->modes >> i & 1) {
            put(out, any ? ",\"" : "\"");
            put(out, mode_names[i]);
            put(out, "\"");
            any = 1;
        }
    put(out, "],\"lines\":[");
    for (int64_t i = at.first; i < at.last && vt_line_at(t, &at.line, &at.reader, i); i++) {
        put(out, i > at.first ? ",{\"wrapped\":" : "{\"wrapped\":");
        put(out, at.line.wrapped ? "true,\"runs\":[" : "false,\"runs\":[");
        at.line.wrapped = 0;
        vt_line_trim(&at.line, 1);
        for (int k = 0; k < at.line.n; k++)
            json_run(out, &at.line.runs[k], !k);
        vt_run tail;
        if (tail_run(&at.line, t->cols, &tail))
            json_run(out, &tail, !at.line.n);
        put(out, "]}");
    }
    put(out, "]}");
    vt_line_free(&at.line);
}

/* ---- dump ---- */

static void dump_bytes(vt_buf *out, const void *data, size_t n)
{
    const uint8_t *p = data;
    for (size_t i = 0; i < n; i++) {
        char s[8];
        if (!p[i])
            put_byte(out, ' ');
        else if (p[i] < 0x20 || p[i] == 0x7F || p[i] == '\\')
            vt_put(out, s, (size_t)snprintf(s, sizeof s, "\\x%02x", p[i]));
        else
            put_byte(out, p[i]);
    }
}

static void dump_style(vt_buf *out, const vt_style *s)
{
    char text[64];
    vt_put(out, text, (size_t)snprintf(text, sizeof text, "%x,%x,%x,%x", s->fg, s->bg, s->ul, s->attrs));
}

static int same_run(const vt_run *a, const vt_run *b)
{
    return same_style(&a->style, &b->style) && a->protect == b->protect && !a->link == !b->link && a->id_n == b->id_n
           && a->uri_n == b->uri_n && (!a->link || !memcmp(a->link, b->link, (size_t)a->id_n + a->uri_n));
}

/* A cell that was never written is a space here: a redraw cannot always tell them apart, and only a character that
   combines with it does. */
static void dump_line(const vt *t, vt_buf *out, vt_line *line)
{
    vt_run tail;
    const vt_run *before = NULL;
    put(out, line->wrapped ? "> " : "  ");
    vt_line_trim(line, 1);
    int has_tail = tail_run(line, t->cols, &tail);
    for (int i = 0; i < line->n + has_tail; i++) {
        const vt_run *r = i < line->n ? &line->runs[i] : &tail;
        if (!before || !same_run(before, r)) {
            put(out, "{");
            dump_style(out, &r->style);
            if (r->protect)
                put(out, ",protected");
            if (r->link) {
                put(out, ",");
                dump_bytes(out, r->link, r->id_n);
                put(out, ";");
                dump_bytes(out, r->link + r->id_n, r->uri_n);
            }
            put(out, "}");
        }
        before = r;
        dump_bytes(out, r->text, r->n);
    }
    put(out, "\n");
}

static void dump_rows(const vt *t, vt_buf *out, vt_line *line, const vt_screen *s, const char *name)
{
    for (int i = 0; i < t->rows; i++) {
        put(out, name);
        put(out, " ");
        put_number(out, i);
        vt_line_row(t, line, s->rows[i], t->cols);
        if (i == t->rows - 1)
            line->wrapped = 0;
        dump_line(t, out, line);
    }
}

static void dump_numbers(vt_buf *out, const char *name, const long long *numbers, int n)
{
    put(out, name);
    for (int i = 0; i < n; i++) {
        put(out, " ");
        put_number(out, numbers[i]);
    }
    put(out, "\n");
}

static void dump_screen_state(vt_buf *out, const vt_screen *s, const char *name)
{
    put(out, name);
    put(out, " kitty");
    for (int i = 0; i <= s->kitty_n && i < (int)sizeof s->kitty; i++) {
        put(out, " ");
        put_number(out, s->kitty[i]);
    }
    put(out, "\n");
    put(out, name);
    put(out, " saved ");
    put_number(out, s->saved.row);
    put(out, " ");
    put_number(out, s->saved.col);
    put(out, s->saved.origin ? " origin " : " ");
    dump_style(out, &s->saved.pen);
    put(out, s->saved.protect ? " protected " : " ");
    vt_put(out, s->saved.charsets, 4);
    put(out, " ");
    put_number(out, s->saved.gl);
    put(out, "\n");
}

void vt_dump(const vt *t, vt_buf *out)
{
    vt_line line;
    if (vt_line_init(&line, t->cols)) {
        out->failed = 1;
        return;
    }
    dump_numbers(out, "size", (const long long[]){t->rows, t->cols}, 2);
    put(out, t->s == &t->alt ? "screen alternate\n" : "screen main\n");
    dump_numbers(out, "cursor", (const long long[]){t->row, t->col}, 2);
    dump_numbers(out, "pending", (const long long[]){t->pending != 0}, 1);
    dump_numbers(out, "margins", (const long long[]){t->top, t->bottom, t->left, t->right}, 4);
    put(out, "modes");
    for (size_t i = 0; i < sizeof mode_names / sizeof *mode_names; i++)
        if (t->modes >> i & 1) {
            put(out, " ");
            put(out, mode_names[i]);
        }
    dump_numbers(out, "\nshape", (const long long[]){t->shape}, 1);
    put(out, "pen ");
    dump_style(out, &t->pen);
    if (t->pen.link && t->pen.link < t->links_n) {
        const vt_link *link = &t->links[t->pen.link];
        put(out, " ");
        dump_bytes(out, link->text, link->id_n);
        put(out, ";");
        dump_bytes(out, link->text + link->id_n, link->uri_n);
    }
    put(out, t->protect ? " protected\ncharsets " : "\ncharsets ");
    vt_put(out, t->charsets, 4);
    dump_numbers(out, "", (const long long[]){t->gl, t->single_shift}, 2);
    put(out, "tabs");
    for (int i = 0; i < t->cols; i++)
        if (t->tabs[i / 8] >> i % 8 & 1) {
            put(out, " ");
            put_number(out, i);
        }
    put(out, "\ntitle ");
    dump_bytes(out, t->title, t->title_n);
    put(out, "\nfolder ");
    dump_bytes(out, t->cwd, t->cwd_n);
    put(out, "\n");
    size_t pushed = 0;
    for (int i = 0; i < t->titles_n && pushed + 2 <= t->titles.n; i++) {
        size_t n = t->titles.data[pushed] | (size_t)t->titles.data[pushed + 1] << 8;
        put(out, "pushed ");
        dump_bytes(out, t->titles.data + pushed + 2, n);
        put(out, "\n");
        pushed += 2 + n;
    }
    for (int i = 0; t->palette && i < 259; i++)
        if (t->palette[i])
            dump_numbers(out, "colour", (const long long[]){i, t->palette[i] & 0xFFFFFF}, 2);
    dump_screen_state(out, &t->main, "main");
    dump_screen_state(out, &t->alt, "alternate");
    if (t->s == &t->alt)
        dump_numbers(out, "main margins",
                     (const long long[]){t->main.top, t->main.bottom, t->main.left, t->main.right}, 4);
    dump_rows(t, out, &line, &t->main, "main");
    if (t->s == &t->alt)
        dump_rows(t, out, &line, &t->alt, "alternate");
    vt_buf partial = {0};
    vt_partial(t, &partial);
    put(out, "unfinished ");
    dump_bytes(out, partial.data, partial.n);
    out->failed |= partial.failed;
    vt_buf_free(&partial);

    put(out, "\n-- scrollback --\n");
    vt_history_reader reader;
    vt_history_seek(t, &reader, 0);
    while (vt_history_next(&reader, &line))
        dump_line(t, out, &line);
    vt_line_free(&line);
}
