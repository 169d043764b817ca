# cython: cdivision=True
"""The pump: threads that move bytes between PTYs and WebSocket sockets, without the GIL from end to end.

A *lane* is a thread with a poller. Each terminal belongs to one lane at a time, with its PTY and all its clients, so
nothing below takes a lock but the inbox of commands, the outbox of events and the counts of references, which
`core.lock` guards. What runs in a lane is `noexcept nogil` and touches no Python object; what Python calls posts a
command. Lane 0 is interactive; a terminal that uses up its share of a lane's time moves to a bulk lane, whole, between
two turns.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.errno cimport EAGAIN, EINTR, errno
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memcmp, memcpy, memmove, memset

import os
import struct
from collections import namedtuple

from vibetunnel._ext cimport deflate, raw
from vibetunnel._ext cimport rfc6455 as rfc
from vibetunnel._ext cimport ring as rings
from vibetunnel._ext cimport v1 as wire
from vibetunnel._ext cimport vt as engine
from vibetunnel._ext.ring cimport Ring, acquire_fence, load_acquire, load_relaxed, store_relaxed

from vibetunnel._ext.vt import Mark

cdef extern from "<sched.h>" nogil:
    int sched_yield()

cdef extern from "poller.h" nogil:
    int POLLER_READ, POLLER_WRITE, POLLER_BATCH, MSG_NOSIGNAL
    int CLOCK_MONOTONIC, CLOCK_REALTIME
    ctypedef struct poller_event:
        void* owner
        unsigned ready
    int poller_open()
    int poller_watch(int poller, int fd, void* owner, unsigned was, unsigned want)
    int poller_wait(int poller, poller_event* events, int look)
    int alarm_open(int poller, void* owner)
    void alarm_set(int poller, int fd, void* owner, int64_t when)
    void alarm_clear(int fd)
    void alarm_close(int fd)
    int waker_open(int* fds)
    void waker_wake(int* fds)
    void waker_clear(int* fds)
    void waker_close(int* fds)
    void socket_prepare(int fd, int unsent, int buffer)
    int64_t clock_ns(int which)

cdef extern from *:
    """
    #include <pthread.h>
    #include <signal.h>
    #include <sys/ioctl.h>
    #include <sys/socket.h>
    #include <sys/uio.h>
    #include <termios.h>

    static int set_size(int fd, unsigned short rows, unsigned short cols)
    {
        struct winsize size = {rows, cols, 0, 0};
        return ioctl(fd, TIOCSWINSZ, &size);
    }
    static int set_nonblocking(int fd)
    {
        int flags = fcntl(fd, F_GETFL);
        return flags < 0 ? -1 : fcntl(fd, F_SETFL, flags | O_NONBLOCK);
    }
    /* Whether one of these bytes is a character at which the terminal would interrupt, quit or stop the program. */
    static int interrupts(int fd, const unsigned char *data, size_t n)
    {
        struct termios mode;
        if (tcgetattr(fd, &mode) < 0 || !(mode.c_lflag & ISIG))
            return 0;
        for (size_t i = 0; i < n; i++)
            if (data[i] != (unsigned char)_POSIX_VDISABLE &&
                (data[i] == mode.c_cc[VINTR] || data[i] == mode.c_cc[VQUIT] || data[i] == mode.c_cc[VSUSP]))
                return 1;
        return 0;
    }
    /* A lane takes no signals: they are the interpreter's. */
    static int start_lane(pthread_t *thread, void *(*run)(void *), void *lane)
    {
        sigset_t all, before;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        int error = pthread_create(thread, NULL, run, lane);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        return error;
    }
    """
    ctypedef struct pthread_t:
        pass
    ctypedef struct pthread_mutex_t:
        pass
    struct iovec:
        void* iov_base
        size_t iov_len
    struct msghdr:
        iovec* msg_iov
        size_t msg_iovlen
    int pthread_mutex_init(pthread_mutex_t*, void*) nogil
    int pthread_mutex_lock(pthread_mutex_t*) nogil
    int pthread_mutex_unlock(pthread_mutex_t*) nogil
    int pthread_mutex_destroy(pthread_mutex_t*) nogil
    int pthread_join(pthread_t, void**) nogil
    int start_lane(pthread_t*, void* (*)(void*) noexcept nogil, void*) nogil
    int set_size(int, unsigned short, unsigned short) nogil
    int set_nonblocking(int) nogil
    int interrupts(int, const uint8_t*, size_t) nogil
    ssize_t sendmsg(int, const msghdr*, int) nogil
    ssize_t recv(int, void*, size_t, int) nogil
    int SHUT_WR
    int shutdown(int, int) nogil
    ssize_t read(int, void*, size_t) nogil
    ssize_t write(int, const void*, size_t) nogil
    int close(int) nogil

cdef enum:
    MAX_LANES = 17  # the interactive one and 16 bulk lanes
    MESSAGE_LIMIT = 65536  # bytes a client's message may have
    SCRATCH = MESSAGE_LIMIT + 4096  # bytes taken from one socket in one turn
    BATCH = 65536  # bytes read from one PTY in one turn, and the largest frame
    BATCH_FOR_FEW = 16384  # bytes of it while there are FEW clients: gathering more saves less than it delays
    FEW = 3  # clients
    BATCH_NS = 1000000  # ns that this may take
    FAN = 16  # clients that one turn sends a batch to: a tenth of a millisecond, in which other sessions wait
    CONTROL_LIMIT = 65536  # bytes of small messages queued for a client that does not read, before it is dropped
    QUEUE_LIMIT = 16777216  # bytes of input queued for a PTY by write(), before it refuses
    OFFSET_DIGITS = 20  # of a 64-bit offset in a response
    TYPED_MAX = 2 * SCRATCH  # bytes of input that one client's turn can bring: a kept message and a read
    WRITE_MAX = 65536  # bytes of input offered to a PTY in one turn
    ACCEPTED_STEP = 16384  # bytes of input after which `accepted` is told without waiting for output
    LATEST_WINDOW = 65536  # bytes under way to a client that may be skipped ahead: 0.6 s of a link of 100 KB/s
    LATEST_FRAME = 16384  # bytes of a frame to such a client: what has begun cannot be skipped
    LATEST_UNSENT = 16384  # bytes that the kernel may hold back for such a client, and
    LATEST_BUFFER = 65536  # bytes that it holds in all: both are felt after a Ctrl-C
    LOSSLESS_UNSENT = 131072  # bytes; nothing is ever skipped there, but memory is memory
    CHECKPOINT_LINES = 200  # of scrollback, in the checkpoints that are made in passing
    CHECKPOINT_CALM = 262144  # bytes that one may have which is made at leisure: some 2,500 lines of a log
    BUFFER_KEPT = 65536  # bytes of a lane's buffer for redraws that are not given back: most have a tenth of it
    PIECE_CELLS = 16384  # of scrollback in one message: about 20 KB of a coloured log
    MARKS_LIMIT = 262144  # bytes of prompt marks and clipboards that wait for Python
    FRAMED_RAW = 0  # index into terminal_t.framed, by what a client speaks
    FRAMED_V1 = 1

    DEFLATE_MIN = 200  # bytes; less goes out as it is, an echo above all: 7 us would save a quarter of it
    DEFLATE_FRAME = 16384  # a compressed frame ends where a multiple of this does: who lags sends what others send
    DEFLATE_TURN = 262144  # bytes that a lane compresses in one turn, some 2 ms; what is more goes out as it is
    DEFLATE_KEPT = 8  # frames kept while a batch is sent: it has five
    INFLATE_TURN = 262144  # bytes that messages inflate to in one turn of a lane; then each client has one message more
    INFLATE_COST = 512  # bytes that beginning a message counts for there

    MOVE_WINDOW = 50000000  # ns; a terminal's use of its lane is judged over this time
    MOVE_BUSY = 4000000  # ns of lane time within the window: a flood, which goes to a bulk lane
    MOVE_BYTES = 32768  # bytes printed, received and sent within the window; less, and the time went elsewhere
    MOVE_QUIET = 500000000  # ns with less than MOVE_CALM of use, after which it comes back
    MOVE_CALM = 1000000  # ns
    EVENT_GAP = 50000000  # ns between two reports of bells and titles of one terminal
    SKIP_LAG = 4096  # bytes; an interrupt from a client that is less behind skips nothing
    RECORD_HEADER = 25  # bytes of one of the engine's records before its text
    HELD = 1000000000  # ns that a new terminal's output waits for the client that it was opened for
    LINGER = 2000000000  # ns that a peer has to answer a close frame
    CALM = 1000000000  # ns without output after which scrollback is put where it outlives the server
    SKIP_WAIT = 10000000  # ns after an interrupt in which the program's answer to it may come into the redraw
    NAME_MAX = 64  # bytes of a client's name
    PRESENCE_MAX = 16384  # bytes of what clients are told of each other: a hundred people with long names
    THROTTLE_BURST = 1000000000  # ns; as much input as its rate allows in this time may come at once
    THROTTLE_STEP = 50000000  # ns between two looks at who has paid for the input: a paste flows on without a jerk

cdef const char* TOO_BIG = b"expected at most 65536 bytes a message"


cdef enum Kind:
    WAKER
    ALARM
    PTY
    SOCKET

cdef enum Order:
    ATTACH
    INPUT
    RESIZE
    FINISH
    CLOSE
    DETACH
    CAPTURE
    PERMIT
    PRESENT

# What has happened to a terminal since it was last reported.
cdef enum:
    DID_HANG_UP = 1
    DID_END = 2
    DID_TITLE = 4
    DID_FOLDER = 8
    DID_BELL = 16
    DID_RESIZE = 32
    DID_CHANGE = 64
    DID_MARK = 128
    DID_CAPTURE = 256

# What has happened to a client since it was last reported.
cdef enum:
    NEWS_GONE = 1
    NEWS_TYPED = 2
    NEWS_CAME = 4

# Why a client is not read.
cdef enum:
    BLOCKED_FULL = 1  # its PTY's input queue is full
    BLOCKED_RATE = 2  # it has sent more input than its rate allows
    BLOCKED_UNREAD = 4  # what it has sent before was not all looked at yet

ctypedef uint8_t flag_t  # a bint takes four bytes, and clients are many


cdef struct watch_t:
    Kind kind
    int fd  # -1: none any more
    unsigned want  # what the poller watches it for
    void* owner


cdef struct chunk_t:  # bytes on their way to a PTY, or the text of a command
    chunk_t* next
    size_t n
    size_t sent
    int slot  # input stream to credit, or -1
    uint64_t born  # that slot's `born` then: a slot given to another client since is not credited
    uint64_t client  # id of who typed it, whose right may be taken; 0: nobody
    uint8_t[1] data


cdef struct command_t:
    command_t* next
    Order order
    client_t* client
    chunk_t* chunk
    int a  # rows, exit code, close code
    int b  # cols, signal


cdef struct capture_t:  # a copy of a terminal's state that somebody has asked for
    capture_t* next
    int ticket
    engine.vt* state  # NULL: out of memory


cdef struct block_t:  # a compressed frame, header and all; made once for all that send it
    int refs  # who is sending it, and the terminal while it keeps it; all in one lane
    size_t n
    uint8_t[1] data


cdef struct deflated_t:  # what became of a piece of output that was to be compressed
    uint64_t start
    uint64_t end  # == start: nothing is kept here
    block_t* block  # NULL: it did not get smaller


cdef struct client_t:
    watch_t watch
    terminal_t* terminal
    client_t* next
    client_t* prev
    client_t* news_next  # in core.news; guarded by core.lock
    client_t* grave_next  # in lane.graveyard; `next` stays, for who walks the list just now
    uint64_t id
    int refs  # handle, lane, outbox; guarded by core.lock
    flag_t gone  # guarded by core.lock
    flag_t news  # NEWS_...: in core.news unless 0; guarded by core.lock
    flag_t v1
    flag_t writable  # `permitted` as far as the lane has seen it; what follows from it is done
    flag_t attached  # linked into its terminal
    flag_t greeted  # v1: hello is queued, so other messages may follow
    flag_t input_blocked  # BLOCKED_...: not read
    flag_t blocking  # one of those that a paused PTY waits for
    flag_t closing  # a close frame is queued: no more output
    flag_t answered  # the peer's close frame has come
    flag_t shut  # our close frame has gone, and nothing follows it
    flag_t told_read_only
    flag_t typed  # some input of it has reached the PTY
    flag_t flush_due  # at the end of the turn
    flag_t size_due  # v1: to be told the size
    flag_t title_due  # v1: to be told the title
    flag_t access_due  # v1: to be told what it may do
    flag_t presence_due  # v1: to be told who is there
    flag_t viewport_due  # has asked for a size that it may set
    flag_t latest  # is skipped ahead when it falls behind; else it paces the PTY
    flag_t returning  # gets what it missed while it was away, and has not caught up yet
    flag_t redraw_due  # to get the screen, and to go on from there
    flag_t lines_asked  # an answer is due, and be it an empty one
    flag_t has_since
    flag_t has_id
    flag_t deflates  # compressed messages were negotiated
    int64_t skip_ns  # 0, or until when an interrupt's redraw waits for the program's answer
    uint64_t base  # offset of the last redraw: what came before it is void
    uint64_t window  # v1: bytes that may be under way without an ack
    uint64_t lines_before  # v1: the line behind those of the next piece
    uint32_t lines_left  # lines that it has asked for
    rfc.Decoder decoder
    uint64_t cursor  # offset of the next output byte to frame or, in a frame, to send; all through a block of its first
    uint64_t frame_end  # offset behind the frame under way; == cursor: none
    block_t* block  # the frame under way, when it is compressed: it has its header in it, and needs no ring
    size_t block_sent
    uint8_t header_n
    uint8_t header_sent
    uint8_t[24] header
    uint64_t acked
    uint8_t* control  # what is sent before the next output frame: small messages, redraws, the rest of a spilled frame
    size_t control_n
    size_t control_sent
    size_t control_big  # bytes of it that CONTROL_LIMIT does not count
    int64_t heard_ns
    int64_t pinged_ns
    int64_t active_ns
    int64_t close_by_ns  # 0, or when an unanswered close is over
    uint16_t rows
    uint16_t cols
    int slot  # its input stream in the ring's header, or -1
    uint64_t input_next  # without a slot: offset of the next input byte
    int64_t permitted  # whether it may type; set by Python at any time
    int64_t paid_ns  # when its rate will have allowed what it has sent
    uint32_t input_rate  # bytes a second; 0: no limit
    uint64_t accepted_told
    int64_t bytes_sent
    int64_t lag  # for Python to read
    uint64_t since
    size_t offset_at  # where in the response the first offset goes, or 0
    size_t redraw_at  # where in the response the size of a raw client's redraw goes, or 0
    uint32_t scrollback  # lines that it wants at first
    uint8_t[16] client_id
    int code
    size_t reason_n
    uint8_t[124] reason
    chunk_t* received  # what has come and was not looked at yet, or NULL
    uint8_t name_n
    uint8_t[1] name  # name_n bytes


cdef struct framed_t:  # header of the batch that was framed last, for all clients that stand at its start
    uint64_t start
    uint64_t end
    uint8_t n
    uint8_t[24] data


cdef struct terminal_t:
    watch_t pty
    core_t* core
    lane_t* lane  # guarded by core.lock when written
    terminal_t* next  # in its lane
    terminal_t* prev
    terminal_t* dirty_next  # in lane.dirty; guarded by core.lock
    terminal_t* event_next  # in core.events; guarded by core.lock
    command_t* first  # inbox; guarded by core.lock
    command_t* last
    bint queued  # in lane.dirty; guarded by core.lock
    bint reported  # in core.events; guarded by core.lock
    bint dead  # its lane has let go of it; guarded by core.lock
    bint arriving  # has just been given to this lane; guarded by core.lock
    int refs  # handle, lane, outbox; guarded by core.lock
    unsigned events  # DID_...; guarded by core.lock
    uint32_t bells  # guarded by core.lock
    unsigned late  # events held back for EVENT_GAP
    int64_t reported_ns
    uint64_t id
    Ring ring
    engine.vt* vt  # shows what is in the ring up to vt_offset()
    bint behind  # its work was used up before it had seen everything
    uint64_t checkpointed  # offset of the last checkpoint
    uint64_t kept  # offset of the last one that has scrollback
    int64_t watched  # set by Python: changes are reported
    engine.vt_buf marks  # for Python, guarded by core.lock: 8 bytes of time before each of the engine's records
    capture_t* captures  # done, the newest first; guarded by core.lock
    client_t* clients
    int64_t client_count
    bint fanning  # a round of sending what has come is under way
    client_t* fan  # the first one that it has not come to
    bint fan_again  # more has come since the round began: there is to be another
    bint fan_due  # in lane.fans
    terminal_t* fan_next
    uint64_t fan_start  # offset of what was read first since all clients were paced
    client_t* owner  # of the size
    bint held  # nobody has been attached yet for whom it was opened: the PTY is not read
    int64_t opened_ns
    bint paused  # the PTY is left alone until all `blockers` have caught up, or, if there are none, any client has
    int blockers
    uint64_t floor  # no client's cursor is below
    uint64_t high
    uint64_t low
    uint64_t batch
    framed_t[2] framed
    deflated_t[2][8] deflated  # the last ones, by what a client speaks: DEFLATE_KEPT each, until a batch is sent
    unsigned[2] deflated_next  # which of them is replaced next
    bint keeps_deflated  # in lane.keepers
    terminal_t* keepers_next
    chunk_t* presence  # who is there, for every v1 client that comes; NULL: nothing is said of it
    chunk_t* input_first
    chunk_t* input_last
    int64_t input_queued
    uint64_t[32] slot_next  # per input stream: offset of the next byte, queued ones counted
    bint hung_up
    bint told_hang_up
    bint orphaned  # the owner of the size has left
    bint due  # in lane.due
    terminal_t* due_next
    bint finished
    bint ended
    bint closing
    int exit_code
    int exit_signal
    size_t reason_n
    uint8_t[256] reason
    int64_t rows
    int64_t cols
    int64_t bytes_in
    int64_t last_output_ns
    int64_t last_input_ns
    int64_t max_lag
    int64_t used_ns  # of its lane's time, in the current window
    int64_t window_ns  # when that began
    uint64_t traffic  # bytes printed, received from clients and sent to them
    uint64_t window_traffic  # when the window began
    int64_t calm_ns  # since when it has been calm
    int move_to  # a lane's index, or -1
    int64_t lane_index


cdef struct statistics_t:
    int64_t bytes_out
    int64_t bytes_in
    int64_t frames_out
    int64_t frames_in
    int64_t pty_reads
    int64_t turns
    int64_t moves
    int64_t dropped
    int64_t redraws
    int64_t compressions
    int64_t blocks  # that are there; less than none where they were made in another lane


cdef struct inflated_t:  # what was in the last compressed message
    uint8_t* data  # MESSAGE_LIMIT + 1 bytes; NULL: there was none yet
    size_t n


cdef struct lane_t:
    watch_t wake
    int[2] waker
    watch_t alarm
    int64_t alarm_ns  # when it goes off; 0: it does not
    int poller
    int index
    core_t* core
    pthread_t thread
    bint woken  # guarded by core.lock
    terminal_t* dirty  # terminals with commands; guarded by core.lock
    terminal_t* terminals
    client_t* graveyard  # gone in this turn: events of this turn may still point to them
    int64_t now
    int64_t sweep_ns
    bint behind  # some terminal's engine has not seen all, or some client's messages were not
    terminal_t* fans  # whose clients have not all been sent the last batch
    bint skipping  # some client waits to be skipped ahead
    bint unread  # some client has sent what can be looked at now; `behind` too
    bint throttled  # some client is not read because of its rate
    int64_t throttle_ns  # when to look at those again
    engine.vt_buf buffer  # for redraws
    deflate.Deflater deflater
    deflate.Inflater inflater
    inflated_t inflated
    bint compresses  # there was something of that in this turn
    size_t deflated_n  # bytes compressed in this turn
    size_t inflated_n  # bytes that messages have inflated to in this turn, with what beginning them costs
    bint late  # some terminal holds back events
    int64_t late_ns  # until when
    terminal_t* due  # terminals to be settled at the end of the turn
    terminal_t* keepers  # terminals that keep compressed frames
    uint8_t* typed  # input of the client whose turn it is
    size_t typed_n
    bint moves  # some terminal belongs elsewhere
    bint closures  # some closed terminal may be without clients now
    bint stopping
    bint told_stop
    int64_t load  # terminals; guarded by core.lock
    statistics_t statistics
    uint8_t* scratch


cdef struct core_t:
    pthread_mutex_t lock
    lane_t[17] lanes
    int lane_count
    int[2] waker  # of the outbox
    terminal_t* events
    client_t* news
    bint stopping  # guarded by lock
    int stop_code
    size_t stop_reason_n
    uint8_t[124] stop_reason
    int64_t stop_by_ns
    int64_t ping_ns
    int64_t timeout_ns
    uint64_t high
    size_t input_watermark
    engine.vt_limits limits


# ---------------------------------------------------------------- small things

cdef chunk_t* chunk_new(const uint8_t* data, size_t n) noexcept nogil:
    cdef chunk_t* chunk = <chunk_t*>malloc(sizeof(chunk_t) + n)
    if chunk is not NULL:
        chunk.next = NULL
        chunk.n = n
        chunk.sent = 0
        chunk.slot = -1
        chunk.born = chunk.client = 0
        memcpy(chunk.data, data, n)
    return chunk


cdef inline bint rewatch(lane_t* lane, watch_t* watch, unsigned want) noexcept nogil:
    """Have the poller watch for `want`. False: the system allows no more."""
    if want != watch.want and watch.fd >= 0:
        if poller_watch(lane.poller, watch.fd, watch, watch.want, want) < 0:
            return False
        watch.want = want
    return True


cdef void client_unref(client_t* c) noexcept nogil:
    """core.lock is held."""
    c.refs -= 1
    if c.refs == 0:
        rfc.decoder_free(&c.decoder)
        free(c.control)
        free(c.received)
        free(c)


cdef void terminal_unref(terminal_t* t) noexcept nogil:
    """core.lock is held."""
    cdef command_t* command
    cdef chunk_t* chunk
    cdef capture_t* capture
    t.refs -= 1
    if t.refs:
        return
    while t.first is not NULL:
        command = t.first
        t.first = command.next
        free(command.chunk)
        free(command)
    while t.input_first is not NULL:
        chunk = t.input_first
        t.input_first = chunk.next
        free(chunk)
    if t.pty.fd >= 0:
        close(t.pty.fd)
    while t.captures is not NULL:
        capture = t.captures
        t.captures = capture.next
        engine.vt_free(capture.state)
        free(capture)
    free(t.presence)
    engine.vt_buf_free(&t.marks)
    engine.vt_free(t.vt)
    rings.ring_close(&t.ring)
    free(t)


cdef void report(terminal_t* t, unsigned events) noexcept nogil:
    """Put what has happened into the outbox."""
    cdef core_t* core = t.core
    pthread_mutex_lock(&core.lock)
    t.events |= events
    if not t.reported:
        t.reported = True
        t.refs += 1
        t.event_next = core.events
        if core.events is NULL:
            waker_wake(core.waker)
        core.events = t
    pthread_mutex_unlock(&core.lock)


cdef void announce(client_t* c, unsigned news) noexcept nogil:
    """Put what has happened to a client into the outbox."""
    cdef core_t* core = c.terminal.core
    pthread_mutex_lock(&core.lock)
    if news & NEWS_GONE:
        c.gone = True
    if c.news == 0:
        c.refs += 1
        c.news_next = core.news
        if core.news is NULL:
            waker_wake(core.waker)
        core.news = c
    c.news |= <flag_t>news
    pthread_mutex_unlock(&core.lock)


cdef void report_soon(terminal_t* t, unsigned events) noexcept nogil:
    """Report what a program can repeat at will, but a terminal's not more often than EVENT_GAP allows."""
    if t.lane.now - t.reported_ns < EVENT_GAP:
        t.late |= events
        t.lane.late_ns = min(t.lane.late_ns, t.reported_ns + EVENT_GAP) if t.lane.late else t.reported_ns + EVENT_GAP
        t.lane.late = True
    else:
        t.reported_ns = t.lane.now
        report(t, events | t.late)
        t.late = 0


cdef void settle_later(terminal_t* t) noexcept nogil:
    """Have settle() look at this terminal at the end of the turn."""
    if not t.due:
        t.due = True
        t.due_next = t.lane.due
        t.lane.due = t


cdef void flush_later(client_t* c) noexcept nogil:
    """Send at the end of the turn, once, however much is said in it."""
    c.flush_due = True
    settle_later(c.terminal)


# ---------------------------------------------------------------- clients: what goes out

cdef bint control_put(client_t* c, const uint8_t* data, size_t n) noexcept nogil:
    """Queue bytes that go out between two output frames. False: the client takes nothing, give it up."""
    cdef uint8_t* grown
    if c.control_n + n > CONTROL_LIMIT + c.control_big:
        return False
    grown = <uint8_t*>realloc(c.control, c.control_n + n)
    if grown is NULL:
        return False
    memcpy(grown + c.control_n, data, n)
    c.control = grown
    c.control_n += n
    return True


cdef bint put_frame(
    client_t* c, uint8_t opcode, const uint8_t* head, size_t head_n, const uint8_t* data, size_t n
) noexcept nogil:
    """Queue a whole frame, its payload given in two parts. False: give the client up."""
    cdef uint8_t[10] header
    cdef int header_n = rfc.write_header(header, opcode, True, head_n + n)
    if c.control_n + header_n + head_n + n > CONTROL_LIMIT + c.control_big:
        return False  # before the first byte: half a frame would spoil the stream
    return (
        control_put(c, header, header_n)
        and (head_n == 0 or control_put(c, head, head_n))
        and (n == 0 or control_put(c, data, n))
    )


cdef bint put_big(
    client_t* c, const uint8_t* head, size_t head_n, const uint8_t* data, size_t n
) noexcept nogil:
    """Queue a binary frame that CONTROL_LIMIT does not count: one at a time is made, when it can be sent."""
    cdef uint8_t[10] header
    cdef block_t* block
    cdef bint done
    if c.deflates:
        block = compress(c.terminal, head, head_n, data, n, NULL, 0)
        if block is not NULL:
            c.control_big += block.n
            done = control_put(c, block.data, block.n)
            block_unref(c.terminal.lane, block)
            return done
    c.control_big += rfc.write_header(header, rfc.OP_BINARY, True, head_n + n) + head_n + n
    return put_frame(c, rfc.OP_BINARY, head, head_n, data, n)


cdef void put_close(client_t* c, int code, const uint8_t* reason, size_t n) noexcept nogil:
    """Queue a close frame, once; nothing is queued behind it."""
    cdef uint8_t[2] head
    if c.closing:
        return
    n = rfc.utf8_prefix(reason, min(n, <size_t>(rfc.MAX_CONTROL - 2)))
    wire.put16(head, <uint16_t>code)
    if code == rfc.CLOSE_NO_STATUS:
        put_frame(c, rfc.OP_CLOSE, NULL, 0, NULL, 0)
    else:
        put_frame(c, rfc.OP_CLOSE, head, 2, reason, n)
    c.closing = True
    unblock_input(c, BLOCKED_FULL | BLOCKED_RATE)  # its input is of no use any more, its close frame is
    c.close_by_ns = c.terminal.lane.now + (c.terminal.core.timeout_ns if c.terminal.ended else LINGER)
    if c.code == 0:
        c.code = code
        c.reason_n = n
        if n:
            memcpy(c.reason, reason, n)
    progress(c)


cdef void put_text_close(client_t* c, int code, const char* reason) noexcept nogil:
    cdef size_t n = 0
    while reason[n]:
        n += 1
    put_close(c, code, <const uint8_t*>reason, n)


cdef bint put_error(client_t* c, int code, const char* text) noexcept nogil:
    cdef uint8_t[8] head
    cdef size_t n = 0
    while text[n]:
        n += 1
    return put_frame(c, rfc.OP_BINARY, head, wire.write_error_header(head, <uint16_t>code), <const uint8_t*>text, n)


cdef bint put_size(client_t* c) noexcept nogil:
    cdef uint8_t[8] message
    cdef terminal_t* t = c.terminal
    cdef uint8_t flags = wire.RESIZE_OWNS_SIZE if t.owner == c else 0
    cdef size_t n = wire.write_resize(message, <uint16_t>t.rows, <uint16_t>t.cols, flags)
    return put_frame(c, rfc.OP_BINARY, message, n, NULL, 0)


cdef bint put_access(client_t* c) noexcept nogil:
    """Queue whether it may type now, and its own name."""
    cdef uint8_t[8] head
    cdef size_t n = wire.write_access_header(head, wire.MAY_TYPE if c.writable else 0)
    c.access_due = False
    return put_frame(c, rfc.OP_BINARY, head, n, c.name, c.name_n)


cdef bint put_presence(client_t* c) noexcept nogil:
    """Queue who is there, as far as that is known."""
    cdef uint8_t[1] kind
    cdef chunk_t* presence = c.terminal.presence
    kind[0] = wire.V1_PRESENCE
    c.presence_due = False
    return presence is NULL or put_frame(c, rfc.OP_BINARY, kind, 1, presence.data, presence.n)


cdef bint put_notices(client_t* c) noexcept nogil:
    """Queue what this client is to be told of size, title, rights and others. False: give the client up."""
    cdef uint8_t[1] kind
    cdef rings.Header* header = c.terminal.ring.header
    if not c.greeted or c.closing:
        return True
    if c.size_due:
        if not put_size(c):
            return False
        c.size_due = False
    if c.title_due:
        kind[0] = wire.V1_TITLE
        if not put_frame(c, rfc.OP_BINARY, kind, 1, header.title, header.title_n):
            return False
        c.title_due = False
    if c.access_due and not (put_access(c) and put_accepted(c, 0)):
        return False
    if c.presence_due and c.control_n == 0:  # one at a time; until then the latest replaces the one before
        return put_presence(c)
    return True


cdef inline uint64_t client_acked(client_t* c) noexcept nogil:
    """Where its drawing counts from. While its input is not read, nor its acks: what is sent counts as drawn."""
    return max(c.acked, c.base) if c.v1 and not c.input_blocked else c.cursor


cdef inline bint falls_behind(client_t* c) noexcept nogil:
    """Whether it is to be skipped ahead. Never the fastest one: the PTY is left alone before that is so far behind.

    Who has come back gets all that it missed, as long as the ring keeps it.
    """
    cdef terminal_t* t = c.terminal
    cdef uint64_t behind = t.ring.head - c.cursor
    if not c.latest or behind <= t.high + t.batch:
        c.returning = False
        return False
    return not c.returning or behind + t.batch > rings.ring_capacity(&t.ring)


cdef inline uint64_t client_limit(client_t* c) noexcept nogil:
    """The offset up to which output may be sent now; none if that is not behind the cursor."""
    cdef uint64_t head = c.terminal.ring.head
    cdef uint64_t limit
    if falls_behind(c) or c.redraw_due and (c.latest or c.cursor == engine.vt_offset(c.terminal.vt)):
        return c.cursor  # nothing that a redraw would make void
    if not c.v1:
        return head
    limit = client_acked(c) + c.window
    if limit >= head:
        return head
    if c.deflates and c.window >= 2 * DEFLATE_FRAME:
        # The whole of a compressed frame, as others get it, or nothing: with half of its window drawn, as it has to
        # acknowledge, there is room for it.
        return limit & ~<uint64_t>(DEFLATE_FRAME - 1)
    return limit


cdef inline uint64_t client_lag(client_t* c) noexcept nogil:
    return c.terminal.ring.head - client_acked(c)


cdef inline bint between_frames(client_t* c) noexcept nogil:
    return c.cursor == c.frame_end and c.header_sent == c.header_n


cdef inline bint is_untouched(client_t* c) noexcept nogil:
    """Whether nothing is sent yet of the frame under way."""
    if c.block is not NULL:
        return c.block_sent == 0
    return c.header_n > 0 and c.header_sent == 0


cdef inline bint needs_ring(client_t* c) noexcept nogil:
    """Whether it is in the midst of a frame whose rest is in the ring alone."""
    return c.cursor < c.frame_end and c.block is NULL


cdef inline bint may_redraw(client_t* c) noexcept nogil:
    """Whether a redraw can go out now."""
    cdef terminal_t* t = c.terminal
    if c.closing or c.control_big:
        return False
    if c.cursor > engine.vt_offset(t.vt):
        return False  # its stream never goes back: it may have drawn what the engine has not seen yet
    if not c.latest and c.cursor != engine.vt_offset(t.vt):
        return False  # not one byte is skipped: when it is up to date
    if c.v1 and not c.input_blocked and c.acked < c.base:
        return False  # it has not drawn the last one
    return c.skip_ns == 0 or t.lane.now >= c.skip_ns


cdef void skip(client_t* c) noexcept nogil:
    """From here its stream goes on with what the engine has not seen yet."""
    c.cursor = c.frame_end = c.base = engine.vt_offset(c.terminal.vt)
    c.header_n = c.header_sent = 0
    c.redraw_due = False
    c.skip_ns = 0


cdef bint put_redraw(client_t* c, uint32_t scrollback) noexcept nogil:
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
    c.lines_asked = False  # those belong to another numbering, perhaps
    t.lane.statistics.redraws += 1
    return put_big(c, head, head_n, buffer.data, buffer.n)


cdef bint put_lines(client_t* c) noexcept nogil:
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
        c.lines_asked = False
        flags |= wire.LAST_PIECE
    if count and (buffer.n == 0 or buffer.data[buffer.n - 1] != 10):
        flags |= wire.WRAPPED
    return put_big(c, head, wire.write_lines_header(head, before - count, count, oldest, flags), buffer.data, buffer.n)


cdef bint spill(client_t* c) noexcept nogil:
    """Copy what is left of the frame under way out of the ring, which is about to lap it. False: give the client up."""
    cdef terminal_t* t = c.terminal
    cdef size_t header_left = c.header_n - c.header_sent
    cdef size_t body = c.frame_end - c.cursor
    cdef size_t rest = c.control_n - c.control_sent
    cdef uint8_t* block
    if header_left == 0 and body == 0:
        return True
    block = <uint8_t*>malloc(header_left + body + rest)
    if block is NULL:
        return False
    memcpy(block, c.header + c.header_sent, header_left)
    rings.ring_copy(&t.ring, c.cursor, block + header_left, body)
    if rest:
        memcpy(block + header_left + body, c.control + c.control_sent, rest)
    free(c.control)
    c.control = block
    c.control_n = header_left + body + rest
    c.control_sent = 0
    c.control_big += header_left + body
    c.cursor = c.frame_end
    c.header_n = c.header_sent = 0
    return True


cdef void frame_start(client_t* c) noexcept nogil:
    """Begin the next output frame, if there is any; a batch is framed once for all clients that stand at its start."""
    cdef terminal_t* t = c.terminal
    cdef framed_t* framed = &t.framed[FRAMED_V1 if c.v1 else FRAMED_RAW]
    cdef uint64_t end = client_limit(c)
    cdef uint8_t[16] head
    cdef size_t head_n = 0
    if c.closing or end <= c.cursor:
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
    memcpy(c.header, framed.data, framed.n)
    c.header_n = framed.n
    c.header_sent = 0
    c.frame_end = end
    t.lane.statistics.frames_out += 1


cdef block_t* compress(
    terminal_t* t, const uint8_t* head, size_t head_n, const uint8_t* a, size_t a_n, const uint8_t* b, size_t b_n
) noexcept nogil:
    """A binary frame of three parts, compressed. NULL: it is no smaller then, or there is no time or memory for it."""
    cdef lane_t* lane = t.lane
    cdef deflate.Piece[3] pieces
    cdef size_t whole = head_n + a_n + b_n
    cdef size_t n
    cdef int header_n
    cdef block_t* block
    cdef block_t* shrunk
    if whole < DEFLATE_MIN or lane.deflated_n + whole > DEFLATE_TURN:
        return NULL
    block = <block_t*>malloc(sizeof(block_t) + 10 + whole + deflate.TAIL)
    if block is NULL:
        return NULL
    lane.compresses = True
    lane.deflated_n += whole
    lane.statistics.compressions += 1
    pieces[0].data = head
    pieces[0].n = head_n
    pieces[1].data = a
    pieces[1].n = a_n
    pieces[2].data = b
    pieces[2].n = b_n
    n = deflate.deflate_message(&lane.deflater, pieces, 3, block.data + 10, whole + deflate.TAIL)
    charge(lane, t)  # in whatever part of the turn that was
    if n == 0:
        free(block)
        return NULL
    header_n = rfc.write_header(block.data, rfc.OP_BINARY | rfc.RSV1, True, n)
    memmove(block.data + header_n, block.data + 10, n)
    block.n = header_n + n
    block.refs = 1
    lane.statistics.blocks += 1
    shrunk = <block_t*>realloc(block, sizeof(block_t) + block.n)
    return shrunk if shrunk is not NULL else block


cdef void block_unref(lane_t* lane, block_t* block) noexcept nogil:
    block.refs -= 1
    if block.refs == 0:
        lane.statistics.blocks -= 1
        free(block)


cdef uint64_t block_start(client_t* c, uint64_t end) noexcept nogil:
    """Begin a compressed frame, which ends at `end` or before: the one that others send, if there is one.

    Returns the cursor, or else where a frame ends that is to go out as it is.
    """
    cdef terminal_t* t = c.terminal
    cdef int kind = FRAMED_V1 if c.v1 else FRAMED_RAW
    cdef deflated_t* all = t.deflated[kind]
    cdef deflated_t* found = NULL
    cdef uint8_t[16] head
    cdef uint64_t start, run
    cdef int i
    if t.keeps_deflated:
        for i in range(DEFLATE_KEPT):
            if all[i].start == c.cursor and all[i].start < all[i].end <= end:
                if found is NULL or all[i].end > found.end:
                    found = &all[i]
    if found is NULL:
        end = min(end, (c.cursor | (DEFLATE_FRAME - 1)) + 1)
        if end - c.cursor < DEFLATE_MIN:
            return end
        found = &all[t.deflated_next[kind] % DEFLATE_KEPT]
        t.deflated_next[kind] += 1
        if not t.keeps_deflated:
            t.keeps_deflated = True
            t.keepers_next = t.lane.keepers
            t.lane.keepers = t
            t.lane.compresses = True  # even if there is no memory to compress with: tidy() unlinks it
        if found.block is not NULL:
            block_unref(t.lane, found.block)
        start = c.cursor & (t.ring.size - 1)
        run = min(end - c.cursor, t.ring.size - start)
        found.start = c.cursor
        found.end = end
        found.block = compress(
            t, head, wire.write_output_header(head, c.cursor) if c.v1 else 0,
            t.ring.data + start, run, t.ring.data, end - c.cursor - run,
        )
    if found.block is NULL:
        return found.end
    c.block = found.block
    c.block.refs += 1
    c.block_sent = 0
    c.frame_end = found.end
    t.lane.statistics.frames_out += 1
    return c.cursor


cdef void block_leave(client_t* c) noexcept nogil:
    """The frame under way was compressed, and is sent, or is to be sent no more."""
    block_unref(c.terminal.lane, c.block)
    c.block = NULL


cdef void block_took(client_t* c, size_t n) noexcept nogil:
    """So many more bytes of the block are sent; its output counts as sent when all of them are."""
    c.block_sent += n
    if c.block_sent == c.block.n:
        block_leave(c)
        c.cursor = c.frame_end


cdef void forget_deflated(terminal_t* t) noexcept nogil:
    """Let go of what was kept for others to send. Who has not begun to is late, and has it made again."""
    cdef deflated_t* each
    cdef int i
    t.keeps_deflated = False
    for i in range(2 * DEFLATE_KEPT):
        each = &t.deflated[i // DEFLATE_KEPT][i % DEFLATE_KEPT]
        each.end = each.start
        if each.block is not NULL:
            block_unref(t.lane, each.block)
            each.block = NULL


cdef void end_compression(lane_t* lane) noexcept nogil:
    """The end of a turn: what is kept is kept while a batch goes to client after client, and no longer."""
    cdef terminal_t** at = &lane.keepers
    cdef terminal_t* t
    lane.deflated_n = lane.inflated_n = 0
    while at[0] is not NULL:
        t = at[0]
        if t.fanning and t.clients is not NULL and t.move_to < 0:
            at = &t.keepers_next
        else:
            at[0] = t.keepers_next
            forget_deflated(t)
    lane.compresses = lane.keepers is not NULL


cdef void put_ending(client_t* c) noexcept nogil:
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


cdef size_t write_decimal(uint8_t* out, int value) noexcept nogil:
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


cdef void write_fixed(uint8_t* out, uint64_t value) noexcept nogil:
    """An offset in OFFSET_DIGITS decimal digits, zeros in front."""
    cdef int i
    for i in range(OFFSET_DIGITS):
        out[OFFSET_DIGITS - 1 - i] = <uint8_t>(48 + value % 10)
        value //= 10


cdef bint put_accepted(client_t* c, uint64_t step) noexcept nogil:
    """Tell how much of its input the PTY has taken, when that is at least `step` bytes more than was told."""
    cdef uint8_t[16] message
    cdef uint64_t accepted
    if not c.v1 or c.closing:
        return True
    accepted = c.terminal.ring.header.slots[c.slot].accepted if c.slot >= 0 else c.input_next
    if accepted - c.accepted_told < step:
        return True
    c.accepted_told = accepted
    return put_frame(c, rfc.OP_BINARY, message, wire.write_accepted(message, accepted), NULL, 0)


cdef void flush(client_t* c) noexcept nogil:
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
            if falls_behind(c) and c.cursor <= client_acked(c) + c.window // 2:
                c.redraw_due = True  # it has room again: what was under way is mostly drawn
            if (
                not put_notices(c)
                or c.redraw_due and may_redraw(c) and not put_redraw(c, 0)
                or c.lines_asked and not c.redraw_due and c.control_n == 0 and not c.closing and not put_lines(c)
            ):
                drop(c)
                return
            if (
                t.ended and not c.closing and not t.behind and c.cursor == t.ring.head
                and not c.lines_asked and not c.redraw_due
            ):
                put_ending(c)
            elif (c.control_n or client_limit(c) > c.cursor) and not put_accepted(c, 1):
                drop(c)
                return
            if c.control_n:
                control_first = True
                parts[count].iov_base = c.control + c.control_sent
                parts[count].iov_len = c.control_n - c.control_sent
                whole += parts[count].iov_len
                count += 1
            if share + LATEST_FRAME <= BATCH or c.deflates and share < BATCH:
                frame_start(c)
                share += c.frame_end - c.cursor
        header_left = c.header_n - c.header_sent
        if header_left:
            parts[count].iov_base = c.header + c.header_sent
            parts[count].iov_len = header_left
            whole += header_left
            count += 1
        if c.cursor < c.frame_end and c.block is not NULL:
            parts[count].iov_base = c.block.data + c.block_sent
            parts[count].iov_len = c.block.n - c.block_sent
            whole += parts[count].iov_len
            count += 1
        elif c.cursor < c.frame_end:
            start = c.cursor & (t.ring.size - 1)
            run = min(c.frame_end - c.cursor, t.ring.size - start)
            parts[count].iov_base = t.ring.data + start
            parts[count].iov_len = run
            count += 1
            whole += c.frame_end - c.cursor
            if run < c.frame_end - c.cursor:  # the ring's end lies within the frame
                parts[count].iov_base = t.ring.data
                parts[count].iov_len = c.frame_end - c.cursor - run
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
            run = min(step, c.control_n - c.control_sent)
            c.control_sent += run
            step -= run
            if c.control_sent == c.control_n:
                free(c.control)
                c.control = NULL
                c.control_n = c.control_sent = c.control_big = 0
        if c.block is not NULL:
            block_took(c, step)
        else:
            run = min(step, header_left)
            c.header_sent += <uint8_t>run
            c.cursor += step - run
        if <size_t>n < whole:
            if c.control_n and is_untouched(c):  # a frame behind them has not begun: it will anew
                if c.block is not NULL:
                    block_leave(c)
                c.frame_end = c.cursor
                c.header_n = c.header_sent = 0  # before a block they may be of the frame before it
                t.lane.statistics.frames_out -= 1
            rewatch(t.lane, &c.watch, (c.watch.want & POLLER_READ) | POLLER_WRITE)
            progress(c)
            return
    if c.closing and c.answered:
        drop(c)  # both close frames are through (RFC 6455 §7.1.1)
        return
    if c.closing and not c.shut:
        # No close(2) yet: an ack that met a closed socket would have the kernel throw away what is still on its way.
        c.shut = True
        shutdown(c.watch.fd, SHUT_WR)
    want = c.watch.want & POLLER_READ
    if not c.closing and (client_limit(c) > c.cursor or c.lines_asked and not c.redraw_due):
        want |= POLLER_WRITE  # there is more: in the next turn; a redraw that is due waits for something else
    rewatch(t.lane, &c.watch, want)
    progress(c)


# ---------------------------------------------------------------- clients: coming and going

cdef void client_link(client_t* c) noexcept nogil:
    cdef terminal_t* t = c.terminal
    c.prev = NULL
    c.next = t.clients
    if t.clients is not NULL:
        t.clients.prev = c
    t.clients = c
    t.client_count += 1
    c.attached = True


cdef void client_unlink(client_t* c) noexcept nogil:
    cdef terminal_t* t = c.terminal
    if not c.attached:
        return
    c.attached = False
    if c.prev is not NULL:
        c.prev.next = c.next
    else:
        t.clients = c.next
    if c.next is not NULL:
        c.next.prev = c.prev
    if t.fan == c:
        t.fan = c.next
    t.client_count -= 1


cdef void drop(client_t* c) noexcept nogil:
    """The connection is over: close the socket, report it, let go of it at the end of the turn."""
    cdef terminal_t* t = c.terminal
    cdef lane_t* lane = t.lane
    if c.watch.fd < 0:
        return
    rewatch(lane, &c.watch, 0)
    close(c.watch.fd)
    c.watch.fd = -1
    if c.block is not NULL:
        block_leave(c)
    client_unlink(c)
    progress(c)
    if t.owner == c:
        t.owner = NULL
        t.orphaned = True
        settle_later(t)
    if c.code == 0:
        c.code = rfc.CLOSE_ABNORMAL
    announce(c, NEWS_GONE)
    c.grave_next = lane.graveyard
    lane.graveyard = c
    if t.closing:
        lane.closures = True


cdef void attach(terminal_t* t, client_t* c) noexcept nogil:
    """Link a client in, say hello, and send the screen or what it missed. One turn: nothing can slip past in between.

    Who comes back gets exactly the bytes behind `since`, if they are kept and the size is what it was then.
    """
    cdef uint64_t start = engine.vt_offset(t.vt)
    cdef uint64_t accepted = 0
    cdef bint whole = t.ring.head == 0  # a terminal on which nothing was ever printed needs no redraw
    cdef bint sized = False
    cdef uint8_t[64] message
    cdef client_t* other
    cdef client_t* following
    cdef size_t used
    cdef uint32_t taken = 0
    cdef bint fresh = False
    cdef int known
    c.watch.kind = SOCKET
    c.watch.owner = c
    c.heard_ns = c.active_ns = t.lane.now
    c.window = min(t.high, <uint64_t>LATEST_WINDOW) if c.latest else t.high
    if c.has_since and max(rings.ring_oldest(&t.ring), t.ring.header.resized) <= c.since <= t.ring.head:
        start = c.since
        whole = c.returning = True
    c.cursor = c.frame_end = c.acked = start
    c.slot = -1
    c.writable = load_relaxed(&c.permitted) != 0
    if c.has_id and not c.writable:  # its numbers go on, but only who types has them remembered
        known = rings.slot_known(&t.ring, c.client_id)
        if known >= 0:
            c.input_next = c.accepted_told = accepted = t.ring.header.slots[known].accepted
    if c.has_id and c.writable:
        other = t.clients
        while other is not NULL:
            following = other.next
            if other.slot >= 0:
                taken |= <uint32_t>1 << other.slot
                if memcmp(other.client_id, c.client_id, 16) == 0:  # back before its old connection was missed
                    put_text_close(other, rfc.CLOSE_AWAY, b"this client is back on another connection")
                    flush(other)
            other = following
        c.slot = rings.slot_find(&t.ring, c.client_id, taken, &fresh)
    if c.slot >= 0:
        accepted = t.ring.header.slots[c.slot].accepted
        c.accepted_told = accepted
        if fresh:
            t.slot_next[c.slot] = 0
    client_link(c)
    announce(c, NEWS_CAME)
    release(t)
    if c.cursor < t.floor:
        t.floor = c.cursor
    if t.owner is NULL and c.writable and c.rows:
        sized = c.rows != t.rows or c.cols != t.cols
        own_size(t, c)
    if not rewatch(t.lane, &c.watch, POLLER_READ):
        drop(c)
        return
    if c.v1:
        used = wire.write_hello(
            message,
            (wire.MAY_TYPE if c.writable else 0) | (wire.OWNS_SIZE if t.owner == c else 0),
            <uint16_t>t.rows, <uint16_t>t.cols, start, t.ring.head, accepted, <uint32_t>c.window,
        )
        put_frame(c, rfc.OP_BINARY, message, used, NULL, 0)
        put_access(c)
        put_presence(c)
        c.greeted = True
        c.title_due = t.ring.header.title_n > 0
        if not whole or sized and t.ring.head > 0:
            if not put_redraw(c, 0):
                drop(c)
                return
            c.lines_asked = c.scrollback > 0
            c.lines_left = c.scrollback
            c.lines_before = engine.vt_top(t.vt)
    else:
        if c.offset_at:
            write_fixed(c.control + c.offset_at, start)
        if not whole and not put_redraw(c, c.scrollback):
            drop(c)
            return
        if c.redraw_at and not whole:
            write_fixed(c.control + c.redraw_at, t.lane.buffer.n)
    if t.closing and not t.finished:
        put_close(c, rfc.CLOSE_AWAY, NULL, 0)
    flush(c)
    receive_unread(c)
    pace(t)


cdef void own_size(terminal_t* t, client_t* c) noexcept nogil:
    """This client is the one that typed last (or the first): the PTY gets its viewport."""
    cdef client_t* before = t.owner
    t.owner = c
    if c.rows and (c.rows != t.rows or c.cols != t.cols):
        resize(t, c.rows, c.cols)
    elif before != c:
        if before is not NULL:
            before.size_due = True
            flush_later(before)
        if c.greeted:
            c.size_due = True
            flush_later(c)


cdef void inherit_size(terminal_t* t) noexcept nogil:
    """The owner has left: the client that was active last, of those that may type, takes over."""
    cdef client_t* c = t.clients
    cdef client_t* best = NULL
    while c is not NULL:
        if c.writable and c.rows and not c.closing and (best is NULL or c.active_ns > best.active_ns):
            best = c
        c = c.next
    if best is not NULL:
        own_size(t, best)


cdef void resize(terminal_t* t, int rows, int cols) noexcept nogil:
    """Set the size of PTY and engine; every client is told at the end of the turn, and shown how it looks now.

    Terminals reflow differently, so the engine's is the truth. A raw client does its own: bytes in between would be
    none that the program printed.
    """
    cdef client_t* c = t.clients
    store_relaxed(&t.rows, rows)
    store_relaxed(&t.cols, cols)
    if t.pty.fd >= 0:
        set_size(t.pty.fd, <unsigned short>rows, <unsigned short>cols)
    engine.vt_resize(t.vt, rows, max(cols, engine.VT_MIN_COLS))  # without memory it stays as it is, and so do redraws
    keep(t, CHECKPOINT_CALM)
    t.ring.header.resized = engine.vt_offset(t.vt)  # behind it: checkpoints from before are of no use any more
    report_soon(t, DID_RESIZE | (DID_CHANGE if load_relaxed(&t.watched) else 0))
    while c is not NULL:
        if c.greeted:
            c.size_due = True
            c.redraw_due = c.redraw_due or t.ring.head > 0
            flush_later(c)
        c = c.next


cdef void settle(terminal_t* t) noexcept nogil:
    """The end of a turn: who owns the size now, and what clients are still to be told."""
    cdef client_t* c
    cdef client_t* following
    if t.orphaned:
        t.orphaned = False
        if t.owner is NULL:
            inherit_size(t)
    c = t.clients
    while c is not NULL:
        following = c.next
        if c.flush_due:
            c.flush_due = False
            if c.watch.want & POLLER_WRITE == 0:  # else it waits for room already
                flush(c)
        c = following


# ---------------------------------------------------------------- backpressure

cdef void pace(terminal_t* t) noexcept nogil:
    """Leave the PTY alone while a lossless client lags by the high watermark, or every client does."""
    cdef client_t* c = t.clients
    cdef client_t* following
    cdef uint64_t worst = 0  # lag of all
    cdef uint64_t strict = 0  # of those that are never skipped
    cdef uint64_t best = <uint64_t>-1
    cdef uint64_t lag
    t.floor = t.ring.head
    while c is not NULL:
        following = c.next
        if not c.latest and (not c.closing or needs_ring(c)):
            t.floor = min(t.floor, c.cursor)
        elif c.latest and needs_ring(c) and t.ring.head - c.cursor + t.batch > rings.ring_capacity(&t.ring):
            if not spill(c):
                drop(c)
        if not c.closing and c.watch.fd >= 0:
            lag = client_lag(c)
            store_relaxed(&c.lag, <int64_t>lag)
            worst = max(worst, lag)
            if not c.latest:
                strict = max(strict, lag)
            best = min(best, 0 if skips_soon(c) else lag)
        c = following
    store_relaxed(&t.max_lag, <int64_t>worst)
    if t.paused or not (
        strict >= t.high
        or t.clients is not NULL and best != <uint64_t>-1 and best >= t.high
        or t.ring.head - t.floor + t.batch > rings.ring_capacity(&t.ring)
    ):
        return
    t.paused = True
    t.blockers = 0
    c = t.clients
    while c is not NULL:
        c.blocking = not c.latest and owed(c) > t.low
        t.blockers += c.blocking
        c = c.next
    watch_pty(t)


cdef inline bint skips_soon(client_t* c) noexcept nogil:
    """Whether an interrupt has made its backlog void: the PTY need not wait for it."""
    return c.skip_ns > c.terminal.lane.now


cdef uint64_t owed(client_t* c) noexcept nogil:
    """Bytes of the ring that this client still needs, as far as its PTY is concerned."""
    if c.watch.fd < 0:
        return 0
    if c.closing:  # only the rest of a frame under way
        return c.terminal.ring.head - c.cursor if needs_ring(c) else 0
    return client_lag(c)


cdef void progress(client_t* c) noexcept nogil:
    """A client got on, or needs nothing more: perhaps it was the last that a paused PTY waited for."""
    cdef terminal_t* t = c.terminal
    cdef uint64_t lag = owed(c)
    store_relaxed(&c.lag, <int64_t>lag)
    if not t.paused or lag > t.low and not skips_soon(c):
        return
    if c.blocking:
        c.blocking = False
        t.blockers -= 1
    if t.blockers == 0:
        t.paused = False
        pace(t)
        watch_pty(t)


cdef void watch_pty(terminal_t* t) noexcept nogil:
    cdef unsigned want = 0
    if t.pty.fd < 0 or t.hung_up:
        want = 0
    else:
        want = (0 if t.paused or t.held else POLLER_READ) | (POLLER_WRITE if t.input_first is not NULL else 0)
    rewatch(t.lane, &t.pty, want)


cdef inline void release(terminal_t* t) noexcept nogil:
    """Begin to read a PTY that was held back."""
    if t.held:
        t.held = False
        watch_pty(t)


# ---------------------------------------------------------------- output: PTY to ring to clients

cdef void feed(terminal_t* t) noexcept nogil:
    """Show the engine what has come into the ring, as far as one turn's work goes."""
    cdef Ring* r = &t.ring
    cdef uint64_t at = engine.vt_offset(t.vt)
    cdef uint64_t start, run, used
    t.behind = False
    while at < r.head:
        start = at & (r.size - 1)
        run = min(r.head - at, r.size - start)
        used = engine.vt_feed(t.vt, r.data + start, <size_t>run, engine.VT_WORK)
        at += used
        if used < run:
            t.behind = t.lane.behind = True
            break


cdef void shown(terminal_t* t) noexcept nogil:
    """The engine has seen more: what follows from it."""
    if load_relaxed(&t.watched):
        report_soon(t, DID_CHANGE)
    digest(t)
    if engine.vt_offset(t.vt) - t.checkpointed >= rings.ring_capacity(&t.ring) // 4:
        checkpoint(t, CHECKPOINT_LINES, rings.CHECKPOINT_MAX)


cdef void digest(terminal_t* t) noexcept nogil:
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


cdef void set_text(terminal_t* t, unsigned what, const uint8_t* text, size_t n) noexcept nogil:
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
        c.title_due = c.v1
        c = c.next


cdef void take_records(terminal_t* t) noexcept nogil:
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


cdef bint checkpoint(terminal_t* t, uint32_t lines, size_t most) noexcept nogil:
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


cdef void keep(terminal_t* t, size_t most) noexcept nogil:
    """Keep scrollback too. The other checkpoint is older, with less of it: the next server is not to begin there."""
    if checkpoint(t, t.core.limits.scrollback_lines, most):
        rings.checkpoint_forget_older(&t.ring)
    t.kept = engine.vt_offset(t.vt)


cdef bint capture(terminal_t* t, int ticket, uint32_t lines) noexcept nogil:
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


cdef void catch_all_up(lane_t* lane) noexcept nogil:
    """Another turn's work for engines that have not seen all of their rings, and for clients that wait to be read."""
    cdef terminal_t* t = lane.terminals
    lane.behind = False
    if lane.unread:
        receive_all_unread(lane)
    while t is not NULL:
        if t.behind:
            feed(t)
            shown(t)
            if not t.behind:
                flush_all(t)  # the exit of a session that has ended waits for it
            charge(lane, t)
        t = t.next


cdef void skip_due(lane_t* lane) noexcept nogil:
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


cdef void flush_all(terminal_t* t) noexcept nogil:
    cdef client_t* c = t.clients
    cdef client_t* following
    while c is not NULL:
        following = c.next
        if c.watch.want & POLLER_WRITE == 0:  # else it waits for room already
            flush(c)
        c = following


cdef void read_pty(terminal_t* t) noexcept nogil:
    """Drain the PTY into the ring, one batch at the most, then send it on."""
    cdef Ring* r = &t.ring
    cdef uint64_t got = 0
    cdef uint64_t start, room
    cdef ssize_t n
    cdef bint over = False
    cdef uint64_t most = min(t.batch, <uint64_t>BATCH_FOR_FEW) if t.client_count <= FEW else t.batch
    if not t.fanning:
        t.fan_start = r.head
    if t.paused or t.held or t.behind or t.pty.fd < 0 or r.head - t.fan_start >= most:
        return
    while r.head - t.fan_start < most:
        start = r.head & (r.size - 1)
        room = min(<uint64_t>rings.MARGIN, r.size - start)
        n = read(t.pty.fd, r.data + start, <size_t>room)
        if n < 0 and errno == EINTR:
            continue
        if n <= 0:
            over = n == 0 or errno != EAGAIN or t.finished
            break
        t.lane.statistics.pty_reads += 1
        rings.ring_commit(r, <uint64_t>n)
        got += <uint64_t>n
        t.told_hang_up = False
        if n < 1024 and not t.finished:
            break  # what a person's program prints comes in one short read: do not ask a second time
        # The kernel fills the PTY anew meanwhile; a read that finds it empty would wait for that, and be woken.
        feed(t)
        if t.behind or clock_ns(CLOCK_MONOTONIC) - t.lane.now > BATCH_NS:
            break
    if got:
        t.traffic += got
        store_relaxed(&t.last_output_ns, clock_ns(CLOCK_REALTIME))
        if not t.behind:
            feed(t)
        shown(t)
        if t.lane.skipping and n < 1024:
            answer_interrupts(t)
    if over:
        if t.finished:
            end(t)
            return
        t.hung_up = True  # every process has closed it; one may open it again: sweep() looks
        watch_pty(t)
        if not t.told_hang_up:
            t.told_hang_up = True
            report(t, DID_HANG_UP)
    if got == 0:
        return
    if not t.fanning:
        t.fanning = True
        t.fan = t.clients
    else:
        t.fan_again = True  # who has had its turn already comes once more; the others get both at once
    if got < 1024 and t.client_count > 8:
        # Who typed is first. When its process is on this machine, the kernel likes to wake it on this core: let it
        # run now, or it waits for all the other sends (bench_crowd, 100 idle clients: p50 600 us without, 160 with).
        if t.fan == t.clients:
            t.fan = t.clients.next
        fan_to(t.clients)
        sched_yield()
    fan_out(t)


cdef inline void fan_to(client_t* c) noexcept nogil:
    if c.watch.want & POLLER_WRITE == 0:  # else it waits for room already
        flush(c)


cdef void fan_later(terminal_t* t) noexcept nogil:
    """Have fan_out_all() look at this terminal."""
    if not t.fan_due:
        t.fan_due = True
        t.fan_next = t.lane.fans
        t.lane.fans = t


cdef void fan_out(terminal_t* t) noexcept nogil:
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


cdef void fan_out_all(lane_t* lane) noexcept nogil:
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


cdef void answer_interrupts(terminal_t* t) noexcept nogil:
    """The PTY is empty: what the program said to an interrupt is on the screen, and there is nothing to wait for."""
    cdef client_t* c = t.clients
    while c is not NULL:
        if c.skip_ns:
            c.skip_ns = t.lane.now
        c = c.next


cdef void close_pty(terminal_t* t) noexcept nogil:
    rewatch(t.lane, &t.pty, 0)
    if t.pty.fd >= 0:
        close(t.pty.fd)
        t.pty.fd = -1


cdef void end(terminal_t* t) noexcept nogil:
    """All that was printed is in the ring, and the process is gone."""
    cdef client_t* c = t.clients
    cdef client_t* following
    cdef chunk_t* chunk
    if t.ended:
        return
    t.ended = True
    close_pty(t)
    while t.input_first is not NULL:
        chunk = t.input_first
        t.input_first = chunk.next
        free(chunk)
    t.input_last = NULL
    store_relaxed(&t.input_queued, 0)
    while c is not NULL:
        following = c.next
        unblock_input(c, BLOCKED_FULL | BLOCKED_RATE)
        c = following
    flush_all(t)
    if not t.behind:
        keep(t, CHECKPOINT_CALM)
    report(t, DID_END)


# ---------------------------------------------------------------- input: clients to PTY

cdef void credit(terminal_t* t, int slot, uint64_t born, size_t n) noexcept nogil:
    store_relaxed(&t.bytes_in, t.bytes_in + <int64_t>n)
    t.lane.statistics.bytes_in += <int64_t>n
    if slot >= 0 and t.ring.header.slots[slot].born == born:
        t.ring.header.slots[slot].accepted += n


cdef ssize_t write_pty(terminal_t* t, const uint8_t* data, size_t n) noexcept nogil:
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


cdef void deliver(terminal_t* t, chunk_t* chunk, const uint8_t* data, size_t n, client_t* c) noexcept nogil:
    """Give input to the PTY, behind what waits already. Either `chunk` (taken over) or `data`; `c`: whose it is."""
    cdef int slot = c.slot if c is not NULL else -1
    cdef uint64_t born = t.ring.header.slots[slot].born if slot >= 0 else 0
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
        credit(t, slot, born, done)
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
        chunk.born = born
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


cdef void write_queued(terminal_t* t) noexcept nogil:
    """The PTY has room: one turn's worth of what waits."""
    cdef chunk_t* chunk
    cdef size_t done
    cdef size_t whole = 0
    cdef client_t* c
    cdef client_t* following
    while t.input_first is not NULL and whole < WRITE_MAX:
        chunk = t.input_first
        done = <size_t>write_pty(t, chunk.data + chunk.sent, chunk.n - chunk.sent)
        whole += done
        credit(t, chunk.slot, chunk.born, done)
        chunk.sent += done
        store_relaxed(&t.input_queued, t.input_queued - <int64_t>done)
        if chunk.sent < chunk.n:
            break
        t.input_first = chunk.next
        if chunk.next is NULL:
            t.input_last = NULL
        free(chunk)
    watch_pty(t)
    c = t.clients
    while c is not NULL:
        following = c.next
        if t.input_queued <= <int64_t>(t.core.input_watermark // 2):
            unblock_input(c, BLOCKED_FULL)
        if c.slot >= 0:
            if not put_accepted(c, ACCEPTED_STEP):
                drop(c)
            elif c.control_n and c.watch.want & POLLER_WRITE == 0:
                flush(c)
        c = following


cdef void block_input(client_t* c, unsigned why) noexcept nogil:
    """Read this client no more, for one more reason."""
    cdef lane_t* lane = c.terminal.lane
    if c.input_blocked & why or c.closing or c.watch.fd < 0:
        return
    c.input_blocked |= <flag_t>why
    if why == BLOCKED_RATE:
        throttle(lane)
    rewatch(lane, &c.watch, c.watch.want & POLLER_WRITE)
    progress(c)
    flush_later(c)


cdef void unblock_input(client_t* c, unsigned why) noexcept nogil:
    """These reasons hold no more: read it again, if there is no other."""
    if c.input_blocked & why == 0:
        return
    c.input_blocked &= <flag_t>~why
    if c.input_blocked == 0:
        c.heard_ns = c.terminal.lane.now  # nobody has listened meanwhile
        rewatch(c.terminal.lane, &c.watch, c.watch.want | POLLER_READ)
    elif c.input_blocked == BLOCKED_UNREAD:
        c.terminal.lane.unread = c.terminal.lane.behind = True


cdef void throttle(lane_t* lane) noexcept nogil:
    """Have unthrottle() look after THROTTLE_STEP."""
    if not lane.throttled:
        lane.throttled = True
        lane.throttle_ns = lane.now + THROTTLE_STEP


cdef void unthrottle(lane_t* lane) noexcept nogil:
    """Read those again whose rate allows it by now."""
    cdef terminal_t* t = lane.terminals
    cdef client_t* c
    lane.throttled = False
    while t is not NULL:
        c = t.clients
        while c is not NULL:
            if c.input_blocked & BLOCKED_RATE:
                if c.paid_ns - lane.now <= THROTTLE_BURST:
                    unblock_input(c, BLOCKED_RATE)
                else:
                    throttle(lane)
            c = c.next
        t = t.next


cdef void void_input(terminal_t* t, int slot, uint64_t born, size_t n) noexcept nogil:
    """Count what was thrown away as taken: the offsets of its stream go on."""
    if slot >= 0 and t.ring.header.slots[slot].born == born:
        t.ring.header.slots[slot].accepted += n


cdef void withdraw(client_t* c) noexcept nogil:
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
            void_input(t, chunk.slot, chunk.born, chunk.n - chunk.sent)
            free(chunk)
        else:
            t.input_last = chunk
            at = &chunk.next
    if t.lane.typed_n:  # it is its turn just now
        void_input(t, c.slot, t.ring.header.slots[c.slot].born if c.slot >= 0 else 0, t.lane.typed_n)
        t.lane.typed_n = 0
    watch_pty(t)
    while other is not NULL and t.input_queued <= <int64_t>(t.core.input_watermark // 2):
        unblock_input(other, BLOCKED_FULL)
        other = other.next


cdef void take_slot(client_t* c) noexcept nogil:
    """Have the input of one that was given the right remembered from here on, under the numbers that it uses."""
    cdef terminal_t* t = c.terminal
    cdef rings.InputSlot* slot
    cdef client_t* other = t.clients
    cdef uint32_t taken = 0
    cdef bint fresh = False
    while other is not NULL:
        if other.slot >= 0:
            taken |= <uint32_t>1 << other.slot
            if memcmp(other.client_id, c.client_id, 16) == 0:
                return  # that one's
        other = other.next
    c.slot = rings.slot_find(&t.ring, c.client_id, taken, &fresh)
    if c.slot >= 0:
        slot = &t.ring.header.slots[c.slot]
        slot.born = t.ring.header.attaches  # what an earlier connection has queued is not credited to this one
        slot.accepted = t.slot_next[c.slot] = c.input_next


cdef void permit(client_t* c) noexcept nogil:
    """The right to type was given or taken: all that follows from it."""
    cdef terminal_t* t = c.terminal
    c.writable = load_relaxed(&c.permitted) != 0
    c.told_read_only = False
    if c.writable:
        if c.has_id and c.slot < 0:
            take_slot(c)
        if t.owner is NULL and c.rows:
            own_size(t, c)
    else:
        withdraw(c)
        unblock_input(c, BLOCKED_FULL | BLOCKED_RATE)  # nothing that it sends goes anywhere now
        c.viewport_due = False
        if t.owner == c:
            t.owner = NULL
            t.orphaned = True
            c.size_due = c.greeted
            settle_later(t)
    if c.v1:
        c.access_due = True
        flush_later(c)


cdef inline bint may_type(client_t* c) noexcept nogil:
    """Whether its input counts, as of this moment."""
    if load_relaxed(&c.permitted) != c.writable:
        permit(c)
    return c.writable


cdef void refuse(client_t* c) noexcept nogil:
    """It has asked for what it may not do: say so, once."""
    if c.v1 and not c.told_read_only:
        c.told_read_only = True
        if c.access_due:
            put_access(c)  # the reason first
        put_error(c, wire.ERROR_READ_ONLY, b"read-only: this client may not type")
        flush_later(c)


cdef void client_input(client_t* c, const uint8_t* data, size_t n) noexcept nogil:
    """Take a raw client's input, if it may type."""
    if may_type(c):
        client_typed(c, data, n)


cdef void client_typed(client_t* c, const uint8_t* data, size_t n) noexcept nogil:
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


cdef void send_typed(client_t* c) noexcept nogil:
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
    if c.latest and client_lag(c) > SKIP_LAG and t.pty.fd >= 0 and interrupts(t.pty.fd, t.lane.typed, n):
        c.redraw_due = True  # Ctrl-C is felt at once, however much was under way
        c.skip_ns = t.lane.now + SKIP_WAIT
        t.lane.skipping = True
        progress(c)
    if t.input_queued > <int64_t>t.core.input_watermark:
        block_input(c, BLOCKED_FULL)
    if c.input_rate:
        c.paid_ns = max(c.paid_ns, t.lane.now) + <int64_t>n * 1000000000 // c.input_rate
        if c.paid_ns - t.lane.now > THROTTLE_BURST:
            block_input(c, BLOCKED_RATE)


cdef void client_viewport(client_t* c, int rows, int cols) noexcept nogil:
    """Note a client's viewport; the last one of a turn is applied (receive)."""
    cdef terminal_t* t = c.terminal
    if not may_type(c):
        refuse(c)
        return
    c.rows = <uint16_t>rows
    c.cols = <uint16_t>cols
    if t.owner == c or t.owner is NULL or not c.v1:  # a raw client has no viewport of its own: it asks for a size
        c.viewport_due = True


cdef void malformed(client_t* c, int error, const char* text) noexcept nogil:
    if c.v1:
        put_error(c, error, text)
    put_text_close(c, rfc.CLOSE_POLICY, text)
    flush_later(c)


cdef void put_answer(
    client_t* c, uint8_t opcode, const uint8_t* head, size_t head_n, const uint8_t* data, size_t n
) noexcept nogil:
    """Answer a ping; who sends more of them than it reads answers to is given up."""
    if c.control_n > CONTROL_LIMIT // 2 and c.watch.want & POLLER_WRITE == 0:
        flush(c)
    if c.watch.fd >= 0 and not put_frame(c, opcode, head, head_n, data, n):
        drop(c)
        return
    flush_later(c)


cdef void take_request(client_t* c, const uint8_t* message, size_t n) noexcept nogil:
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
        expected = t.slot_next[c.slot] if c.slot >= 0 else c.input_next
        if request.offset > expected:
            if writable:
                malformed(c, wire.ERROR_INPUT_GAP, b"input offset is beyond what was accepted: send what is before it")
            return
        if request.offset + request.n <= expected:
            return  # sent again after a reconnect, and known
        request.data += expected - request.offset
        request.n -= expected - request.offset
        if c.slot >= 0:
            t.slot_next[c.slot] += request.n
        else:
            c.input_next += request.n
        if writable:
            client_typed(c, request.data, request.n)
        elif c.slot >= 0:
            void_input(t, c.slot, t.ring.header.slots[c.slot].born, request.n)
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
        c.lines_asked = True
        flush_later(c)
    elif request.kind == wire.V1_REDRAW_REQUEST:
        c.redraw_due = True
        flush_later(c)
    else:
        kind[0] = wire.V1_PONG
        put_answer(c, rfc.OP_BINARY, kind, 1, request.data, request.n)


cdef void take_text(client_t* c, uint8_t* text, size_t n) noexcept nogil:
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


cdef void receive(client_t* c, uint8_t* data, size_t n) noexcept nogil:
    """One client's turn: everything that it has sent, then its size and its input, each once."""
    c.terminal.traffic += n
    take_messages(c, data, n)
    if c.viewport_due:
        c.viewport_due = False
        own_size(c.terminal, c)
    send_typed(c)


cdef bint inflate(client_t* c, uint8_t opcode, const uint8_t* data, size_t n) noexcept nogil:
    """Have lane.inflated be what is in a compressed message. False: it cannot be, and the connection is over."""
    cdef lane_t* lane = c.terminal.lane
    cdef int result = -rfc.CLOSE_INTERNAL
    lane.inflated.n = 0
    if c.closing:
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
    c.answered = True  # no message of such a client is looked at any more
    if result == -rfc.CLOSE_TOO_BIG:
        put_text_close(c, -result, TOO_BIG)
    elif result == -rfc.CLOSE_INVALID:
        put_text_close(c, -result, b"expected whole deflate blocks, and UTF-8 in text")
    else:
        put_text_close(c, -result, b"out of memory")
    flush_later(c)
    return False


cdef bint put_off(client_t* c, const uint8_t* data, size_t n) noexcept nogil:
    """Whether what a client has sent behind a message has to wait, now that some were compressed; it is kept then.

    A few bytes can be a great deal of input: it is queued no further than any other, and others have their turns.
    """
    cdef lane_t* lane = c.terminal.lane
    if lane.typed_n >= MESSAGE_LIMIT:
        send_typed(c)
    if n == 0 or c.answered or c.watch.fd < 0 or not c.input_blocked and lane.inflated_n < INFLATE_TURN:
        return False
    c.received = chunk_new(data, n)
    if c.received is NULL:
        drop(c)
        return True
    c.input_blocked |= BLOCKED_UNREAD
    if c.input_blocked == BLOCKED_UNREAD:
        lane.unread = lane.behind = True
    rewatch(lane, &c.watch, c.watch.want & POLLER_WRITE)
    progress(c)
    flush_later(c)
    return True


cdef void receive_unread(client_t* c) noexcept nogil:
    """Look at what has come before."""
    cdef chunk_t* chunk = c.received
    c.received = NULL
    if chunk is not NULL and chunk.n and c.watch.fd >= 0:
        receive(c, chunk.data, chunk.n)
    free(chunk)


cdef void receive_all_unread(lane_t* lane) noexcept nogil:
    """Another turn's share of what clients have sent and was put off."""
    cdef terminal_t* t = lane.terminals
    cdef client_t* c
    cdef client_t* following
    lane.unread = False
    while t is not NULL:
        c = t.clients
        while c is not NULL:
            following = c.next
            if c.input_blocked == BLOCKED_UNREAD:
                unblock_input(c, BLOCKED_UNREAD)
                receive_unread(c)
                charge(lane, t)
            c = following
        t = t.next


cdef void take_messages(client_t* c, uint8_t* data, size_t n) noexcept nogil:
    """Decode what a client has sent; unmasks it in place."""
    cdef rfc.Message message
    cdef size_t used = 0
    cdef int result
    while c.watch.fd >= 0 and not c.answered:
        result = rfc.decoder_next(&c.decoder, data, n, &used, &message)
        if result == 0:
            return
        if result < 0:
            c.answered = True  # nothing that follows can be understood
            if result == -rfc.CLOSE_TOO_BIG:
                put_text_close(c, -result, TOO_BIG)
            elif result == -rfc.CLOSE_INVALID:
                put_text_close(c, -result, b"expected UTF-8")
            else:
                put_text_close(c, -result, b"malformed frame")
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
            c.answered = True
            if c.code == 0:
                c.code = (<int>message.data[0] << 8) | message.data[1] if message.n >= 2 else rfc.CLOSE_NO_STATUS
                c.reason_n = message.n - 2 if message.n >= 2 else 0
                memcpy(c.reason, message.data + 2, c.reason_n)
            put_close(c, c.code, NULL, 0)
            flush_later(c)
        elif message.opcode == rfc.OP_PING:
            if not c.closing:
                put_answer(c, rfc.OP_PONG, NULL, 0, message.data, message.n)
        elif message.opcode == rfc.OP_PONG or c.closing:
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


cdef void client_ready(client_t* c, unsigned ready) noexcept nogil:
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


# ---------------------------------------------------------------- commands

cdef void present(terminal_t* t, chunk_t* presence) noexcept nogil:
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
            c.presence_due = True
            flush_later(c)
        c = c.next


cdef void obey(terminal_t* t, command_t* command) noexcept nogil:
    cdef client_t* c
    cdef client_t* following
    if command.order == ATTACH:
        attach(t, command.client)
    elif command.order == INPUT:
        deliver(t, command.chunk, NULL, 0, NULL)
        command.chunk = NULL
    elif command.order == RESIZE:
        if command.a != t.rows or command.b != t.cols:
            t.owner = NULL  # whoever types next owns it again
            resize(t, command.a, command.b)
    elif command.order == FINISH:
        if not t.finished:
            t.finished = True
            t.exit_code = command.a
            t.exit_signal = command.b
            t.reason_n = rfc.utf8_prefix(command.chunk.data, min(command.chunk.n, sizeof(t.reason)))
            memcpy(t.reason, command.chunk.data, t.reason_n)
            t.hung_up = False
            release(t)
            if t.pty.fd < 0:
                end(t)
            else:
                watch_pty(t)
                read_pty(t)
    elif command.order == CAPTURE:
        capture(t, command.b, <uint32_t>command.a)
    elif command.order == PRESENT:
        present(t, command.chunk)
        command.chunk = NULL
    elif command.order == PERMIT:
        c = command.client
        if c.watch.fd >= 0 and c.attached:
            may_type(c)
        pthread_mutex_lock(&t.core.lock)
        client_unref(c)
        pthread_mutex_unlock(&t.core.lock)
    elif command.order == DETACH:
        c = command.client
        if c.watch.fd >= 0 and c.attached:
            put_close(c, command.a, command.chunk.data, command.chunk.n)
            flush(c)
        pthread_mutex_lock(&t.core.lock)
        client_unref(c)
        pthread_mutex_unlock(&t.core.lock)
    elif command.order == CLOSE:
        t.closing = True
        c = t.clients
        while c is not NULL and not t.finished:  # of a finished one they get the rest and its exit first
            following = c.next
            put_close(c, rfc.CLOSE_AWAY, b"session removed", 15)
            flush(c)
            c = following
        t.lane.closures = True
    free(command.chunk)
    free(command)


cdef void link_terminal(lane_t* lane, terminal_t* t) noexcept nogil:
    t.prev = NULL
    t.next = lane.terminals
    if lane.terminals is not NULL:
        lane.terminals.prev = t
    lane.terminals = t


cdef void unlink_terminal(lane_t* lane, terminal_t* t) noexcept nogil:
    cdef terminal_t** at = &lane.fans
    if t.prev is not NULL:
        t.prev.next = t.next
    else:
        lane.terminals = t.next
    if t.next is not NULL:
        t.next.prev = t.prev
    t.next = t.prev = NULL
    if t.fan_due:
        while at[0] != t:
            at = &at[0].fan_next
        at[0] = t.fan_next
        t.fan_due = False


cdef void serve_commands(lane_t* lane) noexcept nogil:
    """Take every inbox that has something, in the order in which they were filled."""
    cdef core_t* core = lane.core
    cdef terminal_t* t
    cdef terminal_t* dirty
    cdef command_t* command
    cdef command_t* following
    cdef client_t* c
    cdef bint arriving
    cdef unsigned want
    pthread_mutex_lock(&core.lock)
    lane.woken = False
    lane.stopping = core.stopping
    dirty = lane.dirty
    lane.dirty = NULL
    pthread_mutex_unlock(&core.lock)
    while dirty is not NULL:
        t = dirty
        pthread_mutex_lock(&core.lock)
        dirty = t.dirty_next
        t.queued = False
        arriving = t.arriving
        t.arriving = False
        command = t.first
        t.first = t.last = NULL
        pthread_mutex_unlock(&core.lock)
        if arriving:
            link_terminal(lane, t)
            t.used_ns = 0
            t.window_ns = t.calm_ns = lane.now
            t.window_traffic = t.traffic
            if t.late:
                report_soon(t, 0)
            lane.behind = lane.behind or t.behind
            if t.fanning:
                fan_later(t)
            watch_pty(t)
            c = t.clients
            while c is not NULL:
                want = 0 if c.input_blocked else POLLER_READ
                if c.input_blocked & BLOCKED_RATE:
                    throttle(lane)
                if c.input_blocked == BLOCKED_UNREAD:
                    lane.unread = lane.behind = True
                if c.control_n or c.cursor < c.frame_end or client_limit(c) > c.cursor or c.lines_asked:
                    want |= POLLER_WRITE
                rewatch(lane, &c.watch, want)
                lane.skipping = lane.skipping or c.skip_ns != 0
                c = c.next
        while command is not NULL:
            following = command.next
            obey(t, command)
            command = following


# ---------------------------------------------------------------- lanes

cdef void account(lane_t* lane, terminal_t* t, int64_t used) noexcept nogil:
    """Charge a terminal for lane time, and find out whether it belongs elsewhere."""
    t.used_ns += used
    if t.used_ns > MOVE_BUSY and t.traffic - t.window_traffic > MOVE_BYTES:
        t.calm_ns = lane.now
        if lane.index == 0 and lane.core.lane_count > 1:
            t.move_to = 1
            lane.moves = True
    elif lane.now - t.window_ns < MOVE_WINDOW:
        return
    elif t.used_ns > MOVE_CALM:
        t.calm_ns = lane.now
    t.used_ns = 0
    t.window_ns = lane.now
    t.window_traffic = t.traffic


cdef void move(lane_t* lane, terminal_t* t) noexcept nogil:
    """Hand a terminal over, whole: its descriptors, its clients and the commands that wait for it."""
    cdef core_t* core = lane.core
    cdef lane_t* target = &core.lanes[t.move_to]
    cdef terminal_t** at
    cdef client_t* c = t.clients
    cdef int i
    rewatch(lane, &t.pty, 0)
    while c is not NULL:
        rewatch(lane, &c.watch, 0)
        c = c.next
    unlink_terminal(lane, t)
    lane.statistics.moves += 1
    pthread_mutex_lock(&core.lock)
    if core.stopping:
        target = lane  # the other lane may have ended already: arrive here again
    elif t.move_to > 0:  # the bulk lane with the fewest terminals
        for i in range(2, core.lane_count):
            if core.lanes[i].load < target.load:
                target = &core.lanes[i]
    t.move_to = -1
    lane.load -= 1
    target.load += 1
    if t.queued:
        at = &lane.dirty
        while at[0] != t:
            at = &at[0].dirty_next
        at[0] = t.dirty_next
    t.lane = target
    store_relaxed(&t.lane_index, target.index)
    t.arriving = True
    enqueue(t)
    pthread_mutex_unlock(&core.lock)


cdef void enqueue(terminal_t* t) noexcept nogil:
    """Have its lane look at a terminal's inbox. core.lock is held; it is in no lane's list."""
    cdef terminal_t** at = &t.lane.dirty
    while at[0] is not NULL:
        at = &at[0].dirty_next
    t.dirty_next = NULL
    at[0] = t
    t.queued = True
    if not t.lane.woken:
        t.lane.woken = True
        waker_wake(t.lane.waker)


cdef void sweep(lane_t* lane) noexcept nogil:
    """What time alone asks for: pings, time-outs, acknowledgements that no output carried, the way back."""
    cdef core_t* core = lane.core
    cdef terminal_t* t = lane.terminals
    cdef terminal_t* t_following
    cdef client_t* c
    cdef client_t* following
    cdef int64_t wall_ns = clock_ns(CLOCK_REALTIME)
    while t is not NULL:
        t_following = t.next
        if t.hung_up and not t.finished and t.pty.fd >= 0 and not t.paused:
            t.hung_up = False
            watch_pty(t)  # still hung up: the poller says so at once
        elif t.held and lane.now - t.opened_ns > HELD:
            release(t)  # whoever it was for does not come
        elif t.finished and not t.ended:
            read_pty(t)  # something else still holds the PTY: what is there now is all
        if t.ring.head - t.kept > rings.ring_capacity(&t.ring) // 4 and wall_ns - t.last_output_ns > CALM:
            keep(t, CHECKPOINT_CALM)
        c = t.clients
        while c is not NULL:
            following = c.next
            if c.close_by_ns and lane.now > c.close_by_ns:
                drop(c)
            elif not c.input_blocked and lane.now - c.heard_ns > core.timeout_ns:
                lane.statistics.dropped += 1
                c.code = rfc.CLOSE_ABNORMAL
                drop(c)
            elif lane.now - c.heard_ns > core.ping_ns and lane.now - c.pinged_ns > core.ping_ns and not c.closing:
                c.pinged_ns = lane.now
                if c.control_n < CONTROL_LIMIT // 2 and put_frame(c, rfc.OP_PING, NULL, 0, NULL, 0):
                    flush(c)
            elif not c.closing:
                if not put_accepted(c, 1):
                    drop(c)
                elif c.control_n and c.watch.want & POLLER_WRITE == 0:
                    flush(c)
            c = following
        if t.clients is not NULL:
            pace(t)
        if lane.index > 0:
            account(lane, t, 0)
            if lane.now - t.calm_ns > MOVE_QUIET and not t.closing:
                t.move_to = 0
                lane.moves = True
        t = t_following


cdef void report_late(lane_t* lane) noexcept nogil:
    """Report what was held back, as far as it is time."""
    cdef terminal_t* t = lane.terminals
    lane.late = False
    while t is not NULL:
        if t.late:
            report_soon(t, 0)
        t = t.next


cdef void tidy(lane_t* lane) noexcept nogil:
    """The end of a turn: let go of what events of the turn might still have pointed to; then the moves."""
    cdef core_t* core = lane.core
    cdef terminal_t* t
    cdef terminal_t* following
    cdef client_t* c
    while lane.due is not NULL:  # settling may drop clients, and so ask for more
        t = lane.due
        lane.due = t.due_next
        t.due = False
        settle(t)
    if lane.compresses:
        end_compression(lane)
    while lane.graveyard is not NULL:
        c = lane.graveyard
        lane.graveyard = c.grave_next
        c.terminal = NULL
        pthread_mutex_lock(&core.lock)
        client_unref(c)
        pthread_mutex_unlock(&core.lock)
    if not lane.closures and not lane.moves:
        return
    lane.closures = lane.moves = False
    t = lane.terminals
    while t is not NULL:
        following = t.next
        if t.closing and t.clients is NULL:
            bury(lane, t, False)
        elif t.move_to >= 0 and lane.stopping:
            t.move_to = -1  # stop() must find it here
        elif t.move_to >= 0:
            move(lane, t)
        t = following


cdef void bury(lane_t* lane, terminal_t* t, bint always) noexcept nogil:
    """Let go of a terminal without clients, unless a command has come for it."""
    cdef core_t* core = lane.core
    pthread_mutex_lock(&core.lock)
    if always or not t.queued:
        forget_deflated(t)
        close_pty(t)
        unlink_terminal(lane, t)
        lane.load -= 1
        t.dead = True
        terminal_unref(t)
    else:
        lane.closures = True
    pthread_mutex_unlock(&core.lock)


cdef bint stop(lane_t* lane) noexcept nogil:
    """Say goodbye to every client. True when the lane can end: all have answered, or have had their time."""
    cdef core_t* core = lane.core
    cdef terminal_t* t = lane.terminals
    cdef client_t* c
    cdef client_t* following
    cdef bint alone = True
    cdef bint late = lane.now > core.stop_by_ns
    while t is not NULL:
        c = t.clients
        while c is not NULL:
            following = c.next
            if not lane.told_stop:
                put_close(c, core.stop_code, core.stop_reason, core.stop_reason_n)
                flush(c)
            if late:
                drop(c)
            c = following
        alone = alone and t.clients is NULL
        t = t.next
    lane.told_stop = True
    return alone


cdef void serve(lane_t* lane, watch_t* watch, unsigned ready) noexcept nogil:
    """One descriptor's turn."""
    cdef terminal_t* t
    if watch.fd < 0:
        return
    if watch.kind == PTY:
        t = <terminal_t*>watch.owner
        if ready & POLLER_WRITE and t.input_first is not NULL:
            write_queued(t)
        if ready & POLLER_READ and watch.want & POLLER_READ:
            read_pty(t)
    else:
        t = (<client_t*>watch.owner).terminal
        client_ready(<client_t*>watch.owner, ready)
    charge(lane, t)


cdef inline void charge(lane_t* lane, terminal_t* t) noexcept nogil:
    cdef int64_t before = lane.now
    lane.now = clock_ns(CLOCK_MONOTONIC)
    account(lane, t, lane.now - before)


cdef inline void set_alarm(lane_t* lane) noexcept nogil:
    """Have this lane woken when something is due.

    An alarm that is too early stays: waking once costs less than moving it with every event.
    """
    cdef int64_t due = lane.sweep_ns if lane.terminals is not NULL else <int64_t>0x7FFFFFFFFFFFFFFF
    if lane.late:
        due = min(due, lane.late_ns)
    if lane.throttled:
        due = min(due, lane.throttle_ns)
    if lane.skipping:
        due = min(due, lane.now + SKIP_WAIT)
    if lane.stopping:
        due = min(due, lane.now + EVENT_GAP)
    if due != <int64_t>0x7FFFFFFFFFFFFFFF and (lane.alarm_ns == 0 or due < lane.alarm_ns):
        lane.alarm_ns = due
        alarm_set(lane.poller, lane.alarm.fd, &lane.alarm, due)


cdef void* run_lane(void* arg) noexcept nogil:
    """A lane's thread, from start to end."""
    cdef lane_t* lane = <lane_t*>arg
    cdef core_t* core = lane.core
    cdef poller_event[256] events
    cdef watch_t* watch
    cdef int i, n
    cdef bint commands
    cdef int64_t period = max(<int64_t>10000000, min(<int64_t>1000000000, core.ping_ns // 4))
    if lane.index > 0:
        period = min(period, MOVE_QUIET // 2)
    lane.now = clock_ns(CLOCK_MONOTONIC)
    lane.sweep_ns = lane.now + period
    while True:
        set_alarm(lane)
        n = poller_wait(lane.poller, events, lane.closures or lane.moves or lane.behind or lane.fans is not NULL)
        lane.now = clock_ns(CLOCK_MONOTONIC)
        lane.statistics.turns += 1
        commands = False
        for i in range(n):
            watch = <watch_t*>events[i].owner
            if watch.kind == WAKER:
                waker_clear(lane.waker)
                commands = True
            elif watch.kind == ALARM:
                alarm_clear(lane.alarm.fd)
                lane.alarm_ns = 0
            else:
                serve(lane, watch, events[i].ready)
        if commands:
            serve_commands(lane)
        if lane.now >= lane.sweep_ns:
            sweep(lane)
            lane.sweep_ns = lane.now + period
        if lane.late and lane.now >= lane.late_ns:
            report_late(lane)
        if lane.behind:
            catch_all_up(lane)
        if lane.fans is not NULL:
            fan_out_all(lane)
        if lane.throttled and lane.now >= lane.throttle_ns:
            unthrottle(lane)
        if lane.skipping:
            skip_due(lane)
        tidy(lane)
        if lane.stopping and stop(lane):
            tidy(lane)
            while lane.terminals is not NULL:
                keep(lane.terminals, rings.CHECKPOINT_MAX)
                bury(lane, lane.terminals, True)
            engine.vt_buf_free(&lane.buffer)
            deflate.deflater_free(&lane.deflater)
            deflate.inflater_free(&lane.inflater)
            free(lane.inflated.data)
            return NULL


cdef void revive(terminal_t* t) noexcept nogil:
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


cdef void show(engine.vt* vt, const uint8_t* data, size_t n) noexcept nogil:
    cdef size_t used
    while n:
        used = engine.vt_feed(vt, data, n, engine.VT_WORK)
        data += used
        n -= used


# ---------------------------------------------------------------- what Python sees

Event = namedtuple("Event", ["kind", "terminal", "client", "number", "text", "data"], defaults=[None])
RECORD = struct.Struct("<qciQqI")


cdef list take_captures(capture_t* captures):
    """[(ticket, Terminal or None when memory ran out)], oldest first; they are freed."""
    cdef capture_t* following
    cdef list found = []
    while captures is not NULL:
        following = captures.next
        found.append((captures.ticket, engine.wrap(captures.state) if captures.state is not NULL else None))
        free(captures)
        captures = following
    found.reverse()
    return found


cdef list take_marks(engine.vt_buf* marks):
    """[Mark, or (selection, bytes) of a clipboard], oldest first; the buffer is freed. See vt_records."""
    cdef list found = []
    cdef bytes all = PyBytes_FromStringAndSize(<const char*>marks.data, marks.n)
    cdef Py_ssize_t at = 0
    engine.vt_buf_free(marks)
    while at < len(all):
        at_ns, kind, value, offset, line, n = RECORD.unpack_from(all, at)
        at += RECORD.size
        text = all[at : at + n]
        at += n
        if kind == b"c":
            found.append((chr(value) if value else "", text))
        else:
            code = None if value == engine.VT_NO_CODE else value
            found.append(Mark(kind.decode("ascii"), offset, line, code, text.decode("utf-8", "replace"), at_ns))
    return found


cdef object decode(const uint8_t* text, size_t n):
    return PyBytes_FromStringAndSize(<const char*>text, n).decode("utf-8", "replace")


def load_zlib():
    cdef const char* error = deflate.zlib_load()
    if error is not NULL:
        raise OSError("zlib cannot be loaded: " + (<bytes>error).decode("utf-8", "replace"))


# A handle's __dealloc__ needs what it refers to, also when the collector breaks a cycle: no_gc_clear.
@cython.no_gc_clear
cdef class Pump:
    cdef core_t* core
    cdef dict terminals  # by id: what events are about
    cdef dict clients
    cdef uint64_t ids
    cdef int tickets
    cdef bint closed
    cdef object __weakref__

    def __cinit__(
        self, *, int bulk_lanes=1, double ping_s=20.0, double timeout_s=60.0,
        int high_watermark=131072, int input_watermark=65536,
        int scrollback_lines=10000, Py_ssize_t scrollback_bytes=4194304,
    ):
        if not 1 <= bulk_lanes < MAX_LANES:
            raise ValueError(f"bulk_lanes: expected 1..{MAX_LANES - 1}, got {bulk_lanes}")
        if not 0 < ping_s < timeout_s:
            raise ValueError(f"ping_s, timeout_s: expected 0 < ping_s < timeout_s, got {ping_s} and {timeout_s}")
        if high_watermark < 4096 or input_watermark < 4096:
            raise ValueError("high_watermark, input_watermark: expected at least 4096 bytes")
        if scrollback_lines < 0 or scrollback_bytes < 0:
            raise ValueError("scrollback_lines, scrollback_bytes: expected 0 or more")
        cdef lane_t* lane
        cdef int i
        self.terminals = {}
        self.clients = {}
        self.closed = True
        self.core = <core_t*>calloc(1, sizeof(core_t))
        if self.core is NULL:
            raise MemoryError
        pthread_mutex_init(&self.core.lock, NULL)
        self.core.ping_ns = <int64_t>(ping_s * 1e9)
        self.core.timeout_ns = <int64_t>(timeout_s * 1e9)
        self.core.high = high_watermark
        self.core.input_watermark = input_watermark
        self.core.limits.scrollback_lines = scrollback_lines
        self.core.limits.scrollback_bytes = scrollback_bytes
        if waker_open(self.core.waker) < 0:
            raise OSError(errno, os.strerror(errno))
        self.closed = False  # from here on close() has something to undo
        for i in range(1 + bulk_lanes):
            lane = &self.core.lanes[i]
            lane.core = self.core
            lane.index = i
            lane.wake.kind = WAKER
            lane.wake.fd = -1
            lane.alarm.kind = ALARM
            lane.alarm.fd = -1
            lane.poller = poller_open()
            lane.scratch = <uint8_t*>malloc(SCRATCH)
            lane.typed = <uint8_t*>malloc(TYPED_MAX)
            if lane.poller < 0 or lane.scratch is NULL or lane.typed is NULL or waker_open(lane.waker) < 0:
                raise OSError(errno, f"a lane cannot start: {os.strerror(errno)}")
            lane.alarm.fd = alarm_open(lane.poller, &lane.alarm)
            if lane.alarm.fd < 0:
                waker_close(lane.waker)
                raise OSError(errno, f"a lane cannot start: {os.strerror(errno)}")
            lane.wake.fd = lane.waker[0]
            rewatch(lane, &lane.wake, POLLER_READ)
        for i in range(1 + bulk_lanes):
            lane = &self.core.lanes[i]
            if start_lane(&lane.thread, run_lane, lane):
                raise OSError(errno, "a lane's thread cannot start")
            self.core.lane_count = i + 1

    def __dealloc__(self):
        if self.core is NULL:
            return
        self._stop(rfc.CLOSE_AWAY, b"", 0)
        pthread_mutex_destroy(&self.core.lock)
        free(self.core)

    cdef void _stop(self, int code, bytes reason, double linger_s):
        """End the threads; everything that they held is let go."""
        cdef int i
        cdef lane_t* lane
        cdef terminal_t* t
        cdef client_t* c
        if self.closed:
            return
        self.closed = True
        reason = reason[: rfc.MAX_CONTROL - 2]
        pthread_mutex_lock(&self.core.lock)
        self.core.stop_code = code
        self.core.stop_reason_n = len(reason)
        memcpy(self.core.stop_reason, PyBytes_AS_STRING(reason), len(reason))
        self.core.stop_by_ns = clock_ns(CLOCK_MONOTONIC) + <int64_t>(linger_s * 1e9)
        self.core.stopping = True
        for i in range(self.core.lane_count):
            waker_wake(self.core.lanes[i].waker)
        pthread_mutex_unlock(&self.core.lock)
        with nogil:
            for i in range(self.core.lane_count):
                pthread_join(self.core.lanes[i].thread, NULL)
        pthread_mutex_lock(&self.core.lock)
        while self.core.events is not NULL:
            t = self.core.events
            self.core.events = t.event_next
            terminal_unref(t)
        while self.core.news is not NULL:
            c = self.core.news
            self.core.news = c.news_next
            client_unref(c)
        pthread_mutex_unlock(&self.core.lock)
        for i in range(MAX_LANES):
            lane = &self.core.lanes[i]
            if lane.core is not NULL:
                if lane.wake.fd >= 0:
                    waker_close(lane.waker)
                alarm_close(lane.alarm.fd)
                if lane.poller >= 0:
                    close(lane.poller)
            free(lane.scratch)
            free(lane.typed)
        waker_close(self.core.waker)

    def fileno(self):
        if self.closed:
            raise ValueError("the pump is closed")
        return self.core.waker[0]

    def take_events(self):
        cdef client_t* c
        cdef client_t* c_following
        cdef terminal_t* t
        cdef terminal_t* t_following
        cdef unsigned did
        cdef uint32_t bells
        cdef uint64_t number
        cdef uint8_t[512] title
        cdef uint8_t[1024] folder
        cdef uint8_t[124] reason
        cdef size_t title_n, folder_n, reason_n
        cdef int code
        cdef engine.vt_buf marks
        cdef capture_t* captures
        cdef list events = []
        cdef Terminal terminal
        if self.closed:
            return events
        waker_clear(self.core.waker)
        # No Python object is made under the lock: the collector could run, and take it again.
        pthread_mutex_lock(&self.core.lock)
        t = self.core.events
        c = self.core.news
        self.core.events = NULL
        self.core.news = NULL
        pthread_mutex_unlock(&self.core.lock)
        while t is not NULL:  # still `reported`, so that the lane leaves event_next alone
            pthread_mutex_lock(&self.core.lock)
            did = t.events
            bells = t.bells
            marks = t.marks
            captures = t.captures
            t.events = 0
            if did & DID_BELL:  # else they are reported later
                t.bells = 0
            t.captures = NULL
            memset(&t.marks, 0, sizeof(t.marks))
            t.reported = False
            number = t.id
            title_n = t.ring.header.title_n
            folder_n = t.ring.header.folder_n
            memcpy(title, t.ring.header.title, title_n)
            memcpy(folder, t.ring.header.folder, folder_n)
            t_following = t.event_next
            terminal_unref(t)
            pthread_mutex_unlock(&self.core.lock)
            t = t_following
            copies = take_captures(captures)
            records = take_marks(&marks)
            terminal = self.terminals.get(number)
            if terminal is None:
                continue
            for ticket, copy in copies:
                events.append(Event("captured", terminal, None, ticket, "", copy))
            for record in records:
                if isinstance(record, Mark):
                    events.append(Event("mark", terminal, None, 0, "", record))
                else:
                    events.append(Event("clipboard", terminal, None, 0, record[0], record[1]))
            if did & DID_CHANGE:
                events.append(Event("changed", terminal, None, 0, ""))
            if did & DID_RESIZE:
                events.append(Event("resized", terminal, None, 0, f"{terminal.rows}x{terminal.cols}"))
            if did & DID_TITLE:
                events.append(Event("title", terminal, None, 0, decode(title, title_n)))
            if did & DID_FOLDER:
                events.append(Event("folder", terminal, None, 0, decode(folder, folder_n)))
            if did & DID_BELL:
                events.append(Event("bell", terminal, None, bells, ""))
            if did & DID_HANG_UP:
                events.append(Event("hangup", terminal, None, 0, ""))
            if did & DID_END:
                events.append(Event("ended", terminal, None, 0, ""))
        while c is not NULL:
            pthread_mutex_lock(&self.core.lock)
            did = c.news
            c.news = 0
            number = c.id
            code = 0
            reason_n = 0
            if did & NEWS_GONE:  # the lane has let go of it: they stay as they are
                code = c.code
                reason_n = c.reason_n
                memcpy(reason, c.reason, reason_n)
            c_following = c.news_next
            client_unref(c)
            pthread_mutex_unlock(&self.core.lock)
            c = c_following
            client = self.clients.pop(number, None) if did & NEWS_GONE else self.clients.get(number)
            if client is None:
                continue
            if did & NEWS_CAME:
                events.append(Event("came", (<Client>client).terminal, client, 0, ""))
            if did & NEWS_TYPED:
                events.append(Event("typed", (<Client>client).terminal, client, 0, ""))
            if did & NEWS_GONE:
                events.append(Event("gone", (<Client>client).terminal, client, code, decode(reason, reason_n)))
        return events

    def open(self, int pty_fd, int ring_fd, *, int rows, int cols, bint held=False):
        cdef terminal_t* t = NULL
        cdef int result
        cdef uint64_t capacity
        cdef int i
        cdef Terminal terminal
        try:
            if self.closed:
                raise ValueError("the pump is closed")
            check_size(rows, cols)
            t = <terminal_t*>calloc(1, sizeof(terminal_t))
            if t is NULL:
                raise MemoryError
            if pty_fd >= 0 and set_nonblocking(pty_fd) < 0:
                raise OSError(errno, f"pty: {os.strerror(errno)}")
            result = rings.ring_open(&t.ring, ring_fd)
            if result == -1:
                raise OSError(errno, f"ring: {os.strerror(errno)}")
            if result:
                raise ValueError(
                    f"ring: expected {rings.HEADER_SIZE} bytes, a power of two from {rings.MIN_SIZE} on, and "
                    f"{rings.CHECKPOINTS * rings.CHECKPOINT_MAX} bytes"
                    if result == -2 else "ring: its header is not one of this version"
                )
        except BaseException:
            free(t)
            if pty_fd >= 0:
                close(pty_fd)
            raise
        finally:
            if ring_fd >= 0:
                close(ring_fd)
        capacity = rings.ring_capacity(&t.ring)
        self.ids += 1
        t.id = self.ids
        t.core = self.core
        t.lane = &self.core.lanes[0]
        t.pty.kind = PTY
        t.pty.fd = pty_fd
        t.pty.owner = t
        t.rows = rows
        t.cols = cols
        t.move_to = -1
        t.held = held
        t.opened_ns = clock_ns(CLOCK_MONOTONIC)
        t.high = min(self.core.high, capacity // 2)
        t.low = t.high // 2
        with nogil:
            revive(t)
        if t.vt is NULL:
            rings.ring_close(&t.ring)
            if pty_fd >= 0:
                close(pty_fd)
            free(t)
            raise MemoryError
        t.batch = min(<uint64_t>BATCH, capacity // 4)
        for i in range(rings.SLOTS):
            t.slot_next[i] = t.ring.header.slots[i].accepted
        t.refs = 2  # the handle's and the lane's
        terminal = Terminal.__new__(Terminal)
        terminal.pump = self
        terminal.state = t
        self.terminals[t.id] = terminal
        pthread_mutex_lock(&self.core.lock)
        t.lane.load += 1
        t.arriving = True
        enqueue(t)
        pthread_mutex_unlock(&self.core.lock)
        return terminal

    def statistics(self):
        cdef statistics_t total
        cdef statistics_t* s
        cdef int i
        cdef Terminal terminal
        cdef int64_t queued = 0
        cdef int64_t lag = 0
        memset(&total, 0, sizeof(total))
        for i in range(self.core.lane_count):
            s = &self.core.lanes[i].statistics
            total.bytes_out += load_relaxed(&s.bytes_out)
            total.bytes_in += load_relaxed(&s.bytes_in)
            total.frames_out += load_relaxed(&s.frames_out)
            total.frames_in += load_relaxed(&s.frames_in)
            total.pty_reads += load_relaxed(&s.pty_reads)
            total.turns += load_relaxed(&s.turns)
            total.moves += load_relaxed(&s.moves)
            total.dropped += load_relaxed(&s.dropped)
            total.redraws += load_relaxed(&s.redraws)
            total.compressions += load_relaxed(&s.compressions)
            total.blocks += load_relaxed(&s.blocks)
        for terminal in self.terminals.values():
            queued += load_relaxed(&terminal.state.input_queued)
            lag = max(lag, load_relaxed(&terminal.state.max_lag))
        return {
            **total,
            "clients": len(self.clients),
            "terminals": len(self.terminals),
            "input_queued": queued,
            "max_lag": lag,
        }

    def close(self, *, int code=1001, str reason="", double linger_s=1.0):
        self._stop(code, reason.encode(), linger_s)
        self.terminals.clear()
        self.clients.clear()

    cdef int post(self, terminal_t* t, Order order, client_t* client, bytes text, int a, int b) except -1:
        """Queue a command for a terminal's lane; on failure nothing is kept."""
        cdef command_t* command = <command_t*>calloc(1, sizeof(command_t))
        if command is NULL:
            raise MemoryError
        if text is not None:
            command.chunk = chunk_new(<const uint8_t*>PyBytes_AS_STRING(text), len(text))
            if command.chunk is NULL:
                free(command)
                raise MemoryError
        command.order = order
        command.client = client
        command.a = a
        command.b = b
        pthread_mutex_lock(&self.core.lock)
        if self.closed or t.dead:
            pthread_mutex_unlock(&self.core.lock)
            free(command.chunk)
            free(command)
            raise ValueError("the terminal is closed")
        if t.last is not NULL:
            t.last.next = command
        else:
            t.first = command
        t.last = command
        if not t.queued:
            enqueue(t)
        pthread_mutex_unlock(&self.core.lock)
        return 0


cdef int check_size(int rows, int cols) except -1:
    if not (1 <= rows <= 1000 and 1 <= cols <= 1000):
        raise ValueError(f"rows, cols: expected 1..1000, got {rows} and {cols}")
    return 0


@cython.no_gc_clear
cdef class Terminal:
    cdef Pump pump
    cdef terminal_t* state
    cdef bint closed
    cdef object __weakref__

    def __init__(self):
        raise TypeError("a Terminal is made by Pump.open")

    def __dealloc__(self):
        if self.state is not NULL:
            pthread_mutex_lock(&self.pump.core.lock)
            terminal_unref(self.state)
            pthread_mutex_unlock(&self.pump.core.lock)

    cdef terminal_t* live(self) except NULL:
        if self.closed or self.pump.closed:
            raise ValueError("the terminal is closed")
        return self.state

    @property
    def head(self):
        return load_acquire(&self.live().ring.header.head)

    @property
    def oldest(self):
        cdef terminal_t* t = self.live()
        cdef uint64_t head = load_acquire(&t.ring.header.head)
        return max(0, <object>head - rings.ring_capacity(&t.ring))

    @property
    def rows(self):
        return load_relaxed(&self.live().rows)

    @property
    def cols(self):
        return load_relaxed(&self.live().cols)

    @property
    def clients(self):
        return load_relaxed(&self.live().client_count)

    @property
    def title(self):
        cdef uint8_t[512] text
        cdef terminal_t* t = self.live()
        pthread_mutex_lock(&self.pump.core.lock)
        cdef size_t n = t.ring.header.title_n
        memcpy(text, t.ring.header.title, n)
        pthread_mutex_unlock(&self.pump.core.lock)
        return decode(text, n)

    @property
    def folder(self):
        cdef uint8_t[1024] text
        cdef terminal_t* t = self.live()
        pthread_mutex_lock(&self.pump.core.lock)
        cdef size_t n = t.ring.header.folder_n
        memcpy(text, t.ring.header.folder, n)
        pthread_mutex_unlock(&self.pump.core.lock)
        return decode(text, n)

    @property
    def bytes_in(self):
        return load_relaxed(&self.live().bytes_in)

    @property
    def last_output_ns(self):
        return load_relaxed(&self.live().last_output_ns)

    @property
    def last_input_ns(self):
        return load_relaxed(&self.live().last_input_ns)

    @property
    def max_lag(self):
        return load_relaxed(&self.live().max_lag)

    @property
    def lane(self):
        return load_relaxed(&self.live().lane_index)

    def attach(
        self, int socket_fd, bytes response not None, *, bytes received=b"", bint v1=False, bint writable=True,
        since=None, int rows=0, int cols=0, bytes client_id=b"", Py_ssize_t offset_at=0, Py_ssize_t redraw_at=0,
        bint latest=False, int scrollback=0, bytes name=b"", int64_t input_rate=0, bint deflates=False,
    ):
        cdef client_t* c = NULL
        cdef terminal_t* t
        cdef Client client
        try:
            t = self.live()
            if rows or cols:
                check_size(rows, cols)
            if len(client_id) not in (0, 16):
                raise ValueError(f"client_id: expected 16 bytes or none, got {len(client_id)}")
            if len(response) > CONTROL_LIMIT // 2:
                raise ValueError(f"response: expected at most {CONTROL_LIMIT // 2} bytes, got {len(response)}")
            for what, at in (("offset_at", offset_at), ("redraw_at", redraw_at)):
                if at and not 0 < at <= len(response) - OFFSET_DIGITS:
                    raise ValueError(f"{what}: expected {OFFSET_DIGITS} bytes of the response there, got {at}")
            if not 0 <= scrollback <= wire.MAX_LINES:
                raise ValueError(f"scrollback: expected 0..{wire.MAX_LINES} lines, got {scrollback}")
            if len(name) > NAME_MAX or not rfc.utf8_valid(<const uint8_t*>PyBytes_AS_STRING(name), len(name)):
                raise ValueError(f"name: expected at most {NAME_MAX} bytes of UTF-8, got {name!r}")
            if input_rate < 0:
                raise ValueError(f"input_rate: expected 0 or more bytes a second, got {input_rate}")
            if since is not None and not 0 <= since < 2**64:
                raise ValueError(f"since: expected 0..2^64-1, got {since}")
            if deflates:
                load_zlib()
            if set_nonblocking(socket_fd) < 0:
                raise OSError(errno, f"socket: {os.strerror(errno)}")
            c = <client_t*>calloc(1, sizeof(client_t) + len(name))
            if c is NULL:
                raise MemoryError
            c.received = chunk_new(<const uint8_t*>PyBytes_AS_STRING(received), len(received))
            if c.received is NULL or not control_put(c, <const uint8_t*>PyBytes_AS_STRING(response), len(response)):
                raise MemoryError
            self.pump.ids += 1
            c.id = self.pump.ids
            c.refs = 2  # the handle's and the lane's
            c.terminal = t
            c.watch.fd = socket_fd
            c.slot = -1
            c.v1 = v1
            c.permitted = writable
            c.input_rate = <uint32_t>min(input_rate, <int64_t>0xFFFFFFFF)
            c.name_n = <uint8_t>len(name)
            memcpy(c.name, PyBytes_AS_STRING(name), c.name_n)
            c.rows = <uint16_t>rows
            c.cols = <uint16_t>cols
            c.has_since = since is not None
            c.since = since or 0
            c.offset_at = offset_at
            c.redraw_at = redraw_at
            c.latest = latest
            c.scrollback = scrollback
            c.has_id = len(client_id) == 16
            if c.has_id:
                memcpy(c.client_id, PyBytes_AS_STRING(client_id), 16)
            c.decoder.limit = MESSAGE_LIMIT
            c.decoder.masked = True
            c.decoder.deflate = c.deflates = deflates
            socket_prepare(
                socket_fd, LATEST_UNSENT if latest else LOSSLESS_UNSENT, LATEST_BUFFER if latest else 0
            )
            self.pump.post(t, ATTACH, c, None, 0, 0)
        except BaseException:
            close(socket_fd)
            if c is not NULL:
                free(c.received)
                free(c.control)
                free(c)
            raise
        client = Client.__new__(Client)
        client.terminal = self
        client.state = c
        self.pump.clients[c.id] = client
        return client

    def write(self, bytes data not None):
        cdef terminal_t* t = self.live()
        if load_relaxed(&t.input_queued) + len(data) > QUEUE_LIMIT:
            raise BlockingIOError(f"input: {load_relaxed(&t.input_queued)} bytes wait for the PTY already")
        self.pump.post(t, INPUT, NULL, data, 0, 0)

    def present(self, bytes message not None):
        if len(message) > PRESENCE_MAX:
            raise ValueError(f"message: expected at most {PRESENCE_MAX} bytes, got {len(message)}")
        self.pump.post(self.live(), PRESENT, NULL, message, 0, 0)

    def watch(self, bint on):
        store_relaxed(&self.live().watched, on)

    def capture(self, int scrollback_lines=0):
        if scrollback_lines < 0:
            raise ValueError(f"scrollback_lines: expected 0 or more, got {scrollback_lines}")
        self.pump.tickets = self.pump.tickets % 0x7FFFFFFF + 1
        self.pump.post(self.live(), CAPTURE, NULL, None, scrollback_lines, self.pump.tickets)
        return self.pump.tickets

    def resize(self, int rows, int cols):
        check_size(rows, cols)
        self.pump.post(self.live(), RESIZE, NULL, None, rows, cols)

    def finish(self, int code, int signal=0, str reason=""):
        self.pump.post(self.live(), FINISH, NULL, reason.encode(), code, signal)

    def read(self, since=0, limit=-1):
        cdef terminal_t* t = self.live()
        cdef uint64_t head, oldest, start, n
        cdef bytes data
        cdef uint64_t capacity = rings.ring_capacity(&t.ring)
        head = load_acquire(&t.ring.header.head)
        oldest = head - capacity if head > capacity else 0
        start = min(max(oldest, max(0, since)), head)
        n = head - start if limit < 0 else min(head - start, <uint64_t>limit)
        data = PyBytes_FromStringAndSize(NULL, n)
        rings.ring_copy(&t.ring, start, <uint8_t*>PyBytes_AS_STRING(data), n)
        # The pump may have written over the beginning meanwhile: what lies behind the new oldest byte was kept.
        acquire_fence()
        head = load_acquire(&t.ring.header.head)
        oldest = head - capacity if head > capacity else 0
        if start >= oldest:
            return start, start + n, data
        if start + n <= oldest:
            return oldest, oldest, b""
        return oldest, start + n, data[oldest - start:]

    def close(self):
        if self.closed or self.pump.closed:
            self.closed = True
            return
        self.pump.post(self.state, CLOSE, NULL, None, 0, 0)
        self.closed = True
        self.pump.terminals.pop(self.state.id, None)


@cython.no_gc_clear
cdef class Client:
    cdef readonly Terminal terminal
    cdef client_t* state
    cdef object __weakref__

    def __init__(self):
        raise TypeError("a Client is made by Terminal.attach")

    def __dealloc__(self):
        if self.state is not NULL:
            pthread_mutex_lock(&self.terminal.pump.core.lock)
            client_unref(self.state)
            pthread_mutex_unlock(&self.terminal.pump.core.lock)

    @property
    def lag(self):
        return load_relaxed(&self.state.lag)

    @property
    def gone(self):
        return bool(self.state.gone)

    @property
    def writable(self):
        return load_relaxed(&self.state.permitted) != 0

    @property
    def bytes_sent(self):
        return load_relaxed(&self.state.bytes_sent)

    cdef int post(self, Order order, bytes text, int code) except -1:
        """Queue a command about it, unless it is gone or the terminal has ended, and with it this client."""
        cdef Pump pump = self.terminal.pump
        if pump.closed or self.state.gone:
            return 0
        pthread_mutex_lock(&pump.core.lock)
        self.state.refs += 1
        pthread_mutex_unlock(&pump.core.lock)
        try:
            pump.post(self.terminal.state, order, self.state, text, code, 0)
        except BaseException as error:
            pthread_mutex_lock(&pump.core.lock)
            client_unref(self.state)
            pthread_mutex_unlock(&pump.core.lock)
            if not isinstance(error, ValueError):
                raise
        return 0

    def permit(self, bint writable):
        if load_relaxed(&self.state.permitted) != writable:
            store_relaxed(&self.state.permitted, writable)  # the lane sees it with the next bytes, or by the command
            self.post(PERMIT, None, 0)

    def close(self, int code=1000, str reason=""):
        self.post(DETACH, reason.encode(), code)
