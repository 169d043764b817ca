/* The meaning of OSC and DCS strings: titles, colours, links, the clipboard, status requests; a shell's are vt_shell.c's.

   A string is here only if it is complete (parser.string). It is data of the program: stripped of control characters,
   bounded, stored or reported, and never acted on. */
#include "vt_pictures.h"
#include "vt_string.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- colours ---- */

static uint32_t colour_in_force(const vt *t, int index)
{
    return t->palette && t->palette[index] ? t->palette[index] : VT_RGB | vt_theme_colour(t, index);
}

static void set_colour(vt *t, int index, uint32_t colour)
{
    if (!t->palette && !(t->palette = calloc(VT_COLOURS, sizeof *t->palette)))
        return;
    t->palette[index] = colour;
}

static void set_or_answer(vt *t, int index, text spec, int bel)
{
    if (is(spec, "?")) {
        unsigned rgb = colour_in_force(t, index) & 0xFFFFFF, r = rgb >> 16, g = rgb >> 8 & 255, b = rgb & 255;
        char name[16];
        if (index < VT_DYNAMIC)
            snprintf(name, sizeof name, "4;%d", index);
        else
            snprintf(name, sizeof name, "%d", index - VT_DYNAMIC + 10);
        vt_answer(t, "\033]%s;rgb:%02x%02x/%02x%02x/%02x%02x%s", name, r, r, g, g, b, b, bel ? "\a" : "\033\\");
        return;
    }
    uint32_t colour = vt_parse_colour(spec.p, spec.n);
    if (!colour)
        return;
    if (!starts(spec, "#") && !starts(spec, "rgb:"))
        vt_viewer_differs(t); /* xterm.js knows no names and no other colour spaces */
    set_colour(t, index, colour);
}

/* The colours that xterm can show bold, underlined, blinking, inverse and italic text in. They are kept and reported,
   and not used: xterm does not use them either unless its user says so. `base`: 0 in OSC 5, 256 in OSC 4. */
static void set_or_answer_attribute(vt *t, int n, int base, text spec, int bel)
{
    if (is(spec, "?")) {
        unsigned rgb = (t->attribute_colours[n] ? t->attribute_colours[n] : colour_in_force(t, VT_DYNAMIC)) & 0xFFFFFF;
        unsigned r = rgb >> 16, g = rgb >> 8 & 255, b = rgb & 255;
        vt_answer(t, "\033]%d;%d;rgb:%02x%02x/%02x%02x/%02x%02x%s", base ? 4 : 5, base + n, r, r, g, g, b, b,
                  bel ? "\a" : "\033\\");
        return;
    }
    uint32_t colour = vt_parse_colour(spec.p, spec.n);
    if (colour)
        t->attribute_colours[n] = colour;
}

/* OSC 4, and OSC 5 with `base` 256. */
static void set_palette(vt *t, text rest, int base, int bel)
{
    while (rest.n) {
        int index = decimal(split(&rest, ';'));
        text spec = split(&rest, ';');
        if (index < 0)
            continue;
        if (base + index < 256)
            set_or_answer(t, index, spec, bel);
        else if (base + index < 256 + VT_ATTRIBUTE_COLOURS)
            set_or_answer_attribute(t, base + index - 256, 256 - base, spec, bel);
    }
}

/* OSC 10 to 19: dynamic colours, from foreground to highlighted text. Those after the first may follow in the string. */
static void set_special(vt *t, int index, text rest, int bel)
{
    for (; index < VT_COLOURS; index++) {
        set_or_answer(t, index, split(&rest, ';'), bel);
        if (!rest.n)
            break;
    }
}

/* OSC 104, and OSC 105 with `base` 256. */
static void reset_palette(vt *t, text rest, int base)
{
    if (!rest.n && base)
        memset(t->attribute_colours, 0, sizeof t->attribute_colours);
    else if (!rest.n && t->palette)
        memset(t->palette, 0, 256 * sizeof *t->palette);
    while (rest.n) {
        int index = decimal(split(&rest, ';'));
        if (index < 0)
            continue;
        if (base + index < 256 && t->palette)
            t->palette[index] = 0;
        else if (base + index >= 256 && base + index < 256 + VT_ATTRIBUTE_COLOURS)
            t->attribute_colours[base + index - 256] = 0;
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
    case 1:
    case 2:
        vt_set_title(t, kind == 0 ? VT_WINDOW_TITLE | VT_ICON_TITLE : kind == 1 ? VT_ICON_TITLE : VT_WINDOW_TITLE,
                     (const uint8_t *)rest.p, rest.n);
        break;
    case 4:
    case 5:
        set_palette(t, rest, kind == 4 ? 0 : 256, bel);
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
    case 10: case 11: case 12: case 13: case 14: case 15: case 16: case 17: case 18: case 19:
        set_special(t, VT_DYNAMIC + kind - 10, rest, bel);
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
    case 105:
        reset_palette(t, rest, kind == 104 ? 0 : 256);
        break;
    case 110: case 111: case 112: case 113: case 114: case 115: case 116: case 117: case 118: case 119:
        if (t->palette)
            set_colour(t, VT_DYNAMIC + kind - 110, 0);
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
        vt_picture_ends(t);
        vt_shell_iterm(t, own, rest.n, end);
        break;
    case 7717:
        vt_picture_ends(t);
        break;
    }
}

void vt_dcs(vt *t)
{
    text data = {t->parser.string.n ? (const char *)t->parser.string.data : "", t->parser.string.n};
    t->budget -= 16 + (int64_t)t->parser.string.n / 4;
    if (t->parser.prefix || t->parser.intermediates_n != 1)
        return;
    switch (t->parser.intermediates[0] << 8 | t->parser.final) {
    case '$' << 8 | 'q':
        vt_report_setting(t, (const uint8_t *)data.p, data.n);
        break;
    case '$' << 8 | 't':
        if (t->level >= 3)
            vt_restore_presentation(t, t->parser.params[0], (const uint8_t *)data.p, data.n);
        break;
    case '+' << 8 | 'q':
        for (text name = split(&data, ';');
             vt_report_capability(t, (const uint8_t *)name.p, name.n) && data.n;) /* an unknown one ends the list */
            name = split(&data, ';');
        break;
    }
}
