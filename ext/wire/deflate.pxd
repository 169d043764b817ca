"""A codec for the messages of permessage-deflate (RFC 7692 §7.2), without I/O and without context takeover.

Call zlib_load() first. If it fails, call nothing else here.
"""

from libc.stdint cimport uint8_t
from libc.string cimport memset

from vibetunnel._ext cimport rfc6455 as rfc

cdef extern from "deflate.h" nogil:
    int ZLIB_SYNC_FLUSH, ZLIB_OK, ZLIB_STREAM_END, ZLIB_MEM_ERROR, ZLIB_BUF_ERROR, ZLIB_BLOCK_END
    ctypedef struct zlib_stream:
        const uint8_t* next_in
        unsigned avail_in
        uint8_t* next_out
        unsigned avail_out
        int data_type
    const char* zlib_load()
    int zlib_deflate_open(zlib_stream*, int level, int window_bits, int mem_level)
    int zlib_deflate(zlib_stream*, int flush)
    int zlib_deflate_reset(zlib_stream*)
    int zlib_deflate_close(zlib_stream*)
    int zlib_inflate_open(zlib_stream*, int window_bits)
    int zlib_inflate(zlib_stream*, int flush)
    int zlib_inflate_reset(zlib_stream*)
    int zlib_inflate_close(zlib_stream*)

cdef enum:
    DEFLATE_LEVEL = 1  # level 1 makes 16 KiB of a coloured log 3.6 times smaller in 85 us; level 6: 4.3 times in 200 us
    DEFLATE_WINDOW = 14  # bits: 16 KiB, as a frame of output has at most
    DEFLATE_MEMORY = 7  # with this window: 128 KiB; more memory gains nothing here
    INFLATE_WINDOW = 15  # bits: the largest window; a client may use it unless the handshake says otherwise
    MESSAGE_MAX = 1 << 30  # bytes; zlib counts in 32 bits
    TAIL = 4  # bytes: 00 00 FF FF, which ends every message and is not sent


cdef struct Piece:  # a part of a message before compression; borrowed
    const uint8_t* data
    size_t n


cdef struct Deflater:  # all zero: new, without memory
    zlib_stream stream
    bint is_open


cdef struct Inflater:
    zlib_stream stream
    bint is_open


cdef inline void deflater_free(Deflater* d) noexcept nogil:
    if d.is_open:
        zlib_deflate_close(&d.stream)
        d.is_open = False


cdef inline void inflater_free(Inflater* i) noexcept nogil:
    if i.is_open:
        zlib_inflate_close(&i.stream)
        i.is_open = False


cdef inline size_t deflate_message(
    Deflater* d, const Piece* pieces, int count, uint8_t* out, size_t room
) noexcept nogil:
    """Compress one message and return its size, at least 1; 0 if it does not fit, or memory ran out.

    room   size of `out`; the message has at most room - TAIL - 1 bytes
    """
    cdef zlib_stream* stream = &d.stream
    cdef int i
    if room > MESSAGE_MAX:
        return 0
    if not d.is_open:
        memset(stream, 0, sizeof(zlib_stream))
        if zlib_deflate_open(stream, DEFLATE_LEVEL, DEFLATE_WINDOW, DEFLATE_MEMORY) != ZLIB_OK:
            return 0
        d.is_open = True
    elif zlib_deflate_reset(stream) != ZLIB_OK:
        return 0
    stream.next_out = out
    stream.avail_out = <unsigned>room
    for i in range(count):
        if pieces[i].n > MESSAGE_MAX:
            return 0
        stream.next_in = pieces[i].data
        stream.avail_in = <unsigned>pieces[i].n
        zlib_deflate(stream, 0 if i < count - 1 else ZLIB_SYNC_FLUSH)
        if stream.avail_in or stream.avail_out == 0:
            return 0  # the next reset discards the rest that zlib holds
    return room - stream.avail_out - TAIL


cdef inline int inflate_message(
    Inflater* i, const uint8_t* data, size_t n, uint8_t* out, size_t limit, size_t* size
) noexcept nogil:
    """Inflate one message of at most `limit` bytes. Returns 0 with *size set, or minus a close code.

    out   room for limit + 1 bytes: a longer message is inflated no further
    """
    cdef zlib_stream* stream = &i.stream
    cdef uint8_t[4] tail
    cdef bint in_tail = False
    cdef int result
    tail[0] = tail[1] = 0
    tail[2] = tail[3] = 0xFF
    size[0] = 0
    if n == 0:
        return 0  # RFC 7692 asks for at least one byte, but an empty message is unambiguous
    if n > MESSAGE_MAX or limit > MESSAGE_MAX:
        return -rfc.CLOSE_TOO_BIG
    if not i.is_open:
        memset(stream, 0, sizeof(zlib_stream))
        if zlib_inflate_open(stream, INFLATE_WINDOW) != ZLIB_OK:
            return -rfc.CLOSE_INTERNAL
        i.is_open = True
    elif zlib_inflate_reset(stream) != ZLIB_OK:
        return -rfc.CLOSE_INTERNAL
    stream.next_in = data
    stream.avail_in = <unsigned>n
    stream.next_out = out
    stream.avail_out = <unsigned>limit + 1
    while True:
        result = zlib_inflate(stream, ZLIB_SYNC_FLUSH)
        if stream.avail_out == 0:
            return -rfc.CLOSE_TOO_BIG
        if result == ZLIB_STREAM_END:  # the last block of a stream (§7.2.3.4); another stream may follow
            if stream.avail_in == 0:
                break
            if zlib_inflate_reset(stream) != ZLIB_OK:
                return -rfc.CLOSE_INTERNAL
        elif result == ZLIB_MEM_ERROR:
            return -rfc.CLOSE_INTERNAL
        elif result != ZLIB_OK and (result != ZLIB_BUF_ERROR or stream.avail_in):
            return -rfc.CLOSE_INVALID
        elif stream.avail_in == 0:
            if in_tail:
                if not stream.data_type & ZLIB_BLOCK_END:
                    return -rfc.CLOSE_INVALID  # the message ends inside a block
                break
            in_tail = True
            stream.next_in = tail
            stream.avail_in = TAIL
    size[0] = limit + 1 - stream.avail_out
    return 0
