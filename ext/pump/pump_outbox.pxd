"""References, events for Python, the work left for the end of the turn, and lane time.

Writes refs, the links and flags of the outbox, heard_ns, and what a terminal used of its lane.
"""

from libc.stdint cimport int64_t, uint8_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

from vibetunnel._ext cimport rfc6455 as rfc
from vibetunnel._ext cimport ring as rings
from vibetunnel._ext cimport vt as engine
from vibetunnel._ext.pump_state cimport (
    DID_CHANGE, DID_MARK, DUE_FLUSH, EVENT_GAP, MARK_BURST, MOVE_BUSY, MOVE_BYTES, MOVE_CALM, MOVE_WINDOW, NEWS_GONE,
    capture_t, chunk_t, client_t, command_t, core_t, flag_t, lane_t, terminal_t, watch_t,
)
from vibetunnel._ext.lists cimport is_linked, list_put_first, list_take_first
from vibetunnel._ext.pump_system cimport (
    CLOCK_MONOTONIC, clock_ns, close, poller_watch, pthread_mutex_lock, pthread_mutex_unlock, waker_wake,
)


cdef inline chunk_t* chunk_new(const uint8_t* data, size_t n) noexcept nogil:
    cdef chunk_t* chunk = <chunk_t*>malloc(sizeof(chunk_t) + n)
    if chunk is not NULL:
        memset(chunk, 0, sizeof(chunk_t))
        chunk.n = n
        chunk.slot = -1
        memcpy(chunk.data, data, n)
    return chunk


cdef inline bint rewatch(lane_t* lane, watch_t* watch, unsigned want) noexcept nogil:
    """Have the poller watch for `want`. False: the system allows no more descriptors."""
    if want != watch.want and watch.fd >= 0:
        if poller_watch(lane.poller, watch.fd, watch, watch.want, want) < 0:
            return False
        watch.want = want
    return True


cdef inline void client_unref(client_t* c) noexcept nogil:
    """The caller holds core.lock."""
    c.refs -= 1
    if c.refs == 0:
        rfc.decoder_free(&c.decoder)
        free(c.control.data)
        free(c.input.unread)
        free(c.appearance)
        free(c.text)
        free(c)


cdef inline void terminal_unref(terminal_t* t) noexcept nogil:
    """The caller holds core.lock."""
    cdef command_t* command
    cdef capture_t* capture
    t.refs -= 1
    if t.refs:
        return
    while t.inbox.first is not NULL:
        command = <command_t*>list_take_first(&t.inbox)
        free(command.chunk)
        free(command)
    while t.input_queue.first is not NULL:
        free(list_take_first(&t.input_queue))
    while t.captures.first is not NULL:
        capture = <capture_t*>list_take_first(&t.captures)
        engine.vt_free(capture.state)
        free(capture)
    if t.pty.fd >= 0:
        close(t.pty.fd)
    free(t.presence)
    free(t.note)
    engine.vt_buf_free(&t.marks)
    engine.vt_free(t.vt)
    rings.ring_close(&t.ring)
    free(t)


cdef inline void report(terminal_t* t, unsigned events) noexcept nogil:
    """Put a terminal's events into the outbox."""
    cdef core_t* core = t.core
    pthread_mutex_lock(&core.lock)
    t.events |= events
    if not is_linked(&t.in_events):
        t.refs += 1
        if core.events.first is NULL:
            waker_wake(core.waker)
        list_put_first(&core.events, &t.in_events, t)
    pthread_mutex_unlock(&core.lock)


cdef inline void announce(client_t* c, unsigned news) noexcept nogil:
    """Put a client's news into the outbox."""
    cdef core_t* core = c.terminal.core
    pthread_mutex_lock(&core.lock)
    if news & NEWS_GONE:
        c.gone = True
    c.news |= <flag_t>news
    if not is_linked(&c.in_news):
        c.refs += 1
        if core.news.first is NULL:
            waker_wake(core.waker)
        list_put_first(&core.news, &c.in_news, c)
    pthread_mutex_unlock(&core.lock)


cdef inline void report_soon(terminal_t* t, unsigned events) noexcept nogil:
    """Report an event that a program can repeat at will, at most once per EVENT_GAP and terminal."""
    if t.lane.now - t.reported_ns < EVENT_GAP:
        t.late |= events
        t.lane.late_ns = min(t.lane.late_ns, t.reported_ns + EVENT_GAP) if t.lane.late else t.reported_ns + EVENT_GAP
        t.lane.late = True
    else:
        t.reported_ns = t.lane.now
        report_all(t, events)


cdef inline void report_all(terminal_t* t, unsigned events) noexcept nogil:
    """Report events at once, with those that were held back."""
    events |= t.late
    t.late = 0
    report(t, events)


cdef inline void report_marks(terminal_t* t) noexcept nogil:
    """Report prompt marks at once, as programs wait for them. A program that floods marks is held back like others.

    A bell that is held back stays so, or it would come as often as marks do. A change comes along, as a mark is one.
    """
    if t.lane.now - t.burst_ns >= EVENT_GAP:
        t.burst_ns = t.lane.now
        t.burst = 0
    if t.burst == MARK_BURST:
        report_soon(t, DID_MARK)
        return
    t.burst += 1
    report(t, DID_MARK | (t.late & DID_CHANGE))
    t.late &= ~DID_CHANGE


cdef inline void flush_later(client_t* c) noexcept nogil:
    """Send at the end of the turn, once for all that is queued until then."""
    cdef terminal_t* t = c.terminal
    c.due |= DUE_FLUSH
    if not is_linked(&t.in_due):
        list_put_first(&t.lane.due, &t.in_due, t)


cdef inline void note_heard(client_t* c) noexcept nogil:
    """The client shows signs of life, or it could not be heard until now."""
    c.heard_ns = c.terminal.lane.now


cdef inline void account(lane_t* lane, terminal_t* t, int64_t used) noexcept nogil:
    """Charge a terminal for lane time, and decide whether it is to move to a bulk lane."""
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


cdef inline void account_anew(lane_t* lane, terminal_t* t) noexcept nogil:
    """Begin a terminal's account in this lane."""
    t.used_ns = 0
    t.window_ns = t.calm_ns = lane.now
    t.window_traffic = t.traffic


cdef inline void charge(lane_t* lane, terminal_t* t) noexcept nogil:
    """Charge a terminal for the time since the last charge."""
    cdef int64_t before = lane.now
    lane.now = clock_ns(CLOCK_MONOTONIC)
    account(lane, t, lane.now - before)
