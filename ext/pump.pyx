# cython: cdivision=True
"""The pump as Python sees it: threads that move bytes between PTYs and WebSocket sockets without the GIL.

A *lane* is a thread with a poller. Each terminal belongs to one lane at a time, with its PTY and all its clients.
Methods here post commands to a terminal's lane, and take_events() fetches what the lanes report. `core.lock` guards
what both use: inboxes, outbox, counts of references and more (pump_state.pxd). What runs in a lane is `noexcept
nogil` and touches no Python object. docs/pump.md describes the layers.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.errno cimport errno
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy, memset, strlen

import os
from collections import namedtuple

from vibetunnel._ext cimport deflate
from vibetunnel._ext cimport rfc6455 as rfc
from vibetunnel._ext cimport ring as rings
from vibetunnel._ext cimport v1 as wire
from vibetunnel._ext cimport vt as engine
from vibetunnel._ext.pump_core cimport (
    admit, free_lanes, open_lane, put_command, set_up, start_lanes, stop_lanes, sum_statistics,
)
from vibetunnel._ext.pump_frame cimport control_put
from vibetunnel._ext.pump_outbox cimport chunk_new, client_unref, terminal_unref
from vibetunnel._ext.pump_screen cimport revive
from vibetunnel._ext.pump_state cimport (
    ATTACH, CAPTURE, CLIENT_ID_SIZE, CLOSE, CLOSE_REASON_MAX, CONTROL_LIMIT, DETACH, DID_BELL, DID_CHANGE, DID_END,
    EVENTS, DID_FOLDER, DID_HANG_UP, DID_POINTER, DID_PROGRESS, DID_RESIZE, DID_TITLE, FINISH, INPUT, LATEST_BUFFER,
    LATEST_UNSENT, LOSSLESS_UNSENT, MAX_LANES, MESSAGE_LIMIT, NAME_MAX, NEWS_CAME, NEWS_GONE, NEWS_TYPED, NOTE,
    OFFSET_DIGITS, Order, PERMIT, PRESENCE_MAX, PRESENT, QUEUE_LIMIT, RESIZE, Text, capture_t, client_t, command_t,
    core_t, terminal_t, text_t,
)
from vibetunnel._ext.lists cimport list_put_last, list_t, list_take_all, list_take_first
from vibetunnel._ext.pump_system cimport (
    close, pthread_mutex_destroy, pthread_mutex_init, pthread_mutex_lock, pthread_mutex_unlock, set_nonblocking,
    socket_prepare, waker_clear, waker_close, waker_open, waker_wake,
)
from vibetunnel._ext.ring cimport acquire_fence, load_acquire, load_relaxed, store_relaxed
from vibetunnel._ext.typed cimport Report, is_typed as typed_by_person

from vibetunnel._ext.vt import Clipboard, Mark, Notification, Progress, Variable

Event = namedtuple("Event", ["kind", "terminal", "client", "number", "text", "data"], defaults=[None])


cdef list take_captures(list_t* captures):
    """[(ticket, vt.Engine, or None if memory ran out)], oldest first. Frees the captures."""
    cdef capture_t* capture
    cdef list found = []
    while captures.first is not NULL:
        capture = <capture_t*>list_take_first(captures)
        found.append((capture.ticket, engine.wrap(capture.state) if capture.state is not NULL else None))
        free(capture)
    return found


# Kinds of events, by what the engine has recorded.
_RECORDS = {Mark: "mark", Clipboard: "clipboard", Notification: "notification", Variable: "variable"}


cdef list take_marks(engine.vt_buf* marks):
    """[Mark, Clipboard, Notification or Variable], oldest first. Frees the buffer, which vt_records() filled."""
    cdef list found = []
    cdef engine.vt_record record
    cdef int64_t at_ns
    cdef size_t at = 0
    cdef size_t end
    try:
        while at < marks.n:
            memcpy(&at_ns, marks.data + at, 8)
            at += 8
            end = engine.next_record(marks.data, marks.n, at, &record)
            if not end:
                break  # there was no memory to store it whole
            found.append(engine.event_of(&record, marks.data[at + sizeof(engine.vt_record) : end], at_ns))
            at = end
    finally:
        engine.vt_buf_free(marks)
    return found


cdef str decode(const uint8_t* text, size_t n):
    return PyBytes_FromStringAndSize(<const char*>text, n).decode("utf-8", "replace")


def is_typed(bytes data not None):
    cdef Report report
    memset(&report, 0, sizeof(report))
    return bool(typed_by_person(&report, <const uint8_t*>PyBytes_AS_STRING(data), len(data)))


def load_zlib():
    cdef const char* error = deflate.zlib_load()
    if error is not NULL:
        raise OSError("zlib cannot be loaded: " + (<bytes>error).decode("utf-8", "replace"))


# no_gc_clear: a handle's __dealloc__ needs the objects that it refers to, even when the collector breaks a cycle.
@cython.no_gc_clear
cdef class Pump:
    cdef core_t* core
    cdef dict terminals  # by id, for events
    cdef dict clients
    cdef list taken  # events that take_events has not returned, because of an exception
    cdef uint64_t ids
    cdef int tickets
    cdef bint closed
    cdef object __weakref__

    def __cinit__(
        self, *, int bulk_lanes=1, double ping_s=20.0, double timeout_s=60.0, double settle_s=5.0,
        int high_watermark=131072, int input_watermark=65536,
        int scrollback_lines=10000, Py_ssize_t scrollback_bytes=4194304,
    ):
        if not 1 <= bulk_lanes < MAX_LANES:
            raise ValueError(f"bulk_lanes: expected 1..{MAX_LANES - 1}, got {bulk_lanes}")
        if not 0 < ping_s < timeout_s:
            raise ValueError(f"ping_s, timeout_s: expected 0 < ping_s < timeout_s, got {ping_s} and {timeout_s}")
        if settle_s < 0:
            raise ValueError(f"settle_s: expected 0 or more, got {settle_s}")
        if high_watermark < 4096 or input_watermark < 4096:
            raise ValueError("high_watermark, input_watermark: expected at least 4096 bytes")
        if scrollback_lines < 0 or scrollback_bytes < 0:
            raise ValueError("scrollback_lines, scrollback_bytes: expected 0 or more")
        cdef int i
        self.terminals = {}
        self.clients = {}
        self.taken = []
        self.closed = True
        self.core = <core_t*>calloc(1, sizeof(core_t))
        if self.core is NULL:
            raise MemoryError
        pthread_mutex_init(&self.core.lock, NULL)
        self.core.ping_ns = <int64_t>(ping_s * 1e9)
        self.core.timeout_ns = <int64_t>(timeout_s * 1e9)
        self.core.settle_ns = <int64_t>(settle_s * 1e9)
        self.core.high = high_watermark
        self.core.input_watermark = input_watermark
        self.core.limits.scrollback_lines = scrollback_lines
        self.core.limits.scrollback_bytes = scrollback_bytes
        if waker_open(self.core.waker) < 0:
            raise OSError(errno, os.strerror(errno))
        self.closed = False  # from here on close() has something to undo
        for i in range(1 + bulk_lanes):
            if not open_lane(self.core, i):
                raise OSError(errno, f"a lane cannot start: {os.strerror(errno)}")
        if not start_lanes(self.core, 1 + bulk_lanes):
            raise OSError(errno, "a lane's thread cannot start")

    def __dealloc__(self):
        if self.core is NULL:
            return
        self._stop(rfc.CLOSE_AWAY, b"", 0)
        pthread_mutex_destroy(&self.core.lock)
        free(self.core)

    cdef void _stop(self, int code, bytes reason, double linger_s):
        """End the threads, and free what they hold."""
        cdef const uint8_t* text
        cdef size_t n
        cdef int64_t linger_ns = <int64_t>(linger_s * 1e9)
        if self.closed:
            return
        self.closed = True
        reason = reason[: rfc.MAX_CONTROL - 2]
        text = <const uint8_t*>PyBytes_AS_STRING(reason)
        n = len(reason)
        with nogil:
            stop_lanes(self.core, code, text, n, linger_ns)
        free_lanes(self.core)
        waker_close(self.core.waker)

    def fileno(self):
        if self.closed:
            raise ValueError("the pump is closed")
        return self.core.waker[0]

    def take_events(self):
        cdef list_t terminals, clients
        cdef list events = self.taken
        if self.closed:
            return []
        waker_clear(self.core.waker)
        # No Python object is made under the lock: the collector could run, and take the lock again. What waits in these
        # lists stays linked, so a lane that has more to report of it does not put it into the outbox again.
        pthread_mutex_lock(&self.core.lock)
        list_take_all(&self.core.events, &terminals)
        list_take_all(&self.core.news, &clients)
        pthread_mutex_unlock(&self.core.lock)
        try:
            while terminals.first is not NULL:
                self._take_terminal_events(&terminals, events)
            while clients.first is not NULL:
                self._take_client_events(&clients, events)
        finally:  # after an exception the others are reported the next time
            self._put_back(&terminals, &clients)
        self.taken = []
        return events

    cdef void _put_back(self, list_t* terminals, list_t* clients) noexcept:
        """Return events that were not taken to the outbox."""
        cdef terminal_t* t
        cdef client_t* c
        if terminals.first is NULL and clients.first is NULL:
            return
        pthread_mutex_lock(&self.core.lock)
        while terminals.first is not NULL:
            t = <terminal_t*>list_take_first(terminals)
            list_put_last(&self.core.events, &t.in_events, t)
        while clients.first is not NULL:
            c = <client_t*>list_take_first(clients)
            list_put_last(&self.core.news, &c.in_news, c)
        waker_wake(self.core.waker)
        pthread_mutex_unlock(&self.core.lock)

    cdef int _take_terminal_events(self, list_t* terminals, list events) except -1:
        """Append what happened to the first terminal of the list."""
        cdef terminal_t* t
        cdef unsigned did
        cdef uint32_t bells
        cdef uint64_t number
        cdef uint8_t[rings.TITLE_MAX] title
        cdef uint8_t[rings.FOLDER_MAX] folder
        cdef size_t title_n, folder_n
        cdef engine.vt_buf marks
        cdef list_t captures
        cdef Terminal terminal
        pthread_mutex_lock(&self.core.lock)
        t = <terminal_t*>list_take_first(terminals)
        did = t.events
        t.events = 0
        bells = t.bells
        if did & DID_BELL:  # otherwise they are reported later
            t.bells = 0
        marks = t.marks
        memset(&t.marks, 0, sizeof(t.marks))
        list_take_all(&t.captures, &captures)
        number = t.id
        title_n = t.ring.header.title_n
        folder_n = t.ring.header.folder_n
        memcpy(title, t.ring.header.title, title_n)
        memcpy(folder, t.ring.header.folder, folder_n)
        terminal_unref(t)
        pthread_mutex_unlock(&self.core.lock)
        copies = take_captures(&captures)
        records = take_marks(&marks)
        terminal = self.terminals.get(number)
        if terminal is None:
            return 0
        for ticket, copy in copies:
            events.append(Event("captured", terminal, None, ticket, "", copy))
        for record in records:
            events.append(Event(_RECORDS[type(record)], terminal, None, 0, "", record))
        if did & DID_CHANGE:
            events.append(Event("changed", terminal, None, 0, ""))
        if did & DID_RESIZE:
            events.append(Event("resized", terminal, None, 0, f"{terminal.rows}x{terminal.cols}"))
        if did & DID_TITLE:
            events.append(Event("title", terminal, None, 0, decode(title, title_n)))
        if did & DID_FOLDER:
            events.append(Event("folder", terminal, None, 0, decode(folder, folder_n)))
        if did & DID_PROGRESS:
            events.append(Event("progress", terminal, None, 0, ""))
        if did & DID_POINTER:
            events.append(Event("pointer", terminal, None, 0, ""))
        if did & DID_BELL:
            events.append(Event("bell", terminal, None, bells, ""))
        if did & DID_HANG_UP:
            events.append(Event("hangup", terminal, None, 0, ""))
        if did & DID_END:
            events.append(Event("ended", terminal, None, 0, ""))
        return 0

    cdef int _take_client_events(self, list_t* clients, list events) except -1:
        """Append what happened to the first client of the list."""
        cdef client_t* c
        cdef unsigned did
        cdef uint64_t number
        cdef uint8_t[CLOSE_REASON_MAX] reason
        cdef size_t reason_n = 0
        cdef int code = 0
        cdef Client client
        pthread_mutex_lock(&self.core.lock)
        c = <client_t*>list_take_first(clients)
        did = c.news
        c.news = 0
        number = c.id
        if did & NEWS_GONE:  # the lane has let go of it, so they stay as they are
            code = c.code or rfc.CLOSE_ABNORMAL
            reason_n = c.reason_n
            memcpy(reason, c.reason, reason_n)
        client_unref(c)
        pthread_mutex_unlock(&self.core.lock)
        client = self.clients.pop(number, None) if did & NEWS_GONE else self.clients.get(number)
        if client is None:
            return 0
        if did & NEWS_CAME:
            events.append(Event("came", client.terminal, client, 0, ""))
        if did & NEWS_TYPED:
            events.append(Event("typed", client.terminal, client, 0, ""))
        if did & NEWS_GONE:
            events.append(Event("gone", client.terminal, client, code, decode(reason, reason_n)))
        return 0

    def open(self, int pty_fd, int ring_fd, *, int rows, int cols, bint awaits_client=False):
        cdef terminal_t* t = NULL
        cdef int result
        cdef Terminal terminal
        try:
            if self.closed:
                raise ValueError("the pump is closed")
            check_size(rows, cols)
            t = <terminal_t*>calloc(1, sizeof(terminal_t))
            if t is NULL:
                raise MemoryError
            if pty_fd >= 0 and set_nonblocking(pty_fd) < 0:
                raise OSError(errno, f"pty: {os.strerror(errno)}")
            result = rings.ring_open(&t.ring, ring_fd)
            if result == -1:
                raise OSError(errno, f"ring: {os.strerror(errno)}")
            if result:
                raise ValueError(
                    f"ring: expected {rings.HEADER_SIZE} bytes, a power of two from {rings.MIN_SIZE} on, and "
                    f"{rings.CHECKPOINTS * rings.CHECKPOINT_MAX} bytes"
                    if result == -2 else "ring: its header is not one of this version"
                )
        except BaseException:
            free(t)
            if pty_fd >= 0:
                close(pty_fd)
            raise
        finally:
            if ring_fd >= 0:
                close(ring_fd)
        self.ids += 1
        t.id = self.ids
        t.rows = rows
        t.cols = cols
        t.awaits_client = awaits_client
        set_up(self.core, t, pty_fd)
        with nogil:
            revive(t)
        if t.vt is NULL:
            rings.ring_close(&t.ring)
            if pty_fd >= 0:
                close(pty_fd)
            free(t)
            raise MemoryError
        terminal = Terminal.__new__(Terminal)
        terminal.pump = self
        terminal.state = t
        self.terminals[t.id] = terminal
        admit(self.core, t)
        return terminal

    def statistics(self):
        cdef Terminal terminal
        cdef int64_t queued = 0
        cdef int64_t lag = 0
        for terminal in self.terminals.values():
            queued += load_relaxed(&terminal.state.input_queued)
            lag = max(lag, load_relaxed(&terminal.state.max_lag))
        return {
            **sum_statistics(self.core),
            "clients": len(self.clients),
            "terminals": len(self.terminals),
            "input_queued": queued,
            "max_lag": lag,
        }

    def close(self, *, int code=1001, str reason="", double linger_s=1.0):
        self._stop(code, reason.encode(), linger_s)
        self.terminals.clear()
        self.clients.clear()

    cdef int post(self, terminal_t* t, Order order, client_t* client, bytes text, int a, int b) except -1:
        """Queue a command for a terminal's lane. On failure nothing is queued."""
        cdef command_t* command = <command_t*>calloc(1, sizeof(command_t))
        if command is NULL:
            raise MemoryError
        if text is not None:
            command.chunk = chunk_new(<const uint8_t*>PyBytes_AS_STRING(text), len(text))
            if command.chunk is NULL:
                free(command)
                raise MemoryError
        command.order = order
        command.client = client
        command.a = a
        command.b = b
        if self.closed or not put_command(self.core, t, command):
            free(command.chunk)
            free(command)
            raise ValueError("the terminal is closed")
        return 0


cdef int check_size(int rows, int cols) except -1:
    if not (1 <= rows <= 1000 and 1 <= cols <= 1000):
        raise ValueError(f"rows, cols: expected 1..1000, got {rows} and {cols}")
    return 0


@cython.no_gc_clear
cdef class Terminal:
    cdef Pump pump
    cdef terminal_t* state
    cdef bint closed
    cdef object __weakref__

    def __init__(self):
        raise TypeError("a Terminal is made by Pump.open")

    def __dealloc__(self):
        if self.state is not NULL:
            pthread_mutex_lock(&self.pump.core.lock)
            terminal_unref(self.state)
            pthread_mutex_unlock(&self.pump.core.lock)

    cdef str _text(self, const uint8_t* text, const uint16_t* size):
        """A title or folder of the ring's header. No Python object is made under the lock."""
        cdef uint8_t[rings.FOLDER_MAX] copy  # a folder may be longer than a title
        pthread_mutex_lock(&self.pump.core.lock)
        cdef size_t n = size[0]
        memcpy(copy, text, n)
        pthread_mutex_unlock(&self.pump.core.lock)
        return decode(copy, n)

    cdef terminal_t* live(self) except NULL:
        if self.closed or self.pump.closed:
            raise ValueError("the terminal is closed")
        return self.state

    @property
    def head(self):
        return load_acquire(&self.live().ring.header.head)

    @property
    def oldest(self):
        cdef terminal_t* t = self.live()
        cdef uint64_t head = load_acquire(&t.ring.header.head)
        return max(0, <object>head - rings.ring_capacity(&t.ring))

    @property
    def rows(self):
        return load_relaxed(&self.live().rows)

    @property
    def cols(self):
        return load_relaxed(&self.live().cols)

    @property
    def clients(self):
        return load_relaxed(&self.live().client_count)

    @property
    def title(self):
        cdef rings.Header* header = self.live().ring.header
        return self._text(header.title, &header.title_n)

    @property
    def folder(self):
        cdef rings.Header* header = self.live().ring.header
        return self._text(header.folder, &header.folder_n)

    @property
    def shown(self):
        cdef terminal_t* t = self.live()
        cdef rings.Header* header = t.ring.header
        cdef rings.Header copy
        pthread_mutex_lock(&self.pump.core.lock)
        copy.title_n, copy.folder_n = header.title_n, header.folder_n
        memcpy(copy.title, header.title, copy.title_n)
        memcpy(copy.folder, header.folder, copy.folder_n)
        memcpy(copy.pointer, header.pointer, rings.POINTER_MAX)
        copy.progress, copy.percent = header.progress, header.percent
        pthread_mutex_unlock(&self.pump.core.lock)
        return (
            load_relaxed(&t.rows),
            load_relaxed(&t.cols),
            load_relaxed(&t.client_count),
            load_acquire(&header.head),
            decode(copy.title, copy.title_n),
            decode(copy.folder, copy.folder_n),
            Progress(copy.progress, copy.percent),
            decode(copy.pointer, strlen(<const char*>copy.pointer)),
            load_relaxed(&t.last_output_ns),
            load_relaxed(&t.last_input_ns),
        )

    @property
    def bytes_in(self):
        return load_relaxed(&self.live().bytes_in)

    @property
    def last_output_ns(self):
        return load_relaxed(&self.live().last_output_ns)

    @property
    def last_input_ns(self):
        return load_relaxed(&self.live().last_input_ns)

    @property
    def max_lag(self):
        return load_relaxed(&self.live().max_lag)

    @property
    def lane(self):
        return load_relaxed(&self.live().lane_index)

    def attach(
        self, int socket_fd, bytes response not None, *, bytes received=b"", bint v1=False, bint writable=True,
        since=None, int rows=0, int cols=0, bytes client_id=b"", Py_ssize_t offset_at=0, Py_ssize_t redraw_at=0,
        bint latest=False, int scrollback=0, bytes name=b"", int64_t input_rate=0, bint deflates=False,
        bytes appearance=b"", int text=0, bytes header=b"", bytes session=b"",
    ):
        cdef client_t* c = NULL
        cdef terminal_t* t
        cdef Client client
        cdef wire.Appearance looks
        try:
            t = self.live()
            if rows or cols:
                check_size(rows, cols)
            if len(client_id) not in (0, CLIENT_ID_SIZE):
                raise ValueError(f"client_id: expected 16 bytes or none, got {len(client_id)}")
            if len(response) > CONTROL_LIMIT // 2:
                raise ValueError(f"response: expected at most {CONTROL_LIMIT // 2} bytes, got {len(response)}")
            for what, at in (("offset_at", offset_at), ("redraw_at", redraw_at)):
                if at and not 0 < at <= len(response) - OFFSET_DIGITS:
                    raise ValueError(f"{what}: expected {OFFSET_DIGITS} bytes of the response there, got {at}")
            if not 0 <= scrollback <= wire.MAX_LINES:
                raise ValueError(f"scrollback: expected 0..{wire.MAX_LINES} lines, got {scrollback}")
            if len(name) > NAME_MAX or not rfc.utf8_valid(<const uint8_t*>PyBytes_AS_STRING(name), len(name)):
                raise ValueError(f"name: expected at most {NAME_MAX} bytes of UTF-8, got {name!r}")
            if appearance and not wire.read_appearance(
                <const uint8_t*>PyBytes_AS_STRING(appearance), len(appearance), &looks
            ):
                raise ValueError(
                    f"appearance: expected {wire.APPEARANCE_FIELDS} bytes, cells of at most {wire.MAX_CELL} pixels"
                )
            if input_rate < 0:
                raise ValueError(f"input_rate: expected 0 or more bytes a second, got {input_rate}")
            if since is not None and not 0 <= since < 2**64:
                raise ValueError(f"since: expected 0..2^64-1, got {since}")
            if not 0 <= text <= EVENTS or text and (v1 or deflates):
                raise ValueError(f"text: expected 0..{EVENTS}, and no v1 or deflates with it, got {text}")
            if len(header) + len(session) > CONTROL_LIMIT // 4:
                raise ValueError(f"header, session: expected at most {CONTROL_LIMIT // 4} bytes together")
            if deflates:
                load_zlib()
            if set_nonblocking(socket_fd) < 0:
                raise OSError(errno, f"socket: {os.strerror(errno)}")
            c = <client_t*>calloc(1, sizeof(client_t) + len(name))
            if c is NULL:
                raise MemoryError
            if appearance:
                c.appearance = <wire.Appearance*>malloc(sizeof(wire.Appearance))
                if c.appearance is NULL:
                    raise MemoryError
                c.appearance[0] = looks
            if text:
                c.text = <text_t*>calloc(1, sizeof(text_t) + len(header) + len(session))
                if c.text is NULL:
                    raise MemoryError
                c.text.kind = <Text>text
                c.text.header_n = len(header)
                c.text.session_n = len(session)
                memcpy(c.text.data, PyBytes_AS_STRING(header), len(header))
                memcpy(c.text.data + len(header), PyBytes_AS_STRING(session), len(session))
            c.input.unread = chunk_new(<const uint8_t*>PyBytes_AS_STRING(received), len(received))
            if c.input.unread is NULL or not control_put(c, <const uint8_t*>PyBytes_AS_STRING(response), len(response)):
                raise MemoryError
            self.pump.ids += 1
            c.id = self.pump.ids
            c.refs = 2  # the handle's and the lane's
            c.terminal = t
            c.watch.fd = socket_fd
            c.input.slot = -1
            c.v1 = v1
            c.permitted = writable
            c.input.rate = <uint32_t>min(input_rate, <int64_t>0xFFFFFFFF)
            c.name_n = <uint8_t>len(name)
            memcpy(c.name, PyBytes_AS_STRING(name), c.name_n)
            c.rows = <uint16_t>rows
            c.cols = <uint16_t>cols
            c.has_since = since is not None
            c.since = since or 0
            c.offset_at = offset_at
            c.redraw_at = redraw_at
            c.latest = latest
            c.scrollback = scrollback
            c.has_id = len(client_id) == CLIENT_ID_SIZE
            if c.has_id:
                memcpy(c.client_id, PyBytes_AS_STRING(client_id), CLIENT_ID_SIZE)
            c.decoder.limit = MESSAGE_LIMIT
            c.decoder.masked = True
            c.decoder.deflate = c.deflates = deflates
            socket_prepare(
                socket_fd, LATEST_UNSENT if latest else LOSSLESS_UNSENT, LATEST_BUFFER if latest else 0
            )
            self.pump.post(t, ATTACH, c, None, 0, 0)
        except BaseException:
            close(socket_fd)
            if c is not NULL:
                free(c.input.unread)
                free(c.control.data)
                free(c.appearance)
                free(c.text)
                free(c)
            raise
        client = Client.__new__(Client)
        client.terminal = self
        client.state = c
        self.pump.clients[c.id] = client
        return client

    def write(self, bytes data not None):
        cdef terminal_t* t = self.live()
        if load_relaxed(&t.input_queued) + len(data) > QUEUE_LIMIT:
            raise BlockingIOError(f"input: {load_relaxed(&t.input_queued)} bytes already wait for the PTY")
        self.pump.post(t, INPUT, NULL, data, 0, 0)

    def present(self, bytes message not None):
        if len(message) > PRESENCE_MAX:
            raise ValueError(f"message: expected at most {PRESENCE_MAX} bytes, got {len(message)}")
        self.pump.post(self.live(), PRESENT, NULL, message, 0, 0)

    def note(self, bytes event not None):
        if not 0 < len(event) <= PRESENCE_MAX:
            raise ValueError(f"event: expected 1..{PRESENCE_MAX} bytes, got {len(event)}")
        self.pump.post(self.live(), NOTE, NULL, event, 0, 0)

    def watch(self, bint on):
        store_relaxed(&self.live().watched, on)

    def capture(self, int scrollback_lines=0):
        if scrollback_lines < 0:
            raise ValueError(f"scrollback_lines: expected 0 or more, got {scrollback_lines}")
        self.pump.tickets = self.pump.tickets % 0x7FFFFFFF + 1
        self.pump.post(self.live(), CAPTURE, NULL, None, scrollback_lines, self.pump.tickets)
        return self.pump.tickets

    def resize(self, int rows, int cols):
        check_size(rows, cols)
        self.pump.post(self.live(), RESIZE, NULL, None, rows, cols)

    def reset_size(self):
        self.pump.post(self.live(), RESIZE, NULL, None, 0, 0)

    def finish(self, int code, int signal=0, str reason=""):
        self.pump.post(self.live(), FINISH, NULL, reason.encode(), code, signal)

    def read(self, since=0, limit=-1):
        cdef terminal_t* t = self.live()
        cdef uint64_t head, oldest, start, n
        cdef bytes data
        cdef uint64_t capacity = rings.ring_capacity(&t.ring)
        head = load_acquire(&t.ring.header.head)
        oldest = head - capacity if head > capacity else 0
        start = min(max(oldest, max(0, since)), head)
        n = head - start if limit < 0 else min(head - start, <uint64_t>limit)
        data = PyBytes_FromStringAndSize(NULL, n)
        rings.ring_copy(&t.ring, start, <uint8_t*>PyBytes_AS_STRING(data), n)
        # The pump may have overwritten the beginning meanwhile. What follows the new oldest byte is intact.
        acquire_fence()
        head = load_acquire(&t.ring.header.head)
        oldest = head - capacity if head > capacity else 0
        if start >= oldest:
            return start, start + n, data
        if start + n <= oldest:
            return oldest, oldest, b""
        return oldest, start + n, data[oldest - start:]

    def close(self):
        if self.closed or self.pump.closed:
            self.closed = True
            return
        self.pump.post(self.state, CLOSE, NULL, None, 0, 0)
        self.closed = True
        self.pump.terminals.pop(self.state.id, None)


@cython.no_gc_clear
cdef class Client:
    cdef readonly Terminal terminal
    cdef client_t* state
    cdef object __weakref__

    def __init__(self):
        raise TypeError("a Client is made by Terminal.attach")

    def __dealloc__(self):
        if self.state is not NULL:
            pthread_mutex_lock(&self.terminal.pump.core.lock)
            client_unref(self.state)
            pthread_mutex_unlock(&self.terminal.pump.core.lock)

    @property
    def lag(self):
        return load_relaxed(&self.state.lag)

    @property
    def gone(self):
        return bool(self.state.gone)

    @property
    def writable(self):
        return load_relaxed(&self.state.permitted) != 0

    @property
    def bytes_sent(self):
        return load_relaxed(&self.state.bytes_sent)

    cdef int post(self, Order order, bytes text, int code) except -1:
        """Queue a command about this client. Nothing happens if the client or its terminal is gone."""
        cdef Pump pump = self.terminal.pump
        if pump.closed or self.state.gone:
            return 0
        pthread_mutex_lock(&pump.core.lock)
        self.state.refs += 1
        pthread_mutex_unlock(&pump.core.lock)
        try:
            pump.post(self.terminal.state, order, self.state, text, code, 0)
        except BaseException as error:
            pthread_mutex_lock(&pump.core.lock)
            client_unref(self.state)
            pthread_mutex_unlock(&pump.core.lock)
            if not isinstance(error, ValueError):
                raise
        return 0

    def permit(self, bint writable):
        if load_relaxed(&self.state.permitted) != writable:
            store_relaxed(&self.state.permitted, writable)  # the lane sees it at the next bytes or the command
            self.post(PERMIT, None, 0)

    def close(self, int code=1000, str reason=""):
        self.post(DETACH, reason.encode(), code)
