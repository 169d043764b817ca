"""A libFuzzer target over the bytes that the pump reads from clients: frames, v1 messages, objects.

The first byte of an input chooses the parser, the second where the rest is cut. Whole and cut must agree. engine.c has
the output. Compressed messages are inflated when the machine has zlib. Nothing here
is Python at run time: only the nogil code of ext/*/*.pxd is called, so no interpreter is started.
"""

from libc.stdint cimport uint8_t, uint32_t
from libc.stdlib cimport abort, free, malloc
from libc.string cimport memcmp, memcpy, memset

from vibetunnel._ext cimport deflate
from vibetunnel._ext cimport raw
from vibetunnel._ext cimport rfc6455 as rfc
from vibetunnel._ext cimport v1


cdef enum:
    LIMIT = 1000

cdef deflate.Inflater inflater  # one for all, as a lane has it
cdef bint looked = False  # for zlib
cdef bint inflates = False


cdef uint32_t mix(uint32_t sum, const uint8_t* data, size_t n) noexcept nogil:
    """A running checksum (FNV-1a)."""
    cdef size_t i
    for i in range(n):
        sum = (sum ^ data[i]) * <uint32_t>16777619
    return sum


cdef struct Result:
    int code
    uint32_t sum
    uint32_t messages


cdef uint32_t inflate(uint32_t sum, const uint8_t* data, size_t n) noexcept nogil:
    """The checksum of an inflated message, or of the reason why it cannot be inflated."""
    cdef uint8_t[LIMIT + 1] out
    cdef size_t size = 0
    cdef int result = deflate.inflate_message(&inflater, data, n, out, LIMIT, &size)
    if result == 0 and size > LIMIT:
        abort()
    if result not in (0, -rfc.CLOSE_INVALID, -rfc.CLOSE_TOO_BIG, -rfc.CLOSE_INTERNAL):
        abort()
    return mix(sum, out, size) if result == 0 else sum ^ <uint32_t>result


cdef void feed(rfc.Decoder* d, const uint8_t* data, size_t n, Result* result) noexcept nogil:
    cdef rfc.Message message
    cdef size_t used = 0
    cdef uint8_t* own
    if result.code:
        return
    own = <uint8_t*>malloc(n + 1)
    if own is NULL:
        return
    memcpy(own, data, n)
    while True:
        result.code = rfc.decoder_next(d, own, n, &used, &message)
        if result.code <= 0:
            break
        result.messages += 1
        result.sum = mix(mix(result.sum, &message.opcode, 1), message.data, message.n)
        if message.opcode == rfc.OP_TEXT and not rfc.utf8_valid(message.data, message.n):
            abort()
        if message.opcode & rfc.RSV1:
            if not d.deflate or message.opcode & 0x8:
                abort()
            if inflates:
                result.sum = inflate(result.sum, message.data, message.n)
    if used > n or result.code == 0 and used != n:
        abort()
    free(own)


cdef Result decode(const uint8_t* data, size_t n, size_t cut, bint compressed) noexcept nogil:
    cdef rfc.Decoder d
    cdef Result result
    memset(&d, 0, sizeof(d))
    memset(&result, 0, sizeof(result))
    d.limit = LIMIT
    d.masked = True
    d.deflate = compressed
    feed(&d, data, cut, &result)
    feed(&d, data + cut, n - cut, &result)
    rfc.decoder_free(&d)
    return result


cdef void read(const uint8_t* data, size_t n) noexcept nogil:
    cdef uint8_t* own = <uint8_t*>malloc(n + 1)
    cdef raw.Object found
    cdef v1.Request request
    cdef int kind
    if own is NULL:
        return
    memcpy(own, data, n)
    kind = raw.read_object(own, n, &found)
    if kind == raw.OBJECT_NONE and memcmp(own, data, n):
        abort()
    if kind == raw.OBJECT_INPUT and (found.data < own or found.data + found.n > own + n):
        abort()
    if kind == raw.OBJECT_RESIZE and not (1 <= found.rows <= 1000 and 1 <= found.cols <= 1000):
        abort()
    free(own)
    if v1.read_request(data, n, &request) > 0 and request.n:
        if request.data < data or request.data + request.n > data + n:
            abort()


cdef public int LLVMFuzzerTestOneInput(const uint8_t* data, size_t n) noexcept nogil:
    global looked, inflates
    cdef size_t cut
    cdef Result whole, parts
    if n < 2:
        return 0
    if not looked:
        looked = True
        inflates = deflate.zlib_load() is NULL
    cut = data[1] % (n - 1)
    if data[0] % 3 != 1:
        whole = decode(data + 2, n - 2, 0, data[0] % 3 == 2)
        parts = decode(data + 2, n - 2, min(cut, n - 2), data[0] % 3 == 2)
        if whole.code != parts.code or whole.sum != parts.sum or whole.messages != parts.messages:
            abort()
    else:
        read(data + 2, n - 2)
    return 0
