/* Lines as HTML: one <pre>, with everything from the program escaped. */
#include "vt_state.h"

#include <string.h>

#define HTML_FG 0xD4D4D4u
#define HTML_BG 0x1E1E1Eu

/* A colour as RGB: of the program's palette, else of xterm's. `standard` is the default colour, `own` its index. */
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
        uint32_t fg = rgb(t, s->fg, 256, HTML_FG), bg = rgb(t, s->bg, 257, HTML_BG);
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
                vt_put_hex(out, " ", rgb(t, s->ul, 256, HTML_FG), "");
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
    vt_put_hex(out, "<pre style=\"color:", rgb(t, 0, 256, HTML_FG), ";");
    /* HTML drops a newline after <pre>, and would drop an empty first line. */
    vt_put_hex(out, "background:", rgb(t, 0, 257, HTML_BG), "\">\n");
    for (int64_t i = at.first; i < at.last && vt_line_at(t, &at.line, &at.reader, i); i++) {
        at.line.wrapped = 0;
        vt_line_trim(&at.line, 1);
        vt_put_string(out, sizes[at.line.size]);
        for (int k = 0; k < at.line.n; k++)
            html_run(t, out, &at.line.runs[k], at.line.runs[k].text, at.line.runs[k].n);
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
