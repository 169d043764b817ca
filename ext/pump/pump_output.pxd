# cython: cdivision=True
"""Output from PTY to ring to clients; the size, and the end of a session."""

from libc.errno cimport EAGAIN, EINTR, errno
from libc.stdint cimport int64_t, uint64_t
from libc.stdlib cimport free

from vibetunnel._ext cimport ring as rings
from vibetunnel._ext cimport vt as engine
from vibetunnel._ext.pump_backlog cimport drop, unblock_input, watch_pty
from vibetunnel._ext.pump_outbox cimport flush_later, report, report_soon
from vibetunnel._ext.pump_pty cimport close_pty, count_accepted, write_pty
from vibetunnel._ext.pump_screen cimport after_feed, feed, keep
from vibetunnel._ext.pump_send cimport fan_out, fan_to, flush, flush_all, put_accepted
from vibetunnel._ext.pump_state cimport (
    ACCEPTED_STEP, BATCH_FOR_FEW, BATCH_NS, BLOCKED_FULL, BLOCKED_RATE, CHECKPOINT_CALM, CLOCK_MONOTONIC,
    CLOCK_REALTIME, DID_CHANGE, DID_END, DID_HANG_UP, DID_RESIZE, DUE_FLUSH, DUE_REDRAW, DUE_SIZE, FEW, OPEN,
    POLLER_WRITE, WRITE_MAX, chunk_t, client_t, clock_ns, read, sched_yield, set_size, terminal_t,
)
from vibetunnel._ext.ring cimport Ring, load_relaxed, store_relaxed


cdef inline void own_size(terminal_t* t, client_t* c) noexcept nogil:
    """This client is the one that typed last (or the first): the PTY gets its viewport."""
    cdef client_t* before = t.owner
    t.owner = c
    if c.rows and (c.rows != t.rows or c.cols != t.cols):
        resize(t, c.rows, c.cols)
    elif before != c:
        if before is not NULL:
            before.due |= DUE_SIZE
            flush_later(before)
        if c.greeted:
            c.due |= DUE_SIZE
            flush_later(c)


cdef inline void inherit_size(terminal_t* t) noexcept nogil:
    """The owner has left: the client that was active last, of those that may type, takes over."""
    cdef client_t* c = t.clients
    cdef client_t* best = NULL
    while c is not NULL:
        if c.writable and c.rows and c.close_state == OPEN and (best is NULL or c.active_ns > best.active_ns):
            best = c
        c = c.next
    if best is not NULL:
        own_size(t, best)


cdef inline void resize(terminal_t* t, int rows, int cols) noexcept nogil:
    """Set the size of PTY and engine; every client is told at the end of the turn, and shown how it looks now.

    Terminals reflow differently, so the engine's is the truth. A raw client does its own: bytes in between would be
    none that the program printed.
    """
    cdef client_t* c = t.clients
    store_relaxed(&t.rows, rows)
    store_relaxed(&t.cols, cols)
    if t.pty.fd >= 0:
        set_size(t.pty.fd, <unsigned short>rows, <unsigned short>cols)
    engine.vt_resize(t.vt, rows, max(cols, engine.VT_MIN_COLS))  # without memory it stays as it is, and so do redraws
    keep(t, CHECKPOINT_CALM)
    t.ring.header.resized = engine.vt_offset(t.vt)  # behind it: checkpoints from before are of no use any more
    report_soon(t, DID_RESIZE | (DID_CHANGE if load_relaxed(&t.watched) else 0))
    while c is not NULL:
        if c.greeted:
            c.due |= DUE_SIZE
            if t.ring.head > 0:
                c.due |= DUE_REDRAW
            flush_later(c)
        c = c.next


cdef inline void settle(terminal_t* t) noexcept nogil:
    """The end of a turn: who owns the size now, and what clients are still to be told."""
    cdef client_t* c
    cdef client_t* following
    if t.size_owner_left:
        t.size_owner_left = False
        if t.owner is NULL:
            inherit_size(t)
    c = t.clients
    while c is not NULL:
        following = c.next
        if c.due & DUE_FLUSH:
            c.due &= ~DUE_FLUSH
            if c.watch.want & POLLER_WRITE == 0:  # else it waits for room already
                flush(c)
        c = following


cdef inline void read_pty(terminal_t* t) noexcept nogil:
    """Drain the PTY into the ring, one batch at the most, then send it on."""
    cdef Ring* r = &t.ring
    cdef uint64_t got = 0
    cdef uint64_t start, room
    cdef ssize_t n
    cdef bint over = False
    cdef uint64_t most = min(t.bounds.batch, <uint64_t>BATCH_FOR_FEW) if t.client_count <= FEW else t.bounds.batch
    if not t.fanning:
        t.fan_start = r.head
    if t.gate.paused or t.awaits_client or t.behind or t.pty.fd < 0 or r.head - t.fan_start >= most:
        return
    while r.head - t.fan_start < most:
        start = r.head & (r.size - 1)
        room = min(<uint64_t>rings.MARGIN, r.size - start)
        n = read(t.pty.fd, r.data + start, <size_t>room)
        if n < 0 and errno == EINTR:
            continue
        if n <= 0:
            over = n == 0 or errno != EAGAIN or t.finished
            break
        t.lane.statistics.pty_reads += 1
        rings.ring_commit(r, <uint64_t>n)
        got += <uint64_t>n
        t.told_hang_up = False
        if n < 1024 and not t.finished:
            break  # what a person's program prints comes in one short read: do not ask a second time
        # The kernel fills the PTY anew meanwhile; a read that finds it empty would wait for that, and be woken.
        feed(t)
        if t.behind or clock_ns(CLOCK_MONOTONIC) - t.lane.now > BATCH_NS:
            break
    if got:
        t.traffic += got
        store_relaxed(&t.last_output_ns, clock_ns(CLOCK_REALTIME))
        if not t.behind:
            feed(t)
        after_feed(t)
        if t.lane.skipping and n < 1024:
            answer_interrupts(t)
    if over:
        if t.finished:
            end(t)
            return
        t.hung_up = True  # every process has closed it; one may open it again: sweep() looks
        watch_pty(t)
        if not t.told_hang_up:
            t.told_hang_up = True
            report(t, DID_HANG_UP)
    if got == 0:
        return
    if not t.fanning:
        t.fanning = True
        t.fan = t.clients
    else:
        t.fan_again = True  # who has had its turn already comes once more; the others get both at once
    if got < 1024 and t.client_count > 8:
        # Who typed is first. When its process is on this machine, the kernel likes to wake it on this core: let it
        # run now, or it waits for all the other sends (bench_crowd, 100 idle clients: p50 600 us without, 160 with).
        if t.fan == t.clients:
            t.fan = t.clients.next
        fan_to(t.clients)
        sched_yield()
    fan_out(t)


cdef inline void answer_interrupts(terminal_t* t) noexcept nogil:
    """The PTY is empty: what the program said to an interrupt is on the screen, and there is nothing to wait for."""
    cdef client_t* c = t.clients
    while c is not NULL:
        if c.skip_ns:
            c.skip_ns = t.lane.now
        c = c.next


cdef inline void end(terminal_t* t) noexcept nogil:
    """All that was printed is in the ring, and the process is gone."""
    cdef client_t* c = t.clients
    cdef client_t* following
    cdef chunk_t* chunk
    if t.ended:
        return
    t.ended = True
    close_pty(t)
    while t.input_first is not NULL:
        chunk = t.input_first
        t.input_first = chunk.next
        free(chunk)
    t.input_last = NULL
    store_relaxed(&t.input_queued, 0)
    while c is not NULL:
        following = c.next
        unblock_input(c, BLOCKED_FULL | BLOCKED_RATE)
        c = following
    flush_all(t)
    if not t.behind:
        keep(t, CHECKPOINT_CALM)
    report(t, DID_END)


cdef inline void write_queued(terminal_t* t) noexcept nogil:
    """The PTY has room: one turn's worth of what waits."""
    cdef chunk_t* chunk
    cdef size_t done
    cdef size_t whole = 0
    cdef client_t* c
    cdef client_t* following
    while t.input_first is not NULL and whole < WRITE_MAX:
        chunk = t.input_first
        done = <size_t>write_pty(t, chunk.data + chunk.sent, chunk.n - chunk.sent)
        whole += done
        count_accepted(t, chunk.slot, chunk.generation, done)
        chunk.sent += done
        store_relaxed(&t.input_queued, t.input_queued - <int64_t>done)
        if chunk.sent < chunk.n:
            break
        t.input_first = chunk.next
        if chunk.next is NULL:
            t.input_last = NULL
        free(chunk)
    watch_pty(t)
    c = t.clients
    while c is not NULL:
        following = c.next
        if t.input_queued <= <int64_t>(t.core.input_watermark // 2):
            unblock_input(c, BLOCKED_FULL)
        if c.input.slot >= 0:
            if not put_accepted(c, ACCEPTED_STEP):
                drop(c)
            elif c.control.n and c.watch.want & POLLER_WRITE == 0:
                flush(c)
        c = following
