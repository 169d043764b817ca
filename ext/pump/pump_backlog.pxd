"""How far each client is behind, and so whether its PTY and the client itself are read."""

from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

from vibetunnel._ext cimport backlog
from vibetunnel._ext cimport rfc6455 as rfc
from vibetunnel._ext cimport ring as rings
from vibetunnel._ext cimport vt as engine
from vibetunnel._ext.pump_block cimport block_leave
from vibetunnel._ext.pump_outbox cimport announce, flush_later, rewatch, settle_later
from vibetunnel._ext.pump_state cimport (
    BLOCKED_RATE, BLOCKED_UNREAD, DEFLATE_FRAME, DUE_REDRAW, NEWS_GONE, OPEN, POLLER_READ, POLLER_WRITE,
    THROTTLE_BURST, THROTTLE_STEP, client_t, close, flag_t, lane_t, terminal_t,
)
from vibetunnel._ext.ring cimport store_relaxed


cdef inline uint64_t drawn(client_t* c) noexcept nogil:
    """Output before this offset counts as drawn. While a client is not read, neither are its acks: all counts then."""
    return max(c.acked, c.base) if c.v1 and not c.input.blocked else c.cursor


cdef inline bint skips_soon(client_t* c) noexcept nogil:
    """Whether an interrupt has made its backlog void: the PTY need not wait for it."""
    return c.skip_ns > c.terminal.lane.now


cdef inline backlog.Place place_of(client_t* c) noexcept nogil:
    """Where a client stands, in the numbers of backlog.pxd."""
    cdef backlog.Place place
    place.cursor = c.cursor
    place.drawn = drawn(c)
    place.latest = c.latest
    place.closing = c.close_state != OPEN or c.watch.fd < 0
    place.in_ring = needs_ring(c) and c.watch.fd >= 0
    place.skips_soon = skips_soon(c)
    return place


cdef inline bint is_behind(client_t* c) noexcept nogil:
    return c.latest and backlog.is_behind(&c.terminal.bounds, c.terminal.ring.head, c.cursor, c.returning)


cdef inline bint wants_redraw(client_t* c) noexcept nogil:
    """Whether it is behind and most of what is under way to it is drawn."""
    return is_behind(c) and backlog.has_room(c.cursor, drawn(c), c.window)


cdef inline uint64_t sendable(client_t* c) noexcept nogil:
    """The offset up to which output may be sent now; the cursor if that would become void by a redraw."""
    if is_behind(c) or c.due & DUE_REDRAW and (c.latest or c.cursor == engine.vt_offset(c.terminal.vt)):
        return c.cursor
    if not c.v1:
        return c.terminal.ring.head  # it sends no acks, so the kernel's buffer is its window
    return backlog.sendable(c.terminal.ring.head, drawn(c), c.window, DEFLATE_FRAME if c.deflates else 0)


cdef inline uint64_t lag_of(client_t* c) noexcept nogil:
    return c.terminal.ring.head - drawn(c)


cdef inline bint between_frames(client_t* c) noexcept nogil:
    return c.cursor == c.frame.end and c.frame.header_sent == c.frame.header_n


cdef inline bint is_untouched(client_t* c) noexcept nogil:
    """Whether nothing is sent yet of the frame under way."""
    if c.frame.block is not NULL:
        return c.frame.block_sent == 0
    return c.frame.header_n > 0 and c.frame.header_sent == 0


cdef inline bint needs_ring(client_t* c) noexcept nogil:
    """Whether it is in the midst of a frame whose rest is in the ring alone."""
    return c.cursor < c.frame.end and c.frame.block is NULL


cdef inline bint spill(client_t* c) noexcept nogil:
    """Copy what is left of the frame under way out of the ring, which is about to lap it. False: give the client up."""
    cdef terminal_t* t = c.terminal
    cdef size_t header_left = c.frame.header_n - c.frame.header_sent
    cdef size_t body = c.frame.end - c.cursor
    cdef size_t rest = c.control.n - c.control.sent
    cdef uint8_t* block
    if header_left == 0 and body == 0:
        return True
    block = <uint8_t*>malloc(header_left + body + rest)
    if block is NULL:
        return False
    memcpy(block, c.frame.header + c.frame.header_sent, header_left)
    rings.ring_copy(&t.ring, c.cursor, block + header_left, body)
    if rest:
        memcpy(block + header_left + body, c.control.data + c.control.sent, rest)
    free(c.control.data)
    c.control.data = block
    c.control.n = header_left + body + rest
    c.control.sent = 0
    c.control.uncounted += header_left + body
    c.cursor = c.frame.end
    c.frame.header_n = c.frame.header_sent = 0
    return True


cdef inline void client_link(client_t* c) noexcept nogil:
    cdef terminal_t* t = c.terminal
    c.prev = NULL
    c.next = t.clients
    if t.clients is not NULL:
        t.clients.prev = c
    t.clients = c
    t.client_count += 1
    c.attached = True


cdef inline void client_unlink(client_t* c) noexcept nogil:
    cdef terminal_t* t = c.terminal
    if not c.attached:
        return
    c.attached = False
    if c.prev is not NULL:
        c.prev.next = c.next
    else:
        t.clients = c.next
    if c.next is not NULL:
        c.next.prev = c.prev
    if t.fan == c:
        t.fan = c.next
    t.client_count -= 1


cdef inline void drop(client_t* c) noexcept nogil:
    """The connection is over: close the socket, report it, let go of it at the end of the turn."""
    cdef terminal_t* t = c.terminal
    cdef lane_t* lane = t.lane
    if c.watch.fd < 0:
        return
    rewatch(lane, &c.watch, 0)
    close(c.watch.fd)
    c.watch.fd = -1
    if c.frame.block is not NULL:
        block_leave(c)
    client_unlink(c)
    progress(c)
    if t.owner == c:
        t.owner = NULL
        t.size_owner_left = True
        settle_later(t)
    if c.code == 0:
        c.code = rfc.CLOSE_ABNORMAL
    announce(c, NEWS_GONE)
    c.dropped_next = lane.dropped
    lane.dropped = c
    if t.closing:
        lane.closures = True


cdef inline bint tally_all(terminal_t* t, backlog.Tally* tally) noexcept nogil:
    """Count every client. False: one was dropped, so the count must begin again."""
    cdef uint64_t head = t.ring.head
    cdef backlog.Place place
    cdef client_t* c = t.clients
    backlog.tally_start(tally, head)
    while c is not NULL:
        place = place_of(c)
        if backlog.tally_add(tally, &t.bounds, head, &place) == backlog.SPILL:
            if not spill(c):
                drop(c)
                return False
            place = place_of(c)
            backlog.tally_add(tally, &t.bounds, head, &place)
        if c.close_state == OPEN:
            store_relaxed(&c.lag, <int64_t>backlog.lag(head, &place))
        c = c.next
    return True


cdef inline void pace(terminal_t* t) noexcept nogil:
    """Pause the PTY if its clients are too slow."""
    cdef backlog.Tally tally
    cdef backlog.Place place
    cdef client_t* c
    while not tally_all(t, &tally):
        pass
    store_relaxed(&t.max_lag, <int64_t>tally.worst)
    if t.gate.paused or backlog.decide(&t.bounds, t.ring.head, &tally) == backlog.RUN:
        return
    t.gate.paused = True
    t.gate.blockers = 0
    c = t.clients
    while c is not NULL:
        place = place_of(c)
        c.blocking = backlog.blocks(&t.bounds, t.ring.head, &place)
        t.gate.blockers += c.blocking
        c = c.next
    watch_pty(t)


cdef inline void progress(client_t* c) noexcept nogil:
    """A client got on, or needs nothing more: perhaps it was the last that a paused PTY waited for."""
    cdef terminal_t* t = c.terminal
    cdef backlog.Place place = place_of(c)
    cdef uint64_t owes = backlog.owed(t.ring.head, &place)
    store_relaxed(&c.lag, <int64_t>owes)
    if c.returning and backlog.has_caught_up(&t.bounds, t.ring.head, c.cursor):
        c.returning = False
    if t.gate.paused and backlog.gate_opens(&t.gate, &t.bounds, owes, place.skips_soon, &c.blocking):
        pace(t)
        watch_pty(t)


cdef inline void watch_pty(terminal_t* t) noexcept nogil:
    cdef unsigned want = 0
    if t.pty.fd >= 0 and not t.hung_up:
        want |= 0 if t.gate.paused or t.awaits_client else POLLER_READ
        want |= POLLER_WRITE if t.input_first is not NULL else 0
    rewatch(t.lane, &t.pty, want)


cdef inline void release(terminal_t* t) noexcept nogil:
    """Begin to read a PTY that was held back."""
    if t.awaits_client:
        t.awaits_client = False
        watch_pty(t)


cdef inline void block_input(client_t* c, unsigned why) noexcept nogil:
    """Read this client no more, for one more reason."""
    cdef lane_t* lane = c.terminal.lane
    if c.input.blocked & why or c.close_state != OPEN or c.watch.fd < 0:
        return
    c.input.blocked |= <flag_t>why
    if why == BLOCKED_RATE:
        throttle(lane)
    rewatch(lane, &c.watch, c.watch.want & POLLER_WRITE)
    progress(c)
    flush_later(c)


cdef inline void unblock_input(client_t* c, unsigned why) noexcept nogil:
    """These reasons hold no more: read it again, if there is no other."""
    if c.input.blocked & why == 0:
        return
    c.input.blocked &= <flag_t>~why
    if c.input.blocked == 0:
        c.heard_ns = c.terminal.lane.now  # nobody has listened meanwhile
        rewatch(c.terminal.lane, &c.watch, c.watch.want | POLLER_READ)
    elif c.input.blocked == BLOCKED_UNREAD:
        c.terminal.lane.unread = c.terminal.lane.behind = True


cdef inline void throttle(lane_t* lane) noexcept nogil:
    """Have unthrottle() look after THROTTLE_STEP."""
    if not lane.throttled:
        lane.throttled = True
        lane.throttle_ns = lane.now + THROTTLE_STEP


cdef inline void unthrottle(lane_t* lane) noexcept nogil:
    """Read those again whose rate allows it by now."""
    cdef terminal_t* t = lane.terminals
    cdef client_t* c
    lane.throttled = False
    while t is not NULL:
        c = t.clients
        while c is not NULL:
            if c.input.blocked & BLOCKED_RATE:
                if c.input.paid_ns - lane.now <= THROTTLE_BURST:
                    unblock_input(c, BLOCKED_RATE)
                else:
                    throttle(lane)
            c = c.next
        t = t.next
