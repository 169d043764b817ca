"""Bytes into the PTY."""

from libc.errno cimport EAGAIN, EINTR, errno
from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.stdlib cimport free

from vibetunnel._ext.pump_backlog cimport watch_pty
from vibetunnel._ext.pump_outbox cimport chunk_new, rewatch
from vibetunnel._ext.pump_state cimport (
    CLOCK_REALTIME, WRITE_MAX, chunk_t, client_t, clock_ns, close, terminal_t, write,
)
from vibetunnel._ext.ring cimport store_relaxed


cdef inline void close_pty(terminal_t* t) noexcept nogil:
    rewatch(t.lane, &t.pty, 0)
    if t.pty.fd >= 0:
        close(t.pty.fd)
        t.pty.fd = -1


cdef inline void count_accepted(terminal_t* t, int slot, uint64_t generation, size_t n) noexcept nogil:
    store_relaxed(&t.bytes_in, t.bytes_in + <int64_t>n)
    t.lane.statistics.bytes_in += <int64_t>n
    if slot >= 0 and t.ring.header.slots[slot].generation == generation:
        t.ring.header.slots[slot].accepted += n


cdef inline ssize_t write_pty(terminal_t* t, const uint8_t* data, size_t n) noexcept nogil:
    """Bytes that the PTY took, perhaps none; what a dead one gets counts as taken."""
    cdef ssize_t done
    while True:
        done = write(t.pty.fd, data, min(n, <size_t>WRITE_MAX))
        if done >= 0:
            return done
        if errno == EAGAIN:
            return 0
        if errno != EINTR:
            return <ssize_t>n


cdef inline void deliver(terminal_t* t, chunk_t* chunk, const uint8_t* data, size_t n, client_t* c) noexcept nogil:
    """Give input to the PTY, behind what waits already. Either `chunk` (taken over) or `data`; `c`: whose it is."""
    cdef int slot = c.input.slot if c is not NULL else -1
    cdef uint64_t generation = t.ring.header.slots[slot].generation if slot >= 0 else 0
    cdef size_t done = 0
    if chunk is not NULL:
        data = chunk.data
        n = chunk.n
    store_relaxed(&t.last_input_ns, clock_ns(CLOCK_REALTIME))
    if t.pty.fd < 0 or n == 0:
        free(chunk)
        return
    if t.input_first is NULL:
        done = <size_t>write_pty(t, data, n)
        count_accepted(t, slot, generation, done)
    if done == n:
        free(chunk)
        return
    if chunk is NULL:
        chunk = chunk_new(data + done, n - done)
        if chunk is NULL:  # out of memory: what was not taken is expected again
            if slot >= 0:
                t.slot_next[slot] -= n - done
            return
        chunk.slot = slot
        chunk.generation = generation
        chunk.client = c.id if c is not NULL else 0
    else:
        chunk.sent = done
    if t.input_last is not NULL:
        t.input_last.next = chunk
    else:
        t.input_first = chunk
    t.input_last = chunk
    store_relaxed(&t.input_queued, t.input_queued + <int64_t>(chunk.n - chunk.sent))
    watch_pty(t)


cdef inline void discard_input(terminal_t* t, int slot, uint64_t generation, size_t n) noexcept nogil:
    """Count what was thrown away as taken: the offsets of its stream go on."""
    if slot >= 0 and t.ring.header.slots[slot].generation == generation:
        t.ring.header.slots[slot].accepted += n
