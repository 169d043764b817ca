/* A libFuzzer target for the terminal engine: output in pieces and budgets, resizes, redraws, copies, exports.

   Bytes 0 to 3 of an input: rows, columns, lines of scrollback, and earlier output of the reader of redraws. Operations
   follow: each byte 0xF8..0xFF, which UTF-8 does not contain, is one, and the bytes up to the next are output. Checked:
   - the state does not depend on the pieces and budgets in which output comes;
   - a redraw and a copy give the state that they were made from. vt_dump() is the oracle. */
#include "vt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const GARBAGE[] = {
    "", "\x1bPq#0~\x1b\\\x1b_Ga=T,i=1,f=24,s=1,v=1,m=1;YWJj\x1b\\\x1b_Gm=1;", "\x1b[?1049h\x1b[2;3r\x1b[?6h\x1b[4h\x1b[31mx\x1b(0\x1b]0;unfinished", "\x1b[?69h\x1b[2;4s\x1b[?7l\x1b[>5u\x1b[3g\x1bP",
    "\xe4\xb8", "0123456789012345678901234567890123456789\x1b[1;", "\x1b[22t\x1b]8;;x\x07\x1b[?1004h\x1b[1\"q\x1bN",
    "\x1b]9;4;2;7\x07\x1b]22;>wait,help,move\x07\x1b]99;i=1:d=0;x\x07\x1b[?1049h\x1b]22;>grab,wait\x07",
};

static vt_buf dump(const vt *t, int all)
{
    vt_buf out = {0};
    vt_dump(t, &out);
    if (out.failed)
        abort();
    if (!all) {
        const char mark[] = "\n-- scrollback --";
        uint8_t *at = memmem(out.data, out.n, mark, sizeof mark - 1);
        if (at)
            out.n = (size_t)(at - out.data);
    }
    return out;
}

static void same(const vt *a, const vt *b, int all, const char *what)
{
    vt_buf x = dump(a, all), y = dump(b, all);
    if (x.n != y.n || memcmp(x.data, y.data, x.n)) {
        fprintf(stderr, "%s\n--- this ---\n%.*s\n--- other ---\n%.*s\n", what, (int)x.n, x.data, (int)y.n, y.data);
        abort();
    }
    vt_buf_free(&x);
    vt_buf_free(&y);
}

/* Feed a copy of exact size, so that the sanitizer sees a read beyond it. */
static void feed(vt *t, const uint8_t *data, size_t n, size_t piece, size_t budget)
{
    while (n) {
        size_t now = piece && piece < n ? piece : n, done = 0;
        uint8_t *own = malloc(now);
        memcpy(own, data, now);
        while (done < now) {
            size_t used = vt_feed(t, own + done, now - done, budget);
            if (!used || used > now - done)
                abort();
            done += used;
        }
        free(own);
        data += now;
        n -= now;
    }
}

static void redraw(const vt *t, const uint8_t *before, uint32_t lines)
{
    vt_limits limits = {50, 20000};
    vt *other = vt_new(vt_rows(t), vt_cols(t), &limits);
    vt_buf out = {0};
    const char *garbage = GARBAGE[*before % (sizeof GARBAGE / sizeof *GARBAGE)];
    feed(other, (const uint8_t *)garbage, strlen(garbage), 0, VT_BUDGET);
    vt_redraw(t, &out, lines);
    feed(other, out.data, out.n, 0, VT_BUDGET);
    same(t, other, 0, "a redraw");
    vt_buf_free(&out);
    vt_free(other);
}

static vt *copied(vt *t)
{
    vt *copy = vt_clone(t, UINT32_MAX);
    same(t, copy, 1, "a copy");
    vt_free(t);
    return copy;
}

static void export_all(vt *t)
{
    vt_buf out = {0};
    size_t n;
    vt_snapshot(t, &out);
    vt_text(t, &out, vt_oldest(t), vt_top(t) + vt_rows(t), out.n & 1);
    vt_html(t, &out, vt_oldest(t), vt_top(t) + vt_rows(t));
    vt_json(t, &out);
    vt_picture_data_of(t, &out, 100000);
    for (const uint8_t *p = out.data, *end = out.data + out.n; (p = memmem(p, (size_t)(end - p), "{\"key\":\"", 8)) != NULL; p += 8) {
        uint32_t width, height;
        int zlib;
        vt_buf picture = {0};
        uint64_t key = strtoull((const char *)p + 8, NULL, 16);
        vt_picture_bytes(t, key, &picture, &width, &height, &zlib);
        vt_buf_free(&picture);
    }
    vt_lines(t, &out, vt_oldest(t), vt_top(t) + vt_rows(t));
    vt_records(t, &out);
    if (out.failed)
        abort();
    vt_buf_free(&out);
    vt_events(t);
    vt_bells(t);
    vt_reply(t, &n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n < 5)
        return 0;
    vt_limits limits = {data[2], data[2] * 100};
    int rows = data[0] % 30 + 1, cols = data[1] % 60 + 2;
    vt *whole = vt_new(rows, cols, &limits), *cut = vt_new(rows, cols, &limits);
    const uint8_t *end = data + n, *before = data + 3;
    for (const uint8_t *p = data + 4; p < end;) {
        const uint8_t *q = p;
        while (q < end && *q < 0xF8)
            q++;
        feed(whole, p, (size_t)(q - p), 0, VT_BUDGET);
        feed(cut, p, (size_t)(q - p), 1 + *before % 7, 1 + *before);
        p = q;
        if (p == end)
            break;
        switch (*p++) {
        case 0xF8:
        case 0xF9:
            if (end - p >= 2) {
                vt_resize(whole, p[0] % 40 + 1, p[1] % 80 + 2);
                vt_resize(cut, p[0] % 40 + 1, p[1] % 80 + 2);
                p += 2;
            }
            break;
        case 0xFA: redraw(whole, before, 0); break;
        case 0xFB: redraw(whole, before, 20); break;
        case 0xFC: export_all(whole); export_all(cut); break;
        case 0xFD: /* continue with copies of both: the blocks of lines decide which lines a limit drops first */
            whole = copied(whole);
            cut = copied(cut);
            break;
        case 0xFE: vt_mute(whole, 1); vt_mute(cut, 1); break;
        default: /* a byte that is never valid */
            feed(whole, p - 1, 1, 0, VT_BUDGET);
            feed(cut, p - 1, 1, 0, VT_BUDGET);
        }
    }
    same(whole, cut, 1, "the same output in pieces");
    redraw(whole, before, 0);
    export_all(whole);
    vt_free(whole);
    vt_free(cut);
    return 0;
}
