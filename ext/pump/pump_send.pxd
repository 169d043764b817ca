# cython: cdivision=True
"""Messages and frames to clients: what is due, how much of it one turn sends, and to how many clients.

Alone writes close_state, code, reason, answer_by_ns, accepted_told, bytes_sent, the lines that a client asked for,
and a terminal's presence and round of sending (fan...), which a client that leaves moves on.
"""

from libc.errno cimport EAGAIN, EINTR, errno
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free
from libc.string cimport memcmp, memcpy, memset

from vibetunnel._ext cimport rfc6455 as rfc
from vibetunnel._ext cimport ring as rings
from vibetunnel._ext cimport v1 as wire
from vibetunnel._ext cimport vt as engine
from vibetunnel._ext.pump_backlog cimport (
    drop, has_all, is_viewer, note_caught_up, pace, progress, sendable, unblock_input, wants_damage, wants_redraw,
)
from vibetunnel._ext.pump_frame cimport (
    between_frames, frame_cancel, frame_skip, frame_start, gather, is_untouched, parcel_sent, parcel_t, put_big,
    put_frame,
)
from vibetunnel._ext.pump_outbox cimport charge, flush_later, rewatch
from vibetunnel._ext.pump_state cimport (
    ANSWER_WAIT, BATCH, BLOCKED_FULL, BLOCKED_RATE, BUFFER_KEPT, CLOSE_RECEIVED, CLOSE_SENT, CLOSING, DAMAGE_UNDRAWN,
    DUE_ACCESS, DUE_FLUSH, DUE_LINES, DUE_NOTE, DUE_NOTICES, DUE_PRESENCE, DUE_REDRAW, DUE_SIZE, DUE_TITLE,
    EXIT_REASON_MAX, FAN, LATEST_FRAME, LINGER, OPEN, PIECE_CELLS, V1_HEAD_MAX, chunk_t, client_t, damage_t, lane_t,
    terminal_t,
)
from vibetunnel._ext.pump_text cimport is_settling, is_stream, put_events, put_exit, put_output, put_screen, undecided
from vibetunnel._ext.lists cimport is_linked, link_t, list_next, list_put_first, list_t, list_take_all, list_take_first
from vibetunnel._ext.pump_system cimport MSG_NOSIGNAL, POLLER_READ, POLLER_WRITE, SHUT_WR, msghdr, sendmsg, shutdown
from vibetunnel._ext.ring cimport store_relaxed


# ---------------------------------------------------------------- messages

cdef inline size_t length_of(const char* text) noexcept nogil:
    cdef size_t n = 0
    while text[n]:
        n += 1
    return n


cdef inline bint put_error(client_t* c, int code, const char* text) noexcept nogil:
    cdef uint8_t[V1_HEAD_MAX] head
    cdef size_t n = wire.write_error_header(head, <uint16_t>code)
    return put_frame(c, rfc.OP_BINARY, head, n, <const uint8_t*>text, length_of(text))


cdef inline bint put_size(client_t* c) noexcept nogil:
    cdef uint8_t[V1_HEAD_MAX] message
    cdef terminal_t* t = c.terminal
    cdef uint8_t flags = wire.RESIZE_OWNS_SIZE if t.owner == c else 0
    cdef size_t n = wire.write_resize(message, <uint16_t>t.rows, <uint16_t>t.cols, flags)
    c.due &= ~DUE_SIZE
    return put_frame(c, rfc.OP_BINARY, message, n, NULL, 0)


cdef inline bint put_title(client_t* c) noexcept nogil:
    cdef uint8_t[1] kind
    cdef rings.Header* header = c.terminal.ring.header
    kind[0] = wire.TITLE
    c.due &= ~DUE_TITLE
    return put_frame(c, rfc.OP_BINARY, kind, 1, header.title, header.title_n)


cdef inline bint put_access(client_t* c) noexcept nogil:
    """Queue whether it may type now, and its own name."""
    cdef uint8_t[V1_HEAD_MAX] head
    cdef size_t n = wire.write_access_header(head, wire.MAY_TYPE if c.writable else 0)
    c.due &= ~DUE_ACCESS
    return put_frame(c, rfc.OP_BINARY, head, n, c.name, c.name_n)


cdef inline bint put_presence(client_t* c) noexcept nogil:
    """Queue the presence message, if there is one."""
    cdef uint8_t[1] kind
    cdef chunk_t* presence = c.terminal.presence
    kind[0] = wire.PRESENCE
    c.due &= ~DUE_PRESENCE
    return presence is NULL or put_frame(c, rfc.OP_BINARY, kind, 1, presence.data, presence.n)


cdef inline bint put_accepted(client_t* c, uint64_t step) noexcept nogil:
    """Queue how much of its input the PTY has taken, if that is at least `step` bytes more than it was told."""
    cdef uint8_t[V1_HEAD_MAX] message
    cdef uint64_t accepted
    if not c.v1 or c.close_state != OPEN:
        return True
    accepted = c.terminal.ring.header.slots[c.input.slot].accepted if c.input.slot >= 0 else c.input.next
    if accepted - c.input.accepted_told < step:
        return True
    c.input.accepted_told = accepted
    return put_frame(c, rfc.OP_BINARY, message, wire.write_accepted(message, accepted), NULL, 0)


cdef inline bint put_notices(client_t* c) noexcept nogil:
    """Queue the notices that are due: size, title, access, presence. False: drop the client."""
    if c.text is not NULL:
        return put_events(c)
    if not c.greeted or c.close_state != OPEN:
        return True
    if c.due & DUE_SIZE and not put_size(c):
        return False
    if c.due & DUE_TITLE and not put_title(c):
        return False
    if c.due & DUE_ACCESS and not (put_access(c) and put_accepted(c, 0)):
        return False
    if c.due & DUE_PRESENCE and c.control.n == 0:  # one at a time: a newer message replaces one that waits
        return put_presence(c)
    return True


cdef inline void present(terminal_t* t, chunk_t* presence) noexcept nogil:
    """Keep the presence message (taken over), and send it to every client if it is new."""
    cdef link_t* at = t.clients.first
    cdef client_t* c
    cdef chunk_t* before = t.presence
    if before is not NULL and before.n == presence.n and memcmp(before.data, presence.data, presence.n) == 0:
        free(presence)
        return
    free(before)
    t.presence = presence if presence.n else NULL
    if presence.n == 0:
        free(presence)
        return
    while at is not NULL:
        c = <client_t*>list_next(&at)
        if c.greeted and c.v1:
            c.due |= DUE_PRESENCE
            flush_later(c)


cdef inline void note(terminal_t* t, chunk_t* event) noexcept nogil:
    """Keep an event (taken over) in place of an earlier one, and send it to every stream, now and when one comes."""
    cdef link_t* at = t.clients.first
    cdef client_t* c
    free(t.note)
    t.note = event
    while at is not NULL:
        c = <client_t*>list_next(&at)
        if c.greeted and is_stream(c):
            c.due |= DUE_NOTE
            flush_later(c)


# ---------------------------------------------------------------- the screen and scrollback

cdef inline bint may_redraw(client_t* c, size_t undrawn) noexcept nogil:
    """Whether a redraw or damage can be sent now. undrawn: bytes of both that may be under way already."""
    cdef terminal_t* t = c.terminal
    if c.acked >= c.base:
        c.undrawn = 0
    if c.close_state != OPEN or c.control.uncounted:
        return False
    if c.cursor > engine.vt_offset(t.vt):
        return False  # a stream never goes back: the client may have drawn output that the engine has not taken yet
    if not c.latest and c.cursor != engine.vt_offset(t.vt):
        return False  # a lossless client is redrawn only when it is up to date: it skips no byte
    if c.v1 and not c.input.blocked and c.undrawn > undrawn:
        return False
    return c.answer_by_ns == 0 or t.lane.now >= c.answer_by_ns


cdef inline bint put_redraw(client_t* c, uint32_t scrollback) noexcept nogil:
    """Queue the terminal's present screen, and go on from there. False: drop the client."""
    cdef terminal_t* t = c.terminal
    cdef engine.vt_buf* buffer = &t.lane.buffer
    cdef uint8_t[V1_HEAD_MAX] head
    cdef size_t head_n = 0
    cdef size_t cut
    buffer.n = 0
    if is_viewer(c):
        engine.vt_viewer_redraw(t.vt, buffer, scrollback, &c.view)
    else:
        engine.vt_redraw(t.vt, buffer, scrollback)
    if buffer.failed:
        engine.vt_buf_free(buffer)
        return False
    if c.v1:
        head_n = wire.write_redraw_header(
            head, engine.vt_offset(t.vt), engine.vt_top(t.vt), engine.vt_oldest(t.vt),
            <uint16_t>t.rows, <uint16_t>t.cols, wire.ALTERNATE_SCREEN if engine.vt_alternate(t.vt) else 0,
        )
    cut = undecided(c, buffer.data, buffer.n)
    frame_skip(c, engine.vt_offset(t.vt) - cut)
    c.undrawn += buffer.n + 1
    c.answer_by_ns = 0
    c.due &= ~(DUE_REDRAW | DUE_LINES)  # lines that it asked for may have other numbers now
    t.lane.statistics.redraws += 1
    if c.text is not NULL:
        return put_screen(c, buffer.data, buffer.n - cut)
    return put_big(c, head, head_n, buffer.data, buffer.n)


cdef inline bint make_damage(terminal_t* t, engine.vt_viewer* view, damage_t* made) noexcept nogil:
    """Bring the view to the present. Clients with the same view share the damage. False: only a redraw can do it."""
    cdef bint same = made.terminal == t.id and made.after.offset == engine.vt_shown(t.vt)
    if (
        same and made.before.offset == view.offset and made.before.screens == view.screens
        and made.before.raw == view.raw
    ):
        view[0] = made.after
        return True
    made.terminal = t.id
    made.before = view[0]
    made.bytes.n = 0
    if engine.vt_damage(t.vt, &made.bytes, view) and not made.bytes.failed:
        made.after = view[0]
        return True
    if made.bytes.failed:
        engine.vt_buf_free(&made.bytes)
    made.terminal = 0
    return False


cdef inline bint put_damage(client_t* c) noexcept nogil:
    """Queue what has changed since the state that the client shows. False: drop the client."""
    cdef terminal_t* t = c.terminal
    cdef damage_t* made = &t.lane.damage
    cdef uint8_t[V1_HEAD_MAX] head
    cdef size_t n
    cdef bint done
    if c.view.offset != c.cursor and not engine.vt_viewer_at(t.vt, c.cursor, &c.view):
        return put_redraw(c, 0)
    if not make_damage(t, &c.view, made):
        return put_redraw(c, 0)
    frame_skip(c, c.view.offset)
    n = wire.write_damage_header(head, c.view.offset, engine.vt_top(t.vt), engine.vt_oldest(t.vt))
    c.undrawn += made.bytes.n
    done = put_big(c, head, n, made.bytes.data, made.bytes.n)
    if made.bytes.size > BUFFER_KEPT:
        engine.vt_buf_free(&made.bytes)
        made.terminal = 0
    return done


cdef inline bint put_lines(client_t* c) noexcept nogil:
    """Queue the next piece of scrollback, newest first. False: drop the client."""
    cdef terminal_t* t = c.terminal
    cdef engine.vt_buf* buffer = &t.lane.buffer
    cdef uint8_t[V1_HEAD_MAX] head
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


cdef inline void ask_lines(client_t* c, uint64_t before, uint32_t count) noexcept nogil:
    """Send `count` lines of scrollback before that line, piece by piece, when there is room."""
    c.lines_before = before
    c.lines_left = count
    c.due |= DUE_LINES


cdef inline bint sends_lines(client_t* c) noexcept nogil:
    """Whether lines are to be sent: after the redraw if one is due, since that may number them anew."""
    return c.due & (DUE_LINES | DUE_REDRAW) == DUE_LINES and c.close_state == OPEN


cdef inline void skip_backlog(client_t* c) noexcept nogil:
    """After an interrupt: send the screen instead of the output under way, as soon as it may show the answer."""
    c.due |= DUE_REDRAW
    c.answer_by_ns = c.terminal.lane.now + ANSWER_WAIT
    c.terminal.lane.awaits_answers = True
    progress(c)


cdef inline void answer_interrupts(terminal_t* t) noexcept nogil:
    """The PTY is empty, so the program's answer to an interrupt is on the screen: redraws need not wait for it."""
    cdef link_t* at = t.clients.first
    cdef client_t* c
    while at is not NULL:
        c = <client_t*>list_next(&at)
        if c.answer_by_ns:
            c.answer_by_ns = t.lane.now


# ---------------------------------------------------------------- closing

cdef inline void put_close(client_t* c, int code, const uint8_t* reason, size_t n) noexcept nogil:
    """Queue a close frame, once; nothing is queued after it."""
    cdef uint8_t[2] head
    if c.close_state != OPEN or c.watch.fd < 0:
        return  # of a dropped client, code and reason stay as they are: Python may be reading them
    n = rfc.utf8_prefix(reason, min(n, <size_t>(rfc.MAX_CONTROL - 2)))
    wire.put16(head, <uint16_t>code)
    if is_stream(c):
        pass  # it has no close frame: the end of the connection ends it
    elif code == rfc.CLOSE_NO_STATUS:
        put_frame(c, rfc.OP_CLOSE, NULL, 0, NULL, 0)
    else:
        put_frame(c, rfc.OP_CLOSE, head, 2, reason, n)
    c.close_state = CLOSING
    unblock_input(c, BLOCKED_FULL | BLOCKED_RATE)  # its input is of no use now, but its close frame is
    c.close_by_ns = c.terminal.lane.now + (c.terminal.core.timeout_ns if c.terminal.ended else LINGER)
    if c.code == 0:
        c.code = code
        c.reason_n = n
        if n:
            memcpy(c.reason, reason, n)
    progress(c)


cdef inline void put_text_close(client_t* c, int code, const char* reason) noexcept nogil:
    put_close(c, code, <const uint8_t*>reason, length_of(reason))


cdef inline void close_received(client_t* c, const uint8_t* payload, size_t n) noexcept nogil:
    """The client's close frame has come: answer with its own code."""
    if c.code == 0:
        c.code = (<int>payload[0] << 8) | payload[1] if n >= 2 else rfc.CLOSE_NO_STATUS
        c.reason_n = n - 2 if n >= 2 else 0
        memcpy(c.reason, payload + 2, c.reason_n)
    put_close(c, c.code, NULL, 0)
    c.close_state = CLOSE_RECEIVED
    flush_later(c)


cdef inline void close_broken(client_t* c, int code, const char* reason) noexcept nogil:
    """Close a connection on which nothing that follows can be understood."""
    put_text_close(c, code, reason)
    c.close_state = CLOSE_RECEIVED
    flush_later(c)


cdef inline void drop_unheard(client_t* c) noexcept nogil:
    """Drop a client that showed no sign of life for too long."""
    c.terminal.lane.statistics.dropped += 1
    c.code = rfc.CLOSE_ABNORMAL
    drop(c)


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


cdef inline void put_ending(client_t* c) noexcept nogil:
    """All output is sent and the session is over: send its exit, and close."""
    cdef terminal_t* t = c.terminal
    cdef uint8_t[V1_HEAD_MAX] head
    cdef uint8_t[EXIT_REASON_MAX + 64] text  # put_close cuts it to what a close frame takes
    cdef size_t n
    if c.v1:
        n = wire.write_exit_header(head, t.exit_code, <uint8_t>t.exit_signal)
        put_frame(c, rfc.OP_BINARY, head, n, t.reason, t.reason_n)
    elif is_stream(c):
        put_exit(c)
    memcpy(text, b"exited ", 7)
    n = 7 + write_decimal(text + 7, t.exit_code)
    if t.reason_n:
        memcpy(text + n, b": ", 2)
        memcpy(text + n + 2, t.reason, t.reason_n)
        n += 2 + t.reason_n
    put_close(c, rfc.CLOSE_NORMAL, text, n)


# ---------------------------------------------------------------- sending

cdef inline bint put_what_is_due(client_t* c) noexcept nogil:
    """Between two frames: queue the messages that are due. False: drop the client."""
    if c.due & DUE_NOTICES and not put_notices(c):
        return False
    if c.due & DUE_REDRAW and may_redraw(c, 0) and not put_redraw(c, c.scrollback if is_settling(c) else 0):
        return False
    return not (sends_lines(c) and c.control.n == 0) or put_lines(c)


cdef inline bint prepare(client_t* c, uint64_t* share) noexcept nogil:
    """Between two frames: queue what is due and begin the next frame, if the client's share allows. False: drop it."""
    cdef terminal_t* t = c.terminal
    cdef uint64_t end
    note_caught_up(c)
    if wants_redraw(c):
        c.due |= DUE_REDRAW
    if c.due & ~DUE_FLUSH and not put_what_is_due(c):
        return False
    if wants_damage(c) and c.due & DUE_REDRAW == 0 and may_redraw(c, DAMAGE_UNDRAWN) and not put_damage(c):
        return False
    end = sendable(c)
    if (
        t.ended and c.close_state == OPEN and not t.unseen and has_all(c)
        and c.due & (DUE_LINES | DUE_REDRAW) == 0
    ):
        put_ending(c)
    elif (c.control.n or end > c.cursor) and not put_accepted(c, 1):
        return False
    if c.close_state != OPEN or end <= c.cursor:
        return True
    if c.text is not NULL:
        return share[0] >= BATCH or put_output(c, end, share)
    if share[0] + LATEST_FRAME <= BATCH or c.deflates and share[0] < BATCH:
        frame_start(c, end)
        share[0] += c.frame.end - c.cursor
    return True


cdef inline ssize_t send_parcel(client_t* c, parcel_t* parcel) noexcept nogil:
    """How many bytes the socket took, perhaps none; -1: the connection is broken."""
    cdef terminal_t* t = c.terminal
    cdef msghdr message
    cdef ssize_t n
    memset(&message, 0, sizeof(message))
    message.msg_iov = parcel.parts
    message.msg_iovlen = parcel.count
    while True:
        n = sendmsg(c.watch.fd, &message, MSG_NOSIGNAL)
        if n >= 0:
            break
        if errno == EAGAIN:
            return 0
        if errno != EINTR:
            return -1
    t.traffic += <uint64_t>n
    store_relaxed(&c.bytes_sent, c.bytes_sent + n)
    t.lane.statistics.bytes_out += n
    return n


cdef inline void wait_for_room(client_t* c) noexcept nogil:
    """The socket is full: go on when it has room. Control bytes then go before a frame that has not begun."""
    if c.control.n and is_untouched(c):
        frame_cancel(c)
    rewatch(c.terminal.lane, &c.watch, (c.watch.want & POLLER_READ) | POLLER_WRITE)
    progress(c)


cdef inline void after_flush(client_t* c) noexcept nogil:
    """This turn's output is sent: close the connection, or wait until there is more to send."""
    cdef unsigned want = c.watch.want & POLLER_READ
    if c.close_state == CLOSE_RECEIVED:
        drop(c)  # both close frames are through (RFC 6455 §7.1.1)
        return
    if c.close_state == CLOSING:
        # No close(2) yet: if an ack met a closed socket, the kernel would discard bytes that are still on their way.
        c.close_state = CLOSE_SENT
        shutdown(c.watch.fd, SHUT_WR)
    note_caught_up(c)
    if c.close_state == OPEN and (sendable(c) > c.cursor or sends_lines(c)):
        want |= POLLER_WRITE  # the rest goes out in the next turn
    rewatch(c.terminal.lane, &c.watch, want)
    progress(c)


cdef inline bint is_idle(client_t* c) noexcept nogil:
    """After a whole parcel: whether prepare() would find nothing. This is so for most clients of most batches."""
    cdef terminal_t* t = c.terminal
    return c.cursor == t.ring.head and c.control.n == 0 and c.due & ~DUE_FLUSH == 0 and not t.ended


cdef inline void flush(client_t* c) noexcept nogil:
    """Send the queued control bytes and at most a batch of output, a fair share of the turn."""
    cdef parcel_t parcel
    cdef uint64_t share = 0
    cdef bint between
    cdef ssize_t n
    if c.watch.fd < 0:
        return
    while True:
        between = between_frames(c)
        if between and not prepare(c, &share):
            drop(c)
            return
        gather(c, between, &parcel)
        if parcel.count == 0:
            after_flush(c)
            return
        n = send_parcel(c, &parcel)
        if n < 0:
            drop(c)
            return
        parcel_sent(c, &parcel, <size_t>n)
        if <size_t>n < parcel.whole:
            wait_for_room(c)
            return
        if is_idle(c):
            after_flush(c)
            return


cdef inline void flush_unless_full(client_t* c) noexcept nogil:
    """Send now, unless the client waits for room in its socket already."""
    if c.watch.want & POLLER_WRITE == 0:
        flush(c)


cdef inline void flush_all(terminal_t* t) noexcept nogil:
    cdef link_t* at = t.clients.first
    while at is not NULL:
        flush_unless_full(<client_t*>list_next(&at))


cdef inline void flush_due(terminal_t* t) noexcept nogil:
    """End of turn: send to the clients that something was queued for."""
    cdef link_t* at = t.clients.first
    cdef client_t* c
    while at is not NULL:
        c = <client_t*>list_next(&at)
        if c.due & DUE_FLUSH:
            c.due &= ~DUE_FLUSH
            flush_unless_full(c)


cdef inline void redraw_interrupted(lane_t* lane) noexcept nogil:
    """Send the redraws after interrupts that have waited long enough."""
    cdef link_t* t_at = lane.terminals.first
    cdef link_t* at
    cdef terminal_t* t
    cdef client_t* c
    lane.awaits_answers = False
    while t_at is not NULL:
        t = <terminal_t*>list_next(&t_at)
        at = t.clients.first
        while at is not NULL:
            c = <client_t*>list_next(&at)
            if c.answer_by_ns and lane.now >= c.answer_by_ns:
                c.answer_by_ns = 0
                flush_unless_full(c)
            elif c.answer_by_ns:
                lane.awaits_answers = True
        if t.clients.first is not NULL:
            pace(t)


# ---------------------------------------------------------------- a batch to every client

cdef inline void fan_later(terminal_t* t) noexcept nogil:
    """Have fan_out_all() go on with this terminal."""
    if not is_linked(&t.in_fans):
        list_put_first(&t.lane.fans, &t.in_fans, t)


cdef inline uint64_t fan_waiting(terminal_t* t) noexcept nogil:
    """Bytes of output that the round under way has to send."""
    if not t.fanning:
        t.fan_start = t.ring.head
    return t.ring.head - t.fan_start


cdef inline void fan_to_first(terminal_t* t) noexcept nogil:
    """Send to the first client out of turn."""
    if t.fan == t.clients.first:
        t.fan = t.fan.next
    flush_unless_full(<client_t*>t.clients.first.owner)


cdef inline void fan_begin(terminal_t* t) noexcept nogil:
    """Output has come: begin a round, or have another one follow that which is under way."""
    if t.fanning:
        t.fan_again = True  # clients that had their turn get another; the others get both batches at once
    else:
        t.fanning = True
        t.fan = t.clients.first


cdef inline void fan_out(terminal_t* t) noexcept nogil:
    """Send the batch to the next FAN clients; the lane comes back for the rest."""
    cdef int left = FAN
    while t.fan is not NULL and left > 0:
        left -= 1
        flush_unless_full(<client_t*>list_next(&t.fan))
    if t.fan is NULL:
        pace(t)
        t.fan_start = t.ring.head
        t.fanning = t.fan_again
        t.fan_again = False
        t.fan = t.clients.first if t.fanning else NULL
    if t.fanning:
        fan_later(t)


cdef inline void fan_out_all(lane_t* lane) noexcept nogil:
    """Another turn's share for every terminal whose clients have not all been sent the last batch."""
    cdef list_t fans
    cdef terminal_t* t
    list_take_all(&lane.fans, &fans)
    while fans.first is not NULL:
        t = <terminal_t*>list_take_first(&fans)
        if t.fanning:
            fan_out(t)
            charge(lane, t)
