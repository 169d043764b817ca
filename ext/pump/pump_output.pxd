"""Output from the PTY to the ring and on to the clients; the terminal's size; the end of a session.

Alone writes what the ring holds, the size in cells and pixels, the hang-up flags, and `ended`.
"""

from libc.errno cimport EAGAIN, EINTR, errno
from libc.stdint cimport int64_t, uint16_t, uint64_t
from libc.string cimport memcmp, memcpy, memset

from vibetunnel._ext cimport ring as rings
from vibetunnel._ext cimport v1 as wire
from vibetunnel._ext cimport vt as engine
from vibetunnel._ext.pump_backlog cimport drop, unblock_full, unblock_input, watch_pty
from vibetunnel._ext.pump_outbox cimport flush_later, report, report_all, report_soon
from vibetunnel._ext.pump_pty cimport close_pty, drop_queue, write_queue
from vibetunnel._ext.pump_screen cimport after_feed, feed, handle_engine_events, keep
from vibetunnel._ext.pump_send cimport (
    answer_interrupts, fan_begin, fan_out, fan_to_first, fan_waiting, flush_all, flush_unless_full,
    put_accepted,
)
from vibetunnel._ext.pump_state cimport (
    ACCEPTED_STEP, BATCH_FOR_FEW, BATCH_NS, BLOCKED_FULL, BLOCKED_RATE, CHECKPOINT_CALM, CLIENT_ID_SIZE, CROWD,
    DID_CHANGE, DID_END, DID_HANG_UP, DID_RESIZE, DUE_REDRAW, DUE_SIZE, FEW, OPEN, SHORT_READ, client_t, terminal_t,
)
from vibetunnel._ext.pump_text cimport is_settling
from vibetunnel._ext.lists cimport link_t, list_next
from vibetunnel._ext.pump_system cimport CLOCK_MONOTONIC, CLOCK_REALTIME, clock_ns, read, sched_yield, set_size
from vibetunnel._ext.ring cimport Ring, load_relaxed, store_relaxed


# ---------------------------------------------------------------- the size

cdef inline void size_due(client_t* c) noexcept nogil:
    if c.greeted:
        c.due |= DUE_SIZE
        flush_later(c)


cdef inline void remember_owner(terminal_t* t, client_t* c) noexcept nogil:
    """Note in the ring's header, which outlives the server, which client has the size. c: NULL for none."""
    t.ring.header.size_claimed = True
    if c is NULL or not c.has_id:
        memset(t.ring.header.size_owner, 0, CLIENT_ID_SIZE)
    else:
        memcpy(t.ring.header.size_owner, c.client_id, CLIENT_ID_SIZE)


cdef inline void set_pty_size(terminal_t* t) noexcept nogil:
    """The size in cells, and in pixels if the owner has stated its cells."""
    cdef int64_t width = min(t.cols * t.cell_width, <int64_t>0xFFFF)
    cdef int64_t height = min(t.rows * t.cell_height, <int64_t>0xFFFF)
    if t.pty.fd >= 0:
        set_size(
            t.pty.fd, <unsigned short>t.rows, <unsigned short>t.cols, <unsigned short>width, <unsigned short>height
        )


cdef inline bint take_appearance(terminal_t* t, const wire.Appearance* stated) noexcept nogil:
    """Answer programs with this theme and these cells. stated: NULL for a client that has stated none.

    Returns whether the cells have changed, which the PTY does not know yet.
    """
    cdef engine.vt_theme theme
    cdef uint16_t height = stated.cell_height if stated is not NULL else 0
    cdef uint16_t width = stated.cell_width if stated is not NULL else 0
    cdef bint changed = height != t.cell_height or width != t.cell_width
    if stated is not NULL:
        theme.dark = stated.dark
        memcpy(theme.palette, stated.colours, sizeof(theme.palette))
        theme.foreground = stated.colours[16]
        theme.background = stated.colours[17]
        theme.cursor = stated.colours[18]
    engine.vt_set_theme(t.vt, &theme if stated is not NULL else NULL)
    engine.vt_set_pixels(t.vt, height, width)
    t.cell_height = height
    t.cell_width = width
    return changed


cdef inline void resize(terminal_t* t, int rows, int cols) noexcept nogil:
    """Set the size of PTY and engine. Every v1 client gets the size and a redraw at the end of the turn.

    Terminals reflow differently, so the engine's screen is the reference. A raw client gets only bytes that the program
    printed, so it reflows by itself. So does a stream, whose redraw would clear the terminal's scrollback.
    """
    cdef link_t* at = t.clients.first
    cdef client_t* c
    store_relaxed(&t.rows, rows)
    store_relaxed(&t.cols, cols)
    set_pty_size(t)
    engine.vt_resize(t.vt, rows, max(cols, engine.VT_MIN_COLS))  # without memory it keeps its size, and so do redraws
    keep(t, CHECKPOINT_CALM)
    t.ring.header.resized = engine.vt_offset(t.vt)  # after keep(): older checkpoints are of no use now
    report_soon(t, DID_RESIZE | (DID_CHANGE if load_relaxed(&t.watched) else 0))
    while at is not NULL:
        c = <client_t*>list_next(&at)
        if c.greeted and (c.v1 or is_settling(c)) and t.ring.head > 0:
            c.due |= DUE_REDRAW
        size_due(c)


cdef inline void resize_unowned(terminal_t* t, int rows, int cols) noexcept nogil:
    """Set a size that no client asked for. The client that types next owns the size again."""
    if rows == t.rows and cols == t.cols and t.owner is not NULL:
        return
    t.owner = NULL
    remember_owner(t, NULL)
    if rows != t.rows or cols != t.cols:
        resize(t, rows, cols)
        handle_engine_events(t)


cdef inline void give_size(terminal_t* t) noexcept nogil:
    """Give a size that a client without a viewport has set to the first client that has one and may own the size."""
    cdef link_t* at = t.clients.first
    cdef client_t* c
    while at is not NULL and t.owner is NULL:
        c = <client_t*>list_next(&at)
        if c.rows and c.writable and not c.hidden and c.close_state == OPEN:
            own_size(t, c)


cdef inline bint may_claim_size(terminal_t* t, client_t* c) noexcept nogil:
    """Whether this client gets the size without typing: no client had it before, or this client had it last."""
    if not t.ring.header.size_claimed:
        return True
    return c.has_id and memcmp(t.ring.header.size_owner, c.client_id, CLIENT_ID_SIZE) == 0


cdef inline bint size_is_free(terminal_t* t) noexcept nogil:
    """Whether the next client that types gets the size: its owner has left, is leaving, or is hidden."""
    return t.owner is NULL or t.owner.hidden or t.owner.close_state != OPEN


cdef inline void own_size(terminal_t* t, client_t* c) noexcept nogil:
    """Give this client the size: the PTY gets its viewport, and programs are answered with its appearance."""
    cdef client_t* before = t.owner
    cdef bint other_cells = take_appearance(t, c.appearance)
    t.owner = c
    if before != c:
        remember_owner(t, c)
    if c.rows and (c.rows != t.rows or c.cols != t.cols):
        resize(t, c.rows, c.cols)
    else:
        if other_cells:
            set_pty_size(t)
        if before != c:
            if before is not NULL:
                size_due(before)
            size_due(c)
    handle_engine_events(t)  # what modes 2031 and 2048 report


# ---------------------------------------------------------------- the end

cdef inline void end(terminal_t* t) noexcept nogil:
    """The process is gone, and all that it printed is in the ring."""
    cdef link_t* at = t.clients.first
    if t.ended:
        return
    t.ended = True
    close_pty(t)
    drop_queue(t)
    while at is not NULL:
        unblock_input(<client_t*>list_next(&at), BLOCKED_FULL | BLOCKED_RATE)
    flush_all(t)
    if not t.unseen:
        keep(t, CHECKPOINT_CALM)
    report_all(t, DID_END)  # a mark that was held back comes with it, and not after it


cdef inline void watch_again(terminal_t* t) noexcept nogil:
    """Watch a PTY that hung up. If it is still hung up, the poller says so at once."""
    t.hung_up = False
    watch_pty(t)


cdef inline void hang_up(terminal_t* t) noexcept nogil:
    """Every process has closed the PTY. A process may open it again: sweep() looks."""
    t.hung_up = True
    watch_pty(t)
    if not t.told_hang_up:
        t.told_hang_up = True
        report(t, DID_HANG_UP)


# ---------------------------------------------------------------- output

cdef struct drained_t:
    uint64_t got  # bytes
    bint emptied  # the last read found less than SHORT_READ, so the PTY is empty
    bint over  # no process has the PTY open


cdef inline drained_t drain_pty(terminal_t* t, uint64_t most) noexcept nogil:
    """Read the PTY into the ring until it is empty, or `most` bytes came since the last round of sending ended."""
    cdef Ring* r = &t.ring
    cdef drained_t drained
    cdef uint64_t start, room
    cdef ssize_t n
    drained.got = 0
    drained.emptied = drained.over = False
    while r.head - t.fan_start < most:
        start = r.head & (r.size - 1)
        room = min(<uint64_t>rings.MARGIN, r.size - start)
        n = read(t.pty.fd, r.data + start, <size_t>room)
        if n < 0 and errno == EINTR:
            continue
        drained.emptied = n < SHORT_READ
        if n <= 0:
            drained.over = n == 0 or errno != EAGAIN or t.finished
            break
        t.lane.statistics.pty_reads += 1
        rings.ring_commit(r, <uint64_t>n)
        drained.got += <uint64_t>n
        t.told_hang_up = False
        if drained.emptied and not t.finished:
            break  # an interactive program's output comes in one short read: do not read a second time
        # Meanwhile the kernel fills the PTY again. A read that found it empty would cost a wait and a wake-up.
        feed(t)
        if t.unseen or clock_ns(CLOCK_MONOTONIC) - t.lane.now > BATCH_NS:
            break
    return drained


cdef inline void serve_typist(terminal_t* t) noexcept nogil:
    """Send to the client that typed before all other clients, and let its program run.

    When that program is on this machine, the kernel likes to wake it on this core. Without a yield it waits for all
    the other sends (bench_crowd, 100 idle clients: p50 600 us without, 160 with).
    """
    fan_to_first(t)
    sched_yield()


cdef inline void read_pty(terminal_t* t) noexcept nogil:
    """Read one batch at most from the PTY into the ring, show it to the engine, and send it on."""
    cdef drained_t drained
    cdef uint64_t most = min(t.bounds.batch, <uint64_t>BATCH_FOR_FEW) if t.client_count <= FEW else t.bounds.batch
    if fan_waiting(t) >= most or t.gate.paused or t.awaits_client or t.unseen or t.pty.fd < 0:
        return
    drained = drain_pty(t, most)
    if drained.got:
        t.traffic += drained.got
        store_relaxed(&t.last_output_ns, clock_ns(CLOCK_REALTIME))
        if not t.unseen:
            feed(t)
        after_feed(t)
        if t.lane.awaits_answers and drained.emptied:
            answer_interrupts(t)
    if drained.over:
        if t.finished:
            end(t)
            return
        hang_up(t)
    if drained.got == 0:
        return
    fan_begin(t)
    if drained.got < SHORT_READ and t.client_count > CROWD:
        serve_typist(t)
    fan_out(t)


cdef inline void write_queued(terminal_t* t) noexcept nogil:
    """The PTY has room: write what waits, and tell the clients how much was accepted."""
    cdef link_t* at
    cdef client_t* c
    write_queue(t)
    unblock_full(t)
    at = t.clients.first
    while at is not NULL:
        c = <client_t*>list_next(&at)
        if c.input.slot >= 0:
            if not put_accepted(c, ACCEPTED_STEP):
                drop(c)
            elif c.control.n:
                flush_unless_full(c)
