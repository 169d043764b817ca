/* A test oracle: everything in which two equal terminals agree, as text. Only tests call it. */
#include "vt_pictures.h"

#include <stdio.h>
#include <string.h>

static void dump_bytes(vt_buf *out, const void *data, size_t n)
{
    const uint8_t *p = data;
    for (size_t i = 0; i < n; i++) {
        char s[8];
        if (!p[i])
            vt_put_byte(out, ' ');
        else if (p[i] < 0x20 || p[i] == 0x7F || p[i] == '\\')
            vt_put(out, s, (size_t)snprintf(s, sizeof s, "\\x%02x", p[i]));
        else
            vt_put_byte(out, p[i]);
    }
}

static void dump_style(vt_buf *out, const vt_style *s)
{
    char text[64];
    vt_put(out, text, (size_t)snprintf(text, sizeof text, "%x,%x,%x,%x", s->fg, s->bg, s->ul, s->attrs));
}

static void dump_numbers(vt_buf *out, const char *name, const long long *numbers, int n)
{
    vt_put_string(out, name);
    for (int i = 0; i < n; i++) {
        vt_put_string(out, " ");
        vt_put_number(out, numbers[i]);
    }
    vt_put_string(out, "\n");
}

/* A cell that was never written is a space here: a redraw cannot always tell them apart, and only a combining character
   shows the difference. */
static void dump_line(const vt *t, vt_buf *out, vt_line *line)
{
    vt_run tail;
    const vt_run *before = NULL;
    vt_put_string(out, line->wrapped ? "> " : "  ");
    if (line->size)
        dump_numbers(out, "size", (const long long[]){line->size}, 1);
    vt_line_trim(line, 1);
    int has_tail = vt_line_tail(line, t->cols, &tail);
    for (int i = 0; i < line->n + has_tail; i++) {
        const vt_run *r = i < line->n ? &line->runs[i] : &tail;
        if (!before || !vt_same_run(before, r)) {
            vt_put_string(out, "{");
            dump_style(out, &r->style);
            if (r->protect)
                vt_put_string(out, ",protected");
            if (r->link) {
                vt_put_string(out, ",");
                dump_bytes(out, r->link, r->id_n);
                vt_put_string(out, ";");
                dump_bytes(out, r->link + r->id_n, r->uri_n);
            }
            vt_put_string(out, "}");
        }
        before = r;
        dump_bytes(out, r->text, r->n);
    }
    vt_put_string(out, "\n");
}

/* Of a screen that is hidden, blank rows are left out: it may be blank because it has never been shown. */
static void dump_rows(const vt *t, vt_buf *out, vt_line *line, const vt_screen *s, const char *name)
{
    for (int i = 0; i < t->rows && s->base; i++) {
        vt_line_row(t, line, s->rows[i], t->cols);
        if (i == t->rows - 1)
            line->wrapped = 0;
        vt_line_trim(line, 1);
        if (s != t->s && !line->n && !line->wrapped && vt_is_plain(&line->tail))
            continue;
        vt_put_string(out, name);
        vt_put_string(out, " ");
        vt_put_number(out, i);
        dump_line(t, out, line);
    }
}

static void dump_charsets(vt_buf *out, const uint8_t *charsets)
{
    for (int i = 0; i < 4; i++)
        vt_put_byte(out, charsets[i] == VT_ASCII_BUT ? 'B' : charsets[i]);
}

static void dump_screen_state(const vt *t, vt_buf *out, const vt_screen *s, const char *name)
{
    vt_put_string(out, name);
    vt_put_string(out, " pointers");
    for (int i = 0; i < VT_POINTERS; i++) {
        vt_put_byte(out, ' ');
        if (s->pointers[i])
            vt_put_string(out, s->pointers[i]);
    }
    vt_put_byte(out, '\n');
    vt_put_string(out, name);
    vt_put_string(out, " kitty");
    for (int i = 0; i <= s->kitty_n && i < (int)sizeof s->kitty; i++) {
        vt_put_string(out, " ");
        vt_put_number(out, s->kitty[i]);
    }
    vt_put_string(out, "\n");
    vt_put_string(out, name);
    vt_put_string(out, " saved ");
    vt_put_number(out, s->saved.row);
    vt_put_string(out, " ");
    int cols = s->base ? vt_row_cols(t, s->rows[s->saved.row]) : t->cols; /* DECRC goes no farther */
    vt_put_number(out, vt_min(s->saved.col, cols - 1));
    vt_put_string(out, s->saved.pending ? " pending" : "");
    vt_put_string(out, s->saved.origin ? " origin " : " ");
    dump_style(out, &s->saved.pen);
    vt_put_string(out, s->saved.protect ? " protected " : " ");
    dump_charsets(out, s->saved.charsets);
    vt_put_string(out, " ");
    vt_put_number(out, s->saved.gl);
    vt_put_string(out, " ");
    vt_put_number(out, s->saved.gr);
    vt_put_string(out, "\n");
}

static void dump_settings(const vt *t, vt_buf *out)
{
    vt_put_string(out, "icon ");
    dump_bytes(out, t->icon, t->icon_n);
    dump_numbers(out, "\nlevel", (const long long[]){t->level, t->eight_bit}, 2);
    dump_numbers(out, "guarded", (const long long[]){t->guarded}, 1);
    dump_numbers(out, "rectangles", (const long long[]){t->extent, t->checksum}, 2);
    dump_numbers(out, "title modes", (const long long[]){t->title_modes}, 1);
    vt_put_string(out, t->saved_modes & VT_M_ALTERNATE ? "saved modes alternate" : "saved modes");
    for (size_t i = 0; i < VT_MODE_COUNT; i++)
        if (t->saved_modes >> i & 1) {
            vt_put_string(out, " ");
            vt_put_string(out, vt_mode_names[i]);
        }
    vt_put_string(out, "\n");
    for (int i = 0; i < t->pens_n; i++) {
        vt_put_string(out, "pen pushed ");
        if (i < VT_PENS) {
            dump_style(out, &t->pens[i]);
            dump_numbers(out, "", (const long long[]){t->pens_parts[i]}, 1);
        } else {
            vt_put_string(out, "\n");
        }
    }
    for (int i = 0; i < VT_ATTRIBUTE_COLOURS; i++)
        if (t->attribute_colours[i])
            dump_numbers(out, "attribute colour", (const long long[]){i, t->attribute_colours[i] & 0xFFFFFF}, 2);
}

void vt_dump(const vt *t, vt_buf *out)
{
    vt_line line;
    if (vt_line_init(&line, t->cols)) {
        out->failed = 1;
        return;
    }
    dump_numbers(out, "size", (const long long[]){t->rows, t->cols}, 2);
    vt_put_string(out, t->s == &t->alt ? "screen alternate\n" : "screen main\n");
    dump_numbers(out, "cursor", (const long long[]){t->row, t->col}, 2);
    dump_numbers(out, "pending", (const long long[]){t->pending != 0}, 1);
    dump_numbers(out, "margins", (const long long[]){t->top, t->bottom, t->left, t->right}, 4);
    vt_put_string(out, "modes");
    for (size_t i = 0; i < VT_MODE_COUNT; i++)
        if (t->modes >> i & 1) {
            vt_put_string(out, " ");
            vt_put_string(out, vt_mode_names[i]);
        }
    dump_numbers(out, "\nshape", (const long long[]){t->shape}, 1);
    vt_put_string(out, "pen ");
    dump_style(out, &t->pen);
    if (t->pen.link && t->pen.link < t->links_n) {
        const vt_link *link = &t->links[t->pen.link];
        vt_put_string(out, " ");
        dump_bytes(out, link->text, link->id_n);
        vt_put_string(out, ";");
        dump_bytes(out, link->text + link->id_n, link->uri_n);
    }
    vt_put_string(out, t->protect ? " protected\ncharsets " : "\ncharsets ");
    dump_charsets(out, t->charsets);
    dump_numbers(out, "", (const long long[]){t->gl, t->single_shift, t->gr}, 3);
    vt_put_string(out, "tabs");
    for (int i = 0; i < t->cols; i++)
        if (vt_is_tab(t, i)) {
            vt_put_string(out, " ");
            vt_put_number(out, i);
        }
    vt_put_string(out, "\ntitle ");
    dump_bytes(out, t->title, t->title_n);
    vt_put_string(out, "\nfolder ");
    dump_bytes(out, t->cwd, t->cwd_n);
    vt_put_string(out, "\n");
    dump_numbers(out, "progress", (const long long[]){t->progress, t->percent}, 2);
    size_t pushed = 0;
    for (int i = 0; i < t->titles_n && pushed + 2 <= t->titles.n; i++) {
        vt_put_string(out, "pushed");
        for (int title = 0; title < 2; title++) { /* the icon's and the window's */
            size_t n = t->titles.data[pushed] | (size_t)t->titles.data[pushed + 1] << 8;
            vt_put_string(out, " ");
            dump_bytes(out, t->titles.data + pushed + 2, n);
            pushed += 2 + n;
        }
        vt_put_string(out, "\n");
    }
    dump_settings(t, out);
    for (int i = 0; t->palette && i < VT_COLOURS; i++)
        if (t->palette[i])
            dump_numbers(out, "colour", (const long long[]){i, t->palette[i] & 0xFFFFFF}, 2);
    dump_numbers(out, "modified keys", (const long long[]){t->modify_other_keys}, 1);
    dump_screen_state(t, out, &t->main, "main");
    dump_screen_state(t, out, &t->alt, "alternate");
    dump_rows(t, out, &line, &t->main, "main");
    dump_rows(t, out, &line, &t->alt, "alternate");
    vt_buf partial = {0};
    vt_partial(t, &partial);
    vt_put_string(out, "unfinished ");
    dump_bytes(out, partial.data, partial.n);
    out->failed |= partial.failed;
    vt_buf_free(&partial);

    vt_put_string(out, "\n");
    vt_pictures_dump(t, out, 0);
    vt_put_string(out, "\n-- scrollback --\n");
    vt_pictures_dump(t, out, 1);
    vt_scrollback_reader reader;
    vt_scrollback_seek(t, &reader, 0);
    while (vt_scrollback_next(&reader, &line))
        dump_line(t, out, &line);
    vt_line_free(&line);
}
