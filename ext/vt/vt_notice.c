/* What a program wants a person to notice: notifications (OSC 9, 99, 777) and its progress (OSC 9;4). */
#include "vt_string.h"

#include <stdlib.h>

#define NORMAL 1 /* urgency, of 0 to 2 */
#define PERCENT_MAX 100

/* Report a notification: id, title and body, each one line. All texts empty but the id: the program withdraws it. */
static void report(vt *t, text id, text title, text body, int urgency, uint64_t end)
{
    uint8_t data[VT_NOTICE_ID + VT_NOTICE_TITLE + VT_NOTICE_BODY + 2];
    size_t n = clean_text(data, VT_NOTICE_ID, id, 1);
    data[n++] = '\n';
    n += clean_text(data + n, VT_NOTICE_TITLE, title, 1);
    data[n++] = '\n';
    n += clean_text(data + n, VT_NOTICE_BODY, body, 1);
    vt_record_put(t, 'n', urgency, end, data, n);
}

/* ---- OSC 9: a text; after a number, what ConEmu has made of it ---- */

static void set_progress(vt *t, text rest)
{
    int state = decimal(split(&rest, ';')), percent = decimal(split(&rest, ';'));
    switch (state) {
    case VT_PROGRESS_NONE:
    case VT_PROGRESS_INDETERMINATE:
        percent = 0;
        break;
    case VT_PROGRESS_SET:
        percent = vt_max(percent, 0);
        break;
    case VT_PROGRESS_ERROR:
    case VT_PROGRESS_PAUSED:
        if (percent < 0)
            percent = t->percent;
        break;
    default:
        return;
    }
    t->progress = (uint8_t)state;
    t->percent = (uint8_t)vt_min(percent, PERCENT_MAX);
    t->events |= VT_PROGRESS;
}

void vt_notice_plain(vt *t, const char *p, size_t n, uint64_t end)
{
    text body = {p, n}, rest = body;
    int function = memchr(p, ';', n) ? decimal(split(&rest, ';')) : -1;
    if (function == 4)
        set_progress(t, rest);
    else if (n && (function < 1 || function > 12))
        report(t, (text){"", 0}, (text){"", 0}, body, NORMAL, end);
}

/* ---- OSC 777 ---- */

void vt_notice_urxvt(vt *t, const char *p, size_t n, uint64_t end)
{
    text rest = {p, n};
    if (!is(split(&rest, ';'), "notify"))
        return;
    text title = split(&rest, ';');
    if (title.n || rest.n)
        report(t, (text){"", 0}, title, rest, NORMAL, end);
}

/* ---- OSC 99 ---- */

typedef struct {
    text id, payload;
    int done, base64, urgency; /* urgency: -1 if it is not given */
} metadata;

static int is_id(text id)
{
    for (size_t i = 0; i < id.n; i++) {
        char c = id.p[i];
        if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' || c == '-' || c == '+'
              || c == '.'))
            return 0;
    }
    return id.n && id.n <= VT_NOTICE_ID;
}

static metadata parse_metadata(text from)
{
    metadata m = {{"", 0}, {"title", 5}, 1, 0, -1};
    while (from.n) {
        text value = split(&from, ':'), key = split(&value, '=');
        if (key.n != 1)
            continue;
        switch (key.p[0]) {
        case 'i':
            if (is_id(value))
                m.id = value;
            break;
        case 'p':
            m.payload = value;
            break;
        case 'd':
            m.done = !is(value, "0");
            break;
        case 'e':
            m.base64 = is(value, "1");
            break;
        case 'u':
            if (value.n == 1 && value.p[0] >= '0' && value.p[0] <= '2')
                m.urgency = value.p[0] - '0';
            break;
        }
    }
    return m;
}

/* Append what there is room for; the rest is dropped, in front of a character. */
static void join_part(char *to, uint16_t *used, size_t room, text from)
{
    size_t n = from.n;
    if (n > room - *used)
        for (n = room - *used; n && ((uint8_t)from.p[n] & 0xC0) == 0x80;)
            n--;
    memcpy(to + *used, from.p, n);
    *used = (uint16_t)(*used + n);
}

/* The answer has no byte of the program's but the id, which has no byte with which a shell could be told anything. */
static void answer_support(vt *t, text id, int bel)
{
    vt_answer(t, "\033]99;i=%.*s:p=?;o=always:p=title,body,close,?:u=0,1,2%s", id.n ? (int)id.n : 1, id.n ? id.p : "0",
              bel ? "\a" : "\033\\");
}

void vt_notice_kitty(vt *t, char *p, size_t n, uint64_t end, int bel)
{
    text payload = {p, n};
    if (!memchr(p, ';', n))
        return;
    metadata m = parse_metadata(split(&payload, ';'));
    if (is(m.payload, "?")) {
        answer_support(t, m.id, bel);
        return;
    }
    if (is(m.payload, "close")) {
        if (m.id.n)
            report(t, m.id, (text){"", 0}, (text){"", 0}, NORMAL, end);
        return;
    }
    if (m.base64) {
        long decoded = decode_base64((uint8_t *)p + (payload.p - p), payload.n);
        payload.n = decoded < 0 ? 0 : (size_t)decoded;
    }
    if (!t->notice && !(t->notice = calloc(1, sizeof *t->notice)))
        return;
    vt_notice *one = t->notice; /* parts of one notification are joined at a time */
    if (one->id_n != m.id.n || memcmp(one->id, m.id.p, m.id.n)) {
        memset(one, 0, sizeof *one);
        memcpy(one->id, m.id.p, m.id.n);
        one->id_n = (uint8_t)m.id.n;
    }
    if (is(m.payload, "title"))
        join_part(one->title, &one->title_n, sizeof one->title, payload);
    else if (is(m.payload, "body"))
        join_part(one->body, &one->body_n, sizeof one->body, payload);
    if (m.urgency >= 0)
        one->urgency = (uint8_t)(m.urgency + 1);
    if (!m.done)
        return;
    if (one->title_n || one->body_n)
        report(t, m.id, (text){one->title, one->title_n}, (text){one->body, one->body_n},
               one->urgency ? one->urgency - 1 : NORMAL, end);
    memset(one, 0, sizeof *one);
}
