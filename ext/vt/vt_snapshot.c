/* The screen as a snapshot: VibeTunnel's "VT" version 1 (docs/terminal.md). */
#include "vt_pictures.h"
#include "vt_sgr.h"

#include <string.h>

#define UNDERLINED 0x04  /* of the attribute byte, whose other bits vt_sgr.h has */

static void put_u32(vt_buf *out, uint32_t n)
{
    const uint8_t bytes[4] = {(uint8_t)n, (uint8_t)(n >> 8), (uint8_t)(n >> 16), (uint8_t)(n >> 24)};
    vt_put(out, bytes, sizeof bytes);
}

/* A style in VibeTunnel's form: bits of the cell's type, and the bytes after its character. Colours are numbers, and
   RGB begins above 255: dark blues count as palette. */
typedef struct {
    uint8_t type, n, ext[7];
} snapshot_style;

static snapshot_style snapshot_style_of(const vt_style *s)
{
    snapshot_style to = {.n = 1};
#define BIT(attribute, number, snapshot, name) to.ext[0] |= s->attrs & attribute ? snapshot : 0;
    VT_SGR_ATTRIBUTES(BIT)
#undef BIT
    to.ext[0] |= s->attrs & VT_UNDERLINE ? UNDERLINED : 0;
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

#define SNAPSHOT_CELL (VT_CELL_TEXT + 16) /* bytes of one at most: type, length, text, style; and excess bytes of copies */

static inline uint8_t *snapshot_cell(uint8_t *p, const snapshot_style *s, const uint8_t *text, uint32_t n)
{
    if (n == 1 && (!*text || *text == ' ')) {
        *p++ = s->type;
    } else if (n == 1) {
        *p++ = s->type | 0x01;
        *p++ = *text;
    } else {
        *p++ = s->type | 0x42;
        uint8_t *size = p++;
        p = vt_plain_text(p, text, n);
        *size = (uint8_t)(p - size - 1);
    }
    memcpy(p, s->ext, sizeof s->ext);
    return p + s->n;
}

/* Whether a snapshot shows nothing of a style. */
static int snapshot_plain(const vt_style *s)
{
#define SHOWN(attribute, number, snapshot, name) | (snapshot ? attribute : 0)
    return !s->fg && !s->bg && !(s->attrs & (VT_UNDERLINE VT_SGR_ATTRIBUTES(SHOWN)));
#undef SHOWN
}

/* Columns of the line up to its last visible cell. */
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
    put_u32(out, (uint32_t)t->cols);
    put_u32(out, (uint32_t)rows);
    put_u32(out, t->s == &t->main ? (uint32_t)(t->scrollback.count + t->scrollback.left_out) : 0);
    put_u32(out, (uint32_t)(t->col + (t->pending && t->col == t->cols - 1)));
    put_u32(out, (uint32_t)t->row);
    put_u32(out, 0);
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
                uint32_t n = vt_character(p, end, &width);
                to = vt_tile_size(p, end) ? snapshot_cell(to, &style, (const uint8_t *)" ", 1)
                                          : snapshot_cell(to, &style, p, n);
                p += n;
                col += width;
                cells++;
            }
        }
        const snapshot_style style = snapshot_style_of(&line.tail);
        for (; col < cols; col++, cells++)
            to = snapshot_cell(to, &style, (const uint8_t *)" ", 1);
        out->n = (size_t)(to - out->data);
        /* A row whose only cell is a space is empty; in VibeTunnel so is one in colour 0. */
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
