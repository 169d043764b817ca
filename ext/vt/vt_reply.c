/* Answers to queries: bounded, and without any byte that the program chose. */
#include "vt_sgr.h"

#include <stdarg.h>
#include <stdio.h>

#define REPLIES_MAX 4096 /* bytes that wait for the PTY; a program that asks for more without reading gets no more */
#define ANSWER_MAX 256   /* bytes of one answer */
#define LEAST_ANSWER 4   /* bytes of the shortest answer */
#define ANSWER_COST 100  /* cells' worth of an answer */

void vt_answer(vt *t, const char *format, ...)
{
    char answer[ANSWER_MAX];
    va_list values;
    t->budget -= ANSWER_COST;
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

/* DECRQSS of SGR: the pen as parameters. */
void vt_answer_style(vt *t)
{
    uint8_t text[128], *p = vt_write_string(text, "0;");
    p = vt_sgr_put_attributes(p, t->pen.attrs);
    if (t->pen.fg)
        p = vt_sgr_put_colour(p, t->pen.fg, VT_SGR_FOREGROUND, ':');
    if (t->pen.bg)
        p = vt_sgr_put_colour(p, t->pen.bg, VT_SGR_BACKGROUND, ':');
    if (t->pen.ul)
        p = vt_sgr_put_colour(p, t->pen.ul, VT_SGR_UNDERLINE, ':');
    vt_answer(t, "\033P1$r%.*sm\033\\", (int)(p - text) - 1, text);
}
