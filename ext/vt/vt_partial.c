/* The sequence or character that output stopped inside of, as bytes for a redraw. */
#include "vt_state.h"

#include <stdio.h>

#define PARTIAL_HEAD 256 /* bytes of the longest introducer of a string, which has 33 parameters */

static void put_parameters(const vt_parser *p, vt_buf *out)
{
    char text[8];
    if (p->prefix)
        vt_put(out, &p->prefix, 1);
    for (int i = 0; i <= p->param; i++) {
        int n = 0;
        if (i)
            text[n++] = p->colons >> i & 1 ? ':' : ';';
        if (p->given >> i & 1)
            n += snprintf(text + n, sizeof text - (size_t)n, "%u", p->params[i]);
        vt_put(out, text, (size_t)n);
    }
}

static void put_intermediates(const vt_parser *p, vt_buf *out)
{
    vt_put(out, p->intermediates, p->intermediates_n < 2 ? p->intermediates_n : 2);
    if (p->intermediates_n > 2) /* one more, whichever: no sequence has three */
        vt_put(out, &p->intermediates[1], 1);
}

void vt_partial(const vt *t, vt_buf *out)
{
    static const struct {
        const char *begin;
        uint8_t parameters, intermediates, final, string; /* whether they follow */
    } forms[] = {
        [VT_GROUND] = {"", 0, 0, 0, 0},
        [VT_ESCAPE] = {"\033", 0, 0, 0, 0},
        [VT_ESCAPE_INTERMEDIATE] = {"\033", 0, 1, 0, 0},
        [VT_CSI_ENTRY] = {"\033[", 1, 0, 0, 0},
        [VT_CSI_PARAM] = {"\033[", 1, 0, 0, 0},
        [VT_CSI_INTERMEDIATE] = {"\033[", 1, 1, 0, 0},
        [VT_CSI_IGNORE] = {"\033[0<", 0, 0, 0, 0},
        [VT_DCS_ENTRY] = {"\033P", 1, 0, 0, 0},
        [VT_DCS_PARAM] = {"\033P", 1, 0, 0, 0},
        [VT_DCS_INTERMEDIATE] = {"\033P", 1, 1, 0, 0},
        [VT_DCS_IGNORE] = {"\033P0<", 0, 0, 0, 0},
        [VT_DCS_STRING] = {"\033P", 1, 1, 1, 1},
        [VT_OSC_STRING] = {"\033]", 0, 0, 0, 1},
        [VT_OTHER_STRING] = {"\033", 0, 0, 1, 1},
    };
    const vt_parser *p = &t->parser;
    if (forms[p->state].string && (p->string_over || p->string.n > VT_PARTIAL_MAX - PARTIAL_HEAD)) {
        /* No terminal knows these. */
        vt_put_string(out, p->state == VT_OSC_STRING ? "\033]9999;" : p->state == VT_DCS_STRING ? "\033Pz" : "\033X");
    } else {
        vt_put_string(out, forms[p->state].begin);
        if (forms[p->state].parameters)
            put_parameters(p, out);
        if (forms[p->state].intermediates)
            put_intermediates(p, out);
        if (forms[p->state].final)
            vt_put(out, &p->final, 1);
        if (forms[p->state].string)
            vt_put(out, p->string.data, p->string.n);
    }
    vt_put(out, p->utf8, p->utf8_n);
}
