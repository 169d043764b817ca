# cython: cdivision=True
"""A client comes: where its output begins, its input stream, the greeting, and the screen.

All of it happens in one turn, so no output can slip past between the screen and what follows it.
"""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

from vibetunnel._ext cimport rfc6455 as rfc
from vibetunnel._ext cimport ring as rings
from vibetunnel._ext cimport v1 as wire
from vibetunnel._ext cimport vt as engine
from vibetunnel._ext.pump_backlog cimport client_link, drop, is_viewer, pace, stop_awaiting
from vibetunnel._ext.pump_frame cimport frame_place, put_frame
from vibetunnel._ext.pump_outbox cimport announce, note_heard, rewatch
from vibetunnel._ext.pump_output cimport may_claim_size, own_size
from vibetunnel._ext.pump_receive cimport find_streams, receive_unread
from vibetunnel._ext.pump_send cimport (
    ask_lines, flush, put_access, put_presence, put_redraw, put_text_close,
)
from vibetunnel._ext.pump_state cimport (
    DUE_TITLE, LATEST_WINDOW, NEWS_CAME, OFFSET_DIGITS, SOCKET, V1_HEAD_MAX, client_t, terminal_t,
)
from vibetunnel._ext.pump_text cimport is_stream, put_header, put_note
from vibetunnel._ext.pump_system cimport POLLER_READ
from vibetunnel._ext.ring cimport load_relaxed


cdef inline bint place_start(terminal_t* t, client_t* c) noexcept nogil:
    """Set where the client's output begins. True: it needs no redraw.

    A client that comes back gets exactly the bytes after `since`, if the ring keeps them and the size is what it was
    then. A terminal on which nothing was ever printed needs no redraw either.
    """
    cdef bint kept = c.has_since and max(rings.ring_oldest(&t.ring), t.ring.header.resized) <= c.since <= t.ring.head
    kept = kept and (not is_viewer(c) or engine.vt_continues(t.vt, c.since))
    c.returning = kept
    c.view.offset = <uint64_t>-1
    frame_place(c, c.since if kept else engine.vt_offset(t.vt))
    c.acked = c.cursor
    return kept or t.ring.head == 0


cdef inline uint64_t find_stream(terminal_t* t, client_t* c) noexcept nogil:
    """Find the client's input stream, or give it one. Returns how much of it the PTY has taken."""
    cdef client_t* other
    cdef uint32_t taken
    cdef bint fresh = False
    cdef int known
    c.input.slot = -1
    if not c.has_id:
        return 0
    if not c.writable:  # its offsets go on, but only a client that may type has them remembered
        known = rings.slot_known(&t.ring, c.client_id)
        if known >= 0:
            c.input.next = c.input.accepted_told = t.ring.header.slots[known].accepted
        return c.input.next
    other = find_streams(t, c.client_id, &taken)
    if other is not NULL:  # it is back before its old connection was missed
        put_text_close(other, rfc.CLOSE_AWAY, b"this client is back on another connection")
        flush(other)
    c.input.slot = rings.slot_find(&t.ring, c.client_id, taken, &fresh)
    if c.input.slot < 0:
        return 0
    if fresh:
        t.slot_next[c.input.slot] = 0
    c.input.accepted_told = t.ring.header.slots[c.input.slot].accepted
    return c.input.accepted_told


cdef inline bint greet_v1(terminal_t* t, client_t* c, uint64_t accepted, bint redraws) noexcept nogil:
    """Queue hello, its rights, the presence message, and the screen. False: drop the client."""
    cdef uint8_t[V1_HEAD_MAX] message
    cdef uint8_t flags = (wire.MAY_TYPE if c.writable else 0) | (wire.OWNS_SIZE if t.owner == c else 0)
    cdef size_t n = wire.write_hello(
        message, flags, <uint16_t>t.rows, <uint16_t>t.cols, c.cursor, t.ring.head, accepted, <uint32_t>c.window
    )
    put_frame(c, rfc.OP_BINARY, message, n, NULL, 0)
    put_access(c)
    put_presence(c)
    c.greeted = True
    if t.ring.header.title_n:
        c.due |= DUE_TITLE
    if redraws:
        if not put_redraw(c, 0):
            return False
        if c.scrollback:
            ask_lines(c, engine.vt_top(t.vt), c.scrollback)
    return True


cdef inline void write_fixed(uint8_t* out, uint64_t value) noexcept nogil:
    """An offset in OFFSET_DIGITS decimal digits, with leading zeros."""
    cdef int i
    for i in range(OFFSET_DIGITS):
        out[OFFSET_DIGITS - 1 - i] = <uint8_t>(48 + value % 10)
        value //= 10


cdef inline bint greet_raw(terminal_t* t, client_t* c, bint redraws) noexcept nogil:
    """Queue the screen, and fill in the numbers that the response announces. False: drop the client."""
    if c.offset_at:
        write_fixed(c.control.data + c.offset_at, c.cursor)
    if redraws:
        if not put_redraw(c, c.scrollback):
            return False
        if c.redraw_at:
            write_fixed(c.control.data + c.redraw_at, t.lane.buffer.n)
    return True


cdef inline bint greet_stream(terminal_t* t, client_t* c, bint redraws) noexcept nogil:
    """Queue the header, the event of Python's, and the screen. False: drop the client."""
    c.greeted = True
    if not put_header(c) or not put_note(c):
        return False
    return not redraws or put_redraw(c, c.scrollback)


cdef inline bint greet(terminal_t* t, client_t* c, uint64_t accepted, bint redraws) noexcept nogil:
    """Queue what a client gets first. False: drop it."""
    if c.v1:
        return greet_v1(t, c, accepted, redraws)
    return greet_stream(t, c, redraws) if is_stream(c) else greet_raw(t, c, redraws)


cdef inline void attach(terminal_t* t, client_t* c) noexcept nogil:
    """Link a client in, greet it, and send the screen or the output that it missed."""
    cdef bint up_to_date = place_start(t, c)
    cdef bint resized = False
    cdef uint64_t accepted
    c.watch.kind = SOCKET
    c.watch.owner = c
    c.window = min(t.bounds.high, <uint64_t>LATEST_WINDOW) if c.latest else t.bounds.high
    c.writable = load_relaxed(&c.permitted) != 0
    if c.text is not NULL:
        c.text.began_ns = t.lane.now
    note_heard(c)
    accepted = find_stream(t, c)
    client_link(c)
    announce(c, NEWS_CAME)
    stop_awaiting(t)
    if c.writable and c.rows and may_claim_size(t, c):
        resized = c.rows != t.rows or c.cols != t.cols
        own_size(t, c)
    if not rewatch(t.lane, &c.watch, POLLER_READ):
        drop(c)
        return
    if not greet(t, c, accepted, not up_to_date or c.v1 and resized and t.ring.head > 0):
        drop(c)
        return
    if t.closing and not t.finished:
        put_text_close(c, wire.CLOSE_SESSION_REMOVED, b"session removed")
    flush(c)
    receive_unread(c)
    pace(t)
