"""A libFuzzer target over what the pump reads from clients: frames, v1 messages, objects. engine.c has the output.

The first byte of an input chooses the parser, the second where the rest is cut. Whole and cut must agree. Nothing here
is Python at run time: only the nogil code of ext/*.pxd is called, so no interpreter is started.
"""

from libc.stdint cimport uint8_t, uint32_t
from libc.stdlib cimport abort, free, malloc
from libc.string cimport memcmp, memcpy, memset

from vibetunnel._ext cimport objects
from vibetunnel._ext cimport rfc6455 as rfc
from vibetunnel._ext cimport v1


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
    if used > n or result.code == 0 and used != n:
        abort()
    free(own)


cdef Result decode(const uint8_t* data, size_t n, size_t cut) noexcept nogil:
    cdef rfc.Decoder d
    cdef Result result
    memset(&d, 0, sizeof(d))
    memset(&result, 0, sizeof(result))
    d.limit = 1000
    d.masked = True
    feed(&d, data, cut, &result)
    feed(&d, data + cut, n - cut, &result)
    rfc.decoder_free(&d)
    return result


cdef void read(const uint8_t* data, size_t n) noexcept nogil:
    cdef uint8_t* own = <uint8_t*>malloc(n + 1)
    cdef objects.Object found
    cdef v1.Request request
    cdef int kind
    if own is NULL:
        return
    memcpy(own, data, n)
    kind = objects.read_object(own, n, &found)
    if kind == objects.OBJECT_NONE and memcmp(own, data, n):
        abort()
    if kind == objects.OBJECT_INPUT and (found.data < own or found.data + found.n > own + n):
        abort()
    if kind == objects.OBJECT_RESIZE and not (1 <= found.rows <= 1000 and 1 <= found.cols <= 1000):
        abort()
    free(own)
    if v1.read_request(data, n, &request) > 0 and request.n:
        if request.data < data or request.data + request.n > data + n:
            abort()


cdef public int LLVMFuzzerTestOneInput(const uint8_t* data, size_t n) noexcept nogil:
    cdef size_t cut
    cdef Result whole, parts
    if n < 2:
        return 0
    cut = data[1] % (n - 1)
    if data[0] % 2 == 0:
        whole = decode(data + 2, n - 2, 0)
        parts = decode(data + 2, n - 2, min(cut, n - 2))
        if whole.code != parts.code or whole.sum != parts.sum or whole.messages != parts.messages:
            abort()
    else:
        read(data + 2, n - 2)
    return 0
