/* The unfinished sequence or character, as bytes. */
#include "vt_state.h"

#include <stdio.h>
#include <string.h>

#define PARTIAL_HEAD 256 /* bytes that the introducer of a string can have: 33 parameters */

static void put_parameters(const vt *t, vt_buf *out)
{
    char text[8];
    if (t->parser.prefix)
        vt_put(out, &t->parser.prefix, 1);
    for (int i = 0; i <= t->parser.param; i++) {
        int n = 0;
        if (i)
            text[n++] = t->parser.colons >> i & 1 ? ':' : ';';
        if (t->parser.given >> i & 1)
            n += snprintf(text + n, sizeof text - (size_t)n, "%u", t->parser.params[i]);
        vt_put(out, text, (size_t)n);
    }
}

void vt_partial(const vt *t, vt_buf *out)
{
    static const char *const begin[] = {"",      "\033",  "\033",  "\033[", "\033[", "\033[", "\033[0<",
                                        "\033P", "\033P", "\033P", "\033P0<", "\033P", "\033]", "\033"};
    if ((t->parser.state == VT_OSC_STRING || t->parser.state == VT_DCS_STRING)
        && (t->parser.string_over || t->parser.string.n > VT_PARTIAL_MAX - PARTIAL_HEAD)) {
        const char *unknown = t->parser.state == VT_OSC_STRING ? "\033]9999;" : "\033Pz"; /* nothing knows these */
        vt_put(out, unknown, strlen(unknown));
        vt_put(out, t->parser.utf8, t->parser.utf8_n);
        return;
    }
    vt_put(out, begin[t->parser.state], strlen(begin[t->parser.state]));
    if (t->parser.state >= VT_CSI_ENTRY && t->parser.state <= VT_DCS_STRING && t->parser.state != VT_CSI_IGNORE && t->parser.state != VT_DCS_IGNORE)
        put_parameters(t, out);
    if (t->parser.state == VT_ESCAPE_INTERMEDIATE || t->parser.state == VT_CSI_INTERMEDIATE || t->parser.state == VT_DCS_INTERMEDIATE
        || t->parser.state == VT_DCS_STRING) {
        const uint8_t *last = &t->parser.intermediates[1];
        vt_put(out, t->parser.intermediates, t->parser.intermediates_n < 2 ? t->parser.intermediates_n : 2);
        if (t->parser.intermediates_n > 2)
            vt_put(out, last, 1);
    }
    if (t->parser.state == VT_DCS_STRING || t->parser.state == VT_OTHER_STRING)
        vt_put(out, &t->parser.final, 1);
    if (t->parser.state == VT_DCS_STRING || t->parser.state == VT_OSC_STRING) {
        vt_put(out, t->parser.string.data, t->parser.string.n);
    }
    vt_put(out, t->parser.utf8, t->parser.utf8_n);
}
