/* The titles of window and icon, and the stack of pushed ones. A title is data of the program, and people read it beside
   other texts: it is cleaned as prose, and bounded. */
#include "vt_string.h"

#define SET_IN_HEX 1    /* bits of title_modes */
#define REPORT_IN_HEX 2

static void keep_title(vt *t, int which, const uint8_t *p, size_t n)
{
    if (which & VT_ICON_TITLE)
        t->icon_n = (uint16_t)clean_text(t->icon, sizeof t->icon, (text){(const char *)p, n}, 1);
    if (which & VT_WINDOW_TITLE) {
        t->title_n = (uint16_t)clean_text(t->title, sizeof t->title, (text){(const char *)p, n}, 1);
        t->events |= VT_TITLE;
    }
}

void vt_set_title(vt *t, int which, const uint8_t *p, size_t n)
{
    uint8_t text[1024];
    if (!(t->title_modes & SET_IN_HEX)) {
        keep_title(t, which, p, n);
        return;
    }
    if (n % 2 || n / 2 > sizeof text)
        return;
    for (size_t i = 0; i < n; i += 2) {
        int high = hex_digit((char)p[i]), low = hex_digit((char)p[i + 1]);
        if (high < 0 || low < 0)
            return;
        text[i / 2] = (uint8_t)(16 * high + low);
    }
    keep_title(t, which, text, n / 2);
}

/* Hexadecimal digits and dots, or one letter: no word that a shell or a reader would take for one. */
static int is_plain(const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int letter = (p[i] | 0x20) >= 'a' && (p[i] | 0x20) <= 'z';
        if (hex_digit((char)p[i]) < 0 && p[i] != '.' && !(n == 1 && letter))
            return 0;
    }
    return 1;
}

/* As text only if it is plain: a file that is printed could otherwise type words of its choice into the shell. Any title is reported in hexadecimal digits, if the program has asked for these. */
void vt_report_title(vt *t, int which)
{
    static const char hex[] = "0123456789abcdef";
    uint8_t answer[2 * sizeof t->title + 8], *p = answer;
    const uint8_t *title = which == VT_ICON_TITLE ? t->icon : t->title;
    size_t n = which == VT_ICON_TITLE ? t->icon_n : t->title_n;
    int as_text = !(t->title_modes & REPORT_IN_HEX);
    if (as_text && !is_plain(title, n))
        return;
    p = vt_write_string(p, which == VT_ICON_TITLE ? "\033]L" : "\033]l");
    if (as_text) {
        memcpy(p, title, n);
        p += n;
    }
    for (size_t i = 0; i < n && !as_text; i++) {
        *p++ = (uint8_t)hex[title[i] >> 4];
        *p++ = (uint8_t)hex[title[i] & 15];
    }
    p = vt_write_string(p, "\033\\");
    vt_answer_bytes(t, answer, (size_t)(p - answer));
}

/* ---- the stack ---- */

typedef struct {
    const uint8_t *icon, *window;
    size_t icon_n, window_n;
} pushed;

static pushed at(const uint8_t *p)
{
    pushed entry;
    entry.icon_n = (size_t)(p[0] | p[1] << 8);
    entry.icon = p + 2;
    p += 2 + entry.icon_n;
    entry.window_n = (size_t)(p[0] | p[1] << 8);
    entry.window = p + 2;
    return entry;
}

static size_t size_of(const pushed *entry) { return 4 + entry->icon_n + entry->window_n; }

/* The newest entry; `*offset`: where it begins. */
static pushed newest(const vt *t, size_t *offset)
{
    *offset = 0;
    pushed entry = at(t->titles.data);
    for (int i = 1; i < t->titles_n; i++) {
        *offset += size_of(&entry);
        entry = at(t->titles.data + *offset);
    }
    return entry;
}

static int put_text(vt_buf *to, const uint8_t *p, size_t n)
{
    const uint8_t head[2] = {(uint8_t)n, (uint8_t)(n >> 8)};
    return vt_put(to, head, 2) || vt_put(to, p, n);
}

/* An entry has both titles. One that is not pushed is that of the entry before, as in xterm. */
void vt_push_title(vt *t, int which)
{
    uint8_t icon[sizeof t->icon], window[sizeof t->title];
    size_t icon_n = t->icon_n, window_n = t->title_n, offset;
    memcpy(icon, t->icon, icon_n);
    memcpy(window, t->title, window_n);
    if (t->titles_n) {
        pushed last = newest(t, &offset);
        if (!(which & VT_ICON_TITLE))
            memcpy(icon, last.icon, icon_n = last.icon_n);
        if (!(which & VT_WINDOW_TITLE))
            memcpy(window, last.window, window_n = last.window_n);
    }
    if (t->titles_n == VT_TITLES) {
        pushed oldest = at(t->titles.data);
        size_t n = size_of(&oldest);
        memmove(t->titles.data, t->titles.data + n, t->titles.n - n);
        t->titles.n -= n;
        t->titles_n--;
    }
    size_t before = t->titles.n;
    if (put_text(&t->titles, icon, icon_n) || put_text(&t->titles, window, window_n)) {
        t->titles.n = before;
        t->titles.failed = 0;
        return;
    }
    t->titles_n++;
}

void vt_pop_title(vt *t, int which)
{
    size_t offset;
    if (!t->titles_n)
        return;
    pushed last = newest(t, &offset);
    if (which & VT_ICON_TITLE)
        keep_title(t, VT_ICON_TITLE, last.icon, last.icon_n);
    if (which & VT_WINDOW_TITLE)
        keep_title(t, VT_WINDOW_TITLE, last.window, last.window_n);
    t->titles.n = offset;
    t->titles_n--;
}
