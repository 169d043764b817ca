"""References, news for Python, what is left for the end of the turn, and lane time."""

from libc.stdint cimport int64_t, uint8_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

from vibetunnel._ext cimport rfc6455 as rfc
from vibetunnel._ext cimport ring as rings
from vibetunnel._ext cimport vt as engine
from vibetunnel._ext.pump_state cimport (
    CLOCK_MONOTONIC, DUE_FLUSH, EVENT_GAP, MOVE_BUSY, MOVE_BYTES, MOVE_CALM, MOVE_WINDOW, NEWS_GONE, capture_t,
    chunk_t, client_t, clock_ns, close, command_t, core_t, flag_t, lane_t, poller_watch, pthread_mutex_lock,
    pthread_mutex_unlock, terminal_t, waker_wake, watch_t,
)


cdef inline chunk_t* chunk_new(const uint8_t* data, size_t n) noexcept nogil:
    cdef chunk_t* chunk = <chunk_t*>malloc(sizeof(chunk_t) + n)
    if chunk is not NULL:
        chunk.next = NULL
        chunk.n = n
        chunk.sent = 0
        chunk.slot = -1
        chunk.generation = chunk.client = 0
        memcpy(chunk.data, data, n)
    return chunk


cdef inline bint rewatch(lane_t* lane, watch_t* watch, unsigned want) noexcept nogil:
    """Have the poller watch for `want`. False: the system allows no more."""
    if want != watch.want and watch.fd >= 0:
        if poller_watch(lane.poller, watch.fd, watch, watch.want, want) < 0:
            return False
        watch.want = want
    return True


cdef inline void client_unref(client_t* c) noexcept nogil:
    """core.lock is held."""
    c.refs -= 1
    if c.refs == 0:
        rfc.decoder_free(&c.decoder)
        free(c.control.data)
        free(c.input.unread)
        free(c)


cdef inline void terminal_unref(terminal_t* t) noexcept nogil:
    """core.lock is held."""
    cdef command_t* command
    cdef chunk_t* chunk
    cdef capture_t* capture
    t.refs -= 1
    if t.refs:
        return
    while t.first is not NULL:
        command = t.first
        t.first = command.next
        free(command.chunk)
        free(command)
    while t.input_first is not NULL:
        chunk = t.input_first
        t.input_first = chunk.next
        free(chunk)
    if t.pty.fd >= 0:
        close(t.pty.fd)
    while t.captures is not NULL:
        capture = t.captures
        t.captures = capture.next
        engine.vt_free(capture.state)
        free(capture)
    free(t.presence)
    engine.vt_buf_free(&t.marks)
    engine.vt_free(t.vt)
    rings.ring_close(&t.ring)
    free(t)


cdef inline void report(terminal_t* t, unsigned events) noexcept nogil:
    """Put what has happened into the outbox."""
    cdef core_t* core = t.core
    pthread_mutex_lock(&core.lock)
    t.events |= events
    if not t.reported:
        t.reported = True
        t.refs += 1
        t.event_next = core.events
        if core.events is NULL:
            waker_wake(core.waker)
        core.events = t
    pthread_mutex_unlock(&core.lock)


cdef inline void announce(client_t* c, unsigned news) noexcept nogil:
    """Put what has happened to a client into the outbox."""
    cdef core_t* core = c.terminal.core
    pthread_mutex_lock(&core.lock)
    if news & NEWS_GONE:
        c.gone = True
    if c.news == 0:
        c.refs += 1
        c.news_next = core.news
        if core.news is NULL:
            waker_wake(core.waker)
        core.news = c
    c.news |= <flag_t>news
    pthread_mutex_unlock(&core.lock)


cdef inline void report_soon(terminal_t* t, unsigned events) noexcept nogil:
    """Report what a program can repeat at will, but a terminal's not more often than EVENT_GAP allows."""
    if t.lane.now - t.reported_ns < EVENT_GAP:
        t.late |= events
        t.lane.late_ns = min(t.lane.late_ns, t.reported_ns + EVENT_GAP) if t.lane.late else t.reported_ns + EVENT_GAP
        t.lane.late = True
    else:
        t.reported_ns = t.lane.now
        report(t, events | t.late)
        t.late = 0


cdef inline void settle_later(terminal_t* t) noexcept nogil:
    """Have settle() look at this terminal at the end of the turn."""
    if not t.due:
        t.due = True
        t.due_next = t.lane.due
        t.lane.due = t


cdef inline void flush_later(client_t* c) noexcept nogil:
    """Send at the end of the turn, once, however much is said in it."""
    c.due |= DUE_FLUSH
    settle_later(c.terminal)


cdef inline void account(lane_t* lane, terminal_t* t, int64_t used) noexcept nogil:
    """Charge a terminal for lane time, and find out whether it belongs elsewhere."""
    t.used_ns += used
    if t.used_ns > MOVE_BUSY and t.traffic - t.window_traffic > MOVE_BYTES:
        t.calm_ns = lane.now
        if lane.index == 0 and lane.core.lane_count > 1:
            t.move_to = 1
            lane.moves = True
    elif lane.now - t.window_ns < MOVE_WINDOW:
        return
    elif t.used_ns > MOVE_CALM:
        t.calm_ns = lane.now
    t.used_ns = 0
    t.window_ns = lane.now
    t.window_traffic = t.traffic


cdef inline void charge(lane_t* lane, terminal_t* t) noexcept nogil:
    cdef int64_t before = lane.now
    lane.now = clock_ns(CLOCK_MONOTONIC)
    account(lane, t, lane.now - before)
