# cython: cdivision=True
"""Messages from clients: input, viewports, acks, and the right to type.

Alone writes acked, a client's viewport and decoder, its right as the lane sees it, and its input but for `blocked`
and `accepted_told`.
"""

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
    block_input, client_link, client_unlink, drop, lag_of, leave_size, progress, unblock_full, unblock_input,
)
from vibetunnel._ext.pump_frame cimport put_frame
from vibetunnel._ext.pump_outbox cimport announce, charge, chunk_new, flush_later, note_heard
from vibetunnel._ext.pump_output cimport may_claim_size, own_size, size_is_free
from vibetunnel._ext.pump_pty cimport deliver, discard_input, note_typed, withdraw_queue
from vibetunnel._ext.pump_send cimport (
    ask_lines, close_broken, close_received, flush, flush_unless_full, put_access, put_error, put_text_close,
    skip_backlog,
)
from vibetunnel._ext.pump_state cimport (
    BLOCKED_FULL, BLOCKED_RATE, BLOCKED_UNREAD, CLIENT_ID_SIZE, CLOSE_RECEIVED, CONTROL_LIMIT, DUE_ACCESS, DUE_REDRAW,
    DUE_SIZE, DUE_VIEWPORT, INFLATE_COST, INFLATE_TURN, MESSAGE_LIMIT, NEWS_TYPED, OPEN, SCRATCH, SKIP_LAG,
    THROTTLE_BURST, TYPED_MAX, chunk_t, client_t, lane_t, terminal_t,
)
from vibetunnel._ext.pump_text cimport is_stream
from vibetunnel._ext.lists cimport is_linked, link_t, list_next
from vibetunnel._ext.pump_system cimport POLLER_READ, POLLER_WRITE, interrupts, recv
from vibetunnel._ext.ring cimport load_relaxed
from vibetunnel._ext.typed cimport is_typed

cdef extern from *:
    """
    #define TOO_BIG "expected at most 65536 bytes a message"
    """
    const char* TOO_BIG


# ---------------------------------------------------------------- input streams and rights

cdef inline client_t* find_streams(terminal_t* t, const uint8_t* client_id, uint32_t* taken) noexcept nogil:
    """The client that uses this client's input stream now, or NULL. taken: a bit for each stream in use."""
    cdef link_t* at = t.clients.first
    cdef client_t* c
    cdef client_t* found = NULL
    taken[0] = 0
    while at is not NULL:
        c = <client_t*>list_next(&at)
        if c.input.slot >= 0:
            taken[0] |= <uint32_t>1 << c.input.slot
            if found is NULL and memcmp(c.client_id, client_id, CLIENT_ID_SIZE) == 0:
                found = c
    return found


cdef inline void take_slot(client_t* c) noexcept nogil:
    """A client got the right to type: from here on its input is remembered, under the offsets that it uses."""
    cdef terminal_t* t = c.terminal
    cdef rings.InputSlot* slot
    cdef uint32_t taken
    cdef bint fresh = False
    if find_streams(t, c.client_id, &taken) is not NULL:
        return  # another connection of this client has the stream
    c.input.slot = rings.slot_find(&t.ring, c.client_id, taken, &fresh)
    if c.input.slot >= 0:
        slot = &t.ring.header.slots[c.input.slot]
        slot.generation = t.ring.header.attaches  # what an earlier connection has queued does not count for this one
        slot.accepted = t.slot_next[c.input.slot] = c.input.next


cdef inline void withdraw(client_t* c) noexcept nogil:
    """Throw away what this client typed and the PTY has not taken."""
    cdef terminal_t* t = c.terminal
    withdraw_queue(t, c.id)
    if t.lane.typed_n:  # it is this client's turn
        discard_input(c, t.lane.typed_n)
        t.lane.typed_n = 0
        t.lane.typed_by_person = False
    unblock_full(t)


cdef inline void permit(client_t* c) noexcept nogil:
    """Act on a right to type that was given or taken."""
    cdef terminal_t* t = c.terminal
    c.writable = load_relaxed(&c.permitted) != 0
    c.told_read_only = False
    if c.writable:
        if c.has_id and c.input.slot < 0:
            take_slot(c)
        if c.rows and may_claim_size(t, c):
            own_size(t, c)
    else:
        withdraw(c)
        unblock_input(c, BLOCKED_FULL | BLOCKED_RATE)  # nothing that it sends goes anywhere now
        c.due &= ~DUE_VIEWPORT
        if t.owner == c and c.greeted:
            c.due |= DUE_SIZE
        leave_size(c)
    if c.v1:
        c.due |= DUE_ACCESS
        flush_later(c)


cdef inline bint may_type(client_t* c) noexcept nogil:
    """Whether its input counts, as of this moment."""
    if load_relaxed(&c.permitted) != c.writable:
        permit(c)
    return c.writable


cdef inline void refuse(client_t* c) noexcept nogil:
    """Tell a client that it may not type, once."""
    if c.v1 and not c.told_read_only:
        c.told_read_only = True
        if c.due & DUE_ACCESS:
            put_access(c)  # the reason comes first
        put_error(c, wire.ERROR_READ_ONLY, b"read-only: this client may not type")
        flush_later(c)


# ---------------------------------------------------------------- input

cdef inline void send_typed(client_t* c) noexcept nogil:
    """Give the PTY what this client typed in this turn."""
    cdef terminal_t* t = c.terminal
    cdef size_t n = t.lane.typed_n
    if n == 0:
        return
    t.lane.typed_n = 0
    deliver(t, t.lane.typed, n, c)
    if t.lane.typed_by_person:
        t.lane.typed_by_person = False
        note_typed(t)
        if not c.typed and t.pty.fd >= 0:
            c.typed = True
            announce(c, NEWS_TYPED)
    if c.latest and lag_of(c) > SKIP_LAG and t.pty.fd >= 0 and interrupts(t.pty.fd, t.lane.typed, n):
        skip_backlog(c)  # Ctrl-C is felt at once, however much was under way
    if t.input_queued > <int64_t>t.core.input_watermark:
        block_input(c, BLOCKED_FULL)
    if c.input.rate:
        c.input.paid_ns = max(c.input.paid_ns, t.lane.now) + <int64_t>n * 1000000000 // c.input.rate
        if c.input.paid_ns - t.lane.now > THROTTLE_BURST:
            block_input(c, BLOCKED_RATE)


cdef inline void take_input(client_t* c, const uint8_t* data, size_t n) noexcept nogil:
    """Collect input of a client that may type. send_typed() writes it, once for all that came in one turn."""
    cdef terminal_t* t = c.terminal
    cdef lane_t* lane = t.lane
    if t.clients.first != &c.in_terminal and is_linked(&c.in_terminal):
        if t.fanning:
            flush_later(c)  # it may not have had the last batch, and leaves the place where it would get it
        client_unlink(c)
        client_link(c)
    if lane.typed_n + n > TYPED_MAX:
        send_typed(c)
    if is_typed(&c.input.report, data, n):
        lane.typed_by_person = True
        if t.owner != c and c.rows and size_is_free(t):
            own_size(t, c)
    memcpy(lane.typed + lane.typed_n, data, n)
    lane.typed_n += n


cdef inline void take_raw_input(client_t* c, const uint8_t* data, size_t n) noexcept nogil:
    """Input of a raw client counts if it may type; it has no offsets, and no way to be told."""
    if may_type(c):
        take_input(c, data, n)


cdef inline void take_viewport(client_t* c, int rows, int cols, unsigned flags) noexcept nogil:
    """Note a client's viewport. receive() applies the last one of a turn.

    A raw client states no viewport: it asks for a size, on purpose.
    """
    cdef terminal_t* t = c.terminal
    if not may_type(c):
        refuse(c)
        return
    c.rows = <uint16_t>rows
    c.cols = <uint16_t>cols
    c.hidden = flags & wire.HIDDEN != 0
    if t.owner == c or flags & wire.TAKE_SIZE or not c.v1 or may_claim_size(t, c):
        c.due |= DUE_VIEWPORT


cdef inline void take_client_appearance(client_t* c, const wire.Appearance* stated) noexcept nogil:
    """Note what a client looks like. It counts while the client owns the size: receive() applies it."""
    if not may_type(c):
        refuse(c)
        return
    if c.appearance is NULL:
        c.appearance = <wire.Appearance*>malloc(sizeof(wire.Appearance))
    if c.appearance is NULL:
        return  # without memory its theme stays unknown
    c.appearance[0] = stated[0]
    if c.terminal.owner == c:
        c.due |= DUE_VIEWPORT


# ---------------------------------------------------------------- messages

cdef inline void malformed(client_t* c, int error, const char* text) noexcept nogil:
    if c.v1:
        put_error(c, error, text)
    put_text_close(c, rfc.CLOSE_POLICY, text)
    flush_later(c)


cdef inline void put_answer(
    client_t* c, uint8_t opcode, const uint8_t* head, size_t head_n, const uint8_t* data, size_t n
) noexcept nogil:
    """Answer a ping. A client that sends pings and does not read the answers is dropped."""
    if c.control.n > CONTROL_LIMIT // 2:
        flush_unless_full(c)
    if c.watch.fd >= 0 and not put_frame(c, opcode, head, head_n, data, n):
        drop(c)
        return
    flush_later(c)


cdef inline void take_v1_input(client_t* c, wire.Request* request) noexcept nogil:
    """Input with its offset: bytes that came before, from an earlier connection too, are not taken twice."""
    cdef terminal_t* t = c.terminal
    cdef bint writable = may_type(c)
    cdef uint64_t expected
    if not writable:
        refuse(c)
    expected = t.slot_next[c.input.slot] if c.input.slot >= 0 else c.input.next
    if request.offset > expected:
        if writable:
            malformed(c, wire.ERROR_INPUT_GAP, b"input offset is beyond the input received: send the bytes before it")
        return
    if request.offset + request.n <= expected:
        return
    request.data += expected - request.offset
    request.n -= expected - request.offset
    if c.input.slot >= 0:
        t.slot_next[c.input.slot] += request.n
    else:
        c.input.next += request.n
    if writable:
        take_input(c, request.data, request.n)
    else:
        discard_input(c, request.n)


cdef inline void take_ack(client_t* c, uint64_t offset) noexcept nogil:
    if offset > c.cursor:
        malformed(c, wire.ERROR_MALFORMED, b"ack is beyond what was sent")
    elif offset > c.acked:
        c.acked = offset
        progress(c)
        flush_later(c)


cdef inline void take_request(client_t* c, const uint8_t* message, size_t n) noexcept nogil:
    """One vibetunnel.v1 message from a client."""
    cdef wire.Request request
    cdef uint8_t[1] kind
    cdef int known = wire.read_request(message, n, &request)
    if known < 0:
        malformed(c, wire.ERROR_MALFORMED, b"malformed message: see docs/protocol.md, client to server")
    if known <= 0:
        return
    if request.kind == wire.INPUT:
        take_v1_input(c, &request)
    elif request.kind == wire.RESIZE_REQUEST:
        take_viewport(c, request.rows, request.cols, request.flags)
    elif request.kind == wire.APPEARANCE:
        take_client_appearance(c, &request.appearance)
    elif request.kind == wire.ACK:
        take_ack(c, request.offset)
    elif request.kind == wire.LINES_REQUEST:
        ask_lines(c, request.offset, request.count)
        flush_later(c)
    elif request.kind == wire.REDRAW_REQUEST:
        c.due |= DUE_REDRAW
        flush_later(c)
    else:
        kind[0] = wire.PONG
        put_answer(c, rfc.OP_BINARY, kind, 1, request.data, request.n)


cdef inline void take_text(client_t* c, uint8_t* text, size_t n) noexcept nogil:
    """One text message of a raw client: one of the JSON objects, or else input."""
    cdef raw.Object found
    cdef int kind = raw.read_object(text, n, &found)
    if kind == raw.OBJECT_NONE:
        take_raw_input(c, text, n)
    elif kind == raw.OBJECT_INPUT:
        take_raw_input(c, found.data, found.n)
    elif kind == raw.OBJECT_RESIZE:
        take_viewport(c, found.rows, found.cols, 0)
    elif kind == raw.OBJECT_BAD:
        malformed(c, 0, b'expected {"type":"input","data":text} or {"type":"resize","rows":1..1000,"cols":1..1000}')


cdef inline void refuse_message(client_t* c, int code, const char* invalid, const char* other) noexcept nogil:
    """Close with the code that a decoder gave, and a reason that says what was expected."""
    if code == rfc.CLOSE_TOO_BIG:
        close_broken(c, code, TOO_BIG)
    else:
        close_broken(c, code, invalid if code == rfc.CLOSE_INVALID else other)


cdef inline bint inflate(client_t* c, uint8_t opcode, const uint8_t* data, size_t n) noexcept nogil:
    """Put the content of a compressed message into lane.inflated. False: it is invalid, and the connection is over."""
    cdef lane_t* lane = c.terminal.lane
    cdef int result = -rfc.CLOSE_INTERNAL
    lane.inflated.n = 0
    if c.close_state != OPEN:
        return True  # the content will not be looked at
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
    refuse_message(c, -result, b"expected whole deflate blocks, and UTF-8 in text", b"out of memory")
    return False


cdef inline bint put_off(client_t* c, const uint8_t* data, size_t n) noexcept nogil:
    """Whether the bytes after a message have to wait, once messages of this turn were compressed. They are kept then.

    A few bytes can be a lot of input: it is queued no further than other input, and other clients get their turns.
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
    else:
        block_input(c, BLOCKED_UNREAD)
    return True


cdef inline void take_message(client_t* c, rfc.Message* message) noexcept nogil:
    """One message, inflated. After a close frame of ours only the client's close frame counts."""
    if message.opcode == rfc.OP_CLOSE:
        close_received(c, message.data, message.n)
    elif c.close_state != OPEN or message.opcode == rfc.OP_PONG:
        pass
    elif message.opcode == rfc.OP_PING:
        put_answer(c, rfc.OP_PONG, NULL, 0, message.data, message.n)
    elif message.opcode == rfc.OP_TEXT and c.v1:
        put_text_close(c, rfc.CLOSE_UNSUPPORTED, b"expected binary messages")
        flush_later(c)
    elif message.opcode == rfc.OP_TEXT:
        take_text(c, message.data, message.n)
    elif c.v1:
        take_request(c, message.data, message.n)
    else:
        take_raw_input(c, message.data, message.n)


cdef inline void take_messages(client_t* c, uint8_t* data, size_t n) noexcept nogil:
    """Decode what a client sent, and unmask it in place."""
    cdef lane_t* lane = c.terminal.lane
    cdef rfc.Message message
    cdef size_t used = 0
    cdef int result
    while c.watch.fd >= 0 and c.close_state != CLOSE_RECEIVED:
        result = rfc.decoder_next(&c.decoder, data, n, &used, &message)
        if result == 0:
            return
        if result < 0:
            refuse_message(c, -result, b"expected UTF-8", b"malformed frame")
            return
        lane.statistics.frames_in += 1
        note_heard(c)  # only whole messages are signs of life: an attacker could send one byte at a time
        if message.opcode & rfc.RSV1:
            if not inflate(c, message.opcode, message.data, message.n):
                return
            message.opcode &= 0xF
            message.data = lane.inflated.data
            message.n = lane.inflated.n
        take_message(c, &message)
        if c.deflates and lane.inflated_n and put_off(c, data + used, n - used):
            return


# ---------------------------------------------------------------- one client's turn

cdef inline void receive(client_t* c, uint8_t* data, size_t n) noexcept nogil:
    """Take everything that a client sent, then apply its viewport and its input, each once."""
    c.terminal.traffic += n
    if is_stream(c):
        return  # no request follows that for the stream
    take_messages(c, data, n)
    if c.due & DUE_VIEWPORT:
        c.due &= ~DUE_VIEWPORT
        own_size(c.terminal, c)
    send_typed(c)


cdef inline void receive_unread(client_t* c) noexcept nogil:
    """Take bytes that were put off, or that came with the upgrade request."""
    cdef chunk_t* chunk = c.input.unread
    c.input.unread = NULL
    if chunk is not NULL and chunk.n and c.watch.fd >= 0:
        receive(c, chunk.data, chunk.n)
    free(chunk)


cdef inline void receive_all_unread(lane_t* lane) noexcept nogil:
    """Another turn's share of the bytes that were put off."""
    cdef link_t* t_at = lane.terminals.first
    cdef link_t* at
    cdef terminal_t* t
    cdef client_t* c
    lane.unread = False
    while t_at is not NULL:
        t = <terminal_t*>list_next(&t_at)
        at = t.clients.first
        while at is not NULL:
            c = <client_t*>list_next(&at)
            if c.input.blocked == BLOCKED_UNREAD:
                unblock_input(c, BLOCKED_UNREAD)
                receive_unread(c)
                charge(lane, t)


cdef inline void client_ready(client_t* c, unsigned ready) noexcept nogil:
    cdef lane_t* lane = c.terminal.lane
    cdef ssize_t n
    if ready & POLLER_WRITE and c.watch.want & POLLER_WRITE:
        note_heard(c)  # its side takes bytes again: it is alive, however slow
        flush(c)
    if ready & POLLER_READ and c.watch.fd >= 0 and c.watch.want & POLLER_READ:
        n = recv(c.watch.fd, lane.scratch, SCRATCH, 0)
        if n > 0:
            receive(c, lane.scratch, <size_t>n)
        elif n == 0 or (errno != EAGAIN and errno != EINTR):
            drop(c)
