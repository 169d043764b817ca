"""The backpressure rule as arithmetic: numbers in, decisions out.

All offsets count the bytes of one session's output. The ring keeps the newest `capacity` bytes before `head`, and one
turn reads at most `batch` more from the PTY.

A *lossless* client gets every byte, so the PTY waits for it. A *latest* client is skipped ahead with a redraw when it
is behind, so the PTY waits only if every latest client is slow. Lag, which pauses the PTY, is counted from what a
client has drawn; being behind is counted from what it has been sent.
"""

from libc.stdint cimport uint8_t, uint64_t

cdef enum Decision:
    RUN
    PAUSE  # stop reading the PTY
    SPILL  # copy the rest of the client's frame out of the ring, then count the client again

cdef enum:
    FRAMES_PER_WINDOW = 2  # a window that holds fewer whole compressed frames does not wait for whole ones


cdef struct Bounds:  # of one terminal
    uint64_t capacity  # bytes of output that the ring keeps
    uint64_t batch  # bytes that one turn may add
    uint64_t high  # lag in bytes at which the PTY is paused
    uint64_t low  # lag in bytes at which it may run again


cdef struct Place:  # of one client
    uint64_t cursor  # offset of the next byte to send
    uint64_t drawn  # output before this offset counts as drawn
    bint latest
    bint closing  # it gets only the rest of a frame under way
    bint in_ring  # it is in the middle of a frame whose rest is only in the ring
    bint is_interrupted  # an interrupt has made its backlog void


cdef struct Tally:  # what one look at all clients of a terminal finds
    uint64_t floor  # the lowest cursor of a lossless client
    uint64_t worst  # lag of the slowest client
    uint64_t lossless  # lag of the slowest lossless client
    uint64_t best  # lag of the fastest client; UINT64_MAX: no client counts


cdef struct Gate:  # between the PTY and the ring
    bint paused
    int blockers  # clients that a paused PTY waits for; 0: it waits for any client


cdef inline uint64_t lag(uint64_t head, const Place* p) noexcept nogil:
    return head - p.drawn


cdef inline uint64_t owed(uint64_t head, const Place* p) noexcept nogil:
    """Bytes of the ring that this client still needs, as far as the PTY is concerned."""
    if p.closing:
        return head - p.cursor if p.in_ring else 0
    return lag(head, p)


cdef inline bint has_caught_up(const Bounds* b, uint64_t head, uint64_t cursor) noexcept nogil:
    return head - cursor <= b.high + b.batch


cdef inline bint is_behind(const Bounds* b, uint64_t head, uint64_t cursor, bint returning) noexcept nogil:
    """Whether to skip a latest client ahead. The fastest client is never behind: the PTY is paused before that.

    returning   it gets all that it missed while it was away, as long as the ring keeps it
    """
    return not has_caught_up(b, head, cursor) and (not returning or head - cursor + b.batch > b.capacity)


cdef inline bint has_room(uint64_t cursor, uint64_t drawn, uint64_t window) noexcept nogil:
    """Whether a client has drawn half of its window: a redraw does not queue up after much else."""
    return cursor <= drawn + window // 2


cdef inline uint64_t sendable(uint64_t head, uint64_t drawn, uint64_t window, uint64_t step) noexcept nogil:
    """The offset up to which output may be sent now. Nothing may be sent if it is not above the cursor.

    window   bytes that may be sent beyond `drawn`
    step     a compressed frame ends at a multiple of this power of two; 0: frames end anywhere
    """
    cdef uint64_t limit = drawn + window
    if limit >= head:
        return head
    if step and window >= FRAMES_PER_WINDOW * step:
        # A whole compressed frame, the same for all clients, or nothing. A client acknowledges at half of its window
        # at the latest, and then there is room for a frame.
        return limit & ~(step - 1)
    return limit


cdef inline void tally_start(Tally* tally, uint64_t head) noexcept nogil:
    tally.floor = head
    tally.worst = tally.lossless = 0
    tally.best = <uint64_t>-1


cdef inline Decision tally_add(Tally* tally, const Bounds* b, uint64_t head, const Place* p) noexcept nogil:
    """Count one client. SPILL: the next batch could overwrite the rest of its frame, and it is not counted."""
    cdef uint64_t n
    if p.latest:
        if p.in_ring and head - p.cursor + b.batch > b.capacity:
            return SPILL
    elif not p.closing or p.in_ring:
        tally.floor = min(tally.floor, p.cursor)
    if not p.closing:
        n = lag(head, p)
        tally.worst = max(tally.worst, n)
        if not p.latest:
            tally.lossless = max(tally.lossless, n)
        tally.best = min(tally.best, 0 if p.is_interrupted else n)
    return RUN


cdef inline Decision decide(const Bounds* b, uint64_t head, const Tally* tally) noexcept nogil:
    """PAUSE while a lossless client lags by the high watermark, or every client does, or a batch would not fit."""
    if tally.lossless >= b.high:
        return PAUSE
    if tally.best != <uint64_t>-1 and tally.best >= b.high:
        return PAUSE
    if head - tally.floor + b.batch > b.capacity:
        return PAUSE
    return RUN


cdef inline bint blocks(const Bounds* b, uint64_t head, const Place* p) noexcept nogil:
    """Whether a PTY that is paused now waits for this client."""
    return not p.latest and owed(head, p) > b.low


cdef inline bint gate_opens(
    Gate* gate, const Bounds* b, uint64_t owes, bint is_interrupted, uint8_t* blocking
) noexcept nogil:
    """Note that a client has got on. True: the PTY may run again.

    owes       owed() of that client
    blocking   whether the gate counts it among its blockers
    """
    if not gate.paused or owes > b.low and not is_interrupted:
        return False
    if blocking[0]:
        blocking[0] = False
        gate.blockers -= 1
    if gate.blockers:
        return False
    gate.paused = False
    return True
