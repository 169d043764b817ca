/* The parser: DEC's state machine (vt100.net/emu/dec_ansi_parser) over UTF-8, from bytes to text and sequences.

   All state is in struct vt, so a chunk may end anywhere. Text is found by a scan for bytes that are not printable
   ASCII; one loop reads a CSI. There are no C1 controls in UTF-8: the code points U+0080..9F are ignored, raw bytes are
   invalid unless a set is in GR. A character that a sequence cannot contain ends it without being printed. Invalid UTF-8
   is U+FFFD, one for each maximal part. */
#include "vt_pictures.h"

#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define RUN_MAX 4096     /* bytes of text printed between two checks of the budget */
#define PARAM_MAX 65535
#define STRING_KEEP 4096 /* bytes of the string buffer that stay for the next string */

enum { BEL = 7, CAN = 0x18, SUB = 0x1A, ESC = 0x1B, DEL = 0x7F };

/* ---- strings ---- */

static void begin_parameters(vt *t, int state)
{
    t->parser.state = (uint8_t)state;
    t->parser.prefix = 0;
    t->parser.intermediates_n = 0;
    t->parser.param = 0;
    t->parser.params[0] = 0;
    t->parser.colons = t->parser.given = 0;
}

static void begin_string(vt *t, int state)
{
    t->parser.state = (uint8_t)state;
    t->parser.string.n = 0;
    t->parser.string_over = 0;
    t->parser.picture = 0;
}

/* Whether an APC begins as kitty's pictures do. */
static int is_kitty(const vt *t, const uint8_t *p)
{
    return t->parser.final == '_' && (t->parser.string.n ? *t->parser.string.data : *p) == 'G';
}

static void put_string(vt *t, const uint8_t *p, size_t n)
{
    if (!n)
        return;
    if (n > VT_PICTURE_HEAD && !t->parser.string.n) { /* a picture may be longer than other strings, if it says that it is one */
        put_string(t, p, VT_PICTURE_HEAD);
        p += VT_PICTURE_HEAD;
        n -= VT_PICTURE_HEAD;
    }
    if (t->parser.picture) {
        if (t->parser.string.n <= VT_PARTIAL_MAX) /* for a redraw; of more it has no use */
            vt_put(&t->parser.string, p, n < VT_PARTIAL_MAX ? n : VT_PARTIAL_MAX);
        vt_picture_more(t, p, n);
        return;
    }
    if (t->parser.state == VT_OTHER_STRING && !is_kitty(t, p))
        t->parser.string_over = 1;
    if (t->parser.string_over)
        return;
    if (t->parser.string.n + n > VT_STRING_MAX || vt_put(&t->parser.string, p, n)) {
        vt_buf_free(&t->parser.string);
        t->parser.string_over = 1;
    } else if (t->parser.state != VT_DCS_STRING) {
        t->parser.picture = vt_picture_begins(t);
    }
}

/* `end` is the offset after the sequence. */
static void finish_string(vt *t, uint64_t end, int bel)
{
    if (t->parser.state != VT_OTHER_STRING)
        t->last_char = 0;
    if (t->parser.picture || (t->parser.state == VT_OTHER_STRING && !t->parser.string_over))
        vt_picture_ends(t);
    else if (t->parser.state == VT_OSC_STRING && !t->parser.string_over)
        vt_osc(t, end, bel);
    else if (t->parser.state == VT_DCS_STRING && !t->parser.string_over)
        vt_dcs(t);
    if (t->parser.string.size > STRING_KEEP)
        vt_buf_free(&t->parser.string);
    t->parser.string.n = 0;
    t->parser.picture = 0;
    t->parser.state = VT_GROUND;
}

static uint64_t offset_of(const vt *t, const uint8_t *p) { return t->offset + (uint64_t)(p - t->parser.chunk); }

/* ---- characters: UTF-8 byte by byte, and bytes of the set in GR ---- */

static void character(vt *t, uint32_t code)
{
    if (code == 0xFEFF) /* a byte order mark is never printed */
        return;
    if (code >= 0x80 && code < 0xA0) { /* no C1 control: ECMA-48 is about bytes, and these were bytes of UTF-8 */
        vt_viewer_differs(t);          /* xterm.js obeys some of them */
        t->last_char = 0;
        t->budget -= VT_STEP_COST;
    } else if (t->parser.state == VT_GROUND)
        vt_print_code(t, code);
    else if (t->parser.state != VT_CSI_IGNORE && t->parser.state != VT_DCS_IGNORE)
        t->parser.state = VT_GROUND;
}

/* A byte from 0x80 on while they are no UTF-8. As in xterm none of them is a control. */
static void right_byte(vt *t, uint8_t c)
{
    vt_viewer_differs(t);
    if (c < 0xA0) {
        t->last_char = 0;
        t->budget -= VT_STEP_COST;
        return;
    }
    uint32_t code = vt_right(t, c);
    if (t->parser.state == VT_GROUND && code)
        vt_print_code(t, code);
    else if (t->parser.state != VT_CSI_IGNORE && t->parser.state != VT_DCS_IGNORE)
        t->parser.state = VT_GROUND;
}

/* Outside of strings: take one byte of a character that is not ASCII, or leave it if it does not continue the character
   that has begun. */
static const uint8_t *utf8_byte(vt *t, const uint8_t *p)
{
    uint8_t c = *p;
    if (!t->parser.utf8_n && vt_takes_bytes(t)) {
        right_byte(t, c);
        return p + 1;
    }
    if (!t->parser.utf8_n) {
        t->parser.utf8_need = (uint8_t)vt_utf8_size(c);
        if (!t->parser.utf8_need) {
            vt_viewer_differs(t); /* xterm.js leaves such bytes out */
            character(t, 0xFFFD);
        } else {
            t->parser.utf8[0] = c;
            t->parser.utf8_n = 1;
        }
        return p + 1;
    }
    if (!vt_utf8_continues(t->parser.utf8[0], t->parser.utf8_n, c)) {
        t->parser.utf8_n = 0;
        vt_viewer_differs(t);
        character(t, 0xFFFD);
        return p;
    }
    t->parser.utf8[t->parser.utf8_n++] = c;
    if (t->parser.utf8_n == t->parser.utf8_need) {
        uint32_t code;
        t->parser.utf8_n = 0;
        vt_utf8_next(t->parser.utf8, t->parser.utf8 + t->parser.utf8_need, &code);
        character(t, code);
    }
    return p + 1;
}

/* ---- states ---- */

/* Controls with the same effect in every state. 1: it was one. */
static int anywhere(vt *t, uint8_t c, const uint8_t *p)
{
    if (c == ESC) {
        t->parser.begin = p;
        t->parser.state = VT_ESCAPE;
        t->parser.intermediates_n = 0;
        t->parser.sequence = offset_of(t, p);
        return 1;
    }
    if (c == CAN || c == SUB) {
        t->parser.state = VT_GROUND;
        t->last_char = 0;
        return 1;
    }
    return 0;
}

static void collect(vt *t, uint8_t c)
{
    if (t->parser.intermediates_n < 2)
        t->parser.intermediates[t->parser.intermediates_n] = c;
    if (t->parser.intermediates_n < 3)
        t->parser.intermediates_n++;
}

static void escape_byte(vt *t, uint8_t c)
{
    if (c < 0x20) {
        vt_control(t, c);
        vt_viewer_inexact(t);
    } else if (c < 0x30) {
        collect(t, c);
        t->parser.state = VT_ESCAPE_INTERMEDIATE;
    } else if (c == DEL) {
        return;
    } else if (t->parser.state == VT_ESCAPE && c == '[') {
        begin_parameters(t, VT_CSI_ENTRY);
    } else if (t->parser.state == VT_ESCAPE && c == ']') {
        begin_string(t, VT_OSC_STRING);
    } else if (t->parser.state == VT_ESCAPE && c == 'P') {
        begin_parameters(t, VT_DCS_ENTRY);
    } else if (t->parser.state == VT_ESCAPE && (c == 'X' || c == '^' || c == '_')) {
        begin_string(t, VT_OTHER_STRING);
        t->parser.final = c;
    } else {
        t->parser.state = VT_GROUND;
        vt_escape(t, c);
    }
}

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
/* The number at `p`, where 8 bytes may be read. Returns how many digits it has; `*value` is valid if at most four.
   There is no branch, since the number of digits cannot be predicted. */
static inline int number(const uint8_t *p, uint32_t *value)
{
    uint64_t bytes;
    memcpy(&bytes, p, 8);
    bytes ^= 0x3030303030303030u; /* a digit is less than 10 now */
    uint64_t others = (bytes | (bytes + 0x7676767676767676u)) & 0x8080808080808080u;
    int bits = others ? __builtin_ctzll(others) & 0x78 : 64;
    uint32_t digits = (uint32_t)((bytes & UINT32_MAX) << ((32 - bits) & 63)); /* moved up: zeros before them */
    digits = (digits * 10 + (digits >> 8)) & 0x00FF00FF;
    *value = (digits & 0xFF) * 100 + (digits >> 16);
    return bits / 8;
}
#endif

/* Read parameters of a CSI or DCS; returns where they end. */
static inline const uint8_t *parameters(vt *t, const uint8_t *p, const uint8_t *end)
{
    int i = t->parser.param;
    uint32_t value = t->parser.params[i];
    uint64_t given = t->parser.given;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    while (end - p >= 8 && !(given >> i & 1)) {
        int n = number(p, &value);
        if (n > 4) {
            value = 0;
            break;
        }
        given |= (uint64_t)(n > 0) << i;
        p += n;
        if (*p != ';' && *p != ':')
            goto end;
        t->parser.params[i] = (uint16_t)value;
        value = 0;
        if (i < VT_PARAMS)
            i++;
        if (*p++ == ':')
            t->parser.colons |= (uint64_t)1 << i;
    }
#endif
    while (p < end) {
        uint32_t digit = (uint32_t)*p - '0';
        if (digit < 10) {
            given |= (uint64_t)1 << i;
            do {
                value = value * 10 + digit;
                if (value > PARAM_MAX)
                    value = PARAM_MAX;
            } while (++p < end && (digit = (uint32_t)*p - '0') < 10);
            if (p == end)
                break;
        }
        if (*p != ';' && *p != ':')
            break;
        t->parser.params[i] = (uint16_t)value;
        value = 0;
        if (i < VT_PARAMS)
            i++;
        if (*p++ == ':')
            t->parser.colons |= (uint64_t)1 << i;
    }
end:
    t->parser.given = given;
    t->parser.params[i] = (uint16_t)value;
    t->parser.param = i;
    return p;
}

/* The byte after parameters. CSI and DCS have one grammar and different next states. */
static void parameter_end(vt *t, uint8_t c)
{
    const int state = t->parser.state, csi = state < VT_DCS_ENTRY;
    int entry = state == VT_CSI_ENTRY || state == VT_DCS_ENTRY;
    int intermediate = state == VT_CSI_INTERMEDIATE || state == VT_DCS_INTERMEDIATE;
    int ignore = state == VT_CSI_IGNORE || state == VT_DCS_IGNORE;
    if (c < 0x20) {
        if (csi) {
            vt_control(t, c);
            vt_viewer_inexact(t);
        }
    } else if (c == DEL) {
        return;
    } else if (c >= 0x40) {
        if (ignore && csi) {
            t->parser.state = VT_GROUND;
        } else if (csi) {
            vt_csi(t, c, !(t->parser.prefix | t->parser.intermediates_n));
        } else if (!ignore) {
            t->parser.final = c;
            begin_string(t, VT_DCS_STRING);
            if (c == 'q' && !(t->parser.prefix | t->parser.intermediates_n)) /* sixel */
                t->parser.picture = vt_picture_begins(t);
        }
    } else if (ignore) {
        return;
    } else if (c < 0x30) {
        collect(t, c);
        t->parser.state = csi ? VT_CSI_INTERMEDIATE : VT_DCS_INTERMEDIATE;
    } else if (entry && c >= 0x3C) {
        t->parser.prefix = c;
        t->parser.state = csi ? VT_CSI_PARAM : VT_DCS_PARAM;
    } else if (intermediate || c >= 0x3C) {
        t->parser.state = csi ? VT_CSI_IGNORE : VT_DCS_IGNORE;
    }
}

static const uint8_t *parameter_bytes(vt *t, const uint8_t *p, const uint8_t *end)
{
    const int state = t->parser.state;
    if (state == VT_CSI_ENTRY || state == VT_CSI_PARAM || state == VT_DCS_ENTRY || state == VT_DCS_PARAM) {
        const uint8_t *stop = parameters(t, p, end);
        if (stop > p)
            t->parser.state = state < VT_DCS_ENTRY ? VT_CSI_PARAM : VT_DCS_PARAM;
        p = stop;
        if (p == end)
            return p;
    }
    if (*p >= 0x80)
        return utf8_byte(t, p);
    if (!anywhere(t, *p, p))
        parameter_end(t, *p);
    return p + 1;
}

/* The byte after C2 in a string. With it a C1 control is ignored, as in text; in xterm.js one ends the string. */
static const uint8_t *after_c2(vt *t, const uint8_t *p)
{
    static const uint8_t lead = 0xC2;
    if (*p >= 0x80 && *p < 0xA0) {
        vt_viewer_differs(t);
        t->budget -= VT_STEP_COST;
        return p + 1;
    }
    put_string(t, &lead, 1);
    return p;
}

/* Read a string up to its end. */
static const uint8_t *string_bytes(vt *t, const uint8_t *p, const uint8_t *end)
{
    if (t->parser.utf8_n) { /* the chunk before ended with C2 */
        t->parser.utf8_n = 0;
        p = after_c2(t, p);
    }
    const uint8_t *from = p;
    while (p < end && *p >= 0x20 && *p != 0xC2)
        p++;
    t->budget -= (p - from) / 8;
    put_string(t, from, (size_t)(p - from));
    if (p == end)
        return p;
    uint8_t c = *p++;
    if (c == 0xC2 && p < end) {
        return after_c2(t, p);
    } else if (c == 0xC2) {
        t->parser.utf8[0] = c;
        t->parser.utf8_n = 1;
    } else if (c == ESC) {
        finish_string(t, offset_of(t, p + 1), 0); /* a backslash should follow */
        anywhere(t, c, p - 1);
    } else if (c == CAN || c == SUB) {
        if (t->parser.picture)
            vt_picture_broken(t);
        anywhere(t, c, p - 1);
    } else if (c == BEL && t->parser.state == VT_OSC_STRING) {
        finish_string(t, offset_of(t, p), 1);
    } else if (t->parser.state == VT_DCS_STRING) {
        put_string(t, &c, 1);
    }
    return p;
}

/* The first byte from `p` on that is not printable ASCII. */
static inline const uint8_t *skip_text(const uint8_t *p, const uint8_t *end)
{
#ifdef __SSE2__
    const __m128i space = _mm_set1_epi8(0x20), del = _mm_set1_epi8(DEL);
    for (; end - p >= 16; p += 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)p);
        /* Signed: bytes from 0x80 up are less than a space too. */
        int stop = _mm_movemask_epi8(_mm_or_si128(_mm_cmplt_epi8(bytes, space), _mm_cmpeq_epi8(bytes, del)));
        if (stop)
            return p + __builtin_ctz((unsigned)stop);
    }
#else
    for (; end - p >= 8; p += 8) {
        const uint64_t ones = 0x0101010101010101u, high = 0x80 * ones;
        uint64_t bytes;
        memcpy(&bytes, p, 8);
        uint64_t low = bytes - 0x20 * ones, del = (bytes ^ DEL * ones) - ones;
        if ((bytes | low | del) & high) /* one of the eight, perhaps after a false one: the loop below finds it */
            break;
    }
#endif
    while (p < end && *p >= 0x20 && *p < DEL)
        p++;
    return p;
}

/* Text and whole sequences, up to a sequence that the chunk does not complete. */
static const uint8_t *ground(vt *t, const uint8_t *p, const uint8_t *end)
{
    while (p < end && t->budget > 0) {
        uint8_t c = *p;
        t->parser.begin = p;
        if (c >= 0x20 && c < DEL) {
            const uint8_t *stop = skip_text(p + 1, end - p > RUN_MAX ? p + RUN_MAX : end);
            vt_print_text(t, p, (size_t)(stop - p), end);
            p = stop;
        } else if (c == ESC) {
            if (end - p < 2 || p[1] != '[') {
                anywhere(t, c, p);
                return p + 1;
            }
            begin_parameters(t, VT_CSI_ENTRY);
            p += 2;
            int plain = p == end || *p < 0x3C || *p >= 0x40;
            if (!plain)
                t->parser.prefix = *p++;
            p = parameters(t, p, end);
            if (p < end && *p >= 0x40 && *p < DEL) {
                vt_csi(t, *p++, plain);
            } else {
                t->parser.state = p[-1] == '[' ? VT_CSI_ENTRY : VT_CSI_PARAM;
                return p;
            }
        } else if (c == '\n') {
            t->last_char = 0;
            t->budget--;
            vt_line_feed(t);
            p++;
        } else if (c == '\r') {
            t->last_char = 0;
            t->budget--;
            if (++p < end && *p == '\n') {
                vt_new_line(t);
                p++;
            } else {
                vt_carriage_return(t);
            }
        } else if (c >= 0x80) {
            const uint8_t *stop = vt_print_utf8(t, p, end);
            if (stop == p)
                return utf8_byte(t, p);
            p = stop;
        } else {
            if (c == CAN || c == SUB)
                t->last_char = 0;
            else if (c != DEL)
                vt_control(t, c);
            else if (vt_has_del(t))
                vt_print_del(t);
            else if (t->last_char) {
                vt_viewer_differs(t); /* in xterm.js REP and combining characters go on */
                t->last_char = 0;
            }
            p++;
        }
    }
    return p;
}

size_t vt_feed(vt *t, const uint8_t *data, size_t n, size_t budget)
{
    if (!n)
        return 0;
    const uint8_t *p = data, *end = data + n;
    t->budget = budget > INT32_MAX ? INT32_MAX : budget ? (int64_t)budget : 1;
    t->parser.chunk = data;
    t->parser.begin = NULL;
    uint32_t events = t->events;
    while (p < end && (t->budget > 0 || p == data)) {
        if (t->budget <= 0) /* printing a broken character used it up, and a call must consume a byte */
            t->budget = 1;
        if (t->parser.state >= VT_DCS_STRING)
            p = string_bytes(t, p, end);
        else if (t->parser.utf8_n)
            p = utf8_byte(t, p);
        else if (t->parser.state == VT_GROUND)
            p = ground(t, p, end);
        else if (t->parser.state >= VT_CSI_ENTRY)
            p = parameter_bytes(t, p, end);
        else if (*p >= 0x80)
            p = utf8_byte(t, p);
        else {
            if (!anywhere(t, *p, p))
                escape_byte(t, *p);
            p++;
        }
    }
    if (t->parser.begin)
        t->parser.sequence = offset_of(t, t->parser.begin);
    t->offset += (uint64_t)(p - data);
    t->parser.chunk = t->parser.begin = NULL;
    if (t->muted)
        t->events = events;
    return (size_t)(p - data);
}
