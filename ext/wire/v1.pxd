"""The messages of `vibetunnel.v1` (docs/protocol.md) as bytes. Integers are big-endian."""

from libc.stdint cimport int32_t, uint8_t, uint16_t, uint32_t, uint64_t

# Python (vibetunnel/protocol.py), TypeScript (protocol.ts) and docs/protocol.md have the same names.

cdef enum:  # message types: the first byte
    OUTPUT = 0x01
    REDRAW = 0x02
    HELLO = 0x03
    RESIZE = 0x04
    TITLE = 0x05
    EXIT = 0x06
    ERROR = 0x07
    PONG = 0x08
    ACCEPTED = 0x09
    PRESENCE = 0x0A
    LINES = 0x0B
    ACCESS = 0x0C
    DAMAGE = 0x0D
    INPUT = 0x81
    RESIZE_REQUEST = 0x82
    ACK = 0x83
    PING = 0x84
    LINES_REQUEST = 0x85
    REDRAW_REQUEST = 0x86
    APPEARANCE = 0x87

cdef enum:  # flags
    MAY_TYPE = 1  # hello, access
    OWNS_SIZE = 2  # hello
    RESIZE_OWNS_SIZE = 1  # resize
    ALTERNATE_SCREEN = 1  # redraw
    LAST_PIECE = 1  # lines
    WRAPPED = 2  # lines
    TAKE_SIZE = 1  # resize request
    HIDDEN = 2  # resize request
    DARK = 1  # appearance

cdef enum:  # codes of error messages
    ERROR_READ_ONLY = 1
    ERROR_MALFORMED = 2
    ERROR_INPUT_GAP = 3

cdef enum:  # close codes that only this server uses; rfc6455.pxd has the standard ones
    CLOSE_LOGIN_OVER = 4401
    CLOSE_PUT_OUT = 4403
    CLOSE_SESSION_REMOVED = 4404

cdef enum:
    VERSION = 1
    MAX_PING = 64  # bytes
    MAX_LINES = 10000  # per request
    MAX_CELL = 1000  # pixels
    THEME_COLOURS = 19  # of an appearance: 16 of the palette, foreground, background, cursor

cdef enum:
    APPEARANCE_FIELDS = 62  # bytes of an appearance after its type
    OUTPUT_HEADER = 9  # bytes before the output in an output message

cdef inline uint8_t* put16(uint8_t* out, uint16_t value) noexcept nogil:
    out[0] = <uint8_t>(value >> 8)
    out[1] = <uint8_t>value
    return out + 2


cdef inline uint8_t* put32(uint8_t* out, uint32_t value) noexcept nogil:
    return put16(put16(out, <uint16_t>(value >> 16)), <uint16_t>value)


cdef inline uint8_t* put64(uint8_t* out, uint64_t value) noexcept nogil:
    return put32(put32(out, <uint32_t>(value >> 32)), <uint32_t>value)


cdef inline uint16_t get16(const uint8_t* data) noexcept nogil:
    return (<uint16_t>data[0] << 8) | data[1]


cdef inline uint64_t get64(const uint8_t* data) noexcept nogil:
    cdef uint64_t value = 0
    cdef int i
    for i in range(8):
        value = (value << 8) | data[i]
    return value


cdef inline size_t write_output_header(uint8_t* out, uint64_t offset) noexcept nogil:
    out[0] = OUTPUT
    return put64(out + 1, offset) - out


cdef inline size_t write_redraw_header(
    uint8_t* out, uint64_t offset, uint64_t top, uint64_t oldest, uint16_t rows, uint16_t cols, uint8_t flags
) noexcept nogil:
    """Terminal bytes follow the header."""
    out[0] = REDRAW
    put16(put16(put64(put64(put64(out + 1, offset), top), oldest), rows), cols)[0] = flags
    return 30


cdef inline size_t write_damage_header(uint8_t* out, uint64_t offset, uint64_t top, uint64_t oldest) noexcept nogil:
    """Terminal bytes follow the header."""
    out[0] = DAMAGE
    return put64(put64(put64(out + 1, offset), top), oldest) - out


cdef inline size_t write_lines_header(
    uint8_t* out, uint64_t first, uint32_t count, uint64_t oldest, uint8_t flags
) noexcept nogil:
    """The lines follow the header, as terminal bytes."""
    out[0] = LINES
    put64(put32(put64(out + 1, first), count), oldest)[0] = flags
    return 22


cdef inline size_t write_hello(
    uint8_t* out, uint8_t flags, uint16_t rows, uint16_t cols,
    uint64_t start, uint64_t live, uint64_t accepted, uint32_t window,
) noexcept nogil:
    out[0] = HELLO
    out[1] = VERSION
    out[2] = flags
    return put32(put64(put64(put64(put16(put16(out + 3, rows), cols), start), live), accepted), window) - out


cdef inline size_t write_resize(uint8_t* out, uint16_t rows, uint16_t cols, uint8_t flags) noexcept nogil:
    out[0] = RESIZE
    put16(put16(out + 1, rows), cols)[0] = flags
    return 6


cdef inline size_t write_accepted(uint8_t* out, uint64_t offset) noexcept nogil:
    out[0] = ACCEPTED
    return put64(out + 1, offset) - out


cdef inline size_t write_access_header(uint8_t* out, uint8_t flags) noexcept nogil:
    """The client's name follows the header, as text."""
    out[0] = ACCESS
    out[1] = flags
    return 2


cdef inline size_t write_exit_header(uint8_t* out, int32_t code, uint8_t signal) noexcept nogil:
    """The reason follows the header, as text."""
    out[0] = EXIT
    put32(out + 1, <uint32_t>code)[0] = signal
    return 6


cdef inline size_t write_error_header(uint8_t* out, uint16_t code) noexcept nogil:
    """The text follows the header."""
    out[0] = ERROR
    return put16(out + 1, code) - out


cdef struct Appearance:
    bint dark
    uint16_t cell_height  # pixels; 0: unknown
    uint16_t cell_width
    uint32_t[THEME_COLOURS] colours  # 0xRRGGBB


cdef inline bint read_appearance(const uint8_t* data, size_t n, Appearance* out) noexcept nogil:
    """Read an appearance, without its type byte. False: it is malformed."""
    cdef int i
    if n < APPEARANCE_FIELDS:
        return False
    out.dark = data[0] & DARK != 0
    out.cell_height = get16(data + 1)
    out.cell_width = get16(data + 3)
    for i in range(THEME_COLOURS):
        out.colours[i] = (<uint32_t>data[5 + 3 * i] << 16) | get16(data + 6 + 3 * i)
    return out.cell_height <= MAX_CELL and out.cell_width <= MAX_CELL


cdef struct Request:
    uint8_t kind  # a message type that clients send
    uint64_t offset  # of input and ack; of a lines request: the line after the last one wanted
    uint32_t count  # of lines
    uint16_t rows  # of a resize request, and the two below
    uint16_t cols
    uint8_t flags
    const uint8_t* data  # of input and ping; borrowed from the message
    size_t n
    Appearance appearance


cdef inline int read_request(const uint8_t* message, size_t n, Request* out) noexcept nogil:
    """Read a client's message. Returns 1, 0 for an unknown type (the caller ignores it), or -1 if it is malformed."""
    if n == 0:
        return -1
    out.kind = message[0]
    out.data = NULL
    out.n = 0
    out.count = 0
    if out.kind == INPUT:
        if n < 9:
            return -1
        out.offset = get64(message + 1)
        out.data = message + 9
        out.n = n - 9
    elif out.kind == ACK:
        if n < 9:
            return -1
        out.offset = get64(message + 1)
    elif out.kind == RESIZE_REQUEST:
        if n < 5:
            return -1
        out.rows = get16(message + 1)
        out.cols = get16(message + 3)
        if not (1 <= out.rows <= 1000 and 1 <= out.cols <= 1000):
            return -1
        out.flags = message[5] if n > 5 else 0
    elif out.kind == APPEARANCE:
        if not read_appearance(message + 1, n - 1, &out.appearance):
            return -1
    elif out.kind == PING:
        if n - 1 > MAX_PING:
            return -1
        out.data = message + 1
        out.n = n - 1
    elif out.kind == LINES_REQUEST:
        if n < 13:
            return -1
        out.offset = get64(message + 1)
        out.count = (<uint32_t>get16(message + 9) << 16) | get16(message + 11)
        if out.count > MAX_LINES:
            return -1
    elif out.kind != REDRAW_REQUEST:
        return 0
    return 1
