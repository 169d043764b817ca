# cython: cdivision=True
"""The terminal engine beside the ring: feeding it, its events, checkpoints, and the restart from one."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport malloc
from libc.string cimport memcpy

from vibetunnel._ext cimport ring as rings
from vibetunnel._ext cimport vt as engine
from vibetunnel._ext.pump_outbox cimport report, report_soon
from vibetunnel._ext.pump_pty cimport deliver
from vibetunnel._ext.pump_state cimport (
    BUFFER_KEPT, CHECKPOINT_LINES, CLOCK_REALTIME, DID_BELL, DID_CAPTURE, DID_CHANGE, DID_FOLDER, DID_MARK, DID_TITLE,
    DUE_TITLE, MARKS_LIMIT, QUEUE_LIMIT, RECORD_HEADER, capture_t, client_t, clock_ns, pthread_mutex_lock,
    pthread_mutex_unlock, terminal_t,
)
from vibetunnel._ext.ring cimport Ring, load_relaxed, store_relaxed


cdef inline void feed(terminal_t* t) noexcept nogil:
    """Show the engine what has come into the ring, as far as one turn's work goes."""
    cdef Ring* r = &t.ring
    cdef uint64_t at = engine.vt_offset(t.vt)
    cdef uint64_t start, run, used
    t.behind = False
    while at < r.head:
        start = at & (r.size - 1)
        run = min(r.head - at, r.size - start)
        used = engine.vt_feed(t.vt, r.data + start, <size_t>run, engine.VT_BUDGET)
        at += used
        if used < run:
            t.behind = t.lane.behind = True
            break


cdef inline void after_feed(terminal_t* t) noexcept nogil:
    """The engine has seen more: what follows from it."""
    if load_relaxed(&t.watched):
        report_soon(t, DID_CHANGE)
    handle_engine_events(t)
    if engine.vt_offset(t.vt) - t.checkpointed >= rings.ring_capacity(&t.ring) // 4:
        checkpoint(t, CHECKPOINT_LINES, rings.CHECKPOINT_MAX)


cdef inline void handle_engine_events(terminal_t* t) noexcept nogil:
    """What the output said beside text."""
    cdef unsigned did = engine.vt_events(t.vt)
    cdef const uint8_t* text
    cdef size_t n
    cdef int64_t typed_ns
    if did == 0:
        return
    if did & engine.VT_REPLY:
        text = engine.vt_reply(t.vt, &n)
        if t.input_queued < QUEUE_LIMIT:  # a program that asks and never reads gets no more answers
            typed_ns = t.last_input_ns  # an answer is nobody's input
            deliver(t, NULL, text, n, NULL)
            store_relaxed(&t.last_input_ns, typed_ns)
    if did & engine.VT_TITLE:
        text = engine.vt_title(t.vt, &n)  # before `n` is read: C does not say which argument comes first
        set_text(t, DID_TITLE, text, n)
    if did & engine.VT_CWD:
        text = engine.vt_cwd(t.vt, &n)
        set_text(t, DID_FOLDER, text, n)
    if did & engine.VT_BELL:
        pthread_mutex_lock(&t.core.lock)
        t.bells += engine.vt_bells(t.vt)
        pthread_mutex_unlock(&t.core.lock)
        report_soon(t, DID_BELL)
    if did & engine.VT_RECORD:
        take_records(t)
        report_soon(t, DID_MARK)


cdef inline void set_text(terminal_t* t, unsigned what, const uint8_t* text, size_t n) noexcept nogil:
    """Keep a title or folder in the ring's header, where it outlives the server."""
    cdef rings.Header* header = t.ring.header
    cdef client_t* c = t.clients
    pthread_mutex_lock(&t.core.lock)
    if what == DID_TITLE:
        header.title_n = <uint16_t>min(n, <size_t>rings.TITLE_MAX)
        memcpy(header.title, text, header.title_n)
    else:
        header.folder_n = <uint16_t>min(n, <size_t>rings.FOLDER_MAX)
        memcpy(header.folder, text, header.folder_n)
    pthread_mutex_unlock(&t.core.lock)
    report_soon(t, what)
    while c is not NULL and what == DID_TITLE:
        if c.v1:
            c.due |= DUE_TITLE
        c = c.next


cdef inline void take_records(terminal_t* t) noexcept nogil:
    """Put the engine's prompt marks and clipboards where Python finds them, with the time; too many are dropped."""
    cdef int64_t now = clock_ns(CLOCK_REALTIME)
    cdef engine.vt_buf* all = &t.marks
    cdef engine.vt_buf* some = &t.lane.buffer
    cdef size_t at = 0
    cdef size_t n
    cdef uint32_t text_n
    some.n = 0
    engine.vt_records(t.vt, some)
    pthread_mutex_lock(&t.core.lock)
    while not some.failed and at + RECORD_HEADER <= some.n:
        memcpy(&text_n, some.data + at + RECORD_HEADER - 4, 4)
        n = RECORD_HEADER + text_n
        if all.n + 8 + n > MARKS_LIMIT:
            break
        engine.vt_put(all, &now, 8)
        engine.vt_put(all, some.data + at, n)
        at += n
    pthread_mutex_unlock(&t.core.lock)


cdef inline bint checkpoint(terminal_t* t, uint32_t lines, size_t most) noexcept nogil:
    """Keep what the next server needs to begin from here; fewer lines of scrollback where they take more than `most`.

    False: not even the screen fits.
    """
    cdef engine.vt_buf* buffer = &t.lane.buffer
    cdef bint fits
    while True:
        buffer.n = 0
        engine.vt_redraw(t.vt, buffer, lines)
        if buffer.n <= most or lines == 0 or buffer.failed:
            break
        # Those that may fit, by their share; so few are none: a screen too large is too dear to be written many times.
        lines = <uint32_t>min(<size_t>lines * 3 // 4, lines * most // buffer.n) if lines > CHECKPOINT_LINES else 0
    fits = buffer.n <= rings.CHECKPOINT_MAX and not buffer.failed
    t.checkpointed = engine.vt_offset(t.vt)  # or tried, at least: not again in every turn
    if fits:
        rings.checkpoint_write(
            &t.ring, t.checkpointed, engine.vt_top(t.vt), engine.vt_rows(t.vt), engine.vt_cols(t.vt),
            buffer.data, buffer.n,
        )
    if buffer.size > BUFFER_KEPT or buffer.failed:
        engine.vt_buf_free(buffer)
    return fits


cdef inline void keep(terminal_t* t, size_t most) noexcept nogil:
    """Keep scrollback too. The other checkpoint is older, with less of it: the next server is not to begin there."""
    if checkpoint(t, t.core.limits.scrollback_lines, most):
        rings.checkpoint_forget_older(&t.ring)
    t.kept = engine.vt_offset(t.vt)


cdef inline bint capture(terminal_t* t, int ticket, uint32_t lines) noexcept nogil:
    """Copy the engine for Python. False: no memory even to say so."""
    cdef capture_t* copy = <capture_t*>malloc(sizeof(capture_t))
    if copy is NULL:
        return False
    copy.ticket = ticket
    copy.state = engine.vt_clone(t.vt, lines)
    pthread_mutex_lock(&t.core.lock)
    copy.next = t.captures
    t.captures = copy
    pthread_mutex_unlock(&t.core.lock)
    report(t, DID_CAPTURE)
    return True


cdef inline void revive(terminal_t* t) noexcept nogil:
    """Make the terminal's engine, and bring it to where an earlier server's was. Leaves t.vt NULL without memory."""
    cdef Ring* r = &t.ring
    cdef rings.Checkpoint* kept
    cdef int i = rings.checkpoint_find(r)
    cdef int rows = <int>t.rows
    cdef int cols = max(<int>t.cols, engine.VT_MIN_COLS)
    cdef uint64_t at = rings.ring_oldest(r)
    cdef uint64_t start, run
    t.vt = engine.vt_new(rows, cols, &t.core.limits)
    if t.vt is NULL:
        return
    if r.head:
        engine.vt_mute(t.vt, True)  # who asked has been answered
        if i >= 0:
            kept = &r.header.checkpoints[i]
            engine.vt_resize(t.vt, max(1, <int>kept.rows), max(engine.VT_MIN_COLS, <int>kept.cols))
            show(t.vt, rings.checkpoint_data(r, i), kept.n)
            engine.vt_set_top(t.vt, kept.top)  # lines keep their numbers
            at = kept.offset
        while at < r.head:
            start = at & (r.size - 1)
            run = min(r.head - at, r.size - start)
            show(t.vt, r.data + start, <size_t>run)
            at += run
        engine.vt_resize(t.vt, rows, cols)
        engine.vt_mute(t.vt, False)
    engine.vt_set_offset(t.vt, r.head)
    t.checkpointed = t.kept = r.head


cdef inline void show(engine.vt* vt, const uint8_t* data, size_t n) noexcept nogil:
    cdef size_t used
    while n:
        used = engine.vt_feed(vt, data, n, engine.VT_BUDGET)
        data += used
        n -= used
