/* The terminal as a whole: made, copied, freed, and asked about its state. */
#include "vt_pictures.h"

#include <stdlib.h>
#include <string.h>

vt *vt_new(int rows, int cols, const vt_limits *limits)
{
    if (rows < VT_MIN_ROWS || rows > VT_MAX_ROWS || cols < VT_MIN_COLS || cols > VT_MAX_COLS)
        return NULL;
    vt *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    t->rows = rows;
    t->cols = cols;
    t->limits = *limits;
    t->s = &t->main;
    t->erase_cell = VT_BLANK;
    if (vt_intern_init(t) || vt_screen_init(t, &t->main)) {
        vt_free(t);
        return NULL;
    }
    vt_reset(t);
    vt_set_theme(t, NULL);
    vt_set_pixels(t, 0, 0);
    t->events = 0;
    return t;
}

void vt_free(vt *t)
{
    if (!t)
        return;
    vt_screen_free(t, &t->main);
    vt_screen_free(t, &t->alt);
    vt_intern_free(t);
    vt_pictures_free(t);
    vt_scrollback_free(&t->scrollback);
    vt_buf_free(&t->parser.string);
    vt_buf_free(&t->replies);
    vt_buf_free(&t->records);
    vt_buf_free(&t->titles);
    vt_buf_free(&t->command);
    free(t->notice);
    free(t->palette);
    free(t->shadow.rows);
    free(t);
}

/* ---- state ---- */

static size_t screen_memory(const vt *t, const vt_screen *s)
{
    size_t row = sizeof(vt_row) + (size_t)(t->cols + VT_PAD) * sizeof(vt_cell);
    return s->base ? (size_t)s->base_n * sizeof *s->base + (size_t)t->rows * row : 0;
}

size_t vt_memory(const vt *t)
{
    size_t n = sizeof *t + vt_scrollback_memory(&t->scrollback);
    n += screen_memory(t, &t->main) + screen_memory(t, &t->alt);
    n += t->styles_size * sizeof *t->styles + t->style_hash_size * sizeof *t->style_hash;
    n += t->clusters_size * sizeof *t->clusters + t->links_size * sizeof *t->links;
    for (uint32_t i = 1; i < t->clusters_n; i++)
        n += t->clusters[i].more ? VT_CELL_TEXT : 0;
    for (uint32_t i = 1; i < t->links_n; i++)
        n += t->links[i].text ? (size_t)t->links[i].id_n + t->links[i].uri_n + 1 : 0;
    n += t->shadow.rows ? (size_t)t->rows * sizeof *t->shadow.rows : 0;
    n += t->parser.string.size + t->replies.size + t->records.size + t->titles.size;
    n += vt_pictures_memory(t);
    n += t->command.size + (t->notice ? sizeof *t->notice : 0);
    return n + (t->palette ? VT_COLOURS * sizeof *t->palette : 0);
}

void vt_mute(vt *t, int on) { t->muted = on; }
uint64_t vt_offset(const vt *t) { return t->offset; }

void vt_set_offset(vt *t, uint64_t offset)
{
    t->offset = t->parser.sequence = offset;
    vt_viewer_forget(t);
}

int vt_rows(const vt *t) { return t->rows; }
int vt_cols(const vt *t) { return t->cols; }
int vt_alternate(const vt *t) { return t->s == &t->alt; }

void vt_get_cursor(const vt *t, vt_cursor *cursor)
{
    *cursor = (vt_cursor){t->row, t->col, !!(t->modes & VT_M_CURSOR), t->pending, t->shape};
}

uint32_t vt_events(vt *t)
{
    uint32_t events = t->events;
    t->events = 0;
    return events;
}

uint32_t vt_bells(vt *t)
{
    uint32_t bells = t->bells;
    t->bells = 0;
    return bells;
}

const uint8_t *vt_title(const vt *t, size_t *n)
{
    *n = t->title_n;
    return t->title;
}

const uint8_t *vt_cwd(const vt *t, size_t *n)
{
    *n = t->cwd_n;
    return t->cwd;
}

int vt_progress(const vt *t, int *percent)
{
    *percent = t->percent;
    return t->progress;
}

const char *vt_pointer(const vt *t) { return vt_pointer_name(t->s); }

/* ---- copies ---- */

static void *copied(const void *data, size_t n, int *failed)
{
    if (!data)
        return NULL;
    void *copy = malloc(n ? n : 1);
    if (!copy)
        *failed = 1;
    else
        memcpy(copy, data, n);
    return copy;
}

static vt_buf copied_buf(const vt_buf *b, int *failed)
{
    vt_buf copy = {.n = b->n, .size = b->n};
    copy.data = copied(b->n ? b->data : NULL, b->n, failed);
    return copy;
}

static void copy_screen(vt *copy, vt_screen *to, const vt_screen *from, int *failed)
{
    vt_screen was = *from;
    *to = was;
    to->base = to->rows = NULL;
    if (!from->base)
        return;
    if (vt_screen_init(copy, to)) {
        *failed = 1;
        return;
    }
    for (int i = 0; i < copy->rows; i++)
        memcpy(to->rows[i], from->rows[i], sizeof(vt_row) + from->rows[i]->len * sizeof(vt_cell));
}

vt *vt_clone(const vt *t, uint32_t scrollback_lines)
{
    vt *copy = malloc(sizeof *copy);
    int failed = 0;
    if (!copy)
        return NULL;
    *copy = *t;
    copy->s = t->s == &t->alt ? &copy->alt : &copy->main;
    copy->events = copy->bells = 0;
    copy->parser.chunk = NULL;
    memset(&copy->shadow, 0, sizeof copy->shadow); /* a copy has no viewers */
    memset(&copy->replies, 0, sizeof copy->replies);
    memset(&copy->records, 0, sizeof copy->records);
    memset(&copy->command, 0, sizeof copy->command);
    copy->notice = NULL;
    copy->parser.string = copied_buf(&t->parser.string, &failed);
    copy->titles = copied_buf(&t->titles, &failed);
    copy->palette = copied(t->palette, VT_COLOURS * sizeof *t->palette, &failed);
    copy->styles = copied(t->styles, t->styles_size * sizeof *t->styles, &failed);
    copy->style_hash = copied(t->style_hash, t->style_hash_size * sizeof *t->style_hash, &failed);
    copy->clusters = copied(t->clusters, t->clusters_size * sizeof *t->clusters, &failed);
    if (copy->clusters)
        for (uint32_t i = 1; i < t->clusters_n; i++)
            copy->clusters[i].more = copied(t->clusters[i].more, VT_CELL_TEXT, &failed);
    else
        copy->clusters_n = copy->clusters_size = 0;
    copy->links = copied(t->links, t->links_size * sizeof *t->links, &failed);
    if (copy->links)
        for (uint32_t i = 1; i < t->links_n; i++)
            copy->links[i].text = copied(t->links[i].text, (size_t)t->links[i].id_n + t->links[i].uri_n, &failed);
    else
        copy->links_n = copy->links_size = 0;
    failed |= vt_pictures_copy(t, copy) != 0;
    copy_screen(copy, &copy->main, &t->main, &failed);
    copy_screen(copy, &copy->alt, &t->alt, &failed);
    copy->scrollback = (vt_scrollback){0};
    failed = failed || vt_scrollback_copy(t, copy, scrollback_lines);
    if (!failed)
        return copy;
    vt_free(copy);
    return NULL;
}
