/* Pictures in what the engine gives: the list in a redraw, the bytes of one, tiles in text, JSON, the test oracle. */
#include "vt_pictures.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define PENDING_MAX 2048 /* bytes of a picture that is coming in, which a redraw carries */

static void put_format(vt_buf *out, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void put_format(vt_buf *out, const char *format, ...)
{
    char text[320];
    va_list values;
    va_start(values, format);
    int n = vsnprintf(text, sizeof text, format, values);
    va_end(values);
    if (n > 0 && n < (int)sizeof text)
        vt_put(out, text, (size_t)n);
}

static void put_base64(vt_buf *out, const uint8_t *p, size_t n)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint8_t *to = vt_room(out, (n + 2) / 3 * 4), *begin = to;
    if (!to)
        return;
    for (; n; p += n < 3 ? n : 3, n -= n < 3 ? n : 3) {
        uint32_t bits = (uint32_t)p[0] << 16 | (n > 1 ? (uint32_t)p[1] << 8 : 0) | (n > 2 ? p[2] : 0u);
        for (unsigned i = 0; i < 4; i++)
            *to++ = i > n ? '=' : (uint8_t)digits[bits >> (18 - 6 * i) & 63];
    }
    out->n += (size_t)(to - begin);
}

/* ---- redraw ---- */

/* Whether a placement is anchored to the screen, or to one of the `lines` above it. */
static int reaches(const vt *t, const vt_placement *p, int64_t lines)
{
    return p->how == VT_VIRTUAL || p->alternate || p->line + p->last > vt_top(t) - lines;
}

static int is_listed(const vt *t, const vt_picture *picture, int64_t lines)
{
    if (picture->id || picture->named)
        return 1;
    for (int i = 0; i < t->pictures->placed_n; i++)
        if (t->pictures->placed[i].picture == picture->number && reaches(t, &t->pictures->placed[i], lines))
            return 1;
    return 0;
}

static void put_picture(vt_buf *out, const vt_picture *p)
{
    put_format(out, "\033]7717;i;%u;%016llx;%u;%u;%u;%u;%u;%zu;%u;%u", p->number, (unsigned long long)p->key, p->kind,
               p->zlib, p->transparent, p->width, p->height, p->n, p->id, p->named);
}

static void put_placement(const vt *t, vt_buf *out, const vt_placement *p)
{
    put_format(out, "\033]7717;p;%u;%u;%u;%u;%u;%lld;%d;%d;%d;%d;%d;%u;%u;%u;%u;%u;%u;%u;%u;%d\033\\", p->number, p->picture,
               p->id, p->how, p->alternate, (long long)(p->line - (p->alternate ? 0 : vt_top(t))), p->col, p->rows, p->cols,
               p->first, p->last, p->x, p->y, p->width, p->height, p->left, p->top, p->wide, p->high, p->z);
}

static void put_extent(vt_buf *out, const char *name, vt_extent e)
{
    if (e.unit != 'a')
        put_format(out, "%s=%u%s;", name, e.n, e.unit == 'c' ? "" : e.unit == '%' ? "%" : "px");
}

/* The bytes of a picture that more strings will complete. Those of a long one are replaced by what is not base64. */
static void put_pending(vt_buf *out, const vt_incoming *in)
{
    const size_t n = (in->open ? in->kept : in->data.n) - sizeof(vt_picture_data);
    const int first = in->open && !in->goes_on;
    const vt_kitty *k = &in->kitty;
    if (first || !(in->protocol == VT_BY_KITTY || in->parts))
        return;
    if (in->parts) {
        vt_put_string(out, "\033]1337;MultipartFile=");
        put_extent(out, "width", in->file.width);
        put_extent(out, "height", in->file.height);
        put_format(out, "preserveAspectRatio=%d;doNotMoveCursor=%d;inline=%d\033\\\033]1337;FilePart=", !in->file.stretched,
                   in->file.still, in->file.shown);
    } else {
        put_format(out, "\033_Gt=%c,f=%u,s=%u,v=%u,i=%u,I=%u,p=%u,q=%u,x=%u,y=%u,w=%u,h=%u,X=%u,Y=%u,c=%u,r=%u,C=%u,U=%u,z=%d",
                   k->t, k->f, k->s, k->v, k->i, k->I, k->p, k->q, k->x, k->y, k->w, k->h, k->X, k->Y, k->c, k->r, k->C,
                   k->U, k->z);
        put_format(out, k->o ? ",a=%c,o=z,m=1;" : ",a=%c,m=1;", k->a);
    }
    if (in->lost || (in->open ? in->was_bad : in->bad) || n > PENDING_MAX)
        vt_put_string(out, "!");
    else
        put_base64(out, in->data.data + sizeof(vt_picture_data), n);
    vt_put_string(out, "\033\\");
}

/* All of them: a viewer asks for older lines later. */
void vt_put_pictures(const vt *t, vt_buf *out)
{
    const vt_pictures *p = t->pictures;
    vt_put_string(out, "\033]7717;b\033\\");
    for (int i = 0; p && i < p->n; i++)
        if (is_listed(t, &p->all[i], INT32_MAX)) {
            put_picture(out, &p->all[i]);
            vt_put_string(out, "\033\\");
        }
    for (int i = 0; p && i < p->placed_n; i++)
        put_placement(t, out, &p->placed[i]);
    put_format(out, "\033]7717;e;%u;%u\033\\", p ? p->last : 0, p ? p->last_placed : 0);
    if (p)
        put_pending(out, &p->incoming);
}

void vt_picture_data_of(const vt *t, vt_buf *out, size_t most)
{
    const size_t begin = out->n;
    for (int i = t->pictures ? t->pictures->n - 1 : -1; i >= 0; i--) {
        const vt_picture *each = &t->pictures->all[i];
        if (!each->data || out->n - begin + each->n / 3 * 4 + 256 > most)
            continue;
        put_picture(out, each);
        vt_put_string(out, ":");
        put_base64(out, each->data->bytes, each->data->n);
        vt_put_string(out, "\033\\");
    }
}

/* ---- one picture ---- */

int vt_picture_bytes(const vt *t, uint64_t key, vt_buf *out, uint32_t *width, uint32_t *height, int *zlib)
{
    const vt_picture *found = NULL;
    for (int i = 0; t->pictures && i < t->pictures->n; i++)
        if (t->pictures->all[i].key == key && t->pictures->all[i].data)
            found = &t->pictures->all[i];
    if (!found)
        return VT_PICTURE_NONE;
    *width = found->width;
    *height = found->height;
    *zlib = found->zlib;
    if (found->kind != VT_PICTURE_SIXEL) {
        vt_put(out, found->data->bytes, found->data->n);
        return found->kind;
    }
    size_t n = (size_t)found->width * found->height * 4;
    uint8_t *rgba = vt_room(out, n);
    if (!rgba)
        return VT_PICTURE_NONE;
    vt_sixel_draw(found->data->bytes, found->data->n, found->transparent, rgba, found->width, found->height);
    out->n += n;
    return VT_PICTURE_RGBA;
}

/* ---- tiles in text ---- */

uint32_t vt_tile_bytes(const uint8_t *p, const uint8_t *end)
{
    int width;
    if (end - p < 4 || memcmp(p, VT_TILE_BYTES, 3) || (p[3] != 0xAD && p[3] != 0xAE))
        return 0;
    return vt_character(p, end, &width);
}

/* The number that a mark stands for, or -1. */
static int mark_number(uint32_t code)
{
    int low = 0, high = VT_MARKS - 1;
    while (low <= high) {
        int middle = (low + high) / 2;
        if (vt_tile_marks[middle] == code)
            return middle;
        if (vt_tile_marks[middle] < code)
            low = middle + 1;
        else
            high = middle - 1;
    }
    return -1;
}

static const vt_placement *virtual_of(const vt *t, uint32_t id)
{
    const vt_picture *picture = id ? vt_picture_by_id(t, id, 0) : NULL;
    for (int i = 0; picture && i < t->pictures->placed_n; i++)
        if (t->pictures->placed[i].picture == picture->number && t->pictures->placed[i].how == VT_VIRTUAL)
            return &t->pictures->placed[i];
    return NULL;
}

/* As in kitty, a row or column that a tile does not say is that of the tile before it, one to the right. */
uint32_t vt_tile_at(const vt *t, const vt_run *run, const uint8_t *text, const uint8_t *end, const vt_tile *before,
                    vt_tile *tile)
{
    int marks[3] = {-1, -1, -1}, n = 0;
    const uint32_t size = vt_tile_size(text, end);
    if (!size)
        return 0;
    const int ours = text[3] == 0xAD;
    for (const uint8_t *p = text + 4, *stop = text + size; p < stop && n < 3;) {
        uint32_t code;
        p += vt_utf8_next(p, stop, &code);
        if ((marks[n] = mark_number(code)) < 0)
            break;
        n++;
    }
    *tile = (vt_tile){.number = run->style.fg & 0xFFFFFF, .row = marks[0], .col = marks[1]};
    if (marks[2] > 0 && marks[2] < 256)
        tile->number |= (uint32_t)marks[2] << 24;
    const int continues = before && before->placement && before->number == tile->number;
    if (tile->row < 0)
        tile->row = continues ? before->row : 0;
    if (tile->col < 0)
        tile->col = continues && before->row == tile->row ? before->col + 1 : 0;
    tile->placement = ours ? vt_placement_find(t, tile->number) : virtual_of(t, tile->number);
    return size;
}

/* ---- JSON and the oracle ---- */

static void put_json(const vt *t, vt_buf *out, const vt_placement *p, int row, int col, int *any)
{
    static const char *const kinds[] = {"none", "sixel", "rgb", "rgba", "png", "jpeg", "gif", "webp"};
    const vt_picture *picture = vt_picture_find(t, p->picture);
    if (!picture)
        return;
    put_format(out,
               "%s{\"key\":\"%016llx\",\"kind\":\"%s\",\"row\":%d,\"col\":%d,\"rows\":%d,\"cols\":%d,\"width\":%u,\"height\":%u,"
               "\"z\":%d,\"kept\":%s}",
               *any ? "," : "", (unsigned long long)picture->key, kinds[picture->kind % VT_PICTURE_KINDS], row, col,
               p->last - p->first, p->cols, picture->width, picture->height, p->z, picture->data ? "true" : "false");
    *any = 1;
}

/* The pictures on the screen: of tiles, where their first one would be. */
void vt_pictures_json(const vt *t, vt_buf *out)
{
    const vt_pictures *p = t->pictures;
    uint8_t seen[VT_PLACEMENTS] = {0};
    int any = 0;
    vt_range at;
    if (!p || vt_range_init(&at, t, out, vt_top(t), vt_top(t) + t->rows))
        return;
    for (int64_t i = at.first; i < at.last && vt_line_at(t, &at.line, &at.reader, i); i++) {
        vt_tile tile = {0};
        int col = 0;
        for (int k = 0; k < at.line.n; k++) {
            const vt_run *run = &at.line.runs[k];
            for (const uint8_t *text = run->text, *end = text + run->n; text < end;) {
                vt_tile before = tile;
                int width = 1;
                uint32_t n = vt_tile_at(t, run, text, end, &before, &tile);
                if (!n) {
                    tile = (vt_tile){0};
                    n = vt_character(text, end, &width);
                } else if (tile.placement && !seen[tile.placement - p->placed]) {
                    seen[tile.placement - p->placed] = 1;
                    put_json(t, out, tile.placement, (int)(i - vt_top(t)) - tile.row, col - tile.col, &any);
                }
                text += n ? n : 1;
                col += width;
            }
        }
    }
    for (int i = 0; i < p->placed_n; i++) {
        const vt_placement *each = &p->placed[i];
        int row = vt_placement_row(t, each);
        if (each->how == VT_DIRECT && each->alternate == (t->s == &t->alt) && row < t->rows && row + each->last > each->first)
            put_json(t, out, each, row, each->col, &any);
    }
    vt_line_free(&at.line);
}

void vt_pictures_dump(const vt *t, vt_buf *out, int in_scrollback)
{
    const vt_pictures *p = t->pictures;
    for (int i = 0; p && i < p->n; i++)
        if (is_listed(t, &p->all[i], 0) != in_scrollback) {
            put_picture(out, &p->all[i]);
            vt_put_string(out, "\n");
        }
    for (int i = 0; p && i < p->placed_n; i++)
        if (reaches(t, &p->placed[i], 0) != in_scrollback) {
            put_placement(t, out, &p->placed[i]);
            vt_put_string(out, "\n");
        }
    if (in_scrollback || !p)
        return;
    put_pending(out, &p->incoming);
}
