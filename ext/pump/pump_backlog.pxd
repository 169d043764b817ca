"""How far each client is behind, and so whether its PTY and the client itself are read."""

from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

from vibetunnel._ext cimport rfc6455 as rfc
from vibetunnel._ext cimport ring as rings
from vibetunnel._ext cimport vt as engine
from vibetunnel._ext.pump_block cimport block_leave
from vibetunnel._ext.pump_outbox cimport announce, flush_later, rewatch, settle_later
from vibetunnel._ext.pump_state cimport (
    BLOCKED_RATE, BLOCKED_UNREAD, DEFLATE_FRAME, NEWS_GONE, POLLER_READ, POLLER_WRITE, THROTTLE_BURST, THROTTLE_STEP,
    client_t, close, flag_t, lane_t, terminal_t,
)
from vibetunnel._ext.ring cimport store_relaxed


cdef inline uint64_t client_acked(client_t* c) noexcept nogil:
    """Where its drawing counts from. While its input is not read, nor its acks: what is sent counts as drawn."""
    return max(c.acked, c.base) if c.v1 and not c.input_blocked else c.cursor


cdef inline bint falls_behind(client_t* c) noexcept nogil:
    """Whether it is to be skipped ahead. Never the fastest one: the PTY is left alone before that is so far behind.

    Who has come back gets all that it missed, as long as the ring keeps it.
    """
    cdef terminal_t* t = c.terminal
    cdef uint64_t behind = t.ring.head - c.cursor
    if not c.latest or behind <= t.high + t.batch:
        c.returning = False
        return False
    return not c.returning or behind + t.batch > rings.ring_capacity(&t.ring)


cdef inline uint64_t client_limit(client_t* c) noexcept nogil:
    """The offset up to which output may be sent now; none if that is not behind the cursor."""
    cdef uint64_t head = c.terminal.ring.head
    cdef uint64_t limit
    if falls_behind(c) or c.redraw_due and (c.latest or c.cursor == engine.vt_offset(c.terminal.vt)):
        return c.cursor  # nothing that a redraw would make void
    if not c.v1:
        return head
    limit = client_acked(c) + c.window
    if limit >= head:
        return head
    if c.deflates and c.window >= 2 * DEFLATE_FRAME:
        # The whole of a compressed frame, as others get it, or nothing: with half of its window drawn, as it has to
        # acknowledge, there is room for it.
        return limit & ~<uint64_t>(DEFLATE_FRAME - 1)
    return limit


cdef inline uint64_t client_lag(client_t* c) noexcept nogil:
    return c.terminal.ring.head - client_acked(c)


cdef inline bint between_frames(client_t* c) noexcept nogil:
    return c.cursor == c.frame_end and c.header_sent == c.header_n


cdef inline bint is_untouched(client_t* c) noexcept nogil:
    """Whether nothing is sent yet of the frame under way."""
    if c.block is not NULL:
        return c.block_sent == 0
    return c.header_n > 0 and c.header_sent == 0


cdef inline bint needs_ring(client_t* c) noexcept nogil:
    """Whether it is in the midst of a frame whose rest is in the ring alone."""
    return c.cursor < c.frame_end and c.block is NULL


cdef inline bint spill(client_t* c) noexcept nogil:
    """Copy what is left of the frame under way out of the ring, which is about to lap it. False: give the client up."""
    cdef terminal_t* t = c.terminal
    cdef size_t header_left = c.header_n - c.header_sent
    cdef size_t body = c.frame_end - c.cursor
    cdef size_t rest = c.control_n - c.control_sent
    cdef uint8_t* block
    if header_left == 0 and body == 0:
        return True
    block = <uint8_t*>malloc(header_left + body + rest)
    if block is NULL:
        return False
    memcpy(block, c.header + c.header_sent, header_left)
    rings.ring_copy(&t.ring, c.cursor, block + header_left, body)
    if rest:
        memcpy(block + header_left + body, c.control + c.control_sent, rest)
    free(c.control)
    c.control = block
    c.control_n = header_left + body + rest
    c.control_sent = 0
    c.control_big += header_left + body
    c.cursor = c.frame_end
    c.header_n = c.header_sent = 0
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
    if c.block is not NULL:
        block_leave(c)
    client_unlink(c)
    progress(c)
    if t.owner == c:
        t.owner = NULL
        t.orphaned = True
        settle_later(t)
    if c.code == 0:
        c.code = rfc.CLOSE_ABNORMAL
    announce(c, NEWS_GONE)
    c.grave_next = lane.graveyard
    lane.graveyard = c
    if t.closing:
        lane.closures = True


cdef inline void pace(terminal_t* t) noexcept nogil:
    """Leave the PTY alone while a lossless client lags by the high watermark, or every client does."""
    cdef client_t* c = t.clients
    cdef client_t* following
    cdef uint64_t worst = 0  # lag of all
    cdef uint64_t strict = 0  # of those that are never skipped
    cdef uint64_t best = <uint64_t>-1
    cdef uint64_t lag
    t.floor = t.ring.head
    while c is not NULL:
        following = c.next
        if not c.latest and (not c.closing or needs_ring(c)):
            t.floor = min(t.floor, c.cursor)
        elif c.latest and needs_ring(c) and t.ring.head - c.cursor + t.batch > rings.ring_capacity(&t.ring):
            if not spill(c):
                drop(c)
        if not c.closing and c.watch.fd >= 0:
            lag = client_lag(c)
            store_relaxed(&c.lag, <int64_t>lag)
            worst = max(worst, lag)
            if not c.latest:
                strict = max(strict, lag)
            best = min(best, 0 if skips_soon(c) else lag)
        c = following
    store_relaxed(&t.max_lag, <int64_t>worst)
    if t.paused or not (
        strict >= t.high
        or t.clients is not NULL and best != <uint64_t>-1 and best >= t.high
        or t.ring.head - t.floor + t.batch > rings.ring_capacity(&t.ring)
    ):
        return
    t.paused = True
    t.blockers = 0
    c = t.clients
    while c is not NULL:
        c.blocking = not c.latest and owed(c) > t.low
        t.blockers += c.blocking
        c = c.next
    watch_pty(t)


cdef inline bint skips_soon(client_t* c) noexcept nogil:
    """Whether an interrupt has made its backlog void: the PTY need not wait for it."""
    return c.skip_ns > c.terminal.lane.now


cdef inline uint64_t owed(client_t* c) noexcept nogil:
    """Bytes of the ring that this client still needs, as far as its PTY is concerned."""
    if c.watch.fd < 0:
        return 0
    if c.closing:  # only the rest of a frame under way
        return c.terminal.ring.head - c.cursor if needs_ring(c) else 0
    return client_lag(c)


cdef inline void progress(client_t* c) noexcept nogil:
    """A client got on, or needs nothing more: perhaps it was the last that a paused PTY waited for."""
    cdef terminal_t* t = c.terminal
    cdef uint64_t lag = owed(c)
    store_relaxed(&c.lag, <int64_t>lag)
    if not t.paused or lag > t.low and not skips_soon(c):
        return
    if c.blocking:
        c.blocking = False
        t.blockers -= 1
    if t.blockers == 0:
        t.paused = False
        pace(t)
        watch_pty(t)


cdef inline void watch_pty(terminal_t* t) noexcept nogil:
    cdef unsigned want = 0
    if t.pty.fd < 0 or t.hung_up:
        want = 0
    else:
        want = (0 if t.paused or t.held else POLLER_READ) | (POLLER_WRITE if t.input_first is not NULL else 0)
    rewatch(t.lane, &t.pty, want)


cdef inline void release(terminal_t* t) noexcept nogil:
    """Begin to read a PTY that was held back."""
    if t.held:
        t.held = False
        watch_pty(t)


cdef inline void block_input(client_t* c, unsigned why) noexcept nogil:
    """Read this client no more, for one more reason."""
    cdef lane_t* lane = c.terminal.lane
    if c.input_blocked & why or c.closing or c.watch.fd < 0:
        return
    c.input_blocked |= <flag_t>why
    if why == BLOCKED_RATE:
        throttle(lane)
    rewatch(lane, &c.watch, c.watch.want & POLLER_WRITE)
    progress(c)
    flush_later(c)


cdef inline void unblock_input(client_t* c, unsigned why) noexcept nogil:
    """These reasons hold no more: read it again, if there is no other."""
    if c.input_blocked & why == 0:
        return
    c.input_blocked &= <flag_t>~why
    if c.input_blocked == 0:
        c.heard_ns = c.terminal.lane.now  # nobody has listened meanwhile
        rewatch(c.terminal.lane, &c.watch, c.watch.want | POLLER_READ)
    elif c.input_blocked == BLOCKED_UNREAD:
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
            if c.input_blocked & BLOCKED_RATE:
                if c.paid_ns - lane.now <= THROTTLE_BURST:
                    unblock_input(c, BLOCKED_RATE)
                else:
                    throttle(lane)
            c = c.next
        t = t.next
