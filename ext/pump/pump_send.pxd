# cython: cdivision=True
"""Messages and frames to clients."""

from libc.errno cimport EAGAIN, EINTR, errno
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcmp, memcpy, memset

from vibetunnel._ext cimport rfc6455 as rfc
from vibetunnel._ext cimport ring as rings
from vibetunnel._ext cimport v1 as wire
from vibetunnel._ext cimport vt as engine
from vibetunnel._ext.pump_backlog cimport (
    between_frames, drop, is_untouched, pace, progress, sendable, unblock_input, wants_redraw,
)
from vibetunnel._ext.pump_block cimport block_leave, block_start, block_took, block_unref, compress
from vibetunnel._ext.pump_outbox cimport charge, flush_later, rewatch
from vibetunnel._ext.pump_state cimport (
    BATCH, BLOCKED_FULL, BLOCKED_RATE, CACHE_RAW, CACHE_V1, CLOSE_RECEIVED, CLOSE_SENT, CLOSING, CONTROL_LIMIT,
    DUE_ACCESS, DUE_LINES, DUE_PRESENCE, DUE_REDRAW, DUE_SIZE, DUE_TITLE, FAN, LATEST_FRAME, LINGER, MSG_NOSIGNAL,
    OFFSET_DIGITS, OPEN, PIECE_CELLS, POLLER_READ, POLLER_WRITE, SHUT_WR, block_t, chunk_t, client_t, frame_cache_t,
    iovec, lane_t, msghdr, sendmsg, shutdown, terminal_t,
)
from vibetunnel._ext.ring cimport store_relaxed


cdef inline bint control_put(client_t* c, const uint8_t* data, size_t n) noexcept nogil:
    """Queue bytes that go out between two output frames. False: the client takes nothing, give it up."""
    cdef uint8_t* grown
    if c.control.n + n > CONTROL_LIMIT + c.control.uncounted:
        return False
    grown = <uint8_t*>realloc(c.control.data, c.control.n + n)
    if grown is NULL:
        return False
    memcpy(grown + c.control.n, data, n)
    c.control.data = grown
    c.control.n += n
    return True


cdef inline bint put_frame(
    client_t* c, uint8_t opcode, const uint8_t* head, size_t head_n, const uint8_t* data, size_t n
) noexcept nogil:
    """Queue a whole frame, its payload given in two parts. False: give the client up."""
    cdef uint8_t[10] header
    cdef int header_n = rfc.write_header(header, opcode, True, head_n + n)
    if c.control.n + header_n + head_n + n > CONTROL_LIMIT + c.control.uncounted:
        return False  # before the first byte: half a frame would spoil the stream
    return (
        control_put(c, header, header_n)
        and (head_n == 0 or control_put(c, head, head_n))
        and (n == 0 or control_put(c, data, n))
    )


cdef inline bint put_big(
    client_t* c, const uint8_t* head, size_t head_n, const uint8_t* data, size_t n
) noexcept nogil:
    """Queue a binary frame that CONTROL_LIMIT does not count: one at a time is made, when it can be sent."""
    cdef uint8_t[10] header
    cdef block_t* block
    cdef bint done
    if c.deflates:
        block = compress(c.terminal, head, head_n, data, n, NULL, 0)
        if block is not NULL:
            c.control.uncounted += block.n
            done = control_put(c, block.data, block.n)
            block_unref(c.terminal.lane, block)
            return done
    c.control.uncounted += rfc.write_header(header, rfc.OP_BINARY, True, head_n + n) + head_n + n
    return put_frame(c, rfc.OP_BINARY, head, head_n, data, n)


cdef inline void put_close(client_t* c, int code, const uint8_t* reason, size_t n) noexcept nogil:
    """Queue a close frame, once; nothing is queued behind it."""
    cdef uint8_t[2] head
    if c.close_state != OPEN:
        return
    n = rfc.utf8_prefix(reason, min(n, <size_t>(rfc.MAX_CONTROL - 2)))
    wire.put16(head, <uint16_t>code)
    if code == rfc.CLOSE_NO_STATUS:
        put_frame(c, rfc.OP_CLOSE, NULL, 0, NULL, 0)
    else:
        put_frame(c, rfc.OP_CLOSE, head, 2, reason, n)
    c.close_state = CLOSING
    unblock_input(c, BLOCKED_FULL | BLOCKED_RATE)  # its input is of no use any more, its close frame is
    c.close_by_ns = c.terminal.lane.now + (c.terminal.core.timeout_ns if c.terminal.ended else LINGER)
    if c.code == 0:
        c.code = code
        c.reason_n = n
        if n:
            memcpy(c.reason, reason, n)
    progress(c)


cdef inline void close_received(client_t* c, const uint8_t* payload, size_t n) noexcept nogil:
    """The client's close frame has come: answer with its own code."""
    if c.code == 0:
        c.code = (<int>payload[0] << 8) | payload[1] if n >= 2 else rfc.CLOSE_NO_STATUS
        c.reason_n = n - 2 if n >= 2 else 0
        memcpy(c.reason, payload + 2, c.reason_n)
    put_close(c, c.code, NULL, 0)
    c.close_state = CLOSE_RECEIVED


cdef inline void close_broken(client_t* c, int code, const char* reason) noexcept nogil:
    """Close a connection on which nothing that follows can be understood."""
    put_text_close(c, code, reason)
    c.close_state = CLOSE_RECEIVED


cdef inline void put_text_close(client_t* c, int code, const char* reason) noexcept nogil:
    cdef size_t n = 0
    while reason[n]:
        n += 1
    put_close(c, code, <const uint8_t*>reason, n)


cdef inline bint put_error(client_t* c, int code, const char* text) noexcept nogil:
    cdef uint8_t[8] head
    cdef size_t n = 0
    while text[n]:
        n += 1
    return put_frame(c, rfc.OP_BINARY, head, wire.write_error_header(head, <uint16_t>code), <const uint8_t*>text, n)


cdef inline bint put_size(client_t* c) noexcept nogil:
    cdef uint8_t[8] message
    cdef terminal_t* t = c.terminal
    cdef uint8_t flags = wire.RESIZE_OWNS_SIZE if t.owner == c else 0
    cdef size_t n = wire.write_resize(message, <uint16_t>t.rows, <uint16_t>t.cols, flags)
    return put_frame(c, rfc.OP_BINARY, message, n, NULL, 0)


cdef inline bint put_access(client_t* c) noexcept nogil:
    """Queue whether it may type now, and its own name."""
    cdef uint8_t[8] head
    cdef size_t n = wire.write_access_header(head, wire.MAY_TYPE if c.writable else 0)
    c.due &= ~DUE_ACCESS
    return put_frame(c, rfc.OP_BINARY, head, n, c.name, c.name_n)


cdef inline bint put_presence(client_t* c) noexcept nogil:
    """Queue who is there, as far as that is known."""
    cdef uint8_t[1] kind
    cdef chunk_t* presence = c.terminal.presence
    kind[0] = wire.V1_PRESENCE
    c.due &= ~DUE_PRESENCE
    return presence is NULL or put_frame(c, rfc.OP_BINARY, kind, 1, presence.data, presence.n)


cdef inline bint put_notices(client_t* c) noexcept nogil:
    """Queue what this client is to be told of size, title, rights and others. False: give the client up."""
    cdef uint8_t[1] kind
    cdef rings.Header* header = c.terminal.ring.header
    if not c.greeted or c.close_state != OPEN:
        return True
    if c.due & DUE_SIZE:
        if not put_size(c):
            return False
        c.due &= ~DUE_SIZE
    if c.due & DUE_TITLE:
        kind[0] = wire.V1_TITLE
        if not put_frame(c, rfc.OP_BINARY, kind, 1, header.title, header.title_n):
            return False
        c.due &= ~DUE_TITLE
    if c.due & DUE_ACCESS and not (put_access(c) and put_accepted(c, 0)):
        return False
    if c.due & DUE_PRESENCE and c.control.n == 0:  # one at a time; until then the latest replaces the one before
        return put_presence(c)
    return True


cdef inline bint may_redraw(client_t* c) noexcept nogil:
    """Whether a redraw can go out now."""
    cdef terminal_t* t = c.terminal
    if c.close_state != OPEN or c.control.uncounted:
        return False
    if c.cursor > engine.vt_offset(t.vt):
        return False  # its stream never goes back: it may have drawn what the engine has not seen yet
    if not c.latest and c.cursor != engine.vt_offset(t.vt):
        return False  # not one byte is skipped: when it is up to date
    if c.v1 and not c.input.blocked and c.acked < c.base:
        return False  # it has not drawn the last one
    return c.skip_ns == 0 or t.lane.now >= c.skip_ns


cdef inline void skip(client_t* c) noexcept nogil:
    """From here its stream goes on with what the engine has not seen yet."""
    c.cursor = c.frame.end = c.base = engine.vt_offset(c.terminal.vt)
    c.frame.header_n = c.frame.header_sent = 0
    c.due &= ~DUE_REDRAW
    c.skip_ns = 0


cdef inline bint put_redraw(client_t* c, uint32_t scrollback) noexcept nogil:
    """Queue the terminal's present state, and go on from there. False: give the client up."""
    cdef terminal_t* t = c.terminal
    cdef engine.vt_buf* buffer = &t.lane.buffer
    cdef uint8_t[32] head
    cdef size_t head_n = 0
    buffer.n = 0
    engine.vt_redraw(t.vt, buffer, scrollback)
    if buffer.failed:
        engine.vt_buf_free(buffer)
        return False
    if c.v1:
        head_n = wire.write_redraw_header(
            head, engine.vt_offset(t.vt), engine.vt_top(t.vt), engine.vt_oldest(t.vt),
            <uint16_t>t.rows, <uint16_t>t.cols, wire.ALTERNATE_SCREEN if engine.vt_alternate(t.vt) else 0,
        )
    skip(c)
    c.due &= ~DUE_LINES  # those belong to another numbering, perhaps
    t.lane.statistics.redraws += 1
    return put_big(c, head, head_n, buffer.data, buffer.n)


cdef inline bint put_lines(client_t* c) noexcept nogil:
    """Queue the next piece of scrollback, newest first. False: give the client up."""
    cdef terminal_t* t = c.terminal
    cdef engine.vt_buf* buffer = &t.lane.buffer
    cdef uint8_t[32] head
    cdef uint64_t oldest = engine.vt_oldest(t.vt)
    cdef uint64_t before = max(min(c.lines_before, <uint64_t>engine.vt_top(t.vt)), oldest)
    cdef uint32_t count = min(c.lines_left, <uint32_t>max(1, PIECE_CELLS // t.cols))
    cdef uint8_t flags = 0
    count = <uint32_t>min(<uint64_t>count, before - oldest)
    buffer.n = 0
    engine.vt_lines(t.vt, buffer, before - count, before)
    if buffer.failed:
        engine.vt_buf_free(buffer)
        return False
    c.lines_left -= count
    c.lines_before = before - count
    if c.lines_left == 0 or c.lines_before == oldest:
        c.due &= ~DUE_LINES
        flags |= wire.LAST_PIECE
    if count and (buffer.n == 0 or buffer.data[buffer.n - 1] != 10):
        flags |= wire.WRAPPED
    return put_big(c, head, wire.write_lines_header(head, before - count, count, oldest, flags), buffer.data, buffer.n)


cdef inline void frame_start(client_t* c) noexcept nogil:
    """Begin the next output frame, if there is any; a batch is framed once for all clients that stand at its start."""
    cdef terminal_t* t = c.terminal
    cdef frame_cache_t* framed = &t.frames[CACHE_V1 if c.v1 else CACHE_RAW]
    cdef uint64_t end = sendable(c)
    cdef uint8_t[16] head
    cdef size_t head_n = 0
    if c.close_state != OPEN or end <= c.cursor:
        return
    if c.deflates:
        end = block_start(c, end)
        if end == c.cursor:
            return
    else:
        end = min(end, c.cursor + (LATEST_FRAME if c.latest else BATCH) - (wire.OUTPUT_HEADER if c.v1 else 0))
    if framed.start != c.cursor or framed.end != end:
        framed.start = c.cursor
        framed.end = end
        if c.v1:
            head_n = wire.write_output_header(head, c.cursor)
        framed.n = <uint8_t>rfc.write_header(framed.data, rfc.OP_BINARY, True, head_n + end - c.cursor)
        memcpy(framed.data + framed.n, head, head_n)
        framed.n += <uint8_t>head_n
    memcpy(c.frame.header, framed.data, framed.n)
    c.frame.header_n = framed.n
    c.frame.header_sent = 0
    c.frame.end = end
    t.lane.statistics.frames_out += 1


cdef inline void put_ending(client_t* c) noexcept nogil:
    """All output is sent and the session is over: say so, and close."""
    cdef terminal_t* t = c.terminal
    cdef uint8_t[8] head
    cdef uint8_t[320] text  # cut to what a close frame takes by put_close
    cdef size_t n
    if c.v1:
        n = wire.write_exit_header(head, t.exit_code, <uint8_t>t.exit_signal)
        put_frame(c, rfc.OP_BINARY, head, n, t.reason, t.reason_n)
    memcpy(text, b"exited ", 7)
    n = 7 + write_decimal(text + 7, t.exit_code)
    if t.reason_n:
        memcpy(text + n, b": ", 2)
        memcpy(text + n + 2, t.reason, t.reason_n)
        n += 2 + t.reason_n
    put_close(c, rfc.CLOSE_NORMAL, text, n)


cdef inline size_t write_decimal(uint8_t* out, int value) noexcept nogil:
    cdef uint8_t[12] digits
    cdef size_t n = 0, sign = 0
    cdef unsigned rest = <unsigned>(-value if value < 0 else value)
    cdef size_t i
    if value < 0:
        out[0] = b"-"
        sign = 1
    while True:
        digits[n] = <uint8_t>(48 + rest % 10)
        n += 1
        rest //= 10
        if rest == 0:
            break
    for i in range(n):
        out[sign + i] = digits[n - 1 - i]
    return sign + n


cdef inline void write_fixed(uint8_t* out, uint64_t value) noexcept nogil:
    """An offset in OFFSET_DIGITS decimal digits, zeros in front."""
    cdef int i
    for i in range(OFFSET_DIGITS):
        out[OFFSET_DIGITS - 1 - i] = <uint8_t>(48 + value % 10)
        value //= 10


cdef inline bint put_accepted(client_t* c, uint64_t step) noexcept nogil:
    """Tell how much of its input the PTY has taken, when that is at least `step` bytes more than was told."""
    cdef uint8_t[16] message
    cdef uint64_t accepted
    if not c.v1 or c.close_state != OPEN:
        return True
    accepted = c.terminal.ring.header.slots[c.input.slot].accepted if c.input.slot >= 0 else c.input.next
    if accepted - c.input.accepted_told < step:
        return True
    c.input.accepted_told = accepted
    return put_frame(c, rfc.OP_BINARY, message, wire.write_accepted(message, accepted), NULL, 0)


cdef inline void flush(client_t* c) noexcept nogil:
    """Send what may be sent: the queued control bytes and at most a batch of output, a fair share of the turn."""
    cdef terminal_t* t = c.terminal
    cdef iovec[4] parts
    cdef msghdr message
    cdef size_t count, whole, step, run, start, header_left
    cdef unsigned want
    cdef ssize_t n
    cdef bint control_first
    cdef uint64_t share = 0
    if c.watch.fd < 0:
        return
    while True:
        count = 0
        whole = 0
        control_first = False
        if between_frames(c):
            if wants_redraw(c):
                c.due |= DUE_REDRAW  # it has room again: what was under way is mostly drawn
            if (
                not put_notices(c)
                or c.due & DUE_REDRAW and may_redraw(c) and not put_redraw(c, 0)
                or c.due & DUE_LINES and not c.due & DUE_REDRAW and c.control.n == 0 and c.close_state == OPEN
                and not put_lines(c)
            ):
                drop(c)
                return
            if (
                t.ended and c.close_state == OPEN and not t.behind and c.cursor == t.ring.head
                and not c.due & DUE_LINES and not c.due & DUE_REDRAW
            ):
                put_ending(c)
            elif (c.control.n or sendable(c) > c.cursor) and not put_accepted(c, 1):
                drop(c)
                return
            if c.control.n:
                control_first = True
                parts[count].iov_base = c.control.data + c.control.sent
                parts[count].iov_len = c.control.n - c.control.sent
                whole += parts[count].iov_len
                count += 1
            if share + LATEST_FRAME <= BATCH or c.deflates and share < BATCH:
                frame_start(c)
                share += c.frame.end - c.cursor
        header_left = c.frame.header_n - c.frame.header_sent
        if header_left:
            parts[count].iov_base = c.frame.header + c.frame.header_sent
            parts[count].iov_len = header_left
            whole += header_left
            count += 1
        if c.cursor < c.frame.end and c.frame.block is not NULL:
            parts[count].iov_base = c.frame.block.data + c.frame.block_sent
            parts[count].iov_len = c.frame.block.n - c.frame.block_sent
            whole += parts[count].iov_len
            count += 1
        elif c.cursor < c.frame.end:
            start = c.cursor & (t.ring.size - 1)
            run = min(c.frame.end - c.cursor, t.ring.size - start)
            parts[count].iov_base = t.ring.data + start
            parts[count].iov_len = run
            count += 1
            whole += c.frame.end - c.cursor
            if run < c.frame.end - c.cursor:  # the ring's end lies within the frame
                parts[count].iov_base = t.ring.data
                parts[count].iov_len = c.frame.end - c.cursor - run
                count += 1
        if count == 0:
            break
        memset(&message, 0, sizeof(message))
        message.msg_iov = parts
        message.msg_iovlen = count
        n = sendmsg(c.watch.fd, &message, MSG_NOSIGNAL)
        if n < 0:
            if errno == EINTR:
                continue
            if errno != EAGAIN:
                drop(c)
                return
            n = 0
        t.traffic += <uint64_t>n
        store_relaxed(&c.bytes_sent, c.bytes_sent + n)
        t.lane.statistics.bytes_out += n
        step = <size_t>n
        if control_first:
            run = min(step, c.control.n - c.control.sent)
            c.control.sent += run
            step -= run
            if c.control.sent == c.control.n:
                free(c.control.data)
                c.control.data = NULL
                c.control.n = c.control.sent = c.control.uncounted = 0
        if c.frame.block is not NULL:
            block_took(c, step)
        else:
            run = min(step, header_left)
            c.frame.header_sent += <uint8_t>run
            c.cursor += step - run
        if <size_t>n < whole:
            if c.control.n and is_untouched(c):  # a frame behind them has not begun: it will anew
                if c.frame.block is not NULL:
                    block_leave(c)
                c.frame.end = c.cursor
                c.frame.header_n = c.frame.header_sent = 0  # before a block they may be of the frame before it
                t.lane.statistics.frames_out -= 1
            rewatch(t.lane, &c.watch, (c.watch.want & POLLER_READ) | POLLER_WRITE)
            progress(c)
            return
    if c.close_state == CLOSE_RECEIVED:
        drop(c)  # both close frames are through (RFC 6455 §7.1.1)
        return
    if c.close_state == CLOSING:
        # No close(2) yet: an ack that met a closed socket would have the kernel throw away what is still on its way.
        c.close_state = CLOSE_SENT
        shutdown(c.watch.fd, SHUT_WR)
    want = c.watch.want & POLLER_READ
    if c.close_state == OPEN and (sendable(c) > c.cursor or c.due & DUE_LINES and not c.due & DUE_REDRAW):
        want |= POLLER_WRITE  # there is more: in the next turn; a redraw that is due waits for something else
    rewatch(t.lane, &c.watch, want)
    progress(c)


cdef inline void skip_due(lane_t* lane) noexcept nogil:
    """Send the redraws that an interrupt asked for and that have waited long enough."""
    cdef terminal_t* t = lane.terminals
    cdef client_t* c
    cdef client_t* following
    lane.skipping = False
    while t is not NULL:
        c = t.clients
        while c is not NULL:
            following = c.next
            if c.skip_ns and lane.now >= c.skip_ns:
                c.skip_ns = 0
                if c.watch.want & POLLER_WRITE == 0:
                    flush(c)
            elif c.skip_ns:
                lane.skipping = True
            c = following
        if t.clients is not NULL:
            pace(t)
        t = t.next


cdef inline void flush_all(terminal_t* t) noexcept nogil:
    cdef client_t* c = t.clients
    cdef client_t* following
    while c is not NULL:
        following = c.next
        if c.watch.want & POLLER_WRITE == 0:  # else it waits for room already
            flush(c)
        c = following


cdef inline void fan_to(client_t* c) noexcept nogil:
    if c.watch.want & POLLER_WRITE == 0:  # else it waits for room already
        flush(c)


cdef inline void fan_later(terminal_t* t) noexcept nogil:
    """Have fan_out_all() look at this terminal."""
    if not t.fan_due:
        t.fan_due = True
        t.fan_next = t.lane.fans
        t.lane.fans = t


cdef inline void fan_out(terminal_t* t) noexcept nogil:
    """Send what has come to the next FAN clients; the lane comes back for the rest."""
    cdef client_t* c
    cdef int left = FAN
    while t.fan is not NULL and left > 0:
        c = t.fan
        t.fan = c.next
        left -= 1
        fan_to(c)
    if t.fan is NULL:
        pace(t)
        t.fan_start = t.ring.head
        t.fanning = t.fan_again
        t.fan_again = False
        t.fan = t.clients if t.fanning else NULL
    if t.fanning:
        fan_later(t)


cdef inline void fan_out_all(lane_t* lane) noexcept nogil:
    """Another turn's share for every terminal whose clients have not all been sent the last batch."""
    cdef terminal_t* t = lane.fans
    cdef terminal_t* following
    lane.fans = NULL
    while t is not NULL:
        following = t.fan_next
        t.fan_due = False
        if t.fanning:
            fan_out(t)
            charge(lane, t)
        t = following


cdef inline void present(terminal_t* t, chunk_t* presence) noexcept nogil:
    """Keep who is there (taken over), and tell everybody when that is news."""
    cdef client_t* c = t.clients
    cdef chunk_t* before = t.presence
    if before is not NULL and before.n == presence.n and memcmp(before.data, presence.data, presence.n) == 0:
        free(presence)
        return
    free(before)
    t.presence = presence if presence.n else NULL
    if presence.n == 0:
        free(presence)
        return
    while c is not NULL:
        if c.greeted:
            c.due |= DUE_PRESENCE
            flush_later(c)
        c = c.next
