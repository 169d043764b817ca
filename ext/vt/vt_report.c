/* What the terminal is and how it is set, for programs that ask: DA, DSR, DECRQSS, XTGETTCAP.

   An answer says only what is true. It holds no byte that the program chose. */
#include "vt_string.h"

/* ---- what it is ---- */

/* The features that DA1 announces, in ascending order: 4 sixel, 6 selective erase, 17 state reports, 21 horizontal scrolling,
   22 colours, 28 rectangles. 64 before them: the class of a VT420. */
#define FEATURES ";4;6;17;21;22;28"

void vt_identify(vt *t) { vt_answer(t, "\033[?64" FEATURES "c"); }

/* ---- its state ---- */

void vt_report_status(vt *t, int what, int id)
{
    switch (t->level > 1 ? what : 0) {
    case 15: /* no printer */
        vt_answer(t, "\033[?13n");
        break;
    case 25: /* no user-defined keys, so they are not locked */
        vt_answer(t, "\033[?20n");
        break;
    case 26: /* a North American keyboard; from level 3 on it is ready, from level 4 on it is an LK201 */
        vt_answer(t, t->level == 2 ? "\033[?27;1n" : t->level == 3 ? "\033[?27;1;0n" : "\033[?27;1;0;0n");
        break;
    case 53: /* no locator */
    case 55:
        vt_answer(t, "\033[?50n");
        break;
    case 56:
        vt_answer(t, "\033[?57;0n");
        break;
    case 62: /* no room for macros, and none that could be added up */
        vt_answer(t, "\033[0*{");
        break;
    case 63:
        vt_answer(t, "\033P%d!~0000\033\\", id);
        break;
    case 75: /* no errors */
        vt_answer(t, "\033[?70n");
        break;
    case 85: /* one session */
        vt_answer(t, "\033[?83n");
        break;
    }
}

/* ---- its settings ---- */

static void report_style(vt *t)
{
    uint8_t text[128], *p = vt_style_parameters(text, &t->pen);
    vt_answer(t, "\033P1$r%.*sm\033\\", (int)(p - text), text);
}

void vt_report_setting(vt *t, const uint8_t *what, size_t n)
{
    /* There is no status line, so the main display is always the active one ($}) and its type is none ($~). */
    const struct { char name[3]; int level, first, second; } settings[] = {
        {"\"p", 2, 60 + t->level, !t->eight_bit}, {" q", 2, t->shape, -1},  {"\"q", 2, t->protect && !t->guarded, -1},
        {"r", 2, t->top + 1, t->bottom + 1},      {"s", 4, t->left + 1, t->right + 1}, {"t", 2, t->rows, -1},
        {"$|", 2, t->cols, -1},                   {"$}", 2, 0, -1},         {"$~", 2, 0, -1},
        {"*|", 2, t->rows, -1},                   {"*x", 4, t->extent, -1},
    };
    if (t->level < 2)
        return;
    if (n == 1 && *what == 'm') {
        report_style(t);
        return;
    }
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        const char *name = settings[i].name;
        if (n != strlen(name) || memcmp(what, name, n) || t->level < settings[i].level)
            continue;
        if (settings[i].second < 0)
            vt_answer(t, "\033P1$r%d%s\033\\", settings[i].first, name);
        else
            vt_answer(t, "\033P1$r%d;%d%s\033\\", settings[i].first, settings[i].second, name);
        return;
    }
    vt_answer(t, "\033P0$r\033\\");
}

/* ---- its capabilities ---- */

/* By their names in termcap and terminfo; a flag has no value. */
static const struct { const char *name, *value; } CAPABILITIES[] = {
    {"Co", "256"},
    {"colors", "256"},
    {"TN", "xterm-256color"},
    {"name", "xterm-256color"},
    {"RGB", "8"},
    {"Tc", ""},
    {"Su", ""},
    {"Smulx", "\033[4:%p1%dm"},
    {"Setulc", "\033[58:2::%p1%{65536}%/%d:%p1%{256}%/%{255}%&%d:%p1%{255}%&%dm"},
    {"Ss", "\033[%p1%d q"},
    {"Se", "\033[0 q"},
    {"smxx", "\033[9m"},
    {"rmxx", "\033[29m"},
};

static int upper(const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i] >= 'A' && p[i] <= 'F')
            return 1;
    return 0;
}

static int names(const uint8_t *hex, size_t n, const char *name)
{
    if (n != 2 * strlen(name))
        return 0;
    for (size_t i = 0; i < n; i++)
        if (hex_digit((char)hex[i]) != (name[i / 2] >> (i % 2 ? 0 : 4) & 15))
            return 0;
    return 1;
}

static uint8_t *put_hex(uint8_t *p, const char *text, const char *digits)
{
    for (; *text; text++) {
        *p++ = (uint8_t)digits[*text >> 4 & 15];
        *p++ = (uint8_t)digits[*text & 15];
    }
    return p;
}

/* The name comes back with its digits in the case that was asked with: programs compare it with their question. */
int vt_report_capability(vt *t, const uint8_t *name, size_t n)
{
    static const char lower[] = "0123456789abcdef", upper_case[] = "0123456789ABCDEF";
    for (size_t i = 0; i < sizeof CAPABILITIES / sizeof *CAPABILITIES; i++) {
        if (!names(name, n, CAPABILITIES[i].name))
            continue;
        uint8_t answer[256], *p = vt_write_string(answer, "\033P1+r");
        p = put_hex(p, CAPABILITIES[i].name, upper(name, n) ? upper_case : lower);
        if (*CAPABILITIES[i].value)
            *p++ = '=';
        p = put_hex(p, CAPABILITIES[i].value, lower);
        p = vt_write_string(p, "\033\\");
        vt_answer_bytes(t, answer, (size_t)(p - answer));
        return 1;
    }
    vt_answer(t, "\033P0+r\033\\");
    return 0;
}
