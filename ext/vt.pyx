"""The terminal engine (vt.h) for Python: a class that owns one terminal. The pump uses the C functions directly."""

cimport cython
from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

import enum
from collections import namedtuple

Bell = namedtuple("Bell", ["count"])
TitleChange = namedtuple("TitleChange", ["text"])
Cwd = namedtuple("Cwd", ["text"])
Clipboard = namedtuple("Clipboard", ["selection", "data"])
Notification = namedtuple("Notification", ["id", "title", "body", "urgency", "at_ns"], defaults=[0])
Variable = namedtuple("Variable", ["name", "value"])
Progress = namedtuple("Progress", ["state", "percent"])
Mark = namedtuple("Mark", ["kind", "offset", "line", "exit_code", "command", "at_ns"], defaults=[0])
Theme = namedtuple("Theme", ["dark", "palette", "foreground", "background", "cursor"])
Picture = namedtuple("Picture", ["kind", "width", "height", "zlib", "data"])
Cursor = namedtuple("Cursor", ["row", "col", "visible", "shape", "wrap_pending"])


class Mode(enum.IntFlag):
    # The bits of vt.h, by their names in vt_json().
    APPLICATION_CURSOR = 1 << 0
    REVERSE_SCREEN = 1 << 1
    ORIGIN = 1 << 2
    WRAP = 1 << 3
    CURSOR_BLINK = 1 << 4
    CURSOR_VISIBLE = 1 << 5
    MARGINS = 1 << 6
    MOUSE_X10 = 1 << 7
    MOUSE = 1 << 8
    MOUSE_DRAG = 1 << 9
    MOUSE_ANY = 1 << 10
    FOCUS = 1 << 11
    MOUSE_UTF8 = 1 << 12
    MOUSE_SGR = 1 << 13
    MOUSE_URXVT = 1 << 14
    MOUSE_PIXELS = 1 << 15
    ALTERNATE_SCROLL = 1 << 16
    BRACKETED_PASTE = 1 << 17
    SYNCHRONIZED_OUTPUT = 1 << 18
    APPLICATION_KEYPAD = 1 << 19
    INSERT = 1 << 20
    NEWLINE = 1 << 21
    REVERSE_WRAP = 1 << 22
    COLOUR_SCHEME = 1 << 23
    GRAPHEME_CLUSTERS = 1 << 24
    IN_BAND_RESIZE = 1 << 25
    REVERSE_WRAP_ANY = 1 << 26
    TAB_WRAP = 1 << 27
    SMOOTH_SCROLL = 1 << 28
    PRINT_FORM_FEED = 1 << 29
    PRINT_ALL = 1 << 30
    COLUMN_SWITCH = 1 << 31
    NATIONAL_CHARSETS = 1 << 33
    SIXEL_DISPLAY = 1 << 44
    SIXEL_RIGHT = 1 << 45


# The kinds of vt_pictures.h; those of sixel are given as RGBA.
_KINDS = ("none", "sixel", "rgb", "rgba", "png", "jpeg", "gif", "webp")
_SCROLLBACK_BYTES = 4 * 1024 * 1024

# Bytes: from here on feeding and copying take longer than releasing the GIL and getting it back.
cdef size_t RELEASE_FROM = 4096


cdef int check_size(int rows, int cols) except -1:
    if not VT_MIN_ROWS <= rows <= VT_MAX_ROWS:
        raise ValueError(f"rows: expected {VT_MIN_ROWS}..{VT_MAX_ROWS}, got {rows}")
    if not VT_MIN_COLS <= cols <= VT_MAX_COLS:
        raise ValueError(f"cols: expected {VT_MIN_COLS}..{VT_MAX_COLS}, got {cols}")
    return 0


cdef uint32_t count_of(object lines, str name) except? 0xFFFFFFFF:
    """A number of lines; more than there can be means all."""
    if lines < 0:
        raise ValueError(f"{name}: expected 0 or more, got {lines}")
    return <uint32_t>min(lines, 0xFFFFFFFE)


cdef object event_of(const vt_record* record, bytes data, int64_t at_ns):
    if record.kind == c"c":
        return Clipboard(chr(record.value) if record.value else "", data)
    text = data.decode("utf-8", "replace")
    if record.kind == c"n":
        return Notification(*text.split("\n", 2), record.value, at_ns)
    if record.kind == c"v":
        return Variable(*text.split("=", 1))
    code = None if record.value == VT_NO_CODE else record.value
    return Mark(chr(record.kind), record.offset, record.line, code, text, at_ns)


cdef list events_of(const uint8_t* data, size_t n):
    cdef list events = []
    cdef vt_record record
    cdef size_t at = 0
    cdef size_t end = next_record(data, n, at, &record)
    while end:
        events.append(event_of(&record, data[at + sizeof(vt_record) : end], 0))
        at = end
        end = next_record(data, n, at, &record)
    return events


@cython.final
cdef class Engine:
    # Calls that may take long release the GIL. Until they return, `busy` keeps other threads out of the C code.

    def __init__(
        self, int rows, int cols, *, object scrollback_lines=10_000, object scrollback_bytes=_SCROLLBACK_BYTES
    ):
        cdef vt_limits limits
        if self.state is not NULL:
            raise RuntimeError("this terminal was made already")
        check_size(rows, cols)
        limits.scrollback_lines = count_of(scrollback_lines, "scrollback_lines")
        if scrollback_bytes < 0:
            raise ValueError(f"scrollback_bytes: expected 0 or more, got {scrollback_bytes}")
        limits.scrollback_bytes = scrollback_bytes
        self.state = vt_new(rows, cols, &limits)
        if self.state is NULL:
            raise MemoryError

    def __dealloc__(self):
        vt_free(self.state)

    cdef vt* idle(self) except NULL:
        """The terminal, if no other thread is using it."""
        if self.busy:
            raise RuntimeError("another thread is using this terminal")
        if self.state is NULL:
            raise ValueError("this terminal was never made: call Engine(rows, cols)")
        return self.state

    cdef vt* begin(self, vt_buf* out) except NULL:
        """Between begin() and end() this thread uses the terminal without the GIL, and fills `out`."""
        cdef vt* state = self.idle()
        memset(out, 0, sizeof(out[0]))
        self.busy = True
        return state

    cdef bytes end(self, vt_buf* out):
        cdef bytes whole
        cdef char* room
        self.busy = False
        try:
            if out.failed:
                raise MemoryError
            whole = PyBytes_FromStringAndSize(NULL, out.n)
            room = PyBytes_AS_STRING(whole)
            if out.n >= RELEASE_FROM:
                with nogil:  # an export may have 100 MB
                    memcpy(room, out.data, out.n)
                    vt_buf_free(out)
            elif out.n:
                memcpy(room, out.data, out.n)
            return whole
        finally:
            vt_buf_free(out)

    cdef int64_t absolute(self, object line) except? -1:
        """The absolute number of a line counted from the top of the screen, clamped to what C can count."""
        cdef vt* state = self.idle()
        return vt_top(state) + <int64_t>max(-(1 << 40), min(line, 1 << 40))

    cdef int span(self, object first, object last, int64_t* span) except -1:
        cdef vt* state = self.idle()
        if last is None:
            last = vt_rows(state)
        if first > last:
            raise ValueError(f"first, last: expected first <= last, got {first} and {last}")
        span[0] = self.absolute(first)
        span[1] = self.absolute(last)
        return 0

    cdef size_t take(self, object data, size_t budget) except? 0:
        """Feed once, as far as `budget` allows; 0: feed all. Returns the bytes consumed."""
        cdef Py_buffer view
        cdef vt* state = self.idle()
        cdef size_t done = 0
        PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
        cdef const uint8_t* bytes_of = <const uint8_t*>view.buf
        cdef size_t n = view.len
        self.busy = True
        if n < RELEASE_FROM:
            done = run(state, bytes_of, n, budget)
        else:
            with nogil:
                done = run(state, bytes_of, n, budget)
        self.busy = False
        PyBuffer_Release(&view)
        return done

    def feed(self, object data):
        self.take(data, 0)

    def feed_some(self, object data, object budget):
        if budget < 1:
            raise ValueError(f"budget: expected 1 or more, got {budget}")
        return self.take(data, budget)

    def resize(self, int rows, int cols):
        cdef vt* state = self.idle()
        cdef int failed
        check_size(rows, cols)
        self.busy = True
        with nogil:
            failed = vt_resize(state, rows, cols)
        self.busy = False
        if failed:
            raise MemoryError

    def set_theme(self, object theme):
        cdef vt* state = self.idle()
        cdef vt_theme chosen
        cdef list colours
        if theme is None:
            vt_set_theme(state, NULL)
            return
        colours = [*theme.palette, theme.foreground, theme.background, theme.cursor]
        if len(colours) != 19 or not all(0 <= colour <= 0xFFFFFF for colour in colours):
            raise ValueError("theme: expected 16 colours of a palette and three more, each 0..0xFFFFFF")
        chosen.dark = bool(theme.dark)
        for i in range(16):
            chosen.palette[i] = colours[i]
        chosen.foreground, chosen.background, chosen.cursor = colours[16:]
        vt_set_theme(state, &chosen)

    def set_pixels(self, int cell_height, int cell_width):
        if not (0 <= cell_height <= VT_MAX_CELL and 0 <= cell_width <= VT_MAX_CELL):
            raise ValueError(f"cell_height, cell_width: expected 0..{VT_MAX_CELL}, got {cell_height} and {cell_width}")
        vt_set_pixels(self.idle(), cell_height, cell_width)

    def clone(self, *, object scrollback_lines=0):
        cdef vt* state = self.idle()
        cdef uint32_t lines = count_of(scrollback_lines, "scrollback_lines")
        cdef vt* copy
        self.busy = True
        with nogil:
            copy = vt_clone(state, lines)
        self.busy = False
        if copy is NULL:
            raise MemoryError
        cdef Engine terminal = wrap(copy)
        terminal.muted = self.muted
        return terminal

    def redraw(self, *, object scrollback_lines=0):
        cdef uint32_t lines = count_of(scrollback_lines, "scrollback_lines")
        cdef vt_buf out
        cdef vt* state = self.begin(&out)
        with nogil:
            vt_redraw(state, &out, lines)
        return self.end(&out)

    @property
    def shown(self):
        return vt_shown(self.idle())

    def raw_end(self, offset):
        return vt_raw_end(self.idle(), offset)

    def viewer_at(self, offset):
        cdef vt_viewer viewer
        return (<const char*>&viewer)[:sizeof(viewer)] if vt_viewer_at(self.idle(), offset, &viewer) else None

    def viewer_redraw(self, *, object scrollback_lines=0):
        cdef uint32_t lines = count_of(scrollback_lines, "scrollback_lines")
        cdef vt_viewer viewer
        cdef vt_buf out
        cdef vt* state = self.begin(&out)
        with nogil:
            vt_viewer_redraw(state, &out, lines, &viewer)
        redraw = self.end(&out)
        return redraw, (<const char*>&viewer)[:sizeof(viewer)]

    def damage(self, bytes viewer not None):
        cdef vt_viewer known
        cdef vt_buf out
        cdef int done
        if len(viewer) != sizeof(known):
            raise ValueError(f"viewer: expected {sizeof(known)} bytes, got {len(viewer)}")
        memcpy(&known, PyBytes_AS_STRING(viewer), sizeof(known))
        cdef vt* state = self.begin(&out)
        with nogil:
            done = vt_damage(state, &out, &known)
        damage = self.end(&out)
        return (damage, (<const char*>&known)[:sizeof(known)]) if done else None

    def lines(self, object first, object last):
        cdef int64_t[2] span
        self.span(first, last, span)
        cdef vt_buf out
        cdef vt* state = self.begin(&out)
        with nogil:
            vt_lines(state, &out, span[0], span[1])
        return self.end(&out)

    def snapshot(self):
        cdef vt_buf out
        cdef vt* state = self.begin(&out)
        with nogil:
            vt_snapshot(state, &out)
        return self.end(&out)

    def text(self, object first=0, object last=None, *, bint unwrap=False):
        return self.utf8(first, last, unwrap=unwrap).decode()

    def utf8(self, object first=0, object last=None, *, bint unwrap=False):
        cdef int64_t[2] span
        self.span(first, last, span)
        cdef vt_buf out
        cdef vt* state = self.begin(&out)
        with nogil:
            vt_text(state, &out, span[0], span[1], unwrap)
        return self.end(&out)

    def html(self, object first=0, object last=None):
        cdef int64_t[2] span
        self.span(first, last, span)
        cdef vt_buf out
        cdef vt* state = self.begin(&out)
        with nogil:
            vt_html(state, &out, span[0], span[1])
        return self.end(&out)

    def picture(self, object key):
        cdef uint32_t width = 0
        cdef uint32_t height = 0
        cdef int zlib = 0
        cdef int kind
        cdef uint64_t number = key
        cdef vt_buf out
        cdef vt* state = self.begin(&out)
        with nogil:
            kind = vt_picture_bytes(state, number, &out, &width, &height, &zlib)
        data = self.end(&out)
        return Picture(_KINDS[kind], width, height, bool(zlib), data) if kind else None

    def picture_data(self, *, size_t most):
        cdef vt_buf out
        cdef vt* state = self.begin(&out)
        with nogil:
            vt_picture_data_of(state, &out, most)
        return self.end(&out)

    def json(self):
        cdef vt_buf out
        cdef vt* state = self.begin(&out)
        with nogil:
            vt_json(state, &out)
        return self.end(&out)

    def dump(self):
        cdef vt_buf out
        cdef vt* state = self.begin(&out)
        with nogil:
            vt_dump(state, &out)
        return self.end(&out).decode("utf-8", "backslashreplace")  # it may contain an unfinished character

    def take_events(self):
        cdef vt* state = self.idle()
        cdef list events = []
        cdef uint32_t happened = vt_events(state)
        if happened & VT_BELL:
            events.append(Bell(vt_bells(state)))
        if happened & VT_TITLE:
            events.append(TitleChange(self.title))
        if happened & VT_CWD:
            events.append(Cwd(self.cwd))
        if happened & VT_PROGRESS:
            events.append(self.progress)
        cdef vt_buf out
        if happened & VT_RECORD:
            memset(&out, 0, sizeof(out))
            vt_records(state, &out)
            try:
                if out.failed:
                    raise MemoryError
                events += events_of(out.data, out.n)
            finally:
                vt_buf_free(&out)
        return events

    def take_replies(self):
        cdef size_t n = 0
        cdef const uint8_t* replies = vt_reply(self.idle(), &n)
        return PyBytes_FromStringAndSize(<const char*>replies, n)

    @property
    def mute(self):
        return self.muted

    @mute.setter
    def mute(self, bint on):
        vt_mute(self.idle(), on)
        self.muted = on

    @property
    def rows(self):
        return vt_rows(self.idle())

    @property
    def cols(self):
        return vt_cols(self.idle())

    @property
    def cursor(self):
        cdef vt_cursor c
        vt_get_cursor(self.idle(), &c)
        return Cursor(c.row, c.col, bool(c.visible), c.shape, bool(c.pending))

    @property
    def modes(self):
        return Mode(vt_modes(self.idle()))

    @property
    def title(self):
        cdef size_t n = 0
        cdef const uint8_t* text = vt_title(self.idle(), &n)
        return PyBytes_FromStringAndSize(<const char*>text, n).decode()

    @property
    def cwd(self):
        cdef size_t n = 0
        cdef const uint8_t* text = vt_cwd(self.idle(), &n)
        return PyBytes_FromStringAndSize(<const char*>text, n).decode("utf-8", "replace")

    @property
    def progress(self):
        cdef int percent
        cdef int state = vt_progress(self.idle(), &percent)
        return Progress(state, percent)

    @property
    def pointer(self):
        return (<bytes>vt_pointer(self.idle())).decode()

    @property
    def alternate(self):
        return bool(vt_alternate(self.idle()))

    @property
    def offset(self):
        return vt_offset(self.idle())

    @property
    def top(self):
        return vt_top(self.idle())

    @property
    def oldest(self):
        return vt_oldest(self.idle())

    @property
    def original_oldest(self):
        return vt_original_oldest(self.idle())

    @property
    def scrollback_count(self):
        cdef vt* state = self.idle()
        return vt_top(state) - vt_oldest(state)

    @property
    def memory(self):
        return vt_memory(self.idle())


cdef size_t run(vt* state, const uint8_t* data, size_t n, size_t budget) noexcept nogil:
    cdef size_t done = 0
    if budget:
        return vt_feed(state, data, n, budget) if n else 0
    while done < n:
        done += vt_feed(state, data + done, n - done, VT_BUDGET)
    return done


cdef Engine wrap(vt* state):
    cdef Engine terminal
    try:
        terminal = Engine.__new__(Engine)
    except BaseException:
        vt_free(state)
        raise
    terminal.state = state
    return terminal
