"""What the pump's layers share: constants, structs, and who guards which field.

The layers, each of which calls only those below it:

    pump.pyx            what Python sees
    pump_lane.pxd       the loop of a thread: commands, turns, moves, the end
    pump_receive.pxd    messages from clients
    pump_output.pxd     PTY to ring to clients; the size; the end
    pump_send.pxd       messages and frames to clients
    pump_screen.pxd     the engine beside the ring
    pump_pty.pxd        bytes into the PTY
    pump_backlog.pxd    how far each client is behind, and what follows for PTY and clients
    pump_block.pxd      compressed frames
    pump_outbox.pxd     references, news for Python, lane time
    pump_state.pxd      this file

They are .pxd files of inline functions: the C of one translation unit, without calls through pointers.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from vibetunnel._ext cimport backlog
from vibetunnel._ext cimport deflate
from vibetunnel._ext cimport rfc6455 as rfc
from vibetunnel._ext cimport ring as rings
from vibetunnel._ext cimport vt as engine
from vibetunnel._ext.ring cimport Ring

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
    #define TOO_BIG "expected at most 65536 bytes a message"

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
    const char* TOO_BIG
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
    CACHE_RAW = 0  # index into terminal_t.framed, by what a client speaks
    CACHE_V1 = 1

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
    HEADER_MAX = 24  # bytes before the output in a frame: of WebSocket, then of vibetunnel.v1
    CLIENT_ID_SIZE = 16  # bytes of a UUID
    CLOSE_REASON_MAX = 124  # bytes kept of a close frame's reason, which has at most 123
    EXIT_REASON_MAX = 256  # bytes
    CACHES = 2  # of frames: for raw clients and for v1
    NAME_MAX = 64  # bytes of a client's name
    PRESENCE_MAX = 16384  # bytes of what clients are told of each other: a hundred people with long names
    THROTTLE_BURST = 1000000000  # ns; as much input as its rate allows in this time may come at once
    THROTTLE_STEP = 50000000  # ns between two looks at who has paid for the input: a paste flows on without a jerk

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

# What a client is still to be sent, or what is still to be done about it.
cdef enum:
    DUE_FLUSH = 1  # at the end of the turn
    DUE_SIZE = 2  # v1: the size
    DUE_TITLE = 4  # v1: the title
    DUE_ACCESS = 8  # v1: whether it may type
    DUE_PRESENCE = 16  # v1: who is there
    DUE_VIEWPORT = 32  # it has asked for a size that it may set
    DUE_REDRAW = 64  # the screen; output goes on from there
    DUE_LINES = 128  # scrollback, be it none

cdef enum CloseState:
    OPEN
    CLOSING  # a close frame is queued, and no output follows it
    CLOSE_SENT  # it is sent, and the client's has not come
    CLOSE_RECEIVED  # the client's has come, or nothing that it sends can be understood

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
    int slot  # input stream to count_accepted, or -1
    uint64_t generation  # that slot's `generation` then: a slot given to another client since is not credited
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


cdef struct block_cache_t:  # what became of a piece of output that was to be compressed
    uint64_t start
    uint64_t end  # == start: nothing is kept here
    block_t* block  # NULL: it did not get smaller


cdef struct frame_t:  # the output frame under way to one client
    uint64_t end  # offset after its last byte; == the client's cursor: no frame is under way
    block_t* block  # the compressed frame, header and all, which needs no ring; or NULL
    size_t block_sent
    uint8_t header_n
    uint8_t header_sent
    uint8_t[HEADER_MAX] header


cdef struct control_t:  # what is sent before the next output frame: messages, redraws, the rest of a spilled frame
    uint8_t* data
    size_t n
    size_t sent
    size_t uncounted  # bytes of it that CONTROL_LIMIT does not count


cdef struct input_t:  # what one client types
    int slot  # its input stream in the ring's header, or -1
    flag_t blocked  # BLOCKED_...: the client is not read
    uint32_t rate  # bytes a second; 0: no limit
    int64_t paid_ns  # when its rate will have allowed what it has sent
    uint64_t next  # without a slot: offset of the next input byte
    uint64_t accepted_told  # offset in the last `accepted` message
    chunk_t* unread  # bytes from the socket that have not been decoded yet, or NULL


cdef struct client_t:
    watch_t watch
    terminal_t* terminal
    client_t* next
    client_t* prev
    client_t* news_next  # in core.news; guarded by core.lock
    client_t* dropped_next  # in lane.dropped; `next` stays, for who walks the list just now
    uint64_t id
    int refs  # handle, lane, outbox; guarded by core.lock
    unsigned due  # DUE_...
    CloseState close_state
    flag_t gone  # guarded by core.lock
    flag_t news  # NEWS_...: in core.news unless 0; guarded by core.lock
    flag_t v1
    flag_t writable  # `permitted` as far as the lane has seen it; what follows from it is done
    flag_t attached  # linked into its terminal
    flag_t greeted  # v1: hello is queued, so other messages may follow
    flag_t blocking  # one of those that a paused PTY waits for
    flag_t told_read_only
    flag_t typed  # some input of it has reached the PTY
    flag_t latest  # is skipped ahead when it falls behind; else it paces the PTY
    flag_t returning  # gets what it missed while it was away, and has not caught up yet
    flag_t has_since
    flag_t has_id
    flag_t deflates  # compressed messages were negotiated
    uint64_t cursor  # offset of the next output byte to frame or, in a frame, to send; all through a block of its first
    frame_t frame
    control_t control
    input_t input
    int64_t skip_ns  # 0, or until when an interrupt's redraw waits for the program's answer
    uint64_t base  # offset of the last redraw: what came before it is void
    uint64_t window  # v1: bytes that may be under way without an ack
    uint64_t acked
    uint64_t lines_before  # v1: the line behind those of the next piece
    uint32_t lines_left  # lines that it has asked for
    rfc.Decoder decoder
    int64_t heard_ns
    int64_t pinged_ns
    int64_t active_ns
    int64_t close_by_ns  # 0, or when an unanswered close is over
    uint16_t rows
    uint16_t cols
    int64_t permitted  # whether it may type; set by Python at any time
    int64_t bytes_sent
    int64_t lag  # for Python to read
    uint64_t since
    size_t offset_at  # where in the response the first offset goes, or 0
    size_t redraw_at  # where in the response the size of a raw client's redraw goes, or 0
    uint32_t scrollback  # lines that it wants at first
    uint8_t[CLIENT_ID_SIZE] client_id
    int code
    size_t reason_n
    uint8_t[CLOSE_REASON_MAX] reason
    uint8_t name_n
    uint8_t[1] name  # name_n bytes


cdef struct frame_cache_t:  # header of the batch that was framed last, for all clients that stand at its start
    uint64_t start
    uint64_t end
    uint8_t n
    uint8_t[HEADER_MAX] data


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
    bint awaits_client  # nobody has been attached yet for whom it was opened: the PTY is not read
    int64_t opened_ns
    backlog.Bounds bounds
    backlog.Gate gate
    frame_cache_t[CACHES] frames
    block_cache_t[CACHES][DEFLATE_KEPT] blocks  # the last ones, by what a client speaks, until a batch is sent
    unsigned[CACHES] blocks_next  # which of them is replaced next
    bint keeps_blocks  # in lane.keepers
    terminal_t* keepers_next
    chunk_t* presence  # who is there, for every v1 client that comes; NULL: nothing is said of it
    chunk_t* input_first
    chunk_t* input_last
    int64_t input_queued
    uint64_t[rings.SLOTS] slot_next  # per input stream: offset of the next byte, queued ones counted
    bint hung_up
    bint told_hang_up
    bint size_owner_left  # the owner of the size has left
    bint due  # in lane.due
    terminal_t* due_next
    bint finished
    bint ended
    bint closing
    int exit_code
    int exit_signal
    size_t reason_n
    uint8_t[EXIT_REASON_MAX] reason
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
    client_t* dropped  # gone in this turn: events of this turn may still point to them
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
    lane_t[MAX_LANES] lanes
    int lane_count
    int[2] waker  # of the outbox
    terminal_t* events
    client_t* news
    bint stopping  # guarded by lock
    int stop_code
    size_t stop_reason_n
    uint8_t[CLOSE_REASON_MAX] stop_reason
    int64_t stop_by_ns
    int64_t ping_ns
    int64_t timeout_ns
    uint64_t high
    size_t input_watermark
    engine.vt_limits limits
