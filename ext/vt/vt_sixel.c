/* Sixel (DEC STD 070, chapter 9): the size of a picture while its string comes in, and its pixels when a viewer asks.

   A sixel is a column of six pixels. Both readers go through the same steps, so that a size is never too small for the
   pixels drawn; the string is never kept in another form. */
#include "vt_pictures.h"

#include <string.h>

#define OVERDRAW 8 /* times that a picture may store each of its pixels; `!9999~$` would otherwise take minutes */

enum { BAND = 6 };

/* A number that has come to its end, or a command without one. */
static void measure_number(vt_sixel_size *s)
{
    if (s->state == '!')
        s->repeat = s->number ? s->number : 1;
    else if (s->state == '"' && s->given < 4)
        s->raster[s->given++] = s->number;
    s->number = 0;
}

static void measure_end(vt_sixel_size *s)
{
    measure_number(s);
    if (s->state == '"' && s->given == 4) {
        if (s->raster[2] > s->width)
            s->width = s->raster[2];
        if (s->raster[3] > s->height)
            s->height = s->raster[3];
    }
    s->state = 0;
}

void vt_sixel_measure(vt_sixel_size *s, const uint8_t *p, size_t n)
{
    for (const uint8_t *end = p + n; p < end; p++) {
        uint8_t c = *p;
        if (s->state) {
            if (c >= '0' && c <= '9') {
                s->number = s->number < 100000 ? s->number * 10 + c - '0' : s->number;
                continue;
            }
            if (c == ';') {
                measure_number(s);
                continue;
            }
            measure_end(s);
        }
        if (c >= '?' && c <= '~') {
            uint32_t to = s->x + (s->repeat ? s->repeat : 1), bits = c - '?';
            s->x = to < 2 * VT_PICTURE_SIDE ? to : 2 * VT_PICTURE_SIDE; /* more is refused in any case */
            s->repeat = 0;
            if (bits) {
                uint32_t down = s->y + 32 - (uint32_t)__builtin_clz(bits);
                if (s->x > s->width)
                    s->width = s->x;
                if (down > s->height)
                    s->height = down;
            }
        } else if (c == '$') {
            s->x = 0;
        } else if (c == '-') {
            s->x = 0;
            s->y = s->y < 2 * VT_PICTURE_SIDE ? s->y + BAND : s->y;
        } else if (c == '!' || c == '"' || c == '#') {
            s->state = c;
            s->given = 0;
        }
    }
}

/* ---- pixels ---- */

typedef struct {
    const uint8_t *p, *end;
    uint8_t *rgba;
    uint32_t width, height, x, y;
    int64_t work;              /* pixels that may still be stored */
    uint32_t colour;           /* 0xRRGGBB */
    uint32_t colours[VT_SIXEL_COLOURS];
} canvas;

static uint32_t hundredths(uint32_t n) { return (n > 100 ? 100 : n) * 255 / 100; }

static uint32_t percents(uint32_t r, uint32_t g, uint32_t b) { return hundredths(r) << 16 | hundredths(g) << 8 | hundredths(b); }

/* HLS as DEC has it: a hue of 0 is blue. All in degrees and percent; the result is 0xRRGGBB. */
static uint32_t hls(uint32_t hue, uint32_t light, uint32_t saturation)
{
    int l = light > 100 ? 100 : (int)light, s = saturation > 100 ? 100 : (int)saturation, h = (int)(hue + 240) % 360;
    int chroma = (100 - (2 * l > 100 ? 2 * l - 100 : 100 - 2 * l)) * s / 100; /* percent */
    int turn = h % 120 > 60 ? 120 - h % 120 : h % 120, second = chroma * turn / 60, low = l - chroma / 2;
    static const uint8_t order[6][3] = {{2, 1, 0}, {1, 2, 0}, {0, 2, 1}, {0, 1, 2}, {1, 0, 2}, {2, 0, 1}};
    int parts[3] = {low, low + second, low + chroma};
    const uint8_t *o = order[h / 60];
    for (int i = 0; i < 3; i++)
        parts[i] = parts[i] < 0 ? 0 : parts[i];
    return percents((uint32_t)parts[o[0]], (uint32_t)parts[o[1]], (uint32_t)parts[o[2]]);
}

/* The numbers after a command. Returns how many there are; at most `most` are stored. */
static int numbers(canvas *c, uint32_t *to, int most)
{
    int n = 0;
    for (int i = 0; i < most; i++)
        to[i] = 0;
    for (; c->p < c->end; c->p++) {
        if (*c->p == ';')
            n++;
        else if (*c->p < '0' || *c->p > '9')
            break;
        else if (n < most && to[n] < 100000)
            to[n] = to[n] * 10 + *c->p - '0';
    }
    return n + 1;
}

static void draw(canvas *c, uint32_t bits, uint32_t times)
{
    uint32_t to = c->x + times < c->width ? c->x + times : c->width;
    for (int i = 0; i < BAND && bits >> i; i++) {
        if (!(bits >> i & 1) || c->y + (uint32_t)i >= c->height)
            continue;
        c->work -= to - c->x;
        uint8_t *row = c->rgba + (size_t)(c->y + (uint32_t)i) * c->width * 4;
        for (uint32_t x = c->x; x < to; x++) {
            row[4 * x] = (uint8_t)(c->colour >> 16);
            row[4 * x + 1] = (uint8_t)(c->colour >> 8);
            row[4 * x + 2] = (uint8_t)c->colour;
            row[4 * x + 3] = 255;
        }
    }
    c->x = to;
}

void vt_sixel_draw(const uint8_t *p, size_t n, int transparent, uint8_t *rgba, uint32_t width, uint32_t height)
{
    /* The VT340's colours, as xterm begins with them. In percent. */
    static const uint8_t first[16][3] = {
        {0, 0, 0},    {20, 20, 80}, {80, 13, 13}, {20, 80, 20}, {80, 20, 80}, {20, 80, 80}, {80, 80, 20}, {53, 53, 53},
        {26, 26, 26}, {33, 33, 60}, {60, 26, 26}, {33, 60, 33}, {60, 33, 60}, {33, 60, 60}, {60, 60, 33}, {80, 80, 80},
    };
    canvas c = {.p = p, .end = p + n, .rgba = rgba, .width = width, .height = height};
    c.work = (int64_t)OVERDRAW * width * height;
    for (int i = 0; i < 16; i++)
        c.colours[i] = percents(first[i][0], first[i][1], first[i][2]);
    memset(rgba, 0, (size_t)width * height * 4);
    for (size_t i = 3; !transparent && i < (size_t)width * height * 4; i += 4)
        rgba[i] = 255;
    uint32_t args[5], repeat = 1;
    while (c.p < c.end && c.work > 0) {
        uint8_t command = *c.p++;
        if (command >= '?' && command <= '~') {
            draw(&c, command - (uint32_t)'?', repeat);
            repeat = 1;
        } else if (command == '$') {
            c.x = 0;
        } else if (command == '-') {
            c.x = 0;
            c.y += c.y < height ? BAND : 0;
        } else if (command == '!') {
            numbers(&c, args, 1);
            repeat = args[0] ? args[0] : 1;
        } else if (command == '"') {
            numbers(&c, args, 4);
        } else if (command == '#') {
            int given = numbers(&c, args, 5);
            uint32_t *colour = &c.colours[args[0] % VT_SIXEL_COLOURS];
            if (given >= 5 && args[1] == 1)
                *colour = hls(args[2] % 360, args[3], args[4]);
            else if (given >= 5 && args[1] == 2)
                *colour = percents(args[2], args[3], args[4]);
            c.colour = *colour;
        }
    }
}
