"""The messages of `vibetunnel.v1` (docs/protocol.md) as bytes. Integers are big-endian."""

from libc.stdint cimport int32_t, uint8_t, uint16_t, uint32_t, uint64_t

cdef enum:
    V1_OUTPUT = 0x01
    V1_REDRAW = 0x02
    V1_HELLO = 0x03
    V1_RESIZE = 0x04
    V1_TITLE = 0x05
    V1_EXIT = 0x06
    V1_ERROR = 0x07
    V1_PONG = 0x08
    V1_ACCEPTED = 0x09
    V1_PRESENCE = 0x0A
    V1_LINES = 0x0B
    V1_ACCESS = 0x0C
    V1_INPUT = 0x81
    V1_RESIZE_REQUEST = 0x82
    V1_ACK = 0x83
    V1_PING = 0x84
    V1_LINES_REQUEST = 0x85
    V1_REDRAW_REQUEST = 0x86

    V1_VERSION = 1
    OUTPUT_HEADER = 9  # bytes before the output in an output message
    MAX_PING = 64  # bytes

    MAY_TYPE = 1  # hello.flags, access.flags
    OWNS_SIZE = 2  # hello.flags
    RESIZE_OWNS_SIZE = 1  # resize.flags
    ALTERNATE_SCREEN = 1  # redraw.flags
    LAST_PIECE = 1  # lines.flags
    WRAPPED = 2  # lines.flags
    MAX_LINES = 10000  # that one request may ask for

    ERROR_READ_ONLY = 1
    ERROR_MALFORMED = 2
    ERROR_INPUT_GAP = 3


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
    out[0] = V1_OUTPUT
    return put64(out + 1, offset) - out


cdef inline size_t write_redraw_header(
    uint8_t* out, uint64_t offset, uint64_t top, uint64_t oldest, uint16_t rows, uint16_t cols, uint8_t flags
) noexcept nogil:
    """The terminal bytes follow."""
    out[0] = V1_REDRAW
    put16(put16(put64(put64(put64(out + 1, offset), top), oldest), rows), cols)[0] = flags
    return 30


cdef inline size_t write_lines_header(
    uint8_t* out, uint64_t first, uint32_t count, uint64_t oldest, uint8_t flags
) noexcept nogil:
    """The lines follow, as terminal bytes."""
    out[0] = V1_LINES
    put64(put32(put64(out + 1, first), count), oldest)[0] = flags
    return 22


cdef inline size_t write_hello(
    uint8_t* out, uint8_t flags, uint16_t rows, uint16_t cols,
    uint64_t start, uint64_t live, uint64_t accepted, uint32_t window,
) noexcept nogil:
    out[0] = V1_HELLO
    out[1] = V1_VERSION
    out[2] = flags
    return put32(put64(put64(put64(put16(put16(out + 3, rows), cols), start), live), accepted), window) - out


cdef inline size_t write_resize(uint8_t* out, uint16_t rows, uint16_t cols, uint8_t flags) noexcept nogil:
    out[0] = V1_RESIZE
    put16(put16(out + 1, rows), cols)[0] = flags
    return 6


cdef inline size_t write_accepted(uint8_t* out, uint64_t offset) noexcept nogil:
    out[0] = V1_ACCEPTED
    return put64(out + 1, offset) - out


cdef inline size_t write_access_header(uint8_t* out, uint8_t flags) noexcept nogil:
    """The client's name follows as text."""
    out[0] = V1_ACCESS
    out[1] = flags
    return 2


cdef inline size_t write_exit_header(uint8_t* out, int32_t code, uint8_t signal) noexcept nogil:
    """The reason follows as text."""
    out[0] = V1_EXIT
    put32(out + 1, <uint32_t>code)[0] = signal
    return 6


cdef inline size_t write_error_header(uint8_t* out, uint16_t code) noexcept nogil:
    """The text follows."""
    out[0] = V1_ERROR
    return put16(out + 1, code) - out


cdef struct Request:
    uint8_t kind  # V1_INPUT and the others that a client sends
    uint64_t offset  # of input and ack; the line before which lines are asked for
    uint32_t count  # of lines
    uint16_t rows  # of resize
    uint16_t cols
    const uint8_t* data  # of input and ping; borrowed from the message
    size_t n


cdef inline int read_request(const uint8_t* message, size_t n, Request* out) noexcept nogil:
    """What a client asks for. Returns 1, 0 for an unknown type (to be ignored), or -1 for a malformed message."""
    if n == 0:
        return -1
    out.kind = message[0]
    out.data = NULL
    out.n = 0
    out.count = 0
    if out.kind == V1_INPUT:
        if n < 9:
            return -1
        out.offset = get64(message + 1)
        out.data = message + 9
        out.n = n - 9
    elif out.kind == V1_ACK:
        if n < 9:
            return -1
        out.offset = get64(message + 1)
    elif out.kind == V1_RESIZE_REQUEST:
        if n < 5:
            return -1
        out.rows = get16(message + 1)
        out.cols = get16(message + 3)
        if not (1 <= out.rows <= 1000 and 1 <= out.cols <= 1000):
            return -1
    elif out.kind == V1_PING:
        if n - 1 > MAX_PING:
            return -1
        out.data = message + 1
        out.n = n - 1
    elif out.kind == V1_LINES_REQUEST:
        if n < 13:
            return -1
        out.offset = get64(message + 1)
        out.count = (<uint32_t>get16(message + 9) << 16) | get16(message + 11)
        if out.count > MAX_LINES:
            return -1
    elif out.kind != V1_REDRAW_REQUEST:
        return 0
    return 1
