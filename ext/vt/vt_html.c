/* Lines as HTML: one <pre>, with everything from the program escaped. */
#include "vt_pictures.h"

#include <stdio.h>
#include <string.h>

#define HTML_FG 0xD4D4D4u
#define HTML_BG 0x1E1E1Eu
#define FOREGROUND VT_DYNAMIC
#define BACKGROUND (VT_DYNAMIC + 1)

/* A colour as RGB: of the program's palette, else of xterm's. `own` is the index of the default colour. A reversed screen
   (DECSCNM) exchanges the two default colours. */
static uint32_t rgb(const vt *t, uint32_t colour, uint32_t own)
{
    static const uint32_t base[16] = {
        0x000000, 0xCD0000, 0x00CD00, 0xCDCD00, 0x0000EE, 0xCD00CD, 0x00CDCD, 0xE5E5E5,
        0x7F7F7F, 0xFF0000, 0x00FF00, 0xFFFF00, 0x5C5CFF, 0xFF00FF, 0x00FFFF, 0xFFFFFF,
    };
    if (colour & VT_RGB)
        return colour & 0xFFFFFF;
    if (t->modes & VT_M_REVERSE)
        own = own == FOREGROUND ? BACKGROUND : FOREGROUND;
    uint32_t n = colour ? colour & 0xFF : own;
    if (t->palette && t->palette[n])
        return t->palette[n] & 0xFFFFFF;
    if (!colour)
        return own == FOREGROUND ? HTML_FG : HTML_BG;
    if (n < 16)
        return base[n];
    return vt_fixed_colour(n);
}

static void html_text(vt_buf *out, const uint8_t *text, size_t n)
{
    for (size_t i = 0; i < n;) {
        size_t begin = i;
        while (i < n && text[i] && !vt_is_mark(text[i]) && !strchr("<>&\"'", text[i]))
            i++;
        vt_put(out, text + begin, i - begin);
        if (i == n)
            break;
        switch (text[i++]) {
        case '<': vt_put_string(out, "&lt;"); break;
        case '>': vt_put_string(out, "&gt;"); break;
        case '&': vt_put_string(out, "&amp;"); break;
        case '"': vt_put_string(out, "&quot;"); break;
        case '\'': vt_put_string(out, "&#39;"); break;
        case 0: vt_put_string(out, " "); break;
        }
    }
}

/* Whether a page may link there: the program chose the URI, and `javascript:` would run in our origin. */
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
    int linked = r->link && safe_link(r->link + r->id_n, r->uri_n), styled = !vt_is_plain(s);
    if (!n)
        return;
    if (linked) {
        vt_put_string(out, "<a href=\"");
        html_text(out, (const uint8_t *)r->link + r->id_n, r->uri_n);
        vt_put_string(out, "\" rel=\"noopener noreferrer\"");
    } else if (styled) {
        vt_put_string(out, "<span");
    }
    if (styled) {
        vt_put_string(out, " style=\"");
        int inverse = (s->attrs & VT_INVERSE) != 0;
        uint32_t fg = rgb(t, s->fg, FOREGROUND), bg = rgb(t, s->bg, BACKGROUND);
        if (inverse || s->fg)
            vt_put_hex(out, "color:", inverse ? bg : fg, ";");
        if (inverse || s->bg)
            vt_put_hex(out, "background:", inverse ? fg : bg, ";");
        if (s->attrs & VT_BOLD)
            vt_put_string(out, "font-weight:bold;");
        if (s->attrs & VT_DIM)
            vt_put_string(out, "opacity:.5;");
        if (s->attrs & VT_ITALIC)
            vt_put_string(out, "font-style:italic;");
        if (s->attrs & VT_INVISIBLE)
            vt_put_string(out, "visibility:hidden;");
        if (s->attrs & (VT_UNDERLINE | VT_STRIKE | VT_OVERLINE)) {
            static const char *const kinds[8] = {"", "", " double", " wavy", " dotted", " dashed", "", ""};
            vt_put_string(out, "text-decoration:");
            if (s->attrs & VT_UNDERLINE)
                vt_put_string(out, " underline");
            if (s->attrs & VT_STRIKE)
                vt_put_string(out, " line-through");
            if (s->attrs & VT_OVERLINE)
                vt_put_string(out, " overline");
            vt_put_string(out, kinds[(s->attrs & VT_UNDERLINE) >> VT_UNDERLINE_SHIFT]);
            if (s->ul)
                vt_put_hex(out, " ", rgb(t, s->ul, FOREGROUND), "");
            vt_put_string(out, ";");
        }
        if (s->attrs & VT_BLINK)
            vt_put_string(out, "animation:blink 1s step-end infinite;");
        vt_put_string(out, "\"");
    }
    if (linked || styled)
        vt_put_string(out, ">");
    html_text(out, text, n);
    if (linked)
        vt_put_string(out, "</a>");
    else if (styled)
        vt_put_string(out, "</span>");
}

/* ---- pictures: backgrounds of spans, whose rules the caller adds for each class ---- */

#define LINE_EM 1200 /* thousandths of the font's size: a row's height */

static void thousandths(vt_buf *out, const char *name, int64_t n, const char *unit)
{
    char text[48];
    const char *sign = n < 0 ? "-" : "";
    n = n < 0 ? -n : n;
    vt_put_string(out, name);
    vt_put(out, text, (size_t)snprintf(text, sizeof text, "%s%lld.%03d%s", sign, (long long)(n / 1000), (int)(n % 1000), unit));
}

/* The class of a placement's picture, and the rules that show it from `row` and `col` of its cells on. The style is left
   open. */
static void html_picture(const vt *t, vt_buf *out, const vt_placement *p, int row, int col)
{
    const vt_picture *picture = p ? vt_picture_find(t, p->picture) : NULL;
    if (!picture || !picture->data || !p->width || !p->height) {
        vt_put_string(out, "<span class=\"no-picture\" title=\"a picture that is no longer kept\" style=\"");
        return;
    }
    char key[64];
    int64_t wide = (int64_t)p->wide * picture->width / p->width, high = (int64_t)p->high * picture->height / p->height;
    int64_t left = (int64_t)p->left - (int64_t)p->x * p->wide / p->width - (int64_t)col * VT_CELL;
    int64_t top = (int64_t)p->top - (int64_t)p->y * p->high / p->height - (int64_t)row * VT_CELL;
    vt_put(out, key, (size_t)snprintf(key, sizeof key, "<span class=\"picture-%016llx\" style=\"", (unsigned long long)picture->key));
    thousandths(out, "background-size:", wide, "ch ");
    thousandths(out, "", high * LINE_EM / 1000, "em;");
    thousandths(out, "background-position:", left, "ch ");
    thousandths(out, "", top * LINE_EM / 1000, "em;");
}

/* A run with tiles in it: those that follow each other in a row of one picture are one span of blanks. */
static void html_tiles(const vt *t, vt_buf *out, const vt_run *r)
{
    const uint8_t *p = r->text, *end = p + r->n;
    vt_tile before = {0}, tile;
    int open = 0;
    if (!memchr(p, *(const uint8_t *)VT_TILE_BYTES, r->n)) {
        html_run(t, out, r, p, r->n);
        return;
    }
    while (p < end) {
        const uint8_t *plain = p;
        while (p < end && !vt_tile_size(p, end))
            p++;
        if (p > plain) {
            vt_put_string(out, open ? "</span>" : "");
            open = 0;
            html_run(t, out, r, plain, (size_t)(p - plain));
            before = (vt_tile){0};
            continue;
        }
        p += vt_tile_at(t, r, p, end, &before, &tile);
        if (!open || tile.placement != before.placement || tile.row != before.row || tile.col != before.col + 1) {
            vt_put_string(out, open ? "</span>" : "");
            html_picture(t, out, tile.placement, tile.row, tile.col);
            vt_put_string(out, "\">");
            open = 1;
        }
        vt_put_string(out, " ");
        before = tile;
    }
    vt_put_string(out, open ? "</span>" : "");
}

/* Kitty's placements whose first row is this line. */
static void html_placements(const vt *t, vt_buf *out, int64_t line)
{
    for (int i = 0; t->pictures && i < t->pictures->placed_n; i++) {
        const vt_placement *p = &t->pictures->placed[i];
        if (p->how != VT_DIRECT || p->alternate != (t->s == &t->alt) || vt_placement_row(t, p) != line - vt_top(t))
            continue;
        html_picture(t, out, p, p->first, 0);
        thousandths(out, "position:absolute;margin-left:", (int64_t)p->col * 1000, "ch;");
        thousandths(out, "width:", (int64_t)p->left + p->wide, "ch;");
        thousandths(out, "height:", (int64_t)(p->last - p->first) * LINE_EM, "em;");
        vt_put_string(out, p->z < 0 ? "z-index:-1\"></span>" : "z-index:1\"></span>");
    }
}
#define SIZED "<span style=\"display:inline-block;transform-origin:0 "

void vt_html(const vt *t, vt_buf *out, int64_t first, int64_t last)
{
    static const char *const sizes[] = {
        "",
        SIZED "0;transform:scaleX(2)\">",
        SIZED "0;transform:scale(2);clip-path:inset(0 0 50%)\">",
        SIZED "100%;transform:scale(2);clip-path:inset(50% 0 0)\">",
    };
    vt_range at;
    if (vt_range_init(&at, t, out, first, last))
        return;
    vt_put_hex(out, "<pre style=\"color:", rgb(t, 0, FOREGROUND), ";");
    /* HTML drops a newline after <pre>, and would drop an empty first line. */
    vt_put_hex(out, "background:", rgb(t, 0, BACKGROUND), ";position:relative;z-index:0;line-height:1.2\">\n");
    for (int64_t i = at.first; i < at.last && vt_line_at(t, &at.line, &at.reader, i); i++) {
        at.line.wrapped = 0;
        vt_line_trim(&at.line, 1);
        html_placements(t, out, i);
        vt_put_string(out, sizes[at.line.size]);
        for (int k = 0; k < at.line.n; k++)
            html_tiles(t, out, &at.line.runs[k]);
        if (at.line.size)
            vt_put_string(out, "</span>");
        vt_run tail;
        if (vt_line_tail(&at.line, t->cols, &tail))
            html_run(t, out, &tail, tail.text, tail.n);
        vt_put_string(out, "\n");
    }
    vt_put_string(out, "</pre>\n");
    vt_line_free(&at.line);
}
