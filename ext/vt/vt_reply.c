/* Answers to what programs ask the terminal: bounded, and never with a byte in them that the program chose. */
#include "vt_state.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define REPLIES_MAX 4096 /* bytes that wait for the PTY; who asks more than that without reading gets no more */
#define ANSWER_MAX 256   /* bytes of one answer */
#define LEAST_ANSWER 4   /* bytes of the shortest */
#define ANSWER_WORK 100  /* cells' worth of one */

void vt_answer(vt *t, const char *format, ...)
{
    char answer[ANSWER_MAX];
    va_list values;
    t->work -= ANSWER_WORK;
    if (t->muted || t->replies.n > REPLIES_MAX - LEAST_ANSWER)
        return;
    va_start(values, format);
    int n = vsnprintf(answer, sizeof answer, format, values);
    va_end(values);
    if (n < 0 || n >= ANSWER_MAX || t->replies.n + (size_t)n > REPLIES_MAX)
        return;
    if (!vt_put(&t->replies, answer, (size_t)n))
        t->events |= VT_REPLY;
}

const uint8_t *vt_reply(vt *t, size_t *n)
{
    *n = t->replies.n;
    t->replies.n = 0;
    return t->replies.data;
}

void vt_mute(vt *t, int on) { t->muted = on; }

static int put_colour(char *p, size_t room, uint32_t colour, int base)
{
    unsigned value = colour & 0xFFFFFF;
    switch (colour & VT_COLOUR_KIND) {
    case VT_RGB:
        return snprintf(p, room, ";%d:2::%u:%u:%u", base + 8, value >> 16, value >> 8 & 255, value & 255);
    case VT_PALETTE:
        if (base == 50 || value >= 16)
            return snprintf(p, room, ";%d:5:%u", base + 8, value);
        return snprintf(p, room, ";%u", value < 8 ? base + value : base + 60 + value - 8);
    }
    return 0;
}

/* DECRQSS of SGR: the pen as parameters. */
void vt_answer_style(vt *t)
{
    static const struct {
        uint16_t attr;
        const char *text;
    } attrs[] = {{VT_BOLD, ";1"},    {VT_DIM, ";2"},       {VT_ITALIC, ";3"}, {VT_BLINK, ";5"},
                 {VT_INVERSE, ";7"}, {VT_INVISIBLE, ";8"}, {VT_STRIKE, ";9"}, {VT_OVERLINE, ";53"}};
    char text[128];
    size_t n = 0;
    text[0] = 0;
    for (size_t i = 0; i < sizeof attrs / sizeof *attrs; i++)
        if (t->pen.attrs & attrs[i].attr)
            n += (size_t)snprintf(text + n, sizeof text - n, "%s", attrs[i].text);
    int underline = (t->pen.attrs & VT_UNDERLINE) >> VT_UNDERLINE_SHIFT;
    if (underline)
        n += (size_t)snprintf(text + n, sizeof text - n, underline == 1 ? ";4" : ";4:%d", underline);
    n += (size_t)put_colour(text + n, sizeof text - n, t->pen.fg, 30);
    n += (size_t)put_colour(text + n, sizeof text - n, t->pen.bg, 40);
    put_colour(text + n, sizeof text - n, t->pen.ul, 50);
    vt_answer(t, "\033P1$r0%sm\033\\", text);
}
