"""The pump's constants and structs, with the layer that writes each field.

The layers, each of which calls only the layers below it:

    pump.pyx            what Python sees
    pump_core.pxd       lanes start and stop, and are given terminals
    pump_lane.pxd       the loop of a thread, and moves from lane to lane
    pump_command.pxd    commands from Python
    pump_attach.pxd     a client comes
    pump_receive.pxd    messages from clients
    pump_output.pxd     PTY to ring to clients, the size, the end
    pump_send.pxd       messages and frames to clients
    pump_screen.pxd     the engine beside the ring
    pump_pty.pxd        input to the PTY
    pump_backlog.pxd    which PTYs and clients are read; backlog.pxd is its rule
    pump_text.pxd       output as text, and server-sent events
    pump_frame.pxd      bytes on their way to one client
    pump_block.pxd      compressed frames
    pump_outbox.pxd     references, events for Python, lane time
    pump_state.pxd      this file
    pump_system.pxd     lists, the poller, system calls

They are .pxd files of inline functions: the C of one translation unit, without calls through pointers.

`core.lock` guards the fields that say so. Every other field belongs to the lane of its terminal, between two turns too.
set_up(), Terminal.attach() and attach() give fields their first values. Then the layer in brackets writes them.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from vibetunnel._ext cimport backlog
from vibetunnel._ext cimport deflate
from vibetunnel._ext cimport rfc6455 as rfc
from vibetunnel._ext cimport ring as rings
from vibetunnel._ext cimport v1 as wire
from vibetunnel._ext cimport vt as engine
from vibetunnel._ext.lists cimport link_t, list_t
from vibetunnel._ext.pump_system cimport pthread_mutex_t, pthread_t
from vibetunnel._ext.ring cimport Ring
from vibetunnel._ext.typed cimport Report

cdef enum:
    MAX_LANES = 17  # the interactive lane and 16 bulk lanes
    MESSAGE_LIMIT = 65536  # bytes of one message from a client
    SCRATCH = MESSAGE_LIMIT + 4096  # bytes taken from one socket in one turn
    BATCH = 65536  # bytes read from one PTY in one turn, and the largest frame
    BATCH_FOR_FEW = 16384  # bytes of a batch for at most FEW clients: gathering more saves less than it delays
    FEW = 3  # clients
    BATCH_NS = 1000000  # ns spent on reading one batch
    SHORT_READ = 1024  # bytes; after a shorter read the PTY is empty, as it usually is with an interactive program
    FAN = 16  # clients that one turn sends a batch to: a tenth of a millisecond, in which other sessions wait
    CROWD = 8  # clients; with more of them the client that typed comes first, and its program gets the core
    CONTROL_LIMIT = 65536  # bytes of messages queued for a client that does not read, before it is dropped
    QUEUE_LIMIT = 16777216  # bytes of input queued for a PTY by write(), before write() refuses
    OFFSET_DIGITS = 20  # decimal digits of a 64-bit offset in a response
    TYPED_MAX = 2 * SCRATCH  # bytes of input that one client's turn can bring: a kept message and a read
    WRITE_MAX = 65536  # bytes of input offered to a PTY in one turn
    ACCEPTED_STEP = 16384  # bytes of input after which `accepted` is sent without waiting for output
    LATEST_WINDOW = 65536  # bytes under way to a latest client: 0.6 s of a link of 100 KB/s
    LATEST_FRAME = 16384  # bytes of a frame to a latest client: a frame that has begun cannot be skipped
    LATEST_UNSENT = 16384  # bytes that the kernel may hold unsent for a latest client: they delay a Ctrl-C
    LATEST_BUFFER = 65536  # bytes that the kernel may hold in all for a latest client: they delay it too
    STREAM_QUIET = 14000000000  # ns between two comments of an event stream; a sweep may be a second late
    LOSSLESS_UNSENT = 131072  # bytes; nothing is skipped for a lossless client, but memory is memory
    CHECKPOINT_LINES = 200  # lines of scrollback in a checkpoint made during output
    CHECKPOINT_PICTURES = 524288  # bytes of pictures in a checkpoint, half of what it may have: the newest ones
    CHECKPOINT_CALM = 262144  # bytes of a checkpoint made after output: some 2,500 lines of a log
    BUFFER_KEPT = 65536  # bytes of a lane's redraw buffer that are not given back: most redraws take a tenth of it
    DAMAGE_UNDRAWN = 16384  # bytes of damage under way to a client that has not acknowledged any of it
    PIECE_CELLS = 16384  # cells of scrollback in one message: about 20 KB of a coloured log
    MARKS_LIMIT = 262144  # bytes of prompt marks and clipboards that wait for Python
    WS_HEADER_MAX = 10  # bytes of a WebSocket header that a server sends
    HEADER_MAX = 24  # bytes before the output in a frame: the WebSocket header, then that of vibetunnel.v1
    V1_HEAD_MAX = 64  # bytes of the longest head of a vibetunnel.v1 message, hello
    CLIENT_ID_SIZE = 16  # bytes of a UUID
    CLOSE_REASON_MAX = 124  # bytes kept of a close frame's reason, which has at most 123
    EXIT_REASON_MAX = 256  # bytes kept of the reason why a session ended
    NAME_MAX = 64  # bytes of a client's name
    PRESENCE_MAX = 16384  # bytes of a presence message: a hundred people with long names

    CACHE_RAW = 0  # index of the frame caches of a terminal, by what a client speaks
    CACHE_V1 = 1
    CACHES = 2

    DEFLATE_MIN = 200  # bytes; less is sent as it is, above all an echo: 7 us would save a quarter of it
    DEFLATE_FRAME = 16384  # a compressed frame ends at a multiple of this, so a slow client sends the same frames
    DEFLATE_TURN = 262144  # bytes that a lane compresses in one turn, some 2 ms; more is sent as it is
    DEFLATE_KEPT = 8  # compressed frames kept while a batch is sent: a batch has five
    INFLATE_TURN = 262144  # bytes that messages inflate to in one turn; after that each client gets one message more
    INFLATE_COST = 512  # bytes that each compressed message counts in addition

    MOVE_WINDOW = 50000000  # ns over which a terminal's use of its lane is judged
    MOVE_BUSY = 4000000  # ns of lane time within the window that make a flood, which moves to a bulk lane
    MOVE_BYTES = 32768  # bytes printed, received and sent in the window; with less, something else took the time
    MOVE_QUIET = 500000000  # ns with less than MOVE_CALM of use, after which a terminal moves back
    MOVE_CALM = 1000000  # ns
    EVENT_GAP = 50000000  # ns between two reports of bells and titles of one terminal
    MARK_BURST = 32  # reports of prompt marks in an EVENT_GAP that do not wait: those of eight short commands
    SKIP_LAG = 4096  # bytes of lag below which a client's interrupt skips nothing
    ANSWER_WAIT = 10000000  # ns that a redraw waits after an interrupt, so that it includes the program's answer
    AWAIT_CLIENT = 1000000000  # ns that a new terminal's output waits for the client that it was opened for
    LINGER = 2000000000  # ns that a client has to answer a close frame
    CALM = 1000000000  # ns without output after which scrollback goes into a checkpoint
    THROTTLE_BURST = 1000000000  # ns; the input that the rate allows in this time may come at once
    THROTTLE_STEP = 50000000  # ns between two looks at throttled clients: a paste flows on without a jerk

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
    NOTE

# What happened to a terminal since its last report.
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
    DID_PROGRESS = 1024
    DID_POINTER = 2048

# What happened to a client since its last report.
cdef enum:
    NEWS_GONE = 1
    NEWS_TYPED = 2
    NEWS_CAME = 4

# Work that is due for a client.
cdef enum:
    DUE_FLUSH = 1  # at the end of the turn
    DUE_SIZE = 2  # v1: the size
    DUE_TITLE = 4  # v1: the title
    DUE_ACCESS = 8  # v1: whether it may type
    DUE_PRESENCE = 16  # v1: the other clients
    DUE_NOTE = 256  # a stream: the newest event of Python's
    DUE_NOTICES = DUE_SIZE | DUE_TITLE | DUE_ACCESS | DUE_PRESENCE | DUE_NOTE
    DUE_VIEWPORT = 32  # it asked for a size that it may set
    DUE_REDRAW = 64  # the screen; output goes on from there
    DUE_LINES = 128  # scrollback that it asked for, even if there is none

# What a client gets in place of bytes.
cdef enum Text:
    FRAMES = 1  # WebSocket text frames
    EVENTS = 2  # server-sent events: an asciicast header, then [time, "o", text]

cdef enum CloseState:
    OPEN
    CLOSING  # a close frame is queued; no output follows it
    CLOSE_SENT  # our close frame is sent; the client's has not come
    CLOSE_RECEIVED  # the client's close frame has come, or nothing that the client sends can be understood

# Why a client is not read.
cdef enum:
    BLOCKED_FULL = 1  # its PTY's input queue is full
    BLOCKED_RATE = 2  # it sent more input than its rate allows
    BLOCKED_UNREAD = 4  # bytes that it sent before wait to be decoded

ctypedef uint8_t flag_t  # a bint takes four bytes, and there are many clients


cdef struct watch_t:  # a descriptor in the poller [outbox]
    Kind kind
    int fd  # -1: closed
    unsigned want  # what the poller watches it for
    void* owner


cdef struct chunk_t:  # bytes on their way to a PTY, or the text of a command
    link_t in_queue  # in terminal_t.input_queue
    size_t n
    size_t sent
    int slot  # input stream that counts these bytes, or -1
    uint64_t generation  # the slot's generation then; a slot that another client has now does not count them
    uint64_t client  # id of the client that typed them and may lose its right; 0: Python
    uint8_t[1] data


cdef struct command_t:
    link_t in_inbox
    Order order
    client_t* client
    chunk_t* chunk
    int a  # rows, exit code, close code
    int b  # cols, signal


cdef struct capture_t:  # a copy of a terminal's state, for Python
    link_t in_captures
    int ticket
    engine.vt* state  # NULL: out of memory


cdef struct block_t:  # a compressed frame with its header, made once for all clients that send it
    int refs  # the clients that send it, and the terminal while it keeps it; all in one lane
    size_t n
    uint8_t[1] data


cdef struct block_cache_t:  # the result of compressing one piece of output
    uint64_t start
    uint64_t end  # == start: unused
    block_t* block  # NULL: compression did not make it smaller


cdef struct frame_cache_t:  # header of the batch that was framed last, for all clients that stand at its start
    uint64_t start
    uint64_t end
    uint8_t n
    uint8_t[HEADER_MAX] data


cdef struct frame_t:  # the output frame under way to one client [frame]
    uint64_t end  # offset after its last byte; == the client's cursor: no frame is under way
    block_t* block  # the compressed frame, header and all, which needs no ring; or NULL
    size_t block_sent
    uint8_t header_n
    uint8_t header_sent
    uint8_t[HEADER_MAX] header


cdef struct control_t:  # bytes sent before the next output frame: messages, redraws, a spilled frame [frame]
    uint8_t* data
    size_t n
    size_t sent
    size_t uncounted  # bytes that CONTROL_LIMIT does not count


cdef struct input_t:  # what one client types [receive]
    int slot  # its input stream in the ring's header, or -1
    flag_t blocked  # BLOCKED_...: the client is not read [backlog]
    uint32_t rate  # bytes a second; 0: no limit
    int64_t paid_ns  # when the rate will have allowed the client's input so far
    uint64_t next  # without a slot: offset of the next input byte
    uint64_t accepted_told  # offset in the last `accepted` message [send]
    chunk_t* unread  # bytes from the socket that wait to be decoded, or NULL
    Report report  # of the mouse, say, that one message began and the next goes on with


cdef struct text_t:  # of a client that gets text
    Text kind
    int64_t began_ns  # when it was attached [attach]
    size_t header_n
    size_t session_n
    uint8_t[1] data  # of a stream: the fields of its header after the size, then the session's id


cdef struct client_t:
    watch_t watch
    terminal_t* terminal
    link_t in_terminal  # in terminal_t.clients [backlog]
    link_t in_news  # in core.news; guarded by core.lock [outbox]
    link_t in_dropped  # in lane.dropped [backlog]
    uint64_t id
    int refs  # handle, lane, outbox; guarded by core.lock [outbox]
    unsigned due  # DUE_...: any layer asks, the layer that does the work clears the bit
    CloseState close_state  # [send]
    flag_t gone  # guarded by core.lock [outbox]
    flag_t news  # NEWS_...; guarded by core.lock [outbox]
    flag_t v1
    flag_t writable  # `permitted` as far as the lane has acted on it [receive]
    flag_t greeted  # hello or the header is queued, so other messages may follow; raw: never
    flag_t blocking  # a paused PTY waits for this client [backlog]
    flag_t told_read_only  # [receive]
    flag_t typed  # something that a person typed has reached the PTY [receive]
    flag_t hidden  # its window cannot be seen, so it does not hold the size [receive]
    flag_t latest  # skipped ahead when it is behind; otherwise lossless: the PTY waits for it
    flag_t returning  # gets what it missed while it was away, and has not caught up yet [backlog]
    flag_t has_since
    flag_t has_id
    flag_t deflates  # compressed messages were negotiated
    uint64_t cursor  # offset of the next output byte; all through a block that of its first byte [frame]
    uint64_t base  # offset of the last redraw, which made void what came before it [frame]
    engine.vt_viewer view  # what a viewer shows, if its offset is the cursor [send]
    size_t undrawn  # bytes of redraw and damage since it had drawn all of it [send]
    frame_t frame
    control_t control
    input_t input
    int64_t answer_by_ns  # until when an interrupt's redraw waits for the program's answer, or 0 [send]
    uint64_t window  # v1: bytes that may be under way without an ack
    uint64_t acked  # v1 [receive]
    uint64_t lines_before  # v1: the line after those of the next piece of scrollback [send]
    uint32_t lines_left  # lines of scrollback still to be sent [send]
    rfc.Decoder decoder  # [receive]
    int64_t heard_ns  # [outbox]
    int64_t pinged_ns  # [lane]
    int64_t close_by_ns  # when an unanswered close is over, or 0 [send]
    uint16_t rows  # its viewport [receive]
    uint16_t cols
    wire.Appearance* appearance  # as it stated it, or NULL [receive]
    text_t* text  # NULL: it gets bytes
    int64_t permitted  # whether it may type; Python sets it at any time
    int64_t bytes_sent  # [send]
    int64_t lag  # for Python to read [backlog]
    uint64_t since
    size_t offset_at  # where in the response the first offset goes, or 0
    size_t redraw_at  # where in the response the size of a raw client's redraw goes, or 0
    uint32_t scrollback  # lines that it wants at first
    uint8_t[CLIENT_ID_SIZE] client_id
    int code  # [send]
    size_t reason_n
    uint8_t[CLOSE_REASON_MAX] reason
    uint8_t name_n
    uint8_t[1] name  # name_n bytes


cdef struct terminal_t:
    watch_t pty
    core_t* core
    lane_t* lane  # guarded by core.lock when written [lane]
    link_t in_lane  # in lane.terminals [lane]
    link_t in_dirty  # in lane.dirty; guarded by core.lock
    link_t in_events  # in core.events; guarded by core.lock [outbox]
    link_t in_fans  # in lane.fans [send]
    link_t in_keepers  # in lane.keepers [block]
    link_t in_due  # in lane.due [outbox]
    list_t inbox  # of command_t; guarded by core.lock
    bint dead  # its lane has let go of it; guarded by core.lock [lane]
    bint arriving  # it was just given to this lane; guarded by core.lock
    int refs  # handle, lane, outbox; guarded by core.lock [outbox]
    unsigned events  # DID_...; guarded by core.lock [outbox]
    uint32_t bells  # guarded by core.lock [screen]
    unsigned late  # events held back for EVENT_GAP [outbox]
    int64_t reported_ns  # [outbox]
    int64_t burst_ns  # when the first of `burst` reports of marks was made [outbox]
    int burst  # [outbox]
    uint64_t id
    Ring ring
    engine.vt* vt  # has taken the output in the ring up to vt_offset()
    bint unseen  # the engine's work for one turn was used up before it had seen the whole ring [screen]
    uint64_t checkpointed  # offset of the last checkpoint [screen]
    uint64_t kept  # offset of the last checkpoint with scrollback [screen]
    int64_t watched  # set by Python: changes are reported
    engine.vt_buf marks  # for Python: 8 bytes of time, then a record of the engine; guarded by core.lock [screen]
    list_t captures  # of capture_t, done; guarded by core.lock [screen]
    list_t clients  # of client_t [backlog]
    int64_t client_count  # [backlog]
    bint fanning  # a round of sending the last batch is under way [send]
    link_t* fan  # the next client of the round [send, backlog]
    bint fan_again  # more output came during the round, so another round follows [send]
    uint64_t fan_start  # offset of the first byte read since the last round ended [send]
    client_t* owner  # of the size, or NULL; the ring's header remembers which client it was [output, backlog]
    bint awaits_client  # its first client has not attached yet, so the PTY is not read [backlog]
    int64_t opened_ns
    backlog.Bounds bounds
    backlog.Gate gate  # [backlog]
    frame_cache_t[CACHES] frames  # [frame]
    block_cache_t[CACHES][DEFLATE_KEPT] blocks  # the last compressed frames, until a batch is sent [block]
    unsigned[CACHES] blocks_next  # which of them is replaced next [block]
    chunk_t* presence  # the presence message for every v1 client that comes, or NULL [send]
    chunk_t* note  # the newest event of Python's for every stream, or NULL [send]
    list_t input_queue  # of chunk_t: what the PTY has not taken yet [pty]
    int64_t input_queued  # bytes of it [pty]
    uint64_t[rings.SLOTS] slot_next  # per input stream: offset of the next byte, after queued ones [receive; pty]
    bint hung_up  # the PTY reported a hang-up [output]
    bint told_hang_up  # [output]
    bint finished  # its process has exited [command]
    bint ended  # finished, and all that was printed is in the ring [output]
    bint closing  # its session was removed [command]
    int exit_code
    int exit_signal
    size_t reason_n
    uint8_t[EXIT_REASON_MAX] reason
    int64_t rows  # [output]
    int64_t cols
    uint16_t cell_height  # pixels, as the owner of the size stated them; 0: unknown [output]
    uint16_t cell_width
    int64_t bytes_in  # [pty]
    int64_t last_output_ns  # [output]
    int64_t last_input_ns  # [pty]
    int64_t max_lag  # [backlog]
    int64_t used_ns  # lane time in the current window [outbox]
    int64_t window_ns  # when the window began [outbox]
    uint64_t traffic  # bytes printed, received from clients and sent to them
    uint64_t window_traffic  # `traffic` when the window began [outbox]
    int64_t calm_ns  # since when it has been calm [outbox]
    int move_to  # a lane's index, or -1 [outbox sets it, lane clears it]
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
    int64_t blocks  # that exist; negative in a lane that freed blocks of another


cdef struct inflated_t:  # the content of the last compressed message
    uint8_t* data  # MESSAGE_LIMIT + 1 bytes; NULL before the first message
    size_t n


cdef struct damage_t:  # the damage that was made last, for all clients that show the same [send]
    uint64_t terminal  # its id
    engine.vt_viewer before
    engine.vt_viewer after
    engine.vt_buf bytes


cdef struct lane_t:
    watch_t wake
    int[2] waker
    watch_t alarm
    int64_t alarm_ns  # when the alarm goes off; 0: it is off
    int poller
    int index
    core_t* core
    pthread_t thread
    bint woken  # guarded by core.lock
    list_t dirty  # terminals with commands; guarded by core.lock
    list_t terminals
    list_t dropped  # clients dropped in this turn: events of this turn may still point to them
    int64_t now
    int64_t sweep_ns
    bint unfinished  # some terminal is `unseen`, or some client has unread bytes that may be decoded now
    list_t fans  # terminals whose clients have not all been sent the last batch
    bint awaits_answers  # some client's redraw after an interrupt waits (answer_by_ns)
    bint unread  # some client has unread bytes that may be decoded now
    bint throttled  # some client is not read because of its rate
    int64_t throttle_ns  # when to look at throttled clients again
    engine.vt_buf buffer  # for redraws
    damage_t damage
    deflate.Deflater deflater
    deflate.Inflater inflater
    inflated_t inflated
    bint compresses  # compressed messages came or went in this turn
    size_t deflated_n  # bytes compressed in this turn
    size_t inflated_n  # bytes that messages inflated to in this turn, with INFLATE_COST for each
    bint late  # some terminal holds back events
    int64_t late_ns  # until when
    list_t due  # terminals with clients that have DUE_FLUSH
    list_t keepers  # terminals that keep compressed frames
    uint8_t* typed  # input of the client whose turn it is
    size_t typed_n
    bint typed_by_person  # some of it is no report of a terminal
    bint moves  # some terminal is to move to another lane
    bint closures  # some closed terminal may have no clients left
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
    list_t events  # of terminal_t
    list_t news  # of client_t
    bint stopping  # guarded by lock
    int stop_code
    size_t stop_reason_n
    uint8_t[CLOSE_REASON_MAX] stop_reason
    int64_t stop_by_ns
    int64_t ping_ns
    int64_t timeout_ns
    int64_t settle_ns
    uint64_t high
    size_t input_watermark
    engine.vt_limits limits
