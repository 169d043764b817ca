# cython: cdivision=True
"""Output as text: to clients that take WebSocket text frames, or server-sent events in place of frames.

Text has no frame that could point into the ring. A piece of output is decoded into the control bytes, one piece at a
time, so what such a client costs is bounded whether it reads or not.
"""

from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.string cimport memcpy, memmove, strlen

from vibetunnel._ext cimport rfc6455 as rfc
from vibetunnel._ext cimport ring as rings
from vibetunnel._ext cimport text
from vibetunnel._ext.pump_frame cimport control_put, control_room, control_wrote, frame_place, put_frame
from vibetunnel._ext.pump_state cimport (
    DUE_NOTE, DUE_NOTICES, DUE_SIZE, EVENTS, LATEST_FRAME, OPEN, WS_HEADER_MAX, client_t, terminal_t, text_t,
)
from vibetunnel._ext.ring cimport Ring


cdef inline bint is_stream(client_t* c) noexcept nogil:
    """Whether it gets server-sent events: it is no WebSocket, and sends nothing."""
    return c.text is not NULL and c.text.kind == EVENTS


cdef inline uint64_t text_end(client_t* c) noexcept nogil:
    """The offset up to which output may be decoded: not into a character that may still be finished."""
    cdef terminal_t* t = c.terminal
    cdef uint8_t[text.UNFINISHED_MAX] last
    cdef uint64_t n = min(t.ring.head - c.cursor, <uint64_t>text.UNFINISHED_MAX)
    if t.ended:
        return t.ring.head
    rings.ring_copy(&t.ring, t.ring.head - n, last, n)
    return t.ring.head - text.unfinished(last, n)


cdef inline int64_t age_ms(client_t* c) noexcept nogil:
    """How long it has been attached."""
    return (c.terminal.lane.now - c.text.began_ns) // 1000000


cdef inline bint is_settling(client_t* c) noexcept nogil:
    """Whether it is a stream that has just been attached: it asks for its own size only after it has got the screen."""
    return is_stream(c) and c.terminal.lane.now - c.text.began_ns < c.terminal.core.settle_ns


cdef inline bint put_piece(
    client_t* c, uint64_t offset, int64_t ms, const char* prefix, const uint8_t* data, size_t n
) noexcept nogil:
    """Queue a piece of output, or a redraw, that ends at `offset`. False: drop the client.

    prefix  text before it, in the form that the client takes
    """
    cdef uint8_t[WS_HEADER_MAX] header
    cdef size_t at, header_n
    cdef size_t prefix_n = strlen(prefix)
    cdef uint8_t* out = control_room(c, text.EVENT_HEAD_MAX + prefix_n + text.JSON_GROWTH * n)
    if out is NULL:
        return False
    if is_stream(c):
        at = text.begin_output(out, offset, ms)
        memcpy(out + at, prefix, prefix_n)
        at += prefix_n
        at += text.put_json(out + at, data, n)
        at += text.end_output(out + at)
    else:
        memcpy(out + WS_HEADER_MAX, prefix, prefix_n)
        at = prefix_n + text.put_text(out + WS_HEADER_MAX + prefix_n, data, n)
        header_n = <size_t>rfc.write_header(header, rfc.OP_TEXT, True, at)
        memmove(out + header_n, out + WS_HEADER_MAX, at)
        memcpy(out, header, header_n)
        at += header_n
    control_wrote(c, at)
    return True


cdef inline size_t contiguous(Ring* r, uint64_t start, uint64_t n, uint8_t* edge, const uint8_t** data) noexcept nogil:
    """Find output that lies together in memory, and its size. edge: room for a character at the ring's end."""
    cdef uint64_t at = start & (r.size - 1)
    cdef uint64_t run = min(n, r.size - at)
    data[0] = r.data + at
    if run == n:
        return <size_t>run
    run -= text.unfinished(data[0], <size_t>run)
    if run:
        return <size_t>run
    run = min(n, <uint64_t>(text.UNFINISHED_MAX + 1))
    rings.ring_copy(r, start, edge, run)
    data[0] = edge
    return <size_t>(run if run == n else run - text.unfinished(edge, <size_t>run))


cdef inline bint put_output(client_t* c, uint64_t end, uint64_t* share) noexcept nogil:
    """Queue the next piece of output before `end`, if none waits. share: grows by its bytes. False: drop the client."""
    cdef uint8_t[text.UNFINISHED_MAX + 1] edge
    cdef const uint8_t* data
    cdef size_t n = <size_t>min(end - c.cursor, <uint64_t>LATEST_FRAME)
    if c.control.n:
        return True
    n = contiguous(&c.terminal.ring, c.cursor, n, edge, &data)
    if c.cursor + n < end:
        n -= text.unfinished(data, n)
    if not put_piece(c, c.cursor + n, age_ms(c), b"", data, n):
        return False
    c.terminal.lane.statistics.frames_out += 1
    frame_place(c, c.cursor + n)
    share[0] += n
    return True


cdef inline size_t undecided(client_t* c, const uint8_t* data, size_t n) noexcept nogil:
    """How many bytes at the end of a redraw are an unfinished character: the stream goes on before it."""
    return text.unfinished(data, n) if c.text is not NULL else 0


cdef inline bint put_screen(client_t* c, const uint8_t* data, size_t n) noexcept nogil:
    """Queue a redraw that ends at the cursor, after a reset: the client's terminal may show something else."""
    return put_piece(c, c.cursor, 0, b"\\u001bc" if is_stream(c) else b"\x1bc", data, n)


# ---------------------------------------------------------------- events

cdef inline bint put_note(client_t* c) noexcept nogil:
    """Queue the newest event of Python's, if there is one."""
    c.due &= ~DUE_NOTE
    return c.terminal.note is NULL or control_put(c, c.terminal.note.data, c.terminal.note.n)


cdef inline bint put_header(client_t* c) noexcept nogil:
    """Queue the first event: a header of asciicast v2, with the size as it is now."""
    cdef uint8_t[text.EVENT_HEAD_MAX] head
    cdef text_t* own = c.text
    return (
        control_put(c, head, text.begin_header(head, c.terminal.rows, c.terminal.cols))
        and control_put(c, own.data, own.header_n)
        and control_put(c, b"\n\n", 2)
    )


cdef inline bint put_events(client_t* c) noexcept nogil:
    """Queue what is due: the size, the event of Python's. False: drop the client."""
    cdef uint8_t[text.EVENT_HEAD_MAX] event
    cdef unsigned due = c.due
    c.due &= ~(DUE_NOTICES & ~DUE_NOTE)
    if c.close_state != OPEN:
        return True
    if due & DUE_SIZE and not control_put(
        c, event, text.put_resized(event, age_ms(c), c.terminal.rows, c.terminal.cols)
    ):
        return False
    return not (due & DUE_NOTE and c.control.n == 0) or put_note(c)  # a newer one replaces one that waits


cdef inline bint put_exit(client_t* c) noexcept nogil:
    """Queue the last event."""
    cdef uint8_t[text.EVENT_HEAD_MAX] head
    cdef text_t* own = c.text
    return (
        control_put(c, head, text.begin_exit(head, c.terminal.exit_code))
        and control_put(c, own.data + own.header_n, own.session_n)
        and control_put(c, b'"]\n\n', 4)
    )


cdef inline bint put_sign_of_life(client_t* c) noexcept nogil:
    """Queue a ping, or for a stream a comment."""
    return control_put(c, b":\n\n", 3) if is_stream(c) else put_frame(c, rfc.OP_PING, NULL, 0, NULL, 0)
