"""What a pump consists of: its lanes, which start and stop together, and the terminals that they are given.

The functions here run in Python's threads. What a lane does in its own thread is in pump_lane.pxd.
"""

from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

from vibetunnel._ext cimport ring as rings
from vibetunnel._ext.pump_lane cimport enqueue, run_lane
from vibetunnel._ext.pump_outbox cimport client_unref, rewatch, terminal_unref
from vibetunnel._ext.pump_state cimport (
    ALARM, BATCH, MAX_LANES, PTY, SCRATCH, TYPED_MAX, WAKER, client_t, command_t, core_t, lane_t, statistics_t,
    terminal_t,
)
from vibetunnel._ext.lists cimport is_linked, list_put_last, list_take_first
from vibetunnel._ext.pump_system cimport (
    CLOCK_MONOTONIC, POLLER_READ, alarm_close, alarm_open, clock_ns, close, poller_open, pthread_join,
    pthread_mutex_lock, pthread_mutex_unlock, start_lane, waker_close, waker_open, waker_wake,
)
from vibetunnel._ext.ring cimport load_relaxed


# ---------------------------------------------------------------- lanes

cdef inline bint open_lane(core_t* core, int index) noexcept nogil:
    """False, and errno: it has not all that it needs. free_lanes() frees what it has."""
    cdef lane_t* lane = &core.lanes[index]
    lane.core = core
    lane.index = index
    lane.wake.kind = WAKER
    lane.wake.fd = -1
    lane.alarm.kind = ALARM
    lane.alarm.fd = -1
    lane.poller = poller_open()
    lane.scratch = <uint8_t*>malloc(SCRATCH)
    lane.typed = <uint8_t*>malloc(TYPED_MAX)
    if lane.poller < 0 or lane.scratch is NULL or lane.typed is NULL or waker_open(lane.waker) < 0:
        return False
    lane.wake.fd = lane.waker[0]
    lane.alarm.fd = alarm_open(lane.poller, &lane.alarm)
    if lane.alarm.fd < 0:
        return False
    rewatch(lane, &lane.wake, POLLER_READ)
    return True


cdef inline bint start_lanes(core_t* core, int count) noexcept nogil:
    """Start their threads. False, and errno: one cannot start, and those before it run."""
    cdef lane_t* lane
    cdef int i
    for i in range(count):
        lane = &core.lanes[i]
        if start_lane(&lane.thread, run_lane, lane):
            return False
        core.lane_count = i + 1
    return True


cdef inline void stop_lanes(core_t* core, int code, const uint8_t* reason, size_t n, int64_t linger_ns) noexcept nogil:
    """Have the clients of all lanes closed, and wait until the threads have ended."""
    cdef int i
    pthread_mutex_lock(&core.lock)
    core.stop_code = code
    core.stop_reason_n = n
    memcpy(core.stop_reason, reason, n)
    core.stop_by_ns = clock_ns(CLOCK_MONOTONIC) + linger_ns
    core.stopping = True
    for i in range(core.lane_count):
        waker_wake(core.lanes[i].waker)
    pthread_mutex_unlock(&core.lock)
    for i in range(core.lane_count):
        pthread_join(core.lanes[i].thread, NULL)


cdef inline void free_lanes(core_t* core) noexcept nogil:
    """Free what the outbox and the lanes hold. No thread of theirs runs any more."""
    cdef lane_t* lane
    cdef int i
    pthread_mutex_lock(&core.lock)
    while core.events.first is not NULL:
        terminal_unref(<terminal_t*>list_take_first(&core.events))
    while core.news.first is not NULL:
        client_unref(<client_t*>list_take_first(&core.news))
    pthread_mutex_unlock(&core.lock)
    for i in range(MAX_LANES):
        lane = &core.lanes[i]
        if lane.core is not NULL:
            if lane.wake.fd >= 0:
                waker_close(lane.waker)
            alarm_close(lane.alarm.fd)
            if lane.poller >= 0:
                close(lane.poller)
        free(lane.scratch)
        free(lane.typed)


cdef inline statistics_t sum_statistics(core_t* core) noexcept nogil:
    cdef statistics_t total
    cdef statistics_t* s
    cdef int i
    memset(&total, 0, sizeof(total))
    for i in range(core.lane_count):
        s = &core.lanes[i].statistics
        total.bytes_out += load_relaxed(&s.bytes_out)
        total.bytes_in += load_relaxed(&s.bytes_in)
        total.frames_out += load_relaxed(&s.frames_out)
        total.frames_in += load_relaxed(&s.frames_in)
        total.pty_reads += load_relaxed(&s.pty_reads)
        total.turns += load_relaxed(&s.turns)
        total.moves += load_relaxed(&s.moves)
        total.dropped += load_relaxed(&s.dropped)
        total.redraws += load_relaxed(&s.redraws)
        total.compressions += load_relaxed(&s.compressions)
        total.blocks += load_relaxed(&s.blocks)
    return total


# ---------------------------------------------------------------- terminals

cdef inline void set_up(core_t* core, terminal_t* t, int pty_fd) noexcept nogil:
    """The first values of a terminal whose ring is open: it is in no lane yet."""
    cdef uint64_t capacity = rings.ring_capacity(&t.ring)
    cdef int i
    t.core = core
    t.lane = &core.lanes[0]
    t.pty.kind = PTY
    t.pty.fd = pty_fd
    t.pty.owner = t
    t.move_to = -1
    t.opened_ns = clock_ns(CLOCK_MONOTONIC)
    t.bounds.capacity = capacity
    t.bounds.batch = min(<uint64_t>BATCH, capacity // 4)
    t.bounds.high = min(core.high, capacity // 2)
    t.bounds.low = t.bounds.high // 2
    for i in range(rings.SLOTS):
        t.slot_next[i] = t.ring.header.slots[i].accepted
    t.refs = 2  # the handle's and the lane's


cdef inline void admit(core_t* core, terminal_t* t) noexcept nogil:
    """Give it to its lane."""
    pthread_mutex_lock(&core.lock)
    t.lane.load += 1
    t.arriving = True
    enqueue(t)
    pthread_mutex_unlock(&core.lock)


cdef inline bint put_command(core_t* core, terminal_t* t, command_t* command) noexcept nogil:
    """Queue a command for the terminal's lane. False: no lane has the terminal any more."""
    cdef bint dead
    pthread_mutex_lock(&core.lock)
    dead = t.dead
    if not dead:
        list_put_last(&t.inbox, &command.in_inbox, command)
        if not is_linked(&t.in_dirty):
            enqueue(t)
    pthread_mutex_unlock(&core.lock)
    return not dead
