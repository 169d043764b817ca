"""Which PTYs and which clients are read, and when a client is given up. backlog.pxd has the rule.

Alone writes a terminal's gate and max_lag, its list of clients, and a client's lag, blocking, returning and
input.blocked. drop(), progress() and pace() call each other: a PTY may wait for a client that leaves.
"""

from libc.stdint cimport int64_t, uint64_t

from vibetunnel._ext cimport backlog
from vibetunnel._ext cimport vt as engine
from vibetunnel._ext.pump_frame cimport block_leave, frame_spill, needs_ring
from vibetunnel._ext.pump_outbox cimport announce, flush_later, note_heard, rewatch
from vibetunnel._ext.pump_state cimport (
    BLOCKED_FULL, BLOCKED_RATE, BLOCKED_UNREAD, DEFLATE_FRAME, DUE_REDRAW, NEWS_GONE, OPEN, THROTTLE_BURST,
    THROTTLE_STEP, client_t, flag_t, lane_t, terminal_t,
)
from vibetunnel._ext.pump_text cimport text_end
from vibetunnel._ext.lists cimport is_linked, link_t, list_next, list_put_first, list_remove
from vibetunnel._ext.pump_system cimport POLLER_READ, POLLER_WRITE, close
from vibetunnel._ext.ring cimport store_relaxed


# ---------------------------------------------------------------- where a client stands

cdef inline uint64_t drawn(client_t* c) noexcept nogil:
    """Output before this offset counts as drawn: up to the last ack, or all that was sent while acks are not read."""
    return max(c.acked, c.base) if c.v1 and not c.input.blocked else c.cursor


cdef inline uint64_t lag_of(client_t* c) noexcept nogil:
    return c.terminal.ring.head - drawn(c)


cdef inline bint is_interrupted(client_t* c) noexcept nogil:
    """Whether an interrupt has made its backlog void: the PTY need not wait for it."""
    return c.answer_by_ns != 0 and c.answer_by_ns > c.terminal.lane.now


cdef inline backlog.Place place_of(client_t* c) noexcept nogil:
    """Where a client stands, in the numbers of backlog.pxd."""
    cdef backlog.Place place
    place.cursor = c.cursor
    place.drawn = drawn(c)
    place.latest = c.latest
    place.closing = c.close_state != OPEN or c.watch.fd < 0
    place.in_ring = needs_ring(c) and c.watch.fd >= 0
    place.is_interrupted = is_interrupted(c)
    return place


cdef inline bint is_behind(client_t* c) noexcept nogil:
    """Whether to skip it ahead with a redraw."""
    return c.latest and backlog.is_behind(&c.terminal.bounds, c.terminal.ring.head, c.cursor, c.returning)


cdef inline bint wants_redraw(client_t* c) noexcept nogil:
    """Whether it is behind, and has drawn most of the output that was sent to it."""
    return is_behind(c) and backlog.has_room(c.cursor, drawn(c), c.window)


cdef inline bint is_viewer(client_t* c) noexcept nogil:
    """Whether it gets damage instead of output that its terminal would draw otherwise than the engine."""
    return c.v1 and c.latest


cdef inline bint wants_damage(client_t* c) noexcept nogil:
    """Whether the next output is not for this client: the rows that it changed are."""
    cdef engine.vt* vt = c.terminal.vt
    return is_viewer(c) and c.cursor < engine.vt_shown(vt) and engine.vt_raw_end(vt, c.cursor) <= c.cursor


cdef inline bint has_all(client_t* c) noexcept nogil:
    """Whether it was sent all output. An unfinished character is never sent to a viewer."""
    return c.cursor == c.terminal.ring.head or is_viewer(c) and c.cursor >= engine.vt_shown(c.terminal.vt)


cdef inline uint64_t sendable(client_t* c) noexcept nogil:
    """The offset up to which output may be sent now; the cursor if a redraw would make that output void."""
    cdef uint64_t head = c.terminal.ring.head
    if is_behind(c) or c.due & DUE_REDRAW and (c.latest or c.cursor == engine.vt_offset(c.terminal.vt)):
        return c.cursor
    if not c.v1:  # it sends no acks, so the kernel's buffer is its window
        return head if c.text is NULL else text_end(c)
    if c.latest:
        head = engine.vt_raw_end(c.terminal.vt, c.cursor)
    return backlog.sendable(head, drawn(c), c.window, DEFLATE_FRAME if c.deflates else 0)


cdef inline void note_caught_up(client_t* c) noexcept nogil:
    """A returning client that is not behind is like any other from now on.

    Asked where a flush begins and where it has sent all, and not where the socket is full: output that came meanwhile
    is still what the client missed.
    """
    if c.returning and backlog.has_caught_up(&c.terminal.bounds, c.terminal.ring.head, c.cursor):
        c.returning = False


# ---------------------------------------------------------------- the list of clients

cdef inline void client_link(client_t* c) noexcept nogil:
    """Put it first: its echo goes out first."""
    list_put_first(&c.terminal.clients, &c.in_terminal, c)
    store_relaxed(&c.terminal.client_count, c.terminal.client_count + 1)


cdef inline void client_unlink(client_t* c) noexcept nogil:
    cdef terminal_t* t = c.terminal
    if not is_linked(&c.in_terminal):
        return
    if t.fan == &c.in_terminal:
        t.fan = c.in_terminal.next
    list_remove(&t.clients, &c.in_terminal)
    store_relaxed(&t.client_count, t.client_count - 1)


cdef inline void leave_size(client_t* c) noexcept nogil:
    """If it owns the size, no client does from here on. The size stays as it is."""
    if c.terminal.owner == c:
        c.terminal.owner = NULL


cdef inline void drop(client_t* c) noexcept nogil:
    """The connection is over: close the socket and report it. The end of the turn frees the client."""
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
    leave_size(c)
    announce(c, NEWS_GONE)
    list_put_first(&lane.dropped, &c.in_dropped, c)
    if t.closing:
        lane.closures = True


# ---------------------------------------------------------------- whether the PTY is read

cdef inline void watch_pty(terminal_t* t) noexcept nogil:
    cdef unsigned want = 0
    if t.pty.fd >= 0 and not t.hung_up:
        want |= 0 if t.gate.paused or t.awaits_client else POLLER_READ
        want |= POLLER_WRITE if t.input_queue.first is not NULL else 0
    rewatch(t.lane, &t.pty, want)


cdef inline void stop_awaiting(terminal_t* t) noexcept nogil:
    """Read a PTY that waited for its first client."""
    if t.awaits_client:
        t.awaits_client = False
        watch_pty(t)


cdef inline bint tally_all(terminal_t* t, backlog.Tally* tally) noexcept nogil:
    """Count every client. False: one was dropped, so the count must begin again."""
    cdef uint64_t head = t.ring.head
    cdef backlog.Place place
    cdef link_t* at = t.clients.first
    cdef client_t* c
    backlog.tally_start(tally, head)
    while at is not NULL:
        c = <client_t*>list_next(&at)
        place = place_of(c)
        if backlog.tally_add(tally, &t.bounds, head, &place) == backlog.SPILL:
            if not frame_spill(c):
                drop(c)
                return False
            place = place_of(c)
            backlog.tally_add(tally, &t.bounds, head, &place)
        if c.close_state == OPEN:
            store_relaxed(&c.lag, <int64_t>backlog.lag(head, &place))
    return True


cdef inline void pace(terminal_t* t) noexcept nogil:
    """Pause the PTY if its clients are too slow."""
    cdef backlog.Tally tally
    cdef backlog.Place place
    cdef link_t* at
    cdef client_t* c
    while not tally_all(t, &tally):
        pass
    store_relaxed(&t.max_lag, <int64_t>tally.worst)
    if t.gate.paused or backlog.decide(&t.bounds, t.ring.head, &tally) == backlog.RUN:
        return
    t.gate.paused = True
    t.gate.blockers = 0
    at = t.clients.first
    while at is not NULL:
        c = <client_t*>list_next(&at)
        place = place_of(c)
        c.blocking = backlog.blocks(&t.bounds, t.ring.head, &place)
        t.gate.blockers += c.blocking
    watch_pty(t)


cdef inline void progress(client_t* c) noexcept nogil:
    """A client got on, or needs nothing more: a paused PTY may run again."""
    cdef terminal_t* t = c.terminal
    cdef backlog.Place place = place_of(c)
    cdef uint64_t owes = backlog.owed(t.ring.head, &place)
    store_relaxed(&c.lag, <int64_t>owes)
    if t.gate.paused and backlog.gate_opens(&t.gate, &t.bounds, owes, is_interrupted(c), &c.blocking):
        pace(t)
        watch_pty(t)


# ---------------------------------------------------------------- whether a client is read

cdef inline void block_input(client_t* c, unsigned why) noexcept nogil:
    """Stop reading this client, for one more reason."""
    cdef lane_t* lane = c.terminal.lane
    if c.input.blocked & why or c.watch.fd < 0:
        return
    if c.close_state != OPEN and why != BLOCKED_UNREAD:
        return  # its input is of no use, but its close frame is
    c.input.blocked |= <flag_t>why
    if why == BLOCKED_RATE:
        throttle(lane)
    if c.input.blocked == BLOCKED_UNREAD:
        lane.unread = lane.unfinished = True
    rewatch(lane, &c.watch, c.watch.want & POLLER_WRITE)
    progress(c)
    flush_later(c)


cdef inline void unblock_input(client_t* c, unsigned why) noexcept nogil:
    """These reasons no longer hold: read the client again if there is no other."""
    if c.input.blocked & why == 0:
        return
    c.input.blocked &= <flag_t>~why
    if c.input.blocked == 0:
        note_heard(c)
        rewatch(c.terminal.lane, &c.watch, c.watch.want | POLLER_READ)
    elif c.input.blocked == BLOCKED_UNREAD:
        c.terminal.lane.unread = c.terminal.lane.unfinished = True


cdef inline void unblock_full(terminal_t* t) noexcept nogil:
    """The PTY's input queue may have room again: read the clients that waited for it."""
    cdef link_t* at = t.clients.first
    if t.input_queued > <int64_t>(t.core.input_watermark // 2):
        return
    while at is not NULL:
        unblock_input(<client_t*>list_next(&at), BLOCKED_FULL)


cdef inline void throttle(lane_t* lane) noexcept nogil:
    """Have unthrottle() look after THROTTLE_STEP."""
    if not lane.throttled:
        lane.throttled = True
        lane.throttle_ns = lane.now + THROTTLE_STEP


cdef inline void unthrottle(lane_t* lane) noexcept nogil:
    """Read the clients again whose rate allows it by now."""
    cdef link_t* t_at = lane.terminals.first
    cdef link_t* at
    cdef client_t* c
    lane.throttled = False
    while t_at is not NULL:
        at = (<terminal_t*>list_next(&t_at)).clients.first
        while at is not NULL:
            c = <client_t*>list_next(&at)
            if c.input.blocked & BLOCKED_RATE:
                if c.input.paid_ns - lane.now <= THROTTLE_BURST:
                    unblock_input(c, BLOCKED_RATE)
                else:
                    throttle(lane)
