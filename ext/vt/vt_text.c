/* Lines as text. */
#include "vt_state.h"

/* Whether a wrapped line's last column is what a wide character left that did not fit there. */
static int ends_in_gap(const vt *t, const vt_range *at, int64_t number, int cols)
{
    vt_scrollback_reader reader = at->reader;
    vt_line next;
    if (at->line.cols < cols - 1 || vt_line_init(&next, cols))
        return 0;
    const vt_run *last = at->line.n ? &at->line.runs[at->line.n - 1] : NULL;
    int blank = at->line.cols == cols - 1 || (last && last->n && !last->text[last->n - 1]);
    int wide = 0;
    if (blank && vt_line_at(t, &next, &reader, number + 1) && next.n && next.runs[0].n)
        vt_character(next.runs[0].text, next.runs[0].text + next.runs[0].n, &wide);
    vt_line_free(&next);
    return wide == 2;
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
            for (uint32_t b = 0; b < r->n; b++)
                p[b] = r->text[b] ? r->text[b] : ' ';
            out->n += r->n;
        }
        if (unwrap && line->wrapped && i + 1 < at.last) {
            int gap = ends_in_gap(t, &at, i, t->cols), rest = t->cols - line->cols;
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
