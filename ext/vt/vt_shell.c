/* What a shell reports of itself: its folder, marks around prompt, command line and output, and variables. */
#include "vt_string.h"

#define COMMAND_MAX 4096 /* bytes of a command line, in a mark or on the screen */
#define CELL_COST 4      /* cells' worth of reading one for a command line */
#define PATH_MAX_BYTES 1024
#define NAME_MAX_BYTES 64
#define VALUE_MAX_BYTES 256

/* A folder that is too long is ignored: half a path would be another path. */
void vt_shell_folder(vt *t, const char *p, size_t n)
{
    text url = {p, n};
    if (url.n > sizeof t->cwd)
        return;
    t->cwd_n = (uint16_t)clean(t->cwd, sizeof t->cwd, url);
    t->events |= VT_CWD;
}

/* The text on the screen between the last mark 'B' and the cursor, without blanks at its end. */
static size_t command_on_screen(vt *t, uint8_t *to)
{
    int64_t first = t->command_line - vt_top(t);
    if (t->command_line < 0 || t->s != &t->main || first > t->row)
        return 0;
    size_t n = 0;
    for (int row = first < 0 ? 0 : (int)first; row <= t->row; row++) {
        const vt_row *r = t->s->rows[row];
        int end = VT_CODE(r->tail) ? t->cols : r->len, col = row == first ? t->command_col : 0;
        if (row == t->row && t->col + t->pending < end)
            end = t->col + t->pending;
        t->budget -= CELL_COST * (1 + end);
        for (; col < end && n + VT_CELL_TEXT < COMMAND_MAX; col++) {
            vt_cell cell = vt_at(r, col);
            if (VT_WIDTH(cell))
                n = (size_t)(vt_cell_text(t, to + n, VT_CODE(cell) ? cell : ' ') - to);
        }
        if (!r->wrapped && n + VT_CELL_TEXT < COMMAND_MAX) {
            while (n && to[n - 1] == ' ')
                n--;
            to[n++] = '\n';
        }
    }
    while (n && (to[n - 1] == ' ' || to[n - 1] == '\n'))
        n--;
    return n;
}

/* The command line in a mark. 0: it has none, and the text on the screen counts. */
static int command_in_mark(text options, uint8_t *to, size_t *n)
{
    while (options.n) {
        text option = split(&options, ';');
        int quoted = starts(option, "cmdline_url=");
        if (!quoted && !starts(option, "cmdline="))
            continue;
        split(&option, '=');
        *n = 0;
        for (size_t i = 0; i < option.n && *n < COMMAND_MAX; i++) {
            int high = -1, low = -1;
            if (quoted && option.p[i] == '%' && option.n - i > 2) {
                high = hex_digit(option.p[i + 1]);
                low = hex_digit(option.p[i + 2]);
            }
            to[(*n)++] = high < 0 || low < 0 ? (uint8_t)option.p[i] : (uint8_t)(16 * high + low);
            i += high < 0 || low < 0 ? 0 : 2;
        }
        return 1;
    }
    return 0;
}

/* OSC 133: a shell's marks around prompt, command line and output. */
void vt_shell_mark(vt *t, const char *p, size_t n, uint64_t end)
{
    text rest = {p, n};
    text kind = split(&rest, ';');
    if (kind.n != 1)
        return;
    switch (kind.p[0]) {
    case 'A':
        t->command.n = 0;
        vt_record_put(t, 'A', VT_NO_CODE, t->parser.sequence, NULL, 0);
        break;
    case 'B':
        t->command.n = 0;
        t->command_line = t->s == &t->main ? vt_top(t) + t->row : -1;
        t->command_col = t->col + t->pending;
        vt_record_put(t, 'B', VT_NO_CODE, end, NULL, 0);
        break;
    case 'C': {
        uint8_t command[COMMAND_MAX];
        size_t command_n = 0;
        if (t->command.n) {
            command_n = t->command.n;
            memcpy(command, t->command.data, command_n);
            t->command.n = 0;
        } else if (!command_in_mark(rest, command, &command_n)) {
            command_n = command_on_screen(t, command);
        }
        t->command_line = -1;
        vt_record_put(t, 'C', VT_NO_CODE, end, command, command_n);
        break;
    }
    case 'D': {
        text code = split(&rest, ';');
        int negative = code.n && code.p[0] == '-';
        int value = decimal((text){code.p + negative, code.n - (size_t)negative});
        vt_record_put(t, 'D', value < 0 ? VT_NO_CODE : negative ? -value : value, t->parser.sequence, NULL, 0);
        break;
    }
    }
}

/* ---- OSC 633, of VS Code's scripts ---- */

/* The text up to the next ';', with \\ and \xNN for other characters. Returns its length, at most `room`. */
static size_t unescape(text *from, uint8_t *to, size_t room)
{
    size_t used = 0;
    while (from->n && *from->p != ';') {
        uint8_t c = (uint8_t)*from->p;
        size_t taken = 1;
        if (c == '\\' && from->n > 1) {
            int high = from->n > 3 && from->p[1] == 'x' ? hex_digit(from->p[2]) : -1;
            int low = high < 0 ? -1 : hex_digit(from->p[3]);
            c = low < 0 ? (uint8_t)from->p[1] : (uint8_t)(16 * high + low);
            taken = low < 0 ? 2 : 4;
        }
        if (used < room)
            to[used++] = c;
        from->p += taken;
        from->n -= taken;
    }
    return used;
}

/* A path becomes the URL that OSC 7 would have sent. */
static void set_folder(vt *t, text path)
{
    char url[3 * PATH_MAX_BYTES + 7] = "file://";
    size_t n = 7;
    if (!starts(path, "/") || path.n > PATH_MAX_BYTES)
        return;
    for (size_t i = 0; i < path.n; i++) {
        url[n++] = path.p[i];
        if (path.p[i] == '%') {
            url[n++] = '2';
            url[n++] = '5';
        }
    }
    vt_shell_folder(t, url, n);
}

void vt_shell_vscode(vt *t, const char *p, size_t n, uint64_t end)
{
    text rest = {p, n};
    if (starts(rest, "E;")) {
        uint8_t *command = NULL;
        rest = (text){p + 2, n - 2};
        t->command.n = 0;
        if ((command = vt_room(&t->command, COMMAND_MAX)))
            t->command.n = unescape(&rest, command, COMMAND_MAX);
        t->command.failed = 0;
    } else if (starts(rest, "P;Cwd=")) {
        uint8_t path[PATH_MAX_BYTES + 1];
        rest = (text){p + 6, n - 6};
        set_folder(t, (text){(const char *)path, unescape(&rest, path, sizeof path)});
    } else {
        vt_shell_mark(t, p, n, end);
    }
}

/* ---- OSC 1337, of iTerm2's scripts ---- */

/* SetUserVar=name=base64. What is too long is ignored: a part of it would be another value. */
static void set_variable(vt *t, char *p, size_t n, uint64_t end)
{
    text value = {p, n}, name = split(&value, '=');
    uint8_t data[NAME_MAX_BYTES + 1 + VALUE_MAX_BYTES];
    if (!name.n || name.n > NAME_MAX_BYTES || clean_text(data, NAME_MAX_BYTES, name, 1) != name.n)
        return;
    long decoded = decode_base64((uint8_t *)p + (value.p - p), value.n);
    if (decoded < 0 || decoded > VALUE_MAX_BYTES)
        return;
    data[name.n] = '=';
    size_t used = name.n + 1;
    used += clean_text(data + used, VALUE_MAX_BYTES, (text){value.p, (size_t)decoded}, 1);
    vt_record_put(t, 'v', 0, end, data, used);
}

void vt_shell_iterm(vt *t, char *p, size_t n, uint64_t end)
{
    text value = {p, n}, key = split(&value, '=');
    if (is(key, "CurrentDir"))
        set_folder(t, value);
    else if (is(key, "SetUserVar"))
        set_variable(t, p + (value.p - p), value.n, end);
}
