# cython: cdivision=True
"""A lane's thread: commands, turns, moves between lanes, and the end."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free
from libc.string cimport memcmp, memcpy

from vibetunnel._ext cimport deflate
from vibetunnel._ext cimport rfc6455 as rfc
from vibetunnel._ext cimport ring as rings
from vibetunnel._ext cimport v1 as wire
from vibetunnel._ext cimport vt as engine
from vibetunnel._ext.pump_backlog cimport client_link, drop, pace, release, sendable, throttle, unthrottle, watch_pty
from vibetunnel._ext.pump_block cimport end_compression, forget_blocks
from vibetunnel._ext.pump_outbox cimport account, announce, charge, client_unref, report_soon, rewatch, terminal_unref
from vibetunnel._ext.pump_output cimport end, own_size, read_pty, resize, settle, write_queued
from vibetunnel._ext.pump_pty cimport close_pty, deliver
from vibetunnel._ext.pump_receive cimport client_ready, may_type, receive_all_unread, receive_unread
from vibetunnel._ext.pump_screen cimport after_feed, capture, feed, keep
from vibetunnel._ext.pump_send cimport (
    fan_later, fan_out_all, flush, flush_all, present, put_accepted, put_access, put_close, put_frame, put_presence,
    put_redraw, put_text_close, skip_due, write_fixed,
)
from vibetunnel._ext.pump_state cimport (
    ALARM, ATTACH, BLOCKED_RATE, BLOCKED_UNREAD, CALM, CAPTURE, CHECKPOINT_CALM, CLOCK_MONOTONIC, CLOCK_REALTIME,
    CLOSE, CONTROL_LIMIT, DETACH, DUE_LINES, DUE_TITLE, EVENT_GAP, FINISH, HELD, INPUT, LATEST_WINDOW, MOVE_QUIET,
    NEWS_CAME, OPEN, PERMIT, POLLER_READ, POLLER_WRITE, PRESENT, PTY, RESIZE, SKIP_WAIT, SOCKET, WAKER, alarm_clear,
    alarm_set, client_t, clock_ns, command_t, core_t, lane_t, poller_event, poller_wait, pthread_mutex_lock,
    pthread_mutex_unlock, terminal_t, waker_clear, waker_wake, watch_t,
)
from vibetunnel._ext.ring cimport load_relaxed, store_relaxed


cdef inline void attach(terminal_t* t, client_t* c) noexcept nogil:
    """Link a client in, say hello, and send the screen or what it missed. One turn: nothing can slip past in between.

    Who comes back gets exactly the bytes behind `since`, if they are kept and the size is what it was then.
    """
    cdef uint64_t start = engine.vt_offset(t.vt)
    cdef uint64_t accepted = 0
    cdef bint whole = t.ring.head == 0  # a terminal on which nothing was ever printed needs no redraw
    cdef bint sized = False
    cdef uint8_t[64] message
    cdef client_t* other
    cdef client_t* following
    cdef size_t used
    cdef uint32_t taken = 0
    cdef bint fresh = False
    cdef int known
    c.watch.kind = SOCKET
    c.watch.owner = c
    c.heard_ns = c.active_ns = t.lane.now
    if c.v1:
        c.window = min(t.bounds.high, <uint64_t>LATEST_WINDOW) if c.latest else t.bounds.high
    if c.has_since and max(rings.ring_oldest(&t.ring), t.ring.header.resized) <= c.since <= t.ring.head:
        start = c.since
        whole = c.returning = True
    c.cursor = c.frame.end = c.acked = start
    c.input.slot = -1
    c.writable = load_relaxed(&c.permitted) != 0
    if c.has_id and not c.writable:  # its numbers go on, but only who types has them remembered
        known = rings.slot_known(&t.ring, c.client_id)
        if known >= 0:
            c.input.next = c.input.accepted_told = accepted = t.ring.header.slots[known].accepted
    if c.has_id and c.writable:
        other = t.clients
        while other is not NULL:
            following = other.next
            if other.input.slot >= 0:
                taken |= <uint32_t>1 << other.input.slot
                if memcmp(other.client_id, c.client_id, 16) == 0:  # back before its old connection was missed
                    put_text_close(other, rfc.CLOSE_AWAY, b"this client is back on another connection")
                    flush(other)
            other = following
        c.input.slot = rings.slot_find(&t.ring, c.client_id, taken, &fresh)
    if c.input.slot >= 0:
        accepted = t.ring.header.slots[c.input.slot].accepted
        c.input.accepted_told = accepted
        if fresh:
            t.slot_next[c.input.slot] = 0
    client_link(c)
    announce(c, NEWS_CAME)
    release(t)
    if t.owner is NULL and c.writable and c.rows:
        sized = c.rows != t.rows or c.cols != t.cols
        own_size(t, c)
    if not rewatch(t.lane, &c.watch, POLLER_READ):
        drop(c)
        return
    if c.v1:
        used = wire.write_hello(
            message,
            (wire.MAY_TYPE if c.writable else 0) | (wire.OWNS_SIZE if t.owner == c else 0),
            <uint16_t>t.rows, <uint16_t>t.cols, start, t.ring.head, accepted, <uint32_t>c.window,
        )
        put_frame(c, rfc.OP_BINARY, message, used, NULL, 0)
        put_access(c)
        put_presence(c)
        c.greeted = True
        if t.ring.header.title_n > 0:
            c.due |= DUE_TITLE
        if not whole or sized and t.ring.head > 0:
            if not put_redraw(c, 0):
                drop(c)
                return
            if c.scrollback > 0:
                c.due |= DUE_LINES
            c.lines_left = c.scrollback
            c.lines_before = engine.vt_top(t.vt)
    else:
        if c.offset_at:
            write_fixed(c.control.data + c.offset_at, start)
        if not whole and not put_redraw(c, c.scrollback):
            drop(c)
            return
        if c.redraw_at and not whole:
            write_fixed(c.control.data + c.redraw_at, t.lane.buffer.n)
    if t.closing and not t.finished:
        put_close(c, rfc.CLOSE_AWAY, NULL, 0)
    flush(c)
    receive_unread(c)
    pace(t)


cdef inline void catch_all_up(lane_t* lane) noexcept nogil:
    """Another turn's work for engines that have not seen all of their rings, and for clients that wait to be read."""
    cdef terminal_t* t = lane.terminals
    lane.behind = False
    if lane.unread:
        receive_all_unread(lane)
    while t is not NULL:
        if t.behind:
            feed(t)
            after_feed(t)
            if not t.behind:
                flush_all(t)  # the exit of a session that has ended waits for it
            charge(lane, t)
        t = t.next


cdef inline void run_command(terminal_t* t, command_t* command) noexcept nogil:
    cdef client_t* c
    cdef client_t* following
    if command.order == ATTACH:
        attach(t, command.client)
    elif command.order == INPUT:
        deliver(t, command.chunk, NULL, 0, NULL)
        command.chunk = NULL
    elif command.order == RESIZE:
        if command.a != t.rows or command.b != t.cols:
            t.owner = NULL  # whoever types next owns it again
            resize(t, command.a, command.b)
    elif command.order == FINISH:
        if not t.finished:
            t.finished = True
            t.exit_code = command.a
            t.exit_signal = command.b
            t.reason_n = rfc.utf8_prefix(command.chunk.data, min(command.chunk.n, sizeof(t.reason)))
            memcpy(t.reason, command.chunk.data, t.reason_n)
            t.hung_up = False
            release(t)
            if t.pty.fd < 0:
                end(t)
            else:
                watch_pty(t)
                read_pty(t)
    elif command.order == CAPTURE:
        capture(t, command.b, <uint32_t>command.a)
    elif command.order == PRESENT:
        present(t, command.chunk)
        command.chunk = NULL
    elif command.order == PERMIT:
        c = command.client
        if c.watch.fd >= 0 and c.attached:
            may_type(c)
        pthread_mutex_lock(&t.core.lock)
        client_unref(c)
        pthread_mutex_unlock(&t.core.lock)
    elif command.order == DETACH:
        c = command.client
        if c.watch.fd >= 0 and c.attached:
            put_close(c, command.a, command.chunk.data, command.chunk.n)
            flush(c)
        pthread_mutex_lock(&t.core.lock)
        client_unref(c)
        pthread_mutex_unlock(&t.core.lock)
    elif command.order == CLOSE:
        t.closing = True
        c = t.clients
        while c is not NULL and not t.finished:  # of a finished one they get the rest and its exit first
            following = c.next
            put_close(c, rfc.CLOSE_AWAY, b"session removed", 15)
            flush(c)
            c = following
        t.lane.closures = True
    free(command.chunk)
    free(command)


cdef inline void link_terminal(lane_t* lane, terminal_t* t) noexcept nogil:
    t.prev = NULL
    t.next = lane.terminals
    if lane.terminals is not NULL:
        lane.terminals.prev = t
    lane.terminals = t


cdef inline void unlink_terminal(lane_t* lane, terminal_t* t) noexcept nogil:
    cdef terminal_t** at = &lane.fans
    if t.prev is not NULL:
        t.prev.next = t.next
    else:
        lane.terminals = t.next
    if t.next is not NULL:
        t.next.prev = t.prev
    t.next = t.prev = NULL
    if t.fan_due:
        while at[0] != t:
            at = &at[0].fan_next
        at[0] = t.fan_next
        t.fan_due = False


cdef inline void serve_commands(lane_t* lane) noexcept nogil:
    """Take every inbox that has something, in the order in which they were filled."""
    cdef core_t* core = lane.core
    cdef terminal_t* t
    cdef terminal_t* dirty
    cdef command_t* command
    cdef command_t* following
    cdef client_t* c
    cdef bint arriving
    cdef unsigned want
    pthread_mutex_lock(&core.lock)
    lane.woken = False
    lane.stopping = core.stopping
    dirty = lane.dirty
    lane.dirty = NULL
    pthread_mutex_unlock(&core.lock)
    while dirty is not NULL:
        t = dirty
        pthread_mutex_lock(&core.lock)
        dirty = t.dirty_next
        t.queued = False
        arriving = t.arriving
        t.arriving = False
        command = t.first
        t.first = t.last = NULL
        pthread_mutex_unlock(&core.lock)
        if arriving:
            link_terminal(lane, t)
            t.used_ns = 0
            t.window_ns = t.calm_ns = lane.now
            t.window_traffic = t.traffic
            if t.late:
                report_soon(t, 0)
            lane.behind = lane.behind or t.behind
            if t.fanning:
                fan_later(t)
            watch_pty(t)
            c = t.clients
            while c is not NULL:
                want = 0 if c.input.blocked else POLLER_READ
                if c.input.blocked & BLOCKED_RATE:
                    throttle(lane)
                if c.input.blocked == BLOCKED_UNREAD:
                    lane.unread = lane.behind = True
                if c.control.n or c.cursor < c.frame.end or sendable(c) > c.cursor or c.due & DUE_LINES:
                    want |= POLLER_WRITE
                rewatch(lane, &c.watch, want)
                lane.skipping = lane.skipping or c.skip_ns != 0
                c = c.next
        while command is not NULL:
            following = command.next
            run_command(t, command)
            command = following


cdef inline void move(lane_t* lane, terminal_t* t) noexcept nogil:
    """Hand a terminal over, whole: its descriptors, its clients and the commands that wait for it."""
    cdef core_t* core = lane.core
    cdef lane_t* target = &core.lanes[t.move_to]
    cdef terminal_t** at
    cdef client_t* c = t.clients
    cdef int i
    rewatch(lane, &t.pty, 0)
    while c is not NULL:
        rewatch(lane, &c.watch, 0)
        c = c.next
    unlink_terminal(lane, t)
    lane.statistics.moves += 1
    pthread_mutex_lock(&core.lock)
    if core.stopping:
        target = lane  # the other lane may have ended already: arrive here again
    elif t.move_to > 0:  # the bulk lane with the fewest terminals
        for i in range(2, core.lane_count):
            if core.lanes[i].load < target.load:
                target = &core.lanes[i]
    t.move_to = -1
    lane.load -= 1
    target.load += 1
    if t.queued:
        at = &lane.dirty
        while at[0] != t:
            at = &at[0].dirty_next
        at[0] = t.dirty_next
    t.lane = target
    store_relaxed(&t.lane_index, target.index)
    t.arriving = True
    enqueue(t)
    pthread_mutex_unlock(&core.lock)


cdef inline void enqueue(terminal_t* t) noexcept nogil:
    """Have its lane look at a terminal's inbox. core.lock is held; it is in no lane's list."""
    cdef terminal_t** at = &t.lane.dirty
    while at[0] is not NULL:
        at = &at[0].dirty_next
    t.dirty_next = NULL
    at[0] = t
    t.queued = True
    if not t.lane.woken:
        t.lane.woken = True
        waker_wake(t.lane.waker)


cdef inline void sweep(lane_t* lane) noexcept nogil:
    """What time alone asks for: pings, time-outs, acknowledgements that no output carried, the way back."""
    cdef core_t* core = lane.core
    cdef terminal_t* t = lane.terminals
    cdef terminal_t* t_following
    cdef client_t* c
    cdef client_t* following
    cdef int64_t wall_ns = clock_ns(CLOCK_REALTIME)
    while t is not NULL:
        t_following = t.next
        if t.hung_up and not t.finished and t.pty.fd >= 0 and not t.gate.paused:
            t.hung_up = False
            watch_pty(t)  # still hung up: the poller says so at once
        elif t.awaits_client and lane.now - t.opened_ns > HELD:
            release(t)  # whoever it was for does not come
        elif t.finished and not t.ended:
            read_pty(t)  # something else still holds the PTY: what is there now is all
        if t.ring.head - t.kept > rings.ring_capacity(&t.ring) // 4 and wall_ns - t.last_output_ns > CALM:
            keep(t, CHECKPOINT_CALM)
        c = t.clients
        while c is not NULL:
            following = c.next
            if c.close_by_ns and lane.now > c.close_by_ns:
                drop(c)
            elif not c.input.blocked and lane.now - c.heard_ns > core.timeout_ns:
                lane.statistics.dropped += 1
                c.code = rfc.CLOSE_ABNORMAL
                drop(c)
            elif c.close_state == OPEN and min(lane.now - c.heard_ns, lane.now - c.pinged_ns) > core.ping_ns:
                c.pinged_ns = lane.now
                if c.control.n < CONTROL_LIMIT // 2 and put_frame(c, rfc.OP_PING, NULL, 0, NULL, 0):
                    flush(c)
            elif c.close_state == OPEN:
                if not put_accepted(c, 1):
                    drop(c)
                elif c.control.n and c.watch.want & POLLER_WRITE == 0:
                    flush(c)
            c = following
        if t.clients is not NULL:
            pace(t)
        if lane.index > 0:
            account(lane, t, 0)
            if lane.now - t.calm_ns > MOVE_QUIET and not t.closing:
                t.move_to = 0
                lane.moves = True
        t = t_following


cdef inline void report_late(lane_t* lane) noexcept nogil:
    """Report what was held back, as far as it is time."""
    cdef terminal_t* t = lane.terminals
    lane.late = False
    while t is not NULL:
        if t.late:
            report_soon(t, 0)
        t = t.next


cdef inline void tidy(lane_t* lane) noexcept nogil:
    """The end of a turn: let go of what events of the turn might still have pointed to; then the moves."""
    cdef core_t* core = lane.core
    cdef terminal_t* t
    cdef terminal_t* following
    cdef client_t* c
    while lane.due is not NULL:  # settling may drop clients, and so ask for more
        t = lane.due
        lane.due = t.due_next
        t.due = False
        settle(t)
    if lane.compresses:
        end_compression(lane)
    while lane.dropped is not NULL:
        c = lane.dropped
        lane.dropped = c.dropped_next
        c.terminal = NULL
        pthread_mutex_lock(&core.lock)
        client_unref(c)
        pthread_mutex_unlock(&core.lock)
    if not lane.closures and not lane.moves:
        return
    lane.closures = lane.moves = False
    t = lane.terminals
    while t is not NULL:
        following = t.next
        if t.closing and t.clients is NULL:
            free_terminal(lane, t, False)
        elif t.move_to >= 0 and lane.stopping:
            t.move_to = -1  # stop() must find it here
        elif t.move_to >= 0:
            move(lane, t)
        t = following


cdef inline void free_terminal(lane_t* lane, terminal_t* t, bint always) noexcept nogil:
    """Let go of a terminal without clients, unless a command has come for it."""
    cdef core_t* core = lane.core
    pthread_mutex_lock(&core.lock)
    if always or not t.queued:
        forget_blocks(t)
        close_pty(t)
        unlink_terminal(lane, t)
        lane.load -= 1
        t.dead = True
        terminal_unref(t)
    else:
        lane.closures = True
    pthread_mutex_unlock(&core.lock)


cdef inline bint stop(lane_t* lane) noexcept nogil:
    """Say goodbye to every client. True when the lane can end: all have answered, or have had their time."""
    cdef core_t* core = lane.core
    cdef terminal_t* t = lane.terminals
    cdef client_t* c
    cdef client_t* following
    cdef bint alone = True
    cdef bint late = lane.now > core.stop_by_ns
    while t is not NULL:
        c = t.clients
        while c is not NULL:
            following = c.next
            if not lane.told_stop:
                put_close(c, core.stop_code, core.stop_reason, core.stop_reason_n)
                flush(c)
            if late:
                drop(c)
            c = following
        alone = alone and t.clients is NULL
        t = t.next
    lane.told_stop = True
    return alone


cdef inline void serve(lane_t* lane, watch_t* watch, unsigned ready) noexcept nogil:
    """One descriptor's turn."""
    cdef terminal_t* t
    if watch.fd < 0:
        return
    if watch.kind == PTY:
        t = <terminal_t*>watch.owner
        if ready & POLLER_WRITE and t.input_first is not NULL:
            write_queued(t)
        if ready & POLLER_READ and watch.want & POLLER_READ:
            read_pty(t)
    else:
        t = (<client_t*>watch.owner).terminal
        client_ready(<client_t*>watch.owner, ready)
    charge(lane, t)


cdef inline void set_alarm(lane_t* lane) noexcept nogil:
    """Have this lane woken when something is due.

    An alarm that is too early stays: waking once costs less than moving it with every event.
    """
    cdef int64_t due = lane.sweep_ns if lane.terminals is not NULL else <int64_t>0x7FFFFFFFFFFFFFFF
    if lane.late:
        due = min(due, lane.late_ns)
    if lane.throttled:
        due = min(due, lane.throttle_ns)
    if lane.skipping:
        due = min(due, lane.now + SKIP_WAIT)
    if lane.stopping:
        due = min(due, lane.now + EVENT_GAP)
    if due != <int64_t>0x7FFFFFFFFFFFFFFF and (lane.alarm_ns == 0 or due < lane.alarm_ns):
        lane.alarm_ns = due
        alarm_set(lane.poller, lane.alarm.fd, &lane.alarm, due)


cdef inline void* run_lane(void* arg) noexcept nogil:
    """A lane's thread, from start to end."""
    cdef lane_t* lane = <lane_t*>arg
    cdef core_t* core = lane.core
    cdef poller_event[256] events
    cdef watch_t* watch
    cdef int i, n
    cdef bint commands
    cdef int64_t period = max(<int64_t>10000000, min(<int64_t>1000000000, core.ping_ns // 4))
    if lane.index > 0:
        period = min(period, MOVE_QUIET // 2)
    lane.now = clock_ns(CLOCK_MONOTONIC)
    lane.sweep_ns = lane.now + period
    while True:
        set_alarm(lane)
        n = poller_wait(lane.poller, events, lane.closures or lane.moves or lane.behind or lane.fans is not NULL)
        lane.now = clock_ns(CLOCK_MONOTONIC)
        lane.statistics.turns += 1
        commands = False
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
        if commands:
            serve_commands(lane)
        if lane.now >= lane.sweep_ns:
            sweep(lane)
            lane.sweep_ns = lane.now + period
        if lane.late and lane.now >= lane.late_ns:
            report_late(lane)
        if lane.behind:
            catch_all_up(lane)
        if lane.fans is not NULL:
            fan_out_all(lane)
        if lane.throttled and lane.now >= lane.throttle_ns:
            unthrottle(lane)
        if lane.skipping:
            skip_due(lane)
        tidy(lane)
        if lane.stopping and stop(lane):
            tidy(lane)
            while lane.terminals is not NULL:
                keep(lane.terminals, rings.CHECKPOINT_MAX)
                free_terminal(lane, lane.terminals, True)
            engine.vt_buf_free(&lane.buffer)
            deflate.deflater_free(&lane.deflater)
            deflate.inflater_free(&lane.inflater)
            free(lane.inflated.data)
            return NULL
