/* What viewers are shown. A viewer is drawn by xterm.js, which parses the same output and lacks some of what this engine
   does. Where it does, vt_viewer_differs() begins a stretch of output that viewers do not get. They get damage instead
   (vt_redraw.c): what has changed since the state that they show.

   For that each row has a hash and the offset of its last change. Nothing of it is made or kept up to date while nothing
   differs. docs/terminal.md has the table of what differs. */
#include "vt_state.h"

#include <stdlib.h>
#include <string.h>

/* ---- what xterm.js does otherwise for as long as it lasts; the single events call vt_viewer_differs() ---- */

#define DIFFERENT_MODES VT_M_ORIGIN /* xterm.js adds the region's top twice to some movements */

static int has_double_row(const vt *t, const vt_screen *s)
{
    for (int row = 0; s->base && row < t->rows; row++)
        if (s->rows[row]->size)
            return 1;
    return 0;
}

/* Whether REP would repeat a character that came through a single shift, and that the set in use cannot print. */
static int repeats_shifted(const vt *t)
{
    int col = t->pending ? t->col : t->col - 1;
    if (!t->last_char || t->charsets[t->gl] == 'B' || col < 0)
        return 0;
    vt_cell cell = vt_at(t->s->rows[t->row], col);
    uint32_t code = VT_CODE(cell);
    return !(cell & VT_CLUSTER) && code > ' ' && code < 0x7F && vt_translate(vt_set(t, t->gl), (uint8_t)code) != code;
}

/* Whether what comes next may join a character that a variation selector has made narrow: the client's cursor stands where
   the wide one ended, and only a sequence moves it. */
static int narrowed(const vt *t)
{
    if (!t->last_char || !(t->modes & VT_M_GRAPHEMES) || !t->col)
        return 0;
    uint8_t text[VT_CELL_TEXT + 4];
    vt_cell cell = vt_at(t->s->rows[t->row], t->col - 1);
    return cell & VT_CLUSTER && vt_cluster_text(t, text, cell)[-1] == VT_NARROW;
}

/* No sequence makes xterm.js's wrap pending but in the last column. */
int vt_state_differs(const vt *t)
{
    return t->modes & DIFFERENT_MODES || t->left || t->right != t->cols - 1 || t->single_shift || repeats_shifted(t)
           || (t->last_char >= 0x80 && vt_takes_bytes(t)) /* REP would repeat what xterm.js cannot be sent */
           || narrowed(t)
           || (t->pending && t->col != t->cols - 1) || has_double_row(t, &t->main) || has_double_row(t, &t->alt);
}

/* ---- hashes ---- */

static inline uint64_t mix(uint64_t h, uint64_t value)
{
    h = (h ^ value) * 0x9E3779B97F4A7C15u;
    return h ^ h >> 29;
}

uint64_t vt_viewer_hash(const uint8_t *p, size_t n)
{
    uint64_t h = n, value;
    for (; n >= 8; n -= 8, p += 8) {
        memcpy(&value, p, 8);
        h = mix(h, value);
    }
    value = 0;
    memcpy(&value, p, n);
    return mix(h, value);
}

/* Ids may be given to other styles later, so the style is hashed by its value. */
static uint64_t style_hash(const vt *t, uint32_t id)
{
    const vt_style *s = &t->styles[id];
    uint64_t h = mix((uint64_t)s->fg << 32 | s->bg, (uint64_t)s->ul << 32 | s->attrs);
    if (s->link && s->link < t->links_n && t->links[s->link].text) {
        const vt_link *link = &t->links[s->link];
        h = mix(h, vt_viewer_hash((const uint8_t *)link->text, (size_t)link->id_n + link->uri_n));
    }
    return h;
}

static uint64_t row_hash(const vt *t, const vt_row *r)
{
    int len = vt_min(r->len, t->cols);
    while (len && r->cells[len - 1] == r->tail)
        len--;
    uint32_t id = VT_STYLE(r->tail);
    uint64_t style = style_hash(t, id), h = mix(mix((uint64_t)len << 3 | (uint64_t)r->size << 1 | r->wrapped, style), (uint32_t)r->tail);
    for (int i = 0; i < len; i++) {
        vt_cell c = r->cells[i];
        if (VT_STYLE(c) != id) {
            id = VT_STYLE(c);
            style = style_hash(t, id);
        }
        h = mix(h, style ^ (c & VT_CLUSTER ? (uint32_t)c & ~0x1FFFFFu : (uint32_t)c));
        if (c & VT_CLUSTER) {
            uint8_t text[VT_CELL_TEXT + 4];
            h = mix(h, vt_viewer_hash(text, (size_t)(vt_cluster_text(t, text, c) - text)));
        }
    }
    return h;
}

/* ---- stretches ---- */

uint64_t vt_shown(const vt *t) { return t->offset - t->parser.utf8_n; }

void vt_viewer_mark(vt_mark *mark, uint64_t hash, uint64_t offset)
{
    if (mark->hash != hash) {
        mark->hash = hash;
        mark->changed = offset;
    }
}

static void mark_rows(vt *t, uint64_t offset)
{
    vt_shadow *s = &t->shadow;
    int moved = s->top != vt_top(t) || s->marked_screens != s->screens;
    for (int row = 0; row < t->rows; row++) {
        if (moved)
            s->rows[row].changed = offset;
        if (t->s->rows[row]->size)
            s->rows[row].doubled = offset > t->offset ? offset : t->offset; /* as late as a viewer's may be after a redraw */
        vt_viewer_mark(&s->rows[row], row_hash(t, t->s->rows[row]), offset);
    }
    s->top = vt_top(t);
    s->marked_screens = s->screens;
}

void vt_viewer_now(const vt *t, vt_viewer *v)
{
    *v = (vt_viewer){vt_shown(t), t->modes, vt_top(t), t->shadow.screens, t->shadow.clears, t->shadow.bells, t->shape,
                     t->modify_other_keys, 0};
}

void vt_viewer_begin(vt *t)
{
    vt_shadow *s = &t->shadow;
    if (!t->parser.chunk) /* not in vt_feed(): a terminal that is made or gets a new size */
        return;
    uint64_t from = t->parser.begin ? t->offset + (uint64_t)(t->parser.begin - t->parser.chunk) : t->parser.sequence;
    int exact = from != VT_UNKNOWN;
    s->differs = 1;
    s->raw = s->to;
    s->from = exact ? from : t->offset;
    s->last = s->from > t->offset ? s->from : t->offset;
    if (!s->rows && (s->rows = calloc((size_t)t->rows, sizeof *s->rows)) != NULL)
        s->since = s->from;
    if (s->rows)
        mark_rows(t, exact ? from : t->offset + 1); /* of inexact ones all is known is that they are in this chunk */
    vt_viewer_now(t, &s->start);
    s->start.offset = s->from;
    s->start.raw = 1;
    if (!exact || !s->rows)
        s->start.screens--; /* as if another screen had been shown: it needs a redraw */
}

void vt_viewer_sync(vt *t)
{
    vt_shadow *s = &t->shadow;
    if (s->rows)
        mark_rows(t, vt_shown(t));
    if (s->differs) {
        s->to = vt_shown(t);
        s->differs = vt_state_differs(t);
    }
}

void vt_viewer_forget(vt *t)
{
    vt_shadow *s = &t->shadow;
    free(s->rows);
    s->rows = NULL;
    s->raw = s->from = s->last = s->to = vt_shown(t);
    s->differs = 0;
    s->screens++;
    if (!vt_state_differs(t))
        return;
    s->differs = 1;
    vt_viewer_now(t, &s->start);
    s->start.screens--;
}

/* ---- what viewers may be sent ---- */

uint64_t vt_raw_end(const vt *t, uint64_t offset)
{
    const vt_shadow *s = &t->shadow;
    if (!s->differs && offset >= s->to)
        return vt_shown(t);
    return offset >= s->raw && offset < s->from ? s->from : offset;
}

int vt_viewer_at(const vt *t, uint64_t offset, vt_viewer *v)
{
    if (offset < t->shadow.from || offset > t->shadow.last)
        return 0;
    *v = t->shadow.start;
    return 1;
}

int vt_continues(const vt *t, uint64_t offset)
{
    vt_viewer v;
    return (!t->shadow.differs && offset >= t->shadow.to) || vt_raw_end(t, offset) > offset || vt_viewer_at(t, offset, &v);
}
