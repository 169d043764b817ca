/* Lines as UTF-8 text. */
#include "vt_pictures.h"

/* Columns of the gap at the end of a wrapped line: 0 or 1. */
static int gap_at(const vt *t, const vt_range *at, int64_t number)
{
    vt_scrollback_reader reader = at->reader;
    vt_line next;
    if (!vt_line_gap(&at->line, 1, t->cols) || vt_line_init(&next, t->cols))
        return 0;
    int gap = vt_line_at(t, &next, &reader, number + 1) && vt_line_begins_wide(&next);
    vt_line_free(&next);
    return gap;
}

void vt_text(const vt *t, vt_buf *out, int64_t first, int64_t last, int unwrap)
{
    vt_range at;
    if (vt_range_init(&at, t, out, first, last))
        return;
    size_t begin = out->n;
    for (int64_t i = at.first; i < at.last && vt_line_at(t, &at.line, &at.reader, i); i++) {
        const vt_line *line = &at.line;
        for (int k = 0; k < line->n; k++) {
            const vt_run *r = &line->runs[k];
            uint8_t *p = vt_room(out, r->n);
            if (!p)
                break;
            uint8_t *to = p;
            const uint8_t *from = r->text, *end = r->text + r->n;
            while (from < end) {
                const uint8_t *tile = from;
                while (tile < end && !vt_tile_size(tile, end))
                    tile++;
                to = vt_plain_text(to, from, (size_t)(tile - from));
                if (tile < end)
                    *to++ = ' ';
                from = tile + (tile < end ? vt_tile_size(tile, end) : 0);
            }
            out->n += (size_t)(to - p);
        }
        if (unwrap && line->wrapped && i + 1 < at.last) {
            int gap = gap_at(t, &at, i), rest = t->cols - line->cols;
            if (rest - gap >= 0)
                vt_put_spaces(out, rest - gap);
            else if (!out->failed)
                out->n--;
            continue;
        }
        while (!out->failed && out->n > begin && out->data[out->n - 1] == ' ')
            out->n--;
        vt_put_byte(out, '\n');
        begin = out->n;
    }
    vt_line_free(&at.line);
}
