"""Input to the PTY, and the queue of input that the PTY has not taken yet.

Alone writes the input queue, bytes_in and last_input_ns, and counts what was accepted of each input stream
(pump_receive.pxd gives the streams to clients).
"""

from libc.errno cimport EAGAIN, EINTR, errno
from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.stdlib cimport free
from libc.string cimport memset

from vibetunnel._ext.pump_backlog cimport watch_pty
from vibetunnel._ext.pump_outbox cimport chunk_new, rewatch
from vibetunnel._ext.pump_state cimport QUEUE_LIMIT, WRITE_MAX, chunk_t, client_t, terminal_t
from vibetunnel._ext.lists cimport link_t, list_next, list_put_last, list_remove, list_take_first
from vibetunnel._ext.pump_system cimport CLOCK_REALTIME, clock_ns, close, write
from vibetunnel._ext.ring cimport store_relaxed
from vibetunnel._ext.typed cimport Report, is_typed


cdef inline void accept_input(terminal_t* t, int slot, uint64_t generation, size_t n) noexcept nogil:
    """Count n bytes of an input stream as accepted, unless another client has the slot now."""
    if slot >= 0 and t.ring.header.slots[slot].generation == generation:
        t.ring.header.slots[slot].accepted += n


cdef inline void count_accepted(terminal_t* t, int slot, uint64_t generation, size_t n) noexcept nogil:
    """The PTY took n bytes."""
    store_relaxed(&t.bytes_in, t.bytes_in + <int64_t>n)
    t.lane.statistics.bytes_in += <int64_t>n
    accept_input(t, slot, generation, n)


cdef inline uint64_t generation_of(terminal_t* t, int slot) noexcept nogil:
    return t.ring.header.slots[slot].generation if slot >= 0 else 0


cdef inline void discard_input(client_t* c, size_t n) noexcept nogil:
    """Throw away n bytes that a client typed. They count as accepted: the offsets of its stream go on."""
    accept_input(c.terminal, c.input.slot, generation_of(c.terminal, c.input.slot), n)


cdef inline ssize_t write_pty(terminal_t* t, const uint8_t* data, size_t n) noexcept nogil:
    """How many bytes the PTY took, perhaps none. A PTY without a program takes all."""
    cdef ssize_t done
    while True:
        done = write(t.pty.fd, data, min(n, <size_t>WRITE_MAX))
        if done >= 0:
            return done
        if errno == EAGAIN:
            return 0
        if errno != EINTR:
            return <ssize_t>n


cdef inline void queue_chunk(terminal_t* t, chunk_t* chunk) noexcept nogil:
    list_put_last(&t.input_queue, &chunk.in_queue, chunk)
    store_relaxed(&t.input_queued, t.input_queued + <int64_t>(chunk.n - chunk.sent))
    watch_pty(t)


cdef inline void note_typed(terminal_t* t) noexcept nogil:
    """A person has typed, or a program in their place."""
    store_relaxed(&t.last_input_ns, clock_ns(CLOCK_REALTIME))


cdef inline void deliver(terminal_t* t, const uint8_t* data, size_t n, client_t* c) noexcept nogil:
    """Give input to the PTY, after what waits already. c: the client that typed it, or NULL."""
    cdef int slot = c.input.slot if c is not NULL else -1
    cdef uint64_t generation = generation_of(t, slot)
    cdef size_t done = 0
    cdef chunk_t* chunk
    if t.pty.fd < 0 or n == 0:
        return
    if t.input_queue.first is NULL:
        done = <size_t>write_pty(t, data, n)
        count_accepted(t, slot, generation, done)
    if done == n:
        return
    chunk = chunk_new(data + done, n - done)
    if chunk is NULL:  # out of memory: the client is to send the rest again
        if slot >= 0:
            t.slot_next[slot] -= n - done
        return
    chunk.slot = slot
    chunk.generation = generation
    chunk.client = c.id if c is not NULL else 0
    queue_chunk(t, chunk)


cdef inline void deliver_chunk(terminal_t* t, chunk_t* chunk) noexcept nogil:
    """Give input of write() to the PTY, which may be large and is not copied again. Takes the chunk over."""
    cdef Report report
    memset(&report, 0, sizeof(report))
    if is_typed(&report, chunk.data, chunk.n):
        note_typed(t)
    if t.pty.fd < 0:
        free(chunk)
        return
    if t.input_queue.first is NULL and chunk.n:
        chunk.sent = <size_t>write_pty(t, chunk.data, chunk.n)
        count_accepted(t, -1, 0, chunk.sent)
    if chunk.sent == chunk.n:
        free(chunk)
        return
    queue_chunk(t, chunk)


cdef inline void answer_program(terminal_t* t, const uint8_t* data, size_t n) noexcept nogil:
    """Give the engine's reply to the program that asked."""
    if t.input_queued < QUEUE_LIMIT:  # a program that asks and never reads gets no more answers
        deliver(t, data, n, NULL)


cdef inline void write_queue(terminal_t* t) noexcept nogil:
    """The PTY has room: write one turn's share of the queue."""
    cdef chunk_t* chunk
    cdef size_t done
    cdef size_t whole = 0
    while t.input_queue.first is not NULL and whole < WRITE_MAX:
        chunk = <chunk_t*>t.input_queue.first.owner
        done = <size_t>write_pty(t, chunk.data + chunk.sent, chunk.n - chunk.sent)
        whole += done
        count_accepted(t, chunk.slot, chunk.generation, done)
        chunk.sent += done
        store_relaxed(&t.input_queued, t.input_queued - <int64_t>done)
        if chunk.sent < chunk.n:
            break
        list_remove(&t.input_queue, &chunk.in_queue)
        free(chunk)
    watch_pty(t)


cdef inline void withdraw_queue(terminal_t* t, uint64_t client) noexcept nogil:
    """Discard a client's input that the PTY has not taken yet."""
    cdef link_t* at = t.input_queue.first
    cdef chunk_t* chunk
    while at is not NULL:
        chunk = <chunk_t*>list_next(&at)
        if chunk.client == client:
            list_remove(&t.input_queue, &chunk.in_queue)
            store_relaxed(&t.input_queued, t.input_queued - <int64_t>(chunk.n - chunk.sent))
            accept_input(t, chunk.slot, chunk.generation, chunk.n - chunk.sent)
            free(chunk)
    watch_pty(t)


cdef inline void drop_queue(terminal_t* t) noexcept nogil:
    while t.input_queue.first is not NULL:
        free(list_take_first(&t.input_queue))
    store_relaxed(&t.input_queued, 0)


cdef inline void close_pty(terminal_t* t) noexcept nogil:
    rewatch(t.lane, &t.pty, 0)
    if t.pty.fd >= 0:
        close(t.pty.fd)
        t.pty.fd = -1
