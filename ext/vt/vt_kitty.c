/* Kitty's graphics protocol (sw.kovidgoyal.net/kitty/graphics-protocol): the commands of an APC that begins with G.

   Direct data only: a program of this terminal may be on another machine, so files and shared memory are refused, as
   are the frames of animations. Answers have numbers and our own words in them, and nothing else that a program sent. */
#include "vt_pictures.h"

#include <string.h>

#define SEARCH_COST 2 /* cells' worth of a placement that is looked at */

/* ---- keys ---- */

static uint32_t *number_of(vt_kitty *k, uint8_t key)
{
    switch (key) {
    case 'f': return &k->f;
    case 's': return &k->s;
    case 'v': return &k->v;
    case 'S': return &k->S;
    case 'O': return &k->O;
    case 'i': return &k->i;
    case 'I': return &k->I;
    case 'p': return &k->p;
    case 'q': return &k->q;
    case 'm': return &k->m;
    case 'x': return &k->x;
    case 'y': return &k->y;
    case 'w': return &k->w;
    case 'h': return &k->h;
    case 'X': return &k->X;
    case 'Y': return &k->Y;
    case 'c': return &k->c;
    case 'r': return &k->r;
    case 'C': return &k->C;
    case 'U': return &k->U;
    default: return NULL;
    }
}

static char *letter_of(vt_kitty *k, uint8_t key)
{
    return key == 'a' ? &k->a : key == 't' ? &k->t : key == 'd' ? &k->d : key == 'o' ? &k->o : NULL;
}

/* Keys that are not known are ignored: newer programs send them. */
void vt_kitty_read(vt_kitty *k, const uint8_t *p, size_t n)
{
    *k = (vt_kitty){.a = 't', .t = 'd', .d = 'a', .f = 32};
    for (const uint8_t *end = p + n; p < end && *p != ';';) {
        uint8_t key = *p++;
        if (p == end || *p++ != '=') {
            k->bad = 1;
            return;
        }
        char *letter = letter_of(k, key);
        uint32_t *number = number_of(k, key);
        uint64_t value = 0;
        int negative = p < end && *p == '-' && key == 'z';
        for (p += negative; p < end && *p != ',' && *p != ';'; p++) {
            if (letter)
                *letter = (char)*p;
            else if (*p >= '0' && *p <= '9' && value <= UINT32_MAX)
                value = value * 10 + *p - '0';
            else if (number || key == 'z')
                k->bad = 1;
        }
        if (value > (key == 'z' ? (uint64_t)INT32_MAX : UINT32_MAX))
            k->bad = 1;
        else if (key == 'z')
            k->z = negative ? -(int32_t)value : (int32_t)value;
        else if (number)
            *number = (uint32_t)value;
        p += p < end && *p == ',';
    }
}

/* ---- answers ---- */

static void answer(vt *t, const vt_kitty *k, const char *text)
{
    int ok = !strcmp(text, "OK");
    if ((!k->i && !k->I) || k->q >= 2 || (ok && k->q))
        return;
    if (k->I && k->p)
        vt_answer(t, "\033_Gi=%u,I=%u,p=%u;%s\033\\", k->i, k->I, k->p, text);
    else if (k->I)
        vt_answer(t, "\033_Gi=%u,I=%u;%s\033\\", k->i, k->I, text);
    else if (k->p)
        vt_answer(t, "\033_Gi=%u,p=%u;%s\033\\", k->i, k->p, text);
    else
        vt_answer(t, "\033_Gi=%u;%s\033\\", k->i, text);
}

/* ---- pictures ---- */

/* What has come in, as a picture. Returns NULL, or the reason if no picture can be made of it. The data, if there is
   any, is the caller's in both cases. */
static const char *received(vt *t, const vt_kitty *k, vt_picture *picture)
{
    *picture = (vt_picture){.id = k->i, .named = k->I, .width = k->s, .height = k->v, .zlib = k->o == 'z'};
    if (k->t != 'd')
        return "EINVAL:only direct data is supported: t=d";
    if (k->f != 24 && k->f != 32 && k->f != 100)
        return "EINVAL:unknown format: f is 24, 32 or 100";
    if (k->o && (k->o != 'z' || k->f == 100))
        return "EINVAL:unknown compression: o=z is for f=24 and f=32";
    if (k->f != 100 && !vt_picture_fits(k->s, k->v))
        return "EINVAL:s and v are out of range";
    if (t->pictures->incoming.lost)
        return "EFBIG:too much data";
    picture->data = vt_incoming_take(t);
    if (!picture->data)
        return "ENODATA:no data, or it is not base64";
    picture->n = picture->data->n;
    picture->kind = k->f == 100 ? VT_PICTURE_NONE : k->f == 24 ? VT_PICTURE_RGB : VT_PICTURE_RGBA;
    if (k->f == 100)
        picture->kind = (uint8_t)vt_image_size(picture->data->bytes, picture->n, &picture->width, &picture->height);
    else if (!picture->zlib && picture->n < (size_t)k->s * k->v * (k->f / 8))
        return "ENODATA:insufficient image data";
    if (!picture->kind)
        return "EBADPNG:not a picture, or too large";
    t->budget -= (int64_t)(picture->n / 4);
    picture->key = vt_picture_digest(picture);
    return NULL;
}

/* An id for a picture that has only a number (I=): one that no other has. */
static uint32_t free_id(const vt *t)
{
    uint32_t id = 0x40000000u + (t->pictures ? t->pictures->last : 0);
    while (vt_picture_by_id(t, id, 0))
        id++;
    return id;
}

/* ---- placements ---- */

/* Cells that `pixels` take, after `before` pixels. */
static int cells(uint64_t pixels, uint32_t before, int cell, int most)
{
    uint64_t n = (pixels + before + (uint64_t)cell - 1) / (uint64_t)cell;
    return n < 1 ? 1 : n > (uint64_t)most ? most : (int)n;
}

/* Of c= and r= what is not given follows from the part's own size, or from its shape if the other is given. */
static void lay_out_cells(const vt *t, vt_placement *p, const vt_kitty *k)
{
    const uint32_t X = k->X < t->cell_width ? k->X : t->cell_width - 1u;
    const uint32_t Y = k->Y < t->cell_height ? k->Y : t->cell_height - 1u;
    const uint64_t widest = (uint64_t)VT_MAX_COLS * t->cell_width, highest = (uint64_t)VT_MAX_ROWS * t->cell_height;
    uint64_t wide = p->width, high = p->height; /* pixels */
    const uint32_t c = k->c < VT_MAX_COLS ? k->c : VT_MAX_COLS, r = k->r < VT_MAX_ROWS ? k->r : VT_MAX_ROWS;
    if (c)
        wide = (uint64_t)c * t->cell_width;
    if (r)
        high = (uint64_t)r * t->cell_height;
    if (c && !r)
        high = wide * p->height / p->width;
    else if (r && !c)
        wide = high * p->width / p->height;
    wide = wide < widest ? wide : widest;
    high = high < highest ? high : highest;
    p->cols = c ? (int)c : cells(wide, X, t->cell_width, VT_MAX_COLS);
    p->rows = r ? (int)r : cells(high, Y, t->cell_height, VT_MAX_ROWS);
    p->left = X * VT_CELL / t->cell_width;
    p->top = Y * VT_CELL / t->cell_height;
    p->wide = c ? c * VT_CELL : (uint32_t)(wide * VT_CELL / t->cell_width);
    p->high = r ? r * VT_CELL : (uint32_t)(high * VT_CELL / t->cell_height);
    p->last = p->rows;
}

/* The part of the picture that x, y, w, h say. 0: it is empty. */
static int take_part(vt_placement *p, const vt_kitty *k, const vt_picture *picture)
{
    if (k->x >= picture->width || k->y >= picture->height)
        return 0;
    p->x = k->x;
    p->y = k->y;
    p->width = k->w && k->w < picture->width - k->x ? k->w : picture->width - k->x;
    p->height = k->h && k->h < picture->height - k->y ? k->h : picture->height - k->y;
    return 1;
}

static const char *put(vt *t, const vt_kitty *k, const vt_picture *picture)
{
    vt_placement placement = {.picture = picture->number, .id = k->p, .how = VT_DIRECT, .z = k->z,
                              .alternate = t->s == &t->alt, .col = t->col};
    if (!take_part(&placement, k, picture))
        return "EINVAL:the part is outside of the picture";
    vt_viewer_differs(t);
    for (int i = t->pictures->placed_n - 1; k->p && picture->id && i >= 0; i--)
        if (t->pictures->placed[i].picture == picture->number && t->pictures->placed[i].id == k->p)
            vt_placement_remove(t, i); /* it moves */
    lay_out_cells(t, &placement, k);
    placement.line = (placement.alternate ? 0 : vt_top(t)) + t->row;
    if (k->U)
        placement.how = VT_VIRTUAL;
    vt_placement *added = vt_placement_add(t, &placement);
    if (added && !k->U) {
        placement = *added; /* scrolling may drop it */
        vt_place_direct(t, &placement, k->C == 1);
    }
    return NULL;
}

/* ---- deletion ---- */

static int covers(const vt *t, const vt_placement *p, int row, int col)
{
    int first = vt_placement_row(t, p), last = first + p->last - p->first;
    return (row < 0 || (row >= first && row < last)) && (col < 0 || (col >= p->col && col < p->col + p->cols));
}

/* Whether `d` names a placement. Rows and columns that a program names count from 1. */
static int is_named(const vt *t, const vt_kitty *k, char d, const vt_placement *p, const vt_picture *picture)
{
    const int on_screen = p->how == VT_DIRECT && p->alternate == (t->s == &t->alt)
                          && vt_placement_row(t, p) + p->last - p->first > 0 && vt_placement_row(t, p) < t->rows;
    const int x = k->x - 1 < VT_MAX_COLS ? (int)k->x - 1 : VT_MAX_COLS;
    const int y = k->y - 1 < VT_MAX_ROWS ? (int)k->y - 1 : VT_MAX_ROWS;
    switch (d) {
    case 'a': return on_screen;
    case 'i': return picture->id == k->i && k->i && (!k->p || p->id == k->p);
    case 'n': return picture->named == k->I && k->I && (!k->p || p->id == k->p)
                     && vt_picture_by_id(t, 0, k->I) == picture;
    case 'c': return on_screen && covers(t, p, t->row, t->col);
    case 'p': return on_screen && covers(t, p, y, x);
    case 'q': return on_screen && covers(t, p, y, x) && p->z == k->z;
    case 'r': return picture->id >= k->x && picture->id <= k->y && picture->id;
    case 'x': return on_screen && covers(t, p, -1, x);
    case 'y': return on_screen && covers(t, p, y, -1);
    case 'z': return on_screen && p->z == k->z;
    default: return 0;
    }
}

static int is_placed(const vt *t, uint32_t number)
{
    for (int i = 0; i < t->pictures->placed_n; i++)
        if (t->pictures->placed[i].picture == number)
            return 1;
    return 0;
}

/* A capital letter also forgets pictures that are placed nowhere else. Pictures of sixel and iTerm2 are text. */
static void delete(vt *t, const vt_kitty *k)
{
    const char d = (char)(k->d | 0x20);
    const int forget = k->d != d;
    vt_pictures *p = t->pictures;
    t->budget -= SEARCH_COST * (p->n + p->placed_n);
    vt_viewer_differs(t);
    for (int i = p->placed_n - 1; i >= 0; i--) {
        uint32_t number = p->placed[i].picture;
        const vt_picture *picture = vt_picture_find(t, number);
        if (!picture || p->placed[i].how == VT_IN_TILES || !is_named(t, k, d, &p->placed[i], picture))
            continue;
        vt_placement_remove(t, i);
        if (forget && !is_placed(t, number))
            vt_picture_forget(t, number, 0);
    }
    for (int i = p->n - 1; forget && !k->p && i >= 0; i--) {
        const vt_picture *each = &p->all[i];
        int named = d == 'i' ? each->id == k->i && k->i : d == 'n' ? each->named == k->I && k->I
                    : d == 'r' && each->id >= k->x && each->id <= k->y && each->id;
        if (named && !is_placed(t, each->number))
            vt_picture_forget(t, each->number, 0);
    }
}

/* ---- commands ---- */

static void transmit(vt *t, vt_kitty *k)
{
    vt_picture picture = {0};
    const char *wrong = k->i && k->I ? "EINVAL:i and I exclude each other" : received(t, k, &picture);
    if (wrong || k->a == 'q') {
        vt_picture_release(picture.data);
        answer(t, k, wrong ? wrong : "OK");
        return;
    }
    if (k->I)
        k->i = picture.id = free_id(t);
    vt_picture *old = k->i ? vt_picture_by_id(t, k->i, 0) : NULL;
    if (old) {
        vt_viewer_differs(t);
        vt_picture_forget(t, old->number, 1);
    }
    vt_pictures_purge(t);
    const vt_picture *added = vt_picture_add(t, &picture);
    if (!added)
        wrong = "ENOMEM:no memory";
    else if (k->a == 'T')
        wrong = put(t, k, added);
    answer(t, k, wrong ? wrong : "OK");
}

void vt_kitty_run(vt *t, const vt_kitty *command)
{
    vt_kitty k = *command;
    t->budget -= VT_STEP_COST;
    if (k.bad || !vt_pictures_of(t)) {
        answer(t, &k, "EINVAL:malformed command");
        return;
    }
    switch (k.a) {
    case 't':
    case 'T':
    case 'q':
        transmit(t, &k);
        break;
    case 'p': {
        const vt_picture *picture = vt_picture_by_id(t, k.i, k.I);
        if (picture && !k.i)
            k.i = picture->id;
        const char *wrong = picture ? put(t, &k, picture) : "ENOENT:there is no such picture";
        answer(t, &k, wrong ? wrong : "OK");
        break;
    }
    case 'd':
        delete(t, &k);
        break;
    default:
        answer(t, &k, "EINVAL:unknown action: a is t, T, p, d or q");
    }
}
