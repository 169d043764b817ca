"""Commands from Python, each in the turn in which its terminal's lane comes to it."""

from libc.stdint cimport uint32_t
from libc.stdlib cimport free
from libc.string cimport memcpy

from vibetunnel._ext cimport rfc6455 as rfc
from vibetunnel._ext cimport v1 as wire
from vibetunnel._ext.pump_attach cimport attach
from vibetunnel._ext.pump_backlog cimport stop_awaiting
from vibetunnel._ext.pump_outbox cimport client_unref
from vibetunnel._ext.pump_output cimport end, give_size, read_pty, resize_unowned, watch_again
from vibetunnel._ext.pump_pty cimport deliver_chunk
from vibetunnel._ext.pump_receive cimport may_type
from vibetunnel._ext.pump_screen cimport capture
from vibetunnel._ext.pump_send cimport flush, note, present, put_close, put_text_close
from vibetunnel._ext.pump_state cimport (
    ATTACH, CAPTURE, CLOSE, DETACH, EXIT_REASON_MAX, FINISH, INPUT, NOTE, Order, PERMIT, PRESENT, RESIZE, chunk_t,
    client_t, command_t, terminal_t,
)
from vibetunnel._ext.lists cimport is_linked, link_t, list_next
from vibetunnel._ext.pump_system cimport pthread_mutex_lock, pthread_mutex_unlock


cdef inline void finish(terminal_t* t, int code, int signal, const chunk_t* reason) noexcept nogil:
    """The process has exited. Its last output may still be in the PTY."""
    if t.finished:
        return
    t.finished = True
    t.exit_code = code
    t.exit_signal = signal
    t.reason_n = rfc.utf8_prefix(reason.data, min(reason.n, <size_t>EXIT_REASON_MAX))
    memcpy(t.reason, reason.data, t.reason_n)
    stop_awaiting(t)
    watch_again(t)
    if t.pty.fd < 0:
        end(t)
    else:
        read_pty(t)


cdef inline void close_terminal(terminal_t* t) noexcept nogil:
    """The session was removed. If it has finished, its clients get the rest and its exit first."""
    cdef link_t* at = t.clients.first
    cdef client_t* c
    t.closing = True
    while at is not NULL and not t.finished:
        c = <client_t*>list_next(&at)
        put_text_close(c, wire.CLOSE_SESSION_REMOVED, b"session removed")
        flush(c)
    t.lane.closures = True


cdef inline void detach(client_t* c, int code, const chunk_t* reason) noexcept nogil:
    if is_linked(&c.in_terminal):
        put_close(c, code, reason.data, reason.n)
        flush(c)


cdef inline void permit_again(client_t* c) noexcept nogil:
    """Python changed the right to type. The client may have been asked already, with its last bytes."""
    if is_linked(&c.in_terminal):
        may_type(c)


cdef inline void run_command(terminal_t* t, command_t* command) noexcept nogil:
    """Carry out a command and free it, with the reference that it holds to a client."""
    cdef client_t* c = command.client
    cdef chunk_t* chunk = command.chunk
    cdef Order order = command.order
    if order == ATTACH:
        attach(t, c)  # the reference is the lane's
    elif order == INPUT:
        deliver_chunk(t, chunk)
    elif order == PRESENT:
        present(t, chunk)
    elif order == NOTE:
        note(t, chunk)
    elif order == RESIZE and command.a == 0:
        give_size(t)
    elif order == RESIZE:
        resize_unowned(t, command.a, command.b)
    elif order == FINISH:
        finish(t, command.a, command.b, chunk)
    elif order == CAPTURE:
        capture(t, command.b, <uint32_t>command.a)
    elif order == PERMIT:
        permit_again(c)
    elif order == DETACH:
        detach(c, command.a, chunk)
    elif order == CLOSE:
        close_terminal(t)
    if order == PERMIT or order == DETACH:
        pthread_mutex_lock(&t.core.lock)
        client_unref(c)
        pthread_mutex_unlock(&t.core.lock)
    if order != INPUT and order != PRESENT and order != NOTE:  # those keep the chunk
        free(chunk)
    free(command)
