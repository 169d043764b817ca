"""A codec for WebSocket frames (RFC 6455 §5), without I/O."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy

cdef extern from *:
    """
    #include <stdint.h>
    #include <string.h>
    /* The key's four bytes, twice, rotated to begin at byte `phase` (0 to 3), in memory order. */
    static inline uint64_t mask_word(const uint8_t *key, unsigned phase)
    {
        uint32_t word;
        memcpy(&word, key, 4);
    #if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
        word = word >> 8 * phase | word << 8 * (-phase & 3);
    #else
        word = word << 8 * phase | word >> 8 * (-phase & 3);
    #endif
        return (uint64_t)word << 32 | word;
    }
    """
    uint64_t mask_word(const uint8_t* key, unsigned phase) nogil

cdef enum:
    OP_CONTINUATION = 0x0
    OP_TEXT = 0x1
    OP_BINARY = 0x2
    OP_CLOSE = 0x8
    OP_PING = 0x9
    OP_PONG = 0xA
    RSV1 = 0x40  # set together with a message's opcode: the message is compressed (RFC 7692 §6)

    MAX_CONTROL = 125  # bytes of payload (§5.5)

    CLOSE_NORMAL = 1000
    CLOSE_AWAY = 1001
    CLOSE_PROTOCOL = 1002
    CLOSE_UNSUPPORTED = 1003
    CLOSE_NO_STATUS = 1005
    CLOSE_ABNORMAL = 1006
    CLOSE_INVALID = 1007
    CLOSE_POLICY = 1008
    CLOSE_TOO_BIG = 1009
    CLOSE_INTERNAL = 1011


cdef inline int write_header(uint8_t* out, uint8_t opcode, bint fin, uint64_t length) noexcept nogil:
    """Write an unmasked frame's header (§5.2) and return its size: 2, 4 or 10 bytes. `opcode` may have RSV1."""
    cdef int i
    out[0] = (0x80 if fin else 0) | opcode
    if length < 126:
        out[1] = <uint8_t>length
        return 2
    if length < 65536:
        out[1] = 126
        out[2] = <uint8_t>(length >> 8)
        out[3] = <uint8_t>length
        return 4
    out[1] = 127
    for i in range(8):
        out[2 + i] = <uint8_t>(length >> (56 - 8 * i))
    return 10


cdef inline void xor_mask(uint8_t* data, size_t n, const uint8_t* key, unsigned phase) noexcept nogil:
    """XOR `data` in place with the 4-byte key, beginning at the key's byte `phase` (§5.3). Eight bytes at a time."""
    cdef uint8_t[8] pattern
    cdef uint64_t word
    cdef uint64_t wide = mask_word(key, phase & 3)
    cdef size_t i = 0
    memcpy(pattern, &wide, 8)
    while i + 8 <= n:  # i + 8 <= n keeps both copies inside data
        memcpy(&word, data + i, 8)
        word ^= wide
        memcpy(data + i, &word, 8)
        i += 8
    while i < n:
        data[i] ^= pattern[i & 7]
        i += 1


cdef inline size_t utf8_prefix(const uint8_t* s, size_t n) noexcept nogil:
    """Return the length of the longest prefix that is valid UTF-8 (RFC 3629 §4), without a cut-off character."""
    cdef size_t i = 0
    cdef uint64_t word
    cdef uint8_t a, low, high
    cdef int more
    while i < n:
        a = s[i]
        if a < 0x80:
            if i + 8 <= n:
                memcpy(&word, s + i, 8)
                i += 1 if word & <uint64_t>0x8080808080808080 else 8
            else:
                i += 1
            continue
        low = 0x80
        high = 0xBF
        if 0xC2 <= a <= 0xDF:
            more = 1
        elif 0xE0 <= a <= 0xEF:
            more = 2
            if a == 0xE0:
                low = 0xA0
            elif a == 0xED:
                high = 0x9F
        elif 0xF0 <= a <= 0xF4:
            more = 3
            if a == 0xF0:
                low = 0x90
            elif a == 0xF4:
                high = 0x8F
        else:
            return i
        if n - i <= <size_t>more or s[i + 1] < low or s[i + 1] > high:
            return i
        if more > 1 and s[i + 2] & 0xC0 != 0x80:
            return i
        if more > 2 and s[i + 3] & 0xC0 != 0x80:
            return i
        i += 1 + more
    return n


cdef inline bint utf8_valid(const uint8_t* s, size_t n) noexcept nogil:
    return utf8_prefix(s, n) == n


cdef inline bint close_code_valid(unsigned code) noexcept nogil:
    """Whether a peer may send this close code (§7.4.1, and the IANA registry's 1012 to 1014)."""
    return 1000 <= code <= 1003 or 1007 <= code <= 1014 or 3000 <= code <= 4999


cdef struct Message:
    uint8_t opcode  # OP_TEXT or OP_BINARY, with RSV1 if the message is compressed; or a control opcode
    uint8_t* data  # borrowed: valid until the next decoder_next()
    size_t n


cdef struct Decoder:
    size_t limit  # bytes of a data message; of a compressed one, inflate_message() checks the inflated size
    bint deflate  # compressed messages were negotiated
    bint masked  # True: the peer is a client, so every frame must be masked (§5.1)
    uint8_t[14] head  # an unfinished frame header
    uint8_t head_n
    bint in_frame
    bint fin
    bint spent  # the last message borrowed `buffer`: free it at the next call
    uint8_t opcode  # of the frame under way
    uint8_t message_opcode  # of the fragmented message under way, with RSV1 when it is compressed; 0: none
    uint8_t phase
    uint8_t[4] key
    uint64_t remaining  # payload bytes of the frame under way that have not come yet
    uint8_t* buffer  # a message that comes in several pieces; NULL: there is none
    size_t buffer_n
    size_t buffer_size
    uint8_t[125] control
    uint8_t control_n


cdef inline void decoder_free(Decoder* d) noexcept nogil:
    free(d.buffer)
    d.buffer = NULL
    d.buffer_n = 0
    d.buffer_size = 0


cdef inline size_t _deflated_limit(Decoder* d) noexcept nogil:
    """The limit for a message while it is compressed, when it can be longer than its content.

    zlib adds at most 4 % with its smallest memory level, and else 5 bytes to each 16 KiB.
    """
    return d.limit + d.limit // 16 + 64


cdef inline int _keep(Decoder* d, const uint8_t* data, size_t n) noexcept nogil:
    """Append to the message under way. _head() has checked the limit."""
    cdef size_t size = d.buffer_n + n + <size_t>d.remaining
    cdef uint8_t* grown
    if size > d.buffer_size:
        if not d.fin:
            size = max(size, 2 * d.buffer_size)  # more fragments are to come
        grown = <uint8_t*>realloc(d.buffer, size)
        if grown is NULL:
            return -CLOSE_INTERNAL
        d.buffer = grown
        d.buffer_size = size
    if n:
        memcpy(d.buffer + d.buffer_n, data, n)
    d.buffer_n += n
    return 0


cdef inline int _head(Decoder* d, const uint8_t* data, size_t n, size_t* used) noexcept nogil:
    """Read a frame header from `data`. Returns 1 when it is complete, 0 if more is needed, or minus a close code."""
    cdef size_t need, take
    cdef uint64_t length
    cdef int i
    while True:
        need = 2
        if d.head_n >= 2:
            length = d.head[1] & 0x7F
            need += (2 if length == 126 else 8 if length == 127 else 0) + (4 if d.head[1] & 0x80 else 0)
            if d.head_n >= need:
                break
        take = min(need - d.head_n, n - used[0])
        if take == 0:
            return 0
        memcpy(d.head + d.head_n, data + used[0], take)
        d.head_n += <uint8_t>take
        used[0] += take
    d.head_n = 0
    d.fin = d.head[0] & 0x80 != 0
    d.opcode = d.head[0] & 0x0F
    i = 2
    if length == 126:
        length = (<uint64_t>d.head[2] << 8) | d.head[3]
        i = 4
        if length < 126:
            return -CLOSE_PROTOCOL  # §5.2: the minimal number of bytes must be used
    elif length == 127:
        length = 0
        for i in range(2, 10):
            length = (length << 8) | d.head[i]
        i = 10
        if length < 65536 or length >> 63:
            return -CLOSE_PROTOCOL
    if d.head[0] & 0x70 and not (d.deflate and d.head[0] & 0x70 == RSV1 and OP_TEXT <= d.opcode <= OP_BINARY):
        return -CLOSE_PROTOCOL  # a reserved bit; RSV1 is valid on the first frame of a message (RFC 7692 §6.1)
    if (d.head[1] & 0x80 != 0) != d.masked:
        return -CLOSE_PROTOCOL
    if d.masked:
        memcpy(d.key, d.head + i, 4)
    d.phase = 0
    if d.opcode & 0x8:
        if d.opcode > OP_PONG or not d.fin or length > MAX_CONTROL:
            return -CLOSE_PROTOCOL
        d.control_n = 0
    else:
        if d.opcode > OP_BINARY or (d.opcode == OP_CONTINUATION) != (d.message_opcode != 0):
            return -CLOSE_PROTOCOL
        if d.opcode != OP_CONTINUATION:
            d.message_opcode = d.head[0] & (0x0F | RSV1)
        if length + d.buffer_n > d.limit and (not d.message_opcode & RSV1 or length + d.buffer_n > _deflated_limit(d)):
            return -CLOSE_TOO_BIG
    d.remaining = length
    d.in_frame = True
    return 1


cdef inline int decoder_next(Decoder* d, uint8_t* data, size_t n, size_t* used, Message* out) noexcept nogil:
    """Take bytes from data[used..n), unmasking them in place, until a message is complete.

    Returns 1 with *out set, 0 when all of data is used and more is needed, or minus a close code (§7.4.1).
    After a close code the decoder must not be used again.
    A message that arrives in one piece is not copied. Text is valid UTF-8, but compressed text is not checked.
    """
    cdef size_t take
    cdef uint8_t* start
    cdef int result
    if d.spent:
        decoder_free(d)
        d.spent = False
    while True:
        if not d.in_frame:
            result = _head(d, data, n, used)
            if result <= 0:
                return result
        take = n - used[0]
        if take > d.remaining:
            take = <size_t>d.remaining
        start = data + used[0]
        if d.masked:
            xor_mask(start, take, d.key, d.phase)
            d.phase = (d.phase + take) & 3
        used[0] += take
        d.remaining -= take
        if d.opcode & 0x8:
            memcpy(d.control + d.control_n, start, take)  # at most 125 bytes (§5.5): _head() has checked
            d.control_n += <uint8_t>take
            if d.remaining:
                return 0
            d.in_frame = False
            if d.opcode == OP_CLOSE:
                if d.control_n == 1:
                    return -CLOSE_PROTOCOL
                if d.control_n >= 2:
                    if not close_code_valid((<unsigned>d.control[0] << 8) | d.control[1]):
                        return -CLOSE_PROTOCOL
                    if not utf8_valid(d.control + 2, d.control_n - 2):
                        return -CLOSE_INVALID
            out.opcode = d.opcode
            out.data = d.control
            out.n = d.control_n
            return 1
        if d.remaining or not d.fin:
            result = _keep(d, start, take)
            if result < 0:
                return result
            if d.remaining:
                return 0
            d.in_frame = False
            continue
        d.in_frame = False
        out.opcode = d.message_opcode
        d.message_opcode = 0
        if d.buffer_n:
            result = _keep(d, start, take)
            if result < 0:
                return result
            out.data = d.buffer
            out.n = d.buffer_n
            d.spent = True
        else:
            out.data = start
            out.n = take
        if out.opcode == OP_TEXT and not utf8_valid(out.data, out.n):
            return -CLOSE_INVALID
        return 1
