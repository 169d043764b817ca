"""The pure parts of the pump for Python: tests and tools. The pump itself uses the .pxd files."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.errno cimport errno
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

import os
from collections import namedtuple

from vibetunnel._ext cimport backlog
from vibetunnel._ext cimport deflate as deflates
from vibetunnel._ext cimport raw
from vibetunnel._ext cimport ring as rings
from vibetunnel._ext cimport text as texts
from vibetunnel._ext cimport typed as typings
from vibetunnel._ext cimport v1
from vibetunnel._ext.lists cimport (
    is_linked, link_t, list_next, list_put_first, list_put_last, list_remove, list_t, list_take_all,
    list_take_first,
)


cdef inline const uint8_t* bytes_of(bytes data):
    return <const uint8_t*>PyBytes_AS_STRING(data)


cdef inline bytes text_of(const uint8_t* data, size_t n):
    return PyBytes_FromStringAndSize(<const char*>data, n)


# ---------------------------------------------------------------- vibetunnel.v1

def hello(int flags, int rows, int cols, uint64_t start, uint64_t live, uint64_t accepted, uint32_t window):
    cdef uint8_t[64] out
    return text_of(out, v1.write_hello(out, flags, rows, cols, start, live, accepted, window))


def output(uint64_t offset, bytes data not None):
    cdef uint8_t[16] out
    return text_of(out, v1.write_output_header(out, offset)) + data


def damage(uint64_t offset, uint64_t top, uint64_t oldest, bytes data not None):
    cdef uint8_t[32] out
    return text_of(out, v1.write_damage_header(out, offset, top, oldest)) + data


def redraw(uint64_t offset, uint64_t top, uint64_t oldest, int rows, int cols, int flags, bytes data not None):
    cdef uint8_t[32] out
    return text_of(out, v1.write_redraw_header(out, offset, top, oldest, rows, cols, flags)) + data


def lines(uint64_t first, uint32_t count, uint64_t oldest, int flags, bytes data not None):
    cdef uint8_t[32] out
    return text_of(out, v1.write_lines_header(out, first, count, oldest, flags)) + data


def resize(int rows, int cols, int flags):
    cdef uint8_t[8] out
    return text_of(out, v1.write_resize(out, rows, cols, flags))


def exited(int code, int signal, bytes reason not None):
    cdef uint8_t[8] out
    return text_of(out, v1.write_exit_header(out, code, signal)) + reason


def error(int code, bytes text not None):
    cdef uint8_t[8] out
    return text_of(out, v1.write_error_header(out, code)) + text


def accepted(uint64_t offset):
    cdef uint8_t[16] out
    return text_of(out, v1.write_accepted(out, offset))


def access(int flags, bytes name not None):
    cdef uint8_t[8] out
    return text_of(out, v1.write_access_header(out, flags)) + name


def read_request(bytes message not None):
    """Return (kind, offset, rows, cols, flags, count, data); None: unknown type. ValueError if it is malformed."""
    cdef v1.Request request
    memset(&request, 0, sizeof(request))
    cdef int known = v1.read_request(bytes_of(message), len(message), &request)
    if known < 0:
        raise ValueError("malformed message")
    if known == 0:
        return None
    return (
        request.kind, request.offset, request.rows, request.cols, request.flags, request.count,
        text_of(request.data, request.n),
    )


def read_appearance(bytes message not None):
    """Return (dark, cell_height, cell_width, colours). ValueError if it is malformed."""
    cdef v1.Request request
    memset(&request, 0, sizeof(request))
    if v1.read_request(bytes_of(message), len(message), &request) <= 0 or request.kind != v1.APPEARANCE:
        raise ValueError("malformed message")
    looks = request.appearance
    return bool(looks.dark), looks.cell_height, looks.cell_width, tuple(looks.colours)


# ---------------------------------------------------------------- output as text

def text_of_output(bytes data not None):
    """(whether more bytes may finish a character at the end: how many bytes it has so far, text, inside of JSON)."""
    cdef size_t n = len(data)
    cdef bytearray out = bytearray(texts.JSON_GROWTH * n + 1)
    cdef uint8_t* room = <uint8_t*><char*>out
    plain = bytes(out[: texts.put_text(room, bytes_of(data), n)])
    escaped = bytes(out[: texts.put_json(room, bytes_of(data), n)])
    return texts.unfinished(bytes_of(data), n), plain, escaped


# ---------------------------------------------------------------- the JSON objects of raw mode

def read_object(bytes text not None):
    """Return ("input", bytes), ("resize", rows, cols), ("ping",), ("bad",), or None if the whole text is input."""
    cdef raw.Object found
    cdef bytearray own = bytearray(text)
    cdef int kind = raw.read_object(<uint8_t*><char*>own, len(own), &found)
    if kind == raw.OBJECT_NONE:
        if own != text:
            raise AssertionError("a text that is not an object was changed")
        return None
    if kind == raw.OBJECT_INPUT:
        return "input", text_of(found.data, found.n)
    if kind == raw.OBJECT_RESIZE:
        return "resize", found.rows, found.cols
    return ("ping",) if kind == raw.OBJECT_PING else ("bad",)


# ---------------------------------------------------------------- typed or reported

cdef class Typing:
    """The messages of one client, of which some may be reports of its terminal."""

    cdef typings.Report report

    def typed(self, bytes message not None):
        return bool(typings.is_typed(&self.report, bytes_of(message), len(message)))


# ---------------------------------------------------------------- the ring

cdef class Ring:
    """A mapped ring. The caller keeps and closes `fd`."""

    cdef rings.Ring state

    MARGIN = rings.MARGIN

    def __cinit__(self, int fd):
        cdef int result = rings.ring_open(&self.state, fd)
        if result == -1:
            raise OSError(errno, os.strerror(errno))
        if result:
            raise ValueError("size" if result == -2 else "header")

    def __dealloc__(self):
        rings.ring_close(&self.state)

    @property
    def head(self):
        return self.state.head

    @property
    def oldest(self):
        return rings.ring_oldest(&self.state)

    @property
    def capacity(self):
        return rings.ring_capacity(&self.state)

    def put(self, bytes data not None, *, bint commit=True):
        """Write at most MARGIN bytes at the head, as a read() would. Without `commit` the head does not move."""
        cdef uint64_t start = self.state.head & (self.state.size - 1)
        cdef uint64_t first = min(<uint64_t>len(data), self.state.size - start)
        if len(data) > rings.MARGIN:
            raise ValueError(f"expected at most {rings.MARGIN} bytes, got {len(data)}")
        memcpy(self.state.data + start, bytes_of(data), first)
        memcpy(self.state.data, bytes_of(data) + first, len(data) - first)
        if commit:
            rings.ring_commit(&self.state, len(data))

    def copy(self, uint64_t offset, uint64_t n):
        if not rings.ring_oldest(&self.state) <= offset <= offset + n <= self.state.head:
            raise ValueError("not kept")
        cdef bytes out = PyBytes_FromStringAndSize(NULL, n)
        rings.ring_copy(&self.state, offset, <uint8_t*>PyBytes_AS_STRING(out), n)
        return out

    def checkpoint(self, uint64_t offset, int rows, int cols, bytes data not None):
        if len(data) > rings.CHECKPOINT_MAX:
            raise ValueError(f"expected at most {rings.CHECKPOINT_MAX} bytes, got {len(data)}")
        rings.checkpoint_write(&self.state, offset, 0, rows, cols, bytes_of(data), len(data))

    def found(self):
        """(offset, rows, cols, data) of the checkpoint from which a new server starts, or None."""
        cdef int i = rings.checkpoint_find(&self.state)
        if i < 0:
            return None
        cdef rings.Checkpoint* c = &self.state.header.checkpoints[i]
        return c.offset, c.rows, c.cols, text_of(rings.checkpoint_data(&self.state, i), c.n)

    def slot(self, bytes client not None, uint32_t taken=0):
        """(index or -1, whether it is new) of the slot for a client's input stream."""
        cdef bint fresh = False
        if len(client) != 16:
            raise ValueError("client: expected 16 bytes")
        cdef int index = rings.slot_find(&self.state, bytes_of(client), taken, &fresh)
        return index, bool(fresh)


# ---------------------------------------------------------------- the backlog

Place = namedtuple(
    "Place",
    ["cursor", "drawn", "window", "step", "latest", "returning", "closing", "in_ring", "is_interrupted"],
    defaults=[0, 0, False, False, False, False, False],
)
Judged = namedtuple("Judged", ["caught_up", "behind", "sendable", "owed", "blocks", "has_room"])


cdef backlog.Place read_place(object place):
    cdef backlog.Place p
    p.cursor = place.cursor
    p.drawn = place.drawn
    p.latest = place.latest
    p.closing = place.closing
    p.in_ring = place.in_ring
    p.is_interrupted = place.is_interrupted
    return p


cdef class Backlog:
    """One terminal's backpressure rule, and the gate of its PTY."""

    cdef backlog.Bounds bounds
    cdef backlog.Gate gate

    def __cinit__(self, *, uint64_t capacity, uint64_t batch, uint64_t high, uint64_t low):
        self.bounds.capacity = capacity
        self.bounds.batch = batch
        self.bounds.high = high
        self.bounds.low = low

    @property
    def paused(self):
        return bool(self.gate.paused)

    def judge(self, uint64_t head, place):
        cdef backlog.Place p = read_place(place)
        cdef const backlog.Bounds* b = &self.bounds
        return Judged(
            bool(backlog.has_caught_up(b, head, p.cursor)),
            bool(p.latest and backlog.is_behind(b, head, p.cursor, place.returning)),
            backlog.sendable(head, p.drawn, place.window, place.step),
            backlog.owed(head, &p),
            bool(backlog.blocks(b, head, &p)),
            bool(backlog.has_room(p.cursor, p.drawn, place.window)),
        )

    def decide(self, uint64_t head, list places not None):
        """(whether to pause, indexes of the places to spill). Spilled places do not count for the pause."""
        cdef backlog.Tally tally
        cdef backlog.Place p
        cdef list spilled = []
        backlog.tally_start(&tally, head)
        for i, place in enumerate(places):
            p = read_place(place)
            if backlog.tally_add(&tally, &self.bounds, head, &p) == backlog.SPILL:
                spilled.append(i)
        return backlog.decide(&self.bounds, head, &tally) == backlog.PAUSE, spilled

    def pause(self, int blockers):
        self.gate.paused = True
        self.gate.blockers = blockers

    def opens(self, uint64_t head, place, bint blocking):
        """(whether the PTY may run again, whether the gate still counts the client)."""
        cdef backlog.Place p = read_place(place)
        cdef uint8_t counted = blocking
        cdef bint runs = backlog.gate_opens(
            &self.gate, &self.bounds, backlog.owed(head, &p), p.is_interrupted, &counted
        )
        return bool(runs), bool(counted)


# ---------------------------------------------------------------- intrusive lists

cdef enum:
    LINKS = 12


cdef class Lists:
    """Two intrusive lists, and things 0 to LINKS - 1 with a link each (list.h)."""

    cdef list_t[2] lists
    cdef link_t[LINKS] links

    def linked(self, int thing):
        return bool(is_linked(&self.links[thing]))

    def put_first(self, int which, int thing):
        list_put_first(&self.lists[which], &self.links[thing], &self.links[thing])

    def put_last(self, int which, int thing):
        list_put_last(&self.lists[which], &self.links[thing], &self.links[thing])

    def remove(self, int which, int thing):
        list_remove(&self.lists[which], &self.links[thing])

    def take_first(self, int which):
        """The thing, or None."""
        cdef void* owner = list_take_first(&self.lists[which])
        return None if owner is NULL else <link_t*>owner - self.links

    def take_all(self, int which):
        """Move all to the other list, which must be empty."""
        list_take_all(&self.lists[which], &self.lists[1 - which])

    def walk(self, int which, set leave not None):
        """The things that a loop comes to, while its body removes those of `leave` as it stands at them."""
        cdef link_t* at = self.lists[which].first
        cdef link_t* link
        cdef list found = []
        while at is not NULL:
            link = <link_t*>list_next(&at)
            found.append(link - self.links)
            if found[-1] in leave:
                list_remove(&self.lists[which], link)
        return found


# ---------------------------------------------------------------- permessage-deflate

cdef class Codec:
    """A lane's codec for compressed messages: one stream for each direction."""

    cdef deflates.Deflater deflater
    cdef deflates.Inflater inflater

    def __cinit__(self):
        memset(&self.deflater, 0, sizeof(self.deflater))
        memset(&self.inflater, 0, sizeof(self.inflater))
        cdef const char* error = deflates.zlib_load()
        if error is not NULL:
            raise OSError((<bytes>error).decode("utf-8", "replace"))

    def __dealloc__(self):
        deflates.deflater_free(&self.deflater)
        deflates.inflater_free(&self.inflater)

    def deflate(self, list pieces not None, Py_ssize_t room):
        """Compress a message of up to eight pieces. None if that needs more than room - 5 bytes."""
        cdef deflates.Piece[8] all
        cdef bytearray out = bytearray(room)
        cdef int i
        cdef size_t n
        if len(pieces) > 8:
            raise ValueError(f"pieces: expected at most 8, got {len(pieces)}")
        for i in range(len(pieces)):
            all[i].data = bytes_of(pieces[i])
            all[i].n = len(<bytes>pieces[i])
        n = deflates.deflate_message(&self.deflater, all, len(pieces), <uint8_t*><char*>out, room)
        return bytes(out[:n]) if n else None

    def inflate(self, bytes payload not None, Py_ssize_t limit):
        """Inflate a message. ValueError with the close code if it is incomplete, or longer than the limit."""
        cdef bytearray out = bytearray(limit + 1)
        cdef size_t n = 0
        cdef int result = deflates.inflate_message(
            &self.inflater, bytes_of(payload), len(payload), <uint8_t*><char*>out, limit, &n
        )
        if result < 0:
            raise ValueError(-result)
        return bytes(out[:n])
