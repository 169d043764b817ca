"""The terminal engine (vt.h) for Python: a class that owns one terminal. The pump uses the C functions directly."""

cimport cython
from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport int64_t, uint8_t, uint32_t
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
