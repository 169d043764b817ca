"""Bytes on their way to one client: control bytes, then the output frame under way.

Alone writes a client's cursor, base, frame and control, and the frames that a terminal caches. (pump_attach.pxd fills
the numbers into the 101 answer that waits in control.)
"""

from libc.stdint cimport uint8_t, uint64_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcpy

from vibetunnel._ext cimport rfc6455 as rfc
from vibetunnel._ext cimport ring as rings
from vibetunnel._ext cimport v1 as wire
from vibetunnel._ext.pump_block cimport block_unref, compress, find_block, make_block
from vibetunnel._ext.pump_state cimport (
    BATCH, CACHE_RAW, CACHE_V1, CONTROL_LIMIT, DEFLATE_FRAME, DEFLATE_MIN, HEADER_MAX, LATEST_FRAME, WS_HEADER_MAX,
    block_cache_t, block_t, client_t, frame_cache_t, terminal_t,
)
from vibetunnel._ext.pump_system cimport iovec
from vibetunnel._ext.ring cimport Ring

cdef enum:
    PARTS = 4  # of one sendmsg: control bytes, header, and output on both sides of the ring's end


cdef struct parcel_t:  # what one sendmsg offers
    iovec[PARTS] parts
    size_t count
    size_t whole  # bytes in all parts
    size_t control  # control bytes, which come first
    size_t header  # bytes of the header


# ---------------------------------------------------------------- control bytes

cdef inline bint control_put(client_t* c, const uint8_t* data, size_t n) noexcept nogil:
    """Queue bytes that go out between two output frames. False: the client does not read, drop it."""
    cdef uint8_t* grown
    if c.control.n + n > CONTROL_LIMIT + c.control.uncounted:
        return False
    grown = <uint8_t*>realloc(c.control.data, c.control.n + n)
    if grown is NULL:
        return False
    memcpy(grown + c.control.n, data, n)
    c.control.data = grown
    c.control.n += n
    return True


cdef inline uint8_t* control_room(client_t* c, size_t most) noexcept nogil:
    """Room for so many bytes after the queued ones; control_wrote() queues them. NULL: there is no memory."""
    cdef uint8_t* grown = <uint8_t*>realloc(c.control.data, c.control.n + most)
    if grown is NULL:
        return NULL
    c.control.data = grown
    return grown + c.control.n


cdef inline void control_wrote(client_t* c, size_t n) noexcept nogil:
    """Queue what was written into control_room(). CONTROL_LIMIT does not count it: it is made when it can be sent."""
    cdef uint8_t* shrunk = <uint8_t*>realloc(c.control.data, c.control.n + n)
    if shrunk is not NULL:
        c.control.data = shrunk
    c.control.n += n
    c.control.uncounted += n


cdef inline bint put_frame(
    client_t* c, uint8_t opcode, const uint8_t* head, size_t head_n, const uint8_t* data, size_t n
) noexcept nogil:
    """Queue a whole frame, whose payload is given in two parts. False: drop the client."""
    cdef uint8_t[WS_HEADER_MAX] header
    cdef int header_n = rfc.write_header(header, opcode, True, head_n + n)
    if c.control.n + header_n + head_n + n > CONTROL_LIMIT + c.control.uncounted:
        return False  # before the first byte: half a frame would spoil the stream
    return (
        control_put(c, header, header_n)
        and (head_n == 0 or control_put(c, head, head_n))
        and (n == 0 or control_put(c, data, n))
    )


cdef inline bint put_big(client_t* c, const uint8_t* head, size_t head_n, const uint8_t* data, size_t n) noexcept nogil:
    """Queue a binary frame that CONTROL_LIMIT does not count: only one at a time is made, when it can be sent."""
    cdef uint8_t[WS_HEADER_MAX] header
    cdef block_t* block
    cdef bint done
    if c.deflates:
        block = compress(c.terminal, head, head_n, data, n, NULL, 0)
        if block is not NULL:
            c.control.uncounted += block.n
            done = control_put(c, block.data, block.n)
            block_unref(c.terminal.lane, block)
            return done
    c.control.uncounted += rfc.write_header(header, rfc.OP_BINARY, True, head_n + n) + head_n + n
    return put_frame(c, rfc.OP_BINARY, head, head_n, data, n)


# ---------------------------------------------------------------- the frame under way

cdef inline bint between_frames(client_t* c) noexcept nogil:
    return c.cursor == c.frame.end and c.frame.header_sent == c.frame.header_n


cdef inline bint is_untouched(client_t* c) noexcept nogil:
    """Whether nothing of the frame under way has been sent."""
    if c.frame.block is not NULL:
        return c.frame.block_sent == 0
    return c.frame.header_n > 0 and c.frame.header_sent == 0


cdef inline bint needs_ring(client_t* c) noexcept nogil:
    """Whether it is in the middle of a frame whose rest is only in the ring."""
    return c.cursor < c.frame.end and c.frame.block is NULL


cdef inline void frame_place(client_t* c, uint64_t offset) noexcept nogil:
    """Go on with the output at `offset`, with no frame under way."""
    c.cursor = c.frame.end = offset
    c.frame.header_n = c.frame.header_sent = 0


cdef inline void frame_skip(client_t* c, uint64_t offset) noexcept nogil:
    """After a redraw or damage: go on with the output that is not in it."""
    frame_place(c, offset)
    c.base = offset


cdef inline void block_leave(client_t* c) noexcept nogil:
    """Let go of a compressed frame, sent or not."""
    block_unref(c.terminal.lane, c.frame.block)
    c.frame.block = NULL


cdef inline bint frame_compressed(client_t* c, uint64_t* end) noexcept nogil:
    """Begin a compressed frame that ends at `end` or before. False: send it uncompressed, up to `end` as set here."""
    cdef int kind = CACHE_V1 if c.v1 else CACHE_RAW
    cdef block_cache_t* cached = find_block(c.terminal, kind, c.cursor, end[0])
    if cached is NULL:
        end[0] = min(end[0], (c.cursor | (DEFLATE_FRAME - 1)) + 1)
        if end[0] - c.cursor < DEFLATE_MIN:
            return False
        cached = make_block(c.terminal, kind, c.cursor, end[0])
    end[0] = cached.end
    if cached.block is NULL:
        return False
    c.frame.block = cached.block
    c.frame.block.refs += 1
    c.frame.block_sent = 0
    c.frame.end = cached.end
    return True


cdef inline void frame_start(client_t* c, uint64_t end) noexcept nogil:
    """Begin an output frame that ends at `end` or before. Clients at the start of a batch share its header."""
    cdef terminal_t* t = c.terminal
    cdef frame_cache_t* cached = &t.frames[CACHE_V1 if c.v1 else CACHE_RAW]
    cdef uint8_t[HEADER_MAX] head
    cdef size_t head_n = 0
    t.lane.statistics.frames_out += 1
    if c.deflates:
        if frame_compressed(c, &end):
            return
    else:
        end = min(end, c.cursor + (LATEST_FRAME if c.latest else BATCH) - (wire.OUTPUT_HEADER if c.v1 else 0))
    if cached.start != c.cursor or cached.end != end:
        cached.start = c.cursor
        cached.end = end
        if c.v1:
            head_n = wire.write_output_header(head, c.cursor)
        cached.n = <uint8_t>rfc.write_header(cached.data, rfc.OP_BINARY, True, head_n + end - c.cursor)
        memcpy(cached.data + cached.n, head, head_n)
        cached.n += <uint8_t>head_n
    memcpy(c.frame.header, cached.data, cached.n)
    c.frame.header_n = cached.n
    c.frame.header_sent = 0
    c.frame.end = end


cdef inline void frame_cancel(client_t* c) noexcept nogil:
    """Forget the frame under way. None of its bytes may have been sent."""
    if c.frame.block is not NULL:
        block_leave(c)
    frame_place(c, c.cursor)
    c.terminal.lane.statistics.frames_out -= 1


cdef inline bint frame_spill(client_t* c) noexcept nogil:
    """Copy the rest of the frame under way out of the ring, which is about to overwrite it. False: drop the client."""
    cdef terminal_t* t = c.terminal
    cdef size_t header_left = c.frame.header_n - c.frame.header_sent
    cdef size_t body = c.frame.end - c.cursor
    cdef size_t rest = c.control.n - c.control.sent
    cdef uint8_t* data
    if header_left == 0 and body == 0:
        return True
    data = <uint8_t*>malloc(header_left + body + rest)
    if data is NULL:
        return False
    memcpy(data, c.frame.header + c.frame.header_sent, header_left)
    rings.ring_copy(&t.ring, c.cursor, data + header_left, body)
    if rest:
        memcpy(data + header_left + body, c.control.data + c.control.sent, rest)
    free(c.control.data)
    c.control.data = data
    c.control.n = header_left + body + rest
    c.control.sent = 0
    c.control.uncounted += header_left + body
    frame_place(c, c.frame.end)
    return True


# ---------------------------------------------------------------- one sendmsg

cdef inline void parcel_add(parcel_t* parcel, void* data, size_t n) noexcept nogil:
    parcel.parts[parcel.count].iov_base = data
    parcel.parts[parcel.count].iov_len = n
    parcel.count += 1
    parcel.whole += n


cdef inline void gather(client_t* c, bint between, parcel_t* parcel) noexcept nogil:
    """Collect the next bytes to send. Control bytes are among them only if this begins between two frames."""
    cdef Ring* r = &c.terminal.ring
    cdef uint64_t start, run
    parcel.count = parcel.whole = parcel.control = 0
    if between and c.control.n:
        parcel.control = c.control.n - c.control.sent
        parcel_add(parcel, c.control.data + c.control.sent, parcel.control)
    parcel.header = c.frame.header_n - c.frame.header_sent
    if parcel.header:
        parcel_add(parcel, c.frame.header + c.frame.header_sent, parcel.header)
    if c.cursor == c.frame.end:
        return
    if c.frame.block is not NULL:
        parcel_add(parcel, c.frame.block.data + c.frame.block_sent, c.frame.block.n - c.frame.block_sent)
        return
    start = c.cursor & (r.size - 1)
    run = min(c.frame.end - c.cursor, r.size - start)
    parcel_add(parcel, r.data + start, run)
    if run < c.frame.end - c.cursor:  # the frame goes on at the ring's beginning
        parcel_add(parcel, r.data, c.frame.end - c.cursor - run)


cdef inline void parcel_sent(client_t* c, const parcel_t* parcel, size_t n) noexcept nogil:
    """The socket took the first n of the gathered bytes."""
    cdef size_t run
    if parcel.control:
        run = min(n, parcel.control)
        c.control.sent += run
        n -= run
        if c.control.sent == c.control.n:
            free(c.control.data)
            c.control.data = NULL
            c.control.n = c.control.sent = c.control.uncounted = 0
    if c.frame.block is not NULL:
        c.frame.block_sent += n
        if c.frame.block_sent == c.frame.block.n:  # its output counts as sent when all of the block is
            block_leave(c)
            c.cursor = c.frame.end
    else:
        run = min(n, parcel.header)
        c.frame.header_sent += <uint8_t>run
        c.cursor += n - run
