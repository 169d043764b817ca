/* The meaning of OSC and DCS strings: colours, links, the clipboard, prompt marks.

   A string is here only if it is complete (parser.string). It is data of the program: stripped of control characters,
   bounded, stored or reported, and never acted on. */
#include "vt_pictures.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RECORDS_MAX (128 * 1024) /* bytes of records that wait for vt_records() */
#define COMMAND_MAX 4096         /* bytes of a command line, in a mark or on the screen */
#define CELL_COST 4              /* cells' worth of reading one for a command line */

typedef struct {
    const char *p;
    size_t n;
} text;

/* The part before the next `by`; the rest stays in `from`. */
static text split(text *from, char by)
{
    text first = *from;
    const char *at = from->n ? memchr(from->p, by, from->n) : NULL;
    if (at) {
        first.n = (size_t)(at - from->p);
        from->p = at + 1;
        from->n -= first.n + 1;
    } else {
        from->p += from->n;
        from->n = 0;
    }
    return first;
}

static int is(text t, const char *word) { return t.n == strlen(word) && !memcmp(t.p, word, t.n); }

static int starts(text t, const char *word) { return t.n >= strlen(word) && !memcmp(t.p, word, strlen(word)); }

/* A decimal number of at most 9 digits and nothing else, or -1. */
static int decimal(text t)
{
    int value = 0;
    if (!t.n || t.n > 9)
        return -1;
    for (size_t i = 0; i < t.n; i++) {
        if (t.p[i] < '0' || t.p[i] > '9')
            return -1;
        value = 10 * value + (t.p[i] - '0');
    }
    return value;
}

static size_t clean(uint8_t *to, size_t room, text from)
{
    return vt_clean(to, room, (const uint8_t *)from.p, from.n);
}

/* ---- folder ---- */

/* A folder that is too long is ignored: half a path would be another path. */
static void set_cwd(vt *t, text url)
{
    if (url.n > sizeof t->cwd)
        return;
    t->cwd_n = (uint16_t)clean(t->cwd, sizeof t->cwd, url);
    t->events |= VT_CWD;
}

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

/* ---- records ---- */

static void record(vt *t, int kind, int32_t value, uint64_t offset, const void *data, size_t n)
{
    if (t->muted || t->records.n + sizeof(vt_record) + n > RECORDS_MAX)
        return;
    const vt_record head = {(uint8_t)kind, value, offset, vt_top(t) + t->row, (uint32_t)n};
    size_t before = t->records.n;
    if (vt_put(&t->records, &head, sizeof head) || vt_put(&t->records, data, n)) {
        t->records.n = before;
        t->records.failed = 0;
        return;
    }
    t->events |= VT_RECORD;
}

void vt_records(vt *t, vt_buf *out)
{
    vt_put(out, t->records.data, t->records.n);
    if (t->records.size > RECORDS_MAX / 16)
        vt_buf_free(&t->records);
    t->records.n = 0;
}

static int base64_digit(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Decode base64 in place: parser.string is not used afterwards. -1: it is not base64. */
static long decode_base64(uint8_t *p, size_t n)
{
    size_t out = 0, digits = 0;
    uint32_t bits = 0;
    while (n && p[n - 1] == '=')
        n--;
    for (size_t i = 0; i < n; i++) {
        int digit = base64_digit(p[i]);
        if (digit < 0)
            return -1;
        bits = bits << 6 | (uint32_t)digit;
        if (++digits % 4 != 1)
            p[out++] = (uint8_t)(bits >> (6 - 2 * ((digits - 1) % 4)));
    }
    return digits % 4 == 1 ? -1 : (long)out;
}

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
        record(t, 'c', letter < 0x80 ? letter : 0, end, data, (size_t)n);
}

/* The text on the screen between the last mark 'B' and the cursor, without blanks at its end. */
static size_t command_on_screen(vt *t, uint8_t *to)
{
    int64_t first = t->command_line - vt_top(t);
    if (t->command_line < 0 || t->s != &t->main || first > t->row)
        return 0;
    size_t n = 0;
    for (int row = first < 0 ? 0 : (int)first; row <= t->row; row++) {
        const vt_row *r = t->s->rows[row];
        int end = VT_CODE(r->tail) ? t->cols : r->len, col = row == first ? t->command_col : 0;
        if (row == t->row && t->col + t->pending < end)
            end = t->col + t->pending;
        t->budget -= CELL_COST * (1 + end);
        for (; col < end && n + VT_CELL_TEXT < COMMAND_MAX; col++) {
            vt_cell cell = vt_at(r, col);
            uint8_t text[VT_CELL_TEXT + 4];
            if (VT_WIDTH(cell))
                n = (size_t)(vt_plain_text(to + n, text, (size_t)(vt_cell_text(t, text, cell) - text)) - to);
        }
        if (!r->wrapped && n + VT_CELL_TEXT < COMMAND_MAX) {
            while (n && to[n - 1] == ' ')
                n--;
            to[n++] = '\n';
        }
    }
    while (n && (to[n - 1] == ' ' || to[n - 1] == '\n'))
        n--;
    return n;
}

/* The command line in a mark. 0: it has none, and the text on the screen counts. */
static int command_in_mark(text options, uint8_t *to, size_t *n)
{
    while (options.n) {
        text option = split(&options, ';');
        int quoted = starts(option, "cmdline_url=");
        if (!quoted && !starts(option, "cmdline="))
            continue;
        split(&option, '=');
        *n = 0;
        for (size_t i = 0; i < option.n && *n < COMMAND_MAX; i++) {
            int high = -1, low = -1;
            if (quoted && option.p[i] == '%' && option.n - i > 2) {
                high = vt_hex_digit((uint8_t)option.p[i + 1]);
                low = vt_hex_digit((uint8_t)option.p[i + 2]);
            }
            to[(*n)++] = high < 0 || low < 0 ? (uint8_t)option.p[i] : (uint8_t)(16 * high + low);
            i += high < 0 || low < 0 ? 0 : 2;
        }
        return 1;
    }
    return 0;
}

/* OSC 133: a shell's marks around prompt, command line and output. */
static void mark(vt *t, text rest, uint64_t end)
{
    text kind = split(&rest, ';');
    if (kind.n != 1)
        return;
    switch (kind.p[0]) {
    case 'A':
        record(t, 'A', VT_NO_CODE, t->parser.sequence, NULL, 0);
        break;
    case 'B':
        t->command_line = t->s == &t->main ? vt_top(t) + t->row : -1;
        t->command_col = t->col + t->pending;
        record(t, 'B', VT_NO_CODE, end, NULL, 0);
        break;
    case 'C': {
        uint8_t command[COMMAND_MAX];
        size_t n = 0;
        if (!command_in_mark(rest, command, &n))
            n = command_on_screen(t, command);
        t->command_line = -1;
        record(t, 'C', VT_NO_CODE, end, command, n);
        break;
    }
    case 'D': {
        text code = split(&rest, ';');
        int negative = code.n && code.p[0] == '-';
        int value = decimal((text){code.p + negative, code.n - (size_t)negative});
        record(t, 'D', value < 0 ? VT_NO_CODE : negative ? -value : value, t->parser.sequence, NULL, 0);
        break;
    }
    }
}

/* ---- dispatch ---- */

void vt_osc(vt *t, uint64_t end, int bel)
{
    text rest = {t->parser.string.n ? (const char *)t->parser.string.data : "", t->parser.string.n};
    int kind = decimal(split(&rest, ';'));
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
        set_cwd(t, rest);
        break;
    case 8:
        set_pen_link(t, rest);
        break;
    case 10: case 11: case 12: case 13: case 14: case 15: case 16: case 17: case 18: case 19:
        set_special(t, VT_DYNAMIC + kind - 10, rest, bel);
        break;
    case 52:
        clipboard(t, rest, end);
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
        mark(t, rest, end);
        break;
    case 1337:
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
        vt_restore_presentation(t, t->parser.params[0], (const uint8_t *)data.p, data.n);
        break;
    case '+' << 8 | 'q':
        for (text name = split(&data, ';');
             vt_report_capability(t, (const uint8_t *)name.p, name.n) && data.n;) /* an unknown one ends the list */
            name = split(&data, ';');
        break;
    }
}
