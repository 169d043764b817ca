# cython: cdivision=True
"""The terminal engine beside the ring: feeding it, acting on what it saw, checkpoints, captures, and the restart.

Alone writes a terminal's vt (but for what the owner of the size states: pump_output.pxd), unseen, checkpoints and
marks, and the ring's header from the title to the pointer.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc
from libc.string cimport memcpy, strncmp, strncpy

from vibetunnel._ext cimport ring as rings
from vibetunnel._ext cimport vt as engine
from vibetunnel._ext.pump_outbox cimport report, report_marks, report_soon
from vibetunnel._ext.pump_pty cimport answer_program
from vibetunnel._ext.pump_state cimport (
    BUFFER_KEPT, CHECKPOINT_LINES, CHECKPOINT_PICTURES, DID_BELL, DID_CAPTURE, DID_CHANGE, DID_FOLDER, DID_POINTER,
    DID_PROGRESS, DID_TITLE, DUE_TITLE, MARKS_LIMIT, capture_t, client_t, terminal_t,
)
from vibetunnel._ext.lists cimport link_t, list_next, list_put_last
from vibetunnel._ext.pump_system cimport CLOCK_REALTIME, clock_ns, pthread_mutex_lock, pthread_mutex_unlock
from vibetunnel._ext.ring cimport Ring, load_relaxed


cdef inline void feed(terminal_t* t) noexcept nogil:
    """Show the engine the new bytes in the ring, up to its work budget for one turn."""
    cdef Ring* r = &t.ring
    cdef uint64_t at = engine.vt_offset(t.vt)
    cdef uint64_t start, run, used
    t.unseen = False
    while at < r.head:
        start = at & (r.size - 1)
        run = min(r.head - at, r.size - start)
        used = engine.vt_feed(t.vt, r.data + start, <size_t>run, engine.VT_BUDGET)
        at += used
        if used < run:
            t.unseen = t.lane.unfinished = True
            break


cdef inline void after_feed(terminal_t* t) noexcept nogil:
    """Act on what the engine has seen."""
    if load_relaxed(&t.watched):
        report_soon(t, DID_CHANGE)
    handle_engine_events(t)
    if engine.vt_offset(t.vt) - t.checkpointed >= rings.ring_capacity(&t.ring) // 4:
        checkpoint(t, CHECKPOINT_LINES, rings.CHECKPOINT_MAX)


cdef inline void handle_engine_events(terminal_t* t) noexcept nogil:
    """Act on the requests, titles, bells and marks in the output."""
    cdef unsigned did = engine.vt_events(t.vt)
    cdef const uint8_t* text
    cdef size_t n
    if did == 0:
        return
    if did & engine.VT_REPLY:
        text = engine.vt_reply(t.vt, &n)
        answer_program(t, text, n)
    if did & engine.VT_TITLE:
        text = engine.vt_title(t.vt, &n)  # a statement of its own: C does not order the arguments of a call
        set_text(t, DID_TITLE, text, n)
    if did & engine.VT_CWD:
        text = engine.vt_cwd(t.vt, &n)
        set_text(t, DID_FOLDER, text, n)
    if did & engine.VT_BELL:
        pthread_mutex_lock(&t.core.lock)
        t.bells += engine.vt_bells(t.vt)
        pthread_mutex_unlock(&t.core.lock)
        report_soon(t, DID_BELL)
    if did & engine.VT_PROGRESS:
        set_progress(t)
    if did & engine.VT_POINTER:
        set_pointer(t)
    if did & engine.VT_RECORD:
        take_records(t)
        report_marks(t)


cdef inline void set_text(terminal_t* t, unsigned what, const uint8_t* text, size_t n) noexcept nogil:
    """Keep a title or folder in the ring's header, which outlives the server."""
    cdef rings.Header* header = t.ring.header
    cdef link_t* at = t.clients.first
    cdef client_t* c
    pthread_mutex_lock(&t.core.lock)
    if what == DID_TITLE:
        header.title_n = <uint16_t>min(n, <size_t>rings.TITLE_MAX)
        memcpy(header.title, text, header.title_n)
    else:
        header.folder_n = <uint16_t>min(n, <size_t>rings.FOLDER_MAX)
        memcpy(header.folder, text, header.folder_n)
    pthread_mutex_unlock(&t.core.lock)
    report_soon(t, what)
    while at is not NULL and what == DID_TITLE:
        c = <client_t*>list_next(&at)
        if c.v1:
            c.due |= DUE_TITLE


cdef inline void set_progress(terminal_t* t) noexcept nogil:
    """Keep the progress in the ring's header, and report another one."""
    cdef rings.Header* header = t.ring.header
    cdef int percent
    cdef int state = engine.vt_progress(t.vt, &percent)
    if header.progress == state and header.percent == percent:
        return
    pthread_mutex_lock(&t.core.lock)
    header.progress = <uint8_t>state
    header.percent = <uint8_t>percent
    pthread_mutex_unlock(&t.core.lock)
    report_soon(t, DID_PROGRESS)


cdef inline void set_pointer(terminal_t* t) noexcept nogil:
    """Keep the pointer's shape in the ring's header, and report another one."""
    cdef rings.Header* header = t.ring.header
    cdef const char* name = engine.vt_pointer(t.vt)
    if strncmp(<const char*>header.pointer, name, rings.POINTER_MAX) == 0:
        return
    pthread_mutex_lock(&t.core.lock)
    strncpy(<char*>header.pointer, name, rings.POINTER_MAX - 1)  # the last byte stays a zero
    pthread_mutex_unlock(&t.core.lock)
    report_soon(t, DID_POINTER)


cdef inline void take_records(terminal_t* t) noexcept nogil:
    """Pass the engine's records on to Python, with the time. Those that do not fit are dropped."""
    cdef int64_t now = clock_ns(CLOCK_REALTIME)
    cdef engine.vt_buf* all = &t.marks
    cdef engine.vt_buf* some = &t.lane.buffer
    cdef engine.vt_record record
    cdef size_t at = 0
    cdef size_t end, whole
    some.n = 0
    engine.vt_records(t.vt, some)
    pthread_mutex_lock(&t.core.lock)
    end = 0 if some.failed else engine.next_record(some.data, some.n, at, &record)
    while end and all.n + 8 + end - at <= MARKS_LIMIT:
        whole = all.n
        if engine.vt_put(all, &now, 8) < 0 or engine.vt_put(all, some.data + at, end - at) < 0:
            all.n = whole  # no memory: a time without its record would be read as one
            break
        at = end
        end = engine.next_record(some.data, some.n, at, &record)
    pthread_mutex_unlock(&t.core.lock)


cdef inline bint checkpoint(terminal_t* t, uint32_t lines, size_t most) noexcept nogil:
    """Save the state from which the next server begins.

    lines, most   scrollback to include: fewer lines if the checkpoint takes more than `most` bytes
    Returns       False if not even the screen fits
    """
    cdef engine.vt_buf* buffer = &t.lane.buffer
    cdef bint fits
    cdef size_t pictures, n
    buffer.n = 0
    engine.vt_picture_data_of(t.vt, buffer, CHECKPOINT_PICTURES)
    pictures = buffer.n
    while True:
        buffer.n = pictures
        engine.vt_redraw(t.vt, buffer, lines)
        n = buffer.n - pictures
        if n <= most and buffer.n <= rings.CHECKPOINT_MAX or buffer.failed:
            break
        if lines == 0:
            if pictures == 0:
                break
            pictures = 0  # the screen is more than its pictures
            continue
        # Retry with proportionally fewer lines, then with none: redrawing a very large screen repeatedly is too slow.
        lines = <uint32_t>min(<size_t>lines * 3 // 4, lines * most // n) if lines > CHECKPOINT_LINES else 0
    fits = buffer.n <= rings.CHECKPOINT_MAX and not buffer.failed
    t.checkpointed = engine.vt_offset(t.vt)  # even if it failed: not again in every turn
    if fits:
        rings.checkpoint_write(
            &t.ring, t.checkpointed, engine.vt_top(t.vt), engine.vt_rows(t.vt), engine.vt_cols(t.vt),
            buffer.data, buffer.n,
        )
    if buffer.size > BUFFER_KEPT or buffer.failed:
        engine.vt_buf_free(buffer)
    return fits


cdef inline void keep(terminal_t* t, size_t most) noexcept nogil:
    """Save a checkpoint with scrollback. The older one has less of it, so the next server must not use that."""
    if checkpoint(t, t.core.limits.scrollback_lines, most):
        rings.checkpoint_forget_older(&t.ring)
    t.kept = engine.vt_offset(t.vt)


cdef inline bint capture(terminal_t* t, int ticket, uint32_t lines) noexcept nogil:
    """Copy the engine for Python. False: there is not even memory to report that."""
    cdef capture_t* copy = <capture_t*>calloc(1, sizeof(capture_t))
    if copy is NULL:
        return False
    copy.ticket = ticket
    copy.state = engine.vt_clone(t.vt, lines)
    pthread_mutex_lock(&t.core.lock)
    list_put_last(&t.captures, &copy.in_captures, copy)
    pthread_mutex_unlock(&t.core.lock)
    report(t, DID_CAPTURE)
    return True


cdef inline void show(engine.vt* vt, const uint8_t* data, size_t n) noexcept nogil:
    """Show an engine all of these bytes at once, however long that takes."""
    cdef size_t used
    while n:
        used = engine.vt_feed(vt, data, n, engine.VT_BUDGET)
        data += used
        n -= used


cdef inline void revive(terminal_t* t) noexcept nogil:
    """Make the terminal's engine, in the state that it had in an earlier server. Without memory t.vt is NULL."""
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
        engine.vt_mute(t.vt, True)  # the earlier server answered these requests
        if i >= 0:
            kept = &r.header.checkpoints[i]
            engine.vt_resize(t.vt, max(1, <int>kept.rows), max(engine.VT_MIN_COLS, <int>kept.cols))
            show(t.vt, rings.checkpoint_data(r, i), kept.n)
            engine.vt_set_top(t.vt, kept.top)  # lines keep their numbers
            at = kept.offset
        engine.vt_set_offset(t.vt, at)
        while at < r.head:
            start = at & (r.size - 1)
            run = min(r.head - at, r.size - start)
            show(t.vt, r.data + start, <size_t>run)
            at += run
        engine.vt_resize(t.vt, rows, cols)
        engine.vt_mute(t.vt, False)
    t.checkpointed = t.kept = r.head
