# cython: cdivision=True
"""A lane's thread: its loop, its terminals, moves between lanes, and the end."""

from libc.stdint cimport int64_t
from libc.stdlib cimport free

from vibetunnel._ext cimport deflate
from vibetunnel._ext cimport ring as rings
from vibetunnel._ext cimport vt as engine
from vibetunnel._ext.pump_backlog cimport (
    drop, pace, sendable, stop_awaiting, throttle, unthrottle, wants_damage, watch_pty,
)
from vibetunnel._ext.pump_block cimport end_compression, forget_blocks
from vibetunnel._ext.pump_command cimport run_command
from vibetunnel._ext.pump_outbox cimport (
    account, account_anew, charge, client_unref, note_heard, report_soon, rewatch, terminal_unref,
)
from vibetunnel._ext.pump_output cimport read_pty, watch_again, write_queued
from vibetunnel._ext.pump_pty cimport close_pty
from vibetunnel._ext.pump_receive cimport client_ready, receive_all_unread
from vibetunnel._ext.pump_screen cimport after_feed, feed, keep
from vibetunnel._ext.pump_send cimport (
    drop_unheard, fan_later, fan_out_all, flush, flush_all, flush_due, flush_unless_full, put_accepted, put_close,
    redraw_interrupted,
)
from vibetunnel._ext.pump_state cimport (
    ALARM, ANSWER_WAIT, AWAIT_CLIENT, BLOCKED_RATE, BLOCKED_UNREAD, CALM, CHECKPOINT_CALM, CONTROL_LIMIT, DUE_LINES,
    EVENT_GAP, MOVE_QUIET, OPEN, PTY, STREAM_QUIET, WAKER, client_t, command_t, core_t, lane_t, terminal_t, watch_t,
)
from vibetunnel._ext.pump_text cimport is_stream, put_sign_of_life
from vibetunnel._ext.lists cimport (
    is_linked, link_t, list_next, list_put_first, list_put_last, list_remove, list_t, list_take_all,
    list_take_first,
)
from vibetunnel._ext.pump_system cimport (
    CLOCK_MONOTONIC, CLOCK_REALTIME, POLLER_BATCH, POLLER_READ, POLLER_WRITE, alarm_clear, alarm_set, clock_ns,
    poller_event, poller_wait, pthread_mutex_lock, pthread_mutex_unlock, waker_clear, waker_wake,
)
from vibetunnel._ext.ring cimport store_relaxed

cdef enum:
    NEVER = 0x7FFFFFFFFFFFFFFF  # ns
    SWEEP_MIN = 10000000  # ns between two sweeps
    SWEEP_MAX = 1000000000  # ns; a finished session and a hung-up PTY wait no longer


# ---------------------------------------------------------------- terminals come and go

cdef inline void enqueue(terminal_t* t) noexcept nogil:
    """Have its lane look at a terminal's inbox. The caller holds core.lock; the terminal is in no lane's dirty list."""
    list_put_last(&t.lane.dirty, &t.in_dirty, t)
    if not t.lane.woken:
        t.lane.woken = True
        waker_wake(t.lane.waker)


cdef inline void unlink_terminal(lane_t* lane, terminal_t* t) noexcept nogil:
    list_remove(&lane.terminals, &t.in_lane)
    if is_linked(&t.in_fans):
        list_remove(&lane.fans, &t.in_fans)


cdef inline void arrive(lane_t* lane, terminal_t* t) noexcept nogil:
    """A terminal was opened or has moved here: take over what its lane has to know of it."""
    cdef link_t* at = t.clients.first
    cdef client_t* c
    cdef unsigned want
    list_put_first(&lane.terminals, &t.in_lane, t)
    account_anew(lane, t)
    if t.late:
        report_soon(t, 0)
    lane.unfinished = lane.unfinished or t.unseen
    if t.fanning:
        fan_later(t)
    watch_pty(t)
    while at is not NULL:
        c = <client_t*>list_next(&at)
        want = 0 if c.input.blocked else POLLER_READ
        if c.input.blocked & BLOCKED_RATE:
            throttle(lane)
        if c.input.blocked == BLOCKED_UNREAD:
            lane.unread = lane.unfinished = True
        if (
            c.control.n or c.cursor < c.frame.end or sendable(c) > c.cursor or wants_damage(c) or c.due & DUE_LINES
        ):
            want |= POLLER_WRITE
        rewatch(lane, &c.watch, want)
        lane.awaits_answers = lane.awaits_answers or c.answer_by_ns != 0


cdef inline lane_t* choose_lane(lane_t* lane, terminal_t* t) noexcept nogil:
    """Where a terminal moves to: lane 0, or the bulk lane with the fewest terminals. The caller holds core.lock."""
    cdef core_t* core = lane.core
    cdef lane_t* target = &core.lanes[t.move_to]
    cdef int i
    if core.stopping:
        return lane  # the other lane may have ended already: arrive here again
    if t.move_to > 0:
        for i in range(2, core.lane_count):
            if core.lanes[i].load < target.load:
                target = &core.lanes[i]
    return target


cdef inline void move(lane_t* lane, terminal_t* t) noexcept nogil:
    """Hand a terminal over, whole: its descriptors, its clients and the commands that wait for it."""
    cdef core_t* core = lane.core
    cdef link_t* at = t.clients.first
    rewatch(lane, &t.pty, 0)
    while at is not NULL:
        rewatch(lane, &(<client_t*>list_next(&at)).watch, 0)
    unlink_terminal(lane, t)
    lane.statistics.moves += 1
    pthread_mutex_lock(&core.lock)
    if is_linked(&t.in_dirty):
        list_remove(&lane.dirty, &t.in_dirty)
    t.lane = choose_lane(lane, t)
    t.move_to = -1
    lane.load -= 1
    t.lane.load += 1
    store_relaxed(&t.lane_index, t.lane.index)
    t.arriving = True
    enqueue(t)
    pthread_mutex_unlock(&core.lock)


cdef inline void free_terminal(lane_t* lane, terminal_t* t, bint always) noexcept nogil:
    """Let go of a terminal without clients, unless a command has come for it."""
    cdef core_t* core = lane.core
    pthread_mutex_lock(&core.lock)
    if always or not is_linked(&t.in_dirty):
        forget_blocks(t)
        close_pty(t)
        unlink_terminal(lane, t)
        lane.load -= 1
        t.dead = True
        terminal_unref(t)
    else:
        lane.closures = True
    pthread_mutex_unlock(&core.lock)


# ---------------------------------------------------------------- parts of a turn

cdef inline void serve_commands(lane_t* lane) noexcept nogil:
    """Take every inbox that has something, in the order in which they were filled."""
    cdef core_t* core = lane.core
    cdef terminal_t* t
    cdef list_t dirty
    cdef list_t inbox
    cdef bint arriving
    pthread_mutex_lock(&core.lock)
    lane.woken = False
    lane.stopping = core.stopping
    list_take_all(&lane.dirty, &dirty)
    pthread_mutex_unlock(&core.lock)
    while dirty.first is not NULL:
        pthread_mutex_lock(&core.lock)
        t = <terminal_t*>list_take_first(&dirty)
        arriving = t.arriving
        t.arriving = False
        list_take_all(&t.inbox, &inbox)
        pthread_mutex_unlock(&core.lock)
        if arriving:
            arrive(lane, t)
        while inbox.first is not NULL:
            run_command(t, <command_t*>list_take_first(&inbox))


cdef inline void serve(lane_t* lane, watch_t* watch, unsigned ready) noexcept nogil:
    """One descriptor's turn."""
    cdef terminal_t* t
    if watch.fd < 0:
        return
    if watch.kind == PTY:
        t = <terminal_t*>watch.owner
        if ready & POLLER_WRITE and t.input_queue.first is not NULL:
            write_queued(t)
        if ready & POLLER_READ and watch.want & POLLER_READ:
            read_pty(t)
    else:
        t = (<client_t*>watch.owner).terminal
        client_ready(<client_t*>watch.owner, ready)
    charge(lane, t)


cdef inline void catch_all_up(lane_t* lane) noexcept nogil:
    """Another turn's work for engines that have not seen all of their rings, and for clients with unread bytes."""
    cdef link_t* at
    cdef terminal_t* t
    lane.unfinished = False
    if lane.unread:
        receive_all_unread(lane)
    at = lane.terminals.first
    while at is not NULL:
        t = <terminal_t*>list_next(&at)
        if t.unseen:
            feed(t)
            after_feed(t)
            if not t.unseen:
                flush_all(t)  # the exit of a session that has ended waits for this
            charge(lane, t)


cdef inline void report_late(lane_t* lane) noexcept nogil:
    """Report events that were held back, if their time has come."""
    cdef link_t* at = lane.terminals.first
    cdef terminal_t* t
    lane.late = False
    while at is not NULL:
        t = <terminal_t*>list_next(&at)
        if t.late:
            report_soon(t, 0)


cdef inline void sweep_client(lane_t* lane, client_t* c) noexcept nogil:
    """Time-outs, pings, and acknowledgements that no output carried."""
    cdef core_t* core = lane.core
    cdef int64_t quiet_ns = min(core.ping_ns, <int64_t>STREAM_QUIET) if is_stream(c) else core.ping_ns
    if c.close_by_ns and lane.now > c.close_by_ns:
        drop(c)
    elif not c.input.blocked and lane.now - c.heard_ns > core.timeout_ns:
        drop_unheard(c)
    elif c.close_state != OPEN:
        return
    elif min(lane.now - c.heard_ns, lane.now - c.pinged_ns) > quiet_ns:
        c.pinged_ns = lane.now
        if c.control.n < CONTROL_LIMIT // 2 and put_sign_of_life(c):
            flush(c)
        if is_stream(c) and c.watch.fd >= 0 and c.control.n == 0:
            note_heard(c)  # it cannot answer, but its side has taken all
    elif not put_accepted(c, 1):
        drop(c)
    elif c.control.n:
        flush_unless_full(c)


cdef inline void sweep(lane_t* lane) noexcept nogil:
    """Do what only time asks for."""
    cdef link_t* t_at = lane.terminals.first
    cdef link_t* at
    cdef terminal_t* t
    cdef int64_t wall_ns = clock_ns(CLOCK_REALTIME)
    while t_at is not NULL:
        t = <terminal_t*>list_next(&t_at)
        if t.hung_up and not t.finished and t.pty.fd >= 0 and not t.gate.paused:
            watch_again(t)
        elif t.awaits_client and lane.now - t.opened_ns > AWAIT_CLIENT:
            stop_awaiting(t)
        elif t.finished and not t.ended:
            read_pty(t)  # another process still holds the PTY, so there is no end: take only the output that is there
        if t.ring.head - t.kept > rings.ring_capacity(&t.ring) // 4 and wall_ns - t.last_output_ns > CALM:
            keep(t, CHECKPOINT_CALM)
        at = t.clients.first
        while at is not NULL:
            sweep_client(lane, <client_t*>list_next(&at))
        if t.clients.first is not NULL:
            pace(t)
        if lane.index > 0:
            account(lane, t, 0)
            if lane.now - t.calm_ns > MOVE_QUIET and not t.closing:
                t.move_to = 0
                lane.moves = True


cdef inline void tidy(lane_t* lane) noexcept nogil:
    """End of turn: send what is due, free dropped clients, to which events of the turn may have pointed, and move."""
    cdef core_t* core = lane.core
    cdef link_t* at
    cdef terminal_t* t
    cdef client_t* c
    while lane.due.first is not NULL:  # sending may drop clients, and so make more terminals due
        flush_due(<terminal_t*>list_take_first(&lane.due))
    if lane.compresses:
        end_compression(lane)
    while lane.dropped.first is not NULL:
        c = <client_t*>list_take_first(&lane.dropped)
        c.terminal = NULL
        pthread_mutex_lock(&core.lock)
        client_unref(c)
        pthread_mutex_unlock(&core.lock)
    if not lane.closures and not lane.moves:
        return
    lane.closures = lane.moves = False
    at = lane.terminals.first
    while at is not NULL:
        t = <terminal_t*>list_next(&at)
        if t.closing and t.clients.first is NULL:
            free_terminal(lane, t, False)
        elif t.move_to >= 0 and lane.stopping:
            t.move_to = -1  # stop() must find it here
        elif t.move_to >= 0:
            move(lane, t)


# ---------------------------------------------------------------- the loop

cdef inline bint stop(lane_t* lane) noexcept nogil:
    """Close every client. True when the lane can end: all have answered, or their time is over."""
    cdef core_t* core = lane.core
    cdef link_t* t_at = lane.terminals.first
    cdef link_t* at
    cdef terminal_t* t
    cdef client_t* c
    cdef bint alone = True
    cdef bint late = lane.now > core.stop_by_ns
    while t_at is not NULL:
        t = <terminal_t*>list_next(&t_at)
        at = t.clients.first
        while at is not NULL:
            c = <client_t*>list_next(&at)
            if not lane.told_stop:
                put_close(c, core.stop_code, core.stop_reason, core.stop_reason_n)
                flush(c)
            if late:
                drop(c)
        alone = alone and t.clients.first is NULL
    lane.told_stop = True
    return alone


cdef inline void free_lane(lane_t* lane) noexcept nogil:
    """The lane ends: save its terminals, and free what it has."""
    cdef terminal_t* t
    while lane.terminals.first is not NULL:
        t = <terminal_t*>lane.terminals.first.owner
        keep(t, rings.CHECKPOINT_MAX)
        free_terminal(lane, t, True)
    engine.vt_buf_free(&lane.buffer)
    engine.vt_buf_free(&lane.damage.bytes)
    deflate.deflater_free(&lane.deflater)
    deflate.inflater_free(&lane.inflater)
    free(lane.inflated.data)


cdef inline void set_alarm(lane_t* lane) noexcept nogil:
    """Have this lane woken when something is due.

    An alarm that is too early stays: waking once costs less than moving it with every event.
    """
    cdef int64_t due = lane.sweep_ns if lane.terminals.first is not NULL else <int64_t>NEVER
    if lane.late:
        due = min(due, lane.late_ns)
    if lane.throttled:
        due = min(due, lane.throttle_ns)
    if lane.awaits_answers:
        due = min(due, lane.now + ANSWER_WAIT)
    if lane.stopping:
        due = min(due, lane.now + EVENT_GAP)
    if due != <int64_t>NEVER and (lane.alarm_ns == 0 or due < lane.alarm_ns):
        lane.alarm_ns = due
        alarm_set(lane.poller, lane.alarm.fd, &lane.alarm, due)


cdef inline bint serve_events(lane_t* lane, poller_event* events, int n) noexcept nogil:
    """Serve the descriptors that the poller found ready. True: commands have come."""
    cdef watch_t* watch
    cdef bint commands = False
    cdef int i
    for i in range(n):
        watch = <watch_t*>events[i].owner
        if watch.kind == WAKER:
            waker_clear(lane.waker)
            commands = True
        elif watch.kind == ALARM:
            alarm_clear(lane.alarm.fd)
            lane.alarm_ns = 0
        else:
            serve(lane, watch, events[i].ready)
    return commands


cdef inline void* run_lane(void* arg) noexcept nogil:
    """A lane's thread, from start to end."""
    cdef lane_t* lane = <lane_t*>arg
    cdef poller_event[POLLER_BATCH] events
    cdef int64_t period = max(<int64_t>SWEEP_MIN, min(<int64_t>SWEEP_MAX, lane.core.ping_ns // 4))
    cdef int n
    if lane.index > 0:
        period = min(period, MOVE_QUIET // 2)
    lane.now = clock_ns(CLOCK_MONOTONIC)
    lane.sweep_ns = lane.now + period
    while True:
        set_alarm(lane)
        n = poller_wait(
            lane.poller, events, lane.closures or lane.moves or lane.unfinished or lane.fans.first is not NULL
        )
        lane.now = clock_ns(CLOCK_MONOTONIC)
        lane.statistics.turns += 1
        if serve_events(lane, events, n):
            serve_commands(lane)
        if lane.now >= lane.sweep_ns:
            sweep(lane)
            lane.sweep_ns = lane.now + period
        if lane.late and lane.now >= lane.late_ns:
            report_late(lane)
        if lane.unfinished:
            catch_all_up(lane)
        if lane.fans.first is not NULL:
            fan_out_all(lane)
        if lane.throttled and lane.now >= lane.throttle_ns:
            unthrottle(lane)
        if lane.awaits_answers:
            redraw_interrupted(lane)
        tidy(lane)
        if lane.stopping and stop(lane):
            tidy(lane)
            free_lane(lane)
            return NULL
