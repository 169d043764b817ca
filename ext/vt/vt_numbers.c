/* Lines by their absolute numbers, in the scrollback or on the screen. */
#include "vt_state.h"

#include <string.h>

int64_t vt_oldest(const vt *t) { return (int64_t)t->scrollback.dropped; }
int64_t vt_top(const vt *t) { return (int64_t)(t->scrollback.dropped + t->scrollback.count); }
int64_t vt_original_oldest(const vt *t) { return (int64_t)(t->scrollback.dropped - t->scrollback.left_out); }

void vt_set_top(vt *t, int64_t top)
{
    if (top >= (int64_t)t->scrollback.count)
        t->scrollback.dropped = (uint64_t)top - t->scrollback.count;
    t->command_line = -1;
    t->main.saved.top = -1;
}

int vt_line_at(const vt *t, vt_line *line, vt_scrollback_reader *reader, int64_t number)
{
    int64_t oldest = vt_oldest(t), top = vt_top(t);
    if (number < oldest || number >= top + t->rows)
        return 0;
    if (number >= top) {
        vt_line_row(t, line, t->s->rows[number - top], t->cols);
        if (number == top + t->rows - 1)
            line->wrapped = 0; /* no line follows */
        return 1;
    }
    if (reader->left != (uint64_t)(top - number))
        vt_scrollback_seek(t, reader, (uint64_t)(number - oldest));
    if (!vt_scrollback_next(reader, line))
        return 0;
    if (number == top - 1 && t->s != &t->main)
        line->wrapped = 0; /* the line that follows is not shown */
    return 1;
}

int vt_range_init(vt_range *r, const vt *t, vt_buf *out, int64_t first, int64_t last)
{
    memset(r, 0, sizeof *r);
    int64_t oldest = vt_oldest(t), end = vt_top(t) + t->rows;
    r->first = first < oldest ? oldest : first;
    r->last = last > end ? end : last;
    if (!vt_line_init(&r->line, t->cols))
        return 0;
    out->failed = 1;
    return -1;
}
