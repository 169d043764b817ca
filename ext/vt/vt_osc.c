/* The meaning of OSC and DCS strings: titles, colours, links, the clipboard, status requests; a shell's are vt_shell.c's.

   A string is here only if it is complete (parser.string). It is data of the program: stripped of control characters,
   bounded, stored or reported, and never acted on. */
#include "vt_string.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- titles ---- */

static void set_title(vt *t, text title)
{
    t->title_n = (uint16_t)clean(t->title, sizeof t->title, title);
    t->events |= VT_TITLE;
}

static size_t pushed_size(const uint8_t *p) { return 2 + (size_t)(p[0] | p[1] << 8); }

void vt_push_title(vt *t)
{
    if (t->titles_n == VT_TITLES) {
        size_t n = pushed_size(t->titles.data);
        memmove(t->titles.data, t->titles.data + n, t->titles.n - n);
        t->titles.n -= n;
        t->titles_n--;
    }
    const uint8_t head[2] = {(uint8_t)t->title_n, (uint8_t)(t->title_n >> 8)};
    size_t before = t->titles.n;
    if (vt_put(&t->titles, head, 2) || vt_put(&t->titles, t->title, t->title_n)) {
        t->titles.n = before;
        t->titles.failed = 0;
        return;
    }
    t->titles_n++;
}

void vt_pop_title(vt *t)
{
    if (!t->titles_n)
        return;
    size_t at = 0;
    for (int i = 0; i < t->titles_n - 1; i++)
        at += pushed_size(t->titles.data + at);
    const uint8_t *last = t->titles.data + at;
    set_title(t, (text){(const char *)last + 2, pushed_size(last) - 2});
    t->titles.n = at;
    t->titles_n--;
}

/* ---- colours ---- */

enum { FOREGROUND = 256, BACKGROUND, CURSOR };

/* The dark theme of web/src/palette.ts, which most viewers show. */
static const uint32_t THEME[16] = {0x2A2D33, 0xF4736E, 0x5FC98A, 0xE3B85C, 0x6BA5F7, 0xC792EA, 0x5CC8D7, 0xC9CCD1,
                                   0x7D838D, 0xFF9792, 0x8BE0AC, 0xF3D287, 0x95C0FF, 0xDCB3F7, 0x8BE0EA, 0xFFFFFF};
#define THEME_FOREGROUND 0xE3E5E8
#define THEME_BACKGROUND 0x0E0F11

static uint32_t default_colour(int index)
{
    if (index < 16)
        return THEME[index];
    if (index < 256)
        return vt_fixed_colour((unsigned)index);
    return index == BACKGROUND ? THEME_BACKGROUND : THEME_FOREGROUND;
}

static uint32_t colour_in_force(const vt *t, int index)
{
    return t->palette && t->palette[index] ? t->palette[index] : VT_RGB | default_colour(index);
}

static void set_colour(vt *t, int index, uint32_t colour)
{
    if (!t->palette && !(t->palette = calloc(VT_COLOURS, sizeof *t->palette)))
        return;
    t->palette[index] = colour;
}

/* A channel of 1 to 4 hexadecimal digits, as 8 bits: scaled, or after "#" its high bits. -1: it is not a channel. */
static int channel(text digits, int scaled)
{
    if (!digits.n || digits.n > 4)
        return -1;
    int value = 0;
    for (size_t i = 0; i < digits.n; i++) {
        int digit = hex_digit(digits.p[i]);
        if (digit < 0)
            return -1;
        value = 16 * value + digit;
    }
    int most = (1 << 4 * digits.n) - 1;
    if (scaled)
        return (value * 255 + most / 2) / most;
    return digits.n == 1 ? value << 4 : value >> (4 * digits.n - 8);
}

/* rgb:r/g/b and #rgb with 1 to 4 digits each, as XParseColor reads them. 0: it is neither. */
static uint32_t parse_colour(text spec)
{
    int rgb[3];
    if (starts(spec, "#") && (spec.n - 1) % 3 == 0) {
        size_t n = (spec.n - 1) / 3;
        for (int i = 0; i < 3; i++)
            rgb[i] = channel((text){spec.p + 1 + (size_t)i * n, n}, 0);
    } else if (starts(spec, "rgb:") || starts(spec, "RGB:")) {
        split(&spec, ':');
        for (int i = 0; i < 3; i++)
            rgb[i] = channel(split(&spec, '/'), 1);
        if (spec.n)
            return 0;
    } else {
        return 0;
    }
    if (rgb[0] < 0 || rgb[1] < 0 || rgb[2] < 0)
        return 0;
    return VT_RGB | (uint32_t)rgb[0] << 16 | (uint32_t)rgb[1] << 8 | (uint32_t)rgb[2];
}

static void set_or_answer(vt *t, int index, text spec, int bel)
{
    if (is(spec, "?")) {
        unsigned rgb = colour_in_force(t, index) & 0xFFFFFF, r = rgb >> 16, g = rgb >> 8 & 255, b = rgb & 255;
        char name[16];
        if (index < FOREGROUND)
            snprintf(name, sizeof name, "4;%d", index);
        else
            snprintf(name, sizeof name, "%d", index - FOREGROUND + 10);
        vt_answer(t, "\033]%s;rgb:%02x%02x/%02x%02x/%02x%02x%s", name, r, r, g, g, b, b, bel ? "\a" : "\033\\");
        return;
    }
    uint32_t colour = parse_colour(spec);
    if (colour)
        set_colour(t, index, colour);
}

static void set_palette(vt *t, text rest, int bel)
{
    while (rest.n) {
        int index = decimal(split(&rest, ';'));
        text spec = split(&rest, ';');
        if (index >= 0 && index < 256)
            set_or_answer(t, index, spec, bel);
    }
}

/* OSC 10: foreground; background and cursor may follow in the same string. OSC 11 and 12 begin with these. */
static void set_special(vt *t, int index, text rest, int bel)
{
    for (; index <= CURSOR; index++) {
        set_or_answer(t, index, split(&rest, ';'), bel);
        if (!rest.n)
            break;
    }
}

static void reset_palette(vt *t, text rest)
{
    if (!t->palette)
        return;
    if (!rest.n)
        memset(t->palette, 0, 256 * sizeof *t->palette);
    while (rest.n) {
        int index = decimal(split(&rest, ';'));
        if (index >= 0 && index < 256)
            t->palette[index] = 0;
    }
}

/* ---- links ---- */

static void set_pen_link(vt *t, text rest)
{
    if (!memchr(rest.p, ';', rest.n))
        return;
    text options = split(&rest, ';'), id = {"", 0};
    while (options.n) {
        text option = split(&options, ':');
        if (starts(option, "id="))
            id = (text){option.p + 3, option.n - 3};
    }
    uint8_t uri[4096];
    size_t n = rest.n <= sizeof uri ? clean(uri, sizeof uri, rest) : 0;
    uint8_t name[256];
    size_t name_n = id.n <= sizeof name ? clean(name, sizeof name, id) : 0;
    t->pen.link = n ? vt_link_id(t, (const char *)name, name_n, (const char *)uri, n) : 0;
    t->pen_dirty = 1;
}

/* ---- the clipboard ---- */

/* OSC 52. A request to read the clipboard gets no answer: a program that prints may not read the user's clipboard. */
static void clipboard(vt *t, text rest, uint64_t end)
{
    if (!memchr(rest.p, ';', rest.n))
        return;
    text selection = split(&rest, ';');
    if (is(rest, "?"))
        return;
    uint8_t *data = t->parser.string.data + (rest.p - (const char *)t->parser.string.data);
    long n = decode_base64(data, rest.n);
    uint8_t letter = selection.n ? (uint8_t)selection.p[0] : 0;
    if (n >= 0)
        vt_record_put(t, 'c', letter < 0x80 ? letter : 0, end, data, (size_t)n);
}

/* ---- dispatch ---- */

void vt_osc(vt *t, uint64_t end, int bel)
{
    text rest = {t->parser.string.n ? (const char *)t->parser.string.data : "", t->parser.string.n};
    int kind = decimal(split(&rest, ';'));
    char *own = rest.n ? (char *)t->parser.string.data + (rest.p - (const char *)t->parser.string.data) : ""; /* to decode in */
    t->budget -= 16 + (int64_t)t->parser.string.n / 4;
    switch (kind) {
    case 0:
    case 2:
        set_title(t, rest);
        break;
    case 4:
        set_palette(t, rest, bel);
        break;
    case 7:
        vt_shell_folder(t, rest.p, rest.n);
        break;
    case 8:
        set_pen_link(t, rest);
        break;
    case 9:
        vt_notice_plain(t, rest.p, rest.n, end);
        break;
    case 10:
    case 11:
    case 12:
        set_special(t, FOREGROUND + kind - 10, rest, bel);
        break;
    case 22:
        vt_pointer_shape(t, rest.p, rest.n, bel);
        break;
    case 52:
        clipboard(t, rest, end);
        break;
    case 99:
        vt_notice_kitty(t, own, rest.n, end, bel);
        break;
    case 104:
        reset_palette(t, rest);
        break;
    case 110:
    case 111:
    case 112:
        if (t->palette)
            set_colour(t, FOREGROUND + kind - 110, 0);
        break;
    case 133:
        vt_shell_mark(t, rest.p, rest.n, end);
        break;
    case 633:
        vt_shell_vscode(t, rest.p, rest.n, end);
        break;
    case 777:
        vt_notice_urxvt(t, rest.p, rest.n, end);
        break;
    case 1337:
        vt_shell_iterm(t, own, rest.n, end);
        break;
    }
}

/* DECRQSS: the current value of a setting. */
static void request_status(vt *t, text what)
{
    if (is(what, "m"))
        vt_answer_style(t);
    else if (is(what, "r"))
        vt_answer(t, "\033P1$r%d;%dr\033\\", t->top + 1, t->bottom + 1);
    else if (is(what, "s"))
        vt_answer(t, "\033P1$r%d;%ds\033\\", t->left + 1, t->right + 1);
    else if (is(what, " q"))
        vt_answer(t, "\033P1$r%d q\033\\", t->shape);
    else if (is(what, "\"q"))
        vt_answer(t, "\033P1$r%d\"q\033\\", t->protect);
    else if (is(what, "\"p"))
        vt_answer(t, "\033P1$r61;1\"p\033\\");
    else
        vt_answer(t, "\033P0$r\033\\");
}

/* XTGETTCAP: the few capabilities whose value is the same everywhere; names are hexadecimal. */
static void request_capability(vt *t, text names)
{
    do {
        text name = split(&names, ';');
        if (is(name, "436F") || is(name, "436f") || is(name, "636F6C6F7273") || is(name, "636f6c6f7273"))
            vt_answer(t, "\033P1+r%s=323536\033\\", name.n == 4 ? "436f" : "636f6c6f7273"); /* Co, colors: 256 */
        else if (is(name, "544E") || is(name, "544e") || is(name, "6E616D65") || is(name, "6e616d65"))
            vt_answer(t, "\033P1+r%s=787465726d2d323536636f6c6f72\033\\", name.p[0] == '5' ? "544e" : "6e616d65");
        else if (is(name, "524742"))
            vt_answer(t, "\033P1+r524742=38\033\\"); /* RGB: 8 */
        else
            vt_answer(t, "\033P0+r\033\\");
    } while (names.n);
}

void vt_dcs(vt *t)
{
    text data = {t->parser.string.n ? (const char *)t->parser.string.data : "", t->parser.string.n};
    t->budget -= 16 + (int64_t)t->parser.string.n / 4;
    if (t->parser.prefix || t->parser.intermediates_n != 1 || t->parser.final != 'q')
        return;
    if (t->parser.intermediates[0] == '$')
        request_status(t, data);
    else if (t->parser.intermediates[0] == '+')
        request_capability(t, data);
}
