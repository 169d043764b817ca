/* Answers to queries: bounded, and without any byte that the program chose. */
#include "vt_sgr.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define REPLIES_MAX 4096 /* bytes that wait for the PTY; a program that asks for more without reading gets no more */
#define ANSWER_MAX 256   /* bytes of one answer */
#define LEAST_ANSWER 4   /* bytes of the shortest answer */
#define ANSWER_COST 100  /* cells' worth of an answer */

/* S8C1T: an answer's C1 controls, which are ESC and another byte, become one byte. Answers have ESC for nothing else. */
static size_t in_eight_bits(uint8_t *to, const uint8_t *p, size_t n)
{
    size_t out = 0;
    for (size_t i = 0; i < n; i++)
        if (p[i] == 0x1B && i + 1 < n)
            to[out++] = (uint8_t)(p[++i] + 0x40);
        else
            to[out++] = p[i];
    return out;
}

void vt_answer_bytes(vt *t, const uint8_t *answer, size_t n)
{
    t->budget -= ANSWER_COST;
    if (t->muted || t->replies.n + n > REPLIES_MAX)
        return;
    uint8_t *p = vt_room(&t->replies, n);
    if (!p) {
        t->replies.failed = 0;
        return;
    }
    if (t->eight_bit)
        n = in_eight_bits(p, answer, n);
    else
        memcpy(p, answer, n);
    t->replies.n += n;
    t->events |= VT_REPLY;
}

void vt_answer(vt *t, const char *format, ...)
{
    char answer[ANSWER_MAX];
    va_list values;
    if (t->muted || t->replies.n > REPLIES_MAX - LEAST_ANSWER) {
        t->budget -= ANSWER_COST;
        return;
    }
    va_start(values, format);
    int n = vsnprintf(answer, sizeof answer, format, values);
    va_end(values);
    if (n >= 0 && n < ANSWER_MAX)
        vt_answer_bytes(t, (const uint8_t *)answer, (size_t)n);
}

const uint8_t *vt_reply(vt *t, size_t *n)
{
    *n = t->replies.n;
    t->replies.n = 0;
    return t->replies.data;
}

uint8_t *vt_style_parameters(uint8_t *p, const vt_style *style)
{
    p = vt_write_string(p, "0;");
    p = vt_sgr_put_attributes(p, style->attrs);
    if (style->fg)
        p = vt_sgr_put_colour(p, style->fg, VT_SGR_FOREGROUND, ':');
    if (style->bg)
        p = vt_sgr_put_colour(p, style->bg, VT_SGR_BACKGROUND, ':');
    if (style->ul)
        p = vt_sgr_put_colour(p, style->ul, VT_SGR_UNDERLINE, ':');
    return p - 1;
}
