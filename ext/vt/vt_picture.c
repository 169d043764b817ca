/* Pictures and their placements: kept, counted, dropped, and moved with the rows that they are anchored to.

   Bytes are shared between a terminal and its copies. What a program sends is bounded three times: the picture that is
   coming in, all pictures together, and the number of pictures and placements. */
#include "vt_pictures.h"
#include "vt_string.h"

#include <stdlib.h>

#define HEAD sizeof(vt_picture_data)

vt_pictures *vt_pictures_of(vt *t)
{
    if (t->pictures)
        return t->pictures;
    vt_pictures *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->all = calloc(VT_PICTURES, sizeof *p->all);
    p->placed = calloc(VT_PLACEMENTS, sizeof *p->placed);
    t->pictures = p;
    if (p->all && p->placed)
        return p;
    vt_pictures_free(t);
    return NULL;
}

void vt_picture_release(vt_picture_data *data)
{
    if (data && __atomic_sub_fetch(&data->shared, 1, __ATOMIC_ACQ_REL) == 0)
        free(data);
}

void vt_pictures_free(vt *t)
{
    vt_pictures *p = t->pictures;
    if (!p)
        return;
    for (int i = 0; p->all && i < p->n; i++)
        vt_picture_release(p->all[i].data);
    vt_buf_free(&p->incoming.data);
    free(p->all);
    free(p->placed);
    free(p);
    t->pictures = NULL;
}

size_t vt_pictures_memory(const vt *t)
{
    const vt_pictures *p = t->pictures;
    if (!p)
        return 0;
    return sizeof *p + VT_PICTURES * sizeof *p->all + VT_PLACEMENTS * sizeof *p->placed + p->bytes
           + p->incoming.data.size;
}

int vt_pictures_copy(const vt *t, vt *to)
{
    to->pictures = NULL;
    if (!t->pictures)
        return 0;
    vt_pictures *copy = vt_pictures_of(to);
    if (!copy)
        return -1;
    const vt_pictures *p = t->pictures;
    vt_picture *all = copy->all;
    vt_placement *placed = copy->placed;
    memcpy(all, p->all, (size_t)p->n * sizeof *all);
    memcpy(placed, p->placed, (size_t)p->placed_n * sizeof *placed);
    *copy = *p;
    copy->all = all;
    copy->placed = placed;
    copy->incoming.data = (vt_buf){0};
    for (int i = 0; i < p->n; i++)
        if (all[i].data)
            __atomic_add_fetch(&all[i].data->shared, 1, __ATOMIC_RELAXED);
    const vt_buf *in = &p->incoming.data;
    return vt_put(&copy->incoming.data, in->data, in->n);
}

/* ---- pictures ---- */

vt_picture *vt_picture_find(const vt *t, uint32_t number)
{
    for (int i = t->pictures ? t->pictures->n - 1 : -1; i >= 0; i--)
        if (t->pictures->all[i].number == number)
            return &t->pictures->all[i];
    return NULL;
}

/* The newest with that id, or without one with that number of kitty's (I=). */
vt_picture *vt_picture_by_id(const vt *t, uint32_t id, uint32_t named)
{
    for (int i = t->pictures ? t->pictures->n - 1 : -1; i >= 0; i--) {
        vt_picture *each = &t->pictures->all[i];
        if (id ? each->id == id : named && each->named == named)
            return each;
    }
    return NULL;
}

static void drop_bytes(vt_pictures *p, vt_picture *picture)
{
    if (picture->data)
        p->bytes -= picture->data->n;
    vt_picture_release(picture->data);
    picture->data = NULL;
}

static void forget_at(vt_pictures *p, int i)
{
    drop_bytes(p, &p->all[i]);
    memmove(p->all + i, p->all + i + 1, (size_t)(p->n - i - 1) * sizeof *p->all);
    p->n--;
}

void vt_placement_remove(vt *t, int i)
{
    vt_pictures *p = t->pictures;
    memmove(p->placed + i, p->placed + i + 1, (size_t)(p->placed_n - i - 1) * sizeof *p->placed);
    p->placed_n--;
}

void vt_picture_forget(vt *t, uint32_t number, int placements_too)
{
    vt_pictures *p = t->pictures;
    for (int i = p->n - 1; i >= 0; i--)
        if (p->all[i].number == number)
            forget_at(p, i);
    for (int i = p->placed_n - 1; placements_too && i >= 0; i--)
        if (p->placed[i].picture == number)
            vt_placement_remove(t, i);
}

uint64_t vt_picture_digest(const vt_picture *picture)
{
    uint64_t key = 0xCBF29CE484222325u ^ picture->kind ^ (uint64_t)picture->zlib << 8 ^ (uint64_t)picture->transparent << 16
                   ^ (uint64_t)picture->width << 24 ^ (uint64_t)picture->height << 40;
    const uint8_t *p = picture->data ? picture->data->bytes : NULL;
    size_t n = picture->data ? picture->data->n : 0;
    for (uint64_t word; n >= 8; p += 8, n -= 8) {
        memcpy(&word, p, 8);
        key = (key ^ word) * 0x9E3779B97F4A7C15u;
        key ^= key >> 29;
    }
    for (; n; n--)
        key = (key ^ *p++) * 0x100000001B3u;
    return key ^ key >> 32;
}

vt_picture *vt_picture_add(vt *t, const vt_picture *picture)
{
    vt_pictures *p = vt_pictures_of(t);
    if (!p) {
        vt_picture_release(picture->data);
        return NULL;
    }
    size_t n = picture->data ? picture->data->n : 0;
    for (int i = 0; i < p->n && p->bytes + n > VT_PICTURES_BYTES; i++)
        drop_bytes(p, &p->all[i]);
    if (p->n == VT_PICTURES)
        vt_picture_forget(t, p->all[0].number, 1);
    vt_picture *added = &p->all[p->n++];
    *added = *picture;
    if (!vt_picture_fits(added->width, added->height)) { /* a box: a restored one is as bounded */
        added->width = added->width < 2 * VT_PICTURE_SIDE ? added->width : 2 * VT_PICTURE_SIDE;
        added->height = added->height < 2 * VT_PICTURE_SIDE ? added->height : 2 * VT_PICTURE_SIDE;
    }
    p->bytes += n;
    if (!added->number)
        added->number = ++p->last;
    return added;
}

/* ---- placements ---- */

vt_placement *vt_placement_find(const vt *t, uint32_t number)
{
    for (int i = t->pictures ? t->pictures->placed_n - 1 : -1; i >= 0; i--)
        if (t->pictures->placed[i].number == number)
            return &t->pictures->placed[i];
    return NULL;
}

vt_placement *vt_placement_add(vt *t, const vt_placement *placement)
{
    vt_pictures *p = vt_pictures_of(t);
    if (!p)
        return NULL;
    if (p->placed_n == VT_PLACEMENTS)
        vt_placement_remove(t, 0);
    vt_placement *added = &p->placed[p->placed_n++];
    *added = *placement;
    if (!added->number)
        added->number = p->last_placed = (p->last_placed + 1) & 0xFFFFFF ? (p->last_placed + 1) & 0xFFFFFF : 1;
    return added;
}

int vt_placement_row(const vt *t, const vt_placement *placement)
{
    int64_t row = placement->line + placement->first - (placement->alternate ? 0 : vt_top(t));
    return row < -VT_MAX_ROWS * 4 ? -VT_MAX_ROWS * 4 : row > VT_MAX_ROWS ? VT_MAX_ROWS : (int)row;
}

static int is_used(const vt_pictures *p, const vt_picture *picture)
{
    for (int i = 0; i < p->placed_n; i++)
        if (p->placed[i].picture == picture->number)
            return 1;
    return 0;
}

void vt_pictures_purge(vt *t)
{
    vt_pictures *p = t->pictures;
    for (int i = p->placed_n - 1; i >= 0; i--) {
        const vt_placement *each = &p->placed[i];
        if (each->how != VT_VIRTUAL && !each->alternate && each->line + each->last <= vt_oldest(t))
            vt_placement_remove(t, i);
    }
    for (int i = p->n - 1; i >= 0; i--)
        if (!p->all[i].id && !p->all[i].named && !is_used(p, &p->all[i]))
            forget_at(p, i);
    t->budget -= p->n + p->placed_n;
}

/* ---- what rows do ---- */

static int is_shown(const vt *t, const vt_placement *placement)
{
    return placement->how != VT_VIRTUAL && placement->alternate == (t->s == &t->alt);
}

/* Cut off the rows of a placement that have left [top, bottom]. 0: none are left. */
static int clip(vt_placement *placement, int row, int top, int bottom)
{
    if (row + placement->first < top)
        placement->first = top - row;
    if (row + placement->last > bottom + 1)
        placement->last = bottom + 1 - row;
    return placement->first < placement->last;
}

/* The web client keeps kitty's placements at their lines, and does not move those when rows move. */
void vt_pictures_scroll(vt *t, int top, int bottom)
{
    const vt_pictures *p = t->pictures;
    for (int i = 0; i < p->placed_n; i++) {
        const vt_placement *each = &p->placed[i];
        const int row = vt_placement_row(t, each);
        if (each->how == VT_DIRECT && is_shown(t, each) && row >= top && row <= bottom) {
            vt_viewer_differs(t);
            return;
        }
    }
}

void vt_pictures_scrolled(vt *t, int top, int bottom, int n, int pushed)
{
    vt_pictures *p = t->pictures;
    int main_screen = t->s == &t->main;
    if (main_screen && pushed == n && bottom == t->rows - 1)
        return; /* lines keep their numbers, and tiles move with their cells */
    const int64_t base = main_screen ? vt_top(t) : 0;
    for (int i = p->placed_n - 1; i >= 0; i--) {
        vt_placement *each = &p->placed[i];
        if (!is_shown(t, each))
            continue;
        int64_t at = each->line + each->first - (base - pushed);
        if (at < 0)
            continue;
        if (at < top || at > bottom) {
            each->line += pushed;
            continue;
        }
        each->line += pushed - n;
        if (each->how != VT_DIRECT)
            continue;
        if (n != pushed && !clip(each, (int)(each->line - base), top, bottom))
            vt_placement_remove(t, i);
    }
    t->budget -= p->placed_n;
}

/* ED 2 takes kitty's placements off the screen; tiles went with their cells. */
void vt_pictures_erased(vt *t)
{
    vt_pictures *p = t->pictures;
    for (int i = p->placed_n - 1; i >= 0; i--) {
        const vt_placement *each = &p->placed[i];
        if (each->how != VT_DIRECT || !is_shown(t, each) || vt_placement_row(t, each) + each->last - each->first <= 0)
            continue;
        vt_viewer_differs(t);
        vt_placement_remove(t, i);
    }
    t->budget -= p->placed_n;
}

void vt_pictures_resized(vt *t, int64_t lines, int reflowed)
{
    vt_pictures *p = t->pictures;
    for (int i = p->placed_n - 1; i >= 0; i--) {
        vt_placement *each = &p->placed[i];
        if (each->alternate || each->how == VT_VIRTUAL)
            continue;
        if (each->how == VT_DIRECT)
            each->line += lines;
        else if (reflowed) /* its cells may be anywhere: it is kept until the screen itself has gone */
            each->line = vt_top(t) + t->rows;
    }
}

void vt_pictures_leave(vt *t)
{
    vt_pictures *p = t->pictures;
    for (int i = p->placed_n - 1; i >= 0; i--)
        if (p->placed[i].alternate)
            vt_placement_remove(t, i);
}

/* ---- the picture that comes in ---- */

void vt_incoming_stop(vt *t)
{
    if (!t->pictures)
        return;
    vt_incoming *in = &t->pictures->incoming;
    vt_buf_free(&in->data);
    memset(in, 0, sizeof *in);
}

void vt_incoming_begin(vt *t, int protocol, int goes_on)
{
    vt_pictures *p = vt_pictures_of(t);
    if (!p)
        return;
    vt_incoming *in = &p->incoming;
    if (!goes_on) {
        static const vt_picture_data head = {0};
        vt_incoming_stop(t);
        in->protocol = (uint8_t)protocol;
        in->lost = vt_put(&in->data, &head, HEAD) != 0;
    } else if (in->open && !in->lost) { /* CAN or another sequence broke the last string off */
        in->data.n = in->kept;
    }
    in->kept = in->data.n;
    in->open = 1;
    in->goes_on = (uint8_t)goes_on;
    in->was_bad = in->bad;
    in->digits = in->ended = 0;
    in->bits = 0;
}

/* Base64 in place of bytes, of either alphabet. Blanks between digits are allowed: programs break lines. */
static size_t decode(vt_incoming *in, const uint8_t *p, size_t n, uint8_t *to)
{
    uint8_t *begin = to;
    for (const uint8_t *end = p + n; p < end; p++) {
        int digit = *p == '-' ? 62 : *p == '_' ? 63 : base64_digit(*p);
        if (digit < 0 || in->ended) {
            if (*p == '=')
                in->ended = 1;
            else if (*p != ' ')
                in->bad = 1;
            continue;
        }
        in->bits = in->bits << 6 | (uint32_t)digit;
        if (in->digits++)
            *to++ = (uint8_t)(in->bits >> (6 - 2 * (in->digits - 1)));
        in->digits &= 3;
    }
    return (size_t)(to - begin);
}

void vt_incoming_bytes(vt *t, const uint8_t *p, size_t n, int base64)
{
    vt_incoming *in = &t->pictures->incoming;
    t->budget -= (int64_t)n;
    if (in->lost)
        return;
    if (in->data.n - HEAD + (base64 ? n / 4 * 3 : n) > VT_PICTURE_BYTES) {
        vt_buf_free(&in->data);
        in->lost = 1;
        return;
    }
    if (!base64) {
        in->lost = vt_put(&in->data, p, n) != 0;
        return;
    }
    uint8_t *to = vt_room(&in->data, n / 4 * 3 + 3);
    if (to)
        in->data.n += decode(in, p, n, to);
    else
        in->lost = 1;
}

void vt_incoming_end(vt *t)
{
    if (t->pictures)
        t->pictures->incoming.open = 0;
}

vt_picture_data *vt_incoming_take(vt *t)
{
    vt_incoming *in = &t->pictures->incoming;
    if (in->lost || in->bad || in->data.failed || in->data.n <= HEAD)
        return NULL;
    vt_picture_data *data = realloc(in->data.data, in->data.n);
    if (!data)
        return NULL;
    data->shared = 1;
    data->n = in->data.n - HEAD;
    in->data = (vt_buf){0};
    return data;
}
