# cython: cdivision=True
"""Messages from clients: input, sizes, acks and rights."""

from libc.errno cimport EAGAIN, EINTR, errno
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcmp, memcpy

from vibetunnel._ext cimport deflate
from vibetunnel._ext cimport raw
from vibetunnel._ext cimport rfc6455 as rfc
from vibetunnel._ext cimport ring as rings
from vibetunnel._ext cimport v1 as wire
from vibetunnel._ext.pump_backlog cimport (
    block_input, client_link, client_unlink, drop, lag_of, progress, unblock_input, watch_pty,
)
from vibetunnel._ext.pump_outbox cimport announce, charge, chunk_new, flush_later, rewatch, settle_later
from vibetunnel._ext.pump_output cimport own_size
from vibetunnel._ext.pump_pty cimport deliver, discard_input
from vibetunnel._ext.pump_send cimport (
    close_broken, close_received, flush, put_access, put_error, put_frame, put_text_close,
)
from vibetunnel._ext.pump_state cimport (
    BLOCKED_FULL, BLOCKED_RATE, BLOCKED_UNREAD, CLOSE_RECEIVED, CONTROL_LIMIT, DUE_ACCESS, DUE_LINES, DUE_REDRAW,
    DUE_SIZE, DUE_VIEWPORT, INFLATE_COST, INFLATE_TURN, MESSAGE_LIMIT, NEWS_TYPED, OPEN, POLLER_READ, POLLER_WRITE,
    SCRATCH, SKIP_LAG, SKIP_WAIT, THROTTLE_BURST, TOO_BIG, TYPED_MAX, chunk_t, client_t, interrupts, lane_t, recv,
    terminal_t,
)
from vibetunnel._ext.ring cimport load_relaxed, store_relaxed


cdef inline void withdraw(client_t* c) noexcept nogil:
    """Throw away what this client has typed and the PTY has not taken."""
    cdef terminal_t* t = c.terminal
    cdef chunk_t** at = &t.input_first
    cdef chunk_t* chunk
    cdef client_t* other = t.clients
    t.input_last = NULL
    while at[0] is not NULL:
        chunk = at[0]
        if chunk.client == c.id:
            at[0] = chunk.next
            store_relaxed(&t.input_queued, t.input_queued - <int64_t>(chunk.n - chunk.sent))
            discard_input(t, chunk.slot, chunk.generation, chunk.n - chunk.sent)
            free(chunk)
        else:
            t.input_last = chunk
            at = &chunk.next
    if t.lane.typed_n:  # it is its turn just now
        if c.input.slot >= 0:
            discard_input(t, c.input.slot, t.ring.header.slots[c.input.slot].generation, t.lane.typed_n)
        t.lane.typed_n = 0
    watch_pty(t)
    while other is not NULL and t.input_queued <= <int64_t>(t.core.input_watermark // 2):
        unblock_input(other, BLOCKED_FULL)
        other = other.next


cdef inline void take_slot(client_t* c) noexcept nogil:
    """Have the input of one that was given the right remembered from here on, under the numbers that it uses."""
    cdef terminal_t* t = c.terminal
    cdef rings.InputSlot* slot
    cdef client_t* other = t.clients
    cdef uint32_t taken = 0
    cdef bint fresh = False
    while other is not NULL:
        if other.input.slot >= 0:
            taken |= <uint32_t>1 << other.input.slot
            if memcmp(other.client_id, c.client_id, 16) == 0:
                return  # that one's
        other = other.next
    c.input.slot = rings.slot_find(&t.ring, c.client_id, taken, &fresh)
    if c.input.slot >= 0:
        slot = &t.ring.header.slots[c.input.slot]
        slot.generation = t.ring.header.attaches  # what an earlier connection has queued is not credited to this one
        slot.accepted = t.slot_next[c.input.slot] = c.input.next


cdef inline void permit(client_t* c) noexcept nogil:
    """The right to type was given or taken: all that follows from it."""
    cdef terminal_t* t = c.terminal
    c.writable = load_relaxed(&c.permitted) != 0
    c.told_read_only = False
    if c.writable:
        if c.has_id and c.input.slot < 0:
            take_slot(c)
        if t.owner is NULL and c.rows:
            own_size(t, c)
    else:
        withdraw(c)
        unblock_input(c, BLOCKED_FULL | BLOCKED_RATE)  # nothing that it sends goes anywhere now
        c.due &= ~DUE_VIEWPORT
        if t.owner == c:
            t.owner = NULL
            t.size_owner_left = True
            if c.greeted:
                c.due |= DUE_SIZE
            settle_later(t)
    if c.v1:
        c.due |= DUE_ACCESS
        flush_later(c)


cdef inline bint may_type(client_t* c) noexcept nogil:
    """Whether its input counts, as of this moment."""
    if load_relaxed(&c.permitted) != c.writable:
        permit(c)
    return c.writable


cdef inline void refuse(client_t* c) noexcept nogil:
    """It has asked for what it may not do: say so, once."""
    if c.v1 and not c.told_read_only:
        c.told_read_only = True
        if c.due & DUE_ACCESS:
            put_access(c)  # the reason first
        put_error(c, wire.ERROR_READ_ONLY, b"read-only: this client may not type")
        flush_later(c)


cdef inline void client_input(client_t* c, const uint8_t* data, size_t n) noexcept nogil:
    """Take a raw client's input, if it may type."""
    if may_type(c):
        client_typed(c, data, n)


cdef inline void client_typed(client_t* c, const uint8_t* data, size_t n) noexcept nogil:
    """Take input of one that may type; it is written once for all that came in one turn (send_typed)."""
    cdef terminal_t* t = c.terminal
    cdef lane_t* lane = t.lane
    c.active_ns = lane.now
    if t.clients != c and c.attached:
        if t.fanning:
            flush_later(c)  # it may not have had the last batch, and leaves the place where it would get it
        client_unlink(c)
        client_link(c)  # to the front: its echo goes out first
    if t.owner != c and c.rows:
        own_size(t, c)
    if lane.typed_n + n > TYPED_MAX:
        send_typed(c)
    memcpy(lane.typed + lane.typed_n, data, n)
    lane.typed_n += n


cdef inline void send_typed(client_t* c) noexcept nogil:
    """Give the PTY what this client has typed in this turn."""
    cdef terminal_t* t = c.terminal
    cdef size_t n = t.lane.typed_n
    if n == 0:
        return
    t.lane.typed_n = 0
    deliver(t, NULL, t.lane.typed, n, c)
    if not c.typed and t.pty.fd >= 0:
        c.typed = True
        announce(c, NEWS_TYPED)
    if c.latest and lag_of(c) > SKIP_LAG and t.pty.fd >= 0 and interrupts(t.pty.fd, t.lane.typed, n):
        c.due |= DUE_REDRAW  # Ctrl-C is felt at once, however much was under way
        c.skip_ns = t.lane.now + SKIP_WAIT
        t.lane.skipping = True
        progress(c)
    if t.input_queued > <int64_t>t.core.input_watermark:
        block_input(c, BLOCKED_FULL)
    if c.input.rate:
        c.input.paid_ns = max(c.input.paid_ns, t.lane.now) + <int64_t>n * 1000000000 // c.input.rate
        if c.input.paid_ns - t.lane.now > THROTTLE_BURST:
            block_input(c, BLOCKED_RATE)


cdef inline void client_viewport(client_t* c, int rows, int cols) noexcept nogil:
    """Note a client's viewport; the last one of a turn is applied (receive)."""
    cdef terminal_t* t = c.terminal
    if not may_type(c):
        refuse(c)
        return
    c.rows = <uint16_t>rows
    c.cols = <uint16_t>cols
    if t.owner == c or t.owner is NULL or not c.v1:  # a raw client has no viewport of its own: it asks for a size
        c.due |= DUE_VIEWPORT


cdef inline void malformed(client_t* c, int error, const char* text) noexcept nogil:
    if c.v1:
        put_error(c, error, text)
    put_text_close(c, rfc.CLOSE_POLICY, text)
    flush_later(c)


cdef inline void put_answer(
    client_t* c, uint8_t opcode, const uint8_t* head, size_t head_n, const uint8_t* data, size_t n
) noexcept nogil:
    """Answer a ping; who sends more of them than it reads answers to is given up."""
    if c.control.n > CONTROL_LIMIT // 2 and c.watch.want & POLLER_WRITE == 0:
        flush(c)
    if c.watch.fd >= 0 and not put_frame(c, opcode, head, head_n, data, n):
        drop(c)
        return
    flush_later(c)


cdef inline void take_request(client_t* c, const uint8_t* message, size_t n) noexcept nogil:
    """One vibetunnel.v1 message from a client."""
    cdef terminal_t* t = c.terminal
    cdef wire.Request request
    cdef uint64_t expected
    cdef bint writable
    cdef uint8_t[1] kind
    cdef int known = wire.read_request(message, n, &request)
    if known < 0:
        malformed(c, wire.ERROR_MALFORMED, b"malformed message: see docs/protocol.md, client to server")
    if known <= 0:
        return
    if request.kind == wire.V1_INPUT:
        writable = may_type(c)
        if not writable:
            refuse(c)
        expected = t.slot_next[c.input.slot] if c.input.slot >= 0 else c.input.next
        if request.offset > expected:
            if writable:
                malformed(c, wire.ERROR_INPUT_GAP, b"input offset is beyond what was accepted: send what is before it")
            return
        if request.offset + request.n <= expected:
            return  # sent again after a reconnect, and known
        request.data += expected - request.offset
        request.n -= expected - request.offset
        if c.input.slot >= 0:
            t.slot_next[c.input.slot] += request.n
        else:
            c.input.next += request.n
        if writable:
            client_typed(c, request.data, request.n)
        elif c.input.slot >= 0:
            discard_input(t, c.input.slot, t.ring.header.slots[c.input.slot].generation, request.n)
    elif request.kind == wire.V1_RESIZE_REQUEST:
        client_viewport(c, request.rows, request.cols)
    elif request.kind == wire.V1_ACK:
        if request.offset > c.cursor:
            malformed(c, wire.ERROR_MALFORMED, b"ack is beyond what was sent")
        elif request.offset > c.acked:
            c.acked = request.offset
            progress(c)
            flush_later(c)
    elif request.kind == wire.V1_LINES_REQUEST:
        c.lines_before = request.offset
        c.lines_left = request.count
        c.due |= DUE_LINES
        flush_later(c)
    elif request.kind == wire.V1_REDRAW_REQUEST:
        c.due |= DUE_REDRAW
        flush_later(c)
    else:
        kind[0] = wire.V1_PONG
        put_answer(c, rfc.OP_BINARY, kind, 1, request.data, request.n)


cdef inline void take_text(client_t* c, uint8_t* text, size_t n) noexcept nogil:
    """One text message of a raw client: input, unless it is one of the objects."""
    cdef raw.Object found
    cdef int kind = raw.read_object(text, n, &found)
    if kind == raw.OBJECT_NONE:
        client_input(c, text, n)
    elif kind == raw.OBJECT_INPUT:
        client_input(c, found.data, found.n)
    elif kind == raw.OBJECT_RESIZE:
        client_viewport(c, found.rows, found.cols)
    elif kind == raw.OBJECT_BAD:
        malformed(c, 0, b'expected {"type":"input","data":text} or {"type":"resize","rows":1..1000,"cols":1..1000}')


cdef inline void receive(client_t* c, uint8_t* data, size_t n) noexcept nogil:
    """One client's turn: everything that it has sent, then its size and its input, each once."""
    c.terminal.traffic += n
    take_messages(c, data, n)
    if c.due & DUE_VIEWPORT:
        c.due &= ~DUE_VIEWPORT
        own_size(c.terminal, c)
    send_typed(c)


cdef inline bint inflate(client_t* c, uint8_t opcode, const uint8_t* data, size_t n) noexcept nogil:
    """Have lane.inflated be what is in a compressed message. False: it cannot be, and the connection is over."""
    cdef lane_t* lane = c.terminal.lane
    cdef int result = -rfc.CLOSE_INTERNAL
    lane.inflated.n = 0
    if c.close_state != OPEN:
        return True  # nobody will look at it
    if lane.inflated.data is NULL:
        lane.inflated.data = <uint8_t*>malloc(MESSAGE_LIMIT + 1)
    if lane.inflated.data is not NULL:
        result = deflate.inflate_message(&lane.inflater, data, n, lane.inflated.data, MESSAGE_LIMIT, &lane.inflated.n)
    lane.compresses = True
    lane.inflated_n += lane.inflated.n + INFLATE_COST
    if result == 0 and opcode & 0xF == rfc.OP_TEXT and not rfc.utf8_valid(lane.inflated.data, lane.inflated.n):
        result = -rfc.CLOSE_INVALID
    if result == 0:
        return True
    if result == -rfc.CLOSE_TOO_BIG:
        close_broken(c, -result, TOO_BIG)
    elif result == -rfc.CLOSE_INVALID:
        close_broken(c, -result, b"expected whole deflate blocks, and UTF-8 in text")
    else:
        close_broken(c, -result, b"out of memory")
    flush_later(c)
    return False


cdef inline bint put_off(client_t* c, const uint8_t* data, size_t n) noexcept nogil:
    """Whether what a client has sent behind a message has to wait, now that some were compressed; it is kept then.

    A few bytes can be a great deal of input: it is queued no further than any other, and others have their turns.
    """
    cdef lane_t* lane = c.terminal.lane
    if lane.typed_n >= MESSAGE_LIMIT:
        send_typed(c)
    if n == 0 or c.close_state == CLOSE_RECEIVED or c.watch.fd < 0:
        return False
    if not c.input.blocked and lane.inflated_n < INFLATE_TURN:
        return False
    c.input.unread = chunk_new(data, n)
    if c.input.unread is NULL:
        drop(c)
        return True
    c.input.blocked |= BLOCKED_UNREAD
    if c.input.blocked == BLOCKED_UNREAD:
        lane.unread = lane.behind = True
    rewatch(lane, &c.watch, c.watch.want & POLLER_WRITE)
    progress(c)
    flush_later(c)
    return True


cdef inline void receive_unread(client_t* c) noexcept nogil:
    """Look at what has come before."""
    cdef chunk_t* chunk = c.input.unread
    c.input.unread = NULL
    if chunk is not NULL and chunk.n and c.watch.fd >= 0:
        receive(c, chunk.data, chunk.n)
    free(chunk)


cdef inline void receive_all_unread(lane_t* lane) noexcept nogil:
    """Another turn's share of what clients have sent and was put off."""
    cdef terminal_t* t = lane.terminals
    cdef client_t* c
    cdef client_t* following
    lane.unread = False
    while t is not NULL:
        c = t.clients
        while c is not NULL:
            following = c.next
            if c.input.blocked == BLOCKED_UNREAD:
                unblock_input(c, BLOCKED_UNREAD)
                receive_unread(c)
                charge(lane, t)
            c = following
        t = t.next


cdef inline void take_messages(client_t* c, uint8_t* data, size_t n) noexcept nogil:
    """Decode what a client has sent; unmasks it in place."""
    cdef rfc.Message message
    cdef size_t used = 0
    cdef int result
    while c.watch.fd >= 0 and c.close_state != CLOSE_RECEIVED:
        result = rfc.decoder_next(&c.decoder, data, n, &used, &message)
        if result == 0:
            return
        if result < 0:
            if result == -rfc.CLOSE_TOO_BIG:
                close_broken(c, -result, TOO_BIG)
            elif result == -rfc.CLOSE_INVALID:
                close_broken(c, -result, b"expected UTF-8")
            else:
                close_broken(c, -result, b"malformed frame")
            flush_later(c)
            return
        c.terminal.lane.statistics.frames_in += 1
        c.heard_ns = c.terminal.lane.now  # whole messages are signs of life: who sends one byte by byte wears us out
        if message.opcode & rfc.RSV1:
            if not inflate(c, message.opcode, message.data, message.n):
                return
            message.opcode &= 0xF
            message.data = c.terminal.lane.inflated.data
            message.n = c.terminal.lane.inflated.n
        if message.opcode == rfc.OP_CLOSE:
            close_received(c, message.data, message.n)
            flush_later(c)
        elif message.opcode == rfc.OP_PING:
            if c.close_state == OPEN:
                put_answer(c, rfc.OP_PONG, NULL, 0, message.data, message.n)
        elif message.opcode == rfc.OP_PONG or c.close_state != OPEN:
            pass
        elif message.opcode == rfc.OP_TEXT:
            if c.v1:
                put_text_close(c, rfc.CLOSE_UNSUPPORTED, b"expected binary messages")
                flush_later(c)
            else:
                take_text(c, message.data, message.n)
        elif c.v1:
            take_request(c, message.data, message.n)
        else:
            client_input(c, message.data, message.n)
        if c.deflates and c.terminal.lane.inflated_n and put_off(c, data + used, n - used):
            return


cdef inline void client_ready(client_t* c, unsigned ready) noexcept nogil:
    cdef lane_t* lane = c.terminal.lane
    cdef ssize_t n
    if ready & POLLER_WRITE and c.watch.want & POLLER_WRITE:
        c.heard_ns = lane.now  # its side takes bytes again: alive, however slow
        flush(c)
    if ready & POLLER_READ and c.watch.fd >= 0 and c.watch.want & POLLER_READ:
        n = recv(c.watch.fd, lane.scratch, SCRATCH, 0)
        if n > 0:
            receive(c, lane.scratch, <size_t>n)
        elif n == 0 or (errno != EAGAIN and errno != EINTR):
            drop(c)
