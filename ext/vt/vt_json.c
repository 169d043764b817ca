/* The screen as JSON (docs/terminal.md). */
#include "vt_pictures.h"
#include "vt_sgr.h"

#include <string.h>

/* A JSON string. NULs are blanks; with `marks` it is text of a line, whose marks are left out. */
static void json_string(vt_buf *out, const void *data, size_t n, int marks)
{
    const uint8_t *text = data;
    uint8_t *p = vt_room(out, 6 * n + 2), *begin = p;
    if (!p)
        return;
    *p++ = '"';
    for (size_t i = 0; i < n; i++) {
        uint8_t c = text[i] ? text[i] : ' ';
        if (marks && vt_is_mark(c))
            continue;
        if (c == '"' || c == '\\') {
            *p++ = '\\';
            *p++ = c;
        } else if (c < 0x20 || c == 0x7F) {
            memcpy(p, "\\u00", 4);
            p[4] = (uint8_t)('0' + (c >> 4));
            p[5] = (uint8_t)"0123456789abcdef"[c & 15];
            p += 6;
        } else if (c == *(const uint8_t *)VT_TILE_BYTES && vt_tile_size(text + i, text + n)) {
            *p++ = ' ';
            i += vt_tile_size(text + i, text + n) - 1;
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
    vt_put_string(out, ",\"");
    vt_put_string(out, name);
    vt_put_string(out, "\":");
    if (colour & VT_RGB) {
        vt_put_hex(out, "\"", colour, "\"");
    } else {
        vt_put_number(out, colour & 0xFF);
    }
}

static void json_run(vt_buf *out, const vt_run *r, int first)
{
    static const char *const underlines[8] = {"", "single", "double", "curly", "dotted", "dashed", "single", "single"};
    vt_put_string(out, first ? "{\"text\":" : ",{\"text\":");
    json_string(out, r->text, r->n, 1);
    vt_put_string(out, ",\"width\":");
    vt_put_number(out, r->cols);
    json_colour(out, "fg", r->style.fg);
    json_colour(out, "bg", r->style.bg);
    json_colour(out, "underline_colour", r->style.ul);
#define FLAG(attribute, number, snapshot, name) \
    if (r->style.attrs & attribute)             \
        vt_put_string(out, ",\"" name "\":true");
    VT_SGR_ATTRIBUTES(FLAG)
#undef FLAG
    if (r->style.attrs & VT_UNDERLINE) {
        vt_put_string(out, ",\"underline\":\"");
        vt_put_string(out, underlines[(r->style.attrs & VT_UNDERLINE) >> VT_UNDERLINE_SHIFT]);
        vt_put_string(out, "\"");
    }
    if (r->link) {
        vt_put_string(out, ",\"link\":");
        json_string(out, r->link + r->id_n, r->uri_n, 0);
    }
    vt_put_string(out, "}");
}

void vt_json(const vt *t, vt_buf *out)
{
    int64_t top = vt_top(t);
    vt_range at;
    if (vt_range_init(&at, t, out, top, top + t->rows))
        return;
    vt_put_string(out, "{\"rows\":");
    vt_put_number(out, t->rows);
    vt_put_string(out, ",\"cols\":");
    vt_put_number(out, t->cols);
    vt_put_string(out, ",\"top\":");
    vt_put_number(out, top);
    vt_put_string(out, ",\"oldest\":");
    vt_put_number(out, vt_original_oldest(t));
    vt_put_string(out, ",\"offset\":");
    vt_put_number(out, (long long)t->offset);
    vt_put_string(out, ",\"title\":");
    json_string(out, t->title, t->title_n, 0);
    vt_put_string(out, ",\"folder\":");
    json_string(out, t->cwd, t->cwd_n, 0);
    vt_put_string(out, t->s == &t->alt ? ",\"alternate\":true" : ",\"alternate\":false");
    vt_put_string(out, ",\"cursor\":{\"row\":");
    vt_put_number(out, t->row);
    vt_put_string(out, ",\"col\":");
    vt_put_number(out, t->col);
    vt_put_string(out, t->modes & VT_M_CURSOR ? ",\"visible\":true,\"shape\":\"" : ",\"visible\":false,\"shape\":\"");
    vt_put_string(out, t->shape >= 5 ? "bar" : t->shape >= 3 ? "underline" : "block");
    int blink = t->shape ? t->shape & 1 : (t->modes & VT_M_BLINK) != 0;
    vt_put_string(out, blink ? "\",\"blink\":true},\"modes\":[" : "\",\"blink\":false},\"modes\":[");
    int any = 0;
    for (size_t i = 0; i < VT_MODE_COUNT; i++)
        if (t->modes >> i & 1) {
            vt_put_string(out, any ? ",\"" : "\"");
            vt_put_string(out, vt_mode_names[i]);
            vt_put_string(out, "\"");
            any = 1;
        }
    vt_put_string(out, "],\"pictures\":[");
    vt_pictures_json(t, out);
    vt_put_string(out, "],\"lines\":[");
    for (int64_t i = at.first; i < at.last && vt_line_at(t, &at.line, &at.reader, i); i++) {
        vt_put_string(out, i > at.first ? ",{\"wrapped\":" : "{\"wrapped\":");
        vt_put_string(out, at.line.wrapped ? "true," : "false,");
        static const char *const sizes[] = {"", "\"size\":\"double-width\",", "\"size\":\"double-top\",",
                                            "\"size\":\"double-bottom\","};
        vt_put_string(out, sizes[at.line.size]);
        vt_put_string(out, "\"runs\":[");
        at.line.wrapped = 0;
        vt_line_trim(&at.line, 1);
        for (int k = 0; k < at.line.n; k++)
            json_run(out, &at.line.runs[k], !k);
        vt_run tail;
        if (vt_line_tail(&at.line, t->cols, &tail))
            json_run(out, &tail, !at.line.n);
        vt_put_string(out, "]}");
    }
    vt_put_string(out, "]}");
    vt_line_free(&at.line);
}
